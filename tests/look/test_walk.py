"""How many modules somebody reads who follows one refused look (docs/how-it-works.md)."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import crisp_status
from crisp_status.net import tools as net_tools
from tests.probes.servers import looked, refusing

ROOT = Path(crisp_status.__file__).parent
WALK = Path(__file__).parents[2] / "docs" / "how-it-works.md"


@pytest.mark.parametrize("scheme", ["http", "tcp", "ssh"])
async def test_a_refused_look_goes_through_few_modules(scheme: str, shared: net_tools.Tools) -> None:
    """From `look` to its result; the page of the docs names each of them."""
    passed: set[str] = set()

    def follow(frame: FrameType, event: str, _argument: Any) -> None:
        file = frame.f_code.co_filename
        if file.startswith(str(ROOT)) and frame.f_code.co_name != "<module>":
            passed.add(str(Path(file).relative_to(ROOT)))

    url = f"{scheme}://{refusing()}"
    await looked(url)
    sys.setprofile(follow)
    try:
        seen = await looked(url)
    finally:
        sys.setprofile(None)
    passed.discard("kinds.py")  # how this test finds the kind
    passed -= {"config/strict.py", "probes/_connection.py"}  # and makes its options

    assert seen.reason.code == "refused"
    assert len(passed) <= 13, "\n".join(sorted(passed))
    text = WALK.read_text("utf-8")
    assert not [module for module in passed if module.removesuffix(".py") not in text and "probes/" not in module]

"""What the tests of the configuration share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.config.problems import ConfigError
from crisp_status.config.root import Config

PAGE = '[page]\nname = "Acme"\nurl = "https://status.acme.example/"\n'

Load = Callable[..., Config]


@pytest.fixture
def config(tmp_path: Path) -> Load:
    """Load a text as `config.toml`, with a [page] in front unless it has one."""

    def loaded(text: str = "", environ: Mapping[str, str] | None = None, **how: Any) -> Config:
        file = tmp_path / "config.toml"
        whole = text if "[page]" in text or how.get("role") == "agent" else PAGE + text
        file.write_text(whole, encoding="utf-8")
        return load(file, kinds.rooms(), environ or {}, **how)

    return loaded


@pytest.fixture
def problems(config: Load) -> Callable[..., list[str]]:
    """What is wrong with a text: `path: sentence` for each problem."""

    def told(text: str = "", environ: Mapping[str, str] | None = None, **how: Any) -> list[str]:
        try:
            config(text, environ, **how)
        except ConfigError as error:
            return [f"{p.path}: {p.text}" for p in error.problems]
        return []

    return told

"""Every test here has the tools of its loop, and an authority that it trusts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from crisp_status.net import tools as net_tools
from tests.probes.servers import Authority


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
async def shared(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[net_tools.Tools]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with net_tools.opened(page_url="https://status.acme.example/") as found:
        yield found

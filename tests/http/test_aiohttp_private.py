"""What we use of aiohttp without its promise stands in one file, and is there."""

import re

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from tests import house

PRIVATE = {"_waiter", "_messages", "_loop", "_kwargs", "_make_request", "_drain_helper"}
"""Members that may change in any minor version."""

UNDOCUMENTED = re.compile(r"aiohttp\.(?:web_protocol|http_exceptions|http|http_parser|base_protocol|http_writer)\b")
MEMBER = re.compile(r"\b(?:request|protocol|response)\._(?!_)")
ONE_FILE = house.PACKAGE / "http" / "aiohttp_private.py"


async def test_the_installed_version_has_them():
    """An update that takes one away fails here, with its name, and not on the server of a user."""

    async def answer(_):
        return web.Response()

    server = web.Server(answer)

    assert {name for name in PRIVATE if not hasattr(server, name) and not hasattr(RequestHandler, name)} == set()


def test_one_file_uses_them():
    """Whoever updates aiohttp has one file to read; it uses exactly what is named here."""
    used = set(re.findall(r"(?:self|super\(\)|protocol)\.(_[a-z][a-z_]+)", ONE_FILE.read_text("utf-8")))

    assert used == PRIVATE


def test_no_other_file_does():
    """Neither an undocumented module nor a member of a request, its protocol or its server."""
    others = {path: path.read_text("utf-8") for path in house.PACKAGE.rglob("*.py") if path != ONE_FILE}

    assert [p for p, text in others.items() if UNDOCUMENTED.search(text) or MEMBER.search(text)] == []

"""A daemon with a console, and browsers that look at it."""

import contextlib

import aiohttp
import pytest

from tests.console.browser import CONFIG, Browser
from tests.daemon import daemon, until


@pytest.fixture
async def app(tmp_path):
    """A daemon whose only node is dead."""
    async with daemon(tmp_path / "d", CONFIG) as app:
        await until(lambda: app.site.view.open)
        yield app


@pytest.fixture
async def browse(app):
    """Make browsers, each with cookies of its own."""
    async with contextlib.AsyncExitStack() as stack:

        async def make():
            jar = aiohttp.CookieJar(unsafe=True)
            return Browser(app, await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar)))

        yield make

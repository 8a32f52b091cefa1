"""The page is made anew at the moment when time alone changes what it says."""

import asyncio
import time

from crisp_status.core.events import Announced
from crisp_status.core.operator_records import Announcement
from tests.daemon import daemon, get, until

DEAD = """
[embed]
after = 1.5
[[services]]
name = "Web"
[[services.nodes]]
name = "Site"
replicas = ["tcp://127.0.0.1:1"]
"""


async def test_the_page_of_a_start_is_not_made_twice(tmp_path):
    """The loop goes on from the page that was made before anybody was let in: the first visitors wait for no other."""
    async with daemon(tmp_path, DEAD) as app:
        await asyncio.sleep(0.2)
        assert app.counters.renders == 1


async def test_time_alone_turns_the_page(tmp_path):
    """An announcement appears and goes, and the warning on other sites comes, when they are due and not at some later
    refresh."""
    async with daemon(tmp_path, DEAD) as app:
        begin, end = time.time() + 1.5, time.time() + 3.5
        words = Announcement("a", "Soon", "", starts_at=begin, expires_at=end, created_at=time.time())
        await app.engine.commit(Announced(announcement=words))
        await get(app, "/embed.json")
        await until(lambda: app.site.view.dead_since)
        for condition, due in (
            (lambda: app.site.view.announcements, begin),
            (lambda: app.site.view.at > app.site.view.dead_since + 1.5, app.site.view.dead_since + 1.5),
            (lambda: not app.site.view.announcements, end),
        ):
            await until(condition)
            assert time.time() < due + 30  # soon, on a machine that is busy as well
        assert '"show":true' in (await get(app, "/embed.json"))[1]

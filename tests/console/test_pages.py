"""What an operator does in the console happens, is told with their name to the team only, and needs no script."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import aiohttp
import pytest

from tests.console.browser import CONFIG, JANE, MANAGER, Browser
from tests.daemon import daemon, get, until


@pytest.fixture
async def jane(browse):
    """Jane, signed in and looking at the first page."""
    browser = await browse()
    await browser.sign_in(JANE)
    return browser


def incident(app, number=1):
    """As it stands in the state."""
    return app.engine.peek().incident(number)


async def test_what_is_dead_is_shown_with_its_reason_and_address(jane):
    """At three in the morning: what, since when, why, where, and that nobody works on it yet."""
    await jane.get("/operator/")

    for words in ("API is down", "connection refused", "tcp://127.0.0.1:9", "Nobody has acknowledged it", "Incident 1"):
        assert words in jane.words


async def test_acknowledging(app, jane):
    """One press; the team sees who it was, visitors do not."""
    await jane.post("/operator/incidents/1/acknowledge", back="now")

    assert "Acknowledged by Jane" in jane.words
    assert incident(app).acknowledged_by == "Jane"
    await until(lambda: app.site.view.incidents[0].acknowledged_at)
    assert "Jane" not in (await get(app, "/incidents/1"))[1]


async def test_an_update_with_a_state_is_public(app, jane):
    """The text stands on the page of the incident, and the Statuspage API says where the incident stands."""
    await jane.post("/operator/incidents/1/update", text="A **failed switch**.", state="identified", audience="all")
    await until(lambda: any(u.phase == "identified" for u in app.site.view.incidents[0].updates))

    assert "<strong>failed switch</strong>" in (await get(app, "/incidents/1"))[1]
    assert '"status":"identified"' in (await get(app, "/api/v2/incidents.json"))[1]
    assert "Jane: wrote an update" in jane.words


async def test_a_note_for_the_team_is_not(app, jane):
    """It is in the log, and nowhere else."""
    await jane.post("/operator/incidents/1/update", text="Partner on the phone", audience="team")

    assert "Jane: to the team Partner on the phone" in jane.words
    for path in ("/", "/incidents/1", "/api/v2/incidents.json", "/feed.atom", "/history.atom"):
        assert "Partner on the phone" not in (await get(app, path))[1]


async def test_a_preview_publishes_nothing(app, jane):
    """It shows the Markdown as visitors would see it, and keeps the text in the form."""
    await jane.post("/operator/incidents/1/update", text="It is **bad**", preview="1")

    assert "<strong>bad</strong>" in jane.text
    assert "It is **bad**</textarea>" in jane.text
    assert not [e for e in incident(app).timeline if e.what == "note"]


async def test_an_incident_by_hand(app, jane):
    """For what no look sees: it is public at once, and ends by an update."""
    await jane.post("/operator/incidents", title="Card payments fail", text="We look into it.", node="web/api")
    await until(lambda: any(i.title == "Card payments fail" for i in app.site.view.incidents))
    assert "Card payments fail" in (await get(app, "/incidents/2"))[1]
    await jane.post("/operator/incidents/2/update", text="Over.", state="resolved")

    assert incident(app, 2).closed_at


async def test_an_incident_that_is_over_can_be_explained_corrected_and_struck_out(app, jane):
    """Post-mortem, times and striking out; the page follows."""
    await jane.post("/operator/incidents", title="By hand")
    await jane.post("/operator/incidents/2/update", text="Over.", state="resolved")
    await jane.post("/operator/incidents/2/postmortem", text="A *switch* failed.")
    await until(lambda: any(i.postmortem for i in app.site.view.incidents))
    (began,) = re.findall(r'name="start" type="datetime-local" value="([^"]+)"', jane.text)
    await jane.post(
        "/operator/incidents/2/times", start=f"2026{began[4:]}".replace("T", "T")[:16], end="2031-01-01T00:00"
    )
    assert jane.status == 409
    assert "not in the future" in jane.words
    await jane.get("/operator/incidents/2")
    await jane.post("/operator/incidents/2/strike")
    await until(lambda: all(i.id != 2 for i in app.site.view.incidents))

    assert (await get(app, "/incidents/2"))[0] == 404
    assert "Struck out" in jane.words


async def test_what_makes_no_sense_is_said(jane):
    """Unknown incidents, empty texts, wrong states and times: a sentence inside the console, and nothing happened."""
    for path, fields, words in (
        ("/operator/incidents/99/acknowledge", {}, "There is no incident 99"),
        ("/operator/incidents/x/acknowledge", {}, "named by its number"),
        ("/operator/incidents/1/update", {"text": ""}, "missing or empty"),
        ("/operator/incidents/1/update", {"text": "a", "state": "gone"}, "Choose one of the states"),
        ("/operator/incidents/1/strike", {}, "Only an incident that is over"),
        ("/operator/incidents/1/merge", {"other": "1"}, "Only an incident that is over"),
        ("/operator/incidents/1/times", {"start": "yesterday"}, "is not a time"),
        ("/operator/silences", {"silence": "2y"}, "Choose for how long"),
        ("/operator/check", {"node": "web/gone", "replica": "x"}, "no such replica"),
        ("/operator/announcements", {"title": "", "text": "x"}, "missing or empty"),
        ("/operator/announcements", {"title": "x", "kind": "maintenance"}, "Choose the nodes"),
        ("/operator/notices/drop", {"message": "gone"}, "no such message"),
        ("/operator/notices/test", {"notifier": "gone"}, "no notifier"),
        ("/operator/devices/gone/remove", {}, "not subscribed"),
    ):
        await jane.get("/operator/")
        await jane.post(path, **fields)
        assert 400 <= jane.status < 500, path
        assert words in jane.words, path


async def test_silences(app, jane):
    """Held, shown with who and until when, lifted."""
    await jane.post("/operator/silences", silence="4h", scope="web")
    assert "Websites until" in jane.words
    (silence,) = app.engine.peek().silences.values()
    await jane.post(f"/operator/silences/{silence.id}/lift")

    assert not app.engine.peek().silences


async def test_check_now(app, jane):
    """A look begins at once, of one replica or of all, also with an interval of days."""
    before = app.counters.looks
    await jane.post("/operator/check", node="web/api", replica="tcp://127.0.0.1:9")
    await until(lambda: app.counters.looks > before)
    before = app.counters.looks
    await jane.get("/operator/")
    await jane.post("/operator/check")
    await until(lambda: app.counters.looks > before)


async def test_an_announcement_and_a_maintenance(app, jane):
    """Written, changed, planned with a repetition, taken down."""
    soon = datetime.fromtimestamp(app.clock.now() + 3 * 86400, UTC)
    await jane.get("/operator/announcements")
    await jane.post("/operator/announcements", title="Cards fail", text="Please wait.")
    await until(lambda: app.site.view.announcements)
    (known,) = app.engine.peek().announcements.values()
    await jane.get(f"/operator/announcements?edit={known.id}")
    assert "Please wait.</textarea>" in jane.text
    await jane.post("/operator/announcements", id=known.id, title="Cards fail", text="Please wait longer.")
    assert [a.text for a in app.engine.peek().announcements.values()] == ["Please wait longer."]
    await jane.post(
        "/operator/announcements", kind="maintenance", title="Upgrade", node=["web/api"],
        starts=f"{soon:%Y-%m-%d}T22:00", ends=f"{soon:%Y-%m-%d}T23:30", repeat="week",
    )  # fmt: skip
    assert "FREQ=WEEKLY" in jane.words
    await jane.post(f"/operator/announcements/{known.id}/withdraw")

    assert [a.title for a in app.engine.peek().announcements.values()] == ["Upgrade"]


async def test_notices_without_a_notifier_say_so(jane):
    """Nobody is told: that is the first thing to see there."""
    await jane.get("/operator/notices")

    assert "Nobody is told: no notifier is configured." in jane.words


async def test_owners_see_what_operators_did(app, jane, browse):
    """The audit log names who did what; operators do not see it."""
    await jane.post("/operator/incidents/1/acknowledge")
    await jane.get("/operator/notices")
    assert "What operators did" not in jane.words
    owner = await browse()
    await owner.sign_in(MANAGER)
    await owner.get("/operator/notices")

    assert "Jane: Acknowledged 1" in owner.words


async def test_the_console_speaks_the_language_of_the_browser(jane):
    """With the languages of the page."""
    await jane.get("/operator/", **{"Accept-Language": "ar"})

    assert '<html lang="ar" dir="rtl">' in jane.text


async def test_alerts_on_this_device(tmp_path):
    """The browser's subscription comes with the form, belongs to who is signed in, and can be removed."""
    push = '\n[[notifiers]]\ntype = "push"\noperators = ["jane"]\n'
    given = {"endpoint": "https://push.example/x", "keys": {"p256dh": "p" * 87, "auth": "a" * 22}}
    async with (
        daemon(tmp_path / "d", CONFIG + push) as app,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        jane = Browser(app, session)
        await jane.sign_in(JANE)
        await jane.get("/operator/notices")
        assert 'id="push"' in jane.text
        await jane.post("/operator/devices", subscription="not JSON")
        assert jane.status == 400
        await jane.get("/operator/notices")
        await jane.post("/operator/devices", subscription=json.dumps(given))
        assert "This device gets alerts from now on." in jane.words
        (device,) = app.engine.peek().subscriptions.values()
        assert device.operator == "jane"
        await jane.post(f"/operator/devices/{device.id}/remove")

        assert not app.engine.peek().subscriptions

"""Links out of messages: a GET asks, a POST acts."""

from contextlib import asynccontextmanager
from types import SimpleNamespace

from crisp_status.api.actions import ActionPages
from crisp_status.formats.documents import table
from crisp_status.http.router import Router
from crisp_status.http.site import Site
from crisp_status.language.catalogues import catalogues
from crisp_status.messages import action_links
from tests.formats import samples
from tests.http.site_fakes import dial, one, serving
from tests.story import Story

KEY = b"k" * 32


@asynccontextmanager
async def page():
    story, router = Story(), Router()
    story.all_well()
    story.die("pay/checkout")
    site = Site(table(samples.acme(languages=("en", "fr")), catalogues=catalogues(("en", "fr"))), story.clock)
    ActionPages(story, story.clock, KEY, site).add_routes(router)
    async with serving(router=router) as server:

        async def ask(method, token, language="en"):
            await site.show(story.view())
            async with dial(server.port) as (reader, writer):
                writer.write(
                    f"{method} /act/{token} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n"
                    f"Accept-Language: {language}\r\n\r\n".encode()
                )
                status, headers, body = await one(reader)
            return SimpleNamespace(status=status, headers=headers, text=body.decode())

        yield story, ask


def token(story, purpose="acknowledge", seconds=3600.0, incident=1):
    return action_links.sign(KEY, incident, purpose, story.clock.now() + seconds)


async def test_a_scanner_follows_links():
    """A GET of a link changes nothing, however often."""
    async with page() as (story, ask):
        for _ in range(3):
            answer = await ask("GET", token(story))
            assert answer.status == 200
            assert '<form class="acts" method="post"><button class="btn">Acknowledge</button>' in answer.text
        assert story.state.open[1].acknowledged_at == 0


async def test_a_person_presses():
    """A POST acknowledges; the question is then answered already."""
    async with page() as (story, ask):
        answer = await ask("POST", token(story))
        assert (answer.status, '<h1 id="now">Acknowledged</h1>' in answer.text) == (200, True)
        assert story.state.open[1].acknowledged_by == "link"
        again = (await ask("GET", token(story))).text
        assert "Acknowledged already" in again
        assert 'class="btn">' not in again


async def test_the_question_says_what_it_is_about():
    """Which incident, since when, what will happen, until when the link works; in the language of whoever asks."""
    async with page() as (story, ask):
        story.pass_time(120)
        text = (await ask("GET", token(story))).text
        assert "Acknowledge that Checkout is down?" in text
        assert "Incident 1, since " in text
        assert "2 minutes so far." in text
        assert "Reminders stop for everybody." in text
        assert "This link works until " in text
        assert 'href="/en/incidents/1"' in text
        assert '<html lang="fr">' in (await ask("GET", token(story), "fr")).text
        assert "Hold reminders for an hour?" in (await ask("GET", token(story, "silence"))).text


async def test_reminders_for_an_hour():
    """A silence link holds reminders for an hour, and only these."""
    async with page() as (story, ask):
        assert (await ask("POST", token(story, "silence"))).status == 200
        (silence,) = story.state.silences.values()
        assert (silence.scope, silence.until) == ("", story.clock.now() + 3600)


async def test_links_that_do_not_count():
    """Forged, cut off, expired, of an incident that is over or gone: each has its sentence, none acts."""
    async with page() as (story, ask):
        good = token(story)
        for method in ("GET", "POST"):
            assert (await ask(method, good[:-1])).status == 404
            assert (await ask(method, good.replace("acknowledge", "silence"))).status == 404
            assert (await ask(method, token(story, seconds=-1))).status == 410
        assert (await ask("GET", token(story, incident=99))).status == 410
        assert (await ask("POST", token(story, incident=99))).status == 409
        story.recover("pay/checkout")
        assert "is over" in (await ask("GET", good)).text
        assert (await ask("POST", good)).status == 409
        assert story.state.silences == {}


async def test_the_address_is_the_permission():
    """It is not kept, not framed, not sent to other sites."""
    async with page() as (story, ask):
        headers = (await ask("GET", token(story))).headers
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert {"form-action 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))

"""Notifiers of every kind are added, changed, tried and removed in forms; secrets stay, and so does the rest of the file."""

from __future__ import annotations

import re
from typing import Any

import pytest

from crisp_status import kinds
from crisp_status.console.notifier_fields import fields, values
from tests.console.browser import JANE, OLGA
from tests.daemon import until
from tests.receivers import HttpReceiver

PAGE = "/operator/settings/notifiers"

FILLED: dict[str, dict[str, Any]] = {
    "apprise": {"o-urls": "tgram://secret-of-apprise/1\nntfy://secret-of-ntfy/x"},
    "email": {
        "o-to": "ops@acme.example",
        "o-from": "status@acme.example",
        "o-smtp_password": "secret-of-mail",
        "o-smtp_username": "u",
    },
    "push": {"o-operators": ["jane"]},
    "pushover": {"o-app_token": "secret-of-app", "o-user_keys": "secret-of-user"},
    "request": {"o-url": "https://acme.example/secret-of-request", "o-method": "PUT"},
    "slack": {"o-hook_url": "https://hooks.example/secret-of-slack", "o-mention_channel": "1"},
    "webhook": {"o-url": "https://acme.example/secret-of-hook", "o-secret": "secret-that-signs"},
}
"""By kind: what somebody fills in."""


@pytest.fixture
async def owner(browse):
    """Olga, on the page of notifiers."""
    browser = await browse()
    await browser.sign_in(OLGA, PAGE)
    return browser


def test_every_kind_is_tried_here():
    """A new kind has a form by itself; this table says what stands in it."""
    assert set(kinds.channels()) == set(FILLED)


@pytest.mark.parametrize("kind", sorted(FILLED))
async def test_add_change_and_remove(app, owner, kind):
    """Only the entry is written; a secret never comes back, and an empty field keeps it; in the end the file is as before."""
    before = app.config.path.read_text()
    table = "webhooks" if kind == "webhook" else "notifiers"
    on = {"o-on": ["health"] if kind == "webhook" else ["dead", "recovered", "sick"]}
    await owner.get(f"{PAGE}?type={kind}")
    await owner.post(PAGE, table=table, number="", type=kind, enabled="1", action="save", **FILLED[kind], **on)
    assert "Saved and in force." in owner.words, owner.words
    added = app.config.path.read_text()
    assert added.startswith(before.rstrip("\n"))
    await owner.get(f"{PAGE}?table={table}&number=0")
    assert "secret-" not in owner.text
    assert ("set, not shown" in owner.text) == ("secret-" in added)
    again = {key: value for key, value in FILLED[kind].items() if "secret-" not in value}
    await owner.post(PAGE, table=table, number="0", type=kind, enabled="1", action="save", **again, **on)
    assert app.config.path.read_text() == added
    await owner.get(f"{PAGE}?table={table}&number=0")
    await owner.post(PAGE, table=table, number="0", type=kind, action="save", **again, **on)
    assert app.config.path.read_text().replace("enabled = false\n", "") == added
    await owner.get(f"{PAGE}?table={table}&number=0")
    await owner.post(PAGE, table=table, number="0", type=kind, action="remove")

    assert "Saved and in force." in owner.words, owner.words
    assert app.config.path.read_text().strip() == before.strip()


async def test_save_and_test_tells_what_the_receiver_said(app, owner):
    """The new notifier is in force, its message arrives, and the story of it is shown."""
    async with HttpReceiver() as receiver:
        hook = {"o-hook_url": receiver.url("/hook"), "o-on": ["dead"]}
        await owner.get(f"{PAGE}?type=slack")
        await owner.post(PAGE, table="notifiers", number="", type="slack", enabled="1", action="test", **hook)
        assert "The test is on its way." in owner.words
        await until(lambda: receiver.requests)


@pytest.mark.parametrize(
    "text", ['"', "\n[[operators]]", "]]", "'''", '"""', "\\", "\u2028", "${HOME}", "${file:/etc/passwd}", "\x00"]
)
async def test_nothing_gets_out_of_its_field(app, owner, text):
    """Whatever is typed: it is a value of its key, or nothing is saved; no table, no key, no file is read."""
    await owner.get(f"{PAGE}?type=email")
    form = FILLED["email"] | {"o-smtp_username": f"a{text}b", "o-smtp_hello": ""}
    await owner.post(PAGE, table="notifiers", number="", type="email", enabled="1", action="save", **form)
    operators = [o.id for o in app.config.operators]

    assert operators == ["jane", "vera", "olga"]
    assert len(app.config.notifiers) <= 1
    assert "root:" not in owner.text
    assert not re.search(
        r"^\[\[operators\]\]$", app.config.path.read_text().partition("[[notifiers]]")[2], re.MULTILINE
    )


async def test_only_owners_change_them(app, browse):
    """Not by a direct POST either."""
    browser = await browse()
    await browser.sign_in(JANE)
    before = app.config.path.read_text()
    await browser.post(PAGE, table="notifiers", number="", type="slack", action="save", **FILLED["slack"])

    assert (403, before) == (browser.status, app.config.path.read_text())


def test_what_is_left_as_it_is_keeps_its_words():
    """A reference to a variable stays one, also among lines that changed; an emptied key goes."""
    model = kinds.rooms().channels["email"]
    entry = {"type": "email", "to": ["${OPS}", "b@acme.example"], "from": "s@acme.example", "smtp_port": 25}
    form = fields(model, entry, {})
    sent = {"to": ["b@acme.example\n${OPS}\nc@acme.example"], "from": ["s@acme.example"], "on": ["dead", "recovered"]}
    new = values(form, lambda key: sent.get(key, []), entry, lambda text, key: float(text))

    assert new == {"to": ["b@acme.example", "${OPS}", "c@acme.example"], "smtp_port": None}

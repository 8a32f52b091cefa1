"""The configuration edited in the browser: exactly the change is in the file, checked whole, in force, and undone when refused."""

from __future__ import annotations

import contextlib
import random
import re
from pathlib import Path

import pytest
import tomli

from crisp_status import kinds
from crisp_status.config.load import load_text
from crisp_status.config.problems import ConfigError
from crisp_status.console import toml_edit
from crisp_status.console.config_file import ConfigFile, FileTrouble
from tests.console.browser import OLGA
from tests.daemon import until

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 1"><rect width="4" height="1"/></svg>'


@pytest.fixture
async def olga(browse):
    """The owner, signed in."""
    browser = await browse()
    await browser.sign_in(OLGA)
    await browser.get("/operator/settings")
    return browser


def text(app):
    """The file as it stands on disk."""
    return app.config.path.read_text()


def added(before, after):
    """Lines that came and lines that went."""
    old, new = before.splitlines(), after.splitlines()
    return [line for line in new if line not in old and line], [line for line in old if line not in new]


async def test_a_service_with_a_node_and_two_replicas_is_exactly_that_addition(app, olga):
    """Comments and order of everything else stay, and the new replicas are looked at."""
    before = text(app)
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="add", name="Payments")
    assert "Saved and in force" in olga.words
    await olga.get("/operator/settings/services?service=1")
    port = app.bound[0].rpartition(":")[2]
    await olga.post(
        "/operator/settings/nodes", service="1", node="", name='Check "out" ]] #', mode="poll", interval="60",
        replica=[f"http://127.0.0.1:{port}/healthz", f"tcp://127.0.0.1:{port}", ""],
    )  # fmt: skip
    came, went = added(before, text(app))

    assert went == []
    assert came == [
        "[[services]]",
        'name = "Payments"',
        'name = "Check \\"out\\" ]] #"',
        f'replicas = ["http://127.0.0.1:{port}/healthz", "tcp://127.0.0.1:{port}"]',
        "interval = 60",
    ]
    await until(lambda: app.engine.peek().health and "payments" in app.engine.peek().services)
    await until(lambda: app.engine.peek().services["payments"].health.word == "healthy")
    assert (app.config.path.parent / "config.toml.~1~").read_text() == before


async def test_changing_and_removing_a_node(app, olga):
    """A new name and a limit; then it is gone, and so is its state."""
    await olga.get("/operator/settings/services?service=0&node=0")
    await olga.post(
        "/operator/settings/nodes", service="0", node="0", name="Gateway", mode="poll", delay_sick="0.5",
        replica="tcp://127.0.0.1:9", retry="0",
    )  # fmt: skip
    assert "delay_sick = 0.5" in text(app)
    assert "# nobody listens there" in text(app)
    assert app.engine.peek().plan.services[0].nodes[0].name == "Gateway"
    await olga.get("/operator/settings/services?service=0&node=0")
    await olga.post("/operator/settings/nodes", service="0", node="0", action="remove", name="Gateway")

    assert "Gateway" not in text(app)
    assert not app.engine.peek().nodes


async def test_moving_renaming_and_removing_a_service(app, olga):
    """By the key `order`; the text stays in its place."""
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="add", name="Second")
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="up", service="1")
    assert [s.name for s in app.engine.peek().plan.services] == ["Second", "Websites"]
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="rename", service="1", name="First")
    assert app.engine.peek().plan.services[0].name == "First"
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="remove", service="1")

    assert [s.name for s in app.engine.peek().plan.services] == ["Websites"]


async def test_page_colour_and_logo(app, olga):
    """A logo is kept under a name of ours, checked, and shown."""
    await olga.upload(
        "/operator/settings", SVG, into="header_logo", name="Acme Two", url="http://127.0.0.1:1/", color="#ff0000"
    )
    assert olga.status == 200
    (name,) = re.findall(r'header_logo = "(branding/header_logo-[0-9a-f]{12}\.svg)"', text(app))

    assert (app.config.path.parent / name).read_bytes() == SVG
    assert 'color = "#ff0000"' in text(app)
    assert app.config.page.name == "Acme Two"


@pytest.mark.parametrize(
    "content",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        b"#!/bin/sh\nrm -rf /",
        b"\x89PNG\r\n\x1a\n" + b"x" * 300_000,
    ],
)
async def test_what_is_no_decent_image_is_refused(app, olga, content):
    """Scripts, programs and heavy files: nothing stays on the disk, and the file is as it was."""
    before = text(app)
    await olga.upload("/operator/settings", content, into="header_logo", name="Acme", url="http://127.0.0.1:1/")

    assert olga.status == 400
    assert text(app) == before
    assert [f.name for f in app.config.path.parent.glob("branding/*")] == []


async def test_an_upload_of_ten_megabytes_is_cut(app, olga):
    """It is refused while it comes."""
    before = text(app)
    try:
        await olga.upload("/operator/settings", b"x" * 10_000_000, into="header_image", name="Acme")
    except OSError:
        olga.status = 413  # the connection was closed while we were sending

    assert olga.status == 413
    assert text(app) == before


async def test_the_whole_file_is_checked_before_it_is_saved(app, olga):
    """Every problem with its line; a good text is shown as a difference first, then saved."""
    before = text(app)
    await olga.get("/operator/settings/file")
    broken = before.replace("interval = 1", 'interval = "often"\ncolour = 1')
    await olga.post("/operator/settings/file", text=broken, save="1")
    assert olga.status == 400
    assert "2 problems" in olga.words
    assert text(app) == before
    await olga.get("/operator/settings/file")
    good = before.replace('name = "Websites"', 'name = "Sites"  # shorter')
    await olga.post("/operator/settings/file", text=good)
    assert '+name = "Sites" # shorter' in olga.words
    assert text(app) == before
    await olga.post("/operator/settings/file", text=good, save="1")

    assert text(app) == good
    assert app.engine.peek().plan.services[0].name == "Sites"


async def test_secrets_are_not_shown_and_stay(app, olga):
    """The browser gets marks; what comes back with them has the secrets again."""
    await olga.get("/operator/settings/file")
    for secret in ("manager-token", "reporter-token", OLGA):
        assert secret not in olga.text
    shown = re.search(r"<textarea[^>]*>\n(.*)</textarea>", olga.text, re.DOTALL).group(1)
    from html import unescape

    await olga.post("/operator/settings/file", text=unescape(shown) + "# new\n", save="1")

    assert text(app).endswith("# new\n")
    assert f'token = "{OLGA}"' in text(app)


async def test_two_operators_at_once(app, olga, browse):
    """The second is told that the file has changed, and nothing of the first is lost."""
    other = await browse()
    await other.sign_in(OLGA)
    await other.get("/operator/settings/services")
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="add", name="First come")
    await other.post("/operator/settings/services", action="add", name="Second")

    assert other.status == 409
    assert "Somebody changed the file meanwhile" in other.words
    assert "Second" not in text(app)


async def test_an_older_version_can_be_restored(app, olga):
    """It is compared first; restoring is one more version."""
    before = text(app)
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="add", name="Mistake")
    await olga.get("/operator/settings/file?version=1")
    assert '-name = "Mistake"' in olga.words
    from html import unescape

    shown = re.search(r"<textarea[^>]*>\n(.*)</textarea>", olga.text, re.DOTALL).group(1)
    await olga.post("/operator/settings/file", text=unescape(shown), save="1")

    assert text(app) == before


async def test_a_reload_that_fails_leaves_the_file(app, olga):
    """The daemon could not take it: the file is put back, and the page goes on with what it had."""
    before = text(app)

    async def fails(config):
        raise RuntimeError("the disk is full")

    settings = next(page for page in app.console.parts if hasattr(page, "save_service"))
    settings._reload = fails
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="add", name="Payments")

    assert olga.status == 409
    assert "the disk is full" in olga.words
    assert text(app) == before


LOCKED = [
    ("manager_token", 'manager_token = "manager-token"', 'manager_token = "another-manager-token"'),
    ("script", "[poll]", "[script]\nenabled = true\n[poll]"),
    ("console", "edit = true", 'edit = true\ntrust_header = "X-User"'),
    ("${file:/etc/passwd}", 'name = "Websites"', 'name = "${file:/etc/passwd}"'),
    ("page.templates", 'name = "Acme"', 'name = "Acme"\ntemplates = "."'),
    ("publish", "[poll]", '[publish]\nfolder = "/tmp/x"\n[poll]'),
    ("scripts of nodes", 'replicas = ["tcp://127.0.0.1:9"]', 'mode = "script"\nscripts = ["id"]'),
    ("server.state", 'state = "state"', 'state = "/tmp/elsewhere"'),
]


@pytest.mark.parametrize(("name", "old", "new"), LOCKED)
async def test_what_could_run_code_or_read_files_is_not_changed_here(app, olga, name, old, new):
    """It is named, and the file stays."""
    before = text(app)
    assert old in before
    await olga.get("/operator/settings/file")
    await olga.post("/operator/settings/file", text=before.replace(old, new, 1), save="1")

    assert olga.status == 400
    assert text(app) == before


async def test_without_edit_the_forms_say_how(app, olga):
    """Off by default: shown, and refused."""
    off = app.config.console.model_copy(update={"edit": False})
    config = app.config.model_copy(update={"console": off})
    config._path, config._rooms, config._state = app.config._path, app.config._rooms, app.config._state
    app.config = config
    await olga.get("/operator/settings/services")
    assert "Editing is off" in olga.words
    await olga.post("/operator/settings/services", action="add", name="Payments")

    assert olga.status == 409


NAMES = [
    "Plain",
    'q"uote',
    "apo'strophe",
    "line\nbreak",
    "]] # [[x]]",
    "unicode é 例 🎉",
    "back\\slash",
    "\ttab",
    "a = 1",
    "'''",
]


def random_change(dice, services):
    """One change that a form makes, as a function of the document."""
    name, kind, number = dice.choice(NAMES), dice.randrange(6), dice.randrange(max(1, len(services)))

    def change(document, make):
        if kind == 0 or not services:
            toml_edit.append(document, make, "services", {"name": name})
        elif kind == 1:
            node = {"name": name, "replicas": [f"tcp://h:{len(name)}"]}
            toml_edit.append(document["services"][number], make, "nodes", node)
        elif kind == 2:
            toml_edit.put(document["services"][number], "name", name)
        elif kind == 3:
            toml_edit.put(toml_edit.section(document, make, "page", "branding"), "color", "#123456")
        elif kind == 4:
            toml_edit.append(document, make, "webhooks", {"url": f"https://h.example/{len(name)}"})
        else:
            toml_edit.remove(document, "services", number)

    return change


@pytest.mark.parametrize("seed", range(100))
def test_random_edits_leave_everything_else_byte_for_byte(seed, app_free_config):
    """Random changes of random files: each line that was not touched is there as it was, and the result is read as meant."""
    dice = random.Random(seed)
    text, taken = app_free_config(dice), 0
    for _ in range(6):
        change = random_change(dice, tomli.loads(text).get("services", []))
        try:
            new = toml_edit.edited(text, "config.toml", change)
        except FileTrouble:
            continue
        wanted = tomli.loads(text)
        services = len(wanted.get("services", []))
        change(wanted, toml_edit.Maker(plain=True))
        assert tomli.loads(new) == wanted
        one, other = (text, new) if len(wanted.get("services", [])) >= services else (new, text)
        kept = [
            line for line in one.splitlines() if line.strip() and not line.lstrip().startswith(("name =", "color ="))
        ]
        lines = other.splitlines()
        place = 0
        for line in kept:  # in the same order
            place = lines.index(line, place) + 1
        with contextlib.suppress(ConfigError):  # as the form does: what the check refuses is not saved
            load_text(new, Path("config.toml"), kinds.rooms(), without_files=True)
            text, taken = new, taken + 1
    assert taken


@pytest.fixture
def app_free_config():
    """Makes files as people write them: comments, spaces, inline tables, several styles."""

    def make(dice):
        parts = ["# my page", "[page]", 'name  =  "Acme" # ours', 'url = "http://localhost/"', ""]
        if dice.random() < 0.5:
            parts += ["[page.branding]", "color = '#ff0000'", ""]
        if dice.random() < 0.5:
            parts += ["[poll]", "interval = 30 # seconds", "", "# and so on"]
        for number in range(dice.randrange(4)):
            parts += ["", "[[services]]", f'name = "S{number}" # the first', "order = 10"]
            for inner in range(dice.randrange(3)):
                parts += [
                    "  [[services.nodes]]",
                    f'  name = "N{inner}"',
                    "  replicas = [",
                    '    "tcp://a:1", # here',
                    "  ]",
                ]
        if dice.random() < 0.5:
            parts += ["", "[embed]", "after = 60"]
        return "\n".join(parts) + "\n"

    return make


def test_a_file_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    """A read-only mount or another owner: a sentence, before anybody has typed anything."""
    from crisp_status import kinds

    file = tmp_path / "config.toml"
    file.write_text('[page]\nname = "A"\nurl = "http://localhost/"\n[console]\nedit = true\n')
    config = load_text(file.read_text(), file, kinds.rooms(), {})
    assert ConfigFile(config).fault() == ""
    config._path = tmp_path / "gone" / "config.toml"

    assert "may not write" in ConfigFile(config).fault()

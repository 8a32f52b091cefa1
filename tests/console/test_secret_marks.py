"""No secret leaves the file through the console: not in another spelling, by a mark in another place, or swapped."""

from __future__ import annotations

import re
from html import unescape

import pytest

from crisp_status import kinds
from crisp_status.config.load import load_text
from crisp_status.console.config_file import ConfigFile, FileTrouble
from crisp_status.console.secret_marks import MARKED, Marks, revealed
from tests.console.browser import OLGA, VERA

KEY = b"k" * 32

PAGE = '[page]\nname = "Acme"\nurl = "http://localhost/"\n'


def config_file(folder, text, **how):
    """The file of a daemon that runs with this text."""
    path = folder / "config.toml"
    path.write_bytes(text.encode())
    return ConfigFile(load_text(text.removeprefix("\ufeff"), path, kinds.rooms(), {}), KEY)


def operators(*tokens):
    """A page whose operators have these tokens, each as TOML writes it."""
    return f"{PAGE}[console]\nedit = true\n" + "".join(
        f'[[operators]]\nid = "o{i}"\nname = "O{i}"\ntoken = {token}\n' for i, token in enumerate(tokens)
    )


@pytest.mark.parametrize(
    ("written", "secret"),
    [
        ('"secret"', "secret"),  # a part of the mark itself
        ('"abc"', "abc"),
        ('"pa\\"ss\\\\word 12345"', 'pa"ss\\word 12345'),
        ('"\\u0061bcdefgh"', "abcdefgh"),
        ('"a$${b}cdefgh"', "a${b}cdefgh"),
        ('"""two\\\n   lines here"""', "twolines here"),
        ("'single \"quotes\"'", 'single "quotes"'),
    ],
)
def test_every_spelling_of_a_secret_is_hidden_and_comes_back(written, secret):
    """Escapes, several lines, short ones, and a secret that is a word of the mark."""
    text = f"a = {written} # why\nb = 'secret sauce'\n"
    marks = Marks(KEY, text, {secret, "secret sauce"})
    masked = marks.masked()

    assert written.strip("\"'") not in MARKED.sub("", masked)
    assert revealed(masked, marks.meanings()) == text


def test_an_older_version_gets_its_own_secrets_back(tmp_path):
    """One operator more or fewer moves no token to another one, also when the old one is known from nowhere else."""
    older = operators('"older-token-0123456789"', '"vera-token-0123456789"')
    now = operators('"a-much-longer-token-0123456789"', '"vera-token-0123456789"')
    file = config_file(tmp_path, now)
    (tmp_path / "config.toml.~1~").write_text(older)
    shown = file.masked(older)

    assert "token-0123456789" not in shown
    assert file.revealed(shown, now) == older


def test_a_secret_that_is_not_in_force_yet_is_hidden(tmp_path):
    """Somebody changed the file in a shell; the daemon has not read it, or cannot."""
    file = config_file(tmp_path, operators('"vera-token-0123456789"'))

    assert "new-token" not in file.masked(operators('"new-token-0123456789"'))
    assert "new-token" not in file.masked(operators('"new-token-0123456789"') + "colour = 1\n")


@pytest.mark.parametrize("where", ['name = "{}"', 'description = "see {}"', '"{}" = 1'])
def test_a_mark_shows_its_secret_nowhere_else(tmp_path, where):
    """An owner cannot publish the token of another one as the name of the page."""
    text = operators('"vera-token-0123456789"')
    file = config_file(tmp_path, text)
    shown = file.masked(text)
    (mark,) = MARKED.findall(shown)
    given = shown.replace('name = "Acme"', where.format(mark), 1)

    with pytest.raises(FileTrouble, match="only where the secret stood"):
        file.revealed(given, text)


def test_a_mark_of_nothing_is_not_written(tmp_path):
    """It would be a token that everybody can read here."""
    text = operators('"vera-token-0123456789"')
    file = config_file(tmp_path, text)

    with pytest.raises(FileTrouble, match="stands for no secret"):
        file.revealed(file.masked(text) + "# ‹secret 00000000›\n", text)


async def test_a_form_takes_no_mark_for_a_value(app, browse):
    """Otherwise the text of the file would turn it into the secret at the next save."""
    olga = await browse()
    await olga.sign_in(OLGA)
    await olga.get("/operator/settings/file")
    mark = MARKED.findall(unescape(olga.text))[0]
    await olga.get("/operator/settings/services")
    await olga.post("/operator/settings/services", action="add", name=mark)

    assert olga.status == 409
    assert mark not in app.config.path.read_text()


async def test_removing_one_secret_and_checking_first_swaps_none(app, browse):
    """What was sent is shown again as it was sent; then it is saved, and each token is the one that it was."""
    olga = await browse()
    await olga.sign_in(OLGA)
    await olga.get("/operator/settings/file")
    vera = re.compile(r'\[\[operators\]\]\nid = "vera".*?role = "viewer"\n', re.DOTALL)
    wanted = vera.sub("", app.config.path.read_text())
    for save in ({}, {"save": "1"}):
        shown = unescape(re.search(r"<textarea[^>]*>\n(.*)</textarea>", olga.text, re.DOTALL).group(1))
        await olga.post("/operator/settings/file", text=vera.sub("", shown), **save)

    assert olga.status == 200
    assert VERA not in app.config.path.read_text()
    assert app.config.path.read_text() == wanted


async def test_a_password_in_an_address_stays_hidden_and_stays(app, browse):
    """The form of a node shows a mark, and another limit leaves the address as it is."""
    path = app.config.path
    address = "http://me:hunter22@127.0.0.1:9/"
    path.write_text(path.read_text().replace("tcp://127.0.0.1:9", address))
    olga = await browse()
    await olga.sign_in(OLGA)
    await olga.get("/operator/settings/services?service=0&node=0")
    assert "hunter22" not in olga.text
    shown = unescape(re.search(r'name="replica" value="([^"]+)"', olga.text).group(1))
    await olga.post(
        "/operator/settings/nodes",
        service="0",
        node="0",
        name="API",
        mode="poll",
        replica=shown,
        interval="30",
        retry="0",
    )

    assert olga.status == 200
    assert f'replicas = ["{address}"]' in path.read_text()
    assert "interval = 30" in path.read_text()

"""Files as they stand on real disks, and texts that try to read or run what the console may not."""

from __future__ import annotations

import pytest

from crisp_status.config.problems import ConfigError
from crisp_status.console.config_file import FileTrouble
from tests.console.browser import OLGA
from tests.console.test_secret_marks import PAGE, config_file

TEXT = f'{PAGE}[console]\nedit = true\n[server]\nreporter_token = "${{T:-reporter-token}}"\n'


@pytest.mark.parametrize(("bom", "end"), [("", "\r\n"), ("\ufeff", "\n"), ("\ufeff", "\r\n"), ("", "\n")])
def test_line_ends_and_byte_order_marks_stay(tmp_path, bom, end):
    """A file from Windows stays one, also its older version, also when it is put back."""
    raw = (bom + TEXT.replace("\n", end)).encode()
    file = config_file(tmp_path, raw.decode())
    before = file.read()
    file.save(TEXT.replace("Acme", "Other"), file.fingerprint(before))

    assert (tmp_path / "config.toml").read_bytes() == raw.replace(b"Acme", b"Other")
    assert (tmp_path / "config.toml.~1~").read_bytes() == raw
    file.undo(before)
    assert (tmp_path / "config.toml").read_bytes() == raw


def test_a_symbolic_link_stays_one(tmp_path):
    """The file that it leads to is replaced, with its older version beside it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").mkdir()
    (tmp_path / "real" / "status.toml").write_text(TEXT)
    (tmp_path / "link" / "config.toml").symlink_to(tmp_path / "real" / "status.toml")
    file = config_file(tmp_path / "link", TEXT)
    file.save(TEXT.replace("Acme", "Other"), file.fingerprint(TEXT))

    assert (tmp_path / "link" / "config.toml").is_symlink()
    assert "Other" in (tmp_path / "real" / "status.toml").read_text()
    assert [version.number for version in file.versions()] == [1]
    assert file.version(1) == TEXT


@pytest.mark.parametrize(
    "change",
    [
        ('name = "Acme"', 'name = "Acme"\ntimezone = "${file:private}"'),
        ('name = "Acme"', 'name = "${T:-reporter-token}"'),
        ('name = "Acme"', 'name = "Acme"\nbranding.icon = "../private"'),
        ('name = "Acme"', 'name = "Acme"\nbranding = {icon = "/etc/passwd"}'),
        ("[server]", "[server]\n'\\u0073tate' = 1\nstate = '/tmp'"),
    ],
)
def test_nothing_is_read_to_say_that_it_may_not_be_read(tmp_path, change):
    """A problem would quote what stands in the file, so what is locked is refused before anything is filled in."""
    (tmp_path / "private").write_text("the private line")
    file = config_file(tmp_path, TEXT)

    with pytest.raises((FileTrouble, ConfigError)) as refused:
        file.check(TEXT.replace(*change, 1))
    assert refused.type is FileTrouble
    assert "private line" not in str(refused.value)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400"])
async def test_what_is_no_number_is_said(app, browse, number):
    """These are numbers to Python, and no limits of a node."""
    olga = await browse()
    await olga.sign_in(OLGA)
    await olga.get("/operator/settings/services?service=0&node=0")
    await olga.post(
        "/operator/settings/nodes", service="0", node="0", name="API", mode="poll", replica="tcp://h:1", interval=number
    )

    assert olga.status == 400
    assert "expected a number" in olga.words


@pytest.mark.parametrize("broken", ["services = 5\n", 'page = "x"\n', "services = [1]\n", "[[services]]\nnodes = 1\n"])
async def test_a_file_that_was_broken_in_a_shell_is_not_shown_in_forms(app, browse, broken):
    """The forms say so; the file as text is there to mend it."""
    olga = await browse()
    await olga.sign_in(OLGA)
    app.config.path.write_text(broken)
    await olga.get("/operator/settings/services")
    assert olga.status == 409
    assert "Change it as text" in olga.words
    await olga.get("/operator/settings/file")

    assert olga.status == 200


async def test_odd_addresses_and_answers_of_browsers_are_no_failure(app, browse):
    """More fields than anybody sends, and JSON that is too deep."""
    olga = await browse()
    await olga.sign_in(OLGA)
    await olga.get(f"/operator/?{'a=1&' * 60}")
    assert olga.status == 200
    await olga.post("/operator/devices", subscription="[" * 100_000)

    assert olga.status == 400

"""`${…}` in the configuration."""

from __future__ import annotations

from pathlib import Path

from crisp_status.config.secrets import Expander


def expanded(
    text: str, environ: dict[str, str] | None = None, folder: Path = Path("/nowhere")
) -> tuple[str, list[str]]:
    """What a text becomes, and what was wrong."""
    expander = Expander(folder, environ or {})
    return expander.expand(text), [fault.text for fault in expander.faults]


def test_variables() -> None:
    """`${VAR}` anywhere in a text; a default for one that is unset or empty."""
    environ = {"A": "1", "EMPTY": ""}

    assert expanded("x${A}y${A}", environ) == ("x1y1", [])
    assert expanded("${B:-two}${EMPTY:-three}${A:-four}", environ) == ("twothree1", [])
    assert expanded("${EMPTY}${B:-}", environ) == ("", [])
    assert expanded("$A $(A) a{2} $", environ) == ("$A $(A) a{2} $", [])
    assert expanded("$${A}", environ) == ("${A}", [])


def test_what_is_missing_is_named() -> None:
    """A variable that is not set is an error with its name, and the nearest one that is."""
    assert expanded("${TOKN}", {"TOKEN": "x"})[1] == ['the environment variable TOKN is not set; did you mean "TOKEN"?']
    assert expanded("${A B}")[1][0].startswith("${A B} is no reference")
    assert expanded("${A")[1] == ["has a ${ without its }; for a plain ${ write $${"]


def test_a_value_is_not_expanded_again() -> None:
    """What a variable holds is taken as it is."""
    assert expanded("${A}", {"A": "${B}", "B": "x"}) == ("${B}", [])


def test_files(tmp_path) -> None:
    """The content of a file without its last line break; relative to the configuration."""
    (tmp_path / "token").write_text("abc\n\n")
    (tmp_path / "windows").write_bytes(b"abc\r\n")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "binary").write_bytes(b"\xff")

    assert expanded("${file:token}", folder=tmp_path) == ("abc\n", [])
    assert expanded(f"${{file:{tmp_path}/windows}}") == ("abc", [])
    assert "larger than 64 kB" in expanded("${file:large}", folder=tmp_path)[1][0]
    assert "not text in UTF-8" in expanded("${file:binary}", folder=tmp_path)[1][0]
    assert expanded("${file:none}", folder=tmp_path)[1] == [
        f"${{file:none}}: {tmp_path}/none cannot be read: there is no such file"
    ]


def test_credentials(tmp_path) -> None:
    """Those that systemd gives to the unit, by their plain names."""
    (tmp_path / "hook").write_text("abc")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert expanded("${credential:hook}", environ) == ("abc", [])
    assert "there is no such file" in expanded("${credential:hok}", environ)[1][0]
    assert "LoadCredential=hook:" in expanded("${credential:hook}")[1][0]
    assert "has a plain name" in expanded("${credential:../hook}", environ)[1][0]


def test_scripts_keep_their_own_variables(config) -> None:
    """In a script `${…}` is the shell's."""
    loaded = config(
        '[script]\nenabled = true\n[[services]]\nname = "A"\n[[services.nodes]]\nname = "A"\nmode = "script"\n'
        'scripts = ["echo ${HOME}", { run = "exit ${CODE:-0}", name = "x" }]\n'
    )

    assert [s.run for s in loaded.services[0].nodes[0].scripts] == ["echo ${HOME}", "exit ${CODE:-0}"]


def test_numbers_and_yes_or_no_may_come_from_variables(config, problems) -> None:
    """Variables have no types; the key has one."""
    environ = {"N": "30", "F": "2.5", "B": "TRUE"}

    loaded = config('[poll]\ninterval = "${N}"\nretry = "${N:-1}"\n[server]\nwatch = "${B}"\n', environ | {"N": "3"})

    assert (loaded.poll.interval, loaded.poll.retry, loaded.server.watch) == (3.0, 3, True)
    assert problems('[poll]\nretry = "${F}"\n', environ) == [
        "poll.retry: expected a whole number, got what ${…} stands for"
    ]

"""`${…}` in the configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from crisp_status.config.secrets import Expander
from crisp_status.config.token_value import standard_key


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
    assert expanded("${A B}")[1][0].startswith("${A B} is not a reference")
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

    assert expanded("${file:token}", folder=tmp_path) == ("abc", [])
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


TOKEN = "a-long-enough-token-1234"


@pytest.mark.parametrize(
    "stored", [TOKEN, f"{TOKEN}\n", f"{TOKEN}\r\n", f"{TOKEN}\n\n", f"\ufeff{TOKEN}\r\n"], ids=repr
)
@pytest.mark.parametrize("place", ["variable", "file", "credential"])
def test_what_stores_add_around_a_secret_is_taken_off(config, tmp_path, stored, place) -> None:
    """kubectl, echo and editors end a secret with a line break, Windows begins it with a byte order mark."""
    (tmp_path / "secret").write_bytes(stored.encode())
    reference = {"variable": "${SECRET}", "file": "${file:secret}", "credential": "${credential:secret}"}[place]
    environ = {"SECRET": stored, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    loaded = config(f'[server]\nmanager_token = "{reference}"\n', environ)

    assert loaded.server.manager_token.get_secret_value() == TOKEN


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (f'"{TOKEN}"', "in quotes of its own"),
        (f"'{TOKEN}'", "in quotes of its own"),
        (f"`{TOKEN}`", "stands in quotes of its own"),
        (f" {TOKEN}", "begins or ends with a space"),
        (f"{TOKEN}\t", "begins or ends with a space"),
        (f"{TOKEN}\nnext-line", "invisible character in it (U+000A)"),
        (f"{TOKEN[:9]}\u200b{TOKEN[9:]}", "invisible character in it (U+200B)"),
        (f"{TOKEN[:9]}\u00a0{TOKEN[9:]}", "invisible character in it (U+00A0)"),
        (f"\u201c{TOKEN}\u201d", "typographic quote"),
        (f'{{"token": "{TOKEN}"}}', "is a JSON object"),
        ("$REPORTER_TOKEN", "a reference that nobody has replaced"),
        ("{{ reporter_token }}", "a reference that nobody has replaced"),
        ("<your token here>", "a reference that nobody has replaced"),
        ("op://vault/item/field", "a reference that nobody has replaced"),
        ("vault:secret/data/status#token", "a reference that nobody has replaced"),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:x", "a reference that nobody has replaced"),
        (f"Bearer {TOKEN}", "is not part of the token"),
    ],
)
@pytest.mark.parametrize(
    "table", ["[server]\nreporter_token", "[server]\nmanager_token", "[[webhooks]]\nurl = 'https://a.example/'\nsecret"]
)
def test_a_token_that_no_client_could_send_is_refused(problems, stored, words, table) -> None:
    """With a sentence that does not show it, instead of being taken and then refusing everybody."""
    found = problems(f'{table} = "${{SECRET}}"\n', {"SECRET": stored})

    assert len(found) == 1
    assert words in found[0]
    assert TOKEN[:9] not in found[0]


@pytest.mark.parametrize(
    "token",
    ["pass phrase with spaces", "päßwörter-1234", "a:b:c:d:e:f", "$2y$10$abcdefgh", "{not json} at all", "a" * 512],
)
def test_odd_tokens_are_taken(config, token) -> None:
    """What clients can send is nobody's mistake."""
    loaded = config('[server]\nmanager_token = "${SECRET}"\n', {"SECRET": token})

    assert loaded.server.manager_token.get_secret_value() == token


@pytest.mark.parametrize(
    "secret", ["whsec_MDEyMzQ1Njc4OWFiY2RlZg==", "whsec_MDEyMzQ1Njc4OWFiY2RlZg", "whsec_-_-_MDEyMzQ1Njc4OWE="]
)
def test_signing_secrets_are_base64_of_any_kind(config, problems, secret) -> None:
    """Padded or not, in either alphabet; what is not base64 is refused at the start, not at the first outage."""
    hook = '[[webhooks]]\nurl = "https://a.example/"\nsecret = "{}"\n'
    assert config(hook.format(secret)).webhooks[0].secret.get_secret_value() == secret
    assert len(standard_key(secret)) >= 12
    assert "base64 must follow" in problems(hook.format("whsec_not base64!"))[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://status.acme.example/?x=1", "a query"),
        ("https://status.acme.example/#top", "a fragment"),
        ("https://jane:secret@status.acme.example/", "a password"),
    ],
)
def test_an_address_of_the_page_that_nothing_can_be_added_to(problems, url, words) -> None:
    """Links and feeds begin with it."""
    found = problems(f'[page]\nname = "A"\nurl = "{url}"\n')

    assert (len(found), words in found[0], "secret" in found[0]) == (1, True, False)


def test_networks_with_host_bits_are_taken_as_meant(config) -> None:
    """10.0.0.5/8 names a network well enough."""
    assert config('[server]\ntrusted_proxies = ["10.0.0.5/8"]\n').server.trusted_proxies == ("10.0.0.5/8",)

"""A file becomes a configuration, or a sentence for people."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crisp_status.config.load import load
from crisp_status.config.problems import ConfigError
from crisp_status.config.references import DELAY_DEAD
from crisp_status.config.sections import LocalSection, PollSection
from crisp_status.config.strict import Rooms
from crisp_status.config.syntax import FILE_BYTES_MAX, parse


def refused(path: Path) -> str:
    """The one line about a file that cannot be read at all."""
    with pytest.raises(ConfigError) as caught:
        load(path, Rooms(), {})
    assert len(caught.value.problems) == 1
    return str(caught.value)


def test_the_smallest_file_has_all_defaults(config) -> None:
    """A page with a name and an address is enough."""
    loaded = config()

    assert loaded.page.name == "Acme"
    assert loaded.poll.interval == 120
    assert loaded.server.listen == ("127.0.0.1:8080",)
    assert loaded.services == ()
    assert loaded.remarks == ()


def test_a_file_that_is_not_there(tmp_path) -> None:
    """The sentence says what to do."""
    file = tmp_path / "config.toml"

    assert refused(file) == f"{file}: there is no such file; `crisp-status init` writes one, -c names another"


def test_a_folder(tmp_path) -> None:
    """A folder is no file."""
    assert refused(tmp_path) == f"{tmp_path}: is a folder; expected a TOML file"


def test_a_file_that_may_not_be_read(tmp_path, request) -> None:
    """Permission is named."""
    file = tmp_path / "config.toml"
    file.write_text("")
    file.chmod(0)
    request.getfixturevalue("unprivileged")

    assert "permission denied" in refused(file)


def test_a_file_that_is_far_too_large(tmp_path) -> None:
    """Fifty megabytes are refused without being read."""
    file = tmp_path / "config.toml"
    with file.open("wb") as handle:
        handle.truncate(50 * 1024 * 1024)

    assert refused(file) == f"{file}: is larger than 16 MB, some 150,000 replicas; is it the right file?"
    assert FILE_BYTES_MAX == 16 * 1024 * 1024


def test_binary_rubbish(tmp_path) -> None:
    """Bytes that are no text are told with their place."""
    file = tmp_path / "config.toml"
    file.write_bytes(b'[page]\nname = "\xff\xfe"\n')

    assert refused(file) == f"{file}:2:9: is not text in UTF-8; save it in that encoding"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = b", "c:1:5: this is not TOML: no value that TOML knows; text needs quotes"),
        ('a = "x', "c:1:7: this is not TOML: a text does not end; a quote is missing"),
        ("a", "c:1:2: this is not TOML: expected = after the key"),
        ("[a", "c:1:3: this is not TOML: a ] is missing"),
        ("a = [1, 2\n", "c:2:1: this is not TOML: an array does not end; a ] or a comma is missing"),
        ("a = {b=1", "c:1:9: this is not TOML: an inline table does not end; a } or a comma is missing"),
        ("[a]\n[a]", "c:2:1: this is not TOML: the table [a] is there twice; write its keys together"),
        ("a = 1\n  a = 2", "c:2:3: this is not TOML: this key is there twice"),
        ("a = 1 b = 2", "c:1:7: this is not TOML: something follows where the line should end"),
        (
            'a = "\\d"',
            "c:1:8: this is not TOML: a lone \\ in a text; write \\\\, or 'single quotes' around it",
        ),
    ],
)
def test_what_is_not_toml_is_told_in_plain_words(text: str, line: str) -> None:
    """The words of the parser are for people who know grammars."""
    with pytest.raises(ConfigError) as caught:
        parse(text, "c")

    assert str(caught.value) == line


def test_the_state_folder(config, tmp_path) -> None:
    """As written, else as systemd says, else beside the file."""
    given = {"STATE_DIRECTORY": "/var/lib/crisp-status:/other"}

    assert config().state_folder == tmp_path / "state"
    assert config("", given).state_folder == Path("/var/lib/crisp-status")
    assert config('[server]\nstate = "here"\n', given).state_folder == tmp_path / "here"
    assert config('[server]\nstate = "/there"\n').state_folder == Path("/there")


def test_the_file_of_an_agent_needs_no_page(config, problems) -> None:
    """`crisp-status local` reads a file with [agent]; the daemon refuses it with the right name."""
    text = '[agent]\nendpoint = "https://status.acme.example/"\ntoken = "0123456789"\n'

    assert config(text, role="agent").agent.interval == 120
    assert problems("", role="agent") == ["agent: is missing: an agent needs [agent] with endpoint and token"]


def test_secrets_show_nowhere(config) -> None:
    """Neither `repr` nor JSON of a configuration has a token, a password or a hook address in it."""
    loaded = config(
        """
        [server]
        reporter_token = "secret-reporter"
        manager_token = "${MANAGER}"
        [[notifiers]]
        type = "slack"
        hook_url = "https://hooks.slack.com/services/secret-hook"
        [[webhooks]]
        url = "https://acme.example/secret-webhook"
        secret = "secret-of-hook"
        [[services]]
        name = "Web"
        [[services.nodes]]
        name = "A"
        replicas = ["https://jane:secret-password@acme.example/", { url = "https://:secret-too@acme.example/" }]
        [services.nodes.http]
        headers = { Authorization = "Bearer secret-header" }
        [[services.nodes]]
        name = "B"
        mode = "push"
        heartbeat = "secret-heartbeat"
    """,
        {"MANAGER": "secret-manager"},
    )

    shown = f"{loaded!r} {loaded!s} {loaded.model_dump_json()} {loaded.model_dump()} {[*loaded.services]}"

    assert "secret-" not in shown
    assert "jane:***@acme.example" in shown
    assert {
        "secret-reporter",
        "secret-manager",
        "https://hooks.slack.com/services/secret-hook",
        "https://acme.example/secret-webhook",
        "secret-of-hook",
        "secret-password",
        "secret-too",
        "Bearer secret-header",
        "secret-heartbeat",
    } <= loaded.secrets()


def test_thirty_thousand_replicas_load_in_seconds(config) -> None:
    """The largest file that is allowed is checked before anybody gets impatient."""
    nodes = ""
    for i in range(300):
        replicas = ", ".join(f'"https://h{i}-{j}.example/"' for j in range(100))
        nodes += f'[[services.nodes]]\nname = "Node {i}"\nreplicas = [{replicas}]\n'
    began = time.perf_counter()

    loaded = config(f'[[services]]\nname = "Web"\n{nodes}')

    assert sum(len(n.replicas) for n in loaded.services[0].nodes) == 30_000
    assert time.perf_counter() - began < 10


def test_a_long_chain_of_dependencies_is_no_circle(problems) -> None:
    """Five thousand nodes in a row are followed to the end; closing the ring is told once."""
    chain = '[[services]]\nname = "S"\n'
    for i in range(5000):
        on = f'depends_on = ["s/n{i + 1}"]\n' if i < 4999 else "depends_on = [LAST]\n"
        chain += f'[[services.nodes]]\nname = "n{i}"\nmode = "push"\n{on}'

    assert problems(chain.replace("LAST", "")) == []
    told = problems(chain.replace("LAST", '"s/n4998"'))
    assert told == ["services[0].nodes[4998].depends_on: goes in a circle: s/n4998 → s/n4999 → s/n4998"]


def test_defaults_of_other_checks_are_those_of_the_models() -> None:
    """What is compared with a key that is left out is its default."""
    assert PollSection().delay_dead == LocalSection().delay_dead == DELAY_DEAD


@pytest.mark.parametrize(
    "url", ["mailto:help@acme.example?subject=Help%20me", "tel:+33-1-23-45", "https://acme.example/help"]
)
def test_help_may_be_a_page_a_mailbox_or_a_number(config, url) -> None:
    """What visitors can click on to get help is taken as it is."""
    page = f'[page]\nname = "A"\nurl = "https://a.example/"\nsupport_url = "{url}"\n'

    assert config(page).page.support_url == url

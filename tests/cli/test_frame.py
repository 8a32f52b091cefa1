"""What holds for every command, and `init`, `check` and `schema`."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import jsonschema
import pytest
import tomli
from click.testing import CliRunner, Result

from crisp_status import log
from crisp_status.cli import CONFIG_PLACES, commands, find_config, main

PAGE = '[page]\nname = "Acme"\nurl = "https://status.acme.example/"\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test types in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CRISP_STATUS_CONFIG", raising=False)
    return tmp_path


def typed(*words: str) -> Result:
    """What comes of typing these words."""
    return CliRunner().invoke(commands, list(words), catch_exceptions=False)


def test_every_file_is_a_command_with_help_and_an_example() -> None:
    """`--help` of each command says what it does and shows how it is typed."""
    with click.Context(commands) as context:
        for name in commands.list_commands(context):
            answer = typed(name, "--help")

            assert answer.exit_code == 0, name
            assert "Example" in answer.output, name
            assert f"crisp-status {name}" in answer.output, name


def test_the_configuration_is_looked_for_in_four_places(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """-c, the variable, here, /etc; a named one is not searched for elsewhere."""
    if not Path(CONFIG_PLACES[1]).exists():
        answer = typed("check")
        assert answer.exit_code == 2
        assert answer.stderr.startswith("there is no configuration: neither config.toml nor /etc/")

    (here / "config.toml").write_text(PAGE)
    assert find_config() == Path("config.toml")
    monkeypatch.setenv("CRISP_STATUS_CONFIG", "/elsewhere.toml")
    assert find_config() == Path("/elsewhere.toml")
    assert find_config("given.toml") == Path("given.toml")
    assert typed("-c", "config.toml", "check").exit_code == 0
    assert typed("check", "-c", "config.toml").exit_code == 0
    assert typed("check").stderr.startswith("/elsewhere.toml: there is no such file")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["chek"], "crisp-status: there is no command chek; did you mean check? (crisp-status --help says more)"),
        (["check", "--prob"], "crisp-status check: no such option '--prob'."),
        (["look"], "crisp-status look: missing argument 'URL' (crisp-status look --help says more)"),
    ],
)
def test_a_wrong_call_is_one_line_and_exit_code_2(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is wrong, and where to read more."""
    with pytest.raises(SystemExit) as ended:
        main(words)

    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert told.startswith(line)
    assert told.count("\n") == 1


def test_check_tells_all_problems_and_ends_with_2(here: Path) -> None:
    """One line each, on stderr."""
    (here / "config.toml").write_text('[page]\nnam = "Acme"\nurl = "x"\n')

    answer = typed("check")

    assert answer.exit_code == 2
    assert answer.stdout == ""
    assert answer.stderr.splitlines() == [
        "config.toml:1:2: page.name: is missing",
        'config.toml:2:1: page.nam: unknown key; did you mean "name"?',
        'config.toml:3:1: page.url: "x" is not a URL: it needs a scheme in front, as in https://x',
    ]


def test_check_says_that_all_is_fine(here: Path) -> None:
    """And how much there is."""
    (here / "config.toml").write_text(f'{PAGE}[[services]]\nname = "A"\n')

    answer = typed("check")

    assert (answer.exit_code, answer.stdout) == (0, "config.toml is fine: 1 service, 0 nodes.\n")


def test_check_speaks_json(here: Path) -> None:
    """For scripts and editors."""
    (here / "config.toml").write_text('[page]\nname = "Acme"\n')

    answer = typed("check", "--json")

    assert answer.exit_code == 2
    assert json.loads(answer.stdout) == {
        "ok": False,
        "problems": [{"file": "config.toml", "line": 1, "column": 2, "path": "page.url", "text": "is missing"}],
    }
    (here / "config.toml").write_text(PAGE)
    assert json.loads(typed("check", "--json").stdout) == {"ok": True, "problems": [], "remarks": []}


def test_check_probe_looks_at_everything_once(here: Path) -> None:
    """A table with health, latency and reason, the dead ones last; exit code 1 when there is one."""
    with socket.create_server(("127.0.0.1", 0)) as alive, socket.create_server(("127.0.0.1", 0)) as closed:
        open_port, dead_port = alive.getsockname()[1], closed.getsockname()[1]
        closed.close()
        text = f"""{PAGE}
            [poll]
            retry = 0
            delay_dead = 5
            [script]
            enabled = true
            [[services]]
            name = "Web"
            [[services.nodes]]
            name = "Dead"
            replicas = ["tcp://127.0.0.1:{dead_port}"]
            [[services.nodes]]
            name = "Alive"
            replicas = [{{ url = "tcp://127.0.0.1:{open_port}", name = "Paris" }}]
            [[services.nodes]]
            name = "Disk"
            mode = "script"
            scripts = ["echo nearly full; exit 1"]
            [[services.nodes]]
            name = "Reports"
            mode = "push"
        """
        (here / "config.toml").write_text(text)

        answer = typed("check", "--probe")
        data = json.loads(typed("check", "--probe", "--json").stdout)

    rows = [line.split() for line in answer.stdout.splitlines()[1:]]
    assert answer.exit_code == 1
    assert rows[0] == ["NODE", "REPLICA", "HEALTH", "LATENCY", "REASON"]
    assert rows[1][:3] == ["web/alive", "Paris", "healthy"]
    assert rows[2][:4] == ["web/disk", "script", "0", "sick"]
    assert rows[2][-2:] == ["nearly", "full"]
    assert rows[3][:3] == ["web/dead", f"tcp://127.0.0.1:{dead_port}", "dead"]
    assert "refused" in answer.stdout
    assert rows[4] == ["1", "healthy,", "1", "sick,", "1", "dead."]
    assert [(look["node"], look["health"]) for look in data["looks"]] == [
        ("web/dead", "dead"),
        ("web/alive", "healthy"),
        ("web/disk", "sick"),
    ]
    assert data["ok"] is False


def test_check_probe_without_anything_to_look_at(here: Path) -> None:
    """Says so, and is fine."""
    (here / "config.toml").write_text(PAGE)

    answer = typed("check", "--probe")

    assert answer.exit_code == 0
    assert "nothing to look at" in answer.stdout


def test_init_writes_a_configuration_that_is_right(here: Path) -> None:
    """Fresh tokens each time, for its owner's eyes only."""
    first = typed("init", "--name", 'Acme "Status" ${X}', "--url", "https://status.acme.example/")
    typed("init", "other.toml")

    data = tomli.loads((here / "config.toml").read_text())
    other = tomli.loads((here / "other.toml").read_text())
    assert first.exit_code == 0
    assert typed("check").exit_code == 0
    assert typed("check", "--json").stdout.startswith('{"ok": true')
    assert data["page"]["name"] == 'Acme "Status" $${X}'
    assert stat.S_IMODE((here / "config.toml").stat().st_mode) == 0o600
    assert data["server"]["reporter_token"] != other["server"]["reporter_token"] != other["server"]["manager_token"]


def test_what_init_leaves_off_can_be_turned_on(here: Path) -> None:
    """Its examples are right, too."""
    typed("init")
    text = (here / "config.toml").read_text()
    lines = [
        line.removeprefix("# ") if line.startswith(("# [[", "# ")) and ("=" in line or "[[" in line) else line
        for line in text.splitlines()
        if "logo" not in line
    ]
    (here / "config.toml").write_text("\n".join(lines))

    answer = typed("check")

    assert answer.stderr == ""
    assert "2 nodes" in answer.stdout
    assert "1 notifier" in answer.stdout


def test_init_never_overwrites(here: Path) -> None:
    """What is there stays as it is."""
    (here / "config.toml").write_text("precious")

    answer = typed("init")

    assert answer.exit_code == 2
    assert answer.stderr == "config.toml is there already and stays as it is; name another file to write to\n"
    assert (here / "config.toml").read_text() == "precious"
    assert typed("init", "no/such/folder.toml").exit_code == 2
    assert typed("init", "x.toml", "--url", "acme").exit_code == 2
    assert not (here / "x.toml").exists()


def test_init_replaces_the_configuration_of_the_package_until_somebody_changes_it(here: Path) -> None:
    """The package's own file may be replaced, keeping who may read it; after an edit it is somebody's, and stays."""
    file = here / "config.toml"
    typed("init", "config.toml", "--placeholder")
    file.chmod(0o640)
    first = file.read_text()

    answer = typed("init", "config.toml", "--name", "Acme")

    assert answer.exit_code == 0
    assert answer.stdout.startswith("config.toml is written, with fresh tokens; whoever could read the one before it")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert tomli.loads(file.read_text())["page"]["name"] == "Acme"
    assert [path.name for path in here.iterdir()] == ["config.toml"]
    assert typed("init", "config.toml").exit_code == 2, "what init wrote for somebody is theirs"

    for edited in (first + " ", first.replace("8080", "8081"), first.replace("\n", "\r\n"), first[1:], ""):
        file.write_text(edited, newline="")
        assert typed("init", "config.toml").exit_code == 2
        assert file.read_bytes() == edited.encode()


def test_init_writes_what_run_reads(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With $CRISP_STATUS_CONFIG, as in the image, that is the file, and no -c is needed afterwards."""
    monkeypatch.setenv("CRISP_STATUS_CONFIG", str(here / "elsewhere.toml"))

    answer = typed("init")

    assert answer.stdout.endswith("Next: edit it, then crisp-status check, then crisp-status run.\n")
    assert typed("check").exit_code == 0
    assert [path.name for path in here.iterdir()] == ["elsewhere.toml"]


def test_init_may_let_the_page_have_its_own_certificate(here: Path) -> None:
    """With --https it listens on 80 and 443, also for IPv6 where there is one; without, it waits behind a proxy."""
    typed("init", "own.toml", "--https", "--url", "https://status.acme.example/")
    typed("init", "proxy.toml", "--url", "https://status.acme.example/")

    own, proxy = (tomli.loads((here / name).read_text()) for name in ("own.toml", "proxy.toml"))
    assert own["server"]["listen"][0] == "0.0.0.0:80"
    assert "0.0.0.0:443" in own["server"]["listen"]
    assert ("[::]:443" in own["server"]["listen"]) == socket.has_dualstack_ipv6()
    assert own["tls"] == {}
    assert proxy["server"]["listen"] == ["127.0.0.1:8080"]
    assert "tls" not in proxy
    assert typed("check", "-c", "own.toml").exit_code == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_values(shell: str) -> None:
    """The script asks us with the variable that we listen to, and gets our words."""
    script = typed("completion", shell).stdout
    variable = next(word for word in re.split(r"[\s;(]", script) if word.endswith(f"={shell}_complete"))
    ask = {variable.partition("=")[0]: f"{shell}_complete"}

    for words, found in (
        ("crisp-status rep", "report"),
        ("crisp-status run --scr", "--scripts"),
        ("crisp-status completion f", "fish"),
    ):
        environ = ask | {
            "COMP_WORDS": words,
            "COMP_CWORD": words.split()[-1] if shell == "fish" else str(words.count(" ")),
        }
        answer = subprocess.run(
            [sys.executable, "-m", "crisp_status"], env=environ, capture_output=True, text=True, check=True
        )
        assert found in re.split(r"[\s,]", answer.stdout), answer


def test_schema_prints_json_schema() -> None:
    """Valid, and about our keys."""
    answer = typed("schema")

    schema = json.loads(answer.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "services" in schema["properties"]


def test_the_program_starts_quickly_and_without_a_terminal() -> None:
    """`--version` needs neither pydantic nor aiohttp; a closed pipe is no traceback."""
    code = "import sys; sys.argv = ['x', '--version']\nfrom crisp_status.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    code += "print(sorted({'pydantic', 'aiohttp', 'structlog'} & set(sys.modules)))"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=True, timeout=30
    )

    assert run.stdout.splitlines()[0].startswith("crisp-status ")
    assert run.stdout.splitlines()[1] == "[]"


def test_a_broken_own_template_is_told_by_check(tmp_path):
    """The operator's own templates are read before visitors see them: file, line and what is wrong, exit code 2."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "home.html").write_text("{% if x %}")
    (tmp_path / "c.toml").write_text('[page]\nname = "A"\nurl = "http://a.example/"\ntemplates = "own"\n')
    done = CliRunner().invoke(commands, ["check", "-c", str(tmp_path / "c.toml")])

    assert done.exit_code == 2
    assert "home.html:1:" in done.output


def test_a_bare_call_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown as it is, and the call is wrong."""
    with pytest.raises(SystemExit) as caught:
        main([])

    said = capsys.readouterr().err
    assert caught.value.code == 2
    assert said.startswith("Usage: crisp-status")
    assert {"status", "check", "run"} <= {line.split()[0] for line in said.splitlines() if line.startswith("  ")}
    assert "…" not in said
    assert "..." not in said.partition("Commands:")[2]


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
def test_check_as_the_user_of_the_daemon() -> None:
    """Root reads everything; the daemon may not. A logo in a private folder is found when it is checked as that user."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "private").mkdir(mode=0o700)
        (folder / "private" / "logo.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
        file = folder / "config.toml"
        file.write_text(PAGE + '[page.branding]\nheader_logo = "private/logo.svg"\n')
        file.chmod(0o644)

        def check(*more: str) -> subprocess.CompletedProcess[str]:
            line = [sys.executable, "-m", "crisp_status", "check", "-c", str(file), *more]
            return subprocess.run(line, capture_output=True, text=True, check=False, env=dict(os.environ))

        as_it_is, as_other = check(), check("--user", "nobody")
        unknown = check("--user", "no-such-user")
        (folder / "private").chmod(0o755)
        readable = check("--user", "nobody")
        (folder / "state").mkdir(mode=0o700)
        locked = check("--user", "nobody")
        shutil.chown(folder / "state", "nobody")
        hinted = check()

    assert as_it_is.returncode == 0
    assert hinted.stderr.endswith("as the daemon: crisp-status check --user nobody\n")
    assert as_other.returncode == 2
    assert "page.branding.header_logo" in as_other.stderr
    assert "ermission denied" in as_other.stderr
    assert (unknown.returncode, unknown.stderr) == (2, "there is no user no-such-user on this machine\n")
    assert (readable.returncode, readable.stderr) == (0, "")
    assert (locked.returncode, "cannot write to the state folder" in locked.stderr) == (2, True)


@pytest.mark.parametrize(("variable", "coloured"), [("", True), ("1", False)])
def test_no_color_is_respected(here: Path, monkeypatch: pytest.MonkeyPatch, variable: str, coloured: bool) -> None:
    """$NO_COLOR with anything in it takes all colours out, of commands and of the log."""
    monkeypatch.setenv("NO_COLOR", variable)
    config = PAGE + '[poll]\nretry = 0\ndelay_dead = 1\ndelay_sick = 1\n[[services]]\nname = "S"\n'
    (here / "config.toml").write_text(config + '[[services.nodes]]\nname = "N"\nreplicas = ["tcp://127.0.0.1:1"]\n')
    answer = CliRunner().invoke(commands, ["check", "--probe"], color=True)

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    log.configure(stream=terminal, style="human")
    log.get().warning("something")

    assert answer.exit_code == 1
    assert ("\x1b[" in answer.output, "\x1b[" in terminal.getvalue()) == (coloured, coloured)

"""The documentation is complete: what can be written, asked and typed is explained, and every link leads somewhere."""

import ast
import re
import textwrap
import typing

import click
import pytest
import tomli
import tomli_w

from benchmarks.__main__ import MEASURES
from crisp_status import kinds
from crisp_status.cli import commands as group
from crisp_status.config.load import load
from crisp_status.config.root import Config
from crisp_status.config.strict import Strict
from tests import house
from tests.daemon import daemon, get

PAGES = {name: text for name, text in house.texts().items() if name.startswith("docs/") and name.endswith(".md")}
ALL = "\n".join(PAGES.values())
HEADINGS = [line.lstrip("#").strip().lower() for line in ALL.splitlines() if line.startswith("#")]

NOT_DOORS = {"/", "/dev/null"}
"""Paths in the code that nobody asks for."""


def models(annotation):
    """Every configuration model inside a type."""
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        yield annotation
    for part in typing.get_args(annotation):
        yield from models(part)


def fields(model, above=""):
    """Every key of a configuration model, with the table it stands in."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue  # filled in by the program
        yield above, field.alias or name
        for inner in models(field.annotation):
            yield from fields(inner, f"{above}.{name}".lstrip("."))


def every_key():
    """Every key that the file may have, those of kinds included."""
    yield from fields(Config)
    for room, found in (("probes", kinds.probes()), ("channels", kinds.channels())):
        for name, kind in found.items():
            yield from ((f"{room}/{name}", key) for _, key in fields(kind.Options))


def doors():
    """Every path pattern that the code registers, with its arguments as `{}`."""
    for name, tree in house.modules().items():
        if not name.startswith(
            ("crisp_status/api/", "crisp_status/http/", "crisp_status/formats/", "crisp_status/reports/")
        ):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in {
                "add",
                "Route",
            }:
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                for value in given:
                    if isinstance(value, ast.Constant) and re.fullmatch(r"/[\w.{}/-]*", str(value.value)):
                        yield re.sub(r"\{\w*\}", "{}", value.value)


def commands():
    """Every command: a file in cli/ is one."""
    files = (house.PACKAGE / "cli").glob("*.py")
    return sorted(path.stem.replace("_", "-") for path in files if not path.stem.startswith("_"))


def explained(key):
    """Whether the documentation has the key in code: alone, in the name of a table, or with a value."""
    word = re.escape(key)
    return re.search(rf"`(\[+[\w.]*)?{word}(\]+)?`|\b{word} = ", ALL) is not None


def complain(problems):
    """Fail with everything that is missing, one a line."""
    assert not problems, "\n" + "\n".join(sorted(set(problems)))


def test_the_example_loads_and_watches_itself():
    """config.example.toml is right as it stands, and looks over HTTP, TCP and ICMP."""
    config = load(house.ROOT / "config.example.toml", kinds.rooms(), environ={})

    text = repr(config.services)
    assert all(f"{scheme}://" in text for scheme in ("http", "tcp", "icmp"))


def test_the_example_shows_every_key():
    """Each key of the configuration stands in config.example.toml, perhaps as a comment."""
    text = house.texts()["config.example.toml"]
    complain(
        [
            f"config.example.toml: {where}: show `{key}`"
            for where, key in every_key()
            if not re.search(rf"(^|[\s{{,\[.#]){re.escape(key)}(\s*=|[\].]|\s*$)", text, re.MULTILINE)
        ]
    )


def test_the_commented_keys_of_the_example_are_toml():
    """A commented key can be used by taking the `#` away: what stands there is valid TOML."""
    for line in house.texts()["config.example.toml"].splitlines():
        if re.match(r"#\s?[a-z_]+ = ", line):
            tomli.loads(line.removeprefix("#").strip())


def test_every_key_is_documented():
    """Each key of the configuration is explained in docs/."""
    complain([f"docs: {where}: explain `{key}`" for where, key in every_key() if not explained(key)])


def test_every_door_is_documented():
    """Each path that can be asked over HTTP is explained in docs/."""
    text = re.sub(r"\{[^{}\s]*\}", "{}", ALL)
    complain([f"docs: explain {door}" for door in doors() if door not in NOT_DOORS and door not in text])


async def test_every_metric_is_documented_and_none_is_invented(tmp_path):
    """docs/api.md has exactly the names that Prometheus is given."""
    async with daemon(
        tmp_path, '[metrics]\nenabled = true\n[[services]]\nname = "S"\nnodes = [{name = "N", mode = "push"}]\n'
    ) as app:
        _, text = await get(app, "/metrics", Authorization="Bearer manager-token")

    assert set(re.findall(r"^# TYPE (\w+)", text, re.MULTILINE)) == set(
        re.findall(r"crisp_status_\w+", PAGES["docs/api.md"])
    )


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command):
    """Each command is shown as it is typed."""
    assert f"crisp-status {command}" in ALL


def test_no_command_is_invented():
    """What the documentation types, there is."""
    typed = set(re.findall(r"(?:^|[`/])crisp-status (?:-\S+ )*([a-z][\w-]*)", ALL, re.MULTILINE))
    assert typed <= set(commands())


TOML = [
    pytest.param(block, id=f"{name.removeprefix('docs/')}-{number}")
    for name, text in sorted(PAGES.items())
    for number, block in enumerate(re.findall(r"^ *```toml\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE))
]
"""Every piece of configuration that a reader may copy."""

NOT_OURS = "[report]"
"""What stands in the file of another program."""

BEGIN = {
    "[services.nodes.": '[[services]]\nname = "S"\n[[services.nodes]]\nname = "N"\nreplicas = ["https://a.example/"]\n',
    "[[services.nodes]]": '[[services]]\nname = "S"\n',
    "smtp_": '[[notifiers]]\ntype = "email"\nto = ["ops@acme.example"]\nfrom = "status@acme.example"\n',
}
"""What stands before a piece that begins inside a table."""

SECRET = "example-secret-0123456789"
VALUES = {
    "HEARTBEAT_URL": "https://hc-ping.com/a-secret-path",
    "SLACK_HOOK": "https://hooks.slack.com/services/T000/B000/XXXX",
    "PUSHOVER_TOKEN": "a" * 30,
}


def whole(block):
    """A piece of configuration, made into a file that could be used: what it leaves to others is filled in."""
    block = textwrap.dedent(block).replace('"…"', f'"{SECRET}"')
    begin = re.sub(r"^(#.*)?\n", "", block, flags=re.MULTILINE)
    data = tomli.loads(next((words for start, words in BEGIN.items() if begin.startswith(start)), "") + block)
    if "agent" in data:
        return data
    data["page"] = {"name": "P", "url": "https://status.acme.example/"} | data.get("page", {})
    services = data.setdefault("services", [{"name": "S", "nodes": [{"name": "N", "replicas": ["tcp://a.example:1"]}]}])
    for notifier in data.get("notifiers", ()):
        services += [{"name": name, "nodes": [{"name": "N", "mode": "push"}]} for name in notifier.get("services", ())]
    return data


@pytest.mark.parametrize("block", TOML)
def test_what_can_be_copied_passes_check(block, tmp_path):
    """Each piece of TOML in docs/ is right, when what it refers to is there."""
    if block.lstrip().startswith(NOT_OURS):
        return
    data = whole(block)
    path = tmp_path / "config.toml"
    path.write_text(tomli_w.dumps(data), "utf-8")
    for name in re.findall(r'"(branding/[\w.-]+)"', block):
        (tmp_path / "branding").mkdir(exist_ok=True)
        (tmp_path / name).write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>')
    for name in re.findall(r"\$\{credential:(\w+)\}", block):
        (tmp_path / name).write_text(SECRET)
    environ = {name: VALUES.get(name, SECRET) for name in re.findall(r"\$\{(\w+)\}", block)}

    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    load(path, kinds.rooms(), environ=environ, role="agent" if "agent" in data else "page")


def typed():
    """Every command line of the documentation: its page, and the words behind `crisp-status`."""
    for name, text in house.texts().items():
        if name.endswith((".md", ".service")):
            lines = re.findall(r"(?:^|[`/;&] ?)crisp-status ([a-z][\w-]*(?: [^`\n#;&|]*)?)", text, re.MULTILINE)
            yield from ((name, line.split()) for line in lines)


def test_no_option_is_invented():
    """Each option stands behind a command that has it."""
    problems = []
    for name, (verb, *rest) in typed():
        command = group.get_command(None, verb)
        if command is not None and rest and isinstance(command, click.Group):
            command = command.get_command(None, rest[0])
        known = {opt for param in (command.params if command else ()) for opt in param.opts} | {"--help"}
        problems += [
            f"{name}: crisp-status {verb} has no {word}"
            for word in rest
            if command is not None and re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in known
        ]
    complain(problems)


def runs(module):
    """Whether a dotted name can stand behind `python -m`."""
    path = house.ROOT / module.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def test_what_is_named_is_there():
    """Each `make` verb, each file of this repository and each module behind `python -m` that a page or the code names."""
    verbs = set(re.findall(r"^([a-z-]+):", house.texts()["Makefile"], re.MULTILINE))
    problems = []
    for name, text in house.texts().items():
        if name.endswith(".md"):
            made = re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
            problems += [f"{name}: there is no make {verb}" for verb in made if verb not in verbs]
        if name.endswith(".md") or name.startswith("crisp_status/"):
            files = re.findall(r"\b((?:packaging|tests|benchmarks|crisp_status|templates)/[\w./-]*\w)", text)
            problems += [f"{name}: there is no {file}" for file in files if not (house.ROOT / file).exists()]
        if name.endswith((".md", ".py")):
            run = re.findall(r"python -m ((?:tests|benchmarks|crisp_status)(?:\.\w+)*)", text)
            problems += [f"{name}: there is no python -m {module}" for module in run if not runs(module)]
            alone = re.findall(r"(?:-m benchmarks |B=\"|`)--only ([a-z]+)", text)
            problems += [f"{name}: there is no measure {measure}" for measure in alone if measure not in MEASURES]
    complain(problems)


@pytest.mark.parametrize("kind", [*kinds.probes(), *kinds.channels(), *kinds.reports()])
def test_every_kind_has_a_heading(kind):
    """Each way to look, to be told and to tell has its own section."""
    assert any(re.search(rf"\b{kind}\b", heading) for heading in HEADINGS), f"docs: give `{kind}` a heading"


def test_links_lead_somewhere():
    """Every link between files of this repository names one that is there, and a heading that is in it."""
    problems = []
    for name, text in house.texts().items():
        if not name.endswith(".md"):
            continue
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            found = (house.ROOT / name).parent / path if path else house.ROOT / name
            if not found.exists():
                problems.append(f"{name}: {target} leads nowhere")
            elif anchor and anchor not in anchors(found.read_text("utf-8")):
                problems.append(f"{name}: {target}: there is no such heading")
    complain(problems)


def anchors(text):
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

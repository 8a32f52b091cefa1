"""Every file in a plug room is a kind and keeps the contract of its room. Adding a file is enough to be tested here."""

import inspect
import subprocess
import sys
import types
from collections.abc import Mapping
from typing import Any

import grimp
import pytest
from pydantic import SecretStr

from crisp_status import kinds
from crisp_status.config.client_files import FILES
from crisp_status.config.strict import NotifierOptions, Strict
from tests import house

ROOMS: dict[str, Mapping[str, Any]] = {
    "probes": kinds.probes(),
    "channels": kinds.channels(),
    "reports": kinds.reports(),
    "importers": kinds.importers(),
}
KINDS = [(room, name) for room, found in ROOMS.items() for name in found]


@pytest.fixture(scope="module")
def graph():
    """Who imports whom."""
    return grimp.build_graph("crisp_status", cache_dir=None)


@pytest.mark.parametrize("room", ROOMS)
def test_the_files_of_a_room_are_its_kinds(room):
    """Every file without an underscore is a kind, under its own name, and nothing else is."""
    files = {path.stem for path in (house.PACKAGE / room).glob("*.py") if not path.stem.startswith("_")}

    assert files == set(ROOMS[room])
    assert files


@pytest.mark.parametrize(("room", "name"), KINDS)
def test_a_kind_says_what_it_is(room, name):
    """The first line of a kind is a sentence for people."""
    assert len(inspect.getdoc(ROOMS[room][name]).splitlines()[0]) > 20


@pytest.mark.parametrize("name", ROOMS["probes"])
def test_a_probe_keeps_its_contract(name):
    """A probe has schemes, strict options that all have defaults, and one coroutine of target and options."""
    kind = ROOMS["probes"][name]

    assert kind.SCHEMES or name == "script", "only the mode `script` needs no address"
    assert all(scheme == scheme.lower() and scheme.replace("+", "").isalnum() for scheme in kind.SCHEMES)
    assert issubclass(kind.Options, Strict)
    assert kind.Options() is not None
    assert inspect.iscoroutinefunction(kind.probe)
    assert list(inspect.signature(kind.probe).parameters) == ["target", "options"]


@pytest.mark.parametrize("name", ROOMS["channels"])
def test_a_channel_keeps_its_contract(name):
    """A channel has strict options with the common keys, and one coroutine of what to tell, options and HTTP."""
    kind = ROOMS["channels"][name]

    assert issubclass(kind.Options, NotifierOptions if name != "webhook" else Strict)
    assert inspect.iscoroutinefunction(kind.send)
    assert list(inspect.signature(kind.send).parameters)[1:] == ["options", "http"]


CONTRACTS = {
    "probes": "ProbeKind[{0}.Options]",
    "channels": "ChannelKind[Notice, {0}.Options]",
    "reports": "Dialect",
    "importers": "ImporterKind",
}
PERHAPS = {
    "probes": {"LIMIT": "Limited", "check": "ChecksAddress"},
    "channels": {"acknowledged": "EndsRepeats"},
}
"""Parts of a contract that a kind may have."""


def test_every_kind_has_the_types_of_its_contract(tmp_path):
    """mypy compares each kind with the Protocol of its room: every name that is in it, every argument, every result."""
    lines = ["from crisp_status.core.notice import Notice"]
    for room, name in KINDS:
        contracts = [CONTRACTS[room]]
        contracts += [contract for part, contract in PERHAPS.get(room, {}).items() if hasattr(ROOMS[room][name], part)]
        if (room, name) == ("channels", "webhook"):  # the copy for machines is the one kind that sends no notice
            contracts[0] = contracts[0].replace("Notice", "{0}.Hook")
        kind = f"{room}_{name}"
        lines.append(f"from crisp_status.{room} import {name} as {kind}")
        for contract in contracts:
            lines.append(f"from crisp_status.{room} import {contract.partition('[')[0]}")
            lines.append(f"_{len(lines)}: {contract.format(kind)} = {kind}")
    claims = tmp_path / "claims.py"
    claims.write_text("\n".join(lines))
    mypy = [sys.executable, "-m", "mypy", claims]
    run = subprocess.run(mypy, capture_output=True, text=True, check=False, cwd=house.ROOT)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", ROOMS["reports"])
def test_a_dialect_keeps_its_contract(name):
    """A dialect has routes, and no two dialects claim one door."""
    routes = ROOMS["reports"][name].routes()

    assert routes
    others = [route for other, kind in ROOMS["reports"].items() if other != name for route in kind.routes()]
    doors = {(route.method, route.path) for route in routes}
    assert doors.isdisjoint({(route.method, route.path) for route in others})


@pytest.mark.parametrize(("room", "name"), [case for case in KINDS if case[0] in {"probes", "channels"}])
def test_every_option_is_explained(room, name):
    """Each option has a docstring or a description, and what sounds secret is a SecretStr that never prints."""
    options = ROOMS[room][name].Options
    unexplained = [
        field
        for field in options.model_fields
        if field not in NotifierOptions.model_fields
        if not options.model_fields[field].description and not explained(options, field)
    ]

    assert unexplained == []
    for field, info in options.model_fields.items():
        if field.endswith(("password", "secret", "token", "_key")) and field not in FILES:
            assert "SecretStr" in str(info.annotation), f"{field} of {room}/{name} must be a {SecretStr.__name__}"


def explained(options, field):
    """Whether a docstring follows the field in the source of the model or of one it inherits from."""
    for model in options.__mro__:
        if field in inspect.get_annotations(model):
            lines = iter(inspect.getsource(model).splitlines())
            after = next((next(lines, "") for line in lines if line.strip().startswith(f"{field}:")), "")
            return '"""' in after or "#" in after or after.strip() not in {"", ")"}
    return False


@pytest.mark.parametrize(("room", "name"), KINDS)
def test_kinds_do_not_know_each_other(graph, room, name):
    """Nothing in a plug room imports a kind of it: what kinds share stands in files that start with "_"."""
    importers = graph.find_modules_that_directly_import(f"crisp_status.{room}.{name}")

    assert {importer for importer in importers if importer.startswith(f"crisp_status.{room}")} == set()


def test_each_scheme_has_one_owner():
    """The table of schemes is complete and says who answers."""
    owner = kinds.scheme_owner()

    assert {"http": "http", "https": "http", "tcp": "tcp", "icmp": "icmp", "ssh": "ssh"}.items() <= owner.items()
    assert set(owner.values()) == set(ROOMS["probes"]) - {"script"}


def test_two_claims_to_one_scheme_are_an_error():
    """Two files that claim one scheme are named, both of them."""
    first, second = types.SimpleNamespace(SCHEMES=("x", "tcp")), types.SimpleNamespace(SCHEMES=("tcp",))

    with pytest.raises(kinds.KindError, match=r"probes/a.py and probes/b.py both claim tcp://; one must let go"):
        kinds.owners({"a": first, "b": second})


def test_a_name_nobody_has_is_a_key_error():
    """An unknown kind, a shared file and a path are no kinds."""
    for name in ("carrier_pigeon", "__init__", "_look", "../probes", ""):
        with pytest.raises(KeyError):
            kinds.probes()[name]


def test_the_configuration_knows_every_kind():
    """What the configuration is given covers every kind, by name and by scheme."""
    rooms = kinds.rooms()

    assert set(rooms.probes) == set(ROOMS["probes"])
    assert set(rooms.channels) == set(ROOMS["channels"])
    assert set(rooms.schemes.values()) <= set(rooms.probes)
    assert rooms.probes["tcp"] is ROOMS["probes"]["tcp"].Options


def test_names_are_known_without_importing():
    """Listing the kinds imports none of them, so that a command that needs none stays fast."""
    code = (
        "import sys; from crisp_status import kinds; list(kinds.channels()), list(kinds.probes());"
        "print([name for name in sys.modules if name.startswith(('crisp_status.c', 'crisp_status.p', 'aiohttp'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=house.ROOT)

    assert run.stdout.strip() == "[]"

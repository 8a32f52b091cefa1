"""What is given away works: the wheel is whole, and the units are understood and lock the daemon in."""

import configparser
import re
import shutil
import subprocess
import sys
import zipfile

import click
import pytest

from crisp_status.cli import commands
from tests import house

PACKAGING = house.ROOT / "packaging"
SERVICES = sorted(path.name for path in PACKAGING.glob("*.service"))
UNITS = sorted([*SERVICES, *(path.name for path in PACKAGING.glob("*.socket"))])

DROP_INS = ["console-settings.conf", "one-file.conf"]

EXPOSURE_MAX = 2.0
"""What systemd calls OK; a service without any hardening has 9.6."""

TEMPLATES = {name for name in house.texts() if name.startswith("templates/")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the source distribution, as an installer would have it from the registry."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, house.ROOT]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


def unit(name):
    """A unit file, its keys as systemd reads them: several of one name are several values."""
    parser = configparser.RawConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    parser.optionxform = str
    parser.read_string((PACKAGING / name).read_text("utf-8"))
    return parser


def analyze(*arguments):
    """Run systemd-analyze; skip where there is none."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine: apt install systemd")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def test_the_wheel_has_the_templates(wheel):
    """Everything in templates/ is in the wheel, inside the package, byte for byte."""
    assert TEMPLATES
    for name in TEMPLATES:
        assert wheel.read(f"crisp_status/{name}").decode() == house.texts()[name]


def test_the_wheel_has_every_module_and_nothing_else(wheel):
    """The wheel has the package, its types, its license, and no test."""
    names = set(wheel.namelist())

    assert {name for name in house.modules() if name.startswith("crisp_status/")} <= names
    assert "crisp_status/py.typed" in names
    assert any(name.endswith("/licenses/LICENSE") for name in names)
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"crisp_status"}


def test_the_wheel_offers_the_command(wheel):
    """Installing it gives `crisp-status`, the same as `python -m crisp_status`."""
    points = next(name for name in wheel.namelist() if name.endswith("entry_points.txt"))

    assert wheel.read(points).decode().split() == ["[console_scripts]", "crisp-status", "=", "crisp_status.cli:main"]


def test_the_wheel_runs_where_no_checkout_is(wheel, tmp_path):
    """Unpacked elsewhere, it imports and finds its templates there."""
    wheel.extractall(tmp_path)
    code = (
        "import crisp_status, pathlib; folder = pathlib.Path(crisp_status.__file__).parent;"
        "print(folder, (folder / 'templates').is_dir())"
    )
    run = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert run.stdout.split() == [str(tmp_path / "crisp_status"), "True"]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_understood(name, tmp_path):
    """systemd reads the unit without a warning, but for the program, which is not installed here."""
    for other in UNITS:
        text = (PACKAGING / other).read_text("utf-8")
        (tmp_path / other).write_text(re.sub(r"/opt/crisp-status/bin/crisp-status", "/bin/true", text))
    run = analyze("verify", str(tmp_path / name))

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("name", DROP_INS)
def test_a_drop_in_is_understood(name, tmp_path):
    """systemd reads the unit with the drop-in without a warning."""
    for file, path in (("crisp-status.service", "."), (name, "crisp-status.service.d")):
        text = re.sub(r"/\S+/bin/crisp-status", "/bin/true", (PACKAGING / file).read_text("utf-8"))
        (tmp_path / path).mkdir(exist_ok=True)
        (tmp_path / path / file).write_text(text)
    run = analyze("verify", str(tmp_path / "crisp-status.service"))

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("name", ["postinst", "postrm", "prerm"])
def test_scripts_of_the_debian_package_are_shell(name):
    """Debian's shell reads them, and they end at the first failure that is not expected."""
    script = PACKAGING / "debian" / name

    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
    assert "\nset -e\n" in script.read_text()


def test_every_command_has_a_man_page(tmp_path):
    """Made from its help: the name, how it is typed, every option; nothing that roff would take for a request."""
    subprocess.run([sys.executable, PACKAGING / "manual.py", tmp_path], check=True)
    found = {path.stem: path.read_text() for path in tmp_path.iterdir()}

    with click.Context(commands) as context:
        assert {f"crisp-status-{name}" for name in commands.list_commands(context)} < set(found)
    assert "\\-\\-scripts" in found["crisp-status-run"]
    for name, text in found.items():
        requests = {line.split()[0] for line in text.splitlines() if line.startswith((".", "'"))}
        assert requests <= {".TH", ".SH", ".B", ".BR", ".I", ".TP", ".PP", ".nf", ".fi"}, name
        assert ".SH SYNOPSIS\n.B crisp\\-status" in text


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_in(name):
    """The exposure that systemd computes is at most 2.0 of 10."""
    run = analyze("security", "--offline=true", "--no-pager", str(PACKAGING / name))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", run.stdout)

    assert found, run.stdout + run.stderr
    assert float(found[1]) <= EXPOSURE_MAX


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_works_on_debian_12_and_13(name):
    """No directive that systemd 252 does not know, and a reload that 252 and 257 both understand."""
    service = unit(name)["Service"]

    assert service["Type"] == "notify"
    assert service["ExecReload"] in {
        "/bin/kill -HUP $MAINPID",
        "/opt/crisp-status/bin/crisp-status reload -c /etc/crisp-status/config.toml --pid $MAINPID",
    }
    assert {"ImportCredential", "PrivatePIDs", "ProtectControlGroupsEx"}.isdisjoint(service)


@pytest.mark.parametrize("name", SERVICES)
def test_a_wrong_configuration_is_not_tried_for_ever(name):
    """Exit code 2 (DESIGN section 3) ends it; everything else, a missed watchdog too, starts it again."""
    service = unit(name)["Service"]

    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("always", "2")
    assert int(service["WatchdogSec"]) >= 30


@pytest.mark.parametrize("name", SERVICES)
def test_pings_are_allowed(name):
    """Raw ICMP needs the capability twice, and the address families that it is sent over; the page may have port 443."""
    service = unit(name)["Service"]
    more = ["CAP_NET_BIND_SERVICE"] if name == "crisp-status.service" else []

    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == " ".join(["CAP_NET_RAW", *more])
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} == set(service["RestrictAddressFamilies"].split())
    assert "PrivateUsers" not in service, "inside a user namespace the capability is worth nothing"


def test_the_sockets_fit_the_daemon():
    """The socket unit opens what `listen = ["systemd"]` takes: listening stream sockets."""
    socket = unit("crisp-status.socket")["Socket"]

    assert socket["Accept"] == "no"
    assert "ListenStream" in socket
    assert "ListenDatagram" not in socket

"""Make the Debian package around a frozen folder: the files, where they go, and what dpkg-deb wants to know."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from email.utils import formatdate
from pathlib import Path

import manual

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
SCRIPTS = PACKAGING / "debian"

MAINTAINER = "The crisp-status authors <crisp-status@localhost>"

COMMAND_IN_UNITS = "/opt/crisp-status/bin/crisp-status"
COMMAND = "/usr/bin/crisp-status"

COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/crisp-status",
    "zsh": "usr/share/zsh/vendor-completions/_crisp-status",
    "fish": "usr/share/fish/vendor_completions.d/crisp-status.fish",
}

CONTROL = """\
Package: crisp-status
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: libc6 (>= {glibc}), systemd | systemd-standalone-sysusers | systemd-sysusers, init-system-helpers (>= 1.54~), ca-certificates
Recommends: tzdata
Suggests: bash-completion, fonts-dejavu-core
Section: net
Priority: optional
Description: status page that watches your services and tells people
 One process and one file of configuration: it looks at services over HTTP,
 TCP, ICMP, SSH and DNS, takes reports from applications, shows a public page
 with its history, and tells the team over e-mail, Slack, push and more.
 .
 It brings its own Python. After the installation a first page is on port 8080
 of this machine; crisp-status(1) says how to make it yours.
"""

CHANGELOG = """\
crisp-status ({version}) stable; urgency=medium

  * What is new is in CHANGELOG.md beside this file.

 -- {maintainer}  {date}
"""

COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: crisp-status
Comment: What else is inside, and under which licences, is in licences.txt.gz beside this file.

Files: *
Copyright: 2026 The crisp-status authors
License: Expat
{text}
"""


def build(frozen: Path, licences: Path, version: str, target: Path) -> Path:
    """The package in `target`; needs dpkg-deb."""
    if shutil.which("dpkg-deb") is None:
        sys.exit("the Debian package needs dpkg-deb, which every Debian has: apt install dpkg")
    architecture = _asked("dpkg", "--print-architecture")
    with tempfile.TemporaryDirectory(prefix="crisp-status-deb-") as folder:
        tree = Path(folder)
        tree.chmod(0o755)
        _files(tree, frozen)
        _documents(tree, licences, version)
        _control(tree, version, architecture, frozen)
        package = target / f"crisp-status_{version}_{architecture}.deb"
        _asked("dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(package))
    return package


def _files(tree: Path, frozen: Path) -> None:
    """The program, its units and its user."""
    shutil.copytree(frozen, tree / "usr/lib/crisp-status", symlinks=True)
    for path in (tree / "usr/lib/crisp-status").rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.name == "crisp-status" else 0o644)
    link = tree / COMMAND.removeprefix("/")
    link.parent.mkdir()
    link.symlink_to("../lib/crisp-status/crisp-status")
    units = tree / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    for path in (*PACKAGING.glob("*.service"), *PACKAGING.glob("*.socket")):
        text = path.read_text("utf-8").replace(COMMAND_IN_UNITS, COMMAND)
        (units / path.name).write_text(_without_installation(text), "utf-8")
    _copy(PACKAGING / "sysusers.conf", tree / "usr/lib/sysusers.d/crisp-status.conf")


def _without_installation(unit: str) -> str:
    """A unit without the comment that says how to install it by hand: it stands between two empty comment lines."""
    head, first, rest = unit.partition("\n#\n")
    inside, second, tail = rest.partition("\n#\n")
    by_hand = first and second and all(line.startswith("#   ") for line in inside.splitlines())
    return f"{head}\n#\n{tail}" if by_hand else unit


def _documents(tree: Path, licences: Path, version: str) -> None:
    """Documentation, man pages, completions, licences."""
    documents = tree / "usr/share/doc/crisp-status"
    for path in (*(ROOT / "docs").rglob("*.md"), ROOT / "docs/config.schema.json"):
        _copy(path, documents / path.relative_to(ROOT / "docs"))
    _copy(ROOT / "config.example.toml", documents / "examples/config.example.toml")
    for path in PACKAGING.glob("*.conf"):
        if path.name != "sysusers.conf":
            _copy(path, documents / "examples" / path.name)
    _copy(PACKAGING / "subscribe.html", documents / "examples/subscribe.html")
    _copy(ROOT / "CHANGELOG.md", documents / "CHANGELOG.md")
    _packed(documents / "changelog.gz", CHANGELOG.format(version=version, maintainer=MAINTAINER, date=_date()))
    _packed(documents / "licences.txt.gz", licences.read_text("utf-8"))
    text = (ROOT / "LICENSE").read_text("utf-8").partition("\n\n")[2].partition("\n\n")[2]
    indented = "\n".join(f" {line}" if line else " ." for line in text.strip().splitlines())
    (documents / "copyright").write_text(COPYRIGHT.format(text=indented), "utf-8")
    for name, page in manual.pages().items():
        _packed(tree / "usr/share/man/man1" / f"{name}.gz", page)
    for shell, path in COMPLETIONS.items():
        (tree / path).parent.mkdir(parents=True)
        (tree / path).write_text(_asked(str(tree / COMMAND[1:]), "completion", shell) + "\n", "utf-8")


def _control(tree: Path, version: str, architecture: str, frozen: Path) -> None:
    """What dpkg wants to know, the scripts that it runs, and the sums of all files."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    folder = tree / "DEBIAN"
    folder.mkdir()
    size = sum(path.stat().st_size for path in files) // 1024
    (folder / "control").write_text(
        CONTROL.format(
            version=version, architecture=architecture, size=size, glibc=_glibc(frozen), maintainer=MAINTAINER
        ),
        "utf-8",
    )
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  {path.relative_to(tree)}\n"
        for path in files
    ]
    (folder / "md5sums").write_text("".join(sums), "utf-8")
    for name in ("postinst", "prerm", "postrm"):
        _copy(SCRIPTS / name, folder / name, 0o755)


def _glibc(frozen: Path) -> str:
    """The newest version of glibc that anything inside asks for: older systems could not start it."""
    named = {part for path in frozen.rglob("*") if path.is_file() for part in _versions(path.read_bytes())}
    return max(named, key=lambda version: [int(number) for number in version.split(".")])


def _versions(content: bytes) -> list[str]:
    return [found.decode() for found in re.findall(rb"GLIBC_(\d+\.\d+)", content)]


def _date() -> str:
    return formatdate(int(os.environ["SOURCE_DATE_EPOCH"]))


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _packed(target: Path, text: str) -> None:
    """Compressed as Debian has it: without name and time, so that the same text gives the same bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _asked(*command: str) -> str:
    """What a command says; its failure is ours."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout.strip()

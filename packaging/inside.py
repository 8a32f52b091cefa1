"""What is inside a frozen crisp-status: its licences as one text, and a bill of materials (CycloneDX 1.6).

Python packages are found by following what the wheel and its extras require; libraries of the system by the files that
PyInstaller collected, which are asked of dpkg where there is one.
"""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
import sysconfig
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import TYPE_CHECKING

from cyclonedx.factory.license import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import OutputFormat, make_outputter
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NOT_SHIPPED = {"dev"}
"""Extras that are tools for us."""

HEAD = """\
crisp-status {version} is under the MIT licence. It brings the programs and libraries below; each stays under its own licence.

icmplib is under the LGPL, version 3 or later. Its source is part of the public release of that name and version. To run
crisp-status with an icmplib that you changed, install the wheel beside it, or put it into constraints.txt and freeze
again with `make dist`.

"""


@dataclass
class Part:
    """One thing that is inside, with the texts of its licence."""

    name: str
    version: str
    purl: PackageURL
    licence: str
    texts: dict[str, str] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)


def write(environment: Path, frozen: Path, licences: Path, materials: Path, version: str) -> None:
    """Write both files. `environment` has the wheel installed; `frozen` is the folder that PyInstaller made of it."""
    python = [*packages(environment, "crisp-status")]
    own = next(part for part in python if part.name == "crisp-status")
    parts = [part for part in python if part is not own] + [_python(), *_freezer(environment), *_libraries(frozen)]
    for part in parts:
        if not part.texts:
            raise SystemExit(f"{part.name} {part.version} comes without the text of its licence")
    licences.write_text(HEAD.format(version=version) + "\n".join(map(_text, parts)), encoding="utf-8")
    materials.write_text(_materials(own, parts), encoding="utf-8")


def packages(environment: Path, name: str) -> Iterator[Part]:
    """A package and all that it needs, extras included, by what is installed there."""
    found = _installed(environment)
    extras = frozenset(found[name].metadata.get_all("Provides-Extra") or ()) - NOT_SHIPPED
    waiting, seen = [(name, extras)], {}
    while waiting:
        one, extra = waiting.pop()
        if one in seen and seen[one] >= extra:
            continue
        seen[one] = seen.get(one, frozenset()) | extra
        waiting += _needs(found[one], extra)
    for one, extra in sorted(seen.items()):
        needs = {need for need, _ in _needs(found[one], extra)}
        yield _part(found[one], needs)


def _installed(environment: Path) -> dict[str, Distribution]:
    site = next(environment.glob("lib/python3*/site-packages"))
    return {_normal(one.metadata["Name"]): one for one in distributions(path=[str(site)])}


def _needs(package: Distribution, extras: Iterable[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in package.requires or ():
        wanted = Requirement(line)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield _normal(wanted.name), frozenset(wanted.extras)


def _part(package: Distribution, needs: set[str]) -> Part:
    name, meta = _normal(package.metadata["Name"]), package.metadata
    licence = (
        meta.get("License-Expression") or _classified(meta.get_all("Classifier") or ()) or meta.get("License") or ""
    )
    texts = {
        str(path): Path(path.locate()).read_text(encoding="utf-8", errors="replace")
        for path in package.files or ()
        if ".dist-info" in str(path) and re.search(r"licen[cs]e|copying|notice|authors", str(path), re.IGNORECASE)
    }
    return Part(name, package.version, PackageURL("pypi", None, name, package.version), licence, texts, needs)


def _classified(classifiers: Iterable[str]) -> str:
    names = [one.rpartition(" :: ")[2] for one in classifiers if one.startswith("License :: OSI Approved :: ")]
    return " / ".join(names)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _python() -> Part:
    text = (Path(sysconfig.get_path("stdlib")) / "LICENSE.txt").read_text("utf-8")
    version = platform.python_version()
    return Part("python", version, PackageURL("generic", None, "python", version), "PSF-2.0", {"LICENSE.txt": text})


def _freezer(environment: Path) -> Iterator[Part]:
    """The start of the executable is PyInstaller's; its licence allows that for every program."""
    yield _part(_installed(environment)["pyinstaller"], set())


def _libraries(frozen: Path) -> Iterator[Part]:
    """The system's shared libraries that were collected, by the Debian package that they come from."""
    names = sorted({path.name for path in frozen.rglob("lib*.so*") if not path.name.startswith("libpython")})
    owners: dict[str, list[str]] = {}
    for name in names:
        owners.setdefault(_owner(name), []).append(name)
    for owner, files in owners.items():
        version = _asked("dpkg-query", "--show", "--showformat=${Version}", owner)
        text = Path("/usr/share/doc", owner.partition(":")[0], "copyright").read_text("utf-8", errors="replace")
        package = owner.partition(":")[0]
        purl = PackageURL("deb", "debian", package, version)
        yield Part(f"{package} ({', '.join(files)})", version, purl, "", {"copyright": text})


def _owner(library: str) -> str:
    """The Debian package of a shared library that the linker finds by this name."""
    if shutil.which("dpkg") is None:
        raise SystemExit(
            "make dist asks dpkg where the system's libraries come from, so that their licences go along: use Debian"
        )
    for folder in ("", "/usr"):
        path = f"{folder}/lib/{sysconfig.get_config_var('MULTIARCH')}/{library}"
        if Path(path).exists():
            for name in (path, str(Path(path).resolve()), path.removeprefix("/usr")):
                owner = _asked("dpkg", "--search", name)
                if owner:
                    return owner.partition(": ")[0]
    raise SystemExit(
        f"{library} is inside, but no Debian package says that it is its own, so that its licence is unknown"
    )


@functools.cache
def _asked(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _text(part: Part) -> str:
    title = f"{part.name} {part.version}" + (f"   {part.licence}" if part.licence and len(part.licence) < 80 else "")
    body = "\n\n".join(text.strip() for text in part.texts.values())
    return f"{'=' * 100}\n{title}\n{'=' * 100}\n\n{body}\n"


def _materials(own: Part, parts: list[Part]) -> str:
    factory, bom = LicenseFactory(), Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, str(own.purl)))
    bom.metadata.timestamp = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    made: dict[str, Component] = {}
    for part in (own, *parts):
        made[part.name] = Component(
            type=ComponentType.APPLICATION if part is own else ComponentType.LIBRARY,
            name=part.name.partition(" (")[0],
            version=part.version,
            purl=part.purl,
            bom_ref=str(part.purl),
            licenses=[factory.make_from_string(part.licence)] if part.licence and len(part.licence) < 80 else [],
        )
    bom.metadata.component = made[own.name]
    for part in parts:
        bom.components.add(made[part.name])
    for part in (own, *parts):
        needs = [made[name] for name in sorted(part.needs) if name in made]
        if part is own:
            needs += [made[other.name] for other in parts if other.purl.type != "pypi" or other.name == "pyinstaller"]
        bom.register_dependency(made[part.name], needs)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1) + "\n"

"""What an import makes of a file: typed as a person would, then read back as our own configuration."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import tomli
from click.testing import CliRunner

from crisp_status import kinds
from crisp_status.cli import commands
from crisp_status.config.load import load

FIXTURES = Path(__file__).parent / "fixtures"


class Brought:
    """The outcome of `crisp-status import program files…` in a folder."""

    def __init__(self, folder: Path, program: str, *files: Path, options: tuple[str, ...] = ()) -> None:
        self.path = folder / "config.toml"
        words = ["import", program, *map(str, files), "-o", str(self.path), *options]
        self.result = CliRunner().invoke(commands, words)
        self.code = self.result.exit_code
        self.said = self.result.output
        self.lines = [line.strip() for line in self.said.splitlines()]

    @property
    def toml(self) -> dict[str, Any]:
        """The file as it was written."""
        return tomli.loads(self.path.read_text("utf-8"))

    def config(self, **environ: str) -> Any:
        """The file as the daemon would load it."""
        return load(self.path, kinds.rooms(), environ)

    def node(self, key: str) -> dict[str, Any]:
        """One node as it was written, by `service/node`."""
        service, _, name = key.partition("/")
        nodes = next(s for s in self.toml["services"] if s["id"] == service)["nodes"]
        return next(n for n in nodes if n["id"] == name)

    def secret(self, reference: str) -> str:
        """What stands in the file that a reference names."""
        return (self.path.parent / reference.removeprefix("${file:").removesuffix("}")).read_text("utf-8").rstrip("\n")

    def remarks(self, where: str) -> list[str]:
        """What was said of one thing of the other program."""
        return [line.removeprefix(f"{where}: ") for line in self.lines if line.startswith(f"{where}: ")]

    def private(self) -> bool:
        """Whether nobody but the owner can read the file, its secrets or their folder."""
        folder = self.path.with_name("config.secrets")
        paths = [self.path, folder, *folder.iterdir()]
        return all(not stat.S_IMODE(os.stat(path).st_mode) & 0o077 for path in paths)

    def leaked(self, *secrets: str) -> list[str]:
        """Which of these secrets stand in the file, in what was said, or in both."""
        shown = self.path.read_text("utf-8") + self.said
        return [secret for secret in secrets if secret in shown]


def database(folder: Path, *statements: str, port: int = 3910) -> Path:
    """A `kuma.db` as Uptime Kuma left it, with a few statements more; what it watched is at that port."""
    path = folder / "kuma.db"
    with sqlite3.connect(path) as connection:
        dump = (FIXTURES / "uptime-kuma" / "kuma.sql").read_text("utf-8")
        connection.executescript(dump.replace("127.0.0.1:3910", f"127.0.0.1:{port}"))
        connection.execute("UPDATE monitor SET port = ? WHERE port = 3910", [port])
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path


def looked(path: Path, environ: dict[str, str]) -> list[dict[str, Any]]:
    """What `check --probe` sees of each replica of that file."""
    result = CliRunner(env=environ).invoke(commands, ["check", "--probe", "--json", "-c", str(path)])
    found: list[dict[str, Any]] = json.loads(result.output)["looks"]
    return found

"""What there is in this repository: every file that is or may become part of it, parsed once."""

import ast
import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "crisp_status"

LEFT_OUT = {".venv", ".git", "node_modules", "build", "dist", "state", "__pycache__"}


@functools.cache
def files():
    """Every file that git tracks or would track; where git cannot say, every file that is not generated."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found = [ROOT / name for name in run.stdout.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        found = [path for path in ROOT.rglob("*") if not LEFT_OUT & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in found if path.is_file())


@functools.cache
def texts():
    """Every text file: path below the root → text."""
    found = {}
    for path in files():
        try:
            found[path.relative_to(ROOT).as_posix()] = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
    return found


@functools.cache
def modules(folder="crisp_status"):
    """Every Python module below a folder: path below the root → syntax tree."""
    return {
        name: ast.parse(text, name)
        for name, text in texts().items()
        if name.endswith(".py") and name.startswith(f"{folder}/")
    }

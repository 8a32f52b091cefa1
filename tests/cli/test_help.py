"""The help of every command reads as it was written."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from crisp_status.cli import commands

NAMES = commands.list_commands(commands.make_context("crisp-status", ["--help"], resilient_parsing=True))


@pytest.mark.parametrize("name", NAMES)
def test_help_has_an_example_on_a_line_of_its_own(name: str) -> None:
    """Examples can be copied, and no mark of the library is left in the text."""
    help_text = CliRunner().invoke(commands, [name, "--help"]).output
    lines = [line.strip() for line in help_text.splitlines()]

    assert "\\b" not in help_text
    assert any(line in {"Example:", "Examples:"} for line in lines)
    assert any("crisp-status" in line and not line.startswith("Usage") for line in lines)

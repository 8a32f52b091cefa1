"""A token that could be guessed is taken, and remarked upon."""

from click.testing import CliRunner

from crisp_status.cli import commands

FILE = """
[page]
name = "A"
url = "http://localhost/"
[server]
manager_token = "0123456789abcdef"
reporter_token = "shorter-1"
[[services]]
name = "Web"
[[services.nodes]]
name = "API"
mode = "push"
reporter_token = "shorter-23"
"""


def test_short_tokens_are_remarked_upon(tmp_path):
    """With their place, without themselves."""
    file = tmp_path / "config.toml"
    file.write_text(FILE)
    done = CliRunner().invoke(commands, ["check", "-c", str(file)])

    assert done.exit_code == 0
    assert "config.toml:7:1: server.reporter_token: has only 9 characters and could be guessed" in done.output
    assert "services[0].nodes[0].reporter_token: has only 10 characters" in done.output
    assert "manager_token" not in done.output
    assert "shorter" not in done.output

"""No secret ever comes out: canaries stand in every key that takes one, and every output is searched for them."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from crisp_status import kinds, log
from crisp_status.cli import commands
from crisp_status.config.load import load
from crisp_status.core.model import Health
from tests.daemon import daemon, get, until
from tests.receivers import HttpReceiver, Reply

CANARY = "canary-9f31"

PATHS = (
    "/", "/history", "/incidents/1", "/status/report", "/status/text", "/api/v2/summary.json", "/feed.atom",
    "/history.rss", "/embed.json", "/badge.json", "/metrics", "/manager/status", "/manager/outbox",
    "/manager/announcements", "/manager/silences", "/manager/incidents", "/operator/push/key", "/nothing",
    f"/act/{CANARY}x", "/v1/probes/local",
)  # fmt: skip


def config(receiver: HttpReceiver) -> str:
    """A page whose every secret holds the canary; what is told goes to receivers that say no."""
    return f"""
[metrics]
enabled = true
[[operators]]
id = "jane"
name = "Jane"
[[notifiers]]
type = "email"
to = ["ops@acme.example"]
from = "status@acme.example"
smtp_host = "127.0.0.1"
smtp_port = 1
smtp_username = "me"
smtp_password = "{CANARY}-smtp"
[[notifiers]]
type = "slack"
hook_url = "{receiver.url("/services/" + CANARY)}"
[[notifiers]]
type = "pushover"
app_token = "{(CANARY.replace("-", "") + "a" * 30)[:30]}"
user_keys = ["{(CANARY.replace("-", "") + "b" * 30)[:30]}"]
api_url = "{receiver.url("/push")}"
[[notifiers]]
type = "push"
operators = ["jane"]
[[webhooks]]
url = "{receiver.url("/hook?key=" + CANARY)}"
secret = "{CANARY}-hook-secret"
[[services]]
name = "Web"
reporter_token = "{CANARY}-service"
[[services.nodes]]
name = "Landing"
replicas = ["http://user:{CANARY}@127.0.0.1:1/"]
[services.nodes.http]
headers = {{ Authorization = "Bearer {CANARY}" }}
[[services.nodes]]
name = "Backup"
mode = "push"
heartbeat = "{CANARY}-heartbeat"
reporter_token = "{CANARY}-node"
"""


@pytest.mark.parametrize("status", [400, 500])
async def test_no_output_holds_a_secret(tmp_path: Path, status: int) -> None:
    """Pages, JSON, metrics, logs, messages of errors, the state on disk, commands: none of them has a canary."""
    lines = io.StringIO()
    log.configure(level="debug", style="json", stream=lines)
    reply = Reply(status, f"your key {CANARY}-hook-secret is wrong".encode())
    async with HttpReceiver(reply) as receiver, daemon(tmp_path, config(receiver)) as app:
        state = app.engine.world.state
        await until(lambda: state.health is Health.DEAD)
        await until(lambda: len({a.notifier for a in state.attempts}) >= 4)
        auth = aiohttp.encode_basic_auth("", "manager-token")
        seen = {path: (await get(app, path, Authorization=auth))[1] for path in PATHS}
        seen["wrong"] = (await get(app, "/v1/probes/local", Authorization=aiohttp.encode_basic_auth("", "x")))[1]
        file, daemon_at = str(tmp_path / "config.toml"), ["--url", f"http://{app.bound[0]}/"]
        for words in (
            ["check", "-c", file],
            ["schema"],
            ["check", "--probe", "-c", file, "--json"],
            ["check", "--probe", "-c", file],
            ["export", "-c", file, str(tmp_path / "copy")],
            ["look", f"http://user:{CANARY}@127.0.0.1:1/", "-o", f"headers.Authorization={CANARY}"],
            *(["status", *more, "-c", file, *daemon_at] for more in ([], ["--json"])),
            *(["outbox", "list", *more, "-c", file, *daemon_at] for more in ([], ["--json"])),
            ["notify-test", "--wait", "3", "-c", file, *daemon_at],
            ["announce", "list", "-c", file, *daemon_at],
        ):
            done = await asyncio.to_thread(CliRunner().invoke, commands, words)
            assert "a fault of ours" not in done.output
            seen[" ".join(words[:3])] = seen.get(" ".join(words[:3]), "") + done.output
    seen |= {str(p): p.read_bytes().decode("latin-1") for p in (tmp_path / "copy").rglob("*") if p.is_file()}
    loaded = load(tmp_path / "config.toml", kinds.rooms(), {})
    seen |= {"repr": repr(loaded), "str": str(loaded), "json": loaded.model_dump_json(), "log": lines.getvalue()}
    for kept in (tmp_path / "state").iterdir():
        seen[kept.name] = kept.read_bytes().decode("latin-1")

    shown = CANARY.replace("-", "")
    leaks = [where for where, text in seen.items() if CANARY in text or shown in text]

    assert leaks == []
    assert "Landing" in seen[f"status -c {file}"], "the commands ran"
    assert "replica dead" in seen["log"]


def test_a_secret_in_a_broken_file_is_not_quoted(tmp_path: Path) -> None:
    """Complaints about a value that may be a secret say what is wrong without showing it."""
    (tmp_path / "c.toml").write_text(
        f'[page]\nname="A"\nurl="http://a.example/"\n[server]\nmanager_token=["{CANARY}"]\n'
        f'[[notifiers]]\ntype="slack"\nhook_url="{CANARY}"\n[[webhooks]]\nurl="ftp://{CANARY}"\nsecret=7\n'
    )
    done = CliRunner().invoke(commands, ["check", "-c", str(tmp_path / "c.toml")])

    assert done.exit_code == 2
    assert CANARY not in done.output

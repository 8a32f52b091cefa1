"""The whole daemon, seen from outside."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp

from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.config.root import Config
from crisp_status.core.events import SilentReplica, Ticked
from crisp_status.core.model import Health
from tests.daemon import BASE, daemon, get, listening, until
from tests.receivers import HttpReceiver, Reply, SmtpReceiver

MANAGER = {"Authorization": aiohttp.encode_basic_auth("", "manager-token")}


def other(folder: Path, config: str) -> Config:
    """The configuration of a daemon in this folder, changed."""
    (folder / "config.toml").write_text(BASE + config)
    return load(folder / "config.toml", kinds.rooms(), {})


def watched(port: int) -> str:
    return f"""
[[services]]
name = "Web"
[[services.nodes]]
name = "Landing page"
replicas = ["tcp://127.0.0.1:{port}"]
"""


async def test_a_target_that_dies_turns_the_page_red(tmp_path: Path) -> None:
    """The box of a killed target is red within one cycle, and green again when it is back."""
    async with listening() as port, daemon(tmp_path, watched(port)) as app:
        await until(lambda: app.engine.peek().health is Health.HEALTHY)
    async with daemon(tmp_path, watched(port)) as app:
        assert app.engine.peek().health is Health.HEALTHY, "what was known before the restart"
        await until(lambda: app.engine.peek().health is Health.DEAD)
        await until(lambda: app.site.view is not None and app.site.view.health is Health.DEAD)
        status, page = await get(app, "/")

        assert status == 200
        assert 'data-status="dead"' in page
        assert (await get(app, "/status/text"))[1] == "dead"
        async with listening(port):
            await until(lambda: app.engine.peek().health is Health.HEALTHY)


async def test_a_restart_with_the_same_configuration_keeps_the_plan(tmp_path: Path) -> None:
    """The first snapshot after it does not encode the plan again, which would hold up the loop: that is done soon after
    the start, beside the loop. Another plan is taken."""
    async with daemon(tmp_path, watched(1)):
        pass
    async with daemon(tmp_path, watched(1)) as app:
        plan = app.engine.peek().plan
        await until(lambda: any(value is plan for value, _ in app.store.folder._encoder._kept.values()))
    async with daemon(tmp_path, watched(2)) as app:
        assert [r.id for r in app.engine.peek().plan.services[0].nodes[0].replicas] == ["tcp://127.0.0.1:2"]


async def test_everybody_is_told_once_and_told_when_it_is_over(tmp_path: Path) -> None:
    """A death reaches mail, chat and web hook in one message each, and so does the recovery."""
    async with SmtpReceiver("none") as mail, HttpReceiver(Reply(body=b"ok")) as slack, HttpReceiver() as hook:
        config = f"""
[[notifiers]]
type = "email"
to = ["ops@acme.example"]
from = "status@acme.example"
smtp_host = "127.0.0.1"
smtp_port = {mail.port}
smtp_security = "none"
[[notifiers]]
type = "slack"
hook_url = "{slack.url("/services/x")}"
[[webhooks]]
url = "{hook.url("/hook")}"
website_id = "acme"
"""
        async with listening() as port, daemon(tmp_path, watched(port) + config) as app:
            await until(lambda: app.engine.peek().health is Health.HEALTHY)
        async with daemon(tmp_path, watched(port) + config) as app:
            await until(lambda: mail.mails and slack.requests and hook.requests)
            async with listening(port):
                await until(lambda: len(mail.mails) == len(slack.requests) == len(hook.requests) == 2)
            await until(lambda: not app.engine.peek().outbox)

            assert [json.loads(r.body)["data"]["health"] for r in hook.requests] == ["dead", "healthy"]
            incident = app.engine.peek().closed[-1]
            assert incident.alerted_at > incident.opened_at
            assert all(a.outcome == "delivered" for a in app.engine.peek().attempts)


async def test_two_daemons_live_in_one_process(tmp_path: Path) -> None:
    """Nothing is global: each has its own port, state and page; a stop may be called twice."""
    async with daemon(tmp_path / "a", watched(9)) as one, daemon(tmp_path / "b", "") as two:
        assert one.bound != two.bound
        assert (await get(one, "/status/report"))[1] != (await get(two, "/status/report"))[1]
        await two.stop()
        assert (await get(one, "/healthz"))[0] == 200


async def test_reports_come_in_by_http(tmp_path: Path) -> None:
    """A report makes its replica exist, and the page shows it."""
    async with daemon(tmp_path, '[[services]]\nname="App"\n[[services.nodes]]\nname="Api"\nmode="push"\n') as app:
        import aiohttp

        auth = aiohttp.encode_basic_auth("", "reporter-token")
        body = {"replica_id": "r1", "interval": 30, "load": {"cpu": 0.95, "ram": 0.1}}
        url = f"http://{app.bound[0]}/v1/report/app/api/"
        async with aiohttp.request("POST", url, json=body, headers={"Authorization": auth}) as answer:
            assert answer.status == 200
        await until(lambda: app.engine.peek().health is Health.SICK)


async def test_wrong_tokens_are_in_the_figures(tmp_path: Path) -> None:
    """One of a reporter and one of a manager: guesses can be watched."""
    async with daemon(tmp_path, "[metrics]\nenabled = true\n") as app:
        wrong = {"Authorization": aiohttp.encode_basic_auth("", "guess")}
        assert [(await get(app, path, **wrong))[0] for path in ("/v1/probes/local", "/manager/status")] == [401, 403]
        status, figures = await get(app, "/metrics", **MANAGER)

    assert status == 200
    assert "crisp_status_wrong_tokens_total 2.0" in figures


async def test_what_only_a_start_can_follow_is_known(tmp_path: Path) -> None:
    """Each new file is held against the one of the start, not against the last."""
    async with daemon(tmp_path, "") as app:
        changed = other(tmp_path, "[metrics]\nenabled = true\n")
        for _ in range(2):
            assert app.fixed_keys_changed(changed) == ["metrics"]
            await app.reload(changed)
        assert app.fixed_keys_changed(other(tmp_path, "")) == []


async def test_devices_can_sign_up_after_a_reload(tmp_path: Path) -> None:
    """A first notifier of type push needs no new start."""
    push = '[[operators]]\nid = "jane"\nname = "Jane"\n[[notifiers]]\ntype = "push"\noperators = ["jane"]\n'
    async with daemon(tmp_path, "") as app:
        assert (await get(app, "/operator/push/key", **MANAGER))[0] == 404
        await app.reload(other(tmp_path, push))
        assert (await get(app, "/operator/push/key", **MANAGER))[0] == 200


async def test_a_stop_in_the_moment_of_a_reload_ends(tmp_path: Path) -> None:
    """The wish to stop is not lost on loops that were just woken."""
    async with asyncio.timeout(10):
        async with daemon(tmp_path, "") as app:
            await app.reload(other(tmp_path, ""))


async def test_a_fault_inside_a_step_ends_the_daemon(tmp_path: Path) -> None:
    """The process ends to be started again, and stops in time although nobody may read the state any more."""
    async with daemon(tmp_path, watched(1)) as app:
        assert app.failed is not None
        app.engine.peek().nodes.clear()
        await app.engine.submit(Ticked(silent=[SilentReplica("web/a", "x", 1.0)]))
        await asyncio.wait([app.failed])
        failure = app.failed.exception()

        assert isinstance(failure, KeyError)
        assert "because of a bug" in app.engine.trouble

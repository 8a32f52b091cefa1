"""The agent for private networks, on loopback: real sockets on every side, the core behind the server's doors."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web

from crisp_status import kinds
from crisp_status.agent import Agent
from crisp_status.agent.list_file import FILE_MAX, ListFile
from crisp_status.agent.upstream import Upstream, UpstreamError
from crisp_status.agent.watch_list import WatchList, jobs
from crisp_status.api.reports import Reports
from crisp_status.clock import SystemClock
from crisp_status.config.load import load
from crisp_status.core import events
from crisp_status.core.model import State
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import prepare, step
from crisp_status.core.step_outcome import Durability
from crisp_status.core.world import World
from crisp_status.formats.exposition import Counters
from crisp_status.http.authentication import Failures
from crisp_status.http.responses import Dater
from crisp_status.http.router import Router
from crisp_status.http.server import WebServer
from crisp_status.http.site import Site
from crisp_status.reports import HeartbeatTarget, LocalMap, LocalNode, ReportScope, Tokens
from tests.http.site_fakes import HandClock, table

TOKEN = "the-reporter-token"


class CoreEngine:
    """Mirrors `engine.Engine` for those who submit: steps the real core at once and keeps nothing on disk."""

    def __init__(self, plan):
        self.world = World(State())
        self.events = []
        step(self.world, events.Planned(at=time.time(), plan=plan, fresh=True))

    async def submit(self, event):
        await self.commit(event)

    def offer(self, events):
        for event in events:
            self._take(event)
        return True

    async def commit(self, event):
        return self._take(event)

    def _take(self, event):
        event.at = max(time.time(), self.world.state.at)
        prepare(self.world, event)
        self.events.append(event)
        return step(self.world, event) is not Durability.REFUSED


class Place:
    """A private network: targets that can be opened and closed, and a server that can go away."""

    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.stack = contextlib.AsyncExitStack()
        self.door = None
        self.ports = {}
        self.servers = {}

    async def target(self, name, *, port=0):
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", port)
        self.servers[name] = server
        self.ports[name] = server.sockets[0].getsockname()[1]
        return f"tcp://127.0.0.1:{self.ports[name]}"

    async def lose(self, name):
        self.servers[name].close()
        await self.servers[name].wait_closed()

    def open_page(self, *nodes):
        """The page's plan and its doors; `serve` opens them."""
        plans = [
            NodePlan("lan", n.id, n.id, "local", tuple(ReplicaPlan(t.id) for t in n.targets), agent=n.agent)
            for n in nodes
        ]
        plan = Plan(services=(ServicePlan("lan", "LAN", tuple(plans)),))
        self.engine = CoreEngine(plan)
        scope = ReportScope(plan, self.engine.world.state, Tokens([(TOKEN, "")]), {}, LocalMap(nodes))
        clock = SystemClock()
        self.reports = Reports(
            self.engine,
            scope,
            counters=Counters(),
            clock=clock,
            dater=Dater(clock),
            failures=Failures(clock.monotonic),
            client=lambda r: "",
        )

    @contextlib.asynccontextmanager
    async def serve(self, port=0):
        router = Router()
        self.reports.register(router)
        site = Site(table(), HandClock())
        server = WebServer(site, router, [f"127.0.0.1:{port}"])
        await server.start()
        self.port = int(server.bound[0].rpartition(":")[2])
        try:
            yield f"http://127.0.0.1:{self.port}"
        finally:
            await server.stop(0.2)
            site.close()

    def agent(self, endpoint, text="", *, settings="", **options):
        file = self.tmp_path / "agent.toml"
        head = f'[agent]\nendpoint = "{endpoint}"\ntoken = "{TOKEN}"\n{settings}\n'
        file.write_text(head + "[local]\ninterval = 1\nretry = 0\n[poll]\ninterval = 1\nretry = 0\n" + text)
        return Agent(load(file, kinds.rooms(), {}, role="agent", scripts=True), SystemClock(), **options)

    def health(self, node, replica):
        return self.engine.world.state.nodes[f"lan/{node}"].replicas[replica].health.word

    def reason(self, node, replica):
        return self.engine.world.state.nodes[f"lan/{node}"].replicas[replica].reason


@pytest.fixture
async def place(tmp_path):
    made = Place(tmp_path)
    yield made
    for server in made.servers.values():
        server.close()


@contextlib.asynccontextmanager
async def running(agent):
    task = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.result()


async def until(condition, seconds=8):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def node(name, *addresses, agent="", **more):
    targets = tuple(HeartbeatTarget(a, a) for a in addresses)
    return LocalNode("lan", name, targets, agent, **{"interval": 1.0, "retry": 0, "retry_wait": 0.0, **more})


async def test_it_looks_at_what_the_list_names_and_tells_in_batches(place):
    """Healthy, dead with the reason of the probe, and back again."""
    up, down = await place.target("up"), await place.target("down")
    await place.lose("down")
    place.open_page(node("office", up, down))
    async with place.serve() as url, running(place.agent(url)):
        await until(lambda: place.health("office", up) == "healthy" and place.health("office", down) == "dead")
        assert place.reason("office", down).code == "refused"

        await place.target("down", port=place.ports["down"])
        await until(lambda: place.health("office", down) == "healthy")


async def test_it_goes_on_while_the_server_is_away(place):
    """A daemon restart: what happened meanwhile and is still true is told, with the time at which it happened."""
    up = await place.target("up")
    place.open_page(node("office", up))
    async with place.serve() as url:
        agent = place.agent(url)
        runner = running(agent)
        await runner.__aenter__()
        await until(lambda: place.health("office", up) == "healthy")
    await place.lose("up")
    lost_at = time.time()
    await until(lambda: "not reported yet: 1" in agent.status and agent._readings["lan/office", up].health.bad)

    back_at = time.time()
    async with place.serve(place.port):
        await until(lambda: place.health("office", up) == "dead")
        await runner.__aexit__(None, None, None)

    since = place.engine.world.state.nodes["lan/office"].replicas[up].since
    assert lost_at - 0.1 <= since <= back_at


async def test_after_a_restart_without_the_server_it_looks_at_the_last_list(place):
    """It had the list once; when the server is back it hears what is true, and the file is for its owner's eyes alone."""
    up = await place.target("up")
    place.open_page(node("office", up))
    async with place.serve() as url, running(place.agent(url)):
        await until(lambda: place.health("office", up) == "healthy")
    kept = place.tmp_path / "state" / "agent-list.json"
    assert kept.stat().st_mode & 0o777 == 0o600

    await place.lose("up")
    async with running(place.agent(url)) as agent:
        await until(lambda: agent._readings and agent._readings["lan/office", up].health.bad)
        async with place.serve(place.port):
            await until(lambda: place.health("office", up) == "dead")


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"\xff garbage"),
        lambda file: file.write_text(file.read_text()[:-40]),
        lambda file: file.write_text('{"endpoint": "http://127.0.0.1:1", "name": "", "answer": "{}"}'),
        lambda file: file.write_text(file.read_text().replace("127.0.0.1:1/", "elsewhere.example/")),
        lambda file: os.truncate(file, FILE_MAX + 1),
        lambda file: (file.unlink(), file.mkdir()),
        lambda file: (file.unlink(), os.mkfifo(file)),
        lambda file: (file.unlink(), file.symlink_to("/dev/zero")),
    ],
)
async def test_a_kept_list_that_is_damaged_is_ignored(tmp_path, damage):
    """So is one of another page; the agent goes on asking, and keeps what it hears then if it can."""
    answer = b'{"data": {"nodes": []}}'
    kept = ListFile(tmp_path, "http://127.0.0.1:1/", "")
    kept.save(answer)
    (tmp_path / "agent-list.json").chmod(0o644)
    assert kept.load(60.0) == WatchList((), batch=True)
    assert (tmp_path / "agent-list.json").stat().st_mode & 0o777 == 0o600

    damage(tmp_path / "agent-list.json")
    assert kept.load(60.0) is None
    kept.save(answer)
    assert [f.name for f in tmp_path.iterdir()] == ["agent-list.json"]


@pytest.mark.parametrize(("status", "replicas"), [(503, 1), (403, 0), (401, 0)])
async def test_an_agent_whose_token_is_refused_does_not_go_on_with_the_last_list(place, status, replicas):
    """It is wanted no more; a server in trouble is another matter."""
    up = await place.target("up")
    server = Foreign(lambda request: {"status": status})
    async with server.serve() as url:
        listed = {"data": {"services": [{"id": "lan", "nodes": [{"id": "office", "replicas": [up]}]}]}}
        ListFile(place.tmp_path / "state", url, "").save(json.dumps(listed).encode())
        async with running(place.agent(url)) as agent:
            await until(lambda: server.heard)
            await asyncio.sleep(0.1)

            assert len(agent._jobs) == replicas


async def test_each_agent_has_the_nodes_that_name_it(place):
    """Several agents a page."""
    up = await place.target("up")
    place.open_page(node("office", up, agent="office"), node("attic", up, agent="attic"), node("any", up))
    async with place.serve() as url, running(place.agent(url, settings='name = "attic"')):
        await until(lambda: place.health("attic", up) == place.health("any", up) == "healthy")
        assert place.health("office", up) == "pending"


async def test_a_changed_list_is_taken_over(place):
    """What is no longer listed is forgotten; a list with something it cannot do is done but for that."""
    up = await place.target("up")
    place.open_page(node("office", up))
    agent = place.agent("http://127.0.0.1:1")
    agent._adopt(WatchList((node("a", up, "gopher://x"), node("b", "tcp://127.0.0.1:1")), batch=True))
    assert set(agent._jobs) == {("lan/a", up), ("lan/b", "tcp://127.0.0.1:1")}
    agent._adopt(WatchList((node("b", "tcp://127.0.0.1:1"),), batch=True))
    assert set(agent._jobs) == {("lan/b", "tcp://127.0.0.1:1")}


class Foreign:
    """A server that is not ours: says what it is told to, and remembers what it heard."""

    def __init__(self, answers):
        self.answers = answers
        self.heard = []

    @contextlib.asynccontextmanager
    async def serve(self):
        async def handle(request):
            self.heard.append((request.method, request.path, await request.text()))
            said = self.answers(request)
            return web.Response(**said)

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        finally:
            await runner.cleanup()

    def reports(self):
        return [(path, json.loads(body)) for method, path, body in self.heard if method == "POST"]


async def test_it_serves_a_crisp_server_one_by_one(place):
    """PROTOCOLS 2.3 and 2.4: the published list, its own interval, integers, and a failure that is tried again."""
    up = await place.target("up")
    listed = {
        "data": {
            "date": 7,
            "metrics": {"local": {"retry": 0, "delay_dead": 2, "delay_sick": 1}},
            "services": [{"id": "lan", "nodes": [{"id": "office", "replicas": [up, "tcp://127.0.0.1:1"]}]}],
        }
    }
    failures = iter([500, 429, 401])

    def answers(request):
        if request.method == "GET":
            return {"text": json.dumps(listed), "content_type": "application/json"}
        return {"status": next(failures, 200)}

    server = Foreign(answers)
    async with server.serve() as url, running(place.agent(url + "/v1", settings="interval = 1")):
        await until(lambda: {b["health"] for _, b in server.reports()[3:]} == {"healthy", "dead"}, 12)

    assert {path for path, _ in server.reports()} == {"/v1/report/lan/office"}
    said = next(b for _, b in server.reports() if b["health"] == "dead")
    assert said == {"replica_id": "tcp://127.0.0.1:1", "interval": 1, "health": "dead"}


async def test_it_serves_a_vigil_from_its_own_file(place):
    """PROTOCOLS 3.2: no list to fetch; the services stand in the agent's file."""
    up = await place.target("up")
    server = Foreign(lambda request: {})
    text = (
        f'[[services]]\nname = "LAN"\n[[services.nodes]]\nname = "Office"\nmode = "local"\nreplicas = ["{up}"]\n'
        '[[services.nodes]]\nname = "Tool"\nmode = "script"\ninterval = 1\nscripts = ["exit 1"]\n'
    )
    async with server.serve() as url, running(place.agent(url, text, settings='protocol = "vigil"', scripts=True)):
        await until(lambda: len({path for path, _ in server.reports()}) == 2)

    assert all(method == "POST" for method, _, _ in server.heard)
    assert dict(server.reports()) == {
        "/reporter/lan/office/": {"replica": up, "interval": 1, "health": "healthy"},
        "/reporter/lan/tool/": {"replica": "0", "interval": 1, "health": "sick"},
    }


async def test_its_own_list_and_our_server(place):
    """Batches are tried first; a server that knows none gets one report a request."""
    up = await place.target("up")
    server = Foreign(lambda request: {"status": 404 if request.path == "/v1/report" else 200})
    text = f'[[services]]\nname = "LAN"\n[[services.nodes]]\nname = "Office"\nmode = "local"\nreplicas = ["{up}"]\n'
    async with server.serve() as url, running(place.agent(url, text)):
        await until(lambda: len(server.reports()) >= 3)

    assert [path for path, _ in server.reports()][:3] == [
        "/v1/report",
        "/v1/report/lan/office",
        "/v1/report/lan/office",
    ]


@pytest.mark.parametrize(
    "answer",
    [
        {"body": b"\xff garbage"},
        {"text": "[]", "content_type": "application/json"},
        {"text": '{"data": {}}'},
        {"text": '{"data": {"services": [{"id": 1}]}}'},
        {"status": 302, "headers": {"Location": "/elsewhere"}},
        {"status": 401, "text": '{"error": "wrong_token", "detail": "no"}'},
        {"status": 500},
    ],
)
async def test_a_garbage_list_keeps_the_last_one(place, answer):
    """And the agent goes on asking."""
    server = Foreign(lambda request: answer)
    async with server.serve() as url, Upstream(url, TOKEN, "crisp", "") as link:
        with pytest.raises(UpstreamError):
            await link.fetch()
        with pytest.raises(UpstreamError):
            await link.send([], 0.0)

    assert [path for _, path, _ in server.heard] == ["/v1/probes/local", "/v1/report"]


async def test_why_the_server_is_away_is_a_sentence(place):
    """Nobody there; somebody who speaks no TLS; somebody who hangs up."""
    with socket.socket() as alone:
        alone.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{alone.getsockname()[1]}"
        async with Upstream(f"http://{host}", TOKEN, "crisp", "") as link:
            with pytest.raises(UpstreamError, match=f"^no connection to {host}: connection refused$"):
                await link.fetch()

    rude = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    host = f"127.0.0.1:{rude.sockets[0].getsockname()[1]}"
    async with rude, Upstream(f"http://{host}", TOKEN, "crisp", "") as link:
        with pytest.raises(UpstreamError, match=r"^the server closed the connection without an answer$"):
            await link.fetch()
    plain = Foreign(lambda request: {})
    async with plain.serve() as url, Upstream(url.replace("http:", "https:"), TOKEN, "crisp", "") as link:
        with pytest.raises(UpstreamError, match=r"^no TLS with "):
            await link.fetch()


async def test_scripts_of_the_server_are_run_only_when_allowed(place):
    """A list from elsewhere runs no program on this machine, unless its own file says so."""
    scripted = LocalNode("lan", "tool", (HeartbeatTarget("0", "exit 0", "script"),))

    assert jobs([scripted], scripts=True)[0].keys() == {("lan/tool", "0")}
    wanted, refused = jobs([scripted], scripts=False)
    assert (wanted, "scripts are off" in refused["lan/tool", "0"]) == ({}, True)


async def test_options_that_this_version_does_not_know_are_said(place):
    """An older agent with a newer server leaves out that replica, and says which option it was."""
    newer = LocalNode("lan", "site", (HeartbeatTarget("http://x/", "http://x/"),), options={"http": {"quantum": True}})
    refused = jobs([newer], scripts=False)[1]

    assert "quantum" in refused["lan/site", "http://x/"]


async def test_the_command_stops_and_reloads(place):
    """SIGHUP loads the file again, a wrong one changes nothing; SIGTERM ends with 0."""
    up = await place.target("up")
    place.open_page(node("office", up))
    async with place.serve() as url:
        place.agent(url)
        file = place.tmp_path / "agent.toml"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "crisp_status", "local", "-c", str(file)),
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        )
        await until(lambda: place.health("office", up) == "healthy", 15)
        good = file.read_text()
        file.write_text("nonsense")
        process.send_signal(signal.SIGHUP)
        await asyncio.sleep(0.2)
        file.write_text(good)
        place.engine.events.clear()
        process.send_signal(signal.SIGHUP)
        await until(lambda: place.engine.events, 15)
        process.send_signal(signal.SIGTERM)
        said = (await asyncio.wait_for(process.communicate(), 15))[1].decode()

    assert process.returncode == 0
    assert "the changed configuration is wrong" in said

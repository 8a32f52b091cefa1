"""No secret ever comes out: canaries stand in every place that takes one, and every output is searched for them.

Excepted are only those who must know one: a receiver gets its own key, the list for agents has what they need, and the
state folder keeps `link.key`, `push-key.pem`, the devices of operators and an agent's last list, readable by us alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import tomli
from aiosmtpd.smtp import AuthResult
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crisp_status import kinds, log
from crisp_status.agent import Agent
from crisp_status.agent.watch_list import jobs, secrets
from crisp_status.app import App
from crisp_status.app.daemon import Host
from crisp_status.channels._webpush import encode
from crisp_status.cli import commands
from crisp_status.clock import SystemClock
from crisp_status.config.load import load
from crisp_status.config.plan import plan
from crisp_status.core.model import Health
from crisp_status.reports import local_map
from tests.canaries import STEM, Garden, canary, files
from tests.daemon import until
from tests.process import Process
from tests.receivers import HttpReceiver, PushReceiver, Reply, SmtpReceiver, certificate, loopback

SIGNS = "\"\\ '&+/=%"
"""Signs that look different in a URL, in JSON, in HTML and in a shell."""

SECRET = {name: canary(name, 46, SIGNS) for name in ("smtp", "wrong smtp", "header", "body", "hook", "standing hook")}
SECRET |= {name: canary(name) for name in ("manager", "reporter", "service", "node", "heartbeat", "address", "query")}
SECRET |= {
    name: canary(name) for name in ("app", "user", "slack", "apprise", "list address", "list header", "endpoint")
}
SECRET |= {"script": canary("script"), "fresh": canary("fresh"), "typed": canary("typed")}

ENVIRON = {"ACME_MANAGER": SECRET["manager"], "ACME_HOOK": SECRET["hook"], "ACME_UNUSED": ""}

TEXT = {name: json.dumps(secret) for name, secret in SECRET.items()}
"""As TOML has them."""

PUBLIC = (
    "/", "/fr/", "/ar/history", "/history", "/incidents/1", "/de/incidents/1", "/status/report", "/status/text",
    "/api/v2/summary.json", "/api/v2/incidents.json", "/feed.atom", "/history.rss", "/history.atom", "/embed.json",
    "/embed.js", "/badge.json", "/badge/web.svg", "/maintenance.ics", "/robots.txt", "/sitemap.xml", "/healthz",
    "/nothing", "/act/nothing", "/operator/", "/operator/push/worker.js", "/ping/nothing", "/v1/report/web/landing",
    "/api/push/nothing", "/metrics", "/manager/status", "/operator/push/subscriptions",
)  # fmt: skip
MANAGED = (
    "/metrics", "/manager/status", "/manager/outbox", "/manager/announcements", "/manager/silences",
    "/manager/incidents", "/operator/push/key", "/operator/push/subscriptions", "/operator/", "/manager/nothing",
    "/v1/probes/local",
)  # fmt: skip


PARROTED = {"wrong-mail", "slack-no", "pushover-no", "hook-no", "hook-later", "standing"}
"""Whoever was refused in words that held a secret. Push services are not quoted: their addresses came over HTTP."""


class Parrot(HttpReceiver):
    """Says no, and quotes all that it was sent: in the status line, in headers, in the body, first what is secret."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    def reply(self, request):
        keys = [request.headers.get("authorization", ""), request.headers.get("x-key", "")]
        said = " ".join([request.path, *filter(None, keys), request.body.decode("latin-1")])
        line = " ".join(said.split())
        body = json.dumps({"detail": said, "errors": [said]}) if "json" in request.headers.get("accept", "") else said
        raw = body.encode()
        head = f"HTTP/1.1 {self.status} {line}\r\nLocation: /again?{request.path}\r\nRetry-After: 1\r\n"
        return Reply(raw=f"{head}Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n".encode() + raw)


class SmtpParrot(SmtpReceiver):
    """Refuses every sign-in with the password that it was given."""

    def _authenticate(self, server, session, envelope, mechanism, data):
        return AuthResult(success=False, handled=False, message=f"535 5.7.8 {data.password.decode()} is wrong")


class Scene:
    """Receivers of both kinds, and the configuration that plants everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.garden = Garden()
        self.seen: dict[str, str] = {}
        folder.mkdir(exist_ok=True)
        (folder / "keys").mkdir()
        (folder / "keys" / "smtp").write_text(SECRET["smtp"] + "\n")
        (folder / "keys" / "reporter").write_text(SECRET["reporter"])
        self.environ = ENVIRON | {"CREDENTIALS_DIRECTORY": str(folder / "keys")}
        self.file = folder / "config.toml"

    @contextlib.asynccontextmanager
    async def receivers(self) -> AsyncIterator[Scene]:
        users = {"me": SECRET["smtp"]}
        async with (
            Parrot(400) as self.no,
            Parrot(500) as self.later,
            Parrot(302) as self.elsewhere,
            HttpReceiver(Reply(200, b"ok")) as self.yes,
            HttpReceiver(tls=True) as self.secure,
            PushReceiver() as self.device,
            SmtpReceiver(users=users) as self.mail,
            SmtpParrot() as self.no_mail,
        ):
            yield self

    def config(self, *, listen: str = "127.0.0.1:0", style: str = "auto") -> str:
        """Every key that takes a secret has one; half of the receivers take what they get, half refuse and quote it."""
        no, later, yes = self.no, self.later, self.yes
        key = SECRET["slack"]
        return f"""
[page]
name = "Acme"
url = "http://127.0.0.1:1/"
[server]
listen = ["{listen}"]
state = "state"
log_level = "debug"
log_style = "{style}"
manager_token = "${{ACME_MANAGER}}"
reporter_token = "${{credential:reporter}}"
[poll]
interval = 1
retry = 1
retry_wait = 0.05
delay_dead = 1
[script]
enabled = true
[notify]
group_wait = 0.2
startup = true
[metrics]
enabled = true
[publish]
folder = "public"
[[operators]]
id = "jane"
name = "Jane"
{self._mail("mail", self.mail.port, '"${file:keys/smtp}"')}
{self._mail("wrong-mail", self.no_mail.port, TEXT["wrong smtp"])}
{
            "".join(
                f'''
[[notifiers]]
type = "slack"
id = "slack-{id}"
hook_url = "{to.url(f"/services/T01/B02/{key}")}"
[[notifiers]]
type = "pushover"
id = "pushover-{id}"
app_token = "{SECRET["app"]}"
user_keys = ["{SECRET["user"]}"]
api_url = "{to.url("/push")}"
[[notifiers]]
type = "apprise"
id = "apprise-{id}"
urls = ["json://jane:{SECRET["apprise"]}@127.0.0.1:{to.port}/hook/{SECRET["apprise"]}"]
[[webhooks]]
id = "hook-{id}"
url = "{to.url(f"/hook?key={SECRET['query']}")}"
secret = "${{ACME_HOOK}}"
'''
                for id, to in (("no", no), ("later", later), ("yes", yes))
            )
        }
[[notifiers]]
type = "push"
operators = ["jane"]
[[webhooks]]
id = "standing"
url = "http://jane:{SECRET["query"]}@127.0.0.1:{no.port}/hook"
secret = {TEXT["standing hook"]}
[[services]]
name = "Web"
reporter_token = {TEXT["service"]}
{self._nodes("poll")}
[[services.nodes]]
name = "Backup"
mode = "push"
heartbeat = {TEXT["heartbeat"]}
reporter_token = {TEXT["node"]}
[[services.nodes]]
name = "Disk"
mode = "script"
scripts = ["env; exit 2 # {SECRET["script"]}", "#!/bin/sh\\nexit 2 # {SECRET["script"]}", "((( {SECRET["script"]}"]
interval = 1
[[services]]
name = "Lan"
{self._nodes("local")}
"""

    def _mail(self, id: str, port: int, password: str) -> str:
        return f"""
[[notifiers]]
type = "email"
id = "{id}"
to = ["ops@acme.example"]
from = "status@acme.example"
smtp_host = "127.0.0.1"
smtp_port = {port}
smtp_username = "me"
smtp_password = {password}
smtp_ca_file = "{certificate()[0]}"
"""

    def _nodes(self, mode: str) -> str:
        """Targets that are dead in many ways; those of an agent have their own secrets."""
        header, password = TEXT["header"], SECRET["address"]
        if mode == "local":
            header, password = TEXT["list header"], SECRET["list address"]
        who = f"jane:{password}@127.0.0.1"
        no, there = self.no.port, self.elsewhere.port
        nodes = {
            "Landing": (f"http://{who}:1/", f"headers = {{ X-Key = {header} }}"),
            "Quoted": (f"http://{who}:{no}/", f"headers = {{ X-Key = {header} }}"),
            "Basic": (f"http://{who}:{no}/", ""),
            "Moved": (f"http://{who}:{there}/", f"follow_redirects = true\nheaders = {{ Authorization = {header} }}"),
            "Matched": (
                f"http://{who}:{no}/",
                f'method = "POST"\nbody = {TEXT["body"]}\nhealthy_below = 500\nhealthy_match = "never there"',
            ),
            "Secure": (f"https://{who}:{self.secure.port}/", 'healthy_match = "never there"'),
        }
        return "".join(
            f'[[services.nodes]]\nname = "{name}"\nmode = "{mode}"\nreplicas = ["{url}"]\n'
            f"interval = 1\n[services.nodes.http]\n{options}\n"
            for name, (url, options) in nodes.items()
        )

    async def typed(self, *words: str, environ: dict[str, str] | None = None) -> str:
        """What comes of a command, on both of its outputs; kept to be searched."""
        env = self.environ | (environ or {})
        done = await asyncio.to_thread(CliRunner().invoke, commands, list(words), env=env)
        assert "a fault of ours" not in done.output, done.output
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        where = " ".join(words)
        self.seen[f"crisp-status {where} ({len(self.seen)})"] = done.output
        return done.output

    async def asked(self, base: str, method: str, path: str, token: str | None = None, **more: object) -> str:
        """The whole answer, headers too; kept to be searched."""
        headers = {} if token is None else {"Authorization": aiohttp.encode_basic_auth("", token)}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, base + path, allow_redirects=False, **more) as answer,
        ):
            text = f"{answer.status} {dict(answer.headers)}\n{(await answer.read()).decode('utf-8', 'replace')}"
        self.seen[f"{method} {path} ({len(self.seen)})"] = text
        return text

    def kept_to_ourselves(self, folder: Path) -> None:
        """What lies in the state folder is for us alone; the keys in it are canaries from now on."""
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
        self.garden.plant("link.key", (folder / "link.key").read_bytes())
        pem = (folder / "push-key.pem").read_bytes()
        number = load_pem_private_key(pem, None).private_numbers().private_value
        self.garden.plant("push-key.pem", number.to_bytes(32, "big"))
        for line in pem.decode().splitlines()[1:-1]:
            if len(line) >= 16:
                self.garden.plant("push-key.pem", line)

    def subscription(self) -> dict[str, object]:
        """A device whose address is a secret, and its keys."""
        device = self.device.subscription()
        self.garden.plant("key of a device", device.p256dh)
        keys = {"p256dh": device.p256dh, "auth": encode(f"{STEM}abcd".encode())}
        endpoint = self.no.url(f"/device/{SECRET['endpoint']}")
        self.device_secrets = [endpoint, *keys.values()]
        return {"endpoint": endpoint, "keys": keys}

    def quoted(self) -> set[str]:
        """Notifiers whose receivers quoted a secret, which was masked."""
        return {attempt.notifier for attempt in self.attempts if log.MASK in attempt.detail}

    def told(self) -> dict[str, str]:
        """What receivers got, but for the key by which each knows us."""
        found = {f"mail {n}": str(mail.message) + mail.raw.decode() for n, mail in enumerate(self.mail.mails)}
        for name, receiver in (("no", self.no), ("later", self.later), ("yes", self.yes)):
            for n, request in enumerate(receiver.requests):
                body = request.body.decode("latin-1").replace(SECRET["app"], "").replace(SECRET["user"], "")
                if request.headers.get("x-key") or (request.method == "POST" and request.path in {"/", "/again"}):
                    continue  # a target that is looked at
                found[f"{name} {n} {request.path.partition('?')[0][:9]}"] = body
        return found


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    pytest.importorskip("apprise")
    async with Scene(tmp_path / "page").receivers() as made:
        yield made


async def test_no_output_holds_a_secret(scene: Scene) -> None:
    """Pages, JSON, feeds, metrics, messages, logs, errors, the state, the copy, commands: none of them has a canary."""
    lines = {style: io.StringIO() for style in ("json", "human")}
    log.configure(level="debug", style="json", stream=lines["json"])
    scene.file.write_text(scene.config())
    loaded = load(scene.file, kinds.rooms(), scene.environ)
    app = App(loaded, host=Host(reachable=loopback))
    await app.start()
    try:
        await _lived(scene, app, lines["human"])
    finally:
        await app.stop()
    seen, state = scene.seen, scene.folder / "state"
    scene.kept_to_ourselves(state)
    await scene.typed("export", "-c", str(scene.file), str(scene.folder / "copy"))
    seen |= scene.told()
    seen |= files(scene.folder / "copy") | files(scene.folder / "public")
    forms = {
        "repr": repr(loaded),
        "str": str(loaded),
        "json": loaded.model_dump_json(),
        "dump": str(loaded.model_dump()),
    }
    seen |= {form: text.replace(SECRET["script"], "") for form, text in forms.items()}
    seen |= {f"log as {style}": stream.getvalue() for style, stream in lines.items()}
    for name, text in files(state, r"link\.key", r"push-key\.pem").items():
        seen[name] = re.sub("|".join(map(re.escape, scene.device_secrets)), "", text)

    assert scene.garden.leaks(seen) == []
    assert "Landing" in next(text for where, text in seen.items() if where.startswith("crisp-status status"))
    assert all("not delivered" in seen[f"log as {style}"] for style in lines)
    assert scene.mail.mails, "good receivers took theirs"
    assert scene.quoted() >= PARROTED


async def _lived(scene: Scene, app: App, human: io.StringIO) -> None:
    base, c = f"http://{app.bound[0]}", ("-c", str(scene.file))
    manager = SECRET["manager"]
    state = app.engine.peek()
    scene.attempts = state.attempts
    subscription = {"operator": "jane", "subscription": scene.subscription()}
    await scene.asked(base, "POST", "/operator/push/subscriptions", manager, json=subscription)
    await until(lambda: state.health is Health.DEAD)
    await until(lambda: scene.quoted() >= PARROTED and scene.mail.mails)
    log.configure(level="debug", style="human", stream=human)
    for path in PUBLIC:
        await scene.asked(base, "GET", path)
        await scene.asked(base, "GET", path, "wrong")
    for path in MANAGED:
        await scene.asked(base, "GET", path, manager)
    d = (*c, "--url", base + "/")
    for words in (
        ("check", *c), ("check", "--json", *c), ("check", "--probe", *c), ("check", "--probe", "--json", *c), ("schema",),
        ("status", *d), ("status", "--json", *d), ("status", "--all", *d), ("outbox", "list", *d),
        ("outbox", "list", "--json", *d), ("outbox", "retry", *d), ("notify-test", "--wait", "1", *d),
        ("ack", "1", "--note", "Seen.", *d), ("ack", "99", *d), ("silence", "1h", *d), ("silence", "off", *d),
        ("announce", "add", "Work", *d), ("announce", "list", *d),
    ):  # fmt: skip
        await scene.typed(*words)
    waiting = json.loads(await scene.typed("outbox", "list", "--json", *d))
    await scene.typed("outbox", "drop", waiting["messages"][0]["id"], *d)
    me = {"CRISP_STATUS_REPORTER_TOKEN": SECRET["reporter"]}
    who = ("--service", "web", "--node", "backup", "--replica", "one")
    await scene.typed("report", "--help", environ=me)
    for url in (base, scene.no.url(), f"http://jane:{SECRET['typed']}@127.0.0.1:1/"):
        await scene.typed("report", "--url", url, *who, environ=me)
        await scene.typed("report", "--url", url, *who, "--token", SECRET["typed"])
        await scene.typed("report", "--url", url, *who, "--flush", environ=me)
        await scene.typed("status", *c, "--url", url)
    jane = f"jane:{SECRET['typed']}@127.0.0.1"
    for url in (f"http://{jane}:{scene.no.port}/", f"http://{jane}:1/", f"http://{jane}:bad/", f"none://{jane}/"):
        await scene.typed("look", url, "-o", f"headers.X-Key={TEXT['typed']}", "--retry", "0")
        await scene.typed("look", url, "-o", f"headers.Authorization={TEXT['header']}", "--json")
    await scene.typed("look", f"http://{jane}/", "-o", f"headers={TEXT['typed']}")
    await scene.typed("init", str(scene.folder / "fresh.toml"))
    fresh = tomli.loads((scene.folder / "fresh.toml").read_text())
    scene.garden.plant("a fresh manager token", fresh["server"]["manager_token"])
    scene.garden.plant("a fresh reporter token", fresh["server"]["reporter_token"])


BROKEN = """
import asyncio, logging, os, sys
from crisp_status import kinds, log
from crisp_status.agent import Agent
from crisp_status.agent.watch_list import jobs, secrets
from crisp_status.config.load import load
config = load(sys.argv[1], kinds.rooms(), os.environ)
log.configure(level="debug", style=sys.argv[2])
secrets = sorted(config.secrets())
async def broken():
    raise LookupError(*secrets)
async def main():
    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    del task
    try:
        await broken()
    except LookupError as error:
        log.get(secrets=secrets).exception("broken", **dict.fromkeys(secrets, secrets))
        logging.getLogger("somebody").exception("%s", secrets)
asyncio.run(main())
"""
"""Errors that nobody foresaw, with every secret of a configuration in them."""


async def _ran(scene: Scene, *words: str, endless: bool = False, **environ: str) -> None:
    """A process to its end, or to its first words if it is endless; what it printed is kept to be searched."""
    made = await asyncio.create_subprocess_exec(
        sys.executable, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={"PATH": os.environ["PATH"]} | scene.environ | environ,
    )  # fmt: skip
    first = await made.stdout.read(1)
    if endless:
        made.terminate()
    said = (first + (await made.communicate())[0]).decode()
    scene.seen[f"{' '.join(words[-4:])} {environ}"] = said
    assert said


async def test_no_process_prints_a_secret(scene: Scene) -> None:
    """The real daemon and agents, on both outputs, in both styles, to systemd: at work, refused, reloaded, and broken."""
    scene.file.write_text(scene.config(style="human"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.setblocking(False)
        manager.bind(str(scene.folder / "notify"))
        told = {"NOTIFY_SOCKET": str(scene.folder / "notify")}
        async with Process(scene.folder, environ=scene.environ | told) as daemon:
            served = await daemon.says("page is served")
            port = re.findall(r"127\.0\.0\.1:(\d+)", json.dumps(served))[0]
            agents = [
                _agent(scene, name, endpoint, told)
                for name, endpoint in (("agent", f"http://127.0.0.1:{port}/"), ("refused", scene.no.url()))
            ]
            async with agents[0] as agent, agents[1] as refused:
                fault = ["-m", "crisp_status", "status", "-c", str(scene.file), "--url"]
                fault.append(f"http://127.0.0.1:{SECRET['manager']}/")
                report = ["--url", scene.no.url(), "--service", "web", "--node", "backup", "--while", "exec sleep 999"]
                reporter = {"CRISP_STATUS_REPORTER_TOKEN": SECRET["reporter"]}
                await asyncio.gather(
                    _ran(scene, *fault),
                    _ran(scene, *fault, CRISP_STATUS_DEBUG="1"),
                    _ran(scene, "-c", BROKEN, str(scene.file), "human"),
                    _ran(scene, "-c", BROKEN, str(scene.file), "json"),
                    _ran(scene, "-m", "crisp_status", "report", *report, endless=True, **reporter),
                )
                await daemon.says("replica dead")
                await daemon.says("not delivered")
                await until(lambda: log.MASK in agent.text)  # one of its dead replicas quotes a secret
                await refused.says("the list could not be fetched")
                await _reloaded(daemon, "the configuration was not changed", "the new configuration is in force")
                wrong = "the changed configuration is wrong"
                await _reloaded(agent, wrong, "a list came into force")
                for one in (daemon, agent, refused):
                    one.signal(signal.SIGTERM)
                    await one.ended()
        status = []
        with contextlib.suppress(BlockingIOError):
            while True:
                status.append(manager.recv(4096).decode())
    printed = {"daemon": daemon.text, "agent": agent.text, "refused agent": refused.text}
    seen = scene.seen | printed | {"systemd": "\n".join(status)}
    kept = (scene.folder / "agent" / "state" / "agent-list.json").read_text()

    assert scene.garden.leaks(seen) == []
    assert [who for who, text in printed.items() if log.MASK not in text] == [], "each had something to hide"
    assert sum("Traceback" in text for text in seen.values()) == 3
    assert any("STATUS=looking at" in line for line in status)
    assert SECRET["list address"] in kept, "the agent got what it needs"


def _agent(scene: Scene, name: str, endpoint: str, told: dict[str, str]) -> Process:
    folder = scene.folder / name
    folder.mkdir()
    (folder / "config.toml").write_text(
        f'[server]\nlog_style = "human"\nlog_level = "debug"\n[local]\ninterval = 1\nretry = 0\n'
        f'[agent]\nendpoint = "{endpoint}"\ntoken = "${{credential:reporter}}"\n'
    )
    return Process(folder, environ=scene.environ | told, command="local")


async def _reloaded(process: Process, refused: str, taken: str) -> None:
    """Three times: a file that is no TOML, one with secrets in the wrong place, and the good one again."""
    good = process.path.read_text()
    fresh = TEXT["fresh"]
    wrong = (
        f"[server]\nmanager_token = [{fresh}]\n[[webhooks]]\nurl = {fresh}\nsecret = 7\n[agent]\ntoken = [{fresh}]\n"
    )
    for text in (f"token = {fresh} {fresh}\n", wrong):
        count = process.text.count(refused)
        process.path.write_text(text)
        process.signal(signal.SIGHUP)
        await until(lambda count=count: process.text.count(refused) > count)
    count = process.text.count(taken)
    process.path.write_text(good.replace('"human"', '"json"'))
    process.signal(signal.SIGHUP)
    await until(lambda: process.text.count(taken) > count)


async def test_an_agent_hides_what_it_knows(tmp_path: Path) -> None:
    """Its own token, and what the server's list has: passwords in addresses, header fields and bodies to send."""
    lines = io.StringIO()
    log.configure(level="debug", style="json", stream=lines)
    file = tmp_path / "agent.toml"
    file.write_text(f"""
[agent]
endpoint = "http://127.0.0.1:1/"
token = {TEXT["reporter"]}
[[services]]
name = "Lan"
[[services.nodes]]
name = "Box"
replicas = ["http://jane:{SECRET["list address"]}@127.0.0.1:1/"]
[services.nodes.http]
method = "POST"
headers = {{ X-Key = {TEXT["list header"]} }}
body = {TEXT["body"]}
""")
    config = load(file, kinds.rooms(), {}, role="agent")
    nodes = local_map(config, plan(config), frozenset({"poll"})).nodes
    found, _ = jobs(nodes, scripts=False)

    hidden = secrets(nodes, found.values())

    assert hidden >= {SECRET["list address"], SECRET["list header"], SECRET["body"]}
    Agent(config, SystemClock())
    log.get().info("said", token=SECRET["reporter"], header=aiohttp.encode_basic_auth("", SECRET["reporter"]))
    assert STEM not in lines.getvalue()
    assert Garden().leaks({"log": lines.getvalue()}) == []


def test_a_secret_in_a_broken_file_is_not_quoted(tmp_path: Path) -> None:
    """Complaints about a value that may be a secret say what is wrong without showing it."""
    (tmp_path / "c.toml").write_text(
        f'[page]\nname="A"\nurl="http://a.example/"\n[server]\nmanager_token=[{TEXT["fresh"]}]\n'
        f'[[notifiers]]\ntype="slack"\nhook_url={TEXT["fresh"]}\n[[webhooks]]\nurl="ftp://{SECRET["fresh"]}"\nsecret=7\n'
    )
    done = CliRunner().invoke(commands, ["check", "-c", str(tmp_path / "c.toml")])

    assert done.exit_code == 2
    assert Garden().leaks({"check": done.output}) == []

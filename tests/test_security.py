"""What nobody may do, tried against a real daemon: paths, headers, origins, frames, files, tokens."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner

from crisp_status.cli import commands
from crisp_status.formats.documents import table
from crisp_status.loops.folder import Folder
from crisp_status.messages import action_links
from crisp_status.view.build import build
from tests import house
from tests.daemon import BASE, daemon, get
from tests.formats.samples import NOW, acme, healthy
from tests.fuzzing.world import BEAT, CONFIG, MANAGER, REPORTER, World

UPWARD = (
    "/assets/../config.toml", "/assets/..%2fconfig.toml", "/assets/%2e%2e/config.toml", "/assets/%2e%2e%2fconfig.toml",
    "/assets/..%5cconfig.toml", "/assets/....//config.toml", "/../config.toml", "//config.toml", "/./config.toml",
    "/badge/../../config.toml.svg", "/badge/web/..%2f..%2fconfig.toml.svg", "/history/..%2f..%2fconfig.toml", "/fr/../../config.toml",
    "/incidents/../config.toml", "/api/v2/..%2f..%2fconfig.toml.json", "/act/..%2fstate%2flink.key", "/state/link.key",
    "/operator/push/../../state/link.key", "/%00/config.toml", "/config.toml%00.svg", "/assets/config.toml\\..", "file:///etc/passwd",
)  # fmt: skip


async def test_no_path_leads_out(tmp_path: Path) -> None:
    """Dots, encoded or not, reach no file: what is served was made in memory, and only its own names are known."""
    async with daemon(tmp_path, CONFIG) as app:
        world = World(app, tmp_path)
        for path in UPWARD:
            for method in ("GET", "POST"):
                raw = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {MANAGER}\r\nConnection: close\r\n\r\n"
                said = await world.ask(raw.encode())
                assert re.match(rb"HTTP/1\.[01] (400|404|405) ", said), (path, said[:80])
                assert b"manager-token" not in said
                assert b"[page]" not in said


@pytest.mark.parametrize(
    "id", ["../x", "..", ".", "a/b", "a\\\\b", "", "a\\u0000", "é", "-a", "a" * 65, "a b", "%2e%2e"]
)
def test_ids_are_no_paths(tmp_path: Path, id: str) -> None:
    """Ids stand in addresses and file names: what could lead elsewhere is refused in the configuration."""
    file = tmp_path / "config.toml"
    file.write_text(
        BASE + f'[[services]]\nid = "{id}"\nname = "Web"\n[[services.nodes]]\nname = "API"\nmode = "push"\n'
    )
    done = CliRunner().invoke(commands, ["check", "-c", str(file)])

    assert done.exit_code == 2
    assert "services[0].id" in done.output


def test_a_copy_stays_in_its_folder(tmp_path: Path) -> None:
    """A link that somebody laid in the folder is replaced, not followed; nothing is written outside."""
    outside, folder = tmp_path / "outside", tmp_path / "public"
    outside.write_text("precious")
    folder.mkdir()
    (folder / "index.html").symlink_to(outside)
    (folder / ".robots.txt.new").symlink_to(outside)
    Folder(folder).write(build(healthy(), acme(), NOW), table(acme()))

    assert outside.read_text() == "precious"
    assert not (folder / "index.html").is_symlink()
    assert "<html" in (folder / "index.html").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["outside", "public"]


async def test_what_is_kept_is_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever the umask: the state folder 0700, every file in it 0600, keys too."""
    before = os.umask(0)
    try:
        async with daemon(tmp_path / "home", CONFIG) as app:
            await app.engine.snapshot()
    finally:
        os.umask(before)
    state = tmp_path / "home" / "state"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}

    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {"link.key", "push-key.pem"} <= set(modes)
    assert set(modes.values()) == {0o600}, modes


GUARDED = (
    "/manager/status",
    "/manager/outbox",
    "/operator/push/key",
    "/operator/push/subscriptions",
    "/metrics",
    "/v1/probes/local",
)


async def test_other_sites_may_read_only_what_is_public(tmp_path: Path) -> None:
    """No preflight opens a guarded door, none of them shows itself to other origins, and no answer sets a cookie."""
    async with daemon(tmp_path, CONFIG) as app, aiohttp.ClientSession(f"http://{app.bound[0]}") as session:
        ask = {
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        }
        for path in (*GUARDED, "/manager/announcement", "/act/1.silence.1.x"):
            async with session.options(path, headers=ask) as answer:
                assert answer.status in {404, 405}, path
                assert "Access-Control-Allow-Headers" not in answer.headers
                assert "Access-Control-Allow-Credentials" not in answer.headers
        for path in GUARDED:
            token = REPORTER if path.startswith("/v1") else MANAGER
            async with session.get(path, headers={"Authorization": token, **ask}) as answer:
                assert answer.status == 200, path
                assert "Access-Control-Allow-Origin" not in answer.headers, path
                assert answer.headers["Cache-Control"] == "no-store", path
                assert "Set-Cookie" not in answer.headers
        for path in ("/status/report", "/embed.json", "/api/v2/summary.json", "/badge.svg"):
            async with session.get(path, headers=ask) as answer:
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_what_a_browser_may_do_with_a_page(tmp_path: Path) -> None:
    """Every page of HTML: a policy without inline script or foreign origins, no frames, no sniffing, no cookie."""
    async with daemon(tmp_path, CONFIG) as app, aiohttp.ClientSession(f"http://{app.bound[0]}") as session:
        key = (app.config.state_folder / "link.key").read_bytes()
        link = action_links.sign(key, 1, "silence", app.clock.now() + 60)
        for path in ("/", "/history", "/nothing", "/incidents/77", f"/act/{link}", "/act/x", "/operator/"):
            async with session.get(path, headers={"Accept": "text/html"}) as answer:
                html = answer.headers["Content-Type"].startswith("text/html")
                policy = dict(
                    p.strip().split(" ", 1)
                    for p in answer.headers.get("Content-Security-Policy", "").split(";")
                    if p.strip()
                )
                assert html, path
                assert policy["default-src"] == "'none'", path
                assert policy["frame-ancestors"] == "'none'", path
                assert policy["base-uri"] == "'none'", path
                assert "unsafe" not in str(policy), path
                assert not re.search(r"\*|https?:", policy.get("script-src", "") + policy.get("style-src", "")), path
                assert answer.headers["X-Content-Type-Options"] == "nosniff", path
                assert "Set-Cookie" not in answer.headers


async def test_the_worker_is_for_operators_only(tmp_path: Path) -> None:
    """The service worker may control the console and nothing of the public page, and loads nothing from elsewhere."""
    async with (
        daemon(tmp_path, CONFIG) as app,
        aiohttp.ClientSession(f"http://{app.bound[0]}") as session,
        session.get("/operator/push/worker.js") as answer,
    ):
        assert answer.headers["Service-Worker-Allowed"] == "/operator/"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "importScripts" not in await answer.text()
        assert "fetch" not in await answer.text()


async def test_links_act_only_when_pressed(tmp_path: Path) -> None:
    """GET, HEAD and OPTIONS of a right link change nothing; POST does; a link for one purpose serves no other."""
    async with daemon(tmp_path, CONFIG) as app, aiohttp.ClientSession(f"http://{app.bound[0]}") as session:
        report = json.dumps({"replica_id": "a", "interval": 60, "health": "dead"})
        async with session.post("/v1/report/web/api", data=report, headers={"Authorization": REPORTER}):
            pass
        state = app.engine.peek()
        async with asyncio.timeout(10):
            while not state.open:
                await asyncio.sleep(0.02)
        [incident] = state.open.values()
        key = (app.config.state_folder / "link.key").read_bytes()
        link = action_links.sign(key, incident.id, "acknowledge", app.clock.now() + 60)
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE"):
            async with session.request(method, f"/act/{link}"):
                pass
        assert not incident.acknowledged_at
        async with session.post(f"/act/{link.replace('acknowledge', 'silence')}") as answer:
            assert answer.status == 404
        async with session.post(f"/act/{link}") as answer:
            assert answer.status == 200
        assert incident.acknowledged_at
        assert not state.silences


async def test_tokens_open_their_own_doors_only(tmp_path: Path) -> None:
    """A reporter's token does not manage, a heartbeat's reports nothing else, the manager's is no reporter's."""
    async with daemon(tmp_path, CONFIG) as app:
        for path in GUARDED[:-1]:
            for token in (REPORTER, aiohttp.encode_basic_auth("", BEAT), f"Bearer {BEAT}", "Basic Og==", "Bearer ", ""):
                assert (await get(app, path, Authorization=token))[0] in {401, 403, 429}, (path, token)
        for token in (MANAGER, aiohttp.encode_basic_auth("", BEAT)):
            assert (await get(app, "/v1/probes/local", Authorization=token))[0] in {401, 403, 429}


SECRET_NAMES = re.compile(r"token|secret|password|signature|credential", re.IGNORECASE)


def compared() -> Iterator[str]:
    """Places where something that is called like a secret is compared by `==`."""
    for name, tree in house.modules().items():
        if not name.startswith(("crisp_status/web", "crisp_status/reports", "crisp_status/messages/action_links")):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [node.left, *node.comparators]
                words = [ast.unparse(side) for side in sides if not isinstance(side, ast.Constant)]
                if len(words) == len(sides) and any(SECRET_NAMES.search(word) for word in words):
                    yield f"{name}:{node.lineno}: {ast.unparse(node)}"


ALLOWED = {"scope.heartbeat(token) != node", "scope.place(token) != call.arg('place')"}
"""Compares nodes and places, which were found by a digest."""


def test_secrets_are_compared_in_constant_time() -> None:
    """`hmac.compare_digest`, or a look-up by digest: never `==`, whose time tells how much of a guess was right."""
    assert [place for place in compared() if place.split(": ", 1)[1] not in ALLOWED] == []

"""Pictures for README and docs, of the real thing: a daemon with ninety days behind it, in the middle of an outage.

`python -m tests.screenshots FOLDER` starts targets, a mail server and the daemon on loopback, ends two targets, waits
until the page says so and takes the pictures with Chromium.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import msgspec
from playwright.async_api import async_playwright

from crisp_status import kinds, log
from crisp_status.app import App
from crisp_status.config import plan as planning
from crisp_status.config.load import load
from crisp_status.config.root import Config
from crisp_status.core.events import Observed, Planned, Ticked
from crisp_status.core.model import Health, Reason, ReasonCode, State
from crisp_status.core.step import prepare, step
from crisp_status.core.world import World
from crisp_status.store.state_folder import StateFolder
from tests.daemon import listening, until
from tests.formats.samples import BAD_DAYS, LOGO, NODES, WAVES
from tests.receivers import SmtpReceiver

DAYS = 90
DOWN = ("pay/checkout", "pay/invoice")
CHROMIUM = "/usr/bin/chromium"
SHOTS = (
    ("page.png", 1280, 980, "light", "dead"),
    ("page-phone.png", 390, 844, "light", "dead"),
    ("page-dark.png", 1280, 980, "dark", "dead"),
    ("page-healthy.png", 1280, 980, "light", "healthy"),
)
ANNOUNCEMENT = {
    "title": "Card payments are failing, please wait before you retry",
    "text": "A network fault at our payment partner blocks new card payments. **You will not be charged twice.**",
}


def written(folder: Path, ports: dict[str, list[int]], mail: int) -> Config:
    """The configuration, with its logos, for targets on these ports."""
    for name, text in (
        ("light.svg", LOGO.format("#fff")), ("dark.svg", LOGO.format("#141822")), ("waves.svg", WAVES.format("#fff")),
    ):  # fmt: skip
        (folder / name).write_text(text)
    lines = [
        '[page]\nname = "Acme Status"\nurl = "http://127.0.0.1/"\ncompany = "Acme"',
        'support_url = "https://acme.example/support"\nwebsite_url = "https://acme.example/"',
        '[page.branding]\ncolor = "#2f4fe0"\nheader_logo = "light.svg"\nfooter_logo = "dark.svg"',
        'header_pattern = "waves.svg"\n[server]\nlisten = ["127.0.0.1:0"]\nmanager_token = "manager-token"',
        "[poll]\ninterval = 2\nretry = 0\ndelay_dead = 1\n[notify]\ngroup_wait = 1",
        '[[notifiers]]\ntype = "email"\nto = ["ops@acme.example"]\nfrom = "status@acme.example"',
        f'smtp_host = "127.0.0.1"\nsmtp_port = {mail}\nsmtp_security = "none"',
    ]
    for service, (title, nodes) in NODES.items():
        lines.append(f'[[services]]\nid = "{service}"\nname = "{title}"')
        for node, (name, _, _) in nodes.items():
            urls = [f"tcp://127.0.0.1:{port}" for port in ports[f"{service}/{node}"]]
            lines.append(f'[[services.nodes]]\nid = "{node}"\nname = "{name}"\nreplicas = {json.dumps(urls)}')
    (folder / "config.toml").write_text("\n".join(lines))
    return load(folder / "config.toml", kinds.rooms(), {})


def live(config: Config, now: float) -> None:
    """Ninety days in the life of that page, through the core, into its state folder."""
    world, start = World(State()), now - DAYS * 86400.0
    quiet = msgspec.structs.replace(planning.plan(config), notifiers=(), webhooks=())

    def happen(event: Planned | Observed | Ticked) -> None:
        prepare(world, event)
        step(world, event)

    def all_of(node: str, at: float, health: Health, code: str = "ok") -> None:
        for replica in world.state.nodes[node].replicas:
            happen(
                Observed(
                    at=at,
                    node=node,
                    replica=replica,
                    health=health,
                    since=at,
                    reason=Reason(ReasonCode(code)),
                    latency_ms=30,
                )
            )

    happen(Planned(at=start, plan=quiet, fresh=True))
    for node in list(world.state.nodes):
        all_of(node, start + 1, Health.HEALTHY)
    bad = {(day, node): how for node, days in BAD_DAYS.items() if "/" in node for day, how in days.items()}
    hours = int((now - start) // 3600)
    for hour in range(hours):
        at = start + hour * 3600.0
        happen(Ticked(at=at + 2))
        for (day, node), (word, minutes) in bad.items():
            if hour == day * 24 + 13:
                code = "no_answer" if word == "dead" else "slow"
                all_of(node, at + 600, Health.DEAD if word == "dead" else Health.SICK, code)
                happen(Ticked(at=(at + 660) // 5 * 5))
                all_of(node, at + 600 + minutes * 60, Health.HEALTHY)
                happen(Ticked(at=(at + 720 + minutes * 60) // 5 * 5))
    for node in list(world.state.nodes):
        for back in range(48, 0, -1):
            all_of(node, now - back * 1800.0, Health.HEALTHY)
    happen(Ticked(at=now - 5))
    store = StateFolder(config.state_folder)
    store.open()
    store.begin_snapshot().write(store.encode(world.state))
    store.close()


async def outage(app: App, targets: dict[str, contextlib.AsyncExitStack]) -> None:
    """End the targets, post the announcement, wait until the page shows all of it."""
    for key in DOWN:
        await targets[key].aclose()
    state = app.engine.peek()
    await until(lambda: all(state.nodes[k].health is Health.DEAD for k in DOWN))
    auth = aiohttp.encode_basic_auth("", "manager-token")
    url = f"http://{app.bound[0]}/manager/announcement"
    async with aiohttp.request("POST", url, json=ANNOUNCEMENT, headers={"Authorization": auth}) as answer:
        answer.raise_for_status()
    await until(lambda: any(i.alerted_at for i in state.open.values()))
    await until(lambda: app.site.view is not None and bool(app.site.view.announcements), 30)
    await asyncio.sleep(2)


async def photograph(app: App, folder: Path, when: str) -> None:
    """Take the pictures of that moment."""
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for name, width, height, scheme, moment in SHOTS:
            if moment == when:
                size = {"width": width, "height": height}
                page = await browser.new_page(viewport=size, color_scheme=scheme, device_scale_factor=1.25)
                await page.goto(f"http://{app.bound[0]}/")
                await page.wait_for_timeout(600)
                await page.screenshot(path=folder / name)
                print(folder / name)
        await browser.close()


async def main(folder: Path) -> None:
    """Everything, in a temporary folder."""
    log.configure(level="error")
    async with contextlib.AsyncExitStack() as stack, SmtpReceiver("none") as mail:
        ports: dict[str, list[int]] = {}
        targets: dict[str, contextlib.AsyncExitStack] = {}
        for service, (_, nodes) in NODES.items():
            for node, (_, _, latencies) in nodes.items():
                key = f"{service}/{node}"
                targets[key] = await stack.enter_async_context(contextlib.AsyncExitStack())
                ports[key] = [await targets[key].enter_async_context(listening()) for _ in latencies]
        where = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        config = written(where, ports, mail.port)
        live(config, time.time())
        app = App(config)
        await app.start()
        try:
            await asyncio.sleep(6)
            await photograph(app, folder, "healthy")
            await outage(app, targets)
            await photograph(app, folder, "dead")
        finally:
            await app.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

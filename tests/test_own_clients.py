"""Our library and our agent against our daemon: through a restart of it, and many at once."""

import asyncio
import time

from crisp_status import kinds
from crisp_status.agent import Agent
from crisp_status.app import App
from crisp_status.clock import SystemClock
from crisp_status.config.load import load
from crisp_status.reporter import AsyncReporter

TOKEN = "our-own-clients-token"


def page(folder, port, target):
    """A page with an application and a private network."""
    file = folder / "config.toml"
    file.write_text(
        f'[page]\nname = "Acme"\nurl = "http://localhost/"\n[server]\nlisten = ["127.0.0.1:{port}"]\n'
        f'reporter_token = "{TOKEN}"\n[push]\ndelay_dead = 2.0\ncpu_sick_above = 100.0\n[local]\ninterval = 1.0\nsilent_dead = 2.0\n'
        '[[services]]\nname = "Web"\n[[services.nodes]]\nname = "API"\nmode = "push"\n'
        f'[[services]]\nname = "LAN"\n[[services.nodes]]\nname = "Office"\nmode = "local"\nreplicas = ["{target}"]\n'
    )
    return load(file, kinds.rooms(), {})


def agent(folder, port):
    file = folder / "agent.toml"
    file.write_text(f'[agent]\nendpoint = "http://127.0.0.1:{port}"\ntoken = "{TOKEN}"\n')
    return Agent(load(file, kinds.rooms(), {}, role="agent"), SystemClock())


def healths(app):
    nodes = app.engine.peek().nodes
    return [r.health.word for key in ("web/api", "lan/office") for r in nodes[key].replicas.values()]


async def until(condition, seconds=10):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_restart_of_the_daemon_is_nobodys_silence(tmp_path):
    """Longer away than silence may last, and nothing was dead: our own absence does not count, and all report again."""
    listener = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
    target = f"tcp://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    app = App(page(tmp_path, 0, target))
    await app.start()
    port = int(app.bound[0].rpartition(":")[2])
    async with AsyncReporter(f"http://127.0.0.1:{port}", TOKEN, "web", "api", "r1", 1.0, retry=0.2):
        looking = asyncio.create_task(agent(tmp_path, port).run())
        await until(lambda: healths(app) == ["healthy", "healthy"])
        await app.stop()
        await asyncio.sleep(3.5)

        app = App(page(tmp_path, port, target))
        await app.start()
        back = time.time()
        seen = set()

        def both_again():
            seen.update(healths(app))
            nodes = app.engine.peek().nodes.values()
            return all(r.seen_at > back + 0.5 for node in nodes for r in node.replicas.values())

        await until(both_again)
        looking.cancel()
        await asyncio.wait((looking,))
    state = app.engine.peek()
    await app.stop()
    listener.close()

    assert seen == {"healthy"}
    assert not state.open
    assert not state.closed

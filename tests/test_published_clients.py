"""The published reporter libraries, as their users install them, against the real daemon, through a whole life.

Unmodified but for the endpoint override of PROTOCOLS section 1.5. They wait ten seconds before their first report, so
all of them live side by side.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.app import App
from crisp_status.config.load import load

NPM = Path(__file__).parent / "npm"
TOKEN = "published-clients-token"

CRISP_PYTHON = f"""
import sys, time, crisp_status_reporter
crisp_status_reporter.REPORT_URL = sys.argv[1] + "/v1"
crisp_status_reporter.Reporter("{TOKEN}", "crisp", "python", "python/crisp", interval=1)
time.sleep(120)
"""
VIGIL_PYTHON = f"""
import sys, time
from vigil_reporter.reporter import VigilReporter
VigilReporter(sys.argv[1], "{TOKEN}", "vigil", "python", "python/vigil", 1.0).start_reporting()
time.sleep(120)
"""
OURS = f"""
import sys, time
from crisp_status.reporter import Reporter
Reporter(sys.argv[1], "{TOKEN}", "crisp", "ours", "ours", interval=1)
time.sleep(120)
"""

REPLICAS = {
    ("crisp/python", "python/crisp"): [sys.executable, "-c", CRISP_PYTHON],
    ("vigil/python", "python/vigil"): [sys.executable, "-c", VIGIL_PYTHON],
    ("crisp/ours", "ours"): [sys.executable, "-c", OURS],
}
NODE_REPLICAS = {
    ("crisp/npm", "node/crisp"): ["node", str(NPM / "reporters.cjs"), "crisp"],
    ("vigil/npm", "node/vigil"): ["node", str(NPM / "reporters.cjs"), "vigil"],
}


def config(folder, most):
    """A page with a node for each client; load above `most` is sick."""
    nodes = "".join(
        f'[[services]]\nname = "{service}"\n'
        + "".join(
            f'[[services.nodes]]\nname = "{node}"\nmode = "push"\nram_sick_above = {most}\ncpu_sick_above = 100.0\n'
            for node in ("Python", "npm", "Ours")
        )
        for service in ("Crisp", "Vigil")
    )
    file = folder / "config.toml"
    file.write_text(
        f'[page]\nname = "Acme"\nurl = "http://localhost/"\n[server]\nlisten = ["127.0.0.1:0"]\n'
        f'reporter_token = "{TOKEN}"\n[push]\ndelay_dead = 1.0\n{nodes}'
    )
    return load(file, kinds.rooms(), {})


class Stage:
    """The daemon, and what its page says."""

    def __init__(self, app):
        self.app = app
        self.url = f"http://{app.bound[0]}"

    def healths(self, replicas):
        nodes = self.app.engine.peek().nodes
        return {
            replica: nodes[node].replicas[replica].health.word if replica in nodes[node].replicas else "unknown"
            for node, replica in replicas
        }

    async def until(self, replicas, word, seconds, but=()):
        """Until every replica has that health, but those that never report load."""
        try:
            async with asyncio.timeout(seconds):
                while any(h != ("healthy" if r in but else word) for r, h in self.healths(replicas).items()):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"not all became {word}: {self.healths(replicas)}")

    async def shows(self, word):
        """Until a visitor is told so."""
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while True:
                async with session.get(self.url + "/status/text") as answer:
                    if await answer.text() == word:
                        return
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def clients(commands, url, said):
    """Processes that report; what they say goes into the file."""
    started = []
    environ = os.environ | {"PYTHONPATH": str(Path.cwd())}
    try:
        with said.open("wb") as out:
            for command in commands:
                where = [url, TOKEN] if command[0] == "node" else [url]
                started.append(
                    await asyncio.create_subprocess_exec(*command, *where, stdout=out, stderr=out, env=environ)
                )
        yield started
    finally:
        for process in started:
            process.kill()
            await process.wait()


def available():
    if shutil.which("node") and (NPM / "node_modules" / "vigil-reporter").is_dir():
        return REPLICAS | NODE_REPLICAS
    return REPLICAS


@pytest.mark.npm
async def test_a_whole_life(tmp_path):
    """First report, sick by load, silence, dead, back: by every published library, and by ours."""
    replicas = available()
    app = App(config(tmp_path, 100.0))
    await app.start()
    try:
        stage = Stage(app)
        async with clients(replicas.values(), stage.url, tmp_path / "said") as processes:
            await stage.until([("vigil/python", "python/vigil"), ("crisp/ours", "ours")], "healthy", 5)
            await stage.until(replicas, "healthy", 20)
            await stage.shows("healthy")

            await app.reload(config(tmp_path, 0.00001))
            await stage.until(replicas, "sick", 5, but={"python/crisp"})
            await stage.shows("sick")

            for process in processes:
                process.send_signal(signal.SIGSTOP)
            await stage.until(replicas, "dead", 6)
            await stage.shows("dead")

            await app.reload(config(tmp_path, 100.0))
            for process in processes:
                process.send_signal(signal.SIGCONT)
            await stage.until(replicas, "healthy", 15)
            await stage.shows("healthy")
            assert app.counters.reports_refused == 0
            said = (tmp_path / "said").read_text()
            assert not any(
                word in said.lower() for word in ("timed out", "aborted", "request error", "failed: true", "traceback")
            ), said
    finally:
        await app.stop()

    if replicas is REPLICAS:
        pytest.skip("the npm libraries are not installed: make npm")

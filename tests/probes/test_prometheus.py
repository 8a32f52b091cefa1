"""Values of a real Prometheus as health."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from crisp_status.probes.prometheus import Options
from tests.probes.databases import free_port, needed, running
from tests.probes.servers import answering, blackhole, http, looked, refusing, talking


@contextlib.asynccontextmanager
async def prometheus() -> AsyncIterator[int]:
    """One that scrapes nothing: queries may make values by themselves."""
    needed("prometheus")
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "prometheus.yml"
        file.write_text("scrape_configs: []\n")
        words = [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={name}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        async with running(*words, port=port) as found:
            while (await looked(f"http://127.0.0.1:{port}/-/ready")).outcome != "healthy":  # it listens before it is
                await asyncio.sleep(0.05)
            yield found


async def test_the_worst_value_of_a_real_prometheus_decides() -> None:
    """Healthy, sick, dead, empty, not a number, a query that is wrong; the query in the address or in the options."""
    two = 'label_replace(vector(5), "job", "mail", "", "") or label_replace(vector(50), "job", "web", "", "")'
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "healthy": (two, {"sick_above": 60.0, "dead_above": 100.0}),
        "sick": (two, {"sick_above": 10.0, "dead_above": 100.0}),
        "dead": (two, {"sick_above": 1.0, "dead_above": 10.0}),
        "below": ("3", {"dead_below": 4.0}),
        "empty": ("vector(1) > 2", {}),
        "fine": ("vector(1) > 2", {"empty": "healthy"}),
        "nan": ("vector(NaN)", {}),
        "wrong": ("sum(", {}),
    }
    async with prometheus() as port:
        url = f"prometheus://127.0.0.1:{port}"
        seen = {
            name: await looked(url, query=query, delay_dead=20.0, delay_sick=20.0, **given)
            for name, (query, given) in cases.items()
        }
        written = await looked(f"{url}/?query={quote('vector(1)')}", dead_above=0.5, delay_dead=20.0, delay_sick=20.0)

    assert {name: look.outcome for name, look in seen.items()} == {
        "healthy": "healthy", "sick": "sick", "dead": "dead", "below": "dead",
        "empty": "dead", "fine": "healthy", "nan": "dead", "wrong": "dead",
    }, {name: look.reason.text for name, look in seen.items()}  # fmt: skip
    assert seen["sick"].reason.text == '{job="web"} is 50: sick above 10'
    assert seen["dead"].reason.text == '{job="web"} is 50: dead above 10'
    assert seen["wrong"].reason.text.startswith("the query fails: ")
    assert written.reason.text == "the value is 1: dead above 0.5"


async def test_what_is_no_prometheus_is_dead_and_no_query_is_ours() -> None:
    """In words."""
    async with talking(answering({"GET /api/v1/query?query=up": http("404 Not Found", b"<html>")})) as server:
        other = await looked(f"prometheus://{server.address}", query="up")
        none = await looked(f"prometheus://{server.address}")
    with blackhole() as address:
        silent = await looked(f"prometheus://{address}", query="up", delay_dead=0.3)
    refused = await looked(f"prometheus://{refusing()}", query="up")

    assert other.reason.text == "the answer (404) is not that of Prometheus"
    assert (none.outcome, silent.reason.code, refused.reason.code) == ("unknown", "no_answer", "refused")


@pytest.mark.parametrize(
    "options", [{"sick_above": 5.0, "dead_above": 1.0}, {"dead_below": 5.0, "sick_below": 1.0}, {"empty": "sick"}]
)
def test_thresholds_that_cannot_be(options: dict[str, object]) -> None:
    """Sick comes before dead."""
    with pytest.raises(ValidationError):
        Options.model_validate(options)

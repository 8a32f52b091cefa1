"""Figures for Prometheus, read by the parser of its client library."""

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from crisp_status.formats.exposition import Backlog, Counters, exposition
from tests.formats.test_statuspage import STORIES, partly


def samples(text):
    return {
        (s.name, *sorted(s.labels.items())): s.value
        for family in text_string_to_metric_families(text.decode())
        for s in family.samples
    }


@pytest.mark.parametrize("tale", STORIES, ids=lambda s: s.__name__)
def test_valid(tale):
    """Every state gives families that are named, described and typed, each sample once."""
    text = exposition(tale().view(), Counters(looks=3), Backlog())
    families = list(text_string_to_metric_families(text.decode()))

    assert all(f.name.startswith("crisp_status_") and f.documentation and f.type != "unknown" for f in families)
    keys = [(s.name, *sorted(s.labels.items())) for f in families for s in f.samples]
    assert len(keys) == len(set(keys))
    assert not re.search(rb"10\.0\.0", text)


def test_values():
    """Health, replicas, latency, looks, lateness and what is unsent."""
    counters = Counters(looks=7, late_ms_total=1500, requests=9, queue=2, wrong_tokens=4)
    found = samples(exposition(partly().view(), counters, Backlog(waiting=3, failing=1, gave_up=2, oldest_seconds=60)))
    api = (("node", "api"), ("service", "web"))

    assert found["crisp_status_page_health",] == 3
    assert found["crisp_status_node_health", *api] == 3
    assert found["crisp_status_node_replicas", ("health", "dead"), *api] == 1
    assert found["crisp_status_node_latency_seconds", *api] == pytest.approx(0.12)
    assert found["crisp_status_looks_total",] == 7
    assert found["crisp_status_lateness_seconds_total",] == 1.5
    assert found["crisp_status_outbox",] == 3
    assert found["crisp_status_deliveries_given_up_total",] == 2
    assert found["crisp_status_queue",] == 2
    assert found["crisp_status_wrong_tokens_total",] == 4


def test_before_the_first_view():
    """While the daemon starts there are the figures of its loops."""
    found = samples(exposition(None, Counters(), Backlog()))

    assert ("crisp_status_looks_total",) in found
    assert ("crisp_status_page_health",) not in found

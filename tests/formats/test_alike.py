"""Rows that are made from a pattern: the same bytes as rows that are made one by one."""

import msgspec
import pytest

from crisp_status.core.model import Health, Tally
from crisp_status.formats.html import Html
from crisp_status.language.catalogues import catalogues
from crisp_status.view.build import build
from tests.formats import samples
from tests.formats.samples import NOW, TODAY, at

ACME = samples.acme()


def variety():
    """Nodes enough for a page without bars, and every way in which rows of healthy ones can differ."""
    sample = samples.many(10, 21)
    sample.hurt("v3/n7", [2], Health.DEAD, at(14, 26), samples.NO_ANSWER)
    for number, (name, mode, figures, more) in enumerate(
        [
            ("<b>&amp; \x01\x02 {{ name }}", "poll", [20], {}),
            ("Seventy", "poll", [30] * 70, {}),
            ("Slow to look", "poll", [20, 20, 20], {"interval": 7200.0}),
            ("Reports", "push", [20, 30, 40], {}),
            ("Linked", "poll", [20], {"link_url": "https://a.example/?b=1&c=<", "link_label": "<More> \x01"}),
            ("Linked elsewhere", "poll", [20], {"link_url": "https://b.example/"}),
            ("Linked by name", "poll", [20], {"link_url": "https://b.example/", "link_label": "B"}),
            ("Nothing seen", "push", [], {}),
            ("New", "poll", [20], {"born": TODAY}),
        ]
    ):
        sample.add("v1", f"more-{number}", name, mode, figures, **({"born": TODAY - 89 * 86400} | more))
    sample.state.days[50].others["v2/n4"] = Tally(healthy=80_000.0, dead=6_400.0)
    state = sample.settle()
    state.nodes["v2/n2"].unstable = True
    state.nodes["v2/n3"].replicas["r2"].health = Health.PENDING
    state.nodes["v2/n5"].health = Health.PENDING
    return state


def beginning():
    """Nobody was looked at yet."""
    sample = samples.many(10, 21)
    for node in sample.state.nodes.values():
        for replica in node.replicas.values():
            replica.health, replica.latency_ms, replica.seen_at = Health.PENDING, -1, 0.0
    return sample.settle()


@pytest.mark.parametrize("state", [variety(), beginning()], ids=["variety", "beginning"])
def test_a_pattern_makes_the_row_that_its_template_makes(tmp_path, state):
    """In every language, for whatever a row may show. With templates of the operator no row comes from a pattern."""
    languages = ("en", "de", "ar")
    info = msgspec.structs.replace(ACME, languages=languages)
    view = build(state, info, NOW)
    alike = Html(info, catalogues(languages))
    one_by_one = Html(msgspec.structs.replace(info, templates=tmp_path), catalogues(languages))

    assert len(view.nodes) > 200
    for language in languages:
        assert alike.home(view, language) == one_by_one.home(view, language)
    assert len(alike._rows.get(("many.html", "en"), ())) < 5
    assert len(one_by_one._rows["many.html", "en"]) == len(view.nodes)


def test_thousands_of_rows_need_few_patterns():
    """1,000 nodes of which nearly all are well: two patterns serve them."""
    html = Html(ACME)
    html.home(build(samples.thousand(), ACME, NOW))

    assert len(html._patterns._made) <= 2

"""Whatever stands in the file: a configuration comes out, or problems with places; never anything else."""

from __future__ import annotations

import copy
import random
import re
from pathlib import Path
from typing import Any

import tomli
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.config.plan import plan, targets
from crisp_status.config.problems import ConfigError
from crisp_status.config.root import Config

EXAMPLE = (Path(__file__).resolve().parents[2] / "config.example.toml").read_text(encoding="utf-8")
WHOLE = tomli.loads(re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE))

for where, what in (("page", "branding"), ("page", "stylesheet"), ("page", "templates")):
    del WHOLE[where][what]
del WHOLE["services"][0]["nodes"][0]["http"]["body"]

ODD = [
    *(
        "",
        "x",
        "${X}",
        "${",
        "http://",
        "http://[",
        "tcp://a:b@c:1",
        "://",
        "\x7f",
        "a\x00",
        "é" * 300,
        "[::1]:80",
        "a/b",
        "web/x",
    ),
    *(0, -1, 10**30, 1.5, float("inf"), float("nan"), True, [], {}, [[]], [{}], {"a": {}}, ["x", 1], [None] * 0),
    *(
        ["http://a/", {"url": "http://a/"}],
        {"url": 1},
        [{"id": 1}],
        [{"id": "a", "name": ""}],
        [{"nodes": [{"replicas": {}}]}],
    ),
]


def spots(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in the document."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [spot for key, value in pairs for spot in ((*path, key), *spots(value, (*path, key)))]


def mutated(seed: int) -> dict[str, Any]:
    """The whole example with a few things in it changed, gone, doubled or renamed."""
    dice = random.Random(seed)
    data = copy.deepcopy(WHOLE)
    for _ in range(dice.randint(1, 6)):
        every = spots(data)
        if not every:
            break
        *above, last = dice.choice(every)
        here = data
        for part in above:
            here = here[part]
        what = dice.randrange(4)
        if what == 0:
            del here[last]
        elif what == 1 and isinstance(here, list):
            here.append(copy.deepcopy(here[last]))
        elif what == 2 and isinstance(here, dict):
            here[f"{last}_"] = here.pop(last)
        else:
            here[last] = copy.deepcopy(dice.choice(ODD))
    return data


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**32))
def test_no_document_breaks_the_loader(tmp_path_factory: Any, seed: int) -> None:
    """Hundreds of broken examples: no exception but ours, every problem with a place in the file."""
    file = tmp_path_factory.getbasetemp() / "fuzz.toml"
    text = tomli_w.dumps(mutated(seed))
    file.write_text(text, encoding="utf-8")
    try:
        loaded = load(file, kinds.rooms(), {}, role="any", scripts=True)
    except ConfigError as error:
        lines = text.split("\n")
        for problem in error.problems:
            assert problem.text
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    else:
        assert isinstance(loaded, Config)
        assert len(plan(loaded).services) == len(loaded.services)
        assert all(target.kind for target in targets(loaded).values())

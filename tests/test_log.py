"""One line per fact, for people or for machines, and never a secret in it."""

import io
import json
import logging
import random
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crisp_status import log

CANARY = 'pa"ss\\wörd-4711'


@pytest.fixture
def stream():
    """A stream that is no terminal."""
    return io.StringIO()


def test_json_where_nobody_watches(stream):
    """Away from a terminal each line is one JSON object with level and time."""
    log.configure(stream=stream)
    log.get(node="web/landing").info("replica dead", reason="connection refused", late_ms=3)

    line = json.loads(stream.getvalue())

    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "replica dead",
        "level": "info",
        "node": "web/landing",
        "reason": "connection refused",
        "late_ms": 3,
    }


def test_words_for_people(stream):
    """A line for people starts with the time, the level and what happened."""
    log.configure(stream=stream, style="human")
    log.get().warning("slow disk", seconds=2)

    assert stream.getvalue()[8:].split() == ["[warning", "]", "slow", "disk", "seconds=2"]


def test_the_level_filters(stream):
    """What is below the level is not said."""
    log.configure(stream=stream, level="warning")
    log.get().info("chatter")
    log.get().error("trouble")

    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["trouble"]


def test_an_unknown_level_is_refused():
    """A wrong level is an error that lists the right ones."""
    with pytest.raises(ValueError, match="level is 'loud'; expected one of debug, info, warning, error"):
        log.configure(level="loud")


def test_warnings_of_libraries_come_into_the_same_lines(stream):
    """What a library warns about through `logging` is one of our lines; its chatter is not."""
    log.configure(stream=stream)
    log.configure(stream=stream)
    logging.getLogger("somebody").warning("count is %d", 3)
    logging.getLogger("somebody").info("chatter")

    (line,) = map(json.loads, stream.getvalue().splitlines())

    assert (line["event"], line["library"], line["level"]) == ("count is 3", "somebody", "warning")


def planted(style, stream):
    """A log full of canaries: in words, values, keys, nested data, exceptions, objects, libraries."""
    log.configure(stream=stream, style=style)
    log.hide(CANARY)
    say = log.get(bound=f"token={CANARY}")
    say.info(f"sent {CANARY}", url=f"https://u:{CANARY}@host/", deep={CANARY: [{CANARY}, (CANARY, b"x")]})
    say.info("nested", deep=[[[[[[[[[[CANARY]]]]]]]]]], thing=type(CANARY, (), {}))
    logging.getLogger("somebody").error("failed with %r", CANARY)
    try:
        raise RuntimeError(CANARY)
    except RuntimeError:
        say.exception("broken")


@pytest.mark.parametrize("style", ["json", "human"])
def test_no_secret_gets_through(stream, style):
    """Wherever a registered secret stands, also escaped for JSON or in a traceback, the mask stands instead."""
    planted(style, stream)
    text = stream.getvalue()

    assert log.MASK in text
    assert CANARY not in text
    assert json.dumps(CANARY)[1:-1] not in text
    assert repr(CANARY)[1:-1] not in text


@given(st.text(min_size=log.SECRET_MIN), st.text(), st.text())
def test_any_secret_is_masked(secret, before, after):
    """Whatever a secret looks like, it is not in the text any more."""
    redactor = log.Redactor()
    redactor.register([secret])
    clean = redactor.text(before + secret + after)

    assert log.MASK in clean
    assert secret not in clean.replace(log.MASK, "\0\1")


def test_short_words_are_no_secrets():
    """A secret of a few letters would mask half of every line, so it is not taken."""
    redactor = log.Redactor()
    redactor.register(["a", "", "12345"])

    assert redactor.text("a 12345") == "a 12345"


def test_the_longer_secret_wins():
    """A secret that contains another one is masked whole."""
    redactor = log.Redactor()
    redactor.register(["secret", "secret-and-more"])

    assert redactor.text("x secret-and-more y") == f"x {log.MASK} y"


def test_secrets_that_overlap_are_masked_to_the_end():
    """The end of one is not left because another one began before it."""
    redactor = log.Redactor()
    redactor.register(["first-half", "half-second"])

    assert redactor.text("x first-half-second y") == f"x {log.MASK} y"


@given(st.lists(st.text("ab", min_size=log.SECRET_MIN, max_size=9), max_size=6), st.text("ab", max_size=40))
def test_exactly_the_secrets_are_masked(secrets, text):
    """Each letter that belongs to one, and no other."""
    redactor = log.Redactor()
    redactor.register(secrets)
    hidden = {n for s in secrets for at in range(len(text)) if text.startswith(s, at) for n in range(at, at + len(s))}

    kept = [part for part in redactor.text(text).split(log.MASK) if part]
    assert "".join(kept) == "".join(c for n, c in enumerate(text) if n not in hidden)


def test_ten_thousand_secrets_cost_no_more_than_some():
    """A page may have that many header fields, push devices and addresses, and each reason is looked through."""

    def cost(count):
        redactor = log.Redactor()
        redactor.register(f"{random.Random(n).getrandbits(96):x}" for n in range(count))
        text = "no answer from https://acme.example/?id=1234567890abcdef1234567890abcdef within 10 s " * 5
        return min(timeit.repeat(lambda: redactor.text(text), number=5, repeat=5))

    assert cost(10_000) < 20 * cost(100)

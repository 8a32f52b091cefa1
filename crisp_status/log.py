"""One line per fact: `log.info("replica dead", node="web/landing")`. Secrets never get through.

Lines for people on a terminal, one JSON object a line everywhere else.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

# structlog imports rich, where it is installed, for tracebacks that we never let it draw (see `_human`): it would take a
# tenth of the start and 5 MB.
_rich: object = sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
import structlog  # noqa: E402

if _rich is None:
    del sys.modules["rich"]

MASK = "<secret>"

SECRET_MIN = 6
"""A shorter secret would mask half of every line."""

DEPTH_MAX = 8
"""Values are plain data; whatever is nested deeper is printed as text."""

BLANKS = str.maketrans({"\n": "\\n", "\r": "\\r", "\t": "\\t"})

LEVELS = ("debug", "info", "warning", "error")

Event = MutableMapping[str, Any]


def printable(text: str, keep: str = "") -> str:
    """The text fit for a terminal: whatever could move the cursor, colour, break the line, turn the direction of the text
    around or not be encoded is written as an escape, but for the characters in `keep`.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    short = character.translate(BLANKS)
    return short if short != character else character.encode("unicode_escape").decode("ascii")


class Redactor:
    """A structlog processor that masks registered secrets wherever they stand: in words, values, keys, tracebacks.

    However many there are, a text is looked through once: only where the first characters of one may begin, by the
    characters that stand at each place of any, is it asked whether one does. 10,000 cost a reason of 150 characters
    20 µs, a few 3.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Mask nothing any more, for a process that is somebody else from now on, as in tests."""
        self._secrets: set[str] = set()
        self._spellings: set[str] = set()
        self._lengths: dict[str, tuple[int, ...]] = {}
        """Of the spellings that begin with the same characters."""
        self._begins: re.Pattern[str] | None = None
        """Where a spelling may begin."""

    def register(self, secrets: Iterable[str]) -> None:
        """Add secrets. What is shorter than `SECRET_MIN` characters is left out."""
        fresh = {secret for secret in secrets if len(secret) >= SECRET_MIN} - self._secrets
        if not fresh:
            return
        self._secrets |= fresh
        for spelling in set().union(*map(_spellings, fresh)):
            head = spelling[:SECRET_MIN]
            self._spellings.add(spelling)
            self._lengths[head] = tuple({*self._lengths.get(head, ()), len(spelling)})
        places = ("".join(sorted(set(place))) for place in zip(*self._lengths, strict=True))
        self._begins = re.compile(f"(?={''.join(f'[{re.escape(place)}]' for place in places)})")

    def text(self, text: str) -> str:
        """The text without secrets. Where they overlap all of them is masked."""
        if self._begins is None:
            return text
        masked: list[list[int]] = []
        for found in self._begins.finditer(text):
            at = found.start()
            lengths = self._lengths.get(text[at : at + SECRET_MIN])
            if lengths is None:
                continue
            end = max((at + n for n in lengths if text[at : at + n] in self._spellings), default=at)
            if masked and at < masked[-1][1]:
                masked[-1][1] = max(masked[-1][1], end)
            elif end > at:
                masked.append([at, end])
        for at, end in reversed(masked):
            text = text[:at] + MASK + text[end:]
        return text

    def __call__(self, logger: Any, method: str, event: Event) -> Event:
        """The structlog processor."""
        if self._begins is None:
            return event
        return {self.text(key): self._value(value, 0) for key, value in event.items()}

    def _value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if depth < DEPTH_MAX:
            if isinstance(value, dict):
                return {self.text(str(key)): self._value(item, depth + 1) for key, item in value.items()}
            if isinstance(value, list | tuple | set | frozenset):
                return [self._value(item, depth + 1) for item in value]
        return self.text(str(value))


def _spellings(secret: str) -> set[str]:
    """A secret as it is, and as it looks inside JSON, a `repr` or a URL."""
    raw = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        quote(raw),
        quote(raw, safe=""),
        quote_plus(raw),
    }


redactor = Redactor()
"""The one that `configure` puts in front of every line."""


def hide(*secrets: str) -> None:
    """Mask these from now on, in every line of this process."""
    redactor.register(secrets)


def get(**bound: Any) -> structlog.stdlib.BoundLogger:
    """A logger; `bound` stands in each of its lines."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(**bound)
    return logger


class _StandardLogs(logging.Handler):
    """What libraries say through `logging`, brought into the same lines; only warnings and worse come here."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say it as one of our lines."""
        try:
            text = record.getMessage()
        except Exception:
            text = str(record.msg)
        say = get(library=record.name)
        (say.error if record.levelno >= logging.ERROR else say.warning)(text, exc_info=record.exc_info)


def configure(*, level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Set up all logging of this process.

    `level` is one of `LEVELS`; `style` is "human", "json" or "auto" (human when the stream is a terminal);
    `stream` is where lines go, by default stderr. May be called again.
    """
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}; expected one of {', '.join(LEVELS)}")
    stream = sys.stderr if stream is None else stream
    human = style == "human" or (style == "auto" and stream.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if human else "iso", utc=not human),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redactor,
            *(_human(stream) if human else _machine()),  # JSON escapes by itself
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if not isinstance(handler, _StandardLogs)]
    root.addHandler(_StandardLogs(logging.WARNING))


def _human(stream: TextIO) -> list[structlog.typing.Processor]:
    return [
        _terminal,
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not os.environ.get("NO_COLOR"),
            pad_event_to=32,
            sort_keys=False,
            exception_formatter=structlog.dev.plain_traceback,  # the rich one prints local variables, secrets too
        ),
    ]


def _terminal(logger: Any, method: str, event: Event) -> Event:
    """What came from outside may not write to the operator's terminal, nor fake a line of its own."""
    return {printable(key): _shown(key, value) for key, value in event.items()}


def _shown(key: str, value: Any) -> Any:
    if isinstance(value, str):
        return printable(value, "\n" if key in {"exception", "stack"} else "")
    return value if value is None or isinstance(value, bool | int | float) else printable(repr(value))


def _machine() -> list[structlog.typing.Processor]:
    return [_head_first, structlog.processors.JSONRenderer(default=str)]


def _head_first(logger: Any, method: str, event: Event) -> Event:
    """When, how grave, what: then the rest as it was given."""
    head = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return head | {key: value for key, value in event.items() if key not in head}

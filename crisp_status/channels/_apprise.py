"""The Apprise library at work, in a process of its own: reads one order from standard input, says a line a service.

It reads answers whole, however long, and waits for the next byte, however often. A process can be ended at any time
and has its own memory; a thread of the daemon has neither. Imports nothing of ours, so that it starts soon.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import threading
from typing import Any, Final, TextIO

MEMORY_MAX: Final = 256 * 2**20
"""Bytes. The library takes 60 MB; what answers on and on meets this end, and an answer of some MB does not."""

WORDS_MAX: Final = 1000
"""Characters of what the library logs that are handed on."""

Order = dict[str, Any]
"""`urls` by place, `page`, `title`, `text` and `type` of the message."""


def main() -> None:
    """Tell all services at once."""
    with contextlib.suppress(ValueError, OSError):  # a smaller limit is in force already
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_MAX, MEMORY_MAX))
    order = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w", encoding="ascii") as out:
        os.dup2(2, 1)  # so that only our lines are there, whatever a plugin prints
        tellers = [
            threading.Thread(target=_send_one, args=(out, place, url, order), daemon=True)
            for place, url in order["urls"].items()
        ]
        for teller in tellers:
            teller.start()
        for teller in tellers:
            teller.join()


def _send_one(out: TextIO, place: str, url: str, order: Order) -> None:
    try:
        outcome, words = _notify(url, order)
    except Exception as error:
        outcome, words = "broken", type(error).__name__
    said = json.dumps({"place": place, "outcome": outcome, "words": words[:WORDS_MAX]})
    out.write(said + "\n")
    out.flush()


def _notify(url: str, order: Order) -> tuple[str, str]:
    """`taken`, `refused` with what the library says, `unknown` when no service has such an address, or `missing`."""
    try:
        import apprise
    except ImportError:
        return "missing", ""
    asset = apprise.AppriseAsset(async_mode=False, app_id="crisp-status", app_desc=order["page"])
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        return "unknown", ""
    services = apprise.Apprise(asset=asset)
    services.add(service)
    said = _Listener()
    logging.getLogger("apprise").addHandler(said)
    taken = services.notify(
        body=order["text"],
        title=order["title"],
        notify_type=order["type"],
        # Otherwise what a target says would be the markup of services that take HTML or Markdown.
        body_format=apprise.NotifyFormat.TEXT,
    )
    return ("taken", "") if taken else ("refused", "; ".join(said.lines))


class _Listener(logging.Handler):
    """Keeps the warnings that the library logs in the thread in which it was made: it says only yes or no."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        if record.thread == self._thread and len(self.lines) < 5:
            self.lines.append(record.getMessage())


if __name__ == "__main__":
    main()

"""All measures, side by side with their references, as one table.

python -m benchmarks [--quick] [--only NAME …] [--json FILE] [--markdown FILE]
                     [--vigil BIN] [--gatus BIN] [--uptime-kuma DIR]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import harness

if TYPE_CHECKING:
    from benchmarks.harness import Row

MEASURES = {
    "page": "serving the page, against nginx",
    "https": "the same over TLS",
    "peers": "serving the page, other programs",
    "looks": "one look, against the least that Python can do",
    "cycle": "10,000 replicas of which some swallow connections",
    "ingest": "taking reports, against a bare aiohttp handler",
    "alert": "from the first failed attempt to the receiver's hands",
    "engine": "one event, by size of the state",
    "remembering": "snapshot and journal",
    "start": "start and memory",
    "views": "making the page",
}
"""Modules of this folder with `measure(settings) -> list[Row]`, in the order of the table."""


def main() -> int:
    """Measure, print the table, write the files; 1 when a measure broke."""
    asked = _asked()
    settings = harness.Settings(asked.quick, asked.vigil, asked.gatus, asked.uptime_kuma)
    machine = harness.machine()
    rows: list[Row] = []
    broken = skipped = 0
    for name, title in MEASURES.items():
        if (asked.only and name not in asked.only) or find_spec(f"benchmarks.{name}") is None:
            continue
        module = import_module(f"benchmarks.{name}")
        reason = module.missing() if hasattr(module, "missing") else ""
        if reason:
            harness.say(f"{name}: skipped, it {reason}")
            skipped += 1
            continue
        began = time.monotonic()
        harness.say(f"{name}: {title} …")
        try:
            rows += module.measure(settings)
        except Exception as error:
            broken += 1
            harness.say(f"{name}: broke: {type(error).__name__}: {error}")
            if asked.only:
                raise
        harness.say(f"{name}: {time.monotonic() - began:.0f} s")
    text = (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, Linux {machine['kernel']}, "
        f"Python {machine['python']} with {machine['loop']}; others used {machine['busy_before']:.0%} of it just before"
        f"{'; a quick run, figures are rough' if asked.quick else ''}"
    )
    print(f"{harness.table(rows)}\n\n{text}")
    missed = sum(row.reached is False for row in rows)
    print(f"{sum(row.reached is True for row in rows)} targets reached, {missed} missed, {skipped} measures skipped")
    if asked.json is not None:
        asked.json.write_text(json.dumps({"machine": machine, "rows": harness.plain(rows)}, indent=1) + "\n")
    if asked.markdown is not None:
        asked.markdown.write_text(f"{harness.markdown(rows)}\n\n{text}.\n")
    return 1 if broken else 0


def _asked() -> argparse.Namespace:
    words = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("--quick", action="store_true", help="smaller, shorter, rougher")
    words.add_argument("--only", action="append", choices=list(MEASURES), help="this measure alone; may be repeated")
    words.add_argument("--json", type=Path, help="write the figures there")
    words.add_argument("--markdown", type=Path, help="write the table there")
    words.add_argument("--vigil", default="", metavar="BIN", help="its binary, to measure its page too")
    words.add_argument("--gatus", default="", metavar="BIN", help="the same")
    words.add_argument("--uptime-kuma", default="", metavar="DIR", help="its folder, built; needs node")
    return words.parse_args()


if __name__ == "__main__":
    sys.exit(main())

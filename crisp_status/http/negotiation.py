"""What a request for a document says about the answer it wants: language, compression, what it already has."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

MAX_TERMS: Final = 32
"""Alternatives read from one header; browsers send five."""

_WEIGHT: Final = re.compile(r"\s*;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*$", re.IGNORECASE)
_TAG: Final = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


def weighted(header: str) -> list[tuple[str, float]]:
    """The terms of an `Accept-…` header in lower case with their weights, heaviest first, else as written."""
    terms: list[tuple[str, float]] = []
    for part in header.split(",", MAX_TERMS)[:MAX_TERMS]:
        match = _WEIGHT.search(part)
        term = (part[: match.start()] if match else part).strip().lower()
        if term:
            terms.append((term, float(match[1]) if match else 1.0))
    return sorted(terms, key=lambda t: -t[1])


def language(header: str, offered: Sequence[str]) -> str:
    """The best of the offered languages (default first) for an `Accept-Language` header. RFC 4647 lookup."""
    by_lower = {o.lower(): o for o in offered}
    for wanted, weight in weighted(header):
        if weight <= 0:
            continue
        if wanted == "*":
            return offered[0]
        tag = wanted
        while tag:
            if tag in by_lower:
                return by_lower[tag]
            found = next((o for low, o in by_lower.items() if low.startswith(tag + "-")), None)
            if found is not None:
                return found
            tag = tag.rpartition("-")[0]
    return offered[0]


def codings(header: str) -> tuple[str, ...]:
    """Which of `br` and `gzip` may be sent, best first."""
    weights = dict(reversed(weighted(header)))
    rest = weights.get("*", 0.0)
    chosen = [(weights.get(c, weights.get("x-gzip", rest) if c == "gzip" else rest), c) for c in ("br", "gzip")]
    plain = weights.get("identity", 0.0)
    return tuple(c for w, c in sorted(chosen, key=lambda x: -x[0]) if w > 0 and w >= plain)


def tags(header: str) -> frozenset[str]:
    """The entity tags of an `If-None-Match` header, weak marks cut (RFC 9110 section 13.1.2); `*` stands for itself."""
    if header.strip() == "*":
        return frozenset("*")
    return frozenset(_TAG.findall(header))

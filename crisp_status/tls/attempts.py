"""What is remembered of orders that failed, so that a restart does not ask authorities all over again."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from crisp_status.tls import renewal

if TYPE_CHECKING:
    from crisp_status.tls.storage import Storage

NAME: Final = "attempts.json"


class Attempts:
    """Of each domain how often it failed and when; of each authority until when it wants to be left alone."""

    def __init__(self, storage: Storage) -> None:
        """Nothing is read yet."""
        self.authorities: dict[str, float] = {}
        """Epoch seconds, by the address of the directory."""
        self._domains: dict[str, dict[str, float]] = {}
        self._storage = storage

    def read(self, latest: float) -> None:
        """Take what was written; an authority is left alone until `latest` at most. A broken file is no obstacle."""
        with suppress(OSError, ValueError, TypeError, AttributeError):
            kept: Any = json.loads(self._storage.read(NAME) or b"{}")
            self._domains = {
                str(d): {str(k): float(v) for k, v in facts.items()} for d, facts in kept.get("domains", {}).items()
            }
            self.authorities = {str(u): min(float(t), latest) for u, t in kept.get("authorities", {}).items()}

    def write(self, now: float) -> None:
        """A disk that does not take it is told of by whoever keeps the certificate."""
        alone = {url: until for url, until in self.authorities.items() if until > now}
        with suppress(OSError):
            self._storage.write(NAME, json.dumps({"domains": self._domains, "authorities": alone}).encode())

    def failures(self, domain: str) -> int:
        """In a row."""
        return int(self._domains.get(domain, {}).get("failures", 0))

    def not_before(self, domain: str) -> float:
        """When a domain may be tried after a start: soon, for somebody may have mended what failed."""
        kept = self._domains.get(domain, {})
        return min(kept.get("next_at", 0.0), kept.get("tried_at", 0.0) + renewal.RESTART_WAIT)

    def failed(self, domain: str, failures: int, now: float, next_at: float) -> None:
        """Another one."""
        self._domains[domain] = {"failures": failures, "tried_at": now, "next_at": next_at}

    def succeeded(self, domain: str, directory: str) -> None:
        """All is forgiven."""
        self._domains.pop(domain, None)
        self.authorities.pop(directory, None)

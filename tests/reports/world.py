"""A small page to report to, and the ways of doing it without a server."""

from __future__ import annotations

import base64
import json
from typing import Any

from multidict import CIMultiDict

from crisp_status import kinds
from crisp_status.core import events
from crisp_status.core.model import State
from crisp_status.core.policy import NodePlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import prepare, step
from crisp_status.core.world import World
from crisp_status.reports import (
    HeartbeatTarget,
    LocalMap,
    LocalNode,
    ReportAnswer,
    ReportCall,
    ReportRoute,
    ReportScope,
    Tokens,
    answer,
)

TOKEN = "all-may-report"
BEAT = "0d5c6b2e-9a51-4d3c-8f0e-7a9d1f6b2c3d"
NOW = 1_800_000_000.0

API = NodePlan("web", "api", "API", "push", max_replicas=3)
OFFICE = NodePlan(
    "lan", "office", "Office", "local", (ReplicaPlan("tcp://10.0.0.5:443"), ReplicaPlan("https://u:***@intra/"))
)
ROAM = NodePlan("lan", "roam", "Roaming", "local")
LANDING = NodePlan("web", "landing", "Landing", "poll", (ReplicaPlan("https://acme.example/"),))
BACKUP = NodePlan("jobs", "backup", "Backup", "push", interval=86400.0, heartbeat=True)

PLAN = Plan(
    services=(
        ServicePlan("web", "Web", (API, LANDING)),
        ServicePlan("lan", "LAN", (OFFICE, ROAM)),
        ServicePlan("jobs", "Jobs", (BACKUP,)),
    )
)
LOCAL = LocalMap(
    (
        LocalNode(
            "lan",
            "office",
            (
                HeartbeatTarget("tcp://10.0.0.5:443", "tcp://10.0.0.5:443"),
                HeartbeatTarget("https://u:***@intra/", "https://u:pass@intra/"),
                HeartbeatTarget("ssh://10.0.0.6", "ssh://10.0.0.6"),
                HeartbeatTarget("tcp://no-port", "tcp://no-port"),
            ),
            options={"http": {"healthy_above": 200, "healthy_below": 500, "healthy_match": r"all\.good"}},
        ),
        LocalNode("lan", "roam", (HeartbeatTarget("icmp://10.0.0.7", "icmp://10.0.0.7"),), agent="attic", retry=5),
    ),
    retry=2,
    delay_dead=7.5,
    delay_sick=0.5,
)
TOKENS = (
    (TOKEN, ""),
    ("only-the-web-service", "web"),
    ("only-the-api-node", "web/api"),
    ("only-the-lan", "lan"),
)
ROUTES: tuple[ReportRoute, ...] = tuple(route for kind in kinds.reports().values() for route in kind.routes())


class Page:
    """The page of this module, with the core behind it: what an answer says has happened does happen."""

    def __init__(self, plan: Plan = PLAN, local: LocalMap = LOCAL) -> None:
        self.world = World(State())
        step(self.world, events.Planned(at=NOW, plan=plan, fresh=True))
        self.scope = ReportScope(plan, self.world.state, Tokens(TOKENS), {"jobs/backup": BEAT}, local)
        self.now = NOW

    def ask(
        self, method: str, target: str, body: Any = b"", *, token: str | None = TOKEN, **headers: str
    ) -> ReportAnswer:
        """What a client gets for a request; a body that is not bytes is sent as JSON."""
        path, _, query = target.partition("?")
        return self.ask_path(method, tuple(path.strip("/").split("/")), query, body, token=token, **headers)

    def ask_path(
        self,
        method: str,
        segments: tuple[str, ...],
        query: str = "",
        body: Any = b"",
        *,
        token: str | None = TOKEN,
        **headers: str,
    ) -> ReportAnswer:
        """The same for a path whose segments are decoded already."""
        sent = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
        if token is not None:
            sent.setdefault("Authorization", basic(token))
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        route, args = find(method, segments)
        said = answer(route, ReportCall(method, args, sent, body, query_string=query, now=self.now), self.scope)
        for event in said.events:
            event.at = self.now
            prepare(self.world, event)
            assert step(self.world, event), f"the core refused {event}"
        return said

    def health(self, node: str, replica: str) -> str:
        """Of a replica, in a word."""
        return self.world.state.nodes[node].replicas[replica].health.word

    def later(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds
        tick = events.Ticked(at=self.now)
        prepare(self.world, tick)
        step(self.world, tick)


def basic(token: str, user: str = "") -> str:
    """An `Authorization` header."""
    return "Basic " + base64.b64encode(f"{user}:{token}".encode()).decode()


def find(method: str, segments: tuple[str, ...]) -> tuple[ReportRoute, dict[str, str]]:
    """The route of a path, and its named segments."""
    for route in ROUTES:
        pattern = route.path.strip("/").split("/")
        fits = len(pattern) == len(segments) and all(
            p.startswith("{") or p == s for p, s in zip(pattern, segments, strict=True)
        )
        if fits and route.method in {method, "*"}:
            return route, {p[1:-1]: s for p, s in zip(pattern, segments, strict=True) if p.startswith("{")}
    raise LookupError(segments)

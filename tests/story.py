"""A small page that lives through the real core: events in, state and view out. Mirrors `engine.Engine`, without a disk."""

from crisp_status.core import events, holds
from crisp_status.core.model import Health, Reason, ReasonCode, State
from crisp_status.core.policy import NodePlan, NotifierPlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.step import prepare, step
from crisp_status.core.step_outcome import Durability
from crisp_status.core.world import World
from crisp_status.engine import EngineTrouble
from crisp_status.view.build import build
from crisp_status.view.page_info import make_info
from tests.fakes import FakeClock

START = 1_795_000_000.0


def node(service, id, name, replicas, **more):
    """A polled node; its replicas have private-looking addresses that must never be seen."""
    addresses = tuple(ReplicaPlan(f"https://10.0.0.{n}/{id}") for n in range(1, replicas + 1))
    return NodePlan(service=service, id=id, name=name, mode="poll", replicas=addresses, **more)


def acme(zone="UTC", **more):
    """Two services, three nodes, six replicas."""
    web = (node("web", "landing", "Landing page", 2), node("web", "api", "API", 3))
    pay = (node("pay", "checkout", "Checkout", 1),)
    services = (ServicePlan("web", "Websites", web), ServicePlan("pay", "Payments", pay))
    notifiers = (NotifierPlan("mail", "email"), NotifierPlan("phone", "push", operators=("jane",)))
    return Plan(timezone=zone, services=services, notifiers=notifiers, operators=("jane",), webhooks=("hook",), **more)


class Story:
    """Time passes only when told; every event is stamped with the present."""

    def __init__(self, plan=None, *, now=START):
        self.clock = FakeClock(now)
        self.world = World(State())
        self.trouble = ""
        self.happen(events.Planned(plan=plan or acme(), fresh=True))

    @property
    def state(self):
        return self.world.state

    def happen(self, event):
        """One event, now; whether it was taken."""
        event.at = self.clock.now()
        prepare(self.world, event)
        return step(self.world, event) is not Durability.REFUSED

    async def submit(self, event):
        self.happen(event)

    async def commit(self, event):
        if self.trouble:
            raise EngineTrouble(self.trouble)
        return self.happen(event)

    async def read(self):
        return self.state

    def held(self):
        return holds.all_held(self.world)

    def pass_time(self, seconds):
        self.clock.advance(seconds)
        self.happen(events.Ticked())

    def all_well(self):
        """Every replica answers in 120 ms."""
        for key, found in self.state.nodes.items():
            for replica in list(found.replicas):
                self.see(key, replica)

    def see(self, key, replica, health=Health.HEALTHY, reason=None, latency_ms=120):
        now = self.clock.now()
        bad = (
            Reason(ReasonCode.NO_ANSWER, "no answer within 10 s from 10.0.0.1")
            if health is Health.DEAD
            else Reason(ReasonCode.OK)
        )
        self.happen(
            events.Observed(
                node=key, replica=replica, health=health, since=now, reason=reason or bad, latency_ms=latency_ms
            )
        )

    def die(self, key):
        """Every replica of a node is dead now."""
        for replica in list(self.state.nodes[key].replicas):
            self.see(key, replica, Health.DEAD, latency_ms=-1)

    def recover(self, key):
        for replica in list(self.state.nodes[key].replicas):
            self.see(key, replica)

    def view(self, **info):
        """What the world may know now."""
        settings = {"name": "Acme Status", "url": "https://status.acme.example/", "languages": ("en", "fr")} | info
        return build(self.state, make_info(timezone=self.state.plan.timezone, **settings), self.clock.now())

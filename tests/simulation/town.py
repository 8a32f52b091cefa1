"""What chance puts into a simulated world: targets, receivers, reporters, and the configuration of a daemon for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.simulation.clients import MANAGER, REPORTER, Reporter
from tests.simulation.host import PORT
from tests.simulation.outside import MODES, NAMES, Receiver, Target

if TYPE_CHECKING:
    from random import Random

    from tests.simulation.wire import Net

DAEMON = "10.0.0.1"
AGENT = "10.0.0.2"
CROWD = "10.9.0.1"
"""Where visitors, reporters and operators are."""

WITNESSES = (("10.8.0.1", 443), ("10.8.0.2", 443))

WHSEC = "whsec_c2ltdWxhdGVkIHNlY3JldCBvZiBhIGhvb2s="

HEAD = f"""
[page]
name = "Acme"
url = "http://status.acme.example/"
[server]
listen = ["127.0.0.1:{PORT}"]
reporter_token = "{REPORTER}"
manager_token = "{MANAGER}"
"""

TELLERS = """
[[notifiers]]
type = "email"
id = "mail"
to = ["ops@acme.example"]
from = "status@acme.example"
smtp_host = "10.7.0.1"
smtp_port = 25
smtp_security = "none"
[[notifiers]]
type = "slack"
id = "chat"
on = ["dead", "sick", "recovered", "unstable"]
hook_url = "http://10.7.0.2:80/hook"
[[webhooks]]
id = "hook"
url = "http://10.7.0.3:80/hook"
website_id = "acme"
secret = "{secret}"
"""

RECEIVERS = {"mail": ("10.7.0.1", 25, "email"), "chat": ("10.7.0.2", 80, "slack"), "hook": ("10.7.0.3", 80, "hook")}


@dataclass
class Watched:
    """A node and what the world knows of it."""

    key: str
    mode: str
    interval: float
    retry: int
    retry_wait: float
    delay_dead: float
    delay_sick: float
    targets: dict[str, Target] = field(default_factory=dict)
    """By replica id."""
    reporters: dict[str, Reporter] = field(default_factory=dict)
    text: str = ""
    """As in the configuration."""

    @property
    def look_seconds(self) -> float:
        """The longest that a look takes, with witnesses and nameservers asked at its end."""
        return (self.retry + 1) * (self.delay_dead + 0.1) + self.retry * self.retry_wait + 13.0

    @property
    def window(self) -> float:
        """So long after a change everybody must know of it."""
        match self.mode:
            case "poll":
                return self.interval + 2 * self.look_seconds + 2.0
            case "local":
                return self.interval + 2 * self.look_seconds + 40.0
            case _:
                return self.interval + 45.0


class Town:
    """Everything around the daemon."""

    def __init__(self, dice: Random, net: Net) -> None:
        self.dice = dice
        self.net = net
        self.nodes: dict[str, Watched] = {}
        self.witnesses = [Target(net, "tcp", where, "", 1.0) for where in WITNESSES]
        self.receivers = {name: Receiver(net, (host, port), kind) for name, (host, port, kind) in RECEIVERS.items()}
        self.group_wait = dice.choice([0.0, 5.0, 10.0])
        self.reminders = dice.choice([0, 600, 3600])
        self._number = 0
        services = [self._service(f"s{i}") for i in range(dice.randint(1, 4))]
        services.append(self._push_service("app"))
        services.append(self._local_service("lan"))
        self.services = services
        """As in the configuration."""

    def config(self, *, without: int = -1) -> str:
        """The file of the daemon; `without` leaves out one of the services."""
        urls = ", ".join(f'"tcp://{host}:{port}"' for host, port in WITNESSES)
        parts = [HEAD, f"[witness]\nurls = [{urls}]\n", f"[notify]\ngroup_wait = {self.group_wait}\n"]
        parts.append(f"reminder_interval = {self.reminders}\n")
        parts += [text for number, text in enumerate(self.services) if number != without]
        return "".join(parts) + TELLERS.replace("{secret}", WHSEC)

    def agent_config(self) -> str:
        """The file of the agent."""
        return f'[agent]\nendpoint = "http://{DAEMON}:{PORT}"\ntoken = "{REPORTER}"\ninterval = 30\n'

    def targets(self) -> list[Target]:
        """All of them, whoever looks."""
        return [target for node in self.nodes.values() for target in node.targets.values()]

    def ways_to_fail(self, target: Target) -> tuple[str, ...]:
        """What may befall it."""
        return (*MODES[target.kind], *(NAMES if target.name else ()))

    def _service(self, service: str) -> str:
        nodes = [self._node(service, f"n{i}", "poll") for i in range(self.dice.randint(1, 3))]
        return f'[[services]]\nid = "{service}"\nname = "{service}"\n' + "".join(node.text for node in nodes)

    def _push_service(self, service: str) -> str:
        dice = self.dice
        node = Watched(f"{service}/api", "push", dice.choice([5.0, 15.0]), 0, 0.0, 10.0, 5.0)
        self.nodes[node.key] = node
        for number in range(dice.randint(1, 3)):
            replica = f"r{number}"
            node.reporters[replica] = Reporter(self.net, CROWD, (DAEMON, PORT), node.key, replica, node.interval)
        return (
            f'[[services]]\nid = "{service}"\nname = "{service}"\n'
            f'[[services.nodes]]\nid = "api"\nname = "api"\nmode = "push"\ndelay_dead = {node.delay_dead}\n'
        )

    def _local_service(self, service: str) -> str:
        node = self._node(service, "office", "local")
        return f'[[services]]\nid = "{service}"\nname = "{service}"\n' + node.text

    def _node(self, service: str, id: str, mode: str) -> Watched:
        dice = self.dice
        dead = dice.choice([2.0, 5.0, 10.0])
        node = Watched(
            f"{service}/{id}",
            mode,
            dice.choice([10.0, 30.0, 60.0]),
            dice.choice([0, 1, 2]),
            dice.choice([0.0, 0.5]),
            dead,
            dead / 4.0,
        )
        kind = dice.choice(["tcp", "tcp", "http", "http", "match", "ssh"])
        for _ in range(dice.randint(1, 3)):
            target = self._target(kind, node.delay_sick)
            node.targets[target.url] = target
        urls = ", ".join(f'"{url}"' for url in node.targets)
        node.text = (
            f'[[services.nodes]]\nid = "{id}"\nname = "{id}"\nmode = "{mode}"\nreplicas = [{urls}]\n'
            f"interval = {node.interval}\nretry = {node.retry}\nretry_wait = {node.retry_wait}\n"
            f"delay_dead = {node.delay_dead}\ndelay_sick = {node.delay_sick}\n"
        )
        if mode == "local":
            node.text += "silent_dead = 60\n"
        if kind == "match":
            node.text += '[services.nodes.http]\nhealthy_match = "all is well"\n'
        self.nodes[node.key] = node
        return node

    def _target(self, kind: str, delay_sick: float) -> Target:
        self._number += 1
        address = (f"10.1.{self._number // 200}.{self._number % 200 + 1}", 22 if kind == "ssh" else 80)
        name = f"t{self._number}.example" if self.dice.random() < 0.3 else ""
        return Target(self.net, kind, address, name, delay_sick)

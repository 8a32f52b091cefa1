"""What must fit together across the file: references, modes, addresses, times.

It reads the plain data, not the models, so that it also speaks when something else in the file is wrong: all problems
are told at once. Values of a wrong type are none of its business.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, get_args

from crisp_status.config.addresses import masked, replica_fault
from crisp_status.config.ids import tables
from crisp_status.config.page import LANGUAGES
from crisp_status.config.problems import Fault, nearest, out_of_bounds, written
from crisp_status.config.sections import GATEWAY, LocalSection, PollSection, PushSection, ScriptSection
from crisp_status.config.services import NodeTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crisp_status.config.locate import Path
    from crisp_status.config.strict import Rooms, Strict

MODE_KEYS: Final[Mapping[str, frozenset[str]]] = {
    "poll": frozenset(
        {
            "replicas",
            "places",
            "quorum",
            "interval",
            "retry",
            "retry_wait",
            "delay_dead",
            "delay_sick",
            "recover_after",
            "expect_dead",
        }
    ),
    "push": frozenset(
        {
            "heartbeat",
            "schedule",
            "timezone",
            "grace",
            "reporter_token",
            "interval",
            "delay_dead",
            "cpu_sick_above",
            "ram_sick_above",
            "forget_after",
            "max_replicas",
        }
    ),
    "local": frozenset(
        {
            "replicas",
            "scripts",
            "agent",
            "reporter_token",
            "interval",
            "retry",
            "retry_wait",
            "delay_dead",
            "delay_sick",
            "expect_dead",
            "silent_dead",
        }
    ),
    "script": frozenset({"scripts", "interval", "timeout"}),
}
"""Keys of a node that mean something only in some modes."""

_TABLES: Final[Mapping[str, type[Strict]]] = {
    "poll": PollSection,
    "push": PushSection,
    "local": LocalSection,
    "script": ScriptSection,
}
"""The table of each mode; a node may set its keys again, within the same limits."""


def _limits(model: type[Strict], key: str) -> dict[str, float]:
    """The bounds of a number: `gt`, `ge`, `lt`, `le`."""
    bounds = ((name, getattr(mark, name, None)) for mark in _marks(model, key) for name in ("gt", "ge", "lt", "le"))
    return {name: value for name, value in bounds if value is not None}


def _marks(model: type[Strict], key: str) -> list[Any]:
    """The constraints of a field, also where it may be absent: `Annotated[float, Field(gt=0)] | None`."""
    field = model.model_fields[key]
    options = get_args(field.annotation) or (field.annotation,)
    inner = [mark for option in options for mark in getattr(option, "__metadata__", ())]
    return [*field.metadata, *(m for mark in inner for m in getattr(mark, "metadata", [mark]))]


STRICTER: Final[Mapping[str, Mapping[str, dict[str, float]]]] = {
    mode: {
        key: limits
        for key in table.model_fields.keys() & NodeTable.model_fields.keys()
        if (limits := _limits(table, key)) != _limits(NodeTable, key)
    }
    for mode, table in _TABLES.items()
}
"""By mode and key: limits of the table that are not those of a node, which knows no mode."""

DELAY_DEAD: Final = 10.0
"""The default of `delay_dead` in [poll] and [local]."""

_FOREIGN: Final = {mode: frozenset().union(*MODE_KEYS.values()) - own for mode, own in MODE_KEYS.items()}
"""By mode: keys that mean something only in others."""


class References:
    """One check over one document; `faults` fill up."""

    def __init__(self, data: dict[str, Any], rooms: Rooms, *, scripts: bool) -> None:
        self.data = data
        self.rooms = rooms
        self.scripts = scripts
        self.schemes = dict(rooms.schemes)
        self.nodes: dict[str, tuple[Path, dict[str, Any]]] = {}
        self.services: dict[str, list[str]] = {}
        self.faults: list[Fault] = []
        for path, service in tables(data, ("services",)):
            keys = self.services.setdefault(str(service.get("id")), [])
            for node_path, node in tables(data, (*path, "nodes")):
                key = f"{service.get('id')}/{node.get('id')}"
                keys.append(key)
                self.nodes.setdefault(key, (node_path, node))

    def say(self, path: Path, text: str) -> None:
        """Remember a fault."""
        self.faults.append(Fault(path, text))

    def all(self) -> list[Fault]:
        """Check everything."""
        heartbeats: dict[str, Path] = {}
        for path, node in self.nodes.values():
            self._mode(path, node)
            self._replicas(path, node)
            if not self.rooms.kinds.isdisjoint(node):
                self._tables(path, node)
            if "heartbeat" in node:
                self._heartbeat(path, node, heartbeats)
            self._lateness(path, node)
            if "delay_sick" in node:
                above = _table(self.data, str(node.get("mode", "poll")))
                self._delays(path, node, above.get("delay_dead", DELAY_DEAD))
        self._places()
        self._dependencies()
        self._notifiers()
        self._sections()
        for path, announcement in tables(self.data, ("announcements",)):
            self._names(path, announcement, "maintenance", nodes=True)
        return self.faults

    def _mode(self, path: Path, node: dict[str, Any]) -> None:
        mode = node.get("mode", "poll")
        if not isinstance(mode, str) or mode not in MODE_KEYS:
            return
        for key in sorted(_FOREIGN[mode].intersection(node)):
            modes = " or ".join(f'"{m}"' for m, keys in MODE_KEYS.items() if key in keys)
            default = "" if "mode" in node else ", which is the default"
            self.say((*path, key), f'means nothing in mode "{mode}"{default}; it belongs to mode {modes}')
        for key in STRICTER[mode].keys() & node.keys():
            if wrong := out_of_bounds(node[key], STRICTER[mode][key]):
                self.say((*path, key), f'{wrong} in mode "{mode}"')
        if mode == "poll" and not node.get("replicas"):
            self.say(
                (*path, "replicas"),
                'is missing: mode "poll" needs addresses to look at, as in ["https://acme.example/"]',
            )
        if mode == "script" and not node.get("scripts"):
            self.say((*path, "scripts"), 'is missing: mode "script" needs at least one script')
        if mode == "script" and node.get("scripts") and not self.scripts:
            self.say((*path, "scripts"), "scripts are off; set enabled = true in [script], or start with --scripts")
        if node.get("link_label") and not node.get("link_url"):
            self.say((*path, "link_label"), "has no link_url to go with it")

    def _replicas(self, path: Path, node: dict[str, Any]) -> None:
        seen: dict[str, int] = {}
        replicas = node.get("replicas")
        for index, replica in enumerate(replicas if isinstance(replicas, list) else ()):
            url = replica
            if isinstance(replica, dict):
                url = replica.get("url")
                self._own((*path, "replicas", index), replica, node)
            if not isinstance(url, str):
                continue
            if replica_fault(url, self.rooms):
                here = (*path, "replicas", index)
                self.say((*here, "url") if isinstance(replica, dict) else here, self._address(url))
            elif seen.setdefault(url, index) != index:
                self.say((*path, "replicas", index), f"{masked(url)} is there twice, here and as replicas[{seen[url]}]")

    def _own(self, path: Path, replica: dict[str, Any], node: dict[str, Any]) -> None:
        """What a replica has for itself."""
        if "delay_sick" in replica:
            above = _table(self.data, str(node.get("mode", "poll"))).get("delay_dead", DELAY_DEAD)
            self._delays(path, replica, node.get("delay_dead", above))
        if not self.rooms.kinds.isdisjoint(replica):
            self._tables(path, {**replica, "replicas": [replica]}, "this replica is not")

    def _address(self, url: str) -> str:
        fault = replica_fault(url, self.rooms)
        if fault.startswith("nothing here"):
            near = nearest(url.partition("://")[0], self.schemes)
            return f"{fault}; {near}" if near.startswith("did") else fault
        return fault

    def _tables(self, path: Path, node: dict[str, Any], nobody: str = "no replica of this node is") -> None:
        """A table of options for a kind that none of the replicas is of is a slip, and would be without effect."""
        present = [kind for kind in node if kind in self.rooms.kinds and isinstance(node[kind], dict)]
        if not present:
            return
        kinds = {"script"} if node.get("scripts") else set()
        for replica in node["replicas"] if isinstance(node.get("replicas"), list) else ():
            url = replica.get("url") if isinstance(replica, dict) else replica
            kinds.add(self.schemes.get(str(url).partition("://")[0].lower(), ""))
        for kind in present:
            if kind not in kinds and "" not in kinds:
                schemes = " or ".join(f"{s}://" for s, k in self.schemes.items() if k == kind) or "a script"
                self.say((*path, kind), f"has no effect: {nobody} {schemes}")

    def _heartbeat(self, path: Path, node: dict[str, Any], taken: dict[str, Path]) -> None:
        token = node.get("heartbeat")
        if isinstance(token, str) and taken.setdefault(token, path) != path:
            self.say((*path, "heartbeat"), f"is the token of {written(taken[token])} too; each node needs its own")

    def _lateness(self, path: Path, node: dict[str, Any]) -> None:
        """Keys of a heartbeat that exclude or need each other."""
        for key in ("schedule", "grace"):
            if key in node and "heartbeat" not in node and node.get("mode") == "push":
                self.say((*path, key), "is of a heartbeat: this node needs heartbeat = a token, too")
        for key, other in (("schedule", "interval"), ("grace", "delay_dead")):
            if key in node and other in node:
                self.say((*path, other), f"says the same as {key}: expected one of the two")
        if "timezone" in node and not node.get("schedule"):
            self.say((*path, "timezone"), "is of a schedule, and there is none on this node")

    def _delays(self, path: Path, table: dict[str, Any], dead_above: Any) -> None:
        """A `delay_sick` that is written, against the `delay_dead` beside it, else that of the table above."""
        sick, dead = table.get("delay_sick"), table.get("delay_dead", dead_above)
        if isinstance(sick, int | float) and isinstance(dead, int | float) and sick > dead > 0:
            self.say(
                (*path, "delay_sick"), f"is {sick:g}, but after delay_dead = {dead:g} it is dead already; expected less"
            )

    def _dependencies(self) -> None:
        graph: dict[str, set[str]] = {}
        for key, (path, node) in self.nodes.items():
            if "depends_on" not in node:  # it ends every way that leads there
                continue
            self._names(path, node, "depends_on", nodes=True)
            graph[key] = set()
            for name in _texts(node["depends_on"]):
                graph[key] |= {name} if name in self.nodes else set(self.services.get(name, ()))
        done: set[str] = set()
        for key in graph:
            cycle = _cycle(graph, key, done)
            if cycle:
                path, _ = self.nodes[cycle[0]]
                self.say((*path, "depends_on"), f"goes in a circle: {' → '.join([*cycle, cycle[0]])}")

    def _names(self, path: Path, table: dict[str, Any], key: str, *, nodes: bool) -> None:
        """Each name in that array is one of a service, or also of a node."""
        for index, name in enumerate(_texts(table.get(key))):
            if name not in self.services and not (nodes and name in self.nodes):
                known = [*self.services, *(self.nodes if nodes else ())]
                what = 'node or service "{}"' if nodes else 'service "{}"'
                self.say((*path, key, index), f"there is no {what.format(name)}; {nearest(name, known)}".rstrip("; "))

    def _places(self) -> None:
        """Ids and tokens of places are their own, and nodes name places that there are."""
        here = _table(self.data, "place").get("id", "here")
        known: dict[str, Path] = {str(here): ("place", "id")}
        tokens = {t for t in _reporting_tokens(self.data) if isinstance(t, str)}
        for path, place in tables(self.data, ("places",)):
            name, token = place.get("id"), place.get("token")
            if isinstance(name, str) and known.setdefault(name, path) != path:
                taken = "this daemon; [place] id gives it another one" if name == here else written(known[name])
                self.say((*path, "id"), f'the id "{name}" is taken by {taken}')
            if isinstance(token, str) and token in tokens:
                self.say((*path, "token"), "opens something else already; each place needs a token of its own")
            tokens.add(str(token))
        for path, node in self.nodes.values():
            names = _texts(node.get("places"))
            for index, name in enumerate(names):
                if name not in known:
                    near = nearest(name, known) or "add [[places]]"
                    self.say((*path, "places", index), f'there is no place "{name}"; {near}')
                elif name in names[:index]:
                    self.say((*path, "places", index), f'"{name}" is there twice')
            quorum = node.get("quorum")
            if isinstance(quorum, int) and quorum > max(1, len(names)):
                count = (
                    f"{len(names)} place{'s' * (len(names) != 1)}"
                    if names
                    else 'this daemon alone, as it has no "places"'
                )
                self.say((*path, "quorum"), f"is {quorum}, but it is looked at from {count}; it would never be dead")

    def _notifiers(self) -> None:
        operators = {str(o.get("id")) for _, o in tables(self.data, ("operators",))}
        for path, notifier in tables(self.data, ("notifiers",)):
            self._names(path, notifier, "services", nodes=False)
            for index, name in enumerate(_texts(notifier.get("operators"))):
                if name not in operators:
                    near = nearest(name, operators) or "add [[operators]]"
                    self.say((*path, "operators", index), f'there is no operator "{name}"; {near}')

    def _sections(self) -> None:
        for name in ("poll", "local"):
            if isinstance(self.data.get(name), dict):
                self._delays((name,), self.data[name], DELAY_DEAD)
        server, metrics, page = (_table(self.data, n) for n in ("server", "metrics", "page"))
        if metrics.get("listen") and metrics["listen"] in _texts(server.get("listen")):
            self.say(
                ("metrics", "listen"),
                f'"{metrics["listen"]}" is in server.listen already; leave this out to serve it there',
            )
        if server.get("manager_token") and server.get("manager_token") == server.get("reporter_token"):
            self.say(("server", "manager_token"), "is the same as reporter_token; every reporter could manage the page")
        publish = _table(self.data, "publish")
        for key, other in (("access_key", "secret_key"), ("secret_key", "access_key")):
            if publish.get(key) and not publish.get(other):
                self.say(("publish", key), f"has no {other} to go with it")
        for key in ("prefix", "endpoint", "access_key"):
            if publish.get(key) and not publish.get("bucket"):
                self.say(("publish", key), 'is of object storage: it needs a "bucket", too')
        if publish.get("bucket") and not find_spec("obstore"):
            self.say(("publish", "bucket"), "needs the obstore library: pip install 'crisp-status[publish]'")
        language = page.get("language", "en")
        if language in LANGUAGES and page.get("languages") and language not in _texts(page["languages"]):
            self.say(("page", "languages"), f'lacks "{language}", the language of the page')
        for index, url in enumerate(_texts(_table(self.data, "witness").get("urls"))):
            fault = self._address(url) if url != GATEWAY else ""
            if fault:
                self.say(("witness", "urls", index), fault)
        for key in ("folder", "bucket") if _table(page, "private") else ():
            if _table(self.data, "publish").get(key):
                self.say(("publish", key), "cannot stand beside [page.private]: everybody could read the files")
        agent = _table(self.data, "agent")
        if agent.get("protocol") == "vigil" and not self.nodes:
            self.say(("agent", "protocol"), "a Vigil has no list to fetch, so the services must stand in this file")


def _reporting_tokens(data: dict[str, Any]) -> Iterator[Any]:
    """Tokens that open something else than a place."""
    server = _table(data, "server")
    yield from (server.get("reporter_token"), server.get("manager_token"))
    for path, service in tables(data, ("services",)):
        yield service.get("reporter_token")
        for _, node in tables(data, (*path, "nodes")):
            yield node.get("reporter_token")


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _texts(value: Any) -> list[str]:
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def _cycle(graph: dict[str, set[str]], start: str, done: set[str]) -> list[str]:
    """The first circle that is reached from there, [] when there is none; without recursion, as chains may be long."""
    if start in done:
        return []
    trail = [start]
    depth = {start: 0}
    stack = [iter(sorted(graph[start]))]
    while stack:
        following = next(stack[-1], None)
        if following is None:
            stack.pop()
            finished = trail.pop()
            del depth[finished]
            done.add(finished)
        elif following in depth:
            done.update(trail)
            return trail[depth[following] :]
        elif following not in done and following in graph:
            depth[following] = len(trail)
            trail.append(following)
            stack.append(iter(sorted(graph[following])))
    return []

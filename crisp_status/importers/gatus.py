"""From Gatus: its YAML, one file or several that it would merge. Each endpoint becomes a node, each group a service."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from crisp_status.importers._conditions import Conditions
from crisp_status.importers._draft import DraftTable, Reference
from crisp_status.importers._durations import DAYS, clock, go_seconds
from crisp_status.importers._files import ImportFailed, flag, number, table, tables, text
from crisp_status.importers._gatus_alerts import Alerting
from crisp_status.importers._maintenance import announce, first, zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crisp_status.importers._draft import Draft
    from crisp_status.importers._files import Source

TITLE = "Gatus"

INTERVAL: Final = 60
"""Its default, in seconds."""

TIMEOUT: Final = 10

TLS: Final = {"http", "tls", "starttls", "ws"}
"""Probes with options about certificates."""

OTHER: Final = "Services"
"""Where endpoints without a group stand."""

_HEAD: Final = re.compile(rb"^(?:endpoints|external-endpoints|suites):\s*(?:#.*)?$", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)")

ELSEWHERE: Final = {
    "security": ("sign-in for the page", "put a proxy with a sign-in in front"),
    "storage": ("its history", ""),
    "remote": ("endpoints of other instances", "give their endpoints a place here"),
    "tunneling": ("tunnels through SSH", "run `crisp-status local` on the other side"),
    "suites": ("suites of steps", "a script node can go through several steps"),
}
"""Sections without a counterpart: what they are, and what to do."""

STARTTLS: Final = {
    25: "smtp+starttls",
    587: "smtp+starttls",
    143: "imap+starttls",
    110: "pop3+starttls",
    5432: "postgres+tls",
}
"""By port: what is spoken before TLS. Gatus asks all of them as SMTP."""


def recognises(head: bytes) -> bool:
    """Whether it has a list of endpoints at the top level, as only Gatus has."""
    return bool(_HEAD.search(head))


def read(files: Sequence[Source], draft: Draft) -> None:
    """Fill the draft from the files, in the order in which Gatus would merge them."""
    data: dict[str, Any] = {}
    for source in files:
        for key, value in _parsed(source, draft).items():
            known = data.get(key)
            if isinstance(known, list) and isinstance(value, list):
                data[key] = known + value
            else:
                data[key] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    if not any(tables(data.get(key)) for key in ("endpoints", "external-endpoints", "suites")):
        raise ImportFailed(f"{files[0].path} has no endpoints; is it a configuration of Gatus?")
    _page(data, draft)
    draft.section("poll")["interval"] = INTERVAL
    if data.get("maintenance"):  # before those of single endpoints, which are seldom
        zone(draft, "maintenance", text(table(data["maintenance"]).get("timezone")))
    alerting = Alerting(draft, table(data.get("alerting")))
    for endpoint in tables(data.get("endpoints")):
        _endpoint(endpoint, draft, alerting)
    for endpoint in tables(data.get("external-endpoints")):
        _external(endpoint, draft, alerting)
    services = [service["id"] for service in draft.data.get("services", ())]
    alerting.finish(services)
    _maintenance(table(data.get("maintenance")), "maintenance", services, draft)
    for entry in tables(data.get("announcements")):
        _announcement(entry, draft)
    for key, (what, instead) in ELSEWHERE.items():
        if data.get(key) and not (key == "storage" and text(table(data[key]).get("type")) in {"", "memory"}):
            draft.lost(
                key, f"{what} is not carried over" if what.startswith("its") else f"has no counterpart: {what}", instead
            )
    draft.tokens()


def _parsed(source: Source, draft: Draft) -> dict[str, Any]:
    """The document. All scalars stay text, since YAML takes `23:00` for a number and Gatus does not."""
    try:
        import yaml
    except ImportError:
        raise ImportFailed("reading YAML needs PyYAML: pip install 'crisp-status[gatus]'") from None

    known = yaml.SafeLoader.yaml_implicit_resolvers
    kept = {key: [pair for pair in pairs if pair[0].endswith((":merge", ":null"))] for key, pairs in known.items()}
    loader = type("Loader", (yaml.SafeLoader,), {"yaml_implicit_resolvers": kept})
    try:
        data = yaml.load(source.text(), loader)  # noqa: S506 -- a SafeLoader with fewer types
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ImportFailed(f"{source.path}{where}: is not YAML: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(data, dict):
        raise ImportFailed(f"{source.path} is not a configuration of Gatus: expected keys such as endpoints:")
    expanded: dict[str, Any] = _expanded(data, draft, 0)
    return expanded


def _expanded(value: Any, draft: Draft, depth: int) -> Any:
    """The value with `$VAR` and `${VAR}` as references of ours, and `$$` as a dollar."""
    if depth > 50:
        raise ImportFailed("the file is nested too deeply for a configuration")
    if isinstance(value, dict):
        return {text(key): _expanded(item, draft, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_expanded(item, draft, depth + 1) for item in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    names = {match[1] or match[2] for match in _VARIABLE.finditer(value)} - {None}
    plain = _VARIABLE.sub(lambda m: "$" if m.group() == "$$" else f"${{{m[1] or m[2]}}}", value)
    draft.variables |= names
    return Reference(plain) if names else plain


def _page(data: dict[str, Any], draft: Draft) -> None:
    ui, web = table(data.get("ui")), table(data.get("web"))
    page = draft.section("page")
    page["name"] = text(ui.get("header")) or text(ui.get("title")) or "Status"
    for theirs, ours in (("description", "description"), ("link", "website_url")):
        if ui.get(theirs):
            page[ours] = text(ui[theirs])
    for key, instead in (
        ("logo", 'download it and write header_logo = "…" in [page.branding]'),
        ("buttons", "a node can have a link_url"),
        ("custom-css", 'write it into a file and stylesheet = "…" in [page]; class names differ'),
    ):
        if ui.get(key):
            draft.lost(f"ui.{key}", "is not carried over", instead)
    draft.section("server")["listen"] = [f"{text(web.get('address')) or '0.0.0.0'}:{text(web.get('port')) or '8080'}"]  # noqa: S104 -- its default
    if web.get("tls"):
        draft.lost(
            "web.tls", "a certificate is not carried over", "docs/operating.md says how the page is served over HTTPS"
        )
    if flag(data.get("metrics")):
        draft.section("metrics")["enabled"] = True
    target = text(table(table(data.get("connectivity")).get("checker")).get("target"))
    if target:
        draft.section("witness")["urls"] = [f"tcp://{target}"]


def _endpoint(endpoint: dict[str, Any], draft: Draft, alerting: Alerting) -> None:
    name, group = text(endpoint.get("name")), text(endpoint.get("group"))
    where = f'endpoint "{group}/{name}"' if group else f'endpoint "{name}"'
    if not flag(endpoint.get("enabled", True)):
        draft.lost(where, "is disabled")
        return
    timeout = go_seconds(text(table(endpoint.get("client")).get("timeout"))) or TIMEOUT
    made = _address(endpoint, where, draft)
    if made is None:
        return
    url, probe = made
    service = draft.service(group or OTHER)
    node = draft.node(service, name)
    node["replicas"] = [draft.url(node["id"], url)]
    interval = go_seconds(text(endpoint.get("interval")) or f"{INTERVAL}s")
    if interval != INTERVAL:
        node["interval"] = interval or text(endpoint.get("interval"))
    if timeout != TIMEOUT:
        node["delay_dead"] = timeout
        if timeout < 5:  # our default for sick
            node["delay_sick"] = timeout
    conditions = Conditions(draft, where, node, probe, timeout)
    for condition in endpoint["conditions"] if isinstance(endpoint.get("conditions"), list) else ():
        conditions.apply(text(condition) if not isinstance(condition, Reference) else condition)
    options = conditions.finish()
    if probe == "http":
        options = DraftTable(_http(endpoint, node, draft) | options)
        if options.get("method") == "HEAD" and (options.get("healthy_match") or options.get("dead_match")):
            del options["method"]
    if probe in TLS and flag(table(endpoint.get("client")).get("insecure")):
        options["verify_tls"] = False
    if options:
        node[probe] = DraftTable(options)
    _client(table(endpoint.get("client")), node, probe, where, draft)
    alerting.endpoint(endpoint.get("alerts"), service["id"], where)
    for window in tables(endpoint.get("maintenance-windows")):
        _maintenance(window, where, [f"{service['id']}/{node['id']}"], draft)


def _address(endpoint: dict[str, Any], where: str, draft: Draft) -> tuple[str, str] | None:
    """The address as we have it, and the kind of probe; None, and a remark, when we cannot look there."""
    url = endpoint.get("url")
    url = url if isinstance(url, Reference) else text(url).strip()
    dns = table(endpoint.get("dns"))
    if dns:
        server = url.removeprefix("udp://").removeprefix("tcp://")
        kind = text(dns.get("query-type")) or "A"
        return f"dns://{server}/{text(dns.get('query-name')).rstrip('.')}?type={kind}", "dns"
    scheme, _, rest = url.partition("://")
    if scheme in {"http", "https"}:
        return url, "http"
    if scheme == "ssh":
        if endpoint.get("ssh"):
            draft.changed(where, "the server must greet as SSH does; nobody signs in, and no command is run")
        return url, "ssh"
    host, port = rest.partition("/")[0], urlsplit(f"//{rest}").port if rest and not isinstance(url, Reference) else None
    if scheme == "starttls":
        named = STARTTLS.get(port or 0, "")
        if named in draft.schemes:
            return f"{named}://{host}", "starttls"
    if scheme == "grpcs" and "grpcs" not in draft.schemes and "grpc" in draft.schemes:
        draft.changed(where, "is asked without TLS")
        return f"grpc://{host}", "grpc"
    if scheme in draft.schemes:
        return url, _probe_of(scheme)
    if scheme in {"starttls", "tls", "grpc", "grpcs", "ws", "wss"}:
        usual = {"wss": 443, "ws": 80}.get(scheme)
        there = host if port or usual is None else f"{host}:{usual}"
        draft.changed(where, f"{scheme}:// only has to accept a connection, as tcp://{there}")
        return f"tcp://{there}", "tcp"
    draft.lost(where, f'nothing here can look at "{scheme}://"' if scheme else "has no address", "a script node can")
    return None


def _probe_of(scheme: str) -> str:
    return {"wss": "ws", "grpcs": "grpc"}.get(scheme, scheme)


def _http(endpoint: dict[str, Any], node: DraftTable, draft: Draft) -> DraftTable:
    http = DraftTable()
    client = table(endpoint.get("client"))
    method = text(endpoint.get("method")).upper()
    if method:
        http["method"] = method
    fields = [(name, v if isinstance(v, Reference) else text(v)) for name, v in table(endpoint.get("headers")).items()]
    body = endpoint.get("body")
    if body and flag(endpoint.get("graphql")):
        body = json.dumps({"query": text(body)})
        fields = [("Content-Type", "application/json"), *(f for f in fields if f[0].lower() != "content-type")]
        http["method"] = method or "POST"
    if fields:
        http["headers"] = draft.headers(node["id"], fields)
    if body and http.get("method") in {"POST", "PUT", "PATCH"}:
        http["body"] = body if isinstance(body, Reference) else text(body)
    if not flag(client.get("ignore-redirect")):
        http["follow_redirects"] = True
    return http


def _client(client: dict[str, Any], node: DraftTable, probe: str, where: str, draft: Draft) -> None:
    """What it says of connections, as options of the probe."""
    options = DraftTable(node.get(probe, {}))
    if client.get("proxy-url") and probe == "http":
        options["proxy"] = draft.secret(f"{node['id']}-proxy", client["proxy-url"])
    given = table(client.get("oauth2"))
    if given and probe == "http":
        scopes = given.get("scopes")
        options["oauth2"] = DraftTable(
            token_url=given.get("token-url", ""),
            client_id=given.get("client-id", ""),
            client_secret=draft.secret(f"{node['id']}-oauth2", given.get("client-secret", "")),
            scope=" ".join(map(text, scopes)) if isinstance(scopes, list) else "",
        )
    tls = table(client.get("tls"))
    if tls.get("certificate-file") and probe in TLS:
        options["client_cert"] = tls["certificate-file"]
        options["client_key"] = tls.get("private-key-file", "")
    family = {"ip4": "ipv4", "ip6": "ipv6"}.get(text(client.get("network")))
    if family:
        options["ip_family"] = family
    if options:
        node[probe] = options
    for key, carried, instead in (
        ("proxy-url", "proxy" in options, "run `crisp-status local` where the address is reached"),
        ("oauth2", "oauth2" in options, "a header with a token of its own, or a script node"),
        ("identity-aware-proxy", False, "a header with a token of its own, or a script node"),
        ("tls", "client_cert" in options, "client_cert and client_key of the probe"),
        ("dns-resolver", False, "the machine's own nameservers are asked"),
        ("network", bool(family) or text(client.get("network")) == "ip", "ip_family of the probe"),
        ("tunnel", False, "run `crisp-status local` on the other side"),
    ):
        if client.get(key) and not carried:
            draft.lost(where, f"client.{key} is not carried over", instead)


def _external(endpoint: dict[str, Any], draft: Draft, alerting: Alerting) -> None:
    name, group, token = text(endpoint.get("name")), text(endpoint.get("group")), endpoint.get("token", "")
    where = f'external endpoint "{group}/{name}"' if group else f'external endpoint "{name}"'
    if not flag(endpoint.get("enabled", True)):
        draft.lost(where, "is disabled")
        return
    service = draft.service(group or OTHER)
    node = draft.node(service, name)
    node["mode"] = "push"
    node["heartbeat"] = draft.secret(f"{service['id']}-{node['id']}-heartbeat", token)
    interval = go_seconds(text(table(endpoint.get("heartbeat")).get("interval")))
    if interval:
        node["interval"] = interval
    else:
        draft.changed(
            where, "never was late; here it is dead when nothing comes for [push] interval", "set interval", at=node
        )
    instead = "call /ping/{its token}, and /ping/{its token}/fail for a failure"
    draft.changed(where, "reports came to /api/v1/endpoints/…/external", instead, at=node)
    alerting.endpoint(endpoint.get("alerts"), service["id"], where)


def _maintenance(window: dict[str, Any], where: str, of: list[str], draft: Draft) -> None:
    if not window or not flag(window.get("enabled", True)):
        return
    start, seconds = clock(text(window.get("start"))), go_seconds(text(window.get("duration")))
    days = window.get("every") if isinstance(window.get("every"), list) else []
    names = [text(day)[:2].upper() for day in days or ()]
    if start is None or not seconds or any(name not in DAYS for name in names):
        draft.lost(where, "its maintenance cannot be understood", "write it as [[announcements]]")
        return
    zone(draft, where, text(window.get("timezone")))
    rule = f"FREQ=WEEKLY;BYDAY={','.join(names)}" if names else "FREQ=DAILY"
    announce(draft, "Maintenance", start=first(draft.today, start), seconds=seconds, rrule=rule, of=of)


def _announcement(entry: dict[str, Any], draft: Draft) -> None:
    if flag(entry.get("archived")):
        draft.lost("announcements", f'"{text(entry.get("message"))[:40]}" is archived')
        return
    title = text(entry.get("type")).capitalize()
    ours = DraftTable(title=title if title and title != "None" else "Announcement", text=text(entry.get("message")))
    stamp = text(entry.get("timestamp"))
    if number(stamp) is None and stamp:
        import datetime

        try:
            ours["starts_at"] = datetime.datetime.fromisoformat(stamp)
        except ValueError:
            draft.lost("announcements", f'"{stamp}" is not a time', "set starts_at")
    draft.append("announcements", ours)

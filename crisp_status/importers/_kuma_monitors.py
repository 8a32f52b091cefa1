"""Monitors of Uptime Kuma as nodes."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from crisp_status.importers._conditions import json_path
from crisp_status.importers._draft import DraftTable, host_port, userinfo
from crisp_status.importers._durations import tidy
from crisp_status.importers._files import flag, number, table, text
from crisp_status.importers._patterns import literal
from crisp_status.importers._statuses import of_ranges, spans, window

if TYPE_CHECKING:
    from crisp_status.importers._draft import Draft

HTTP: Final = {"http", "keyword", "json-query"}

DATABASES: Final = {
    "postgres": 5432,
    "mysql": 3306,
    "mongodb": 27017,
    "redis": 6379,
    "sqlserver": 1433,
    "mqtt": 1883,
    "rabbitmq": 5672,
    "grpc-keyword": 443,
    "smtp": 25,
    "steam": 0,
}
"""Kinds with an address of a port: what is looked at when there is no probe for the kind itself."""

PROBES: Final = {"postgres": "postgres", "mysql": "mysql", "redis": "redis", "rabbitmq": "amqp", "mongodb": "mongodb"}
"""Those that a probe of ours asks in their own protocol: by kind, its scheme."""

CONTENT: Final = {
    "json": "application/json",
    "xml": "text/xml; charset=utf-8",
    "form": "application/x-www-form-urlencoded",
}

CERTIFICATE_DAYS: Final = 7
"""Kuma tells operators 21, 14 and 7 days before; here the page is sick, so the last of them."""

POLL_WAIT_MAX: Final = 60


def add(monitor: dict[str, Any], service: DraftTable, where: str, draft: Draft) -> DraftTable | None:
    """The node of a monitor; None, and a remark, when it cannot be watched."""
    kind = text(monitor.get("type"))
    if not flag(monitor.get("active", 1)):
        draft.lost(where, "is paused")
        return None
    if kind == "push":
        return _push(monitor, service, where, draft)
    url, probe = _address(monitor, kind, draft.schemes)
    if not url:
        draft.lost(
            where,
            f'there is no way to look at a monitor of type "{kind}"',
            "a script node can, or a heartbeat from where it runs",
        )
        return None
    node = draft.node(service, text(monitor.get("name")))
    node["replicas"] = [draft.url(node["id"], url)]
    if probe in PROBES.values():
        draft.changed(where, f"only has to take connections as {kind}; no query is sent", at=node)
    elif kind not in HTTP and kind not in {"port", "ping", "dns"}:
        draft.changed(where, f"only has to accept a connection, as {url}; it was asked as {kind}", at=node)
    _times(monitor, node, kind)
    if flag(monitor.get("upside_down")):
        node["expect_dead"] = True
    if probe == "http":
        http = _http(monitor, kind, node, where, draft)
        if http:
            node["http"] = http
    if kind == "dns" and text(monitor.get("conditions")) not in {"", "[]"}:
        draft.lost(where, "its conditions are not checked", "match in [services.nodes.dns]", at=node)
    _connection(monitor, node, probe, where, draft)
    return node


def _connection(monitor: dict[str, Any], node: DraftTable, probe: str, where: str, draft: Draft) -> None:
    """Its proxy and its family of addresses."""
    options = DraftTable(node.get(probe, {}))
    proxy = table(monitor.get("proxy"))
    scheme = {"http": "http", "socks5": "socks5", "socks5h": "socks5", "socks": "socks5"}.get(
        text(proxy.get("protocol")), ""
    )
    if proxy and scheme and probe == "http":
        user, password = text(proxy.get("username")), text(proxy.get("password"))
        signed = f"{userinfo(user)}:{userinfo(password)}@" if flag(proxy.get("auth")) and user else ""
        url = f"{scheme}://{signed}{host_port(text(proxy.get('host')), proxy.get('port'))}"
        options["proxy"] = draft.secret(f"{node['id']}-proxy", url) if signed else url
    elif monitor.get("proxy_id"):
        draft.lost(where, "its proxy is not used", "run `crisp-status local` where it is reached", at=node)
    family = {"4": "ipv4", "ipv4": "ipv4", "6": "ipv6", "ipv6": "ipv6"}.get(text(monitor.get("ip_family")), "")
    if family and probe != "dns":
        options["ip_family"] = family
    if options:
        node[probe] = options


def _push(monitor: dict[str, Any], service: DraftTable, where: str, draft: Draft) -> DraftTable:
    node = draft.node(service, text(monitor.get("name")))
    node["mode"] = "push"
    node["heartbeat"] = draft.secret(f"{service['id']}-{node['id']}-heartbeat", text(monitor.get("push_token")))
    node["interval"] = number(monitor.get("interval")) or 60
    return node


def _address(monitor: dict[str, Any], kind: str, schemes: frozenset[str]) -> tuple[str, str]:
    """The address that is looked at and the kind of probe; "" when there is none."""
    host, port = text(monitor.get("hostname")).strip(), monitor.get("port")
    if kind in HTTP:
        return text(monitor.get("url")).strip(), "http"
    if kind == "port":
        return f"tcp://{host_port(host, port)}", "tcp"
    if kind == "ping":
        return f"icmp://{host_port(host, None)}", "icmp"
    if kind == "dns":
        servers = text(monitor.get("dns_resolve_server")).split(",")[0].strip()
        server = host_port(servers, port if port and port != 53 else None) if servers else ""
        return f"dns://{server}/{host}?type={text(monitor.get('dns_resolve_type')) or 'A'}", "dns"
    if kind not in DATABASES:
        return "", ""
    address = _port_of(monitor, kind, host, port)
    scheme = PROBES.get(kind, "")
    if not address or scheme not in schemes:
        return address, "tcp"
    password = _password_of(monitor) if kind == "redis" else ""
    return f"{scheme}://{f':{userinfo(password)}@' if password else ''}{address.removeprefix('tcp://')}", scheme


def _password_of(monitor: dict[str, Any]) -> str:
    """The password in a connection string; "" when there is none."""
    try:
        return unquote(urlsplit(text(monitor.get("database_connection_string"))).password or "")
    except ValueError:
        return ""


def _port_of(monitor: dict[str, Any], kind: str, host: str, port: Any) -> str:
    """`tcp://host:port` of a database or broker, from its connection string where it has one."""
    given = text(monitor.get("database_connection_string")) or text(monitor.get("grpc_url"))
    if kind == "sqlserver":
        found = re.search(r"(?:server|data source)\s*=\s*(?:tcp:)?([^,;]+)(?:,(\d+))?", given, re.IGNORECASE)
        host, port = (found[1], found[2]) if found else (host, port)
    elif given:
        try:
            parts = urlsplit(given if "://" in given else f"//{given}")
            host, port = parts.hostname or host, parts.port or port
        except ValueError:
            host = ""
    elif "://" in host:
        host = urlsplit(host).hostname or ""
    port = port or DATABASES[kind]
    return f"tcp://{host_port(host, port)}" if host and port else ""


def _times(monitor: dict[str, Any], node: DraftTable, kind: str) -> None:
    interval, timeout = number(monitor.get("interval")) or 60, number(monitor.get("timeout")) or 0
    node["interval"] = interval
    retries = int(number(monitor.get("maxretries")) or 0)
    if retries:
        node["retry"] = min(retries, 20)
        node["retry_wait"] = tidy(min(number(monitor.get("retry_interval")) or interval, POLL_WAIT_MAX))
    if timeout and kind in HTTP:
        node["delay_dead"] = tidy(timeout)
        if timeout < 5:  # our default for sick
            node["delay_sick"] = tidy(timeout)


def _http(monitor: dict[str, Any], kind: str, node: DraftTable, where: str, draft: Draft) -> DraftTable:
    http = DraftTable()
    method = text(monitor.get("method")).upper() or "GET"
    matched = kind == "keyword" and text(monitor.get("keyword"))
    if method != "GET" and not (method == "HEAD" and matched):
        http["method"] = method
    fields = _fields(monitor, where, draft)
    body = text(monitor.get("body"))
    if body and http.get("method") in {"POST", "PUT", "PATCH"}:
        http["body"] = body
        fields.setdefault("Content-Type", CONTENT.get(text(monitor.get("http_body_encoding")), CONTENT["json"]))
    if fields:
        http["headers"] = draft.headers(node["id"], fields.items())
    if number(monitor.get("maxredirects", 10)):
        http["follow_redirects"] = True
    if flag(monitor.get("ignore_tls")):
        http["verify_tls"] = False
    elif flag(monitor.get("expiry_notification")) and text(monitor.get("url")).startswith("https:"):
        http["certificate_sick_days"] = CERTIFICATE_DAYS
        what = f"the page is sick {CERTIFICATE_DAYS} days before the certificate ends; there you were told 21, 14 and 7 days before"
        draft.changed(where, what)
    if matched:
        http["dead_match" if flag(monitor.get("invert_keyword")) else "healthy_match"] = literal(matched)
    if kind == "json-query":
        wanted = _json(monitor)
        if wanted is None:
            what = f"the JSON query {text(monitor.get('json_path'))!r} is not asked; the status alone counts"
            draft.lost(where, what, "json takes a JSONPath and what its value must be", at=node)
        else:
            http["json"] = wanted
    if text(monitor.get("auth_method")) == "oauth2-cc":
        http["oauth2"] = DraftTable(
            token_url=text(monitor.get("oauth_token_url")),
            client_id=text(monitor.get("oauth_client_id")),
            client_secret=draft.secret(f"{node['id']}-oauth2", text(monitor.get("oauth_client_secret"))),
            scope=text(monitor.get("oauth_scopes")),
            audience=text(monitor.get("oauth_audience")),
        )
    _statuses(monitor, http, node, where, draft)
    return http


def _json(monitor: dict[str, Any]) -> DraftTable | None:
    """A query that is a plain path (of all that JSONata can), and its comparison; None for any other."""
    path = text(monitor.get("json_path")).strip().removeprefix("$").removeprefix(".")
    if not re.fullmatch(r"[\w-]+(?:\[\d+\])?(?:\.[\w-]+(?:\[\d+\])?)*", path):
        return None
    expected, sign = text(monitor.get("expected_value")), text(monitor.get("json_path_operator")) or "=="
    if sign in {"==", "!="}:
        whole = rf"\A{literal(expected)}\Z"
        return DraftTable(
            {json_path(f".{path}"): DraftTable(match=whole if sign == "==" else f"\\A(?!{literal(expected)}\\Z)")}
        )
    if sign == "contains":
        return DraftTable({json_path(f".{path}"): DraftTable(match=literal(expected))})
    if sign in {"<", ">"} and number(expected) is not None:
        return DraftTable({json_path(f".{path}"): DraftTable({"below" if sign == "<" else "above": float(expected)})})
    return None


def _fields(monitor: dict[str, Any], where: str, draft: Draft) -> dict[str, str]:
    """Header fields, those of a sign-in included."""
    try:
        given = table(json.loads(text(monitor.get("headers")) or "{}"))
    except json.JSONDecodeError:
        draft.lost(where, "its headers are not JSON and are not sent")
        given = {}
    fields = {name: text(value) for name, value in given.items()}
    method = text(monitor.get("auth_method"))
    user, password = text(monitor.get("basic_auth_user")), text(monitor.get("basic_auth_pass"))
    if method in {"basic", ""} and (user or password):
        fields["Authorization"] = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    elif method == "bearer" and text(monitor.get("bearer_token")):
        fields["Authorization"] = f"Bearer {text(monitor['bearer_token'])}"
    elif method not in {"", "basic", "bearer", "null", "oauth2-cc"}:
        instead = "a header with a token of its own, or a script node"
        draft.lost(where, f'signing in by "{method}" is not carried over', instead)
    return fields


def _statuses(monitor: dict[str, Any], http: DraftTable, node: DraftTable, where: str, draft: Draft) -> None:
    try:
        ranges = json.loads(text(monitor.get("accepted_statuscodes_json")) or "[]")
    except json.JSONDecodeError:
        ranges = []
    statuses = of_ranges(map(text, ranges if isinstance(ranges, list) else ())) or of_ranges(["200-299"])
    above, below, outside = window(statuses)
    if outside:
        http["healthy_status"] = spans(statuses)
    elif (above, below) != (200, 400):
        http["healthy_above"], http["healthy_below"] = above, below

"""From Vigil: its `config.cfg`, a TOML file with `${VARIABLES}`. Ids and tokens are kept, so that its clients go on."""

from __future__ import annotations

import os
import re
import textwrap
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import tomli

from crisp_status.importers import _notifiers as notifiers
from crisp_status.importers._draft import DraftTable, Reference, host_port, userinfo
from crisp_status.importers._files import ImportFailed, number, table, tables, text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crisp_status.importers._draft import Draft
    from crisp_status.importers._files import Source

TITLE = "Vigil"

_HEAD: Final = re.compile(
    rb"^\s*\[\[probe\.service(?:\.node)?\]\]|^\s*\[(?:branding|metrics|plugins\.rabbitmq)\]", re.MULTILINE
)
_OURS: Final = re.compile(rb"^\s*\[page\]", re.MULTILINE)
_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

TOKEN_MIN: Final = 8
"""Characters of a token here; Vigil takes any."""

LEVELS: Final = {"off": "error", "warn": "warning", "trace": "debug"}

POLL: Final = {
    "poll_interval": ("poll", "interval"),
    "poll_retry": ("poll", "retry"),
    "poll_delay_dead": ("poll", "delay_dead"),
    "poll_delay_sick": ("poll", "delay_sick"),
    "push_delay_dead": ("push", "delay_dead"),
    "push_system_cpu_sick_above": ("push", "cpu_sick_above"),
    "push_system_ram_sick_above": ("push", "ram_sick_above"),
    "script_interval": ("script", "interval"),
    "script_parallelism": ("script", "parallel"),
    "local_delay_dead": ("local", "silent_dead"),
}
"""Keys of [metrics] that mean the same here."""

DEFAULTS: Final = {"push_system_cpu_sick_above": 0.99, "push_system_ram_sick_above": 0.99, "local_delay_dead": 40}
"""Vigil's own where ours differ: what was never written keeps its meaning."""


def recognises(head: bytes) -> bool:
    """Whether it has tables that only Vigil has."""
    return bool(_HEAD.search(head)) and not _OURS.search(head)


def read(files: Sequence[Source], draft: Draft) -> None:
    """Fill the draft from one `config.cfg`."""
    if len(files) != 1:
        raise ImportFailed("Vigil has one file, config.cfg")
    data = _parsed(files[0], draft)
    if not tables(table(data.get("probe")).get("service")):
        raise ImportFailed(f"{files[0].path} has no [[probe.service]]; is it Vigil's config.cfg?")
    _server(table(data.get("server")), draft)
    _branding(table(data.get("branding")), draft)
    metrics = table(data.get("metrics"))
    _metrics(metrics, draft)
    broker = table(table(data.get("plugins")).get("rabbitmq"))
    for index, service in enumerate(tables(data["probe"]["service"])):
        _service(service, index, metrics, broker, draft)
    _notify(table(data.get("notify")), draft)
    if "path" in table(data.get("assets")):
        draft.lost("[assets] path", "the page has its own assets", "change them with [page] templates and stylesheet")
    for name in sorted(set(data) - {"server", "assets", "branding", "metrics", "plugins", "notify", "probe"}):
        draft.lost(f"[{name}]", "is not known")


def _parsed(source: Source, draft: Draft) -> dict[str, Any]:
    """The document, its `${VARIABLES}` as references of ours. Where one stands for more than text, it is filled in."""
    raw = source.text()
    try:
        data = tomli.loads(raw)
    except tomli.TOMLDecodeError:
        filled = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), raw)
        try:
            data = tomli.loads(filled)
        except tomli.TOMLDecodeError as error:
            hint = "; set the variables in it, as Vigil has them" if _VARIABLE.search(filled) else ""
            raise ImportFailed(f"{source.path} is not TOML: {error}{hint}") from None
    referenced: dict[str, Any] = _references(data, draft)
    return referenced


def _references(value: Any, draft: Draft) -> Any:
    if isinstance(value, dict):
        return {key: item if key == "scripts" else _references(item, draft) for key, item in value.items()}
    if isinstance(value, list):
        return [_references(item, draft) for item in value]
    if isinstance(value, str) and _VARIABLE.search(value):
        draft.variables.update(_VARIABLE.findall(value))
        return Reference(value)
    return value


def _server(server: dict[str, Any], draft: Draft) -> None:
    ours = draft.section("server")
    ours["listen"] = [text(server.get("inet")) or "[::1]:8080"]
    level = text(server.get("log_level"))
    if level:
        ours["log_level"] = LEVELS.get(level, level)
    seen = set()
    for key in ("reporter_token", "manager_token"):
        token = text(server.get(key))
        if isinstance(token, Reference):
            ours[key] = token
        elif len(token) < TOKEN_MIN or token in seen:
            why = "is the other token, too" if token in seen else f"has fewer than {TOKEN_MIN} characters"
            draft.lost(f"[server] {key}", why, f"a new one is in the file; give it to your {_clients(key)}")
            ours[key] = draft.fresh(key)
        else:
            ours[key] = draft.secret(key, token)
        seen.add(token)
    if "workers" in server:
        draft.lost("[server] workers", "one process serves the page, and needs no workers")


def _clients(key: str) -> str:
    return "reporters" if key == "reporter_token" else "scripts that manage the page"


def _branding(branding: dict[str, Any], draft: Draft) -> None:
    page = draft.section("page")
    page["name"] = text(branding.get("page_title")) or "Status Page"
    page.setdefault("url", text(branding.get("page_url")))
    for theirs, ours in (("company_name", "company"), ("website_url", "website_url"), ("support_url", "support_url")):
        if branding.get(theirs):
            page[ours] = text(branding[theirs])
    color = text(branding.get("icon_color"))
    if color:
        draft.section("page", "branding")["color"] = color
    if text(branding.get("logo_color")) not in {"", color}:
        draft.lost("[branding] logo_color", "there is one brand colour, that of icon_color")
    for key, ours in (("icon_url", "icon"), ("logo_url", "header_logo")):
        if branding.get(key):
            instead = f'download {branding[key]} and write {ours} = "…" in [page.branding]'
            draft.lost(f"[branding] {key}", "images are files beside the configuration, not addresses", instead)
    if branding.get("custom_html"):
        instead = "put it into a template of your own: [page] templates"
        draft.lost("[branding] custom_html", "HTML does not stand in the configuration", instead)


def _metrics(metrics: dict[str, Any], draft: Draft) -> None:
    for theirs, (section, key) in POLL.items():
        value = metrics.get(theirs, DEFAULTS.get(theirs))
        if value is not None:
            draft.section(section)[key] = value
    wait = number(metrics.get("poll_retry_wait"))
    if wait is not None:
        draft.section("poll")["retry_wait"] = wait / 1000
    if "poll_parallelism" in metrics:
        draft.lost(
            "[metrics] poll_parallelism", "each replica is looked at in its own time, and none waits for another"
        )


def _service(
    service: dict[str, Any], index: int, metrics: dict[str, Any], broker: dict[str, Any], draft: Draft
) -> None:
    own = text(service.get("id"))
    if not own:
        draft.lost(f"probe.service[{index}]", "has no id")
        return
    ours = draft.service(text(service.get("label")) or own, own)
    for place, node in enumerate(tables(service.get("node"))):
        if not node.get("id"):
            draft.lost(f'service "{own}" node[{place}]', "has no id")
            continue
        where = f'node "{own}/{node["id"]}"'
        _node(node, ours, where, metrics, draft)
        if node.get("rabbitmq_queue"):
            _queue(node, ours, where, broker, draft)


def _node(node: dict[str, Any], service: DraftTable, where: str, metrics: dict[str, Any], draft: Draft) -> None:
    ours = draft.node(service, text(node.get("label")) or text(node["id"]), text(node["id"]))
    mode = text(node.get("mode")) or "poll"
    ours["mode"] = mode
    if node.get("replicas"):
        ours["replicas"] = [draft.url(text(node["id"]), text(url)) for url in node["replicas"]]
    if node.get("scripts"):
        ours["scripts"] = [textwrap.dedent(text(script)).strip() for script in node["scripts"]]
        draft.section("script")["enabled"] = True
    for theirs, key in (
        ("reveal_replica_name", "reveal_replicas"),
        ("link_url", "link_url"),
        ("link_label", "link_label"),
    ):
        if node.get(theirs):
            ours[key] = node[theirs]
    if any(text(url).startswith(("http://", "https://")) for url in node.get("replicas") or ()):
        http = _http(node, where, metrics, draft)
        if http:
            ours["http"] = http


def _queue(node: dict[str, Any], service: DraftTable, where: str, broker: dict[str, Any], draft: Draft) -> None:
    """The queue behind a node, as a node of its own: here a node is watched in one way."""
    queue = text(node["rabbitmq_queue"])
    api = urlsplit(text(broker.get("api_url")))
    if api.scheme not in {"http", "https"} or not api.hostname:
        draft.lost(where, f'the queue "{queue}" of RabbitMQ is not watched: [plugins.rabbitmq] has no api_url')
        return
    ours = draft.node(service, f"{text(node.get('label')) or text(node['id'])} queue", f"{text(node['id'])}-queue")
    scheme, port = ("rabbitmqs", 443) if api.scheme == "https" else ("rabbitmq", 80)
    signed = f"{userinfo(text(broker.get('auth_username')))}:{userinfo(text(broker.get('auth_password')))}"
    names = "/".join(quote(name, safe="") for name in (text(broker.get("virtualhost")) or "/", queue))
    url = f"{scheme}://{signed}@{host_port(api.hostname, api.port or port)}/{names}"
    ours["replicas"] = [draft.url(ours["id"], url)]
    options = DraftTable()
    for key in ("ready_healthy_below", "nack_healthy_below", "ready_dead_above", "nack_dead_above"):
        value = node.get(f"rabbitmq_queue_{key}", broker.get(f"queue_{key}"))
        if value is not None:
            options[key] = value
    if options:
        ours["rabbitmq"] = options
    draft.changed(where, f'its queue "{queue}" is the node "{ours["id"]}"')


def _http(node: dict[str, Any], where: str, metrics: dict[str, Any], draft: Draft) -> DraftTable:
    """The options for HTTP of one node, among them the window of healthy statuses that Vigil has for all."""
    http = DraftTable()
    method = text(node.get("http_method")).upper()
    if method:
        http["method"] = method
    if node.get("http_headers"):
        fields = [
            (name, value if isinstance(value, Reference) else text(value))
            for name, value in node["http_headers"].items()
        ]
        http["headers"] = draft.headers(text(node["id"]), fields)
    if node.get("http_body"):
        if method in {"POST", "PUT", "PATCH"}:
            http["body"] = text(node["http_body"])
        else:
            draft.lost(where, f"http_body is not sent with {method or 'HEAD'}; Vigil did not send it either")
    if node.get("http_body_healthy_match"):
        http["healthy_match"] = text(node["http_body_healthy_match"])
        if method == "HEAD":
            del http["method"]
    for theirs, ours, usual in (
        ("poll_http_status_healthy_above", "healthy_above", 200),
        ("poll_http_status_healthy_below", "healthy_below", 400),
    ):
        if metrics.get(theirs, usual) != usual:
            http[ours] = metrics[theirs]
    return http


def _notify(notify: dict[str, Any], draft: Draft) -> None:
    ours = draft.section("notify")
    ours["startup"] = notify.get("startup_notification", True)
    ours["reminder_interval"] = notify.get("reminder_interval", 0)
    ours["reminder_backoff"] = notify.get("reminder_backoff_function", "none")
    for key in ("reminder_backoff_limit", "reminder_escalate"):
        if key in notify:
            ours[key] = notify[key]
    for name, carry in NOTIFIERS.items():
        keys = table(notify.get(name))
        if not keys:
            continue
        entry = carry(keys, draft)
        if entry is not None and keys.get("reminders_only"):
            entry["reminders_only"] = True
    if "xmpp" in notify:
        draft.lost("[notify.xmpp]", "there is no way to tell through XMPP", "use another notifier: docs/notifiers.md")


def _email(keys: dict[str, Any], draft: Draft) -> DraftTable:
    host = text(keys.get("smtp_host")) or "localhost"
    security = "starttls"
    if not keys.get("smtp_encrypt", True):
        here = host in {"localhost", "127.0.0.1", "::1"}
        security = "none" if here else "starttls"
        if not here:
            instead = 'smtp_security = "none" sends in the clear'
            draft.changed("[notify.email] smtp_encrypt", "TLS was tried and is now required", instead)
    return notifiers.email(
        draft,
        "email",
        sender=keys.get("from", ""),
        to=[keys.get("to", "")],
        host=host,
        port=keys.get("smtp_port", 587),
        security=security,
        user=keys.get("smtp_username", ""),
        password=keys.get("smtp_password", ""),
    )


def _slack(keys: dict[str, Any], draft: Draft) -> DraftTable:
    return notifiers.slack(draft, "slack", keys.get("hook_url", ""), mention=bool(keys.get("mention_channel")))


def _pushover(keys: dict[str, Any], draft: Draft) -> DraftTable:
    return notifiers.pushover(draft, "pushover", keys.get("app_token", ""), list(keys.get("user_keys", ())))


def _webhook(keys: dict[str, Any], draft: Draft) -> None:
    notifiers.hook(draft, "webhook", keys.get("hook_url", ""), "vigil")


def _through(name: str, **fields: str) -> Callable[[dict[str, Any], Draft], DraftTable | None]:
    """A notifier that Apprise has: our fields by the keys of Vigil."""

    def carry(keys: dict[str, Any], draft: Draft) -> DraftTable | None:
        given = {ours: _joined(keys.get(theirs)) for ours, theirs in fields.items()}
        return notifiers.apprise(draft, f"[notify.{name}]", name, name, given)

    return carry


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(text, value))
    return value if isinstance(value, Reference) else text(value)


def _twilio(keys: dict[str, Any], draft: Draft) -> None:
    instead = "add a notifier of type apprise: twilio://account:token@your number/their number"
    draft.lost(
        "[notify.twilio]", "a messaging service of Twilio is not known to Apprise, a number of yours is", instead
    )


NOTIFIERS: Final[dict[str, Callable[[dict[str, Any], Draft], DraftTable | None]]] = {
    "email": _email,
    "slack": _slack,
    "pushover": _pushover,
    "webhook": _webhook,
    "twilio": _twilio,
    "zulip": _through("zulip", bot="bot_email", token="bot_api_key", stream="channel"),  # noqa: S106 -- names of keys
    "telegram": _through("telegram", token="bot_token", chat="chat_id"),  # noqa: S106
    "gotify": _through("gotify", url="app_url", token="app_token"),  # noqa: S106
    "matrix": _through("matrix", url="homeserver_url", token="access_token", room="room_id"),  # noqa: S106
    "webex": _through("webex", token="token", room="room_id"),  # noqa: S106
}

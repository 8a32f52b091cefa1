"""Notifiers of other programs as ours: Slack, e-mail, Pushover and web hooks as such, the others as addresses of Apprise."""

from __future__ import annotations

import importlib.util
from email.utils import getaddresses
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from crisp_status.config.ids import slug
from crisp_status.importers._draft import DraftTable, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crisp_status.importers._draft import Draft

MISSING: Final = "goes through Apprise, which is not installed"
INSTALL: Final = "pip install 'crisp-status[apprise]' and import again"


def add(draft: Draft, kind: str, name: str, keys: Mapping[str, Any]) -> DraftTable:
    """One more [[notifiers]], its id made from the name; keys that are None are left out."""
    entry = DraftTable(type=kind, id=_id(draft, slug(name) or kind))
    entry.update({key: value for key, value in keys.items() if value is not None})
    return draft.append("notifiers", entry)


def slack(draft: Draft, name: str, hook_url: str, *, mention: bool = False) -> DraftTable:
    """An incoming web hook of Slack."""
    return add(
        draft, "slack", name, {"hook_url": draft.secret(f"{name}-url", hook_url), "mention_channel": mention or None}
    )


def pushover(draft: Draft, name: str, app_token: str, user_keys: list[str]) -> DraftTable:
    """An application of Pushover and whom it tells."""
    keys = [draft.secret(f"{name}-user", key) for key in user_keys]
    return add(draft, "pushover", name, {"app_token": draft.secret(f"{name}-app", app_token), "user_keys": keys})


def email(
    draft: Draft,
    name: str,
    *,
    sender: str,
    to: list[str],
    host: str,
    port: Any,
    security: str,
    user: str,
    password: str,
) -> DraftTable:
    """Mail through somebody's server. `security` as ours: starttls, tls, none."""
    keys: dict[str, Any] = {
        "to": [address for text in to for address in mailboxes(text)],
        "from": next(iter(mailboxes(sender)), sender),
        "smtp_host": host or "localhost",
        "smtp_port": port,
        "smtp_security": security,
    }
    if user and password:
        keys |= {"smtp_username": user, "smtp_password": draft.secret(f"{name}-password", password)}
    elif user or password:
        draft.lost(f'notifier "{name}"', "has a user or a password, and not both", "add the other one")
    return add(draft, "email", name, keys)


def mailboxes(text: str) -> list[str]:
    """The addresses in a header field such as `"Ops" <ops@acme.example>, boss@acme.example`."""
    if isinstance(text, Reference):
        return [text]
    return [address for _, address in getaddresses([text]) if address]


def hook(draft: Draft, name: str, url: str, shape: str = "crisp") -> DraftTable:
    """A [[webhooks]] entry: a machine-readable copy of each change of the page's health."""
    entry = DraftTable(id=_id(draft, slug(name) or "webhook"), url=draft.secret(f"{name}-url", url))
    if shape != "crisp":
        entry["format"] = shape
    return draft.append("webhooks", entry)


def _id(draft: Draft, base: str) -> str:
    """That id, or with the first number that makes it free: notifiers and web hooks share their ids."""
    taken = {entry["id"] for entries in ("notifiers", "webhooks") for entry in draft.data.get(entries, ())}
    free, number = base, 1
    while free in taken:
        number += 1
        free = f"{base[:60]}-{number}"
    return free


def apprise(draft: Draft, where: str, name: str, service: str, fields: Mapping[str, str]) -> DraftTable | None:
    """A notifier through Apprise; None, and a remark, when the service or one of its fields is not known there."""
    address = ADDRESSES.get(service)
    if address is None:
        draft.lost(where, f'there is no way to tell through "{service}"', "use another notifier: docs/notifiers.md")
        return None
    if importlib.util.find_spec("apprise") is None:
        draft.lost(where, f'"{service}" {MISSING}', INSTALL)
        return None
    references = any(isinstance(value, Reference) for value in fields.values())
    try:
        url = address({key: value if isinstance(value, Reference) else value.strip() for key, value in fields.items()})
    except (KeyError, ValueError):
        draft.lost(where, f'"{service}" lacks a field that its messages need', "add it as a notifier by hand")
        return None
    kept = Reference(url) if references else draft.secret(f"{name}-url", url)
    return add(draft, "apprise", name, {"urls": [kept]})


def _enc(value: str) -> str:
    return value if isinstance(value, Reference) else quote(value, safe="")


def _need(fields: Mapping[str, str], key: str) -> str:
    if not fields.get(key):
        raise ValueError(key)
    return fields[key]


def _native(fields: Mapping[str, str]) -> str:
    """Addresses that Apprise takes as the service itself shows them."""
    return _need(fields, "url")


def _server(plain: str, secure: str, url: str) -> str:
    """`gotifys://host:port/path/` from `https://host:port/path`: an address of a server, with the scheme of Apprise."""
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if not parts.hostname:
        raise ValueError(url)
    path = parts.path.strip("/")
    return f"{plain if parts.scheme == 'http' else secure}://{parts.netloc}/{path + '/' if path else ''}"


def _gotify(f: Mapping[str, str]) -> str:
    return _server("gotify", "gotifys", _need(f, "url")) + _enc(_need(f, "token"))


def _ntfy(f: Mapping[str, str]) -> str:
    base = _server("ntfy", "ntfys", f.get("url") or "https://ntfy.sh")
    scheme, _, rest = base.partition("://")
    if f.get("token"):
        return f"{scheme}://{_enc(f['token'])}@{rest}{_enc(_need(f, 'topic'))}?auth=token"
    login = f"{_enc(f['user'])}:{_enc(_need(f, 'password'))}@" if f.get("user") else ""
    return f"{scheme}://{login}{rest}{_enc(_need(f, 'topic'))}"


def _by_hook(plain: str, secure: str) -> Callable[[Mapping[str, str]], str]:
    """Mattermost and its like: `https://host/path/hooks/TOKEN`."""

    def address(f: Mapping[str, str]) -> str:
        server, _, token = _need(f, "url").partition("/hooks/")
        if not token:
            raise ValueError(f["url"])
        channel = f"?channel={_enc(f['channel'].lstrip('#'))}" if f.get("channel") else ""
        return _server(plain, secure, server) + token.strip("/") + channel

    return address


def _rocketchat(f: Mapping[str, str]) -> str:
    server, _, token = _need(f, "url").partition("/hooks/")
    scheme, _, rest = _server("rocket", "rockets", server).partition("://")
    if not token:
        raise ValueError(f["url"])
    return f"{scheme}://{token.strip('/')}@{rest}?mode=webhook"


def _matrix(f: Mapping[str, str]) -> str:
    scheme, _, rest = _server("matrix", "matrixs", _need(f, "url")).partition("://")
    return f"{scheme}://{_enc(_need(f, 'token'))}@{rest}{_enc(_need(f, 'room'))}"


def _signal(f: Mapping[str, str]) -> str:
    to = "/".join(map(_enc, _need(f, "to").replace(";", ",").split(",")))
    parts = urlsplit(_need(f, "url"))
    return f"{'signal' if parts.scheme == 'http' else 'signals'}://{parts.netloc}/{_enc(_need(f, 'from'))}/{to}"


def _zulip(f: Mapping[str, str]) -> str:
    bot, _, host = _need(f, "bot").partition("@")
    return f"zulip://{bot}@{host.partition('.')[0]}/{_enc(_need(f, 'token'))}/{_enc(_need(f, 'stream'))}"


def _twilio(f: Mapping[str, str]) -> str:
    sender = _need(f, "from")
    to = "/".join(_enc(number) for number in _need(f, "to").split(","))
    return f"twilio://{_need(f, 'sid')}:{_need(f, 'token')}@{_enc(sender)}/{to}"


ADDRESSES: Final[dict[str, Callable[[Mapping[str, str]], str]]] = {
    "apprise": _native,
    "discord": _native,
    "google-chat": _native,
    "teams": _native,
    "telegram": lambda f: f"tgram://{_need(f, 'token')}/{_enc(_need(f, 'chat'))}",
    "gotify": _gotify,
    "ntfy": _ntfy,
    "mattermost": _by_hook("mmost", "mmosts"),
    "rocket-chat": _rocketchat,
    "matrix": _matrix,
    "signal": _signal,
    "zulip": _zulip,
    "twilio": _twilio,
    "webex": lambda f: f"webex://{_enc(_need(f, 'token'))}/{_enc(_need(f, 'room'))}",
    "pushbullet": lambda f: f"pbul://{_need(f, 'token')}",
    "opsgenie": lambda f: f"opsgenie://{_need(f, 'token')}" + ("?region=eu" if f.get("region") == "eu" else ""),
    "line": lambda f: f"line://{_enc(_need(f, 'token'))}/{_enc(_need(f, 'to'))}",
    "pushy": lambda f: f"pushy://{_need(f, 'key')}/{_enc(_need(f, 'token'))}",
    "pushdeer": lambda f: f"pushdeer://{_need(f, 'key')}",
    "home-assistant": lambda f: _server("hassio", "hassios", _need(f, "url")) + _enc(_need(f, "token")),
}
"""Apprise's address of a service, from fields with names of our own. A field that is missing is an error."""

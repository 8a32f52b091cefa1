"""webhook: the page's health for machines, signed (PROTOCOLS section 5). An entry of `[[webhooks]]`, not a notifier.

The body is byte for byte what Crisp sends: consumers exist that refuse an extra key, and the published Node verifier
signs its own re-encoding of the JSON.
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from crisp_status.channels import ChannelError, Http, all_at_once, json_bytes, redact, refusal
from crisp_status.config.page import WebHook
from crisp_status.config.token_value import standard_key
from crisp_status.core.model import Health, MessageKind

if TYPE_CHECKING:
    from crisp_status.core.model import Message
    from crisp_status.core.policy import Plan

STANDARD: Final = "whsec_"
"""A secret that starts so is a key of Standard Webhooks as well."""

ORIGIN: Final = "website/crisp-status"
"""X-Crisp-Hook-Origin: who sent it."""


Options = WebHook
"""The keys of `[[webhooks]]`; `config.people` has them, because they are no notifier's."""


@dataclass(frozen=True)
class HookWork:
    """Announced work that begins or is over."""

    begins: bool
    title: str
    nodes: tuple[str, ...]
    """Their labels."""
    starts_ms: int
    ends_ms: int
    """0: nobody said when."""


@dataclass(frozen=True)
class Hook:
    """One change of the page's health, or announced work that begins or ends."""

    id: str
    """Stable over retries and replays."""
    health: Health
    nodes: tuple[tuple[str, str], ...]
    """(label of the node, replica) of everything affected; empty when healthy."""
    replicas: tuple[str, ...]
    """The same as `service:node:replica`."""
    timestamp_ms: int
    """When it happened."""
    attempt: int
    """From 1."""
    attempt_limit: int
    page_name: str
    page_url: str
    work: HookWork | None = None


targets = all_at_once


async def send(hook: Hook, options: Options, http: Http) -> str:
    """POST it. Any 2xx is a yes; a redirect is not followed and is no yes; 410 is a no for good."""
    url = options.url.get_secret_value()
    body = json_bytes(_body(hook, options))
    secret = options.secret.get_secret_value() if options.secret else ""
    answer = await http.post(url, body, headers(hook, secret, body, http.clock.now()), options.ca_file)
    if 200 <= answer.status < 300:
        return f"{redact(url)} answered {answer.status}"
    raise refusal(answer, redact(url), "redirects are not followed" if 300 <= answer.status < 400 else "")


def _body(hook: Hook, options: Options) -> dict[str, Any]:
    if options.format == "vigil":
        return vigil_work(hook, hook.work) if hook.work else vigil_body(hook)
    return crisp_work(hook, hook.work, options.website_id) if hook.work else crisp_body(hook, options.website_id)


def crisp_body(hook: Hook, website_id: str) -> dict[str, Any]:
    """The documented payload of `status:health:changed`, and no other key."""
    return {
        "website_id": website_id,
        "event": "status:health:changed",
        "data": {
            "website_id": website_id,
            "health": _word(hook),
            "nodes": [{"label": label, "replica": replica} for label, replica in hook.nodes],
        },
        "timestamp": hook.timestamp_ms,
    }


def crisp_work(hook: Hook, work: HookWork, website_id: str) -> dict[str, Any]:
    """The same shape for announced work, under an event of its own: Crisp sends none."""
    return {
        "website_id": website_id,
        "event": f"status:maintenance:{'began' if work.begins else 'ended'}",
        "data": {"website_id": website_id, **_work(work)},
        "timestamp": hook.timestamp_ms,
    }


def vigil_work(hook: Hook, work: HookWork) -> dict[str, Any]:
    """Announced work in the shape of Vigil's, which sends none either."""
    return {
        "type": f"maintenance_{'began' if work.begins else 'ended'}",
        **_work(work),
        "page": {"title": hook.page_name, "url": hook.page_url},
    }


def _work(work: HookWork) -> dict[str, Any]:
    nodes = [{"label": label} for label in work.nodes]
    return {"title": work.title, "nodes": nodes, "starts_at": work.starts_ms, "ends_at": work.ends_ms or None}


def vigil_body(hook: Hook) -> dict[str, Any]:
    """What Vigil sends on a change (PROTOCOLS section 4.3)."""
    at = datetime.fromtimestamp(hook.timestamp_ms / 1000, UTC)
    return {
        "type": "changed",
        "status": _word(hook),
        "time": f"{at:%H:%M:%S} UTC+00:00",
        "replicas": list(hook.replicas),
        "page": {"title": hook.page_name, "url": hook.page_url},
    }


def _word(hook: Hook) -> str:
    """Consumers know three words; a page that nobody has checked yet has nothing to complain of."""
    return max(hook.health, Health.HEALTHY).word


def headers(hook: Hook, secret: str, body: bytes, now: float) -> dict[str, str]:
    """Both families of headers; signatures only where there is a secret for them."""
    sent_ms = str(int(now * 1000))
    found = {
        "Content-Type": "application/json",
        "X-Crisp-Hook-Origin": ORIGIN,
        "X-Crisp-Request-Timestamp": sent_ms,
        "X-Delivery-Attempt-Count": str(hook.attempt),
        "X-Delivery-Attempt-Limit": str(max(hook.attempt, hook.attempt_limit)),
    }
    if secret:
        found["X-Crisp-Signature"] = crisp_signature(secret, sent_ms, body)
    if secret.startswith(STANDARD):
        sent = str(int(now))
        found["webhook-id"] = hook.id
        found["webhook-timestamp"] = sent
        found["webhook-signature"] = standard_signature(secret, hook.id, sent, body)
    return found


def crisp_signature(secret: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 over `[timestamp;body]` with the whole secret, in lower-case hex (PROTOCOLS section 5.2)."""
    return hmac.new(secret.encode(), b"[" + timestamp.encode() + b";" + body + b"]", "sha256").hexdigest()


def standard_signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """`v1,` and HMAC-SHA256 over `id.timestamp.body`, in base64 (PROTOCOLS section 5.4)."""
    try:
        key = standard_key(secret)
    except ValueError as error:
        raise ChannelError(f"the secret {error}", permanent=True) from None
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def hook_of(message: Message, plan: Plan, page_name: str, page_url: str, attempt_limit: int) -> Hook:
    """The hook that a message in the outbox stands for; ids stand in where a node is no longer planned."""
    names = {node.key: node.name for service in plan.services for node in service.nodes}
    bad = [n for n in message.nodes if n.node and message.health.bad]
    return Hook(
        id=message.id,
        health=message.health,
        nodes=tuple((names.get(n.node, n.node), replica) for n in bad for replica in n.replicas),
        replicas=tuple(f"{n.node.replace('/', ':', 1)}:{replica}" for n in bad for replica in n.replicas),
        timestamp_ms=int(message.created_at * 1000),
        attempt=message.attempts + 1,
        attempt_limit=attempt_limit,
        page_name=page_name,
        page_url=page_url,
        work=_work_of(message, names) if message.work else None,
    )


def _work_of(message: Message, names: dict[str, str]) -> HookWork:
    return HookWork(
        begins=message.kind is MessageKind.WORK_BEGUN,
        title=message.work_title,
        nodes=tuple(names.get(n.node, n.node) for n in message.nodes if n.node),
        starts_ms=int(message.since * 1000),
        ends_ms=int(message.until * 1000),
    )

"""request: an HTTP request of your own making for each notice, with method, header fields and a JSON body by template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, field_validator

from crisp_status.channels import HookUrl, Http, all_at_once, json_bytes, redact, refusal
from crisp_status.config.strict import NotifierOptions
from crisp_status.core.notice import Notice

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")

FIELDS: Final = ("id", "kind", "health", "title", "headline", "text", "url", "page", "incident", "late_seconds")
"""What may stand in braces."""

DEPTH_MAX: Final = 10

OWN: Final = {"host", "content-length", "transfer-encoding", "connection", "content-type"}


class Options(NotifierOptions):
    """Keys of `type = "request"`."""

    url: HookUrl
    """Where it is sent. It is a secret."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """Of the request."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Header fields to send, as in { Authorization = "Bearer ${TOKEN}" }."""
    body: dict[str, Any] = Field(default_factory=dict)
    """The JSON body, as in { text = "{title}", link = "{url}" }; absent: all fields by their names."""
    ca_file: str | None = None
    """PEM file with the authority that signed the receiver's certificate, when it is your own."""

    @field_validator("headers")
    @classmethod
    def _own(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, value in headers.items():
            text = value.get_secret_value()
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or name.lower() in OWN:
                raise ValueError(f'"{name}" cannot be a header field of yours')
            if not text.isprintable() or not text.isascii():
                raise ValueError(f"the value of {name} has characters that no header field may have")
        return headers

    @field_validator("body")
    @classmethod
    def _known(cls, body: dict[str, Any]) -> dict[str, Any]:
        _filled(body, dict.fromkeys(FIELDS, ""), 0)
        return body


targets = all_at_once


async def send(notice: Notice, options: Options, http: Http) -> str:
    """Send it; every 2xx is a yes."""
    url = options.url.get_secret_value()
    facts = facts_of(notice)
    body = _filled(options.body, facts, 0) if options.body else facts
    fields = {name: value.get_secret_value() for name, value in options.headers.items()}
    fields["Content-Type"] = "application/json"
    answer = await http.post(url, json_bytes(body), fields, options.ca_file, method=options.method)
    if 200 <= answer.status < 300:
        return str(answer.status)
    raise refusal(answer, redact(url))


def facts_of(notice: Notice) -> dict[str, str | int]:
    """What a template may name."""
    return {
        "id": notice.id,
        "kind": str(notice.kind),
        "health": notice.health.word,
        "title": notice.title,
        "headline": notice.headline,
        "text": notice.text,
        "url": notice.url,
        "page": notice.page_name,
        "incident": notice.incident,
        "late_seconds": notice.late_seconds,
    }


def _filled(template: Any, facts: Mapping[str, str | int], depth: int) -> Any:
    """The template with what stands in braces filled in; a text that is one placeholder alone becomes its value."""
    if depth > DEPTH_MAX:
        raise ValueError(f"is nested deeper than {DEPTH_MAX}")
    if isinstance(template, dict):
        return {key: _filled(value, facts, depth + 1) for key, value in template.items()}
    if isinstance(template, list | tuple):
        return [_filled(value, facts, depth + 1) for value in template]
    if not isinstance(template, str):
        if template is not None and not isinstance(template, bool | int | float):
            raise ValueError(f"has a value that JSON has not: {template}")
        return template
    for name in PLACEHOLDER.findall(template):
        if name not in facts:
            raise ValueError(f'there is no "{{{name}}}"; expected one of {", ".join(FIELDS)}')
    alone = PLACEHOLDER.fullmatch(template)
    return facts[alone[1]] if alone else PLACEHOLDER.sub(lambda found: str(facts[found[1]]), template)

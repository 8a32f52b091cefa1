"""Refuse tokens and keys that no client could ever send, or that are not what the operator meant.

Secret stores, `kubectl` and env files add newlines, quotes and byte order marks, and hand out JSON or references to be
replaced. `config.secrets` takes off what is certainly not meant; what stays wrong is refused here, with a sentence, and
never accepted to be found useless at night.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Final

from pydantic import SecretStr

WHSEC: Final = "whsec_"
"""A secret that starts so is a key of Standard Webhooks: base64 follows."""

_REFERENCE: Final = re.compile(
    r"\$\(?\{?[A-Za-z_][A-Za-z0-9_]*\}?\)?|\{\{.*\}\}|<[^<>]*>|%[A-Z_]+%|(?:op|vault|ref\+[a-z]+|arn|gcpsm|awssm|ssm)://?.*"
    r"|(?:vault|arn):.*",
    re.DOTALL,
)
"""What secret managers replace, and people forget to have replaced."""


def token_fault(text: str) -> str:
    """Why this cannot be a token; "" when it can. The text itself is not shown."""
    if text != text.strip():
        return "begins or ends with a space or line break, which no client sends; take it out"
    wrong = next((c for c in text if c != " " and (c.isspace() or not c.isprintable())), None)
    if wrong is not None:
        return f"has an invisible character in it (U+{ord(wrong):04X}); copy it again, as plain text"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return "stands in quotes of its own; env files of docker keep them; take them out"
    if text[0:1] in {"\u201c", "\u201d", "\u201e", "\u2018", "\u2019"}:
        return "begins with a typographic quote; copy it again, as plain text"
    if _json_object(text):
        return "is a JSON object, as secret stores hand them out; take one value out of it"
    if _REFERENCE.fullmatch(text):
        return "looks like a reference that nobody has replaced by the secret itself"
    if text.lower().startswith(("basic ", "bearer ")):
        return f'begins with "{text.split(maxsplit=1)[0]}", which is not part of the token; take it out'
    return ""


def _json_object(text: str) -> bool:
    if not text.startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def checked_token(value: SecretStr) -> SecretStr:
    """A validator for tokens; ValueError with the sentence of `token_fault`."""
    if fault := token_fault(value.get_secret_value()):
        raise ValueError(fault)
    return value


def standard_key(secret: str) -> bytes:
    """The bytes of a `whsec_…` secret, in base64 of either alphabet, padded or not. ValueError when it is not base64."""
    bare = secret.removeprefix(WHSEC).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("starts with whsec_, so base64 must follow, and it does not; copy it again") from None


def checked_signing_secret(value: SecretStr) -> SecretStr:
    """A validator for the secrets of web hooks."""
    checked_token(value)
    if value.get_secret_value().startswith(WHSEC):
        standard_key(value.get_secret_value())
    return value

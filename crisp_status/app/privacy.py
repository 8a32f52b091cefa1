"""A page that is not for everybody, `[page.private]`: who may see it, and the key that opens it to programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from crisp_status.http.authentication import Failures, Proxies
from crisp_status.http.private_page import PrivatePage, read_key

if TYPE_CHECKING:
    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.view.page_info import PageInfo


def with_key(info: PageInfo, config: Config, secret: bytes) -> PageInfo:
    """What is said of the page, with the key of a private one; `secret` signs links in messages."""
    return replace(info, read_key=read_key(secret, _password(config))) if config.page.private else info


def private_page(config: Config, info: PageInfo, proxies: Proxies, clock: Clock) -> PrivatePage | None:
    """Who may see it; None: everybody."""
    private, token = config.page.private, config.server.manager_token
    if private is None:
        return None
    manager = token.get_secret_value() if token else ""
    failures = Failures(clock.monotonic)
    return PrivatePage(_password(config), manager, private.addresses, info.read_key, proxies, failures)


def _password(config: Config) -> str:
    private = config.page.private
    return private.password.get_secret_value() if private and private.password else ""

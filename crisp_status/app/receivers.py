"""Who is sent messages, and for whom a configuration changes something."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crisp_status.config.root import Config


def receivers(config: Config) -> dict[str, object]:
    """Notifiers and web hooks by id."""
    return {one.id: one for one in config.notifiers} | {one.id: one for one in config.webhooks}


def changed_receivers(old: Config, new: Config) -> list[str]:
    """Ids of receivers that are configured otherwise than before."""
    before = receivers(old)
    return [id for id, one in receivers(new).items() if before.get(id) != one]

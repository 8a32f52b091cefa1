"""What the operator decided about the documents for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from crisp_status.config.root import Config


class EmbedPolicy(msgspec.Struct, frozen=True):
    """When and where the warning is shown."""

    after: float = 180.0
    """Seconds that the page must have been dead in a row."""
    chatbox: bool = True
    helpdesk: bool = True
    site: bool = True


def embed_policy(config: Config) -> EmbedPolicy:
    """Of a checked configuration."""
    embed = config.embed
    return EmbedPolicy(embed.after, embed.chatbox, embed.helpdesk, embed.site)

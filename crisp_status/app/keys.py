"""The keys of the daemon, kept as blobs in its store: made at the first start, and the same ever after."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from crisp_status import log
from crisp_status.store import StoreError, StoreTrouble

if TYPE_CHECKING:
    from crisp_status.channels._webpush import PushKeys
    from crisp_status.config.root import Config
    from crisp_status.store import Blobs

LINK_KEY: Final = "link.key"
LINK_KEY_BYTES: Final = 32
PUSH_KEY: Final = "push-key.pem"


class KeyFailure(Exception):
    """A key cannot be read or kept; the sentence says which, why and what to do."""


async def link_key(store: Blobs) -> bytes:
    """The key that signs links in messages. One of another length is replaced. Raises `KeyFailure`.

    While the disk fails, a key that is not on it yet lives in memory.
    """
    key = secrets.token_bytes(LINK_KEY_BYTES)
    try:
        found = await store.read_blob(LINK_KEY)
        if found is not None and len(found) == LINK_KEY_BYTES:
            return found
        await store.write_blob(LINK_KEY, key)
    except StoreTrouble as error:
        log.get().error(
            "the key of links in messages cannot be kept; links from now on work until the next start",
            reason=str(error),
        )
    except StoreError as error:
        raise KeyFailure(f"the key of links in messages cannot be kept: {error}") from error
    return key


async def push_keys(store: Blobs, config: Config) -> PushKeys | None:
    """What signs messages to devices, when a notifier has any. Raises `KeyFailure`.

    A file that holds no such key is never replaced, because every device would be lost with the key.
    """
    if not config.subscribers.webpush and not any(options.devices_of for options in config.notifiers):
        return None
    from crisp_status.channels import _webpush

    try:
        pem = await store.read_blob(PUSH_KEY)
        if pem is None:
            pem = _webpush.new_pem()
            await store.write_blob(PUSH_KEY, pem)
    except StoreError as error:
        raise KeyFailure(f"the key of push messages cannot be kept: {error}") from error
    try:
        return _webpush.keys_from(pem, config.page.url)
    except ValueError:
        raise KeyFailure(
            f"{config.state_folder / PUSH_KEY} is not a P-256 private key; restore it from a backup, or remove it "
            "(every device must then subscribe again)"
        ) from None

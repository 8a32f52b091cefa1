"""A certificate and key that the operator keeps in files: read, checked, and followed when they change."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from crisp_status.tls.keypair import KeyPair, KeyPairError, keypair

if TYPE_CHECKING:
    from pathlib import Path

FILE_MAX: Final = 1024 * 1024
"""Bytes; a chain has under ten thousand."""


class OwnFiles:
    """Two files, or twice the same one that holds both."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Nothing is read yet."""
        self.certificate = certificate
        self.key = key
        self._seen: object = None

    def changed(self) -> bool:
        """Whether they are other ones, or have another size or time, than at the last `load`."""
        return self._stamp() != self._seen

    def load(self) -> KeyPair:
        """Raises `KeyPairError` with the name of the file."""
        self._seen = self._stamp()
        certificate, key = _read(self.certificate), _read(self.key)
        try:
            return keypair(certificate, key)
        except KeyPairError as error:
            about = self.key if "key" in str(error).partition(":")[0] else self.certificate
            raise KeyPairError(f"{about}: {error}") from error

    def _stamp(self) -> object:
        return tuple(_stamp(path) for path in (self.certificate, self.key))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    with suppress(OSError):
        found = path.stat()  # through links: certbot changes where one leads
        return found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(FILE_MAX)
    except OSError as error:
        raise KeyPairError(f"{path} cannot be read: {error.strerror or error}") from error

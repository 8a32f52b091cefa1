"""Files that options of probes name: own authorities, and certificates with which we show who we are."""

from __future__ import annotations

import ssl
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, Final

from crisp_status.config.ids import tables
from crisp_status.config.problems import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crisp_status.config.locate import Path
    from crisp_status.config.strict import Rooms, Strict

FILES: Final = ("ca_file", "client_cert", "client_key")


def placed(options: Strict, place: Callable[[str], File]) -> Strict:
    """The options with whole paths in place of those that are relative to the configuration."""
    written = {key: str(place(name)) for key in FILES if (name := getattr(options, key, ""))}
    return options.model_copy(update=written) if written else options


def faults(data: dict[str, Any], folder: File, rooms: Rooms) -> Iterator[Fault]:
    """The files that cannot be used. Those of an agent's node are on the agent's machine, so their paths are whole."""
    for path, _ in tables(data, ("services",)):
        for here, node in tables(data, (*path, "nodes")):
            yield from _of_table(node, node, here, folder, rooms)
            replicas = node.get("replicas")
            for index, replica in enumerate(replicas if isinstance(replicas, list) else ()):
                if isinstance(replica, dict):
                    yield from _of_table(replica, node, (*here, "replicas", index), folder, rooms)


def _of_table(table: dict[str, Any], node: dict[str, Any], path: Path, folder: File, rooms: Rooms) -> Iterator[Fault]:
    for kind in rooms.kinds.intersection(table):
        options = table[kind]
        named = {key: options[key] for key in FILES if isinstance(options.get(key), str)} if _is(options) else {}
        if not any(named.values()):
            continue
        if node.get("mode") == "local":
            for key, name in named.items():
                if name and not name.startswith("/"):
                    yield Fault(
                        (*path, kind, key), f'"{name}": expected a whole path: it is on the machine of the agent'
                    )
            continue
        whole = {**(node[kind] if _is(node.get(kind)) else {}), **options}
        given = {
            key: str(folder / whole[key]) if isinstance(whole.get(key), str) and whole[key] else "" for key in FILES
        }
        if found := files_fault(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **given):
            yield Fault((*path, kind, found[0]), found[1])


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def files_fault(context: ssl.SSLContext, ca_file: str, client_cert: str, client_key: str) -> tuple[str, str] | None:
    """The key and a sentence for the first file that cannot be used."""
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ValueError) as error:
            return "ca_file", f"{ca_file} is not a file of certificates (PEM): {_why(error)}"
    if client_cert:
        try:
            context.load_cert_chain(client_cert, client_key or None, password=_no_passphrase)
        except (OSError, ValueError) as error:
            where = f"{client_cert} and {client_key} are" if client_key else f"{client_cert} is"
            return "client_cert", f"{where} no certificate with its key (PEM, no passphrase): {_why(error)}"
    return None


def _no_passphrase() -> str:
    """Without this OpenSSL asks on the terminal."""
    raise ValueError("it has a passphrase")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        words = (error.reason or "").replace("_", " ").lower()
        return words or "it cannot be understood"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)

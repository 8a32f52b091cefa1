"""Read the query of a URL that a shell script put together.

Such URLs hold raw UTF-8, stray `&`, `?` and `%`, HTML entities and parameters that come twice. So nothing is refused
here: what can be found is found, whatever stands around it.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes


def query_values(query: str, *names: str) -> dict[str, list[str]]:
    """The values of these parameters, in order, decoded; a name that does not occur has an empty list.

    `names` are lower-case; the query may write them in any case, percent-encoded, or as `&amp;name=`. A value that
    itself begins with `?` is a second query (`…&ping=?status=down`), as scripts make when they append to a full URL.
    """
    found: dict[str, list[str]] = {name: [] for name in names}
    for field in query.split("&"):
        name, equals, value = field.partition("=")
        while True:
            known = _name(name)
            if known in found:
                found[known].append(_decoded(value))
            if not (equals and value.startswith("?")):
                break
            name, equals, value = value.lstrip("?").partition("=")
    return found


def _name(given: str) -> str:
    if "%" in given:
        given = _decoded(given)
    return given.removeprefix("amp;").removeprefix("?").strip().lower()


def _decoded(value: str) -> str:
    """As text: `+` is a space, undecodable bytes become U+FFFD."""
    raw = value.replace("+", " ").encode("utf-8", "surrogateescape")
    return unquote_to_bytes(raw).decode("utf-8", "replace")

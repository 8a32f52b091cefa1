"""What a JSON body must have: values by JSONPath (RFC 9535).

The server decides how large and how deep the document is, so a path may go over it once only: the checks below keep the
time within seconds for the largest body, in a thread.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, model_validator

from crisp_status.config.strict import Strict
from crisp_status.core.verdict import ReasonCode
from crisp_status.probes import ProbeError, uncounted
from crisp_status.probes._match import Expression, found, threads

SHORT: Final = 4096
"""Characters of a document that is taken apart at once; a longer one goes to a thread."""

SHOWN: Final = 60
"""Characters of a value in a reason."""

_TEXTS: Final = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


class JsonBounds(Strict):
    """What a value must be like, where it need not be one certain value."""

    above: float | None = None
    """A number greater than this."""
    below: float | None = None
    """A number less than this."""
    match: Expression = ""
    """Regular expression that must be found in it; of what is not a text, in its JSON."""
    exists: bool = True
    """false: there must be no such value at all."""

    @model_validator(mode="after")
    def _together(self) -> JsonBounds:
        if not self.exists and self.model_fields_set - {"exists"}:
            raise ValueError("exists = false stands alone: what is not there has no value")
        return self


Wanted = bool | int | float | str | JsonBounds


@functools.lru_cache(maxsize=1024)
def _path(text: str) -> Any:
    """The path, compiled once. Raises ValueError with the reason when it is wrong."""
    import jsonpath_rfc9535

    bare = _TEXTS.sub("", text)
    if bare.count("..") > 1 or bare.count("?") > 1 or bare.count("$") > 1:
        raise ValueError("goes over the body several times; use at most one .., one filter and one $")
    if re.search(r"\b(?:match|search)\s*\(", bare):
        raise ValueError("has a regular expression in it; write { match = … } for the value")
    try:
        return jsonpath_rfc9535.compile(text)
    except jsonpath_rfc9535.JSONPathError as error:
        raise ValueError(f"is not a JSONPath (RFC 9535): {error}") from None


def _checked(wanted: dict[str, Wanted]) -> dict[str, Wanted]:
    for text in wanted:
        try:
            _path(text)
        except ValueError as error:
            raise ValueError(f'"{text}" {error}') from None
    return wanted


JsonWanted = Annotated[dict[str, Wanted], AfterValidator(_checked)]
"""The table of a kind: path to value."""


async def judge(body: str, wanted: Mapping[str, Wanted], *, whole: bool) -> None:
    """Raises `ProbeError` when the body is not JSON, or a value is not what it must be; `whole`: it was not cut off."""
    if len(body) <= SHORT:
        selected = _values(body, tuple(wanted), whole=whole)
    else:
        loop = asyncio.get_running_loop()
        selected = await uncounted(
            loop.run_in_executor(threads(), functools.partial(_values, body, tuple(wanted), whole=whole))
        )
    for path, values in zip(wanted, selected, strict=True):
        await _fits(path, wanted[path], values)


def _values(body: str, paths: tuple[str, ...], *, whole: bool) -> list[list[Any]]:
    """What each path selects."""
    import jsonpath_rfc9535

    try:
        document = json.loads(body)
        return [_path(path).find(document).values() for path in paths]
    except (ValueError, RecursionError) as error:
        if not whole:
            raise ProbeError(ReasonCode.MATCH, "the body is longer than body_max, so its JSON is not whole") from None
        why = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deep"
        raise ProbeError(ReasonCode.MATCH, f"the body is not JSON: {why}") from None
    except jsonpath_rfc9535.JSONPathError as error:
        raise ProbeError(ReasonCode.MATCH, f"the body cannot be searched: {error}") from None


async def _fits(path: str, wanted: Wanted, values: list[Any]) -> None:
    """One of the values must fit."""
    if isinstance(wanted, JsonBounds) and not wanted.exists:
        if values:
            raise ProbeError(ReasonCode.MATCH, f"{path} is {_shown(values[0])}, and must not be there")
        return
    for value in values:
        if await _fit(value, wanted):
            return
    if not values:
        raise ProbeError(ReasonCode.MATCH, f"the body has no {path}")
    seen = " or ".join(map(_shown, values[:3]))
    raise ProbeError(ReasonCode.MATCH, f"{path} is {seen}; healthy is {_expected(wanted)}")


async def _fit(value: Any, wanted: Wanted) -> bool:
    if not isinstance(wanted, JsonBounds):
        return bool(value == wanted) and isinstance(value, bool) == isinstance(wanted, bool)
    if wanted.above is not None or wanted.below is not None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if wanted.above is not None and not value > wanted.above:
            return False
        if wanted.below is not None and not value < wanted.below:
            return False
    return not wanted.match or await found(wanted.match, value if isinstance(value, str) else json.dumps(value))


def _expected(wanted: Wanted) -> str:
    if not isinstance(wanted, JsonBounds):
        return _shown(wanted)
    words = [f"above {wanted.above:g}"] if wanted.above is not None else []
    words += [f"below {wanted.below:g}"] if wanted.below is not None else []
    words += [f"what matches {wanted.match}"] if wanted.match else []
    return " and ".join(words) or "any value"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

"""`prometheus://host:9090?query=…` is as well as the values that a Prometheus, Mimir, Thanos or VictoriaMetrics answers with.

`prometheuss://…` is the same over HTTPS. The worst of all series decides.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlencode

import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator

from crisp_status.config.hostname import ascii_host
from crisp_status.core.model import FINE, Health, Reason
from crisp_status.core.verdict import ReasonCode
from crisp_status.net.target import TargetAddress, apart
from crisp_status.probes import ProbeError, Reading, Unknowable, note
from crisp_status.probes._address import known_address
from crisp_status.probes._api import fetched
from crisp_status.probes._connection import TlsOptions
from crisp_status.probes._fields import check_fields
from crisp_status.probes._web_sign_in import basic

SCHEMES = ("prometheus", "prometheuss")

PORT: Final = 9090

OWN: Final = {"host", "content-length", "transfer-encoding", "connection"}

SAID_MAX: Final = 200


class Options(TlsOptions):
    """The table `[services.nodes.prometheus]`."""

    query: Annotated[str, Field(max_length=4096)] = ""
    """In PromQL, where the address has none."""
    sick_above: float | None = None
    """A value greater than this is sick."""
    sick_below: float | None = None
    """A value less than this is sick."""
    dead_above: float | None = None
    """A value greater than this is dead."""
    dead_below: float | None = None
    """A value less than this is dead."""
    empty: Literal["dead", "healthy"] = "dead"
    """What no value at all means; "healthy" for queries that find only what is wrong."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Header fields to send, as in { X-Scope-OrgID = "acme" }."""

    @field_validator("headers")
    @classmethod
    def _fields(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        check_fields(headers, OWN)
        return headers

    @model_validator(mode="after")
    def _order(self) -> Options:
        for one, other in (("sick_above", "dead_above"), ("dead_below", "sick_below")):
            less, more = getattr(self, one), getattr(self, other)
            if less is not None and more is not None and less > more:
                raise ValueError(f"{one} must not be more than {other}")
        return self


class _Result(msgspec.Struct, tag_field="resultType"):
    pass


class _Series(msgspec.Struct):
    value: tuple[float, str]
    metric: dict[str, str] = {}


class _Vector(_Result, tag="vector"):
    result: list[_Series]


class _Scalar(_Result, tag="scalar"):
    result: tuple[float, str]


class _PrometheusAnswer(msgspec.Struct):
    status: str
    data: _Vector | _Scalar | None = None
    error: str = ""


def check(target: str) -> None:
    """A `ValueError` when the address cannot be looked at."""
    address = apart(target, PORT)
    ascii_host(address.host)
    _parts(address)


async def probe(target: str, options: Options) -> Reading:
    """Ask for the value now, and compare it."""
    address = known_address(target, PORT)
    path, asked = _parts(address)
    query = asked or options.query
    if not query:
        raise Unknowable("there is no query: write ?query=… behind the address, or query in the options", "missing")
    signed = {"Authorization": basic(address.user, address.password)} if address.user or address.password else {}
    fields = signed | {name: value.get_secret_value() for name, value in options.headers.items()}
    there = f"{path}/api/v1/query?{urlencode({'query': query})}"
    status, body = await fetched(address, there, target.startswith("prometheuss:"), options, fields)
    try:
        answer = msgspec.json.decode(body, type=_PrometheusAnswer)
    except (msgspec.MsgspecError, RecursionError):
        raise ProbeError(ReasonCode.BANNER, f"the answer ({status}) is not that of Prometheus") from None
    if answer.status != "success" or answer.data is None:
        raise ProbeError(ReasonCode.ERROR, f"the query fails: {answer.error[:SAID_MAX] or status}", str(status))
    return _judged(_values(answer.data), options)


def _values(data: _Vector | _Scalar) -> list[tuple[str, float]]:
    """Each value with the labels of its series; what is not a number is left out."""
    series = (
        [("", data.result[1])] if isinstance(data, _Scalar) else [(_labels(s.metric), s.value[1]) for s in data.result]
    )
    found = []
    for labels, text in series:
        try:
            value = float(text)
        except ValueError:
            continue
        if not math.isnan(value):
            found.append((labels, value))
    return found


def _labels(metric: dict[str, str]) -> str:
    given = ", ".join(f'{key}="{value}"' for key, value in metric.items() if key != "__name__")
    return f"{metric.get('__name__', '')}{{{given}}}"[:SAID_MAX] if given else metric.get("__name__", "")


def _judged(values: list[tuple[str, float]], options: Options) -> Reading:
    note("{count} values: {values}", count=len(values), values=[f"{value:g}" for _, value in values[:10]])
    if not values:
        if options.empty == "healthy":
            return Reading()
        raise ProbeError(ReasonCode.ERROR, "the query has no value")
    for labels, value in values:
        if fault := _beyond(value, options.dead_above, options.dead_below):
            raise ProbeError(ReasonCode.ERROR, f"{labels or 'the value'} is {value:g}: dead {fault}", f"{value:g}")
    for labels, value in values:
        if fault := _beyond(value, options.sick_above, options.sick_below):
            text = f"{labels or 'the value'} is {value:g}: sick {fault}"
            return Reading(Health.SICK, Reason(ReasonCode.ERROR, text, f"{value:g}"))
    return Reading(Health.HEALTHY, FINE)


def _beyond(value: float, above: float | None, below: float | None) -> str:
    if above is not None and value > above:
        return f"above {above:g}"
    return f"below {below:g}" if below is not None and value < below else ""


def _parts(address: TargetAddress) -> tuple[str, str]:
    """The path before the API, and the query in the address."""
    path, _, given = address.path.partition("?")
    found: dict[str, Any] = parse_qs(given)
    if set(found) - {"query"} or len(found.get("query", [""])) != 1:
        raise ValueError("expected ?query=… and nothing else behind the address")
    return path.rstrip("/"), found.get("query", [""])[0]

"""`crisp-status look URL`: one look at one address, with its whole story. Needs no configuration."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

import click
import pydantic
import tomli

from crisp_status import kinds, probes
from crisp_status.clock import SystemClock
from crisp_status.config.schema import Strict
from crisp_status.probes._certificate import Certificate
from crisp_status.probes._wire import Shown

MARKS = {"healthy": "●", "sick": "▲", "dead": "✖", "unknown": "?"}


@click.command()
@click.argument("url")
@click.option("-o", "--option", "given", multiple=True, metavar="KEY=VALUE", help="An option of the probe, as in TOML.")
@click.option("--retry", type=click.IntRange(0, 10), default=0, show_default=True, help="Further attempts.")
@click.option(
    "--retry-wait", type=click.FloatRange(0, 60), default=0.5, show_default=True, help="Seconds between them."
)
@click.option(
    "--delay-dead", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="Seconds an attempt has."
)
@click.option(
    "--delay-sick", type=click.FloatRange(0, 600), default=5.0, show_default=True, help="Seconds; slower is sick."
)
@click.option("--json", "as_json", is_flag=True, default=False, help="Print JSON.")
def command(
    url: str,
    given: tuple[str, ...],
    retry: int,
    retry_wait: float,
    delay_dead: float,
    delay_sick: float,
    as_json: bool,
) -> None:
    r"""Look once at URL and tell the whole story: addresses, timings, status, certificate.

    Exit code 0: healthy or sick; 1: dead or unknown; 2: the call is wrong.

    \b
    Examples:
      crisp-status look https://acme.example/
      crisp-status look https://acme.example/ -o method=GET -o healthy_match=Welcome
      crisp-status look tcp://[2001:db8::1]:443 --retry 2 --json
    """
    kind = _kind(url)
    options = _options(kind, given)
    seen = asyncio.run(_look(kind, url, options, retry, retry_wait, delay_dead, delay_sick))
    print(_json(url, seen) if as_json else _text(url, seen))
    sys.exit(0 if seen.outcome in {"healthy", "sick"} else 1)


def _kind(url: str) -> Any:
    scheme, found, _ = url.partition("://")
    owners = kinds.scheme_owner()
    if not found or scheme.lower() not in owners:
        known = ", ".join(f"{name}://" for name in sorted(owners))
        raise click.BadParameter(f"{url!r} is not an address that a probe knows; expected one of {known}")
    kind: Any = kinds.probes()[owners[scheme.lower()]]
    try:
        kind.check(url)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return kind


def _options(kind: Any, given: tuple[str, ...]) -> Strict:
    values: dict[str, Any] = {}
    for pair in given:
        key, found, value = pair.partition("=")
        if not found:
            raise click.BadParameter(f"{pair!r}: expected KEY=VALUE")
        name, _, field = key.strip().partition(".")
        try:
            read = tomli.loads(f"value = {value}")["value"]
        except tomli.TOMLDecodeError:
            read = value  # a bare word is text, so that quotes need no quoting
        if field:
            values.setdefault(name, {})[field] = read
        else:
            values[name] = read
    try:
        options: Strict = kind.Options.model_validate(values)
    except pydantic.ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors(include_input=False))
        raise click.BadParameter(problems, param_hint="--option") from None
    return options


async def _look(
    kind: Any, url: str, options: Strict, retry: int, retry_wait: float, delay_dead: float, delay_sick: float
) -> probes.Look:
    async with probes.opened():
        return await probes.look(
            kind,
            url,
            options,
            retry=retry,
            retry_wait=retry_wait,
            delay_dead=delay_dead,
            delay_sick=delay_sick,
            clock=SystemClock(),
        )


def _text(url: str, seen: probes.Look) -> str:
    took = f" in {seen.latency_ms} ms" if seen.latency_ms >= 0 else ""
    why = f": {seen.reason.text}" if seen.reason.text else ""
    lines = [f"{MARKS[seen.outcome]} {url} is {seen.outcome}{took}{why}", ""]
    lines += [seen.tell()]
    return "\n".join(lines)


def _json(url: str, seen: probes.Look) -> str:
    return json.dumps(
        {
            "url": url,
            "outcome": seen.outcome,
            "reason": {"code": seen.reason.code, "text": seen.reason.text, "value": seen.reason.value},
            "latency_ms": seen.latency_ms if seen.latency_ms >= 0 else None,
            "attempts": seen.attempts,
            "at": seen.at,
            "since": seen.since,
            "story": [{"ms": step.ms, "text": step.text, **step.facts} for step in seen.story],
        },
        indent=2,
        ensure_ascii=False,
        default=_plain,
    )


def _plain(value: Any) -> Any:
    """A certificate, taken apart; anything else as its text."""
    certificate = value.read() if isinstance(value, Shown) else value
    return asdict(certificate) if isinstance(certificate, Certificate) else str(value)

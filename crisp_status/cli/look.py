"""`crisp-status look URL`: one look at one address, with its whole story. Needs no configuration."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import click

from crisp_status.cli import WRONG, fail

if TYPE_CHECKING:
    from crisp_status.config.strict import Strict
    from crisp_status.look.result import Look

MARKS = {"healthy": "●", "sick": "▲", "dead": "✖", "unknown": "?"}
"""A shape for each outcome: never colour alone."""

SECONDS = click.FloatRange(0.0, 600.0)


@click.command()
@click.argument("url")
@click.option("-o", "--option", "given", multiple=True, metavar="KEY=VALUE", help="An option of the probe, as in TOML.")
@click.option("--retry", type=click.IntRange(0, 10), default=0, show_default=True, help="Further attempts.")
@click.option("--retry-wait", type=SECONDS, default=0.5, show_default=True, help="Seconds between attempts.")
@click.option("--delay-dead", type=SECONDS, default=10.0, show_default=True, help="Seconds that an attempt has.")
@click.option("--delay-sick", type=SECONDS, default=5.0, show_default=True, help="An answer as slow as this is sick.")
@click.option("--json", "as_json", is_flag=True, default=False, help="Print JSON.")
def command(url: str, given: tuple[str, ...], as_json: bool, **policy: Any) -> None:
    """Look once at URL and tell the whole story: addresses, timings, status, certificate.

    Exit code 0: healthy or sick; 1: dead, or unknown by a failure of this host; 2: the call is wrong.

    \b
    Examples:
      crisp-status look https://acme.example/
      crisp-status look https://acme.example/ -o healthy_match=Welcome -o headers.X-Key=abc
      crisp-status look tcp://[2001:db8::1]:443 --retry 2 --json
    """
    kind = _kind(url)
    seen = asyncio.run(_look(kind, url, _options(kind, given), policy))
    click.echo(_json(url, seen) if as_json else _text(url, seen))
    raise click.exceptions.Exit(0 if seen.outcome in {"healthy", "sick"} else 1)


def _kind(url: str) -> Any:
    from crisp_status import kinds

    scheme, found, _ = url.partition("://")
    owners = kinds.scheme_owner()
    if not found or scheme.lower() not in owners:
        known = ", ".join(f"{name}://" for name in sorted(owners))
        fail(f"{_shown(url)} is not an address that a probe knows; expected one of {known}", WRONG)
    kind: Any = kinds.probes()[owners[scheme.lower()]]
    try:
        kind.check(url)
    except ValueError as error:
        fail(f"{_shown(url)}: {error}", WRONG)
    return kind


def _options(kind: Any, given: tuple[str, ...]) -> Strict:
    import pydantic
    import tomli

    from crisp_status.config.model_errors import faults_of
    from crisp_status.config.problems import written

    values: dict[str, Any] = {}
    for pair in given:
        key, found, value = pair.partition("=")
        if not found:
            fail(f"--option {pair}: expected KEY=VALUE", WRONG)
        try:
            read = tomli.loads(f"value = {value}")["value"]
        except tomli.TOMLDecodeError:
            read = value  # a bare word is text: the shell has taken the quotes away
        name, _, field = key.strip().partition(".")
        if field:
            values.setdefault(name, {})[field] = read
        else:
            values[name] = read
    try:
        options: Strict = kind.Options.model_validate(values)
    except pydantic.ValidationError as error:
        faults = faults_of(error, kind.Options, values)
        fail("\n".join(f"--option {written(fault.path)}: {fault.text}" for fault in faults), WRONG)
    return options


async def _look(kind: Any, url: str, options: Strict, policy: dict[str, Any]) -> Look:
    from crisp_status import log
    from crisp_status.clock import SystemClock
    from crisp_status.config.redact import secrets_in
    from crisp_status.look.once import Policy
    from crisp_status.look.policy import look
    from crisp_status.net import tools

    log.hide(*secrets_in([url], options))  # the target may quote them
    async with tools.opened():
        return await look(kind, url, options, Policy(**policy), SystemClock())


def _text(url: str, seen: Look) -> str:
    took = f" in {seen.latency_ms} ms" if seen.latency_ms >= 0 else ""
    why = f": {seen.reason.text}" if seen.reason.text else ""
    return f"{MARKS[seen.outcome]} {_shown(url)} is {seen.outcome}{took}{why}\n\n{seen.lines()}"


def _json(url: str, seen: Look) -> str:
    return json.dumps(
        {
            "url": _shown(url),
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
    )


def _shown(url: str) -> str:
    """The address without its password."""
    from crisp_status.config.addresses import masked

    return masked(url)

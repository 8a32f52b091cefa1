"""`crisp-status schema`: JSON Schema of the configuration, for editors."""

from __future__ import annotations

import json

import click


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema of the configuration, so that an editor completes and checks it.

    Put `#:schema ./config.schema.json` into the first line of the configuration.

    \b
    Example:
      crisp-status schema > config.schema.json
    """
    from crisp_status import kinds
    from crisp_status.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(kinds.rooms()), indent=2, ensure_ascii=False))

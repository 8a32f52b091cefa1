"""How we look at a target. Every file here that does not start with "_" is a probe kind; its name is the file's name.

A kind has:

- `SCHEMES`: the URL schemes it answers to;
- `Options`: a `config.schema.Strict` model, the table `[services.nodes.KIND]` of the configuration;
- `async def probe(target: str, options: Options) -> Reading`, which raises `ProbeError` when the target failed and
  `Unknowable` when we did. It may tell its story with `note` and say what it waits for with `expect`;
- perhaps `GATE`, the name of the limit that an attempt counts against (default "sockets").

`look` gives every kind the same deadline, retries, timing and wording (DESIGN section 6, "Poll" and "Unknown").
"""

from crisp_status.probes._contract import (
    Kind,
    NameFailure,
    ProbeError,
    Reading,
    Unknowable,
    admitted,
    expect,
    note,
)
from crisp_status.probes._limits import raise_file_limit
from crisp_status.probes._look import Job, Look, Step, look, look_all
from crisp_status.probes._tools import Tools, may_ping, opened, tools
from crisp_status.probes._witness import Network, Witnesses, network, sure_look

__all__ = [
    "Job",
    "Kind",
    "Look",
    "NameFailure",
    "Network",
    "ProbeError",
    "Reading",
    "Step",
    "Tools",
    "Unknowable",
    "Witnesses",
    "admitted",
    "expect",
    "look",
    "look_all",
    "may_ping",
    "network",
    "note",
    "opened",
    "raise_file_limit",
    "sure_look",
    "tools",
]

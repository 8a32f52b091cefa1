"""How we look at a target. Every file here that does not start with "_" is a probe kind; its name is the file's name.

A kind has:

- `SCHEMES`: the URL schemes it answers to;
- `Options`: a `config.schema.Strict` model, the table `[services.nodes.KIND]` of the configuration;
- `async def probe(target: str, options: Options) -> Reading`, which raises `ProbeError` when the target failed and
  `Unknowable` when we did. It may tell its story with `note` and say what it waits for with `expect`;
- perhaps `GATE`, the name of the limit that an attempt counts against (default "sockets").

`look` gives every kind the same deadline, retries, timing and wording (DESIGN section 6, "Poll" and "Unknown").
"""

from crisp_status.net.contract import Kind, NameFailure, ProbeError, Reading, Unknowable, admitted, expect, note

__all__ = [
    "Kind",
    "NameFailure",
    "ProbeError",
    "Reading",
    "Unknowable",
    "admitted",
    "expect",
    "note",
]

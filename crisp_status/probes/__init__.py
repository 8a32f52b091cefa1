"""How we look at a target. Every file here that does not start with "_" is a probe kind; its name is the file's name.

A kind has:

- `SCHEMES`: the URL schemes it answers to;
- `Options`: a `config.schema.Strict` model, the table `[services.nodes.KIND]` of the configuration;
- `async def probe(target: str, options: Options) -> Reading`, which raises `ProbeError` when the target failed and
  `Unknowable` when we did. It may add to the story with `note` and name what it waits for with `expect`;
- perhaps `LIMIT`, the name of the limit that an attempt counts against (default "sockets");
- perhaps `check(target)`, which refuses an address with a `ValueError` when the configuration is read.

`ProbeKind`, `Limited` and `ChecksAddress` are the same in types; mypy compares every kind with them.

It has no deadline, retry, timing or log of its own: `look` gives every kind the same (DESIGN section 6, "Poll" and
"Unknown"). An `OSError` that escapes from it is explained by `net.errors`; any other exception is a bug of ours, and the
replica is unknown.
"""

from crisp_status.net.attempt import expect, note, uncounted
from crisp_status.net.errors import NameFailure, ProbeError, Unknowable
from crisp_status.probes._contract import ChecksAddress, Limited, ProbeKind, Reading

__all__ = [
    "ChecksAddress",
    "Limited",
    "NameFailure",
    "ProbeError",
    "ProbeKind",
    "Reading",
    "Unknowable",
    "expect",
    "note",
    "uncounted",
]

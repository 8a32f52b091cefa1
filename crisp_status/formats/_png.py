"""An SVG from standard input as PNG to standard output, in a process of its own.

The library holds the interpreter for all it does, a fifth of a second: in a thread of the daemon everything else would
stand still. Imports nothing of ours, so that it starts soon.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Draw it."""
    import resvg_py

    sys.stdout.buffer.write(bytes(resvg_py.svg_to_bytes(svg_string=sys.stdin.read())))


if __name__ == "__main__":
    main()

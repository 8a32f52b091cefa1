"""Where a frozen crisp-status starts: the command line, or one of our programs that the daemon starts beside itself."""

import sys


def main() -> None:
    """Run what was typed."""
    if sys.argv[1:2] == ["-P"]:
        run_program(sys.argv[2])
        return
    from crisp_status.cli import main as command_line

    command_line()


def run_program(path: str) -> None:
    """`crisp-status -P FILE`, as `python -P FILE` would: here is no Python that could run FILE, so its module runs.

    FILE is below the folder of whoever started us, who may have unpacked somewhere else.
    """
    import runpy
    from pathlib import Path

    parts = Path(path).with_suffix("").parts
    package = len(parts) - 1 - parts[::-1].index("crisp_status")
    runpy.run_module(".".join(parts[package:]), run_name="__main__")


if __name__ == "__main__":
    main()

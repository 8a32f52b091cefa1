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
    """`crisp-status -P FILE`, as `python -P FILE` would: here is no Python that could run FILE, so its module runs."""
    import runpy
    from pathlib import Path

    module = Path(path).relative_to(sys._MEIPASS).with_suffix("")
    runpy.run_module(".".join(module.parts), run_name="__main__")


if __name__ == "__main__":
    main()

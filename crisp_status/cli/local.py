"""`crisp-status local`: the agent for private networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crisp_status.cli import WrongError, config_option, open_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crisp_status.config.root import Config


@click.command(
    name="local",
    epilog="\b\nExample:\n  crisp-status local -c agent.toml\n  crisp-status local --place fra -c agent.toml",
)
@config_option
@click.option("--scripts", is_flag=True, default=False, help="Run scripts, those that the server's list names too.")
@click.option("--place", default="", metavar="ID", help="Be this place of [[places]], with its token in [agent].")
def command(config_path: Path, scripts: bool, place: str) -> None:
    """Look at replicas in a private network and report them to the page; or, as a place, see from elsewhere what it sees.

    The file needs only [agent] with endpoint and token; the list of what to look at comes from the page, or is written
    in the file as [[services]]. SIGTERM stops it, SIGHUP loads the file again.
    """
    import asyncio

    from crisp_status import log

    config = open_config(config_path, role="agent", scripts=scripts)
    log.configure(level=config.server.log_level, style=config.server.log_style)

    def again() -> Config:
        return _fit(open_config(config_path, role="agent", scripts=scripts), place)

    asyncio.run(_life(_fit(config, place), again, scripts=scripts, place=place))


def _fit(config: Config, place: str) -> Config:
    """The configuration, if it is one of a place, or no place is wanted. Raises WrongError."""
    if place and config.agent is not None and config.agent.protocol == "vigil":
        raise WrongError("--place: a Vigil knows no places; leave out protocol in [agent]")
    if place and config.services:
        raise WrongError("--place: what a place looks at comes from the page; leave out [[services]] here")
    return config


async def _life(config: Config, again: Callable[[], Config], *, scripts: bool, place: str) -> None:
    """Run the agent until SIGTERM or SIGINT; SIGHUP puts the file into force again, unless it is wrong."""
    import asyncio
    import signal

    from crisp_status import log, sdnotify
    from crisp_status.agent import Agent
    from crisp_status.clock import SystemClock

    notifier = sdnotify.SystemdNotify()
    wishes: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, wishes.put_nowait, number)
    work = asyncio.create_task(Agent(config, SystemClock(), scripts=scripts, place=place, notifier=notifier).run())
    while not work.done():
        waiting = asyncio.create_task(wishes.get())
        await asyncio.wait((work, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
        elif waiting.result() is not signal.SIGHUP:
            work.cancel()
            await asyncio.wait((work,))
        else:
            notifier.reloading()
            try:
                config = again()
            except WrongError as error:
                log.get().error("the changed configuration is wrong; going on with the old one", reason=str(error))
                notifier.notify_ready("the changed configuration is wrong; see the log")
                continue
            work.cancel()
            await asyncio.wait((work,))
            work = asyncio.create_task(
                Agent(config, SystemClock(), scripts=scripts, place=place, notifier=notifier).run()
            )
    if not work.cancelled():
        work.result()

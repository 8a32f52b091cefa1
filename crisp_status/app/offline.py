"""What a command sees of a page without its daemon: the saved state, read without taking it over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.app.replay import replayed
from crisp_status.clock import SystemClock
from crisp_status.config import plan as planning
from crisp_status.core.events import Planned
from crisp_status.core.step import step
from crisp_status.formats.documents import table
from crisp_status.formats.embed_policy import embed_policy
from crisp_status.language.catalogues import catalogues
from crisp_status.store.state_folder import read_only
from crisp_status.view.build import build
from crisp_status.view.page_info import page_info

if TYPE_CHECKING:
    from crisp_status.config.root import Config
    from crisp_status.formats.routes import Table
    from crisp_status.view.page_view import PageView


def view_of(config: Config) -> tuple[PageView, Table]:
    """The page as it was saved last, under the present configuration. Raises `StoreError`."""
    found = read_only(config.state_folder)
    world = replayed(found)
    now = max(SystemClock().now(), world.state.at)
    step(world, Planned(at=now, plan=planning.plan(config)))
    info = page_info(config)
    return build(world.state, info, now), table(info, embed_policy(config), catalogues(info.languages))

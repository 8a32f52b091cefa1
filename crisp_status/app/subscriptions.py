"""Everything about subscribers, put together: the pages where they ask, and the loop that tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.api.subscribe import SubscriberPages
from crisp_status.api.subscriber_lists import SubscriberLists
from crisp_status.loops.subscriber_lanes import SubscriberLanes
from crisp_status.loops.subscriber_ways import ways

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from gettext import NullTranslations

    from crisp_status.channels import Http
    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.engine import Engine
    from crisp_status.http.authentication import Proxies
    from crisp_status.http.router import Handler, Router
    from crisp_status.http.site import Site
    from crisp_status.view.page_info import PageInfo


class Subscriptions:
    """One for each daemon."""

    def __init__(self, engine: Engine, clock: Clock, site: Site, key: bytes, proxies: Proxies, http: Http) -> None:
        """`key` signs links."""
        self._engine = engine
        self._clock = clock
        self._key = key
        self._http = http
        self._pages = SubscriberPages(engine, clock, site, key, proxies.client)
        self._lanes = SubscriberLanes(engine, clock)
        self.run = self._lanes.run

    def configure(self, config: Config, info: PageInfo, catalogues: Mapping[str, NullTranslations]) -> None:
        """Follow a configuration."""
        words, by_kind = ways(config, info, catalogues, self._key, self._clock, self._http)
        self._lanes.configure(words, by_kind, config.subscribers.per_minute)
        self._pages.configure(info, catalogues)

    def add_routes(self, router: Router, guard: Callable[[Handler], Handler]) -> None:
        """Register every route; `guard` stands before those of operators."""
        self._pages.add_routes(router)
        SubscriberLists(self._engine, guard, self._key).add_routes(router)

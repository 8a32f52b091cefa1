"""Everything about subscribers, put together: the pages where they ask, and the loop that tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crisp_status.api.hook_challenges import HookChallenges
from crisp_status.api.subscribe import SubscriberPages
from crisp_status.api.subscribe_by_post import SubscribeByPost
from crisp_status.api.subscriber_lists import SubscriberLists
from crisp_status.channels import Http
from crisp_status.loops.subscriber_lanes import SubscriberLanes
from crisp_status.loops.subscriber_posts import POST_SECONDS, HookWay, PushWay, SlackWay
from crisp_status.loops.subscriber_ways import BulletinTexts, MailWay, SubscriberWay
from crisp_status.messages.subscriber_mail import Addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from gettext import NullTranslations

    from crisp_status.channels._webpush import PushKeys
    from crisp_status.clock import Clock
    from crisp_status.config.root import Config
    from crisp_status.engine import Engine
    from crisp_status.http.authentication import Proxies
    from crisp_status.http.router import Handler, Router
    from crisp_status.http.site import Site
    from crisp_status.net.public_address import Reachable
    from crisp_status.view.page_info import PageInfo


class Subscriptions:
    """One for each daemon."""

    def __init__(
        self, engine: Engine, clock: Clock, site: Site, key: bytes, proxies: Proxies, reachable: Reachable
    ) -> None:
        """`key` signs links; `reachable` says to which addresses of strangers requests may go. Inside a running loop."""
        self._engine = engine
        self._clock = clock
        self._key = key
        self._reachable = reachable
        self._private = False
        self._http = Http(clock, POST_SECONDS, self._allows)
        self._challenges = HookChallenges(engine, key, self._allows)
        self._pages = SubscriberPages(engine, clock, site, key, proxies.client, self._challenges, self._allows)
        self._posts = SubscribeByPost(self._pages, self._challenges, engine, key, self._allows)
        self._lanes = SubscriberLanes(engine, clock)
        self.run = self._lanes.run
        self.close = self._http.close

    def configure(
        self,
        config: Config,
        info: PageInfo,
        catalogues: Mapping[str, NullTranslations],
        push_keys: PushKeys | None,
        timeout: float,
    ) -> None:
        """Follow a configuration. `timeout`: seconds for each step of a conversation with the mail server."""
        wanted, links = config.subscribers, Addresses(info, self._key)
        self._private, self._http.push_keys = wanted.allow_private, push_keys
        texts = BulletinTexts(info, catalogues, self._clock)
        push, hook = PushWay(texts, self._http), HookWay(texts, self._http)
        ways: dict[str, SubscriberWay] = {"webpush": push, "webhook": hook}
        ways["slack"] = SlackWay(texts, links, self._http)
        if wanted.email:
            ways["email"] = MailWay(config, texts, links, self._clock, timeout)
        self._lanes.configure(texts, {kind: ways[kind] for kind in wanted.kinds}, wanted.per_minute)
        self._pages.configure(info, catalogues)
        self._challenges.configure(hook)
        self._posts.configure(push, push_keys.public if push_keys else "")

    def add_routes(self, router: Router, guard: Callable[[Handler], Handler]) -> None:
        """Register every route; `guard` stands before those of operators."""
        self._pages.add_routes(router)
        self._posts.add_routes(router)
        SubscriberLists(self._engine, guard, self._key).add_routes(router)

    def _allows(self, ip: str) -> bool:
        return self._private or self._reachable(ip)

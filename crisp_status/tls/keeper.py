"""Keeps every domain's certificate good: what is shown, what is due, what failed and when it is tried again.

Laws
- HTTPS always answers: with the operator's files, else the authority's certificate, else one that we sign ourselves.
- What is shown is replaced only by something that was checked: it is for the domain, and its key fits.
- One order at a time, and none before its time, also across restarts: authorities count.
- Whatever fails is tried again, later and later, and never touches what is shown.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal

from crisp_status import log
from crisp_status.store.disk import os_text
from crisp_status.tls import renewal
from crisp_status.tls.attempts import Attempts
from crisp_status.tls.authorities import AuthorityError, StoppedError
from crisp_status.tls.keypair import KeyPair, KeyPairError, context, self_signed, stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from crisp_status.clock import Clock
    from crisp_status.tls.acme import Client
    from crisp_status.tls.authorities import Authority
    from crisp_status.tls.challenges import Challenges, Kind
    from crisp_status.tls.contexts import Contexts
    from crisp_status.tls.own_files import OwnFiles
    from crisp_status.tls.storage import Storage

ROUND_SECONDS: Final = 5.0
"""How often it is looked what is due and whether the operator's files changed."""

PATIENCE_MAX: Final = 30 * 86400.0
"""Seconds; an authority that wants to be left alone for longer is not believed."""

Source = Literal["files", "authority", "self-signed"]


@dataclass(frozen=True)
class CertificatePlan:
    """What the configuration says of certificates."""

    domains: tuple[str, ...]
    """In lower case; the first one is shown to who asks for none."""
    authorities: tuple[Authority, ...] = ()
    """In the order in which they are tried."""
    kinds: tuple[Kind, ...] = ("http-01", "tls-alpn-01")
    """In the order in which they are tried."""
    files: OwnFiles | None = None
    """Instead of authorities."""


@dataclass
class ManagedCertificate:
    """One domain's, and how it is going."""

    domain: str
    source: Source = "self-signed"
    pair: KeyPair | None = None
    """What is shown."""
    renew_at: float = 0.0
    """Epoch seconds, by the life of the certificate or the authority's advice; 0: at once."""
    advice_at: float = 0.0
    """When the authority is asked again for its advice."""
    failures: int = 0
    """In a row."""
    next_at: float = 0.0
    """Epoch seconds before which nothing is tried."""
    error: str = ""
    """Why the last try failed; "": it did not."""
    warned: tuple[float, renewal.Warn] = (0.0, "")
    """Of which end operators were told last, and how near it was."""
    unsaved: bytes = b""
    """What is shown, while the disk does not take it."""


class Keeper:
    """`open` before anybody is let in, `run` beside the server, `close` at the end."""

    def __init__(
        self,
        storage: Storage,
        contexts: Contexts,
        challenges: Challenges,
        clock: Clock,
        *,
        chance: Callable[[], float] = random.random,
        warn: Callable[[ManagedCertificate, renewal.Warn], Awaitable[None]] | None = None,
    ) -> None:
        """`chance` gives numbers from 0 to 1, for jitter; `warn` is called when the end of a certificate comes near."""
        self._warn = warn
        self.certificates: dict[str, ManagedCertificate] = {}
        self.orders = 0
        """How often an authority was asked for a certificate, and in the next line how often in vain."""
        self.failed_orders = 0
        self._plan = CertificatePlan(())
        self._storage = storage
        self._contexts = contexts
        self._challenges = challenges
        self._clock = clock
        self._chance = chance
        self._attempts = Attempts(storage)
        self._doubt = ""
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="acme")
        self._log = log.get()

    def open(self, plan: CertificatePlan) -> None:
        """Take a plan into force and have something to show for every domain. Reads files, asks nobody."""
        before, self._plan = self.certificates, plan
        self.certificates = {d: before.get(d) or ManagedCertificate(d) for d in plan.domains}
        self._attempts.read(self._clock.now() + PATIENCE_MAX)
        for one in self.certificates.values():
            if plan.files is None and one.source == "files":
                one.source, one.pair = "self-signed", None
            one.next_at = self._attempts.not_before(one.domain)
            one.failures = self._attempts.failures(one.domain)
        if plan.files is not None:
            self._follow(plan.files)
        for one in self.certificates.values():
            if one.pair is None and (plan.files is not None or not self._load(one)):
                self._show(one, self_signed([one.domain], self._clock.now()), "self-signed")
        self._contexts.keep(plan.domains)

    async def run(self) -> None:
        """Until cancelled."""
        for one in self.certificates.values():
            if one.source == "self-signed" and self._plan.files is None:
                self._log.info(
                    "HTTPS answers with a self-signed certificate until the authority has sent one", domain=one.domain
                )
        while True:
            try:
                await self.round()
            except Exception:
                # The page must stay, and what is shown is good for weeks.
                self._log.exception("keeping the certificates failed; this is a bug, please report it")
            await asyncio.sleep(ROUND_SECONDS)

    def close(self) -> None:
        """Ask nobody any more. An order that is under way goes on at the next start."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def secure(self) -> bool:
        """Whether people who follow a link to the first domain over HTTPS see no warning."""
        one = next(iter(self.certificates.values()), None)
        return one is not None and one.source != "self-signed" and self.good(one)

    def good(self, one: ManagedCertificate) -> bool:
        """Whether what is shown is for the domain, and neither too young nor too old."""
        pair = one.pair
        return pair is not None and pair.covers(one.domain) and pair.not_before <= self._clock.now() < pair.not_after

    async def round(self) -> None:
        """Do what is due now, one thing after the other; then tell what nears its end."""
        await self._renew()
        now = self._clock.now()
        for one in self.certificates.values():
            if one.pair is None or one.source == "self-signed":
                continue
            level = renewal.warning(one.pair, now)
            if level and one.warned != (one.pair.not_after, level):
                one.warned = (one.pair.not_after, level)
                left = round((one.pair.not_after - now) / 86400, 1)
                self._log.warning("a certificate nears its end", domain=one.domain, days_left=left, reason=one.error)
                if self._warn is not None:
                    await self._warn(one, level)

    async def _renew(self) -> None:
        plan = self._plan
        if plan.files is not None:
            self._follow(plan.files)
            return
        for one in list(self.certificates.values()):
            if self.certificates.get(one.domain) is not one:
                continue  # a reload came meanwhile
            if one.unsaved:
                self._save(one)
            now = self._clock.now()
            if one.source == "authority" and one.pair is not None and one.advice_at <= now < one.pair.not_after:
                await self._ask_advice(one, one.pair)
            # A clock that was set back must not put a try off for years.
            one.next_at = min(one.next_at, now + max(PATIENCE_MAX, renewal.LONGEST_WAIT))
            if one.renew_at <= now and one.next_at <= now:
                await self._order(one)

    # The operator's files.

    def _follow(self, files: OwnFiles) -> None:
        if not files.changed() and not self._doubt:
            self._renew_self_signed()
            return
        try:
            pair = files.load()
            made = context(pair)
        except KeyPairError as error:
            # Between the writing of the certificate and of its key they do not fit: it is told when that lasts.
            if str(error) == self._doubt or not any(c.pair for c in self.certificates.values()):
                self._complain(str(error))
            self._doubt = str(error)
            return
        self._doubt = ""
        for one in self.certificates.values():
            self._put(one, pair, made, "files")
            one.error = ""
            if not pair.covers(one.domain):
                self._complain(f"{files.certificate} is not for {one.domain}, only for {', '.join(pair.names)}", one)
            elif pair.not_after <= self._clock.now():
                self._complain(
                    f"{files.certificate} has ended: visitors are warned of the page; put a newer one there", one
                )

    def _complain(self, sentence: str, only: ManagedCertificate | None = None) -> None:
        about = [only] if only else list(self.certificates.values())
        if any(one.error != sentence for one in about):
            self._log.error("the certificate cannot be used as it is", reason=sentence)
        for one in about:
            one.error = sentence

    def _renew_self_signed(self) -> None:
        now = self._clock.now()
        for one in self.certificates.values():
            if one.source == "self-signed" and one.pair is not None and renewal.warning(one.pair, now):
                self._show(one, self_signed([one.domain], now), "self-signed")

    # An authority's.

    def _load(self, one: ManagedCertificate) -> bool:
        """Show what was kept, if it is good for anything."""
        path = f"{self._storage.path}/{one.domain}.pem"
        try:
            data = self._storage.read(f"{one.domain}.pem")
            pair = stored(data) if data else None
            if pair is None:
                return False
            if not pair.covers(one.domain):
                raise KeyPairError(f"it is not for {one.domain}")
            self._show(one, pair, "authority")
        except (OSError, KeyPairError) as error:
            reason = os_text(error) if isinstance(error, OSError) else str(error)
            self._log.warning("a kept certificate cannot be used; another one is ordered", file=path, reason=reason)
            return False
        return True

    async def _ask_advice(self, one: ManagedCertificate, pair: KeyPair) -> None:
        authority = next((a for a in self._plan.authorities if a.directory == pair.authority), None)
        one.advice_at = self._clock.now() + 6 * 3600
        if authority is None:
            return
        client = await self._client(authority)
        try:
            advice = await asyncio.get_running_loop().run_in_executor(self._pool, client.advice, pair)
        except AuthorityError as error:
            self._log.debug("the authority gives no advice on renewal", domain=one.domain, reason=str(error))
            return
        if one.pair is not pair:
            return
        one.advice_at = max(advice.ask_again_at, self._clock.now() + 60)
        if advice.renew_at:
            # Whatever it advises, what is left must do for some failures.
            one.renew_at = min(advice.renew_at, pair.not_after - pair.life / 20)

    async def _order(self, one: ManagedCertificate) -> None:
        """Ask one authority after the other; afterwards it is renewed, or known when it is tried again."""
        alone, said, asked = self._attempts.authorities, [], 0
        for authority in self._plan.authorities:
            left = alone.get(authority.directory, 0.0) - self._clock.now()
            if left > 0:
                said.append(f"{authority.name} wants to be left alone for {left:.0f} seconds")
                continue
            asked += 1
            self.orders += 1
            try:
                await self._obtain(one, authority)
            except StoppedError:
                return
            except AuthorityError as error:
                self.failed_orders += 1
                said.append(str(error))
                if error.retry_after:
                    alone[authority.directory] = self._clock.now() + min(error.retry_after, PATIENCE_MAX)
            except OSError as error:
                self.failed_orders += 1
                said.append(f"{self._storage.path}: {os_text(error)}")
                break  # it would be the same with every authority
            except Exception as error:
                # It must count as a try all the same, or the authority would be asked again at once.
                self.failed_orders += 1
                self._log.exception("an order failed; this is a bug, please report it", authority=authority.name)
                said.append(f"{authority.name}: an error of ours, {type(error).__name__}: {error}")
            else:
                return
        self._failed(one, "; ".join(said), asked=asked)

    async def _client(self, authority: Authority) -> Client:
        """In the worker: its libraries take a third of a second to load."""

        def made() -> Client:
            from crisp_status.tls.acme import Client

            return Client(authority, self._storage, self._clock, self._stop)

        return await asyncio.get_running_loop().run_in_executor(self._pool, made)

    async def _obtain(self, one: ManagedCertificate, authority: Authority) -> None:
        plan = self._plan
        self._log.info("ordering a certificate", domain=one.domain, authority=authority.name)
        client = await self._client(authority)
        current = one.pair if one.source == "authority" else None
        work = partial(client.obtain, one.domain, plan.kinds, self._challenges, current)
        pair = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        if self.certificates.get(one.domain) is not one or self._plan.files is not None:
            return  # a reload came meanwhile
        if not pair.covers(one.domain):
            raise AuthorityError(f"{authority.name} sent a certificate for {', '.join(pair.names)}")
        self._show(one, pair, "authority")
        one.failures, one.next_at, one.error, one.advice_at = 0, 0.0, "", 0.0
        self._attempts.succeeded(one.domain, authority.directory)
        one.unsaved = pair.pem
        self._save(one)
        if not one.unsaved:
            with suppress(OSError):
                client.finish(one.domain)
        self._attempts.write(self._clock.now())
        left = (pair.not_after - self._clock.now()) / 86400
        self._log.info("a new certificate is shown", domain=one.domain, issuer=pair.issuer, days=round(left, 1))

    def _failed(self, one: ManagedCertificate, reason: str, *, asked: int) -> None:
        """None of so many authorities that were asked gave one; the others want to be left alone for now."""
        now = self._clock.now()
        alone = min((self._attempts.authorities.get(a.directory, 0.0) for a in self._plan.authorities), default=0.0)
        if not asked:
            one.next_at = alone
            return
        one.error = reason
        one.failures += 1
        one.next_at = max(now + renewal.wait_after(one.failures, self._chance()), alone)
        self._attempts.failed(one.domain, one.failures, now, one.next_at)
        self._attempts.write(self._clock.now())
        shown = "what is shown goes on" if one.source == "authority" else "HTTPS answers with a self-signed certificate"
        self._log.error(
            f"no new certificate; {shown}",
            domain=one.domain,
            reason=one.error,
            retry_in=round(one.next_at - now),
            hint=f"crisp-status domain check shows what the world sees of {one.domain}",
        )

    def _save(self, one: ManagedCertificate) -> None:
        """Keep what is shown; while the disk does not take it, it is shown from memory."""
        try:
            self._storage.write(f"{one.domain}.pem", one.unsaved)
        except OSError as error:
            one.error = f"{self._storage.path}: the certificate cannot be kept: {os_text(error)}"
            self._log.error(
                "the certificate cannot be kept; it is tried again", domain=one.domain, reason=os_text(error)
            )
            return
        one.unsaved = b""
        if one.error.startswith(f"{self._storage.path}:"):
            one.error = ""

    def _show(self, one: ManagedCertificate, pair: KeyPair, source: Source) -> None:
        """Raises `KeyPairError`."""
        self._put(one, pair, context(pair), source)

    def _put(self, one: ManagedCertificate, pair: KeyPair, made: ssl.SSLContext, source: Source) -> None:
        one.pair, one.source = pair, source
        one.renew_at = renewal.renew_at(pair, self._chance()) if source == "authority" else 0.0
        self._contexts.put(one.domain, pair, made)

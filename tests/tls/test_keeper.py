"""The life of certificates, with a real authority (Pebble) on the other side."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import errno
import json
import os
import ssl
import stat

import pytest
from aiohttp import web

from crisp_status.tls import keypair
from crisp_status.tls.authorities import Authority
from crisp_status.tls.storage import Storage
from tests.disk import FakeDisk, PowerCut
from tests.tls.authority import EAB, Pebble, needs_pebble
from tests.tls.front import Front
from tests.tls.stand import DOMAIN, Stand

pytestmark = needs_pebble

DAY = 86400.0
YEAR = 365 * DAY


@pytest.fixture
async def pebble(tmp_path, monkeypatch):
    async with Pebble(tmp_path / "authority") as authority:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.root))
        yield authority


def orders(pebble):
    """How many orders the authority has taken, by its own log."""
    return pebble.log().count("There are now") and pebble.log().count("order-plz -> calling handler()")


async def test_the_first_certificate(tmp_path, pebble):
    """HTTPS answers with a self-signed certificate at once, then with the authority's, which clients trust for the name;
    its files are for our eyes only.
    """
    async with Stand(tmp_path, pebble) as stand:
        assert stand.one.source == "self-signed"
        assert not stand.keeper.secure
        before = await stand.shown()

        await stand.keeper.round()

        assert stand.one.source == "authority", stand.one.error
        assert stand.keeper.secure
        assert await stand.shown() != before
        reader, writer = await stand.connect(await pebble.issuer())
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        folder = tmp_path / "state" / "tls"
        assert {stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert not list(folder.glob("order-*"))


async def test_by_the_tls_port_alone(tmp_path, pebble):
    """With tls-alpn-01 nothing but the TLS port is asked, and other clients are shown the page meanwhile."""
    async with Stand(tmp_path, pebble, kinds=("tls-alpn-01",)) as stand:
        await stand.keeper.round()

        assert stand.one.source == "authority", stand.one.error
        assert stand.challenges.asked == 0


async def test_the_other_way_when_the_first_fails(tmp_path, pebble):
    """Port 80 leads to somebody else: the authority is shown the domain on 443."""
    async with Stand(tmp_path, pebble) as stand:
        await stand.runner.cleanup()

        await stand.keeper.round()

        assert stand.one.source == "authority", stand.one.error


async def test_nobody_is_asked_before_it_is_time(tmp_path, pebble):
    """A good certificate is kept, across a restart too, until a third of its life is left; then it gets a fresh key."""
    async with Stand(tmp_path, pebble) as stand:
        await stand.keeper.round()
        first = stand.one.pair
        stand.again()
        assert stand.one.pair == first
        stand.clock.jump(first.life * 0.6)
        await stand.keeper.round()
        assert stand.one.pair == first

        stand.clock.jump(first.life * 0.05)
        await stand.keeper.round()

        second = stand.one.pair
        assert second.chain != first.chain
        assert second.pem[: second.pem.index(b"-----BEGIN C")] != first.pem[: first.pem.index(b"-----BEGIN C")]
        assert stand.storage.read(f"{DOMAIN}.pem") == second.pem


async def test_renewal_drops_nobody(tmp_path, pebble):
    """Who is connected stays connected across a renewal, and who connects during it is served."""
    async with Stand(tmp_path, pebble) as stand:
        await stand.keeper.round()
        trust = await pebble.issuer()
        reader, writer = await stand.connect(trust)
        stand.clock.jump(stand.one.pair.life * 0.7)
        renewal = asyncio.create_task(stand.keeper.round())
        served = 0
        while not renewal.done() or served < 20:
            fresh_reader, fresh_writer = await stand.connect(trust)
            for one_reader, one_writer in ((reader, writer), (fresh_reader, fresh_writer)):
                one_writer.write(b"still there?")
                assert await one_reader.readexactly(12) == b"still there?"
            fresh_writer.close()
            served += 1
        await renewal
        assert stand.keeper.orders == 2


async def test_wrong_dns(tmp_path, pebble):
    """The domain leads elsewhere: the reason is in plain words, the page goes on, the tries get rarer, and once the
    record is right the next one works.
    """
    async with Stand(tmp_path, pebble) as stand:
        await pebble.names("set-default-ipv4", ip="127.0.0.9")
        await stand.keeper.round()
        assert "not found to be ours by http-01" in stand.one.error
        assert "not found to be ours by tls-alpn-01" in stand.one.error
        assert await stand.shown()
        waits = []
        for _ in range(3):
            waits.append(stand.one.next_at - stand.clock.now())
            await stand.keeper.round()  # nothing is due: nobody is asked
            stand.clock.jump(waits[-1] + 1)
            await stand.keeper.round()
        assert stand.keeper.orders == 4
        assert waits[0] * 3 < waits[1] * 2 < waits[2] * 1.5

        await pebble.names("set-default-ipv4", ip="127.0.0.1")
        stand.clock.jump(DAY)
        await stand.keeper.round()

        assert stand.one.source == "authority"
        assert stand.one.error == ""
        assert stand.one.failures == 0


async def test_authority_away_for_a_day(tmp_path, pebble):
    """The old certificate is shown all day, the authority is tried a dozen times and not a thousand, and when it comes
    back, with no memory of our account, there is a new one.
    """
    async with Stand(tmp_path, pebble) as stand:
        await stand.keeper.round()
        old = await stand.shown()
        await pebble.stop()
        stand.clock.jump(stand.one.pair.life * 0.7)
        for _ in range(24 * 60 // 5):
            await stand.keeper.round()
            stand.clock.jump(300)
        assert 5 < stand.keeper.failed_orders < 15
        assert "cannot be reached" in stand.one.error
        assert await stand.shown() == old

        await pebble.start()
        stand.clock.jump(2 * DAY)
        await stand.keeper.round()

        assert stand.one.error == ""
        assert await stand.shown() != old


async def test_bad_nonces(tmp_path, monkeypatch):
    """An authority that refuses every second nonce gives a certificate all the same."""
    async with Pebble(tmp_path / "authority", environ={"PEBBLE_WFE_NONCEREJECT": "50"}) as pebble:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pebble.root))
        async with Stand(tmp_path, pebble) as stand:
            for _ in range(3):
                await stand.keeper.round()
                if stand.one.source == "authority":
                    break
                stand.clock.jump(DAY)
            assert stand.one.source == "authority", stand.one.error


async def test_rate_limited(tmp_path, pebble):
    """`Retry-After` is honoured to the second, across a restart too."""
    async with Front(pebble) as front, Stand(tmp_path, pebble, authorities=[Authority(front.directory)]) as stand:
        front.refuse_orders = (429, "7200")
        await stand.keeper.round()
        assert "too many certificates" in stand.one.error
        assert stand.one.next_at - stand.clock.now() == pytest.approx(7200, abs=30)
        stand.again()
        stand.clock.jump(7000)
        await stand.keeper.round()
        assert front.asked == ["order"]

        front.refuse_orders = None
        stand.clock.jump(300)
        await stand.keeper.round()

        assert stand.one.source == "authority", stand.one.error


async def test_restart_tries_soon_again(tmp_path, pebble):
    """Who mends the record and restarts does not wait out the hours that failed tries have added up to, and a daemon that
    is restarted every second does not ask every second.
    """
    async with Stand(tmp_path, pebble) as stand:
        await pebble.names("set-default-ipv4", ip="127.0.0.9")
        for _ in range(5):
            stand.clock.jump(DAY)
            await stand.keeper.round()
        assert stand.one.next_at - stand.clock.now() > 900
        await pebble.names("set-default-ipv4", ip="127.0.0.1")
        stand.again()
        await stand.keeper.round()
        assert stand.keeper.orders == 0

        stand.clock.jump(61)
        await stand.keeper.round()

        assert stand.one.source == "authority", stand.one.error


async def test_account_closed_by_the_authority(tmp_path, pebble):
    """A deactivated account is replaced by a fresh one with another key, once."""
    from acme import client, messages
    from cryptography.hazmat.primitives import serialization
    from josepy.jwa import ES256
    from josepy.jwk import JWKEC

    async with Stand(tmp_path, pebble) as stand:
        await stand.keeper.round()
        (name,) = [p.name for p in (tmp_path / "state/tls").glob("account-*")]
        before = json.loads(stand.storage.read(name))

        def deactivate():
            key = JWKEC(key=serialization.load_pem_private_key(before["key"].encode(), None))
            net = client.ClientNetwork(key, alg=ES256, verify_ssl=str(pebble.root))
            acme = client.ClientV2(client.ClientV2.get_directory(pebble.directory, net), net)
            account = messages.RegistrationResource(uri=before["uri"], body=messages.Registration())
            net.account = account
            for _ in range(10):
                try:
                    net.post(
                        account.uri,
                        messages.Registration.from_json({"status": "deactivated"}),
                        new_nonce_url=acme.directory["newNonce"],
                    )
                    return
                except messages.Error as error:
                    if error.code != "badNonce":
                        raise

        await asyncio.to_thread(deactivate)
        old = stand.one.pair
        stand.clock.jump(old.life * 0.7)
        await stand.keeper.round()

        assert stand.one.pair.chain != old.chain, stand.one.error
        after = json.loads(stand.storage.read(name))
        assert after["key"] != before["key"]
        assert after["uri"] != before["uri"]


async def test_full_disk_before_the_order(tmp_path, pebble):
    """When the key of a new certificate cannot be kept, the authority is not asked for one; the old one is shown on."""
    disk = FakeDisk()
    async with Stand(tmp_path, pebble, storage=Storage(disk)) as stand:
        await stand.keeper.round()
        old = await stand.shown()
        before = orders(pebble)
        disk.errors["write"] = errno.ENOSPC
        stand.clock.jump(stand.one.pair.life * 0.7)
        await stand.keeper.round()
        assert "the disk is full" in stand.one.error
        assert await stand.shown() == old
        assert orders(pebble) == before

        disk.mend()
        stand.clock.jump(DAY)
        await stand.keeper.round()

        assert await stand.shown() != old
        assert keypair.stored(disk.read(f"{DOMAIN}.pem")).chain == stand.one.pair.chain


async def test_disk_full_after_the_order(tmp_path, pebble):
    """A certificate that came and cannot be kept is shown from memory and kept when there is room."""
    disk = FakeDisk()
    async with Stand(tmp_path, pebble, storage=Storage(disk)) as stand:
        made = stand.keeper._contexts.put

        def full(*args):
            made(*args)
            disk.errors["write"] = errno.ENOSPC

        stand.keeper._contexts.put = full
        await stand.keeper.round()
        stand.keeper._contexts.put = made
        assert stand.one.source == "authority"
        assert "cannot be kept" in stand.one.error
        assert f"{DOMAIN}.pem" not in disk.files()

        disk.mend()
        await stand.keeper.round()

        assert stand.one.error == ""
        assert keypair.stored(disk.read(f"{DOMAIN}.pem")).chain == stand.one.pair.chain
        assert stand.keeper.orders == 1


async def test_power_cut_at_every_step_of_the_disk(tmp_path, pebble):
    """Wherever the power goes while a certificate is kept, the next start finds the old pair or the new one, whole."""
    from random import Random

    old = keypair.self_signed([DOMAIN], 1_800_000_000)
    new = keypair.self_signed([DOMAIN], 1_800_000_000)
    for fuse in range(0, len(new.pem) + 20, 37):
        disk = FakeDisk()
        Storage(disk).write("a.pem", old.pem)
        disk.fuse = disk.steps + fuse
        with contextlib.suppress(PowerCut):
            Storage(disk).write("a.pem", new.pem)
        found = disk.after_crash(Random(fuse)).read("a.pem")
        assert keypair.stored(found).pem in {old.pem, new.pem}


async def test_next_authority(tmp_path, pebble):
    """The first authority is not there: the second one gives the certificate, in the same minute."""
    gone = Authority("https://127.0.0.1:1/directory")
    async with Stand(tmp_path, pebble, authorities=[gone, Authority(pebble.directory)]) as stand:
        await stand.keeper.round()

        assert stand.one.source == "authority", stand.one.error
        assert stand.one.pair.authority == pebble.directory


async def test_external_account_binding(tmp_path, monkeypatch):
    """An authority that wants an account of its web site is shown it; without one the sentence says what to set."""
    async with Pebble(tmp_path / "authority", eab=True) as pebble:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pebble.root))
        async with Stand(tmp_path / "without", pebble) as stand:
            await stand.keeper.round()
            assert "set eab_kid and eab_hmac" in stand.one.error
        (kid, hmac) = next(iter(EAB.items()))
        bound = Authority(pebble.directory, eab_kid=kid, eab_hmac=hmac)
        async with Stand(tmp_path / "with", pebble, authorities=[bound]) as stand:
            await stand.keeper.round()
            assert stand.one.source == "authority", stand.one.error


async def test_advice_of_the_authority(tmp_path, pebble):
    """An authority that wants a certificate replaced early, as it will be revoked, is followed."""

    def stamp(at):
        return datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat().replace("+00:00", "Z")

    async with Front(pebble) as front, Stand(tmp_path, pebble, authorities=[Authority(front.directory)]) as stand:
        now = stand.clock.now()
        front.window = (stamp(now + DAY), stamp(now + DAY + 60))
        await stand.keeper.round()
        first = stand.one.pair
        await stand.keeper.round()
        assert len(front.asked) == 1
        assert now + DAY <= stand.one.renew_at <= now + DAY + 60
        await stand.keeper.round()
        assert len(front.asked) == 1, "it said when to ask again"

        stand.clock.jump(DAY + 120)
        await stand.keeper.round()

        assert stand.one.pair.chain != first.chain


async def test_order_goes_on_after_a_restart(tmp_path, pebble):
    """A daemon that is stopped in the middle of an order goes on with it: the authority counts one order, not two."""
    async with Stand(tmp_path, pebble) as stand:
        await pebble.names("set-servfail", host=DOMAIN)
        working = asyncio.create_task(stand.keeper.round())
        while not stand.storage.read(f"order-{DOMAIN}.json") or not json.loads(
            stand.storage.read(f"order-{DOMAIN}.json")
        ).get("uri"):
            await asyncio.sleep(0.001)
        stand.keeper.close()
        await working
        # It may have been too quick for us, and the authority refused already; then the order is over and a new one right.
        pending = stand.one.error == ""
        before = orders(pebble)
        await pebble.names("clear-servfail", host=DOMAIN)
        stand.again()
        stand.clock.jump(61)
        await stand.keeper.round()

        assert stand.one.source == "authority" or not pending, stand.one.error
        assert orders(pebble) <= before + 1
        assert not stand.storage.read(f"order-{DOMAIN}.json") or not pending


async def test_two_domains(tmp_path, pebble):
    """Each domain has its own certificate, chosen by the name that the client asks for; one that fails takes no other with
    it, and a name that is not ours gets the first.
    """
    domains = ("status.example.org", "status.example.com")
    async with Stand(tmp_path, pebble, domains=domains) as stand:
        await pebble.names("set-servfail", host="status.example.com")
        await stand.keeper.round()
        assert [c.source for c in stand.keeper.certificates.values()] == ["authority", "self-signed"]
        await pebble.names("clear-servfail", host="status.example.com")
        stand.clock.jump(DAY)
        await stand.keeper.round()

        trust = await pebble.issuer()
        for name in domains:
            _, writer = await stand.connect(trust, name)
            writer.close()
        assert await stand.shown("www.example.net") == await stand.shown(domains[0])
        with pytest.raises(ssl.SSLError):
            await stand.shown("status.example.org", ("acme-tls/1",))


async def test_own_files_are_followed(tmp_path, pebble):
    """The operator's files are shown, replaced when they change, and kept as they were while they do not fit."""
    from crisp_status.tls.keeper import CertificatePlan
    from crisp_status.tls.own_files import OwnFiles

    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"

    def put(pair):
        chain.write_bytes(pair.chain)
        key.write_bytes(pair.pem[: pair.pem.index(b"-----BEGIN CERT")])

    async with Stand(tmp_path, pebble) as stand:
        first, second = (keypair.self_signed([DOMAIN], stand.clock.now()) for _ in range(2))
        put(first)
        stand.keeper.open(CertificatePlan((DOMAIN,), files=OwnFiles(chain, key)))
        assert stand.one.source == "files"
        one = await stand.shown()

        chain.write_bytes(second.chain)
        await stand.keeper.round()
        assert await stand.shown() == one
        assert stand.one.error == "", "it may be half way through"
        await stand.keeper.round()
        assert f"{key}: the key does not fit the certificate" in stand.one.error
        assert await stand.shown() == one

        put(second)
        await stand.keeper.round()
        assert await stand.shown() != one
        assert stand.one.error == ""

        os.unlink(key)
        await stand.keeper.round()
        await stand.keeper.round()
        assert f"{key} cannot be read" in stand.one.error
        assert stand.one.source == "files"


async def test_operators_are_told_of_the_end(tmp_path, pebble):
    """At a sixth and at a twentieth of the life, once each; a certificate that is renewed in time is no news."""
    told = []

    async def warn(one, level):
        told.append((one.domain, level))

    async with Stand(tmp_path, pebble, warn=warn) as stand:
        await stand.keeper.round()
        await pebble.stop()
        life = stand.one.pair.life
        for part in (0.7, 0.1, 0.04, 0.04, 0.08, 0.1):
            stand.clock.jump(life * part)
            await stand.keeper.round()
            await stand.keeper.round()
        assert told == [(DOMAIN, "soon"), (DOMAIN, "urgent")]
        assert not stand.keeper.secure, "it has ended: nobody is sent to HTTPS any more"


NONSENSE = [
    "[]",
    '"x"',
    "{}",
    '{"newNonce": 5, "newAccount": [], "meta": 7}',
    "<html>",
    "",
    '{"meta": {"website": {}}}',
    "null",
]


@pytest.mark.parametrize("answer", NONSENSE)
async def test_what_answers_is_no_authority(tmp_path, pebble, answer):
    """Whatever stands at the address of an authority, it is a failed try with a reason, repeated later and not at once."""

    async def nonsense(request):
        return web.Response(text=answer, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nonsense)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    authority = Authority(f"http://127.0.0.1:{runner.addresses[0][1]}/dir")
    async with Stand(tmp_path, pebble, authorities=[authority]) as stand:
        await stand.keeper.round()
        await stand.keeper.round()
        assert stand.one.error
        assert "error of ours" not in stand.one.error
        assert stand.keeper.orders == 1
        assert stand.one.next_at > stand.clock.now() + 30
        assert await stand.shown()
    await runner.cleanup()

"""A stranger's name is resolved once, must be public in every address, and the connection goes to what was found then."""

import socket

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from crisp_status.net import public_address
from tests.receivers import HttpReceiver, Reply


class FakeResolver(AbstractResolver):
    """Mirrors aiohttp's resolver; answers with these addresses, one list after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            {"hostname": host, "host": ip, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for ip in found
        ]

    async def close(self):
        pass


def reachable(ip):
    """127.0.0.1 stands for a public address, 127.0.0.2 for one inside."""
    return ip == "127.0.0.1"


async def ask(resolver, port):
    connector = public_address.connector(reachable, resolver)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"http://stranger.example:{port}/") as answer,
    ):
        return answer.status


async def test_a_name_with_one_private_address_is_refused():
    """Also when the public one stands first."""
    async with HttpReceiver(Reply(200)) as receiver:
        with pytest.raises(aiohttp.ClientError):
            await ask(FakeResolver(["127.0.0.1", "127.0.0.2"]), receiver.port)

        assert receiver.requests == []


async def test_a_name_that_changes_between_look_and_connection_gains_nothing():
    """Rebinding: public at the first answer, private at every later one; it is asked once, and that address is used."""
    resolver = FakeResolver(["127.0.0.1"], ["127.0.0.2"])
    async with HttpReceiver(Reply(200)) as receiver:
        assert await ask(resolver, receiver.port) == 200
        assert resolver.asked == 1
        with pytest.raises(aiohttp.ClientError):
            await ask(resolver, receiver.port)

        assert len(receiver.requests) == 1


@pytest.mark.parametrize("url", ["https://127.1/", "https://0x7f000001/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/", "https://169.254.169.254/latest", "https://localhost/"])  # fmt: skip
def test_private_addresses_in_any_spelling_are_no_web_hook(url):
    """Literals, mapped and NAT64 forms, the metadata service of clouds."""
    from crisp_status.loops.subscriber_posts import checked_url

    with pytest.raises(ValueError, match=r"public|web address"):
        checked_url(url, public_address.is_public)

"""Signing in over HTTP: digest against a real lighttpd, OAuth2 and cookies against scripted servers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError

from crisp_status.clock import SystemClock
from crisp_status.look.once import Policy
from crisp_status.look.policy import look
from crisp_status.probes import http as httpkind
from crisp_status.probes._web_sign_in import digest
from crisp_status.probes.http import Options
from tests.probes.databases import free_port, needed, running
from tests.probes.servers import answering, http, looked, talking


@contextlib.asynccontextmanager
async def lighttpd(algorithm: str) -> AsyncIterator[int]:
    """A page behind a digest."""
    needed("lighttpd")
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "index.html").write_text("in")
        (folder / "users").write_text("jane:secret\n")
        file = folder / "conf"
        file.write_text(
            f'server.document-root = "{name}"\nserver.port = {port}\nserver.bind = "127.0.0.1"\n'
            'server.modules = ("mod_auth", "mod_authn_file")\nindex-file.names = ("index.html")\n'
            f'auth.backend = "plain"\nauth.backend.plain.userfile = "{name}/users"\n'
            f'auth.require = ("/" => ("method" => "digest", "realm" => "shop", "algorithm" => "{algorithm}", "require" => "valid-user"))\n'
        )
        async with running("lighttpd", "-D", "-f", str(file), port=port) as found:
            yield found


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_digest_is_answered(algorithm: str) -> None:
    """As its challenge wants it, by HEAD and by GET; a wrong password is dead with 401, and so is basic."""
    async with lighttpd(algorithm) as port:
        right = f"http://jane:secret@127.0.0.1:{port}/"
        head = await looked(right, auth="digest")
        body = await looked(right, auth="digest", healthy_match="in")
        wrong = await looked(right.replace("secret", "wrong"), auth="digest")
        plain = await looked(right)

    assert (head.outcome, body.outcome) == ("healthy", "healthy"), (head.lines(), body.lines())
    assert [seen.reason.value for seen in (wrong, plain)] == ["401", "401"]


def test_the_example_of_the_standard() -> None:
    """RFC 7616, section 3.9.1."""
    realm = 'Digest realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    ours = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    for algorithm, response in (
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ):
        found = digest(f"{realm}, algorithm={algorithm}", "Mufasa", "Circle of Life", "GET", "/dir/index.html", ours)
        assert f'response="{response}"' in found


@pytest.mark.parametrize(
    "challenge",
    ["", 'Basic realm="x"', "Digest", 'Digest nonce="a", algorithm=MD6', 'Digest nonce="a", qop="auth-int"'],
)
def test_a_challenge_that_cannot_be_answered_is_not(challenge: str) -> None:
    """Then the 401 is judged as it stands."""
    assert digest(challenge, "jane", "secret", "GET", "/") == ""


class Tokens:
    """A token server and a service behind it."""

    def __init__(self, *, by_form: bool = False, life: object = 3600) -> None:
        self.by_form = by_form
        self.life = life
        self.given = 0
        self.forms: list[dict[str, list[str]]] = []
        self.valid = True

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        if head.startswith("POST /token"):
            length = int(head.lower().partition("content-length: ")[2].partition("\r")[0])
            form = parse_qs((await reader.readexactly(length)).decode())
            self.forms.append(form)
            basic = base64.b64encode(b"us:se%2Fcret").decode()
            right = form.get("client_secret") == ["se/cret"] if self.by_form else f"Basic {basic}" in head
            if right:
                self.given += 1
                writer.write(http("200 OK", f'{{"access_token": "t{self.given}", "expires_in": {self.life}}}'.encode()))
            else:
                writer.write(http("401 Unauthorized", b'{"error": "invalid_client"}'))
        else:
            right = self.valid and f"Authorization: Bearer t{self.given}\r" in head
            writer.write(http("200 OK" if right else "401 Unauthorized"))


@pytest.mark.parametrize("by_form", [False, True])
async def test_a_token_is_fetched_once_and_used_until_it_ends(by_form: bool) -> None:
    """By header or in the form; again when it has ended, and when the service does not take it any more."""
    tokens = Tokens(by_form=by_form)
    async with talking(tokens.talk) as server:
        given = {"token_url": server.url("/token"), "client_id": "us", "client_secret": "se/cret", "scope": "a b"}
        options = Options.model_validate({"oauth2": given})

        async def one() -> str:
            return (await look(httpkind, server.url(), options, Policy(retry=0), SystemClock())).outcome

        assert [await one(), await one()] == ["healthy", "healthy"]
        assert tokens.given == 1
        options.token.text = "revoked"
        assert await one() == "healthy"
        options.token.ends_at = 0.0
        assert await one() == "healthy"
        assert tokens.given == 3
        tokens.valid = False
        assert await one() == "dead"

    assert tokens.forms[0]["grant_type"] == ["client_credentials"]
    assert tokens.forms[0]["scope"] == ["a b"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http("401 Unauthorized", b'{"error": "invalid_client"}'), 'it answers 401 {"error": "invalid_client"}'),
        (http("200 OK", b"<html>"), "it answers 200 <html>"),
        (http("200 OK", b'{"access_token": "a\\nb"}'), "cannot be sent"),
    ],
)
async def test_without_a_token_it_is_dead(answer: bytes, words: str) -> None:
    """And the reason says what the token server said."""
    async with talking(answering({"POST /token": answer})) as server:
        given = {"token_url": server.url("/token"), "client_id": "us", "client_secret": "secret"}
        seen = await looked(server.url(), oauth2=given)

    assert seen.outcome == "dead"
    assert words in seen.reason.text


async def test_a_cookie_wall_lets_us_through() -> None:
    """A site that sets cookies and sends us round gets them back; another host does not."""
    heads: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        heads.append(head)
        if head.startswith("HEAD / ") and "Cookie: a=1; b=2\r" not in head:
            writer.write(http("302 Found", b"", "Location: /", "Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; HttpOnly"))
        elif head.startswith("HEAD / "):
            writer.write(
                http("302 Found", b"", f"Location: http://localhost:{server.port}/else", "Set-Cookie: a=; Max-Age=0")
            )
        else:
            writer.write(http())

    async with talking(talk) as server:
        seen = await looked(server.url(), follow_redirects=True)

    assert seen.outcome == "healthy", seen.lines()
    assert "Cookie:" not in heads[0]
    assert "Cookie:" not in heads[-1]
    assert len(heads) == 3


@pytest.mark.parametrize(
    "options",
    [
        {"oauth2": {"token_url": "ftp://a", "client_id": "a", "client_secret": "b"}},
        {"oauth2": {"token_url": "https://a/", "client_id": "a"}},
        {"oauth2": {"token_url": "https://a/", "client_id": "a", "client_secret": "b"}, "auth": "digest"},
        {
            "oauth2": {"token_url": "https://a/", "client_id": "a", "client_secret": "b"},
            "headers": {"authorization": "x"},
        },
    ],
)
def test_what_cannot_be_together(options: dict[str, object]) -> None:
    """Said at the start."""
    with pytest.raises(ValidationError):
        Options.model_validate(options)

"""Mail against real SMTP servers: STARTTLS, implicit TLS, sign-in, refusals, silence."""

import asyncio
import socket
import ssl
from email.utils import parsedate_to_datetime
from hashlib import sha256

import pytest
from pydantic import ValidationError

from crisp_status.channels import ChannelError, Http
from crisp_status.channels._smtp import hello_name
from crisp_status.channels.email import Options, compose, send
from tests.channels.notice import DOWN, NOON, UP, notice
from tests.fakes import FakeClock
from tests.receivers import SmtpReceiver, certificate


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON + 60), timeout=2) as made:
        yield made


def options(server=None, **more):
    keys = {
        "type": "email",
        "to": ["ops@acme.example"],
        "from": "status@acme.example",
        "smtp_host": "localhost",
        "smtp_port": server.port if server else None,
        "smtp_security": server.security if server else "none",
        "smtp_ca_file": str(certificate()[0]),
    }
    return Options.model_validate(keys | more)


async def failure(said, chosen, http):
    with pytest.raises(ChannelError) as caught:
        await send(said, chosen, http)
    return caught.value


@pytest.mark.parametrize("security", ["starttls", "tls", "none"])
async def test_a_mail_arrives(http, security):
    """Over each kind of security one mail comes with text, HTML and the headers that machines look for."""
    async with SmtpReceiver(security) as server:
        assert await send(DOWN, options(server), http) == "2.0.0 taken"
        [mail] = server.mails

    message = mail.message
    assert mail.over_tls is (security != "none")
    assert (mail.sender, mail.recipients) == ("status@acme.example", ["ops@acme.example"])
    assert message["Subject"] == DOWN.title
    assert message["From"] == "Acme Status <status@acme.example>"
    assert message["To"] == "ops@acme.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(message["Date"]).timestamp() == NOON + 60
    assert message.get_body(("plain",)).get_content().replace("\r\n", "\n") == DOWN.text
    assert message.get_body(("html",)).get_content().strip() == DOWN.html
    assert mail.raw.isascii()
    assert max(map(len, mail.raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_signing_in(http, security):
    """User name and password are used, over TLS."""
    async with SmtpReceiver(security, users={"jane": "s3cret"}) as server:
        await send(DOWN, options(server, smtp_username="jane", smtp_password="s3cret"), http)

        assert len(server.mails) == 1


async def test_a_wrong_password_is_told_without_it(http):
    """A sign-in that is refused is a no for good, and the words do not show the password."""
    async with SmtpReceiver("starttls", users={"jane": "s3cret"}) as server:
        error = await failure(DOWN, options(server, smtp_username="jane", smtp_password="wrong!"), http)

    assert error.permanent
    assert error.text.startswith(f"localhost:{server.port} refused the sign-in: 535")
    assert "wrong!" not in error.text


async def test_the_notices_of_an_incident_make_a_thread(http):
    """Every notice has an id of its own, the same at each attempt; all of an incident refer to one root."""
    first, again, up = (compose(n, options(), NOON) for n in (DOWN, notice(attempt=2), UP))

    assert first["Message-ID"] == again["Message-ID"] != up["Message-ID"]
    assert first["Message-ID"].endswith("@acme.example>")
    assert first["References"] == first["In-Reply-To"] == up["References"] != first["Message-ID"]
    assert compose(notice(thread=""), options(), NOON)["References"] is None


async def test_those_who_were_accepted_are_done(http):
    """One recipient refused for now: the others have the mail, and only that one is tried again."""
    people = ["a@acme.example", "B <b@acme.example>", "c@acme.example"]
    refuse = {"b@acme.example": "451 4.7.1 greylisted, come back later"}
    async with SmtpReceiver("none", refuse=refuse) as server:
        error = await failure(DOWN, options(server, to=people), http)
        assert not error.permanent
        assert error.done == ("a@acme.example", "c@acme.example")
        assert "b@acme.example: 451 4.7.1 greylisted, come back later" in error.text

        server.refuse.clear()
        await send(notice(done=error.done), options(server, to=people), http)

    assert [mail.recipients for mail in server.mails] == [["a@acme.example", "c@acme.example"], ["b@acme.example"]]
    assert {mail.message["To"] for mail in server.mails} == {"a@acme.example, B <b@acme.example>, c@acme.example"}


@pytest.mark.parametrize(
    ("refuse", "permanent", "done"),
    [
        ({"a@acme.example": "550 5.1.1 no such user"}, True, ("b@acme.example",)),
        ({"a@acme.example": "550 no", "b@acme.example": "550 no"}, True, ()),
        ({"a@acme.example": "550 no", "b@acme.example": "450 later"}, False, ()),
        ({"a@acme.example": "450 later", "b@acme.example": "450 later"}, False, ()),
    ],
)
async def test_refused_for_good_or_for_now(http, refuse, permanent, done):
    """5xx is for good, 4xx for now; it is over only when nobody is left who may take it later."""
    async with SmtpReceiver("none", refuse=refuse) as server:
        error = await failure(DOWN, options(server, to=["a@acme.example", "b@acme.example"]), http)

    assert (error.permanent, error.done) == (permanent, done)


@pytest.mark.parametrize(("reply", "permanent"), [("554 5.6.0 spam", True), ("452 4.3.1 disk full", False)])
async def test_a_mail_that_is_refused_as_a_whole(http, reply, permanent):
    """The reply to the mail itself decides in the same way, and is quoted."""
    async with SmtpReceiver("none", data=reply) as server:
        error = await failure(DOWN, options(server), http)

    assert error.permanent is permanent
    assert reply in error.text


async def test_a_server_that_hangs(http):
    """Silence ends at the limit and passes."""
    async with SmtpReceiver("none", hang=True) as server, Http(FakeClock(), timeout=0.3) as hasty:
        error = await failure(DOWN, options(server), hasty)

    assert error.text == f"no answer from localhost:{server.port} within 0.3 s"
    assert not error.permanent


async def test_nobody_listens(http):
    """A server that is away is told by what the system says, and passes."""
    async with SmtpReceiver("none") as server:
        gone = server
    error = await failure(DOWN, options(gone), http)

    assert error.text.startswith(f"cannot connect to localhost:{gone.port}")
    assert not error.permanent


async def test_tls_is_not_optional(http):
    """A server without STARTTLS, or with a certificate that nobody signed, does not get the mail."""
    async with SmtpReceiver("none") as plain, SmtpReceiver("starttls") as strange:
        bare = await failure(DOWN, options(plain, smtp_security="starttls"), http)
        unknown = await failure(DOWN, options(strange, smtp_ca_file=None), http)

    assert "does not offer STARTTLS" in bare.text
    assert "the certificate of" in unknown.text
    assert "self-signed" in unknown.text
    assert not bare.permanent
    assert not unknown.permanent
    assert plain.mails == strange.mails == []


async def test_no_header_can_be_forged(http):
    """Line breaks in anything that comes from outside never start a header."""
    evil = "x\r\nBcc: all@acme.example\r\n\r\nbody\x00\u2028"
    async with SmtpReceiver("none") as server:
        await send(notice(title=evil, page_name=evil, id=evil, thread=evil, text=evil), options(server), http)
        [mail] = server.mails

    assert mail.message["Bcc"] is None
    assert mail.recipients == ["ops@acme.example"]
    assert mail.message["Subject"] == "x Bcc: all@acme.example body"
    assert "\n" not in str(mail.message["From"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ops",
        "a@b@c",
        "a b@acme.example",
        "a@acme.example, b@acme.example",
        "a@acme.example\nBcc: x@y",
        "<>",
        "é@a.b",
    ],
)
def test_an_address_that_is_none(address):
    """What is not one mail address is refused when the configuration is read."""
    with pytest.raises(ValidationError, match="expected a mail address"):
        options(to=[address])


def test_international_domains_are_written_for_every_server():
    """A domain in letters of any script goes out in its ASCII form."""
    assert compose(DOWN, options(to=["Zoë <ops@bücher.example>"]), NOON)["To"] == "Zoë <ops@xn--bcher-kva.example>"


def test_ports_follow_security():
    """587, 465 and 25, unless another is given; a user name without password is a mistake."""
    ports = {s: options(smtp_security=s).port for s in ("starttls", "tls", "none")}

    assert ports == {"starttls": 587, "tls": 465, "none": 25}
    with pytest.raises(ValidationError, match="go together"):
        options(smtp_username="jane")


async def test_a_server_that_thinks_long_about_the_mail(http):
    """Its answer to the whole mail may take ten minutes: whoever gives up before is sent the mail again and again."""
    async with SmtpReceiver("none", slow=0.9) as server, Http(FakeClock(), timeout=0.3) as hasty:
        assert await send(DOWN, options(server), hasty) == "2.0.0 taken"

    assert len(server.mails) == 1


async def test_a_failed_mail_leaves_no_descriptor_that_is_still_watched(http):
    """A server that says nothing behind its TLS: whoever connects next gets a number that the loop knows nothing of."""
    async with SmtpReceiver("tls", hang=True) as server, Http(FakeClock(), timeout=0.3) as hasty:
        await failure(DOWN, options(server), hasty)
        with socket.socket() as fresh:  # takes the lowest free number: that of the mail, where its socket is closed
            fresh.setblocking(False)
            await asyncio.get_running_loop().sock_connect(fresh, ("127.0.0.1", server.port))


@pytest.mark.parametrize(
    ("machine", "page", "address", "name"),
    [
        ("host.acme.example", "https://status.acme.example/", "10.0.0.1", "host.acme.example"),
        ("vps1", "https://status.acme.example/incidents/3", "10.0.0.1", "status.acme.example"),
        ("localhost", "http://localhost:8080/", "127.0.0.1", "[127.0.0.1]"),
        ("vps1", "http://192.0.2.7/", "192.0.2.7", "[192.0.2.7]"),
        ("vps1", "http://[2001:db8::1]/", "2001:db8::1", "[IPv6:2001:db8::1]"),
        ("10.0.0.1", "", "10.0.0.1", "[10.0.0.1]"),
        ("a b.c", "https://page.example/", "10.0.0.1", "page.example"),
    ],
)
def test_how_a_mail_client_introduces_itself(machine, page, address, name):
    """Never by a bare host name, which many servers refuse."""
    assert hello_name(machine, page, address) == name


async def test_the_server_hears_the_name(http):
    """A name of the configuration goes before ours."""
    async with SmtpReceiver("none") as server:
        await send(DOWN, options(server, smtp_hello="mail.acme.example"), http)
        await send(DOWN, options(server), http)

    assert server.hellos[0] == "mail.acme.example"
    assert "." in server.hellos[1]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_of_another_name(http, security):
    """A server that is reached by its address is trusted by the name in its certificate, when that is given."""
    async with SmtpReceiver(security) as server:
        stranger = await failure(DOWN, options(server, smtp_host="127.0.0.1", smtp_tls_name="mail.example"), http)
        await send(DOWN, options(server, smtp_host="127.0.0.1", smtp_tls_name="localhost"), http)

    assert "the certificate of" in stranger.text
    assert len(server.mails) == 1


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_is_known_by_its_fingerprint(http, security):
    """It is taken whoever signed it and whatever name it has; no other is, and no password is sent to it."""
    pem = certificate()[0].read_text()
    print_ = sha256(ssl.PEM_cert_to_DER_cert(pem[: pem.index("-----END CERTIFICATE-----") + 26])).hexdigest()
    mine = {"smtp_ca_file": None, "smtp_host": "127.0.0.1"}
    async with SmtpReceiver(security) as server:
        await send(DOWN, options(server, **mine, smtp_fingerprint=print_.upper()), http)
        other = await failure(DOWN, options(server, **mine, smtp_fingerprint="ab:" * 31 + "ab"), http)

    assert len(server.mails) == 1
    assert f"is another one: its fingerprint is {print_}" in other.text
    with pytest.raises(ValidationError, match="64 hexadecimal digits"):
        options(smtp_fingerprint="abc")

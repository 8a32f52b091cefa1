"""Web Push: decrypted and verified by libraries that are not ours, on a server that answers as push services do."""

import http_ece
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from crisp_status.channels import ChannelError, Http
from crisp_status.channels._webpush import PAYLOAD_MAX, PushKeys, contact, decode, encode, encrypt, keys_from, new_pem
from crisp_status.channels.push import Options, check_endpoint, payload, send, targets
from crisp_status.core import outbox
from crisp_status.core.model import Health, State, Subscription
from crisp_status.core.policy import NotifierPlan
from tests.channels.notice import DOWN, NOON, UP, notice
from tests.fakes import FakeClock
from tests.receivers import PushReceiver, Reply, loopback

KEYS = PushKeys(ec.generate_private_key(ec.SECP256R1()), "https://status.acme.example/")
OPTIONS = Options.model_validate({"type": "push", "operators": ["jane"]})


@pytest.fixture
async def http():
    async with Http(FakeClock(NOON), timeout=1, reachable=loopback) as made:
        made.push_keys = KEYS
        yield made


def to(subscription, told=DOWN):
    """That notice, for the device of a subscription."""
    state = State(subscriptions={subscription.id: subscription})
    return msgspec.structs.replace(told, target=targets(state)[subscription.id])


async def test_a_private_address_is_not_asked(http):
    """A subscription came over HTTP: it may not make this machine send to its own network, and nothing is quoted."""
    async with PushReceiver(Reply(500, b"the secret of an inner service")) as service, Http(FakeClock(NOON)) as strict:
        inner = to(service.subscription())
        strict.push_keys = KEYS
        with pytest.raises(ChannelError, match="is not a public address"):
            await send(inner, OPTIONS, strict)
        assert service.messages == []
        with pytest.raises(ChannelError) as caught:
            await send(inner, OPTIONS, http)

    assert caught.value.text.endswith("answered 500")


async def test_a_device_gets_it_and_nobody_else_can_read_it(http):
    """The payload says what is down; the headers say how urgent it is and which message it replaces."""
    async with PushReceiver() as service:
        said = await send(to(service.subscription()), OPTIONS, http)
        await send(to(service.subscription(), UP), OPTIONS, http)

    [down, up], [request, later] = service.messages, service.requests
    assert said == f"http://127.0.0.1:{service.port} answered 201"
    assert b"Checkout" not in request.body
    assert down["title"] == "Checkout is partly down"
    assert down["body"] == "No answer since 12:00 UTC, 2 of 3 replicas.\nEverything else is working."
    assert down["url"] == "https://status.acme.example/incidents/7"
    assert [link["label"] for link in down["links"]] == ["Acknowledge", "Silence reminders"]
    assert down["tag"] == up["tag"]
    assert down["claims"]["sub"] == "https://status.acme.example/"
    assert 0 < down["claims"]["exp"] - NOON <= 86400
    assert (request.headers["ttl"], request.headers["urgency"]) == ("86400", "high")
    assert request.headers["content-encoding"] == "aes128gcm"
    assert later.headers["urgency"] == "normal"
    assert request.headers["topic"] == later.headers["topic"]
    assert len(request.headers["topic"]) <= 32


@pytest.mark.parametrize(
    ("status", "permanent", "gone"),
    [
        (404, True, True),
        (410, True, True),
        (400, True, False),
        (401, True, False),
        (403, True, False),
        (413, True, False),
        (429, False, False),
        (500, False, False),
        (503, False, False),
    ],
)
async def test_what_the_service_may_say(http, status, permanent, gone):
    """404 and 410 mean that the device is gone; the rest is classified as everywhere."""
    async with PushReceiver(Reply(status, b"because", {"Retry-After": "5"})) as service:
        with pytest.raises(ChannelError) as caught:
            await send(to(service.subscription()), OPTIONS, http)

    assert (caught.value.permanent, caught.value.gone) == (permanent, gone)
    assert "/push/abc" not in caught.value.text
    assert caught.value.retry_after == (0.0 if gone else 5.0)


async def test_a_device_that_is_no_longer_there(http):
    """Without subscription there is nobody to tell; a broken one is forgotten."""
    broken = Subscription("d", "jane", "https://push.example/x", "AAAA", "AAAA", 0.0)
    for told in (DOWN, to(broken)):
        with pytest.raises(ChannelError) as caught:
            await send(told, OPTIONS, http)

        assert caught.value.permanent
        assert caught.value.gone


def test_a_message_names_one_of_its_targets():
    """Whom the core owes a message is whom the channel can address, and both know the device by one name."""
    phones = NotifierPlan("phones", "push", operators=("jane",))
    state = State(subscriptions={who: Subscription(who, who, "", "", "", 0.0) for who in ("jane", "joe")})

    assert outbox.targets(state, phones) == ["jane"]
    assert set(targets(state)) == {"jane", "joe"}


@given(
    words=st.text(max_size=6000), line=st.text(max_size=3000), url=st.text(max_size=5000), label=st.text(max_size=300)
)
@settings(max_examples=60, deadline=None)
def test_every_payload_fits(words, line, url, label):
    """Whatever the words are, the payload is within the limit of RFC 8291 and is JSON."""
    links = (type(DOWN.links[0])(label, url),) * 2

    assert len(payload(notice(headline=words, lines=(line,) * 3, url=url, links=links))) <= PAYLOAD_MAX


@given(plain=st.binary(max_size=PAYLOAD_MAX))
@settings(max_examples=40, deadline=None)
def test_another_library_decrypts_it(plain):
    """http_ece reads what we encrypt, of every length up to the limit."""
    device = ec.generate_private_key(ec.SECP256R1())
    point = PushKeys(device).public
    body = encrypt(plain, point, encode(b"0123456789abcdef"))

    assert http_ece.decrypt(body, private_key=device, auth_secret=b"0123456789abcdef") == plain
    assert len(body) <= 4096


def test_the_example_of_the_rfc():
    """RFC 8291 appendix A: the same keys and salt give the same bytes."""
    sender = ec.derive_private_key(
        int.from_bytes(decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big"), ec.SECP256R1()
    )
    body = encrypt(
        b"When I grow up, I want to be a watermelon",
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
        salt=decode("DGv6ra1nlYgDCS1FRnbzlw"),
        sender=sender,
    )

    assert encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [("", "AAAAAAAAAAAAAAAAAAAAAA"), ("A" * 87, "AAAAAAAAAAAAAAAAAAAAAA"), (KEYS.public, "AAAA"), ("é", "é")],
    ids=["empty", "no point", "short secret", "no base64"],
)
def test_keys_that_are_none(p256dh, auth):
    """A subscription with broken keys is a ValueError with a sentence."""
    with pytest.raises(ValueError, match=r"subscription|base64url"):
        encrypt(b"x", p256dh, auth)


def test_keys_come_back_from_their_pem():
    """A device that subscribed with the public key is told by every later start; the private one shows nowhere."""
    pem = new_pem()
    first = keys_from(pem, "https://status.acme.example/")

    assert keys_from(pem).public == first.public != keys_from(new_pem()).public
    assert len(decode(first.public)) == 65
    assert "BEGIN" not in repr(first)


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key(pem):
    """It is refused, so that nobody puts a new key in its place and silently loses every device."""
    with pytest.raises(ValueError, match=r"\S"):
        keys_from(pem)


def test_whom_a_push_service_may_ask():
    """The contact is the page when it is https, else the postmaster of its host."""
    assert contact("https://status.acme.example/") == "https://status.acme.example/"
    assert contact("http://status.acme.example/") == "mailto:postmaster@status.acme.example"
    assert contact("") == ""


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "http://push.example/x",
        "ftp://push.example",
        "https://",
        "https://u:p@push.example/",
        "https://x" + "y" * 3000,
    ],
)
def test_endpoints_that_are_none(endpoint):
    """Only https addresses are push services, but for a test on the loopback."""
    check_endpoint("https://fcm.googleapis.com/fcm/send/abc")
    check_endpoint("http://127.0.0.1:1234/push")
    with pytest.raises(ValueError, match="is not the https address of a push service"):
        check_endpoint(endpoint)


def test_health_decides_how_urgent():
    """Only what is dead wakes a phone."""
    assert UP.health is Health.HEALTHY
    assert DOWN.health is Health.DEAD

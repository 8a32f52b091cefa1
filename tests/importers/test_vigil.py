"""From Vigil: a file with everything that it can be told, which Vigil 1.29 itself took."""

from __future__ import annotations

import pytest

from tests.importers.brought import FIXTURES, Brought, looked

CONFIG = "vigil/config.cfg"


@pytest.fixture
def moved(bring) -> Brought:
    return bring("vigil", CONFIG)


def test_it_is_valid_and_private(moved):
    """Our own check finds nothing wrong, and nobody else can read what was written."""
    assert moved.code == 0
    assert len(moved.config().services) == 3
    assert moved.private()


def test_clients_go_on(moved):
    """Tokens, ids and the address stay: they are in the configuration of reporters and agents."""
    config = moved.config()

    assert config.server.reporter_token.get_secret_value() == "a-reporter-token-of-vigil"
    assert config.server.manager_token.get_secret_value() == "a-manager-token-of-vigil"
    assert config.server.listen == ("127.0.0.1:3920",)
    assert [f"{s.id}/{n.id}" for s in config.services for n in s.nodes] == [
        "web/router",
        "web/load-balancer",
        "web/shell",
        "web/api",
        "web/site",
        "relay/socket-client",
        "relay/socket-client-queue",
        "internal/gateway",
        "internal/disk",
    ]


def test_the_page_and_its_times(moved):
    """Words, colour, support by mail, and every time of [metrics], milliseconds as seconds."""
    toml = moved.toml

    assert toml["page"]["support_url"] == "mailto:help@acme.example"
    assert toml["page"]["branding"] == {"color": "#0B6E4F"}
    assert toml["poll"] == {"interval": 60, "retry": 3, "retry_wait": 0.25, "delay_dead": 20, "delay_sick": 8}
    assert toml["push"] == {"delay_dead": 30, "cpu_sick_above": 0.8, "ram_sick_above": 0.7}
    assert toml["local"] == {"silent_dead": 50}
    assert toml["script"] == {"enabled": True, "interval": 600, "parallel": 3}
    assert toml["notify"]["reminder_backoff"] == "square"


def test_options_of_nodes(moved):
    """HTTP options with the window that Vigil has for all, links, revealed names, scripts as they are."""
    api = moved.node("web/api")["http"]

    assert api["method"] == "POST"
    assert api["healthy_below"] == 300
    assert api["body"] == '{"ping":1}'
    assert moved.secret(api["headers"]["X-Api-Key"]) == "api-key-12345678"
    assert api["headers"]["Accept-Language"] == "en"
    assert moved.node("web/site")["link_label"] == "Look yourself"
    assert moved.node("web/load-balancer")["reveal_replicas"] is True
    assert moved.node("internal/disk")["scripts"][0].startswith("#!/bin/sh\nused=${USED:-10}\n")


def test_every_notifier_that_there_is(moved):
    """Ten of the eleven ways to tell; the passwords are only in their own files."""
    types = [n["type"] for n in moved.toml["notifiers"]]

    assert types == ["email", "slack", "pushover", *["apprise"] * 5]
    assert moved.toml["notifiers"][0]["reminders_only"] is True
    assert moved.toml["webhooks"][0]["format"] == "vigil"
    assert not moved.leaked(
        "password-of-mail", "abcdefghijkl", "hook-key-12345", "a-manager-token", "syt_token", "api-key-1234"
    )


def test_what_has_no_counterpart_is_named(moved):
    """One line for each thing that is lost, with what to do."""
    assert moved.remarks("[branding] custom_html") == [
        "HTML does not stand in the configuration; put it into a template of your own: [page] templates"
    ]
    assert moved.remarks('node "relay/socket-client"') == ['its queue "client" is the node "socket-client-queue"']
    queue = moved.node("relay/socket-client-queue")
    assert queue["rabbitmq"] == {
        "ready_healthy_below": 500, "nack_healthy_below": 100, "ready_dead_above": 20000, "nack_dead_above": 1000,
    }  # fmt: skip
    assert queue["replicas"][0].startswith("rabbitmq://rabbitmq-administrator:${file:")
    assert queue["replicas"][0].endswith("@127.0.0.1:15672/acme/client")
    assert not moved.leaked("RABBITMQ_ADMIN_PASSWORD")
    for place in ("[server] workers", "[assets] path", "[metrics] poll_parallelism"):
        assert moved.remarks(place)
    for place in ("[branding] logo_color", "[branding] icon_url", "[notify.xmpp]", "[notify.twilio]"):
        assert moved.remarks(place)


def test_it_is_green(bring, written, web):
    """`check --probe` looks at all that it can see of what was imported, and all of it is healthy."""
    text = (
        (FIXTURES / CONFIG)
        .read_text("utf-8")
        .replace("3910", str(web))
        .replace("15672", str(web))
        .replace("ssh://127.0.0.1:3922", f"tcp://127.0.0.1:{web}")
    )
    moved = bring("vigil", written("config.cfg", text))

    looks = looked(moved.path, {})

    assert len(looks) == 10
    assert {look["health"] for look in looks} == {"healthy"}


def test_variables_stay_variables(bring, written):
    """`${VARIABLES}` of Vigil are ours, too, and are told; one that stands for a number is filled in."""
    text = (FIXTURES / CONFIG).read_text("utf-8")
    text = text.replace('"a-reporter-token-of-vigil"', '"${VIGIL_TOKEN}"').replace(
        "poll_retry = 3", "poll_retry = ${UNSET_NUMBER}"
    )

    refused = bring("vigil", written("numbers.cfg", text))
    moved = bring("vigil", written("config.cfg", text.replace("${UNSET_NUMBER}", "3")))

    assert refused.code == 2
    assert "is not TOML" in refused.said
    assert "set the variables in it" in refused.said
    assert "Set these variables for the daemon: VIGIL_TOKEN" in moved.lines
    assert moved.config(VIGIL_TOKEN="x" * 20).server.reporter_token.get_secret_value() == "x" * 20


def test_tokens_that_are_refused_here(bring, written):
    """A short token, and one token for both, cannot be kept: there are new ones, and a line for each."""
    text = '[server]\nmanager_token = "same-token-for-both"\nreporter_token = "short"\n[branding]\npage_title = "A"\n'
    text += 'page_url = "https://a.example/"\n[[probe.service]]\nid = "a b"\nlabel = "A"\n'
    text += '[[probe.service.node]]\nid = "n"\nlabel = "N"\nmode = "push"\n'

    moved = bring("vigil", written("config.cfg", text))

    assert moved.code == 0
    assert moved.remarks("[server] reporter_token")[0].startswith("has fewer than 8 characters")
    assert len(moved.config().server.reporter_token.get_secret_value()) >= 32
    assert moved.remarks('service "a b"') == [
        'the id "a b" cannot be one here and became "a-b"; change it in the address'
    ]


def test_what_our_check_refuses_is_left_out_and_said(bring, written):
    """An expression that is none here, an address nobody can have: the rest is carried over."""
    text = (FIXTURES / CONFIG).read_text("utf-8").replace('"ok|fine"', "'*a'").replace("icmp://localhost", "icmp://a b")

    moved = bring("vigil", written("config.cfg", text))

    assert moved.code == 0
    assert "healthy_match" not in moved.node("web/api")["http"]
    assert any(
        line.startswith('services "Web nodes" nodes "API" http healthy_match: not a regular') for line in moved.lines
    )
    assert moved.node("web/router")["replicas"] == ["icmp://127.0.0.1"]

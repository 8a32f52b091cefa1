"""From Gatus: forty endpoints in YAML."""

from __future__ import annotations

import re

import pytest

from crisp_status.probes import ProbeError
from crisp_status.probes._json import judge
from crisp_status.probes.http import Options
from tests.importers.brought import FIXTURES, looked

CONFIG = "gatus/config.yaml"
ENVIRON = {
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T0000/B0000/abcdefghijkl",
    "API_TOKEN": "token-of-the-api",
}

SMALL = """
endpoints:
  - name: {name}
    url: {url}
    conditions:
      - "{condition}"
"""


@pytest.fixture
def moved(bring):
    return bring("gatus", CONFIG, options=("--url", "https://status.acme.example/"))


def test_it_is_valid_and_private(moved):
    """Our own check finds nothing wrong once the variables are set, and nobody else can read it."""
    config = moved.config(**ENVIRON)

    assert moved.code == 0
    assert sum(len(s.nodes) for s in config.services) == 39
    assert moved.private()
    assert "Set these variables for the daemon: API_TOKEN, SLACK_WEBHOOK_URL" in moved.lines


def test_it_is_green(bring, written, web):
    """`check --probe` looks at all forty but those that cannot be watched, and all are healthy."""
    text = (FIXTURES / CONFIG).read_text("utf-8").replace("3910", str(web))
    text = text.replace("/graphql", "/").replace("ws://", "tcp://")  # it is no WebSocket
    text = re.sub(r"(\[RESPONSE_TIME\] <) \d+", r"\1 9000", text)  # a busy machine is slow, and not sick
    moved = bring("gatus", written("config.yaml", text))

    looks = looked(moved.path, ENVIRON)

    assert len(looks) == 38
    assert [look for look in looks if look["health"] != "healthy"] == []


def test_groups_and_defaults(moved):
    """Groups are services; an anchor's keys reach each endpoint; redirects are followed as Gatus does."""
    toml = moved.toml

    assert [s["name"] for s in toml["services"]] == ["shop", "api", "backing services", "network", "Services", "jobs"]
    front = moved.node("shop/front")
    assert (front["interval"], front["delay_dead"]) == (30, 5)
    assert front["http"] == {"follow_redirects": True, "healthy_above": 200, "healthy_below": 201}
    assert toml["poll"]["interval"] == 60
    assert toml["server"]["listen"] == ["127.0.0.1:8081"]
    assert toml["witness"]["urls"] == ["tcp://127.0.0.1:3910"]
    assert toml["metrics"] == {"enabled": True}


def test_header_fields_keep_their_variables(moved):
    """A secret from the environment stays there."""
    assert moved.node("api/users")["http"]["headers"] == {
        "Authorization": "Bearer ${API_TOKEN}",
        "Accept-Language": "en",
    }
    assert moved.secret(moved.node("api/graph")["http"]["headers"]["X-Api-Key"]) == "key-of-the-api"
    assert not moved.leaked("pa$word-of-mail", "key-of-the-api", "potato-token-1")


def test_graphql_is_a_json_body(moved):
    """What Gatus wraps for GraphQL is written out."""
    http = moved.node("api/graph")["http"]

    assert http["body"] == '{"query": "{ user { name } }"}'
    assert http["headers"]["Content-Type"] == "application/json"
    assert http["verify_tls"] is False
    assert "follow_redirects" not in http


def test_alerts_become_notifiers_of_services(moved):
    """Who tells of what; `$$` in a password is one dollar; an end is told only where Gatus told it."""
    notifiers = {n["id"]: n for n in moved.toml["notifiers"]}

    assert notifiers["slack"]["services"] == ["shop", "api"]
    assert notifiers["slack"]["hook_url"] == "${SLACK_WEBHOOK_URL}"
    assert notifiers["email"]["to"] == ["ops@acme.example", "boss@acme.example"]
    assert notifiers["email"]["on"] == ["dead"]
    assert moved.secret(notifiers["email"]["smtp_password"]) == "pa$word-of-mail"
    assert notifiers["discord"]["services"] == ["jobs"]
    assert moved.toml["notify"]["reminder_interval"] == 0


def test_maintenance_and_announcements(moved):
    """A window that repeats is a rule in the page's zone, which is the window's."""
    page, entries = moved.toml["page"], moved.toml["announcements"]

    assert page["timezone"] == "Europe/Amsterdam"
    weekly = next(e for e in entries if e.get("rrule", "").startswith("FREQ=WEEKLY"))
    assert weekly["rrule"] == "FREQ=WEEKLY;BYDAY=MO,TH"
    assert (weekly["expires_at"] - weekly["starts_at"]).total_seconds() == 5400
    assert weekly["starts_at"].hour == 23
    assert [e["title"] for e in entries if "maintenance" not in e] == ["Information"]


def test_reports_keep_their_token(moved):
    """An external endpoint is a heartbeat with the same token, and a line says where to call."""
    job = moved.node("jobs/nightly-export")

    assert moved.secret(job["heartbeat"]) == "potato-token-1"
    assert job["interval"] == 86400
    assert "call /ping/{its token}" in moved.remarks('external endpoint "jobs/Nightly export"')[0]


@pytest.mark.parametrize(
    ("url", "kind", "ours"),
    [
        ("starttls://mail.example:587", "starttls", "smtp+starttls://mail.example:587"),
        ("tls://mail.example:465", "tls", "tls://mail.example:465"),
        ("wss://chat.example/ws", "ws", "wss://chat.example/ws"),
    ],
)
def test_tls_and_sockets_have_probes_of_their_own(bring, written, url, kind, ours):
    """What Gatus looks at beside HTTP, with the end of its certificate."""
    text = SMALL.format(name="a", url=url, condition="[CERTIFICATE_EXPIRATION] > 72h")
    moved = bring("gatus", written("g.yaml", text + "    client:\n      insecure: true\n"))
    node = moved.node("services/a")

    assert node["replicas"] == [ours]
    assert node[kind] == {"certificate_sick_days": 3, "verify_tls": False}


def test_what_has_no_counterpart_is_named(moved):
    """Each condition, section and endpoint that is lost has its line."""
    assert moved.remarks('endpoint "network/resolver"') == ['nothing here can look at "udp://"; a script node can']
    assert "[DOMAIN_EXPIRATION] > 720h" in moved.remarks('endpoint "network/domain"')[0]
    assert moved.remarks('endpoint "shop/old"') == ["is disabled"]
    for place in ("security", "storage", "ui.logo", "alerting.custom"):
        assert moved.remarks(place)


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("[STATUS] == 204", {"healthy_above": 204, "healthy_below": 205}),
        ("[STATUS] < 400", {"healthy_above": 100, "healthy_below": 400}),
        ("[STATUS] == any(200, 201, 202)", {"healthy_above": 200, "healthy_below": 203}),
        ("[CONNECTED] == true", {"healthy_above": 100, "healthy_below": 600}),
        ("[CERTIFICATE_EXPIRATION] > 48h", {"healthy_above": 100, "healthy_below": 600, "certificate_sick_days": 2}),
    ],
)
def test_conditions_with_a_counterpart(bring, written, condition, keys):
    """Statuses are a window, an end of a certificate is a number of days."""
    moved = bring("gatus", written("g.yaml", SMALL.format(name="a", url="https://acme.example/", condition=condition)))

    http = moved.node("services/a")["http"]
    assert {key: value for key, value in http.items() if key != "follow_redirects"} == keys


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ("[BODY] == pat(*all (is) well*)", "so all (is) well now", "all is well"),
        ("[BODY] == pat(a*z)", "a\nbc\nz", "xaz"),
        ("[BODY] == any(ok, fine)", "fine\n", "not fine"),
        ("len([BODY]) > 0", "x", ""),
    ],
)
def test_conditions_on_a_body_as_expressions(bring, written, condition, right, wrong):
    """What is written finds a body that fits, and not one that does not."""
    moved = bring("gatus", written("g.yaml", SMALL.format(name="a", url="https://acme.example/", condition=condition)))

    expression = moved.node("services/a")["http"]["healthy_match"]

    assert re.search(expression, right)
    assert not re.search(expression, wrong)


@pytest.mark.parametrize(
    ("condition", "right", "wrong"),
    [
        ("[BODY].status == UP", '{"status": "UP"}', '{"status": "DOWN"}'),
        ("[BODY].status != DOWN", '{"status": "UP"}', '{"status": "DOWN"}'),
        ("[BODY].data[0].count == 3", '{"data": [{"count": 3}]}', '{"data": [{"count": 30}]}'),
        ("[BODY][0].user-name == any(a, b)", '[{"user-name": "b"}]', '[{"user-name": "c"}]'),
        ("[BODY].name == pat(john*)", '{"name": "johnny"}', '{"name": "jane", "b": "john"}'),
        ("[BODY].lag < 30", '{"lag": 2.5}', '{"lag": 30}'),
        ("has([BODY].error) == true", '{"error": null}', "{}"),
        ("has([BODY].error) == false", "{}", '{"error": null}'),
    ],
)
async def test_conditions_on_json_as_paths(bring, written, condition, right, wrong):
    """The value at that path is compared, and nothing else in the body."""
    moved = bring("gatus", written("g.yaml", SMALL.format(name="a", url="https://acme.example/", condition=condition)))
    wanted = Options.model_validate(moved.node("services/a")["http"]).json_values

    await judge(right, wanted, whole=True)
    with pytest.raises(ProbeError):
        await judge(wrong, wanted, whole=True)
    assert moved.remarks('endpoint "a"') == []


def test_what_is_said_of_connections(bring, written):
    """Proxy, token, certificate, family of addresses and what must not be reached are ours, too; secrets in files."""
    text = SMALL.format(name="a", url="https://acme.example/", condition="[CONNECTED] == false") + (
        "    client:\n      proxy-url: http://jane:secret-of-proxy@proxy:3128\n      network: ip4\n      oauth2:\n"
        "        token-url: https://id.example/token\n        client-id: us\n        client-secret: secret-of-oauth\n"
        "        scopes: [a, b]\n      dns-resolver: tcp://8.8.8.8:53\n"
    )
    moved = bring("gatus", written("g.yaml", text))
    node = moved.node("services/a")
    http = node["http"]

    assert (node["expect_dead"], http["ip_family"], http["oauth2"]["scope"]) == (True, "ipv4", "a b")
    assert moved.secret(http["proxy"]) == "http://jane:secret-of-proxy@proxy:3128"
    assert moved.secret(http["oauth2"]["client_secret"]) == "secret-of-oauth"
    assert len(moved.remarks('endpoint "a"')) == 1
    assert "dns-resolver" in moved.remarks('endpoint "a"')[0]


def test_several_conditions_on_one_body(bring, written):
    """All must hold, in any order."""
    text = SMALL.format(name="a", url="https://acme.example/", condition="[BODY] == pat(*one*)")
    moved = bring(
        "gatus", written("g.yaml", text + '      - "[BODY] == pat(*two*)"\n      - "[BODY] != pat(*three*)"\n')
    )
    http = moved.node("services/a")["http"]

    assert re.search(http["healthy_match"], "two and\none")
    assert not re.search(http["healthy_match"], "one alone")
    assert http["dead_match"] == "three"


def test_a_name_that_is_asked_for(bring, written):
    """A dns block is an address of ours, its condition a match."""
    text = SMALL.format(name="a", url="127.0.0.1", condition="[BODY] == 93.184.216.34")
    moved = bring("gatus", written("g.yaml", text + "    dns:\n      query-name: example.com\n      query-type: A\n"))
    node = moved.node("services/a")

    assert node["replicas"] == ["dns://127.0.0.1/example.com?type=A"]
    assert re.search(node["dns"]["match"], "93.184.216.34")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("endpoints: [", ":1:13: is not YAML"),
        ("endpoints: []\n", "has no endpoints"),
        ("- a\n", "is not a configuration of Gatus"),
        ("endpoints: !!python/object/apply:os.system ['true']\n", "is not YAML"),
        ("endpoints:\n  - " + "[" * 200 + "]" * 200, "nested too deeply"),
    ],
)
def test_what_is_not_a_configuration_of_gatus(bring, written, text, sentence):
    """One line that says what is wrong, and nothing is written."""
    moved = bring("gatus", written("g.yaml", text))

    assert moved.code == 2
    assert sentence in moved.said
    assert not moved.path.exists()

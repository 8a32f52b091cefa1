"""From Uptime Kuma: a database that it wrote itself, and a backup of version 1."""

from __future__ import annotations

import base64

import pytest

from tests.importers.brought import database, looked


@pytest.fixture
def moved(bring, tmp_path):
    return bring("uptime-kuma", database(tmp_path))


def test_it_is_valid_and_private(moved):
    """Our own check finds nothing wrong, and no secret of the database is in the file or on the screen."""
    assert moved.code == 0
    assert [s.name for s in moved.config().services] == ["Websites", "Infrastructure"]
    assert moved.private()
    assert not moved.leaked(
        "redis-password",
        "pg-password",
        "basic-password",
        "mail-password-1",
        "api-key-12345678",
        "kZ3vTqPmXw",
        "abcdefghijkl",
    )


def test_it_is_green(bring, tmp_path, web):
    """`check --probe` finds healthy what Kuma found up: nothing is asked in another way than it was."""
    down = "DELETE FROM monitor WHERE type IN ('redis', 'postgres', 'dns')"
    accepted = "UPDATE monitor SET url = replace(url, '/api', '/health')"
    moved = bring("uptime-kuma", database(tmp_path, down, accepted, port=web))

    looks = looked(moved.path, {})

    assert len(looks) == 8
    assert [look for look in looks if look["health"] != "healthy"] == []


def test_the_page(moved):
    """Name, words, domain and zone come from the first status page."""
    assert moved.toml["page"] == {
        "name": "Acme Status",
        "description": "All that Acme runs.",
        "url": "https://status.acme.example/",
        "timezone": "Europe/Paris",
    }


def test_pushes_keep_their_token(moved):
    """The address that scripts call is the same but for the host: /api/push/{token}."""
    node = moved.node("infrastructure/nightly-backup")

    assert (node["mode"], node["interval"]) == ("push", 86400)
    assert moved.secret(node["heartbeat"]) == "kZ3vTqPmXw"


def test_options_of_a_monitor(moved):
    """Method, body, fields with the sign-in among them, retries, redirects, certificates."""
    node = moved.node("websites/api")
    http = node["http"]

    assert (node["retry"], node["retry_wait"], node["delay_dead"]) == (2, 30, 16)
    assert (http["method"], http["body"], http["verify_tls"]) == ("POST", '{"ping": true}', False)
    assert base64.b64decode(moved.secret(http["headers"]["Authorization"])[6:]) == b"watch:basic-password"
    assert http["headers"]["Content-Type"] == "application/json"
    assert "follow_redirects" not in http
    assert http["healthy_status"] == ["200-299", "501"]
    assert moved.remarks('monitor "API"') == []


def test_keywords_are_expressions(moved):
    """A keyword is text, whatever characters it has; an inverted one must not be there."""
    assert moved.node("websites/landing-page")["http"]["healthy_match"] == r"Welcome \(to Acme\)"
    assert moved.node("websites/no-error-shown")["http"]["dead_match"] == "Fatal error"


def test_addresses_of_all_kinds(moved):
    """Ports, pings and names as such; what has no probe of its own by its port."""
    replicas = {node["id"]: node.get("replicas") for service in moved.toml["services"] for node in service["nodes"]}

    assert replicas["mail-server"] == ["tcp://127.0.0.1:3910"]
    assert replicas["gateway"] == ["icmp://127.0.0.1"]
    assert replicas["name-server"] == ["dns://127.0.0.1/acme.example?type=MX"]
    assert replicas["orders"] == ["postgres://127.0.0.1:5432"]
    assert replicas["cache"][0].startswith("redis://:${file:")
    assert "no query is sent" in moved.remarks('monitor "Orders"')[0]


def test_notifications(moved):
    """Slack, mail, Pushover, web hooks, and through Apprise whatever it knows; each with the services that it told of."""
    notifiers = {n["id"]: n for n in moved.toml["notifiers"]}

    assert notifiers["team-chat"]["mention_channel"] is True
    assert notifiers["team-chat"]["services"] == ["websites"]
    assert notifiers["mail"]["to"] == ["ops@acme.example", "boss@acme.example"]
    assert (notifiers["mail"]["smtp_security"], notifiers["mail"]["from"]) == ("tls", "status@acme.example")
    assert moved.secret(notifiers["telegram"]["urls"][0]).startswith("tgram://123456789:AA")
    assert moved.secret(notifiers["any"]["urls"][0]) == "ntfys://ntfy.acme.example/alerts"
    assert moved.secret(moved.toml["webhooks"][0]["url"]).startswith("https://acme.example/hooks/kuma")
    assert 'there is no way to tell through "serverchan"' in moved.remarks('notification "Only there"')[0]
    assert moved.toml["notify"] == {"reminder_interval": 60, "reminder_backoff": "none"}


def test_maintenances_are_rules(moved):
    """Each strategy that has a rule, with its times in the zone of the page."""
    entries = {e["title"]: e for e in moved.toml["announcements"]}

    assert {title: e.get("rrule") for title, e in entries.items() if "maintenance" in e} == {
        "Move of the database": None,
        "Weekly updates": "FREQ=WEEKLY;BYDAY=TU,TH",
        "Every third day": "FREQ=DAILY;INTERVAL=3",
        "Month's end": "FREQ=MONTHLY;BYMONTHDAY=1,-1",
        "By cron": "FREQ=WEEKLY;BYDAY=SU",
    }
    assert entries["Weekly updates"]["maintenance"] == ["websites/shop", "websites/api"]
    assert (entries["By cron"]["expires_at"] - entries["By cron"]["starts_at"]).total_seconds() == 2700
    assert entries["Payments are slow"]["text"] == "We **look** into it."
    assert moved.remarks('maintenance "By hand"')


def test_what_nobody_saw_stays_unseen(moved, bring, tmp_path_factory):
    """A monitor on no status page is named and left out; --all takes it."""
    folder = tmp_path_factory.mktemp("all")

    other = type(moved)(folder, "uptime-kuma", database(folder), options=("--all",))

    assert "import again with --all" in moved.remarks('monitor "Customer 17, internal"')[0]
    assert "Customer 17" not in moved.path.read_text("utf-8")
    assert other.node("monitors/customer-17-internal")["replicas"] == ["http://127.0.0.1:3910/customer/17"]


def test_what_cannot_be_watched_is_named(moved):
    """Containers and paused monitors, the other page, its own style."""
    assert "docker" in moved.remarks('monitor "Container"')[0]
    assert moved.node("infrastructure/must-stay-closed")["expect_dead"] is True
    assert moved.remarks('monitor "Old site"') == ["is paused"]
    assert moved.remarks('status page "partners"')
    assert any("custom_css" in remark for remark in moved.remarks('status page "acme"'))


def test_a_database_in_use(bring, tmp_path):
    """What Kuma has only in its write-ahead log is read, too, while it runs."""
    import sqlite3

    path = database(tmp_path)
    running = sqlite3.connect(path)
    running.execute("PRAGMA journal_mode = WAL")
    running.execute("UPDATE status_page SET title = 'Fresh' WHERE slug = 'acme'")
    running.commit()

    moved = bring("uptime-kuma", path)
    running.close()

    assert moved.toml["page"]["name"] == "Fresh"


def test_a_backup_of_version_1(bring):
    """It knows no pages: its groups of monitors become services, and what is lost is said."""
    moved = bring(
        "uptime-kuma", "uptime-kuma/backup.json", options=("--url", "https://status.acme.example/", "--name", "Acme")
    )

    assert moved.code == 0
    assert moved.toml["page"]["name"] == "Acme"
    assert moved.node("office/printer")["replicas"] == ["icmp://127.0.0.1"]
    assert (moved.node("office/printer")["retry"], moved.node("office/printer")["retry_wait"]) == (3, 60)
    assert moved.node("monitors/shop")["http"]["certificate_sick_days"] == 7
    assert moved.secret(moved.node("monitors/shop")["http"]["headers"]["Authorization"]) == "Bearer header-token-1"
    assert moved.secret(moved.node("monitors/backup")["heartbeat"]) == "aBcDeFgHiJ"
    assert moved.toml["notifiers"][0]["type"] == "slack"
    assert moved.remarks("the backup")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"SQLite format 3\x00 and rubbish", "cannot be read"),
        (b"{}", "has no monitorList"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not text in UTF-8"),
    ],
)
def test_what_is_no_file_of_kuma(bring, tmp_path, content, sentence):
    """One line that says what is wrong, and nothing is written."""
    (tmp_path / "file").write_bytes(content)

    moved = bring("uptime-kuma", tmp_path / "file")

    assert moved.code == 2
    assert sentence in moved.said
    assert not moved.path.exists()

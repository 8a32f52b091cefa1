"""What the core gets: thresholds in force, page order, ids without passwords."""

from __future__ import annotations

import datetime

from crisp_status.config.ids import slug
from crisp_status.config.plan import plan, targets

SERVICES = """
[poll]
interval = 60
delay_sick = 2
[script]
enabled = true
timeout = 30
[[services]]
name = "Späte Dienste"
order = 90
[[services.nodes]]
name = "Job"
mode = "script"
scripts = ["exit 0", { run = "exit 1", name = "Second" }]
[[services]]
id = "web"
name = "Websites"
[[services.nodes]]
name = "Landing"
order = 60
replicas = [
  "https://jane:one@acme.example/",
  "https://jane:two@acme.example/",
  { url = "TCP://edge.acme.example:443", name = "Paris" },
]
retry = 0
depends_on = ["web/router"]
link_url = "https://acme.example/docs"
[services.nodes.http]
healthy_below = 300
[[services.nodes]]
name = "Router"
replicas = ["icmp://router.acme.example"]
[[services.nodes]]
name = "Backup"
mode = "push"
heartbeat = "0123456789abcdef"
interval = 86400
[[services.nodes]]
name = "Inside"
mode = "local"
replicas = ["http://10.0.0.5/"]
agent = "office"
silent_dead = 600
"""


def test_ids_are_made_from_names() -> None:
    """Latin letters and digits stay; accents go."""
    assert slug("Café & Bar  №7") == "cafe-bar-no7"
    assert slug("--Späte Dienste--") == "spate-dienste"
    assert slug("日本") == ""
    assert len(slug("long name " * 20)) <= 64


def test_services_and_nodes_come_in_page_order(config) -> None:
    """Low order first; equal: as written."""
    made = plan(config(SERVICES))

    assert [(s.id, [n.id for n in s.nodes]) for s in made.services] == [
        ("web", ["router", "backup", "inside", "landing"]),
        ("spate-dienste", ["job"]),
    ]


def test_a_node_takes_the_values_of_its_mode_unless_it_has_its_own(config) -> None:
    """[poll], [push], [local] and [script] are defaults."""
    nodes = {n.id: n for s in plan(config(SERVICES)).services for n in s.nodes}

    landing = nodes["landing"]
    assert (landing.interval, landing.retry, landing.delay_dead, landing.delay_sick) == (60, 0, 10, 2)
    assert landing.depends_on == ("web/router",)
    assert (nodes["backup"].interval, nodes["backup"].delay_dead, nodes["backup"].heartbeat) == (86400, 20, True)
    assert (nodes["inside"].silent_dead, nodes["inside"].agent, nodes["inside"].interval) == (600, "office", 120)
    job = nodes["job"]
    assert (job.interval, job.retry, job.delay_dead, job.delay_sick) == (300, 0, 30, 30)


def test_replica_ids_have_no_password_and_are_there_once(config) -> None:
    """The real address stays with the configuration."""
    loaded = config(SERVICES)
    landing = next(n for s in plan(loaded).services for n in s.nodes if n.id == "landing")
    known = targets(loaded)

    ids = [r.id for r in landing.replicas]
    assert ids == [
        "https://jane:***@acme.example/",
        "https://jane:***@acme.example/ (2)",
        "TCP://edge.acme.example:443",
    ]
    assert landing.replicas[2].name == "Paris"
    first, second, third = (known["web/landing", i] for i in ids)
    assert (first.url, second.url) == ("https://jane:one@acme.example/", "https://jane:two@acme.example/")
    assert first.options.healthy_below == 300
    assert (third.kind, first.kind) == ("tcp", "http")
    assert "jane" not in repr(first)
    assert known["spate-dienste/job", "1"].url == "exit 1"
    assert known["web/inside", "http://10.0.0.5/"].kind == "http"
    assert ("web/backup", "") not in known


def test_times_without_a_zone_are_those_of_the_page(config) -> None:
    """A date is its midnight there."""
    loaded = config("""
        [page]
        name = "A"
        url = "http://a/"
        timezone = "Europe/Paris"
        [[announcements]]
        title = "Upgrade"
        starts_at = 2026-12-01
        expires_at = 2026-12-01T22:00:00
        [[announcements]]
        title = "Upgrade"
        starts_at = 2026-12-01T22:00:00Z
    """)

    first, second = plan(loaded).announcements

    assert first.starts_at == datetime.datetime(2026, 11, 30, 23, tzinfo=datetime.UTC).timestamp()
    assert first.expires_at == datetime.datetime(2026, 12, 1, 21, tzinfo=datetime.UTC).timestamp()
    assert second.starts_at == datetime.datetime(2026, 12, 1, 22, tzinfo=datetime.UTC).timestamp()
    assert (first.id, second.id, second.expires_at) == ("upgrade", "upgrade-2", 0.0)


def test_notifiers_and_hooks_get_ids(config) -> None:
    """Made from the type, numbered, never the same."""
    made = plan(
        config("""
        [[notifiers]]
        type = "slack"
        hook_url = "https://hooks.example/1"
        on = ["dead"]
        [[notifiers]]
        type = "slack"
        hook_url = "https://hooks.example/2"
        [[notifiers]]
        type = "push"
        id = "webhook"
        operators = ["jane"]
        [[operators]]
        id = "jane"
        name = "Jane"
        [[webhooks]]
        url = "https://acme.example/"
        [[webhooks]]
        url = "https://acme.example/"
        enabled = false
        """)
    )

    assert [(n.id, n.kind, n.on, n.operators) for n in made.notifiers] == [
        ("slack", "slack", ("dead",), ()),
        ("slack-2", "slack", ("dead", "recovered"), ()),
        ("webhook", "push", ("dead", "recovered"), ("jane",)),
    ]
    assert made.webhooks == ("webhook-2",)


def test_a_heartbeat_on_a_schedule(config) -> None:
    """Its zone is the page's unless it has its own; `grace` is how late it may be; the interval is that of the schedule."""
    text = SERVICES.replace("interval = 86400", 'schedule = "0 3 * * 1"\ngrace = 7200', 1)
    (backup,) = [n for s in plan(config(text)).services for n in s.nodes if n.id == "backup"]
    assert (backup.schedule, backup.timezone, backup.delay_dead, backup.interval) == ("0 3 * * 1", "UTC", 7200, 604_800)

    text = text.replace("grace = 7200", 'timezone = "Europe/Paris"')
    (backup,) = [n for s in plan(config(text)).services for n in s.nodes if n.id == "backup"]
    assert (backup.timezone, backup.delay_dead) == ("Europe/Paris", 20)


TWO_HOOKS = """
[[notifiers]]
type = "slack"
hook_url = "https://hooks.slack.com/services/{0}"

[[notifiers]]
type = "slack"
id = "ops"
hook_url = "https://hooks.slack.com/services/{1}"

[[webhooks]]
url = "https://acme.example/{0}"
"""


def test_a_receiver_is_known_by_its_target(config) -> None:
    """The same receivers give the same hash, others another, and no address can be read in it; a written id is marked."""
    one, two = (plan(config(SERVICES + TWO_HOOKS.format(*names))) for names in (("a", "b"), ("b", "a")))

    assert [n.id_is_written for n in one.notifiers if n.kind == "slack"] == [False, True]
    assert {n.target for n in one.notifiers} == {n.target for n in two.notifiers}
    assert one.notifiers[-1].target == two.notifiers[-2].target
    assert one.hook_targets[0][0] != two.hook_targets[0][0]
    assert not one.hook_targets[0][1]


OWN = """
[[services]]
name = "Web"
[[services.nodes]]
name = "Landing"
replicas = [
  "https://a.example/",
  { url = "https://b.example/", delay_sick = 2, delay_dead = 30, interval = 600, http = { method = "GET" } },
  { url = "tcp://c.example:1", retry = 5, retry_wait = 1 },
]
[services.nodes.http]
healthy_below = 300
[[services.nodes]]
name = "Jobs"
mode = "script"
scripts = ["exit 0", { run = "exit 1", timeout = 5, interval = 900 }]
[script]
enabled = true
"""


def test_a_replica_may_have_options_of_its_own(config) -> None:
    """Each key goes before the node's, the rest stays the node's; the core knows the slowest."""
    checked = config(OWN)
    found = {identity: target for (_, identity), target in targets(checked).items()}
    landing, jobs = (node for service in plan(checked).services for node in service.nodes)

    assert found["https://b.example/"].limits == {"interval": 600.0, "delay_dead": 30.0, "delay_sick": 2.0}
    b, a = found["https://b.example/"].options, found["https://a.example/"].options
    assert (b.method, b.healthy_below, a.method, a.healthy_below) == ("GET", 300, None, 300)
    assert found["tcp://c.example:1"].limits == {"retry": 5, "retry_wait": 1.0}
    assert found["1"].limits == {"interval": 900.0, "delay_dead": 5.0, "delay_sick": 5.0}
    assert (landing.interval_most, landing.verdict_seconds) == (600.0, 3 * 30 + 2 * 0.5)
    assert (jobs.interval_most, jobs.verdict_seconds) == (900.0, 60.0)

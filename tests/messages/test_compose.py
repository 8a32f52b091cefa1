"""What notices say: for each kind of message the words, the same for every channel, and the letter."""

from dataclasses import dataclass, replace
from gettext import NullTranslations
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from crisp_status.core.model import (
    AffectedNode,
    Health,
    Incident,
    Ledger,
    Message,
    Node,
    NoticeNode,
    Reason,
    Replica,
    State,
)
from crisp_status.core.outbox_records import MESSAGES, MessageKind, ReceiverTrouble, Trouble
from crisp_status.core.policy import NodePlan, NotifierPlan, Plan, ReplicaPlan, ServicePlan
from crisp_status.core.verdict import ReasonCode
from crisp_status.messages.compose import compose
from tests import house

T0 = 1795442520.0
"""14:02 UTC on 23 November 2026, when it all began."""

LINKS = {"acknowledge": "https://status.acme.example/act/a", "silence": "https://status.acme.example/act/s"}


@dataclass(frozen=True)
class Info:
    """What the words need of the page."""

    name: str = "Acme Status"
    url: str = "https://status.acme.example/"
    company: str = "Acme"
    timezone: str = "UTC"
    templates: Path | None = None


NODES = (
    NodePlan(
        "pay",
        "checkout",
        "Checkout",
        "poll",
        (
            ReplicaPlan("https://a.example/", "Paris"),
            ReplicaPlan("https://b.example/"),
            ReplicaPlan("https://c.example/"),
        ),
    ),
    NodePlan("pay", "invoicing", "Invoicing", "push"),
    NodePlan("web", "search", "Search", "poll"),
)


def world(**healths):
    """A state with three nodes and an open incident of those that are not healthy."""
    services = (ServicePlan("pay", "Payments", NODES[:2]), ServicePlan("web", "Websites", NODES[2:]))
    state = State(
        plan=Plan(services=services, notifiers=(NotifierPlan("ops", "email"), NotifierPlan("night", "slack")))
    )
    for plan in NODES:
        state.nodes[plan.key] = Node(plan.key, Ledger(0, 0), healths.get(plan.id, Health.HEALTHY))
    hurts = {n.key: AffectedNode(T0, n.health, bad=1) for n in state.nodes.values() if n.health.bad}
    state.open[7] = Incident(7, T0, T0 + 30, nodes=hurts)
    return state


def hit(
    key="pay/checkout", health=Health.DEAD, code="no_answer", value="10", replicas=(1, 2, 3), more=0, total=3, until=0.0
):
    names = [f"https://{'abcdefghijkl'[n - 1]}.example/" for n in replicas]
    return NoticeNode(
        key,
        health,
        T0,
        Reason(ReasonCode(code), "no answer within 10 s", value),
        names,
        list(replicas),
        more,
        total,
        until,
    )


def message(kind=MessageKind.OPENED, *nodes, **more):
    health = max((n.health for n in nodes), default=Health.HEALTHY)
    told: dict[str, Any] = {
        "incident": 7,
        "health": health,
        "nodes": list(nodes),
        "since": T0,
        "next_reminder_at": T0 + 3720,
    }
    told |= {"id": "7-1-ops", "notifier": "ops", "kind": MessageKind(kind), "created_at": T0 + 120, "due_at": T0 + 120}
    return Message(**(told | more))


def say(said, state=None, info=Info(), now=T0 + 125, **more):
    return compose(said, state or world(checkout=Health.DEAD), info, LINKS, now, **more)


def test_an_outage_opens():
    """What, since when, why, which replicas, what still works, when the next reminder comes, and links to act."""
    notice = say(message("opened", hit()))

    assert notice.title == "DOWN: Checkout, replicas 1, 2 and 3 (Acme)"
    assert notice.headline == "Checkout is down"
    assert notice.lines == (
        "No answer since 14:02 UTC, 3 of 3 replicas.",
        "Everything else is working.",
        "We will remind you at 15:04 UTC if it is still down, and write once more when it is back.",
    )
    [affected] = notice.affected
    assert (affected.service, affected.node, affected.since) == ("Payments", "Checkout", "14:02 UTC")
    assert affected.replicas == ("Paris (https://a.example/)", "https://b.example/", "https://c.example/")
    assert [(link.label, link.url) for link in notice.links] == [
        ("Acknowledge", LINKS["acknowledge"]),
        ("Silence reminders", LINKS["silence"]),
    ]
    assert notice.url == "https://status.acme.example/incidents/7"
    assert (notice.id, notice.kind, notice.health, notice.incident) == ("7-1-ops", "opened", Health.DEAD, 7)


def test_the_letter_as_text():
    """The plain letter has everything, in columns that a terminal shows."""
    assert say(message("opened", hit())).text == (Path(__file__).parent / "letter.txt").read_text()


class Tags(HTMLParser):
    """Which tags, links and words a document has."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data):
        self.words += data.split()


def test_the_letter_as_html():
    """The HTML letter says the same, loads nothing from anywhere, and its first link acknowledges."""
    notice = say(message("opened", hit()))
    letter = Tags(notice.html)

    assert letter.links[:2] == [LINKS["acknowledge"], LINKS["silence"]]
    assert not {"img", "script", "link", "iframe", "form"} & set(letter.tags)
    assert "url(" not in notice.html
    assert letter.tags.count("h1") == letter.tags.count("main") == 1
    words = " ".join(letter.words)
    for said in (*notice.lines, "Paris (https://a.example/): no answer within 10 s", "You get this because"):
        assert said in words


def test_names_are_never_markup():
    """Names and reasons that look like HTML, templates or headers stay text."""
    evil = '<script>alert(1)</script>{{ 7*7 }}%(x)s & "q"\r\nBcc: x'
    node = replace_plan(NODES[0], name=evil)
    state = world(checkout=Health.DEAD)
    state.plan = Plan(services=(ServicePlan("pay", evil, (node,)),))
    notice = say(
        message("opened", replace_words(hit(), Reason(ReasonCode.NO_ANSWER, evil))),
        state,
        Info(company=evil, name=evil),
    )

    assert "<script>" not in notice.html
    assert "49" not in notice.html
    assert '{{ 7*7 }}%(x)s & "q" Bcc: x' in notice.title
    assert "script" not in Tags(notice.html).tags
    assert all("\n" not in said for said in (notice.title, notice.headline, *notice.lines))


def replace_plan(plan, **changes):
    return type(plan)(**{f: getattr(plan, f) for f in plan.__struct_fields__} | changes)


def replace_words(words, reason):
    words.reason = reason
    return words


@pytest.mark.parametrize(
    ("nodes", "title", "headline"),
    [
        ([hit(total=1, replicas=(1,))], "DOWN: Checkout (Acme)", "Checkout is down"),
        ([hit(replicas=(2,))], "DOWN: Checkout, replica 2 (Acme)", "Checkout is partly down"),
        ([hit(replicas=(1, 3))], "DOWN: Checkout, replicas 1 and 3 (Acme)", "Checkout is partly down"),
        (
            [hit(replicas=tuple(range(1, 11)), more=20, total=40)],
            "DOWN: Checkout, 30 of 40 replicas (Acme)",
            "Checkout is partly down",
        ),
        ([hit(), hit("pay/invoicing")], "DOWN: Checkout and Invoicing (Acme)", "Checkout and Invoicing are down"),
        ([hit(), hit("pay/invoicing"), hit("web/search")], "DOWN: everything (Acme)", "Everything is down"),
        (
            [hit("web/search", Health.SICK, "slow", "5", (2,))],
            "SICK: Search, replica 2 (Acme)",
            "Search is slower than usual",
        ),
        (
            [hit("web/search", Health.SICK, "cpu", "90%", (2,))],
            "SICK: Search, replica 2 (Acme)",
            "Search is overloaded",
        ),
        (
            [hit("web/search", Health.SICK, "certificate", "2026-12-03", (2,))],
            "SICK: Search, replica 2 (Acme)",
            "Search is sick",
        ),
    ],
)
def test_titles_name_what_they_can(nodes, title, headline):
    """Up to two nodes by name, replicas by number, then counts; one outage of everything is said as such."""
    notice = say(message("opened", *nodes))

    assert (notice.title, notice.headline) == (title, headline)


@pytest.mark.parametrize(
    ("code", "value", "health", "sentence"),
    [
        ("no_answer", "10", Health.DEAD, "No answer since 14:02 UTC"),
        ("refused", "", Health.DEAD, "Connection refused since 14:02 UTC"),
        ("status", "503", Health.DEAD, "Error 503 since 14:02 UTC"),
        ("slow", "5", Health.SICK, "Slower than 5 s since 14:02 UTC"),
        ("certificate", "2026-12-03", Health.SICK, "Its certificate ends on 3 December 2026"),
        ("certificate", "soon", Health.DEAD, "Its certificate has not been valid since 14:02 UTC"),
        ("cpu", "90%", Health.SICK, "Processor above 90 % since 14:02 UTC"),
        ("silent", "", Health.DEAD, "Not reporting since 14:02 UTC"),
        ("agent_silent", "", Health.DEAD, "Its monitor has been silent since 14:02 UTC"),
        ("reported", "", Health.DEAD, "Reported as dead since 14:02 UTC"),
        (ReasonCode("something new"), "", Health.DEAD, "Dead since 14:02 UTC"),
        (ReasonCode("something new"), "", Health.SICK, "Sick since 14:02 UTC"),
    ],
)
def test_every_reason_has_words(code, value, health, sentence):
    """Each code is said as on the page."""
    assert (
        say(message("opened", hit(health=health, code=code, value=value))).lines[0] == f"{sentence}, 3 of 3 replicas."
    )


def test_three_hundred_nodes_are_one_short_message():
    """Beyond a few nodes there are counts, and at most as many rows as the message lists."""
    state = world()
    keys = [f"pay/n{i}" for i in range(300)]
    state.nodes |= {key: Node(key, Ledger(0, 0), Health.DEAD) for key in keys}
    notice = say(message("opened", *(hit(k, replicas=(1,), total=1) for k in keys[:20]), more=280), state)

    assert notice.title == "DOWN: 300 of 303 nodes (Acme)"
    assert notice.headline == "300 of 303 nodes are down"
    assert notice.lines[:2] == ("300 nodes are affected, the first since 14:02 UTC.", "Everything else is working.")
    assert len(notice.affected) == 20
    assert notice.more == 280
    assert "280 more nodes" in notice.text
    assert len(notice.html) < 40_000


def test_at_most_ten_replicas_are_named():
    """The rest is counted."""
    notice = say(message("opened", hit(replicas=tuple(range(1, 11)), more=20, total=40)))

    assert len(notice.affected[0].replicas) == 10
    assert notice.affected[0].more == 20
    assert "20 more replicas" in notice.text


def test_each_replica_says_why():
    """As long as a replica is still in the state that is told of, its own reason stands beside it."""
    state = world(checkout=Health.DEAD)
    state.nodes["pay/checkout"].replicas |= {
        "https://b.example/": Replica(
            "https://b.example/", 2, Health.DEAD, T0, Reason(ReasonCode.STATUS, "answered 503", "503")
        ),
        "https://c.example/": Replica("https://c.example/", 3, Health.HEALTHY, T0 + 60),
    }
    text = say(message("opened", hit()), state).text

    assert "https://b.example/: answered 503" in text
    assert "https://c.example/: no answer within 10 s" in text


def test_it_grows():
    """What joins later is told as such."""
    notice = say(
        message("grew", hit("pay/invoicing", replicas=(1,), total=1)),
        world(checkout=Health.DEAD, invoicing=Health.DEAD),
    )

    assert notice.title == "ALSO DOWN: Invoicing (Acme)"
    assert notice.headline == "Invoicing is down too"
    assert "1 of 3 nodes is working." in notice.lines


def test_what_joins_alone_is_not_too():
    """The others are well again, or were only sick: nothing else is down."""
    notice = say(message("grew", hit("pay/invoicing", replicas=(1,), total=1)), world(search=Health.SICK))

    assert notice.title == "DOWN: Invoicing (Acme)"
    assert notice.headline == "Invoicing is down"


@pytest.mark.parametrize(
    ("before", "replicas", "headline"),
    [
        (Health.DEAD, (1, 2, 3), "Checkout is completely down now"),
        (Health.SICK, (1, 2, 3), "Checkout is down now"),
        (Health.SICK, (2,), "Checkout is partly down now"),
    ],
)
def test_what_was_bad_before_is_not_also_down(before, replicas, headline):
    """Its receiver knows of it: what is new is how bad it is."""
    node = hit(replicas=replicas)
    node.before = before
    notice = say(message("grew", node))

    assert notice.title.startswith("NOW DOWN: Checkout, replica")
    assert notice.headline == headline


def test_only_what_is_down_is_said_to_be_down():
    """What failed together is one message; what is merely sick in it has a sentence and a line of its own."""
    nodes = hit(), hit("web/search", Health.SICK, "slow", "5", (2,), total=2)
    notice = say(message("opened", *nodes), world(checkout=Health.DEAD, search=Health.SICK))

    assert notice.title == "DOWN: Checkout, replicas 1, 2 and 3 (Acme)"
    assert notice.headline == "Checkout is down"
    assert notice.lines[:3] == (
        "Checkout: No answer since 14:02 UTC, 3 of 3 replicas.",
        "Search: Slower than 5 s since 14:02 UTC, 1 of 2 replicas.",
        "Everything else is working.",
    )
    assert "Websites / Search    Sick since 14:02 UTC: no answer within 10 s\n" in notice.text


def test_several_that_are_partly_down_are_said_to_be_so():
    """As on the page; also in the reminder."""
    nodes = hit(replicas=(1,)), hit("pay/invoicing", replicas=(2,), total=2)
    opened, reminder = (say(message(kind, *nodes)) for kind in ("opened", "reminder"))

    assert opened.title == "PARTLY DOWN: Checkout and Invoicing (Acme)"
    assert opened.headline == "Checkout and Invoicing are partly down"
    assert reminder.headline == "Checkout and Invoicing are still partly down"


def test_it_reminds():
    """A reminder says how long it has lasted and when the next comes."""
    notice = say(message("reminder", hit(), next_reminder_at=T0 + 4 * 3600, created_at=T0 + 3720), now=T0 + 3720)

    assert notice.title == "STILL DOWN: Checkout, replicas 1, 2 and 3, for 1 hour 2 minutes (Acme)"
    assert notice.headline == "Checkout is still down"
    assert notice.lines[0] == "It has lasted 1 hour 2 minutes so far."
    assert notice.lines[-1].startswith("We will remind you at 18:02 UTC")


def test_a_part_recovers():
    """Who is back, after how long, and who is not."""
    state = world(invoicing=Health.DEAD)
    notice = say(message("partly", hit(health=Health.HEALTHY, replicas=(), until=T0 + 2280), until=T0 + 2280), state)

    assert notice.title == "UP: Checkout after 38 minutes (Acme)"
    assert notice.headline == "Checkout is back, but not everything"
    assert "Not well yet: Invoicing." in notice.lines


def test_it_recovers():
    """The duration is in the title, the times in the sentence, and there is nothing left to acknowledge."""
    state = world()
    state.open[7].closed_at = T0 + 2280
    state.open[7].nodes["pay/checkout"] = AffectedNode(T0, Health.DEAD, T0 + 2280)
    notice = say(message("recovered", hit(health=Health.HEALTHY, replicas=(), until=T0 + 2280), until=T0 + 2280), state)

    assert notice.title == "UP: Checkout after 38 minutes (Acme)"
    assert notice.headline == "Checkout is back"
    assert notice.lines == ("It was down from 14:02 UTC to 14:40 UTC, for 38 minutes.", "Everything is working.")
    assert notice.links == notice.affected == ()
    assert notice.health is Health.HEALTHY


def ending(error=""):
    """Words of a certificate that nears its end."""
    return NoticeNode("", Health.HEALTHY, T0, Reason(ReasonCode.CERTIFICATE, error, "status.acme.example"))


def over(key="pay/checkout", seconds=20, worst=Health.DEAD, health=Health.HEALTHY, since=T0):
    """Words of a node that is well again, and a state that knows how bad it was."""
    state = world()
    state.open[7].closed_at = since + seconds
    state.open[7].nodes[key] = AffectedNode(since, worst, since + seconds)
    node = NoticeNode(key, health, since, until=since + seconds)
    return node, state, {"until": since + seconds, "since": since}


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("recovered", "It was down at 14:02 UTC, for 20 seconds."),
        ("partly", "Checkout is well again: the trouble was at 14:02 UTC and lasted 20 seconds."),
        ("network", "At 14:02 UTC, for 20 seconds, we could reach nothing outside."),
    ],
)
def test_seconds_have_one_time(kind, line):
    """Not "from 14:02 to 14:02"."""
    node, state, times = over()

    assert say(message(kind, node, **times), state).lines[0] == line


def test_many_that_were_down_for_seconds_have_one_time():
    """The outage as a whole, too."""
    nodes = [over(f"pay/n{i}")[0] for i in range(5)]
    notice = say(message("recovered", *nodes, until=T0 + 20), world())

    assert notice.lines[0] == "The outage was at 14:02 UTC and lasted 20 seconds."


def test_an_end_on_another_day_has_both_dates():
    """Whoever reads it tomorrow need not guess."""
    node, state, times = over(seconds=86400)
    notice = say(message("recovered", node, **times, created_at=T0 + 86400), state, now=T0 + 86400)

    assert notice.lines[0] == "It was down from 14:02 UTC on 23 November to 14:02 UTC on 24 November, for 1 day."


def test_what_was_only_sick_was_never_gone():
    """It is healthy again, not back."""
    node, state, times = over(worst=Health.SICK, seconds=120)
    notice = say(message("recovered", node, **times), state)

    assert notice.title == "HEALTHY AGAIN: Checkout after 2 minutes (Acme)"
    assert notice.headline == "Checkout is healthy again"
    assert notice.lines[0] == "It was sick from 14:02 UTC to 14:04 UTC, for 2 minutes."


@pytest.mark.parametrize("kind", ["recovered", "partly"])
def test_what_is_no_longer_watched_is_not_back(kind):
    """It was taken out of the configuration while it was down."""
    node, state, times = over("pay/old", health=Health.PENDING, seconds=600)
    notice = say(message(kind, node, **times), state)

    assert notice.title == "NO LONGER WATCHED: old (Acme)"
    assert notice.headline == "old is no longer watched"
    assert notice.lines[0] == "It was down from 14:02 UTC to 14:12 UTC, for 10 minutes."


def test_many_recover_at_once():
    """Five nodes are one sentence."""
    nodes = [hit(f"pay/n{i}", Health.HEALTHY, replicas=(), until=T0 + 60) for i in range(5)]
    notice = say(message("recovered", *nodes, until=T0 + 60), world())

    assert notice.title == "UP: 5 of 3 nodes after 1 minute (Acme)"
    assert notice.lines[0] == "The outage went from 14:02 UTC to 14:03 UTC and lasted 1 minute."


def trouble(code, answer="535 5.7.8 authentication failed"):
    """Words of another notifier that takes nothing."""
    said = message("undelivered", incident=0)
    said.trouble = ReceiverTrouble("mail", Trouble(code), answer)
    return said


@pytest.mark.parametrize(
    ("code", "title", "headline", "line"),
    [
        (
            "refused",
            "NOT DELIVERED: “mail” refuses messages (Acme)",
            "“mail” refuses: 535 5.7.8 authentication failed",
            "2 messages are waiting for it.",
        ),
        (
            "vanished",
            "NOT DELIVERED: “mail” is gone from the configuration (Acme)",
            "“mail” is gone from the configuration",
            "“crisp-status outbox retry --to ID” sends what waits to another notifier.",
        ),
        (
            "given_up",
            "NOT DELIVERED: a message for “mail” was given up (Acme)",
            "A message for “mail” was given up: 535 5.7.8 authentication failed",
            "2 messages are waiting for it.",
        ),
    ],
)
def test_of_a_notifier_that_takes_nothing(code, title, headline, line):
    """What it answered, how much waits for it, and what to do."""
    state = world()
    state.outbox = {key: Message(key, "mail", MessageKind.OPENED, T0, T0) for key in ("1", "2")}
    notice = say(trouble(code), state)

    assert (notice.title, notice.headline) == (title, headline)
    assert line in notice.lines


def test_work_begins_and_is_over():
    """Its title, its nodes and its times; nobody is promised that they are healthy."""
    node = NoticeNode("pay/checkout", Health.PENDING, T0)
    told = [message(kind, node, incident=0, until=T0 + 3600) for kind in ("work_begun", "work_over")]
    for said in told:
        said.work, said.work_title = "w", "Database upgrade"
    begun, over = map(say, told)

    assert (begun.title, begun.headline) == ("MAINTENANCE: Database upgrade (Acme)", "Database upgrade has begun")
    assert begun.lines == ("It is planned to last until 15:02 UTC.", "It concerns Checkout.")
    assert (over.title, over.headline) == ("MAINTENANCE OVER: Database upgrade (Acme)", "Database upgrade is over")
    assert over.lines == ("It went from 14:02 UTC to 15:02 UTC and lasted 1 hour.", "It concerned Checkout.")
    assert "ealthy" not in begun.text + over.text


@pytest.mark.parametrize(
    ("said", "title", "line"),
    [
        (
            message("unstable", hit()),
            "UNSTABLE: Checkout (Acme)",
            "Its health changed more than 6 times within 1 hour.",
        ),
        (message("calm", hit()), "CALM: Checkout (Acme)", "It has stopped changing, and it is dead."),
        (
            message("calm", hit(health=Health.HEALTHY)),
            "CALM: Checkout (Acme)",
            "It has stopped changing, and it is healthy.",
        ),
        (message("startup", incident=0), "STARTED: watching begins (Acme)", "It watches 3 nodes."),
        (
            message("test", NoticeNode("", Health.HEALTHY, T0), incident=0),
            "TEST: this is only a test (Acme)",
            "Somebody asked for a test of the notifier “ops”, and it works.",
        ),
        (
            message("network", incident=0, until=T0 + 300),
            "BACK: our own network was gone for 5 minutes (Acme)",
            "From 14:02 UTC to 14:07 UTC, for 5 minutes, we could reach nothing outside.",
        ),
        (
            message("certificate", ending("no answer"), incident=0, until=T0 + 86400 * 5 + 3600),
            "CERTIFICATE: status.acme.example ends in 5 days (Acme)",
            "The last try failed: no answer",
        ),
        (
            message("certificate", ending(), incident=0, until=T0 + 60),
            "CERTIFICATE: that of status.acme.example has ended (Acme)",
            "It ended at 14:03 UTC, and browsers warn of the page.",
        ),
    ],
)
def test_other_kinds(said, title, line):
    """Instability, calm, start, test and our own network each have words, and promise no reminder."""
    notice = say(said)

    assert notice.title == title
    assert line in notice.lines
    assert not any("remind" in said for said in notice.lines)


def test_a_late_message_says_so():
    """Hours late: it says how late, and that the outage is over by now."""
    state = world()
    state.open[7].closed_at = T0 + 2280
    notice = say(message("opened", hit()), state, now=T0 + 120 + 7200)

    assert "This message comes 2 hours late: it could not be delivered before." in notice.lines
    assert "This has ended by now, at 14:40 UTC." in notice.lines
    assert notice.late_seconds == 7200
    assert not any("remind" in line for line in notice.lines)
    assert say(message("opened", hit())).late_seconds == 0


TEXTS = st.text(max_size=40)
TIMES = st.sampled_from([0.0, T0 - 86400 * 400, T0, T0 + 60.5, T0 + 86400])
WORDS = st.builds(
    NoticeNode,
    node=st.sampled_from(["", "pay/checkout", "web/search", "gone/gone", "odd"]),
    health=st.sampled_from(Health),
    since=TIMES,
    reason=st.builds(
        Reason, st.sampled_from(ReasonCode), TEXTS, TEXTS | st.sampled_from(["inf", "nan", "1e999", "2026-02-31"])
    ),
    replicas=st.lists(TEXTS, max_size=3),
    numbers=st.lists(st.integers(0, 99), max_size=3),
    more=st.integers(0, 9),
    total=st.integers(0, 9),
    until=TIMES,
)
KINDS = [kind for kind, about in MESSAGES.items() if about.worded]


@given(
    kind=st.sampled_from(KINDS),
    nodes=st.lists(WORDS, max_size=5),
    health=st.sampled_from(Health),
    incident=st.sampled_from([0, 7, 99]),
    times=st.tuples(TIMES, TIMES, TIMES),
    more=st.integers(0, 500),
    now=st.sampled_from([T0 + 120, T0 + 99999]),
    bare=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_there_are_always_words(kind, nodes, health, incident, times, more, now, bare):
    """Whatever the facts are, and whatever has changed since, a message can be said: no alert is lost for words."""
    since, until, reminder = times
    said = message(
        kind, *nodes, incident=incident, since=since, until=until, health=health, more=more, next_reminder_at=reminder
    )
    notice = say(said, State() if bare else world(checkout=health), now=now)

    assert notice.title.isprintable()
    assert notice.title
    assert notice.headline
    assert notice.text
    assert all(line.strip() for line in notice.lines)
    assert "None" not in notice.title


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_of_message_has_its_facts_and_its_words(kind):
    """Whoever adds a kind says what follows from it, and writes its template; what nobody reads has none."""
    template = house.ROOT / "templates" / "messages" / f"{kind}.txt"

    assert template.exists() is MESSAGES[kind].worded


def test_who_acknowledged_is_told():
    """After an acknowledgement nobody is promised a reminder."""
    state = world(checkout=Health.DEAD)
    state.open[7].acknowledged_at, state.open[7].acknowledged_by = T0 + 60, "Jane"

    assert say(message("grew", hit()), state).lines[-1] == "Jane has acknowledged this, so no reminders will come."


def test_a_notifier_that_is_not_told_of_the_end_is_not_promised_it():
    """Words follow the notifier's own `on`."""
    state = world(checkout=Health.DEAD)
    state.plan = Plan(services=state.plan.services, notifiers=(NotifierPlan("ops", "email", on=("dead",)),))

    assert say(message("opened", hit()), state).lines[-1] == "We will remind you at 15:04 UTC if it is still down."


def test_times_are_the_pages():
    """Zone and date follow the page: what was not today has its date."""
    notice = say(message("opened", hit()), info=Info(timezone="America/New_York"), now=T0 + 86400)

    assert notice.lines[0] == "No answer since 09:02 EST on 23 November, 3 of 3 replicas."


def test_other_languages():
    """Every sentence goes through the catalogue of the language."""

    class Shouting(NullTranslations):
        def gettext(self, message):
            return message.replace("is working", "LÄUFT")

        def ngettext(self, msgid1, msgid2, n):
            return "%(what)s IST WEG" if msgid1 == "%(what)s is down" else super().ngettext(msgid1, msgid2, n)

    notice = say(message("opened", hit()), language="de", catalogues={"de": Shouting()})

    assert notice.headline == "Checkout IST WEG"
    assert "Everything else LÄUFT." in notice.lines
    assert '<html lang="de" dir="ltr">' in notice.html
    assert 'dir="rtl"' in say(message("opened", hit()), language="ar").html


def test_the_operators_own_words(tmp_path):
    """A template of the same name in the operator's folder replaces ours; a broken one costs no alert, and is logged."""
    (tmp_path / "messages").mkdir()
    own = tmp_path / "messages" / "opened.txt"
    own.write_text("Ahoy: {{ m.names }} sank\n")
    notice = say(message("opened", hit()), info=Info(templates=tmp_path))
    assert (notice.title, notice.headline, notice.lines[0][:7]) == ("Ahoy: Checkout sank", "Acme Status", "We will")

    own.write_text("{{ nonsense.x }} {% if %}")
    with capture_logs() as logged:
        notice = say(message("opened", hit()), info=Info(templates=tmp_path, name="Other"))
    assert notice.title.startswith("DOWN: Checkout")
    assert [line["template"] for line in logged] == ["messages/opened.txt"]


def test_what_is_gone_keeps_its_id():
    """A node that left the plan between the event and the words is called by its id."""
    notice = say(message("opened", hit("old/thing", total=1, replicas=(1,))))

    assert notice.title == "DOWN: thing (Acme)"
    assert notice.affected[0].service == "old"


def test_the_thread_is_the_incident():
    """All notices of an incident share a thread; another incident of the same number, later, has another."""
    first, second = say(message("opened", hit())), say(message("reminder", hit()))
    state = world(checkout=Health.DEAD)
    state.open[7].opened_at += 86400

    assert first.thread == second.thread != ""
    assert say(message("opened", hit()), state).thread != first.thread
    assert say(message("test", incident=0)).thread == ""


def test_a_page_without_company_signs_with_its_name():
    """The name of the page stands in for a company that is not given."""
    assert say(message("opened", hit()), info=replace(Info(), company="")).title.endswith("(Acme Status)")


def test_delivery_facts_are_passed_on():
    """Target, escalation, attempt and those who are done come from the message."""
    said = message("reminder", hit(), target="device-1", escalation=2, attempts=3, done=["a"])
    notice = say(said)

    assert (notice.escalation, notice.attempt, notice.done) == (2, 4, ("a",))

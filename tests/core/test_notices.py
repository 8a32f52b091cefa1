"""Who is told what, when, and what holds it back: DESIGN section 6."""

import pytest

from crisp_status.core import events
from crisp_status.core.operator_records import Subscription
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, MAIL, SICK, moment, node, page, said


def well(tell, *nodes, **more):
    """A page on which everything is well, some minutes old, and nobody was told anything."""
    story = tell(*nodes, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    return story.passes("10 min").then()


def test_an_outage_is_told_once_and_its_end_once(tell):
    """After the grouping wait; the recovery says how long it lasted."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD, ago="30 s")
    story.passes("9 s").then().passes("1 s").then("mail: opened web/api=dead")
    story.passes("50 min").then().seen("web/api/1", HEALTHY).passes("9 s").then().passes("1 s")
    (recovered,) = story.owed()

    assert said(recovered) == "mail: recovered web/api=healthy"
    assert (recovered.since, recovered.until) == (moment("2026-11-22 12:09:30"), moment("2026-11-22 13:00:10"))
    story.passes("2 h").then()


def test_a_blip_within_the_wait_is_told_once(tell):
    """Short outages are told, too: as what is over."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD).passes("5 s").seen("web/api/1", HEALTHY)

    story.passes("1 min").then("mail: recovered web/api=healthy")


def test_without_a_wait_it_is_told_at_once(tell):
    """`group_wait = 0`."""
    story = well(tell, node("web/api"), notify={"group_wait": 0.0}).seen("web/api/1", DEAD)

    story.passes("1 s").then("mail: opened web/api=dead")


def test_what_fails_together_is_one_notice(tell):
    """Two services within the wait."""
    story = well(tell, node("a/n"), node("b/n")).seen("a/n", DEAD).passes("5 s").seen("b/n", DEAD)

    story.passes("1 min").then("mail: opened a/n=dead b/n=dead")


def test_a_second_service_dying_later_is_told(tell):
    """Though the page was dead already; each further wait of one incident is twice the last."""
    story = (
        well(tell, node("a/n"), node("b/n"), node("c/n")).seen("a/n", DEAD).passes("20 s").then("mail: opened a/n=dead")
    )
    story.seen("b/n", DEAD).passes("19 s").then().passes("1 s").then("mail: grew b/n=dead")

    story.seen("c/n", DEAD).passes("39 s").then().passes("1 s").then("mail: grew c/n=dead")


def test_a_part_that_is_well_again_is_told(tell):
    """The rest goes on, and its end is told when it comes."""
    story = well(tell, node("a/n"), node("b/n")).seen("a/n", DEAD).seen("b/n", DEAD).passes("1 min")
    story.then("mail: opened a/n=dead b/n=dead").seen("a/n", HEALTHY).passes("1 min").then("mail: partly a/n=healthy")

    story.seen("b/n", HEALTHY).passes("1 min").then("mail: recovered b/n=healthy")


def test_one_recovers_while_another_fails(tell):
    """Both are told."""
    story = well(tell, node("a/n"), node("b/n")).seen("a/n", DEAD).passes("1 min").then("mail: opened a/n=dead")
    story.seen("b/n", DEAD).passes("2 s").seen("a/n", HEALTHY).passes("1 min")

    story.then("mail: grew b/n=dead", "mail: partly a/n=healthy")


def test_a_short_outage_within_a_long_one_is_told(tell):
    """It began and ended within a wait, while something else was down."""
    story = well(tell, node("a/n"), node("b/n")).seen("a/n", DEAD).passes("1 min").then("mail: opened a/n=dead")
    story.seen("b/n", DEAD).passes("5 s").seen("b/n", HEALTHY).passes("1 min").then("mail: partly b/n=healthy")

    story.seen("a/n", HEALTHY).passes("1 min").then("mail: recovered a/n=healthy")


def test_sick_is_told_to_those_who_want_it(tell):
    """And that it became dead, to both."""
    calls = NotifierPlan("calls", "slack", on=("sick", "dead", "recovered"))
    story = well(tell, node("web/api"), notifiers=(MAIL, calls)).seen("web/api/1", SICK).passes("1 min")
    story.then("calls: opened web/api=sick").seen("web/api/1", DEAD).passes("1 min")

    story.then("mail: opened web/api=dead", "calls: grew web/api=dead")
    story.seen("web/api/1", HEALTHY).passes("1 min").then(
        "mail: recovered web/api=healthy", "calls: recovered web/api=healthy"
    )


def test_better_but_not_well_is_no_news(tell):
    """Dead, then sick, then well: told as dead and as over."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD).passes("1 min").then("mail: opened web/api=dead")

    story.seen("web/api/1", SICK).passes("5 min").then().seen("web/api/1", HEALTHY).passes("1 min")
    story.then("mail: recovered web/api=healthy")


@pytest.mark.parametrize(
    ("notifier", "expected"),
    [
        (NotifierPlan("m", "email"), ["opened", "recovered"]),
        (NotifierPlan("m", "email", on=("dead",)), ["opened"]),
        (NotifierPlan("m", "email", on=("recovered",)), []),
        (NotifierPlan("m", "email", on=("unstable",)), []),
        (NotifierPlan("m", "email", services=("web",)), ["opened", "recovered"]),
        (NotifierPlan("m", "email", services=("pay",)), []),
        (NotifierPlan("m", "email", enabled=False), []),
        (NotifierPlan("m", "email", reminders_only=True), ["reminder", "recovered"]),
    ],
)
def test_each_notifier_hears_what_it_listens_to(tell, notifier, expected):
    """`on`, `services`, `enabled`, `reminders_only`."""
    story = well(tell, node("web/api"), notifiers=(notifier,), notify={"reminder_interval": 3600.0 if not expected or
                 "reminder" in expected else 0.0})  # fmt: skip
    story.seen("web/api/1", DEAD).passes("70 min").seen("web/api/1", HEALTHY).passes("1 min")

    assert [m.kind for m in story.owed()] == expected


def test_one_that_is_switched_off_hears_no_end_either(tell):
    """It was on when it began."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD).passes("1 min").then("mail: opened web/api=dead")
    story.reloads(page(node("web/api"), notifiers=(NotifierPlan("mail", "email", enabled=False),)))

    story.seen("web/api/1", HEALTHY).passes("1 min").then()


def test_what_was_not_told_before_a_maintenance_is_told_after_it(tell):
    """It died a moment before the work began; when that is over and a look still finds it dead, it is told."""
    story = well(tell, node("web/api"), node("web/db")).seen("web/api/1", DEAD).passes("5 s")
    story.announced(lasts="30 min", maintenance=["web/api"]).passes("29 min").is_held("maintenance")

    story.passes("61 s").then().seen("web/api/1", DEAD).passes("5 s").then("mail: opened web/api=dead")


def test_what_broke_and_healed_within_a_maintenance_is_not_told(tell):
    """Not even when the incident goes on after it."""
    story = well(tell, node("a/n"), node("b/n")).announced(lasts="10 min", maintenance=["b"])
    story.seen("a/n", DEAD).seen("b/n", DEAD).passes("1 min").then("mail: opened a/n=dead").seen("b/n", HEALTHY)

    story.passes("30 min").then().seen("a/n", HEALTHY).passes("1 min").then("mail: recovered a/n=healthy")


def test_the_end_of_what_was_told_is_told_also_within_a_maintenance(tell):
    """Whoever heard of the beginning hears of the end."""
    story = well(tell, node("web/api")).seen("web/api/1", DEAD).passes("1 min").then("mail: opened web/api=dead")
    story.announced(lasts="30 min", maintenance=["web"]).seen("web/api/1", HEALTHY)

    story.passes("1 min").then("mail: recovered web/api=healthy")


def cluster(tell):
    """A router, and 40 services with 300 replicas behind it."""
    sizes = [8] * 20 + [7] * 20
    behind = [node(f"s{n}/app", size, depends_on=("net/router",)) for n, size in enumerate(sizes)]
    return well(tell, node("net/router"), *behind)


def test_a_dead_router_with_300_replicas_behind_it_is_one_notice(tell):
    """All in one cycle; the first dependant makes us look at the router, which takes a verdict. One more at the end."""
    story = cluster(tell)
    for number in range(40):
        story.seen(f"s{number}/app", DEAD, ago="31 s").passes("3 s")
        if number == 10:
            story.seen("net/router", DEAD, ago="31 s")
    story.passes("10 min").then("mail: opened net/router=dead")
    assert sum(story.node(f"s{n}/app").counts[DEAD] for n in range(40)) == 300

    for key in list(story.state.nodes):
        story.seen(key, HEALTHY)
    story.passes("5 min").then("mail: recovered net/router=healthy")


def test_dependants_that_do_not_recover_with_the_router_are_told(tell):
    """They are given one look and one verdict."""
    story = well(tell, node("net/router"), node("web/api", depends_on=("net/router",)))
    story.seen("net/router", DEAD).seen("web/api", DEAD).passes("5 min").then("mail: opened net/router=dead")
    story.is_held("depends on net/router").seen("net/router", HEALTHY)
    story.passes("2 min").then("mail: partly net/router=healthy")

    story.passes("2 min").then("mail: grew web/api=dead")


def test_a_dependant_alone_is_told_after_the_time_of_a_verdict(tell):
    """The router may turn out to be dead until then."""
    story = well(tell, node("net/router"), node("web/api", depends_on=("net",))).seen("web/api", DEAD, ago="31 s")
    story.passes("35 s").is_held("depends on net")

    story.passes("5 s").then("mail: opened web/api=dead")


def test_what_it_depends_on_may_be_gone(tell):
    """A reload took the router away: nothing is held back for it."""
    story = well(tell, node("net/router"), node("web/api", depends_on=("net/router",)))
    story.seen("net/router", DEAD).seen("web/api", DEAD).passes("5 min").then("mail: opened net/router=dead")
    story.reloads(page(node("web/api", depends_on=("net/router",)))).passes("1 min")

    story.then("mail: grew web/api=dead", "mail: partly net/router=pending")


def test_a_silence_with_a_scope_holds_every_notice_of_it(tell):
    """Of a node or a service; when it ends, what is still dead is told."""
    story = well(tell, node("web/api"), node("pay/card")).silenced("10 min", "web").seen("web/api", DEAD)
    story.passes("9 min").is_held("silenced").seen("pay/card", DEAD).passes("20 s").then("mail: opened pay/card=dead")

    story.passes("1 min").then("mail: opened web/api=dead")


def test_why_somebody_is_not_told_can_be_read(tell):
    """For each notifier and node, the first reason that holds."""
    from crisp_status.core.holds import why_held

    others = [
        NotifierPlan("off", "email", enabled=False),
        NotifierPlan("late", "email", reminders_only=True),
        NotifierPlan("elsewhere", "email", services=("pay",)),
        NotifierPlan("picky", "email", on=("unstable",)),
    ]
    story = (
        well(tell, node("web/api"), node("web/gone"), notifiers=(MAIL, *others))
        .seen("web/api", DEAD)
        .seen("web/gone", DEAD)
    )
    story.reloads(page(node("web/api"), notifiers=(MAIL, *others)))

    assert why_held(story.world, story.incident, story.now) == [
        ("mail", "web/api", "grouping wait"),
        ("off", "web/api", "notifier is off"),
        ("late", "web/api", "notifier gets reminders only"),
        ("elsewhere", "web/api", "service is not routed to this notifier"),
        ("picky", "web/api", "notifier is not told of dead"),
    ]
    story.passes("1 min")
    assert ("mail", "web/api", "grouping wait") not in why_held(story.world, story.incident, story.now)


def test_between_the_end_of_a_hold_and_the_next_recheck_nothing_holds_it(tell):
    """It is told within five seconds."""
    from crisp_status.core.holds import all_held

    story = well(tell, node("web/api")).silenced("1 h", "web").seen("web/api", DEAD).passes("31 s")
    assert all_held(story.world) == [(1, "mail", "web/api", "silenced")]
    story.happens(events.Unsilenced(id="quiet"))

    assert all_held(story.world) == []
    story.passes("5 s").then("mail: opened web/api=dead")


def test_the_start_is_told_when_wanted(tell):
    """To those who hear of deaths; not after a reload."""
    quiet = NotifierPlan("quiet", "email", on=("sick",))
    story = tell(node("web/api"), notifiers=(MAIL, quiet), notify={"startup": True}).then("mail: startup pending")

    story.reloads(story.plan).then()
    story.restarts().then("mail: startup pending")


def test_a_notice_names_the_worst_and_counts_the_rest(tell):
    """At most ten replicas and twenty nodes, with the reason of the first."""
    nodes = [node(f"web/n{n:02}", 2) for n in range(25)]
    story = well(tell, *nodes)
    for number in range(25):
        story.seen(f"web/n{number:02}/1", DEAD, reason="refused")
    (message,) = story.passes("1 min").owed()

    assert (len(message.nodes), message.more) == (20, 5)
    assert [len(w.replicas) for w in message.nodes] == [1] * 10 + [0] * 10
    assert [w.more for w in message.nodes] == [0] * 10 + [1] * 10
    assert (message.nodes[0].reason.code, message.nodes[0].numbers, message.nodes[0].total) == ("refused", [1], 2)
    assert message.health is DEAD


def test_removed_nodes_end_what_was_told_of_them(tell):
    """A reload without them: their names still stand in the notice of the end."""
    story = (
        well(tell, node("web/api"), node("web/db"))
        .seen("web/api", DEAD)
        .passes("1 min")
        .then("mail: opened web/api=dead")
    )

    story.reloads(page(node("web/db"))).passes("1 min").then("mail: recovered web/api=pending")


def test_a_node_that_moves_to_another_mode_begins_anew(tell):
    """What it was is over."""
    story = (
        well(tell, node("web/api"), node("web/db"))
        .seen("web/api", DEAD)
        .passes("1 min")
        .then("mail: opened web/api=dead")
    )

    story.reloads(page(node("web/api", mode="push"), node("web/db"))).passes("1 min").then(
        "mail: recovered web/api=pending"
    )


def test_nobody_to_tell_is_fine(tell):
    """No notifiers at all: incidents open and close."""
    story = well(tell, node("web/api"), notifiers=()).seen("web/api", DEAD).passes("1 min").seen("web/api", HEALTHY)

    assert len(story.passes("1 min").then().state.closed) == 1


def test_each_device_of_its_operators_is_told(tell):
    """A push notifier has a message for each; devices of others hear nothing; a device that goes takes what it is owed."""
    phones = NotifierPlan("phones", "push", operators=("jane",))
    story = well(tell, node("web/api"), notifiers=(phones,), operators=("jane", "joe"))
    for id, operator in (("a", "jane"), ("b", "jane"), ("c", "joe")):
        story.happens(
            events.Subscribed(subscription=Subscription(id, operator, f"https://push.example/{id}", "p", "s", 0.0))
        )
    story.seen("web/api", DEAD).passes("1 min").then("phones@a: opened web/api=dead", "phones@b: opened web/api=dead")
    story.happens(events.Unsubscribed(id="a"))

    assert [m.target for m in story.state.outbox.values()] == ["b"]
    assert (story.state.attempts[-1].outcome, story.state.attempts[-1].detail) == ("refused", "the device is gone")
    story.refused(events.Unsubscribed(id="a"))


def test_devices_are_known_by_their_endpoint(tell):
    """The same one again replaces its older self; of an unknown operator, or one too many, it is refused."""
    story = tell(node("web/api"), operators=("jane",))

    def device(id, operator="jane", endpoint="https://push.example/x"):
        return events.Subscribed(subscription=Subscription(id, operator, endpoint, "p", "s", 0.0))

    story.happens(device("a")).happens(device("b"))
    assert list(story.state.subscriptions) == ["b"]
    story.refused(device("c", "nobody"))
    for number in range(999):
        story.happens(device(str(number), endpoint=f"https://push.example/{number}"))
    story.refused(device("more", endpoint="https://push.example/more"))


def test_a_removed_operator_loses_its_devices(tell):
    """A reload without it."""
    story = tell(node("web/api"), operators=("jane", "joe"))
    for id in ("jane", "joe"):
        story.happens(events.Subscribed(subscription=Subscription(id, id, f"https://push.example/{id}", "p", "s", 0.0)))
    story.reloads(page(node("web/api"), operators=("joe",)))

    assert list(story.state.subscriptions) == ["joe"]


def test_the_end_of_a_certificate_is_told_twice(tell):
    """When a sixth of its life is left, again when a twentieth is; not more, until another one nears its end."""

    def ending(ends_at, **more):
        return events.CertificateEnding(domain="status.example.org", ends_at=ends_at, **more)

    story = well(tell, node("web/api"))
    (message,) = story.happens(ending(9e9, error="no answer")).owed()
    assert said(message) == "mail: certificate"
    assert (message.until, message.nodes[0].reason.text) == (9e9, "no answer")
    story.refused(ending(9e9))

    assert len(story.happens(ending(9e9, urgent=True)).owed()) == 1
    story.refused(ending(9e9, urgent=True)).refused(ending(9e9))
    assert len(story.happens(ending(9.1e9)).owed()) == 1


def test_our_network_is_told_when_it_is_back(tell):
    """Nothing was judged meanwhile; the notice says since when."""
    story = (
        well(tell, node("web/api")).happens(events.NetworkLost()).refused(events.NetworkLost()).passes("10 min").then()
    )
    (message,) = story.happens(events.NetworkBack()).owed()

    assert said(message) == "mail: network healthy"
    assert (message.since, message.until) == (moment("2026-11-22 12:10:00"), moment("2026-11-22 12:20:00"))
    story.refused(events.NetworkBack())


class TestLooksBesideIt:
    """From the first failed attempt on neighbours are looked at; the grouping wait lasts as long as that, but not longer than
    one look may take.
    """

    def crowd(self, tell):
        """Three nodes, with looks of half a minute."""
        nodes = [node(f"s{n}/api", delay_dead=10.0, retry=2, retry_wait=0.5) for n in range(3)]
        story = tell(*nodes)
        for n in range(3):
            story.seen(f"s{n}/api", HEALTHY)
        return story

    def begun(self, story, key="s0/api", lasts=31.0):
        story.happens(events.LooksBegun(node=key, replica="1", until=story.now + lasts))
        return story.seen(key, DEAD)

    def test_one_notice_says_what_they_found(self, tell):
        """Although the last of them is dead only after the usual wait."""
        story = self.begun(self.crowd(tell)).passes("20 s").then().seen("s1/api", DEAD).seen("s2/api", DEAD)
        story.happens(events.LooksEnded(node="s0/api", replica="1"))
        story.passes("1 s").then("mail: opened s0/api=dead s1/api=dead s2/api=dead").replays()

    def test_nobody_waits_longer_than_one_look_takes(self, tell):
        """Though failures of others keep looks going for ever."""
        story = self.begun(self.crowd(tell), lasts=3600.0)
        story.passes("40 s").then().passes("10 s").then("mail: opened s0/api=dead").replays()

    def test_looks_whose_end_was_never_said_are_over_at_their_time(self, tell):
        """A reload may have forgotten them."""
        story = self.begun(self.crowd(tell), lasts=15.0)
        story.passes("14 s").then().passes("2 s").then("mail: opened s0/api=dead").replays()

    def test_looks_beside_others_hold_nothing_back(self, tell):
        """Somebody else's first attempt failed."""
        story = self.crowd(tell)
        story.happens(events.LooksBegun(node="s2/api", replica="1", until=story.now + 31.0))
        story.seen("s0/api", DEAD).passes("11 s").then("mail: opened s0/api=dead").replays()

    def test_a_recovery_waits_for_no_look(self, tell):
        """It is told when it would be told without them."""
        plain = self.crowd(tell).seen("s0/api", DEAD).passes("3 s").seen("s0/api", HEALTHY).passes("2 min")
        story = self.begun(self.crowd(tell), lasts=3600.0).passes("3 s").seen("s0/api", HEALTHY).passes("2 min")
        assert [(m.kind, m.created_at) for m in story.owed()] == [(m.kind, m.created_at) for m in plain.owed()]
        story.replays()

"""Flap damping: said once that it flaps, once that it is calm, nothing between. DESIGN section 6."""

from crisp_status.core import events
from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, MAIL, SICK, node, said


def flap(story, path, minutes, pause="150 s"):
    """It dies and recovers for so long."""
    until = story.now + minutes * 60
    while story.now < until:
        story.seen(path, DEAD).passes(pause).seen(path, HEALTHY).passes(pause)
    return story


def steady(tell, *nodes, **more):
    """All well."""
    story = tell(*nodes, **more)
    for key in story.state.nodes:
        story.seen(key, HEALTHY)
    return story


def test_flapping_for_an_hour_is_two_notices(tell):
    """Once the seventh change within an hour came: "unstable", then nothing until it is calm."""
    story = flap(steady(tell, node("web/api")), "web/api/1", 15)
    before = [m.kind for m in story.owed()]
    flap(story, "web/api/1", 60)
    kinds = [m.kind for m in story.passes("2 h").owed()]

    assert before == ["opened", "recovered"] * 3
    assert kinds == ["unstable", "calm"]
    assert story.last.closed_at
    assert [e.what for e in story.last.timeline if e.node][-1] == "calm"


def test_dead_is_never_called_calm(tell):
    """It is told to be down, reminders follow, and its end is told when it comes."""
    story = flap(steady(tell, node("web/api")), "web/api/1", 20)
    story.owed()
    story.seen("web/api/1", DEAD).passes("1 h").then("mail: grew web/api=dead")

    story.passes("59 min").seen("web/api/1", HEALTHY).passes("1 min")
    assert [said(m) for m in story.owed()] == ["mail: reminder web/api=dead", "mail: recovered web/api=healthy"]


def test_while_it_flaps_its_death_is_not_told(tell):
    """And that is the reason an operator reads."""
    story = flap(steady(tell, node("web/api")), "web/api/1", 20)
    story.owed()

    story.seen("web/api/1", DEAD).passes("4 min").then()
    from crisp_status.core.holds import why_held

    story.happens()
    assert why_held(story.world, story.incident, story.now) in ([], [("mail", "web/api", "flapping")])


def test_others_are_told_as_ever(tell):
    """Flapping holds back its own node only."""
    story = flap(steady(tell, node("web/api"), node("pay/card")), "web/api/1", 20)
    story.owed()

    story.seen("pay/card", DEAD).passes("1 min").then("mail: grew pay/card=dead")


def test_many_replicas_that_each_died_once_do_not_flap(tell):
    """It is each replica's own changes that count, both for flapping and for calm."""
    story = steady(tell, node("web/api", 20), notify={"group_wait": 60.0})
    for number in range(1, 21):
        story.seen(f"web/api/{number}", DEAD).passes("1 min")
    assert not story.node("web/api").unstable

    flap(story, "web/api/1", 20)
    assert story.node("web/api").unstable
    story.passes("30 min")
    for number in range(2, 21):
        story.seen(f"web/api/{number}", HEALTHY).passes("90 s")
    assert not story.node("web/api").unstable


def test_without_a_limit_nothing_flaps(tell):
    """`flap_changes = 0`: each outage is told."""
    story = flap(steady(tell, node("web/api"), notify={"flap_changes": 0}), "web/api/1", 60)

    assert [m.kind for m in story.owed()] == ["opened", "recovered"] * 12


def test_a_slow_one_does_not_flap(tell):
    """Seven changes in more than an hour."""
    story = flap(steady(tell, node("web/api")), "web/api/1", 180, pause="15 min")

    assert "unstable" not in [m.kind for m in story.owed()]


def test_who_listens_to_flapping(tell):
    """Those of deaths, and those who asked for it alone; and only they hear that it is calm."""
    asked = NotifierPlan("asked", "email", on=("unstable",))
    sick = NotifierPlan("sick", "email", on=("sick", "recovered"))
    story = flap(steady(tell, node("web/api"), notifiers=(MAIL, asked, sick)), "web/api/1", 20).passes("2 h")
    kinds = {}
    for message in story.owed():
        kinds.setdefault(message.notifier, []).append(message.kind)

    assert kinds["mail"][-2:] == ["unstable", "calm"]
    assert kinds["asked"] == ["unstable", "calm"]
    assert "unstable" not in kinds["sick"]


def test_a_flapping_router_is_one_story(tell):
    """What depends on it flaps with it, and nobody is told of that, nor that it is calm."""
    story = steady(tell, node("net/router"), node("web/api", depends_on=("net/router",)))
    for _ in range(12):
        story.seen("net/router", DEAD).passes("5 s").seen("web/api", DEAD).passes("2 min")
        story.seen("net/router", HEALTHY).passes("5 s").seen("web/api", HEALTHY).passes("2 min")
    about = [said(m) for m in story.passes("2 h").owed() if m.kind in {"unstable", "calm"}]

    assert about == ["mail: unstable net/router=dead", "mail: calm net/router=healthy"]


def test_a_dependant_that_flaps_alone_is_told_of(tell):
    """What it depends on is fine."""
    story = steady(tell, node("net/router"), node("web/api", depends_on=("net/router",)))
    flap(story, "web/api/1", 20)

    assert [said(m) for m in story.owed() if m.kind == "unstable"] == ["mail: unstable web/api=dead"]


def test_announced_work_may_flap(tell):
    """In a maintenance or a silence nobody is told; when the work is over and it is calm, nobody is told of that."""
    story = steady(tell, node("a/n"), node("b/n")).announced(lasts="1 h", maintenance=["a"]).silenced("2 h", "b")
    flap(story, "a/n/1", 20)
    flap(story, "b/n/1", 20).passes("2 h").then()


def test_who_heard_of_the_outage_hears_of_its_end(tell):
    """Also within a maintenance, in which nothing counts as flapping."""
    story = flap(steady(tell, node("web/api")), "web/api/1", 10)
    story.owed()
    story.seen("web/api/1", SICK).passes("20 s").seen("web/api/1", DEAD).passes("1 min").then(
        "mail: opened web/api=dead"
    )
    story.announced(lasts="1 h", maintenance=["web"]).seen("web/api/1", HEALTHY)
    assert not story.node("web/api").unstable

    story.passes("1 min").then("mail: recovered web/api=healthy")


def test_what_begins_to_flap_by_silence_is_told_as_it_is(tell):
    """Three replicas of one agent fall silent in the same tick: the message says three, not the first of them."""
    story = tell(node("lan/db", 3, mode="local", silent_dead=30.0))
    for _ in range(4):
        for name in "123":
            story.reported(f"lan/db/{name}", 10.0, health=HEALTHY)
        story.passes("60 s")
    (unstable,) = [m for m in story.owed() if m.kind == "unstable"]

    assert unstable.nodes[0].numbers == [1, 2, 3]


def test_who_heard_of_the_outage_but_not_of_the_flapping_hears_of_its_end(tell):
    """The node was silenced when it began to flap: nobody is told of that, nor that it is calm."""
    story = flap(steady(tell, node("web/api")), "web/api/1", 10).seen("web/api/1", DEAD).passes("1 min")
    assert [m.kind for m in story.owed()][-1] == "opened"
    story.silenced("20 min", "web").seen("web/api/1", HEALTHY).passes("5 s").seen("web/api/1", DEAD).passes("1 min")
    assert story.node("web/api").unstable
    story.seen("web/api/1", HEALTHY).passes("2 h")

    assert [said(m) for m in story.owed()] == ["mail: recovered web/api=healthy"]


def test_a_removed_node_no_longer_flaps(tell):
    """A reload without it ends its incident."""
    from tests.core.story import page

    story = flap(steady(tell, node("web/api"), node("web/db")), "web/api/1", 20)
    story.owed()
    story.reloads(page(node("web/db"))).passes("1 min")

    assert story.state.unstable == []
    assert story.state.open == {}


def test_what_ends_with_its_flapping_waits_for_no_look(tell):
    """Looks beside its last death are under way: calm is all there is to say, and the incident is over in that second."""
    api = node("web/api", delay_dead=10.0, retry=2, retry_wait=0.5)
    story = flap(steady(tell, api).at("12:28:50"), "web/api/1", 1, pause="5 s")
    story.at("12:29:58").seen("web/api/1", DEAD).at("12:29:59").seen("web/api/1", HEALTHY)
    story.at("12:30:00").seen("web/api/1", DEAD).at("12:31:30").seen("web/api/1", HEALTHY)
    story.at("13:29:40").owed()
    story.happens(events.LooksBegun(node="web/api", replica="1", until=story.now + 31.0))
    story.seen("web/api/1", DEAD).at("13:29:58").seen("web/api/1", HEALTHY).at("13:29:59").then()
    assert 0.0 < story.incident.settle_at < story.now

    story.at("13:30:00").then("mail: calm web/api=healthy")
    assert not story.state.open
    story.replays()

"""Is it them or is it us: replicas that several networks see, DESIGN section 8.2."""

from itertools import product

import pytest

from crisp_status.core import events
from crisp_status.core.latency import scaled
from crisp_status.core.model import LATENCY_SLOTS, Reason, ReasonCode
from crisp_status.core.policy import PlacePlan
from crisp_status.core.step_outcome import Durability
from tests.core.story import DEAD, HEALTHY, PENDING, SICK, moment, node, page

PLACES = ("here", "fra", "nyc")
FRA, NYC = PlacePlan("fra", "Frankfurt"), PlacePlan("nyc", "New York")
API = "web/api/1"


def seen_from(*places, quorum=2, replicas=1, others=(FRA, NYC), **more):
    """A page whose node `web/api` is seen from these places."""
    return page(node("web/api", replicas, places=places or PLACES, quorum=quorum), places=tuple(others), **more)


@pytest.fixture
def watched(tell):
    """Three places, a quorum of two, and everybody sees it healthy."""
    story = tell(plan=seen_from())
    for place in PLACES:
        story.votes(place, API, HEALTHY)
    return story


SEEN = ("healthy", "sick", "dead", "silent", "never seen")


def expected(seen, quorum):
    """The four sentences of DESIGN 8.2, by counting; None: unknown, and held."""
    dead, sick, well = (seen.count(word) for word in ("dead", "sick", "healthy"))
    if dead >= quorum:
        return DEAD
    if dead + sick >= quorum:
        return SICK
    others = len(seen) - well  # even if all of these called it bad
    return HEALTHY if others < quorum else None


@pytest.mark.parametrize("quorum", [1, 2, 3])
@pytest.mark.parametrize("seen", list(product(SEEN, repeat=3)), ids="-".join)
def test_what_three_places_say_of_one_replica(tell, seen, quorum):
    """Every combination, in whatever order they come: what was pending stays pending without a quorum."""
    story = tell(plan=seen_from("ams", "fra", "nyc", quorum=quorum, others=(PlacePlan("ams", "Amsterdam"), FRA, NYC)))
    silent = [place for place, word in zip(("ams", "fra", "nyc"), seen, strict=True) if word == "silent"]
    for place in silent:
        story.votes(place, API, DEAD)
    story.passes("61 s")
    before = story.replica(API).health
    for place, word in zip(("ams", "fra", "nyc"), seen, strict=True):
        if word in {"healthy", "sick", "dead"}:
            story.votes(place, API, {"healthy": HEALTHY, "sick": SICK, "dead": DEAD}[word])
    replica, said = story.replica(API), expected(seen, quorum)

    assert replica.unknown == (said is None)
    assert replica.health is (before if said is None else said)
    assert before is (DEAD if len(silent) >= quorum else PENDING)


def test_one_place_that_cannot_reach_it_is_no_outage(watched):
    """It stays healthy, nobody is told, and what that place sees is known."""
    for _ in range(20):
        watched.votes("nyc", API, DEAD).hears("fra").passes("30 s")

    assert watched.replica(API).health is HEALTHY
    assert watched.then().replica(API).failures[-1].text == "New York: no answer"


def test_two_of_three_make_it_dead_and_the_incident_says_who_saw_what(watched):
    """The message and the timeline name the places."""
    watched.passes("30 s").votes("fra", API, DEAD).passes("1 s").votes("here", API, DEAD)

    assert [(s.place, s.health) for s in watched.incident.timeline[0].seen_from] == [
        ("Frankfurt", DEAD),
        ("New York", HEALTHY),
        ("", DEAD),
    ]
    (message,) = watched.passes("11 s").owed()
    assert message.nodes[0].seen_from == watched.incident.timeline[0].seen_from


def test_replicas_that_are_seen_otherwise_share_no_sentence(tell):
    """What is not so of all of them is said of none, on a line and in a message."""
    story = tell(plan=seen_from(replicas=2))
    for place, (first, second) in {"here": (DEAD, DEAD), "fra": (DEAD, HEALTHY), "nyc": (HEALTHY, DEAD)}.items():
        story.votes(place, "web/api/1", first).votes(place, "web/api/2", second)

    assert [line.seen_from for line in story.incident.timeline] == [[]]
    assert story.passes("11 s").owed()[0].nodes[0].seen_from == []


def test_dead_begins_with_the_first_failed_look_of_the_vote_that_completed_the_quorum(watched):
    """Whatever order the reports came in, late ones included."""
    watched.passes("2 min").votes("fra", API, DEAD, ago="30 s").votes("nyc", API, DEAD, ago="70 s")

    assert watched.replica(API).since == moment("2026-11-22 12:01:30")
    assert watched.incident.opened_at == moment("2026-11-22 12:01:30")


def test_our_own_uplink_is_gone_and_nobody_is_dead(watched):
    """Here everything looks dead, nothing is heard of the others: here alone decides nothing."""
    watched.votes("here", API, DEAD).passes("10 min")

    assert (watched.replica(API).health, watched.replica(API).unknown) == (HEALTHY, True)
    watched.then("mail: Frankfurt, New York silent")


def test_without_its_network_this_daemon_has_no_vote(watched):
    """What it saw may be its own fault; the others decide alone, and it votes again when it has looked again."""
    watched.votes("here", API, DEAD).happens(events.NetworkLost()).votes("here", API, DEAD)
    assert "here" not in watched.replica(API).votes
    watched.votes("fra", API, DEAD).passes("5 s")
    assert watched.replica(API).health is HEALTHY
    watched.happens(events.NetworkBack()).votes("here", API, DEAD)

    assert watched.replica(API).health is DEAD


def test_a_place_is_not_silent_while_our_own_network_is_gone(watched):
    """We do not hear it: it is waited for anew, but what it said so long ago is no vote."""
    watched.happens(events.NetworkLost()).passes("5 min").happens(events.NetworkBack())
    assert watched.replica(API).votes == {}
    watched.passes("30 s").hears("fra").passes("31 s")

    kinds = [message.kind for message in watched.owed()]
    assert kinds == ["network", "place"]


def test_a_place_that_is_killed_is_told_of_once_and_changes_nobodys_health(watched):
    """Its vote is gone, the others have a quorum; when it is back that is told, too."""
    for _ in range(10):
        watched.passes("30 s").votes("here", API, HEALTHY).votes("fra", API, HEALTHY)

    assert (watched.replica(API).health, watched.replica(API).unknown) == (HEALTHY, False)
    watched.then("mail: New York silent").hears("nyc").then("mail: New York back")


def test_a_place_that_comes_and_goes_is_told_of_once_in_the_flap_window(watched):
    """Each silence has its end; the next one is told an hour after the last."""
    for _ in range(20):
        watched.hears("fra").hears("nyc").passes("50 s").hears("fra").passes("12 s")
    watched.then("mail: New York silent", "mail: New York back")
    watched.hears("nyc").passes("1 h", tick=30.0)

    assert [m.kind for m in watched.owed()] == ["place"]


def test_what_a_silent_place_said_is_not_taken_up_again(watched):
    """After its silence only what it looks at anew is a vote."""
    watched.votes("fra", API, DEAD).passes("61 s").hears("fra").votes("here", API, DEAD)

    assert (watched.replica(API).health, watched.replica(API).unknown) == (HEALTHY, True)
    assert watched.votes("fra", API, DEAD).replica(API).health is DEAD


def test_a_place_that_could_not_look_has_no_vote(watched):
    """An error of its own is nobody's death."""
    watched.votes("fra", API, DEAD).votes("fra", API, None).votes("here", API, DEAD)

    assert watched.replica(API).health is HEALTHY
    watched.votes("fra", API, None)
    assert watched.outcome is Durability.VOLATILE  # it had none
    watched.votes("here", API, None)
    assert watched.replica(API).unknown


def test_a_vote_that_is_gone_moves_no_health(watched):
    """Dead from two and sick from the third is dead when one of the two is killed, until somebody looks again."""
    watched.votes("fra", API, DEAD).votes("nyc", API, DEAD).votes("here", API, SICK)
    watched.passes("30 s").hears("fra").passes("31 s")
    assert (watched.replica(API).health, watched.replica(API).unknown) == (DEAD, True)
    watched.votes("here", API, SICK)

    assert (watched.replica(API).health, watched.replica(API).unknown) == (SICK, False)


def test_what_comes_late_or_twice_counts_for_nothing(watched):
    """A batch before the last, one of a run that is over, one of no place: the state is as it was."""
    watched.votes("fra", API, HEALTHY, run="first")
    old = {"place": "fra", "node": "web/api", "replica": "1", "health": DEAD, "since": watched.now}
    watched.refused(events.Voted(run="first", batch=watched.batches - 1, **old))
    watched.votes("fra", API, HEALTHY, run="second")
    watched.refused(events.Voted(run="first", batch=10**6, **old))
    watched.refused(events.PlaceHeard(place="ber", run="x", batch=1))


def test_a_vote_that_says_nothing_new_is_not_written(watched):
    """It refreshes latency; a new reason is written, and the time since when it is so stays."""
    watched.passes("10 s").votes("nyc", API, HEALTHY, latency_ms=80)
    assert watched.outcome is Durability.VOLATILE
    assert watched.replica(API).votes["nyc"].latency_ms == 80
    watched.votes("nyc", API, DEAD).passes("10 s").votes(
        "nyc", API, DEAD, reason=Reason(ReasonCode.STATUS, "503", "503")
    )
    vote = watched.replica(API).votes["nyc"]

    assert watched.outcome is Durability.DURABLE
    assert (vote.since, vote.reason.code) == (moment("2026-11-22 12:00:10"), "status")


def test_latency_is_kept_for_each_place(watched):
    """And for the replica all of them together."""
    watched.votes("fra", API, HEALTHY, latency_ms=20).votes("nyc", API, HEALTHY, latency_ms=100)
    found = watched.node("web/api")

    assert {p: ring.latency_sum / ring.latency_n for p, ring in found.latency_from.items()} == {"fra": 20, "nyc": 100}
    assert list(found.replicas["1"].samples) == [scaled(20), scaled(100)]


def test_who_may_vote(watched):
    """Not for what is not there, not for what it does not look at; the sign of life counts all the same."""
    watched.reloads(seen_from("here", "fra"))
    for place, path in (("nyc", API), ("fra", "web/api/9"), ("fra", "web/nothing/1")):
        watched.votes(place, path, DEAD)
    assert watched.replica(API).health is HEALTHY
    watched.reloads(seen_from("fra", "nyc"))
    assert watched.votes("here", API, DEAD).outcome is Durability.REFUSED


def test_a_plan_takes_votes_away_and_changes_the_quorum(watched):
    """Who is gone has none; what is seen from here alone has no votes at all."""
    watched.votes("fra", API, DEAD, latency_ms=5)
    watched.reloads(seen_from(quorum=1))
    assert watched.replica(API).health is DEAD
    watched.reloads(seen_from("here", "nyc", others=(NYC,)))
    assert (watched.replica(API).health, list(watched.state.places)) == (HEALTHY, ["nyc"])
    assert watched.node("web/api").latency_from is None
    watched.reloads(page(node("web/api")))
    assert (watched.replica(API).votes, watched.state.places) == (None, {})


def test_a_short_restart_keeps_votes_and_a_long_one_does_not(watched):
    """Nobody is silent for the time in which we were away, but what was seen before a long absence is no vote."""
    watched.votes("fra", API, DEAD).restarts("5 s")
    assert watched.passes("10 s").replica(API).health is HEALTHY
    assert set(watched.replica(API).votes) == set(PLACES)
    watched.restarts("10 min").votes("here", API, DEAD)
    assert (watched.replica(API).health, watched.replica(API).unknown) == (HEALTHY, True)
    watched.passes("59 s").then()
    watched.passes("2 s").then("mail: Frankfurt, New York silent")


@pytest.mark.parametrize("length", ["5 h", "-5 h", "20 s", "-20 s"])
def test_a_clock_that_is_set_makes_nobody_dead_and_nobody_silent(watched, length):
    """Times come as ages: a vote of after the jump is as old as it is."""
    watched.votes("nyc", API, DEAD, ago="10 s").jumps(length)
    watched.passes("50 s").hears("fra").hears("nyc").then()
    watched.votes("fra", API, DEAD, ago="3 s").votes("nyc", API, DEAD).votes("here", API, DEAD)

    assert watched.replica(API).health is DEAD
    assert watched.now - 130 <= watched.replica(API).since <= watched.now


def test_a_loop_that_stood_still_hears_nobody_and_nobody_is_silent(watched):
    """What was sent meanwhile is read before anybody is judged."""
    watched.stands_still("90 s").passes("5 s")

    watched.then().hears("nyc").hears("fra").passes("30 s").then()


def test_work_that_ended_is_confirmed_by_a_vote_that_says_nothing_new(watched):
    """Bad when the work ended: the next look counts although the place saw the same before."""
    watched.announced(lasts="10 min", maintenance=["web/api"])
    watched.votes("fra", API, DEAD).votes("nyc", API, DEAD)
    for _ in range(15):
        watched.hears("fra").hears("nyc").passes("41 s")
    assert watched.replica(API).unconfirmed
    watched.votes("nyc", API, DEAD)

    assert not watched.replica(API).unconfirmed
    assert watched.incident.worst is DEAD


def test_a_place_that_was_never_heard_of_is_not_made_fresh_by_a_stop(tell):
    """Standing still gives time to those who were heard; of the others nothing is known, before and after."""
    story = tell(plan=seen_from()).hears("fra").passes("30 s").stands_still("50 s")

    assert story.state.places["fra"].seen_at == story.now - 30.0
    assert story.state.places["nyc"].seen_at == 0.0
    story.passes("10 min").then("mail: Frankfurt silent")


def test_the_mean_of_each_half_hour_is_kept_for_each_place(watched):
    """What is seen in one half hour is one number when the next begins; one in which nothing was seen is 0."""
    watched.votes("fra", API, HEALTHY, latency_ms=20).votes("fra", API, HEALTHY, latency_ms=40)
    first = int(watched.now // 1800.0)
    watched.passes("61 min", tick=20.0).votes("fra", API, HEALTHY, latency_ms=90)
    ring = watched.node("web/api").latency_from["fra"]

    means = [int.from_bytes(ring.latency[2 * (n % LATENCY_SLOTS) :][:2], "little") for n in (first, first + 1)]
    assert means == [30, 0]
    assert (ring.latency_sum, ring.latency_n) == (90, 1)

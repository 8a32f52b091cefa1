"""What is owed goes to its receiver, wherever that stands in the file. DESIGN section 6, delivery."""

from crisp_status.core.policy import NotifierPlan
from tests.core.story import DEAD, HEALTHY, node, page, said


def made(id, target):
    """A notifier whose id the program made."""
    return NotifierPlan(id, "slack", target=target, id_is_written=False)


def owing(tell, *notifiers, **more):
    """All of them are owed the opening; of `a/other` they were told that it is over."""
    story = tell(node("a/n"), node("a/other"), notifiers=notifiers, **more).seen("a/n", DEAD).seen("a/other", DEAD)
    story.passes("1 min").seen("a/other", HEALTHY).passes("1 min")
    story.owed()
    return story


def planned(*notifiers, **more):
    return page(node("a/n"), node("a/other"), notifiers=notifiers, **more)


def receivers(story):
    return [m.notifier for m in story.state.outbox.values()]


def test_a_notifier_written_above_takes_nothing_of_the_one_below(tell):
    """The second one moves on to the next id, with what it is owed and what it was told; the new one hears what is bad."""
    story = owing(tell, made("slack", "one")).reloads(planned(made("slack", "two"), made("slack-2", "one")))
    assert receivers(story) == ["slack-2", "slack-2"]

    story.passes("1 h").passes("1 min").seen("a/n", HEALTHY).passes("1 min")
    new = [said(m) for m in story.owed()]
    assert [line for line in new if line.startswith("slack-2:")] == [
        "slack-2: reminder a/n=dead", "slack-2: recovered a/n=healthy",
    ]  # fmt: skip


def test_two_that_change_places_keep_what_is_theirs(tell):
    """Ids are swapped, in the outbox and in what was told."""
    story = owing(tell, made("slack", "one"), made("slack-2", "two"))
    before = receivers(story)
    story.reloads(planned(made("slack", "two"), made("slack-2", "one")))

    assert receivers(story) == [{"slack": "slack-2", "slack-2": "slack"}[key] for key in before]
    story.passes("1 min").then()


def test_what_is_owed_to_one_that_vanished_goes_to_nobody_else(tell):
    """Another one has its id now; it stays in the outbox under a name of its own."""
    story = owing(tell, made("slack", "one-of-them"), made("slack-2", "two")).reloads(planned(made("slack", "two")))

    assert receivers(story) == ["slack@one-of", "slack", "slack@one-of", "slack"]


def test_one_that_vanished_without_an_heir_keeps_its_name(tell):
    """Nobody has its id."""
    story = owing(tell, made("slack", "one"), made("slack-2", "two")).reloads(planned(made("slack", "one")))

    assert receivers(story) == ["slack", "slack-2", "slack", "slack-2"]


def test_a_written_id_goes_to_the_new_receivers(tell):
    """So mending a wrong address delivers: also when the id was made before, and is written down with the new address."""
    for before in (NotifierPlan("ops", "slack", target="wrong"), made("ops", "wrong")):
        story = owing(tell, before).reloads(planned(NotifierPlan("ops", "slack", target="right")))
        assert receivers(story) == ["ops", "ops"]


def test_writing_an_id_down_loses_nothing(tell):
    """The same receivers under a new name; a written one that is renamed as well."""
    for before in (made("slack", "one"), NotifierPlan("ops", "slack", target="one")):
        story = owing(tell, before).reloads(planned(NotifierPlan("night", "slack", target="one")))
        assert receivers(story) == ["night", "night"]


def test_web_hooks_are_known_by_their_target_too(tell):
    """And a plan of an older version, which has no targets, changes nothing."""
    story = owing(tell, webhooks=("webhook",), hook_targets=(("one", False),))
    story.reloads(planned(webhooks=("webhook", "webhook-2"), hook_targets=(("two", False), ("one", False))))
    assert set(receivers(story)) == {"webhook-2"}

    old = owing(tell, webhooks=("webhook",))
    old.reloads(planned(webhooks=("webhook",), hook_targets=(("one", False),)))
    assert set(receivers(old)) == {"webhook"}


def test_what_flaps_is_told_calm_to_the_same_receiver(tell):
    """Under its new id."""
    story = tell(node("a/n"), node("a/other"), notifiers=(made("slack", "one"),)).seen("a/n", HEALTHY).passes("1 min")
    for _ in range(4):
        story.seen("a/n", DEAD).passes("1 min").seen("a/n", HEALTHY).passes("1 min")
    story.reloads(planned(made("slack", "two"), made("slack-2", "one")))

    assert story.node("a/n").unstable_told == ["slack-2"]


def test_one_that_joins_hears_no_recovery_that_it_never_heard_begin(tell):
    """It hears what is bad now, and its end; so does one that is switched on."""
    first, second = NotifierPlan("first", "slack"), NotifierPlan("second", "slack")
    for before in ((first,), (first, NotifierPlan("second", "slack", enabled=False))):
        story = owing(tell, *before).reloads(planned(first, second)).passes("1 min")
        story.seen("a/n", HEALTHY).passes("5 min")
        heard = [said(m) for m in story.owed() if m.notifier == "second"]
        assert not any("a/other" in line for line in heard)


def test_two_with_the_same_receiver_stay_two(tell):
    """One channel may have an entry for each of its services; a reload mixes nothing up."""
    story = owing(tell, made("slack", "one"), made("slack-2", "one"))
    told = dict(story.incident.told)
    story.reloads(planned(made("slack", "one"), made("slack-2", "one")))
    assert receivers(story) == ["slack", "slack-2", "slack", "slack-2"]
    assert story.incident.told == told

    story.reloads(planned(made("slack", "two"), made("slack-2", "one"), made("slack-3", "one")))
    assert receivers(story) == ["slack-3", "slack-2", "slack-3", "slack-2"]


def test_what_is_owed_to_one_of_two_goes_to_the_one_that_is_left(tell):
    """It is the same receiver, which has a past of its own."""
    story = owing(tell, made("slack", "one"), made("slack-2", "one")).reloads(planned(made("slack", "one")))

    assert receivers(story) == ["slack"] * 4

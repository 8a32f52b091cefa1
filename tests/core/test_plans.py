"""A new plan comes into force: what stays keeps all it knows, what goes leaves nothing behind. DESIGN section 6, reload."""

from crisp_status.core import events
from crisp_status.core.model import Announcement
from crisp_status.core.policy import PlannedAnnouncement, ReplicaPlan
from tests.core.story import DEAD, HEALTHY, PENDING, SICK, moment, node, page


def test_what_stays_keeps_all_it_knows(tell):
    """Health, since when, incident, uptime, numbers of those that reported themselves."""
    story = tell(node("web/api", 2), node("app/push", mode="push")).seen("web/api/1", DEAD).seen("web/api/2", HEALTHY)
    story.reported("app/push/a").passes("1 min")
    before = (
        story.replica("web/api/1"),
        story.replica("app/push/a"),
        story.incident.id,
        story.node("web/api").ledger.born,
    )
    story.reloads(page(node("new/one"), node("app/push", mode="push"), node("web/api", 2, interval=30.0)))

    assert before == (
        story.replica("web/api/1"),
        story.replica("app/push/a"),
        story.incident.id,
        story.node("web/api").ledger.born,
    )
    assert list(story.state.services) == ["new", "app", "web"]
    assert list(story.state.nodes) == ["new/one", "app/push", "web/api"]


def test_what_goes_leaves_its_incident_and_the_page(tell):
    """A node, a service: the page is as if it had never been."""
    story = tell(node("a/n"), node("a/2"), node("b/n")).seen("a/n", HEALTHY).seen("a/2", DEAD).seen("b/n", DEAD)
    story.reloads(page(node("a/n")))

    assert story.state.health is HEALTHY
    assert story.state.counts == [0, 1, 0, 0, 0]
    assert story.last.closed_at == story.now
    story.reloads(page())
    assert story.state.health is PENDING


def test_replicas_are_numbered_as_they_are_written(tell):
    """One that is added in front moves the others; one that goes is gone."""
    story = tell(node("web/api", 2)).seen("web/api/1", DEAD).seen("web/api/2", HEALTHY)
    import msgspec

    other = msgspec.structs.replace(node("web/api"), replicas=(ReplicaPlan("new"), ReplicaPlan("2")))
    story.reloads(page(other))

    assert [(r.id, r.number, r.health) for r in story.node("web/api").replicas.values()] == [
        ("new", 1, PENDING),
        ("2", 2, HEALTHY),
    ]
    assert story.node("web/api").health is HEALTHY


def test_a_heartbeat_has_one_replica(tell):
    """From the beginning."""
    story = tell(node("job/backup", mode="push", heartbeat=True))

    assert list(story.node("job/backup").replicas) == ["heartbeat"]


def test_a_restart_keeps_the_health_and_knows_no_unknown(tell):
    """What it knew before is shown at once; what we could not look at is looked at again; our network is innocent."""
    story = tell(node("web/api"), node("web/db"), node("web/new")).seen("web/api", SICK).seen("web/db", HEALTHY)
    story.happens(events.Unknown(node="web/db", replica="1", text="?")).happens(events.NetworkLost()).restarts("1 h")

    assert [n.health for n in story.state.nodes.values()] == [SICK, HEALTHY, PENDING]
    assert story.node("web/db").unknowns == 0
    assert story.state.offline_since == 0.0
    assert story.replica("web/new/1").since == story.now
    assert story.replica("web/api/1").since == moment("2026-11-22 12:00:00")


def written(**more):
    return PlannedAnnouncement("file-1", "Upgrade", "Text", **more)


def test_announcements_of_the_file_follow_the_file(tell):
    """They come, change and go with it; those posted at run time stay."""
    story = tell(plan=page(node("web/api"), announcements=(written(),))).announced("mine").passes("1 min")
    first = story.state.announcements["file-1"]
    story.reloads(page(node("web/api"), announcements=(PlannedAnnouncement("file-1", "Other", starts_at=5.0),)))
    second = story.state.announcements["file-1"]

    assert (first.from_file, first.created_at, first.starts_at) == (
        True,
        moment("2026-11-22 12:00:00"),
        moment("2026-11-22 12:00:00"),
    )
    assert (second.title, second.created_at, second.starts_at) == ("Other", first.created_at, 5.0)
    assert list(story.reloads(page(node("web/api"))).state.announcements) == ["mine"]


def test_those_of_the_file_are_not_changed_at_run_time(tell):
    """The operator edits the file."""
    story = tell(plan=page(node("web/api"), announcements=(written(),)))
    story.refused(events.Withdrawn(id="file-1")).refused(events.Withdrawn(id="nothing"))
    story.refused(events.Announced(announcement=Announcement("file-1", "Mine")))


def test_a_maintenance_of_the_file_begins_with_it(tell):
    """And ends when it is taken out."""
    work = written(
        starts_at=moment("2026-11-22 11:00:00"), expires_at=moment("2026-11-22 13:00:00"), maintenance=("web",)
    )
    story = tell(plan=page(node("web/api"), announcements=(work,)))
    assert story.node("web/api").maintenance

    assert not story.reloads(page(node("web/api"))).node("web/api").maintenance


def test_a_node_that_comes_during_a_maintenance_is_in_it(tell):
    """Of its service, and of a node that is named before it is there."""
    story = tell(node("web/api")).announced(maintenance=["web", "pay/card"])
    story.reloads(page(node("web/api"), node("web/db"), node("pay/card")))

    assert [n.maintenance for n in story.state.nodes.values()] == [True, True, True]


def test_another_zone_ends_the_day_elsewhere(tell):
    """The running day ends at the next midnight of the new zone."""
    story = tell(node("web/api")).reloads(page(node("web/api"), timezone="Asia/Tokyo"))

    assert story.state.day_ends_at == moment("2026-11-22 15:00:00")


def test_operators_words_are_bounded(tell):
    """A thousand announcements; one that is there may still be replaced."""
    story = tell(node("web/api"))
    for number in range(1000):
        story.announced(str(number))
    story.refused(events.Announced(announcement=Announcement("more", "?")))

    created = story.state.announcements["7"].created_at
    story.passes("1 s").announced("7")
    assert story.state.announcements["7"].created_at == created

"""The last 90 days: sparse sums give what counting day by day gives, and uptime is told without flattery."""

import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from crisp_status.core.model import Ledger, Period, State, Tally
from crisp_status.core.policy import Plan
from crisp_status.core.uptime import share, tallies
from crisp_status.view.history import Past, percent, until_now
from crisp_status.view.page_view import STRIP_DAYS
from tests.formats.samples import DAY, NOW, TODAY


def state_of(periods, born=0.0, today=None, zone="UTC"):
    """A page with these past days, the last one yesterday, and a running day."""
    state = State(at=NOW, day_ends_at=TODAY + DAY, plan=Plan(timezone=zone))
    state.ledger = Ledger(born, NOW, today or Tally())
    for ago, (usual, others) in zip(range(len(periods), 0, -1), periods, strict=True):
        day = date(2025, 11, 22) - timedelta(days=ago)
        state.days.append(Period(day.isoformat(), TODAY - (ago - 1) * DAY, usual, others))
    return state


def history(state, key="", ledger=None, counts_as="healthy", now=NOW):
    """Of one key."""
    ledger = ledger or state.ledger
    return until_now(Past(state, now).of(key, ledger.born), ledger, counts_as, now)


WELL = Tally(healthy=DAY)


@pytest.mark.parametrize("seed", range(20))
def test_sparse_sums_are_those_of_counting(seed):
    """For random days, births and gaps, uptime equals what `core.uptime` says of the same days."""
    dice = random.Random(seed)
    periods = []
    for _ in range(dice.choice([3, 40, 89, 120])):
        usual = dice.choice([WELL, WELL, WELL, Tally(), Tally(healthy=80000, dead=6400)])
        others = {
            key: dice.choice([None, Tally(), Tally(healthy=86000, dead=400), Tally(sick=DAY), Tally(maintenance=DAY)])
            for key in ("", "web", "web/a")
            if dice.random() < 0.2
        }
        periods.append((usual, others))
    born = TODAY - dice.randrange(1, 130) * DAY
    today = Tally(healthy=dice.choice([0.0, 3600.0]), dead=dice.choice([0.0, 60.0]))
    state = state_of(periods, born, today)
    counted = [t for _, t in tallies(state, "", born, STRIP_DAYS) if t]
    made = history(state, counts_as=None)
    expected = share(counted)

    if expected is None:
        assert made.uptime in (None, 100.0)
    else:
        assert made.uptime == pytest.approx(expected * 100, abs=0.0101)
        assert made.uptime <= expected * 100 + 1e-6
    assert made.dead == pytest.approx(sum(t.dead for t in counted))
    assert made.observed == len(counted)


@pytest.mark.parametrize(
    ("up", "dead", "shown"),
    [
        (DAY * 90, 0, 100.0),
        (DAY * 90, 1, 99.99),
        (99.99, 0.01, 99.99),
        (0, 5, 0.0),
        (99.999, 0.001, 99.99),
        (0, 0, None),
    ],
)
def test_uptime_is_floored(up, dead, shown):
    """100 % only when there was no dead second at all; nothing observed is no number."""
    assert percent(up, dead) == shown


def test_only_what_was_observed_counts():
    """Maintenance and absence leave uptime alone; a sick day is up."""
    periods = [(Tally(maintenance=DAY), {}), (Tally(), {}), (Tally(sick=DAY), {}), (Tally(healthy=43200), {})]
    made = history(state_of(periods, today=Tally(healthy=100)))

    assert made.uptime == 100.0
    assert ["work", "sick"] == [d.look for d in made.days]
    assert made.observed == 4
    assert 86 in made.blank


def test_a_running_outage_counts_up_to_now():
    """In whole minutes, so that the page does not change every second."""
    state = state_of([(WELL, {})] * 89, today=Tally(healthy=NOW - TODAY - 90))
    state.ledger.since = NOW - 90
    made = history(state, counts_as="dead")

    assert (made.days[-1].index, made.days[-1].look, made.days[-1].dead) == (89, "dead", 60.0)
    assert made.uptime == 99.99
    assert history(state, counts_as="dead", now=NOW + 20) == made


def test_before_its_birth_a_node_has_no_data():
    """Its blank days are blank, not healthy, and not down."""
    state = state_of([(WELL, {})] * 89)
    made = history(state, "web/a", Ledger(TODAY - 2 * DAY + 5, NOW, Tally(healthy=9)))

    assert made.observed == 3
    assert made.blank == tuple(range(87))
    assert made.uptime == 100.0


def test_days_that_nobody_saw_leave_a_gap():
    """A daemon that slept for a week shows a week without data."""
    state = state_of([(WELL, {})] * 20)
    del state.days[5:12]
    made = history(state)

    assert made.observed == 14
    assert set(range(74, 81)) <= set(made.blank)


@pytest.mark.parametrize(
    ("zone", "day", "hours"), [("Europe/Paris", "2025-03-30", 23), ("Europe/Paris", "2025-10-26", 25)]
)
def test_days_of_23_and_25_hours_are_days(zone, day, hours):
    """The axis has each day of the zone once, across both changes of the clock."""
    end = datetime.combine(date.fromisoformat(day) + timedelta(days=1), datetime.min.time(), ZoneInfo(zone)).timestamp()
    state = State(at=end, day_ends_at=end + DAY, plan=Plan(timezone=zone))
    state.days = [Period(day, end, Tally(healthy=hours * 3600.0 - 60, dead=60.0), {})]
    past = Past(state, end + 60)
    made = until_now(past.of("", 0.0), Ledger(0.0, end, Tally(healthy=60)), "healthy", end + 60)

    assert len(set(past.days)) == STRIP_DAYS
    assert past.days[-2] == day
    assert [(d.index, d.dead) for d in made.days] == [(88, 60.0)]


def test_a_leap_day_is_a_day():
    """29 February stands between the 28th and the 1st."""
    end = datetime(2028, 3, 2, tzinfo=UTC).timestamp()
    past = Past(State(at=end, day_ends_at=end), end)

    assert ("2028-02-28", "2028-02-29", "2028-03-01") == past.days[-3:]

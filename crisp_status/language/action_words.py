"""What the pages say that links in messages lead to: which incident it is about, what will happen, what has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup, escape

from crisp_status.language import timeline

if TYPE_CHECKING:
    from crisp_status.language.locale import Locale
    from crisp_status.view.page_view import IncidentView, Look


class ActionText(NamedTuple):
    """A page of a few words."""

    title: str
    look: Look
    text: Markup = Markup()
    points: tuple[str, ...] = ()
    button: str = ""
    """What is done by pressing; "" where there is nothing to do."""
    note: Markup = Markup()
    path: str = ""
    """Where more of it is, below the address of the page."""


class IncidentSummary(NamedTuple):
    """The incident that a link is about."""

    number: int
    what: str
    """Its headline; its number alone while no page shows it yet."""
    look: Look
    opened_at: float
    now: float
    today: str
    """The page's day."""
    sentence: bool = True
    """`what` says what happened; else it is a name."""

    @property
    def path(self) -> str:
        """Where it stands on the page."""
        return f"incidents/{self.number}"


def summary(number: int, opened_at: float, shown: IncidentView | None, now: float, t: Locale) -> IncidentSummary:
    """From what visitors see of it; `shown` is None in the first moment of an incident."""
    if shown is None:
        name = t.gettext("Incident %(n)s") % {"n": number}
        return IncidentSummary(number, name, "dead", opened_at, now, t.day_of(now), sentence=False)
    named = bool(shown.title)
    headline = timeline.headline(shown, t)
    return IncidentSummary(number, headline, timeline.look(shown), opened_at, now, t.day_of(now), sentence=not named)


def question(about: IncidentSummary, purpose: str, expires: float, t: Locale) -> ActionText:
    """Before anything is done. `purpose`: acknowledge or silence; `expires`: until when the link works."""
    values = {
        "n": about.number,
        "time": t.moment(about.opened_at, about.today),
        "duration": t.so_far(about.now - about.opened_at),
    }
    text = Markup(escape(t.gettext("Incident %(n)s, since %(time)s, %(duration)s so far."))) % values
    note = Markup(escape(t.gettext("This link works until %(time)s, for this incident only."))) % {
        "time": t.moment(expires, about.today)
    }
    labelled = t.pgettext("label and value", "%(label)s: %(value)s")
    if purpose == "acknowledge":
        title = t.gettext("Acknowledge that %(what)s?") % {"what": about.what}
        return ActionText(
            title if about.sentence else labelled % {"label": t.gettext("Acknowledge"), "value": about.what},
            about.look,
            text,
            (
                t.gettext("Reminders stop for everybody."),
                t.gettext("Visitors see that somebody is looking into it."),
                t.gettext("You are told when it is over, as before."),
            ),
            t.gettext("Acknowledge"),
            note,
            about.path,
        )
    return ActionText(
        t.gettext("Hold reminders for an hour?"),
        about.look,
        Markup(escape(labelled)) % {"label": about.what, "value": text},
        (t.gettext("Your team gets no reminders until then."), t.gettext("New outages are still told.")),
        t.gettext("Hold reminders"),
        note,
        about.path,
    )


def done(about: IncidentSummary, purpose: str, t: Locale) -> ActionText:
    """After it was done."""
    if purpose == "acknowledge":
        points = (t.gettext("There will be no more reminders of it."),)
        return ActionText(t.gettext("Acknowledged"), "ok", escape(about.what), points, path=about.path)
    points = (t.gettext("New outages are still told."),)
    return ActionText(t.gettext("Reminders are held for an hour"), "ok", escape(about.what), points, path=about.path)


def over(about: IncidentSummary, t: Locale) -> ActionText:
    """There is nothing left to do."""
    return ActionText(
        about.what, "ok", escape(t.gettext("It is over: everything affected is healthy again.")), path=about.path
    )


def already(about: IncidentSummary, by: str, t: Locale) -> ActionText:
    """Somebody did it before. `by`: a name, for the team alone."""
    title = t.gettext("Acknowledged already")
    if by:
        title = t.gettext("Acknowledged already by %(name)s") % {"name": by}
    points = (t.gettext("There will be no more reminders of it."),)
    return ActionText(title, "ok", escape(about.what), points, path=about.path)

"""Jinja with what every template gets: languages, filters for times and numbers, and the operator's folder first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, pass_context
from markupsafe import Markup

from crisp_status.formats import charts
from crisp_status.language import headline as words
from crisp_status.language import reasons, storyline, timeline
from crisp_status.language.locale import ENDONYMS, capital
from crisp_status.view.assets import own_folder

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2.runtime import Context

from crisp_status.language.locale import Locale


def environment(folder: Path | None = None) -> Environment:
    """Templates of `folder` stand before ours of the same name. Everything is escaped unless it is marked safe.

    The language is the variable `t` of the context (a `Locale`): {% trans %}, gettext and the filters take it from there.
    """
    ours = own_folder()
    env = Environment(
        loader=FileSystemLoader([str(folder), str(ours)] if folder else [str(ours)], encoding="utf-8"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        auto_reload=False,
        cache_size=-1,
    )
    env.install_gettext_callables(_gettext, _ngettext, newstyle=True, pgettext=_pgettext, npgettext=_npgettext)  # type: ignore[attr-defined]
    env.policies["ext.i18n.trimmed"] = True
    env.filters |= {
        "time": _time,
        "date": _date,
        "duration": _duration,
        "percent": _percent,
        "month": _month,
        "capital": capital,
    }
    env.globals |= {
        "charts": charts,
        "endonyms": ENDONYMS,
        "reasons": reasons,
        "storyline": storyline,
        "tales": timeline,
        "words": words,
    }
    return env


def faults(folder: Path) -> list[str]:
    """What is wrong with the operator's own templates, one sentence each."""
    env = environment(folder)
    found = []
    for file in sorted(folder.rglob("*.html")):
        name = file.relative_to(folder).as_posix()
        try:
            env.get_template(name)
        except TemplateError as error:
            line = getattr(error, "lineno", 0)
            found.append(f"{file}:{line}: {error.message or error}" if line else f"{file}: {error.message or error}")
        except (OSError, UnicodeDecodeError) as error:
            found.append(f"{file}: cannot be read: {error}")
    return found


def _locale(context: Context) -> Locale:
    tongue: Locale = context["t"]
    return tongue


@pass_context
def _gettext(context: Context, message: str) -> str:
    return _locale(context).gettext(message)


@pass_context
def _ngettext(context: Context, one: str, many: str, n: int) -> str:
    return _locale(context).ngettext(one, many, n)


@pass_context
def _pgettext(context: Context, where: str, message: str) -> str:
    return _locale(context).pgettext(where, message)


@pass_context
def _npgettext(context: Context, where: str, one: str, many: str, n: int) -> str:
    return _locale(context).npgettext(where, one, many, n)


@pass_context
def _time(context: Context, at: float, today: str = "") -> Markup:
    """`{{ at | time }}`: the `<time>` element; with a day, the date too unless it is that day."""
    tongue = _locale(context)
    return tongue.moment(at, today) if today else tongue.time(at)


@pass_context
def _date(context: Context, day: str | float, **how: Any) -> str:
    """`{{ day | date }}` or `{{ at | date(year=true) }}`."""
    return _locale(context).date(day, **how)


@pass_context
def _month(context: Context, month: str) -> str:
    """`{{ "2026-11" | month }}`."""
    return _locale(context).month(month)


@pass_context
def _duration(context: Context, seconds: float, *, brief: bool = False) -> str:
    """`{{ seconds | duration }}`, or short: `{{ seconds | duration(brief=true) }}`."""
    return _locale(context).brief(seconds) if brief else _locale(context).duration(seconds)


@pass_context
def _percent(context: Context, value: float | None, places: int = 2) -> str:
    """`{{ 99.98 | percent }}`; set apart from text that runs from right to left."""
    tongue = _locale(context)
    words = tongue.percent(value, places)
    return Markup("<bdi>{}</bdi>").format(words) if tongue.direction == "rtl" else words

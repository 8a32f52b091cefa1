"""What the page and its notices say in other languages: whole, unharmed, and with the numbers and dates of the place."""

import gettext
import importlib.util
import json
import re
import sys
from collections import Counter
from html.parser import HTMLParser
from unicodedata import east_asian_width

import pytest

from crisp_status.config.page import LANGUAGES
from crisp_status.core.model import Health, Message, MessageKind, NoticeNode, Reason
from crisp_status.formats import inner
from crisp_status.formats.documents import table
from crisp_status.formats.html import Html
from crisp_status.formats.routes import DocumentCall
from crisp_status.http.site import DocumentRequest, Site
from crisp_status.language.catalogues import catalogues
from crisp_status.language.locale import Locale
from crisp_status.loops.senders import NoticeWriter
from crisp_status.messages import compose
from crisp_status.view.build import build
from tests import house
from tests.fakes import FakeClock
from tests.formats import samples
from tests.formats.samples import NO_ANSWER, NOW, at

FOREIGN = tuple(code for code in LANGUAGES if code != "en")
SPOKEN = catalogues(FOREIGN)
THIN, FIXED, LEFT = "\N{NARROW NO-BREAK SPACE}", "\N{NO-BREAK SPACE}", "\N{LEFT-TO-RIGHT MARK}"


def _maker():
    """The script of `make languages`."""
    spec = importlib.util.spec_from_file_location("make_languages", house.ROOT / "packaging" / "languages.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKER = _maker()
PATTERN = MAKER.template()
SENTENCES = [m for m in PATTERN if m.id]


def forms(message):
    """Each form of a translation, or the translation."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string)


def originals(message):
    """The English sentence, in the singular and plural if it has both."""
    return (message.id,) if isinstance(message.id, str) else tuple(message.id)


def ask(code):
    """The catalogue of a language, and every message with its English form."""
    book = MAKER.read(code)
    return [(english, book.get(english.id, english.context)) for english in SENTENCES]


def speaking(code, zone="UTC"):
    return Locale(code, zone, SPOKEN.get(code))


def test_the_catalogues_are_those_of_the_configuration():
    """What may stand in `page.languages` has a catalogue, and there is no other."""
    assert set(MAKER.LANGUAGES) == set(FOREIGN)
    assert {f.stem for f in MAKER.FOLDER.glob("*.po")} == {f.stem for f in MAKER.FOLDER.glob("*.mo")} == set(FOREIGN)


@pytest.mark.parametrize("code", ["messages", *FOREIGN])
def test_every_sentence_is_in_the_catalogues(code):
    """A sentence that was written or changed since is told by name. `make languages` takes it in."""
    file = MAKER.FOLDER / ("messages.pot" if code == "messages" else f"{code}.po")
    with file.open("rb") as opened:
        known = {(m.context, m.id) for m in MAKER.read_po(opened) if m.id}

    assert {(m.context, m.id) for m in SENTENCES} - known == set(), "run `make languages`"
    assert known - {(m.context, m.id) for m in SENTENCES} == set(), "these are no longer said; run `make languages`"


@pytest.mark.parametrize("code", FOREIGN)
def test_catalogues_are_whole(code):
    """Nothing is missing, nothing is in doubt, and each plural has the forms of its language."""
    lacking = [english.id for english, said in ask(code) if said is None or not MAKER.complete(said)]

    assert lacking == []
    wrong = [
        e.id for e, said in ask(code) if len(forms(said)) != (MAKER.LANGUAGES[code].forms if e.pluralizable else 1)
    ]
    assert wrong == []


def placeholders(text):
    """What is filled in, and what is bold or linked."""
    return Counter(re.findall(r"%\(\w+\)s|%%|%[^(]|<[^>]*>|[<>&\"]", text))


def stands_for_one(code):
    """Plural forms that stand for one number only, which may then be left out: "the last day"."""
    index = gettext.c2py(MAKER.LANGUAGES[code].plural)
    uses = Counter(index(n) for n in range(300))
    return {form for form, count in uses.items() if count <= (2 if index(0) == index(1) else 1)}


@pytest.mark.parametrize("code", FOREIGN)
def test_placeholders_and_tags_are_those_of_the_original(code):
    """No value is lost or invented, and no translation brings HTML, entities or straight quotes of its own."""
    single, wrong = stands_for_one(code), []
    for english, said in ask(code):
        allowed = [placeholders(text) for text in originals(english)]
        for form, text in enumerate(forms(said) if any(forms(said)) else ()):
            fine = list(allowed)
            if english.pluralizable:
                fine = [allowed[-1]]
                if form in single:
                    fine += [Counter({k: v for k, v in a.items() if k not in {"%(n)s", "%(count)s"}}) for a in allowed]
            if placeholders(text) not in fine:
                wrong.append(text)

    assert wrong == []


@pytest.mark.parametrize("code", FOREIGN)
def test_what_is_compiled_is_what_is_written(code):
    """The page reads .mo files; they are made from the .po files beside them."""
    book = MAKER.merge(PATTERN, MAKER.read(code), code)

    assert (MAKER.FOLDER / f"{code}.mo").read_bytes() == MAKER.compiled(book), "run `make languages`"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        #       0  1  2  3  5  11 21 100
        ("fr", [0, 0, 1, 1, 1, 1, 1, 1]),
        ("pt", [0, 0, 1, 1, 1, 1, 1, 1]),
        ("de", [1, 0, 1, 1, 1, 1, 1, 1]),
        ("es", [1, 0, 1, 1, 1, 1, 1, 1]),
        ("it", [1, 0, 1, 1, 1, 1, 1, 1]),
        ("nl", [1, 0, 1, 1, 1, 1, 1, 1]),
        ("pl", [2, 0, 1, 1, 2, 2, 2, 2]),
        ("ja", [0, 0, 0, 0, 0, 0, 0, 0]),
        ("zh", [0, 0, 0, 0, 0, 0, 0, 0]),
        ("ar", [0, 1, 2, 3, 3, 4, 4, 5]),
    ],
)
def test_plural_rules(code, expected):
    """Which form a number takes; the compiled catalogue has the same rule as the written one."""
    assert [SPOKEN[code].plural(n) for n in (0, 1, 2, 3, 5, 11, 21, 100)] == expected
    said = [SPOKEN[code].ngettext("%(n)s hour", "%(n)s hours", n) for n in (0, 1, 2, 3, 5, 11, 21, 100)]
    assert said == [said[expected.index(form)] for form in expected]


PLACES = {
    #      a date, another year       its month           an hour and more              a percentage      a latency
    "en": ("22 November 2024", "November 2024", "1 hour 20 minutes", f"99.98{FIXED}%", f"1.9{FIXED}s"),
    "fr": ("22 novembre 2024", "novembre 2024", "1 heure 20 minutes", f"99,98{THIN}%", f"1,9{FIXED}s"),
    "de": ("22. November 2024", "November 2024", "1 Stunde 20 Minuten", f"99,98{FIXED}%", f"1,9{FIXED}s"),
    "es": ("22 de noviembre de 2024", "noviembre de 2024", "1 hora y 20 minutos", f"99,98{FIXED}%", f"1,9{FIXED}s"),
    "pt": ("22 de novembro de 2024", "novembro de 2024", "1 hora e 20 minutos", "99,98%", f"1,9{FIXED}s"),
    "it": ("22 novembre 2024", "novembre 2024", "1 ora e 20 minuti", "99,98%", f"1,9{FIXED}s"),
    "nl": ("22 november 2024", "november 2024", "1 uur 20 minuten", "99,98%", f"1,9{FIXED}s"),
    "pl": ("22 listopada 2024", "listopad 2024", "1 godzinę 20 minut", "99,98%", f"1,9{FIXED}s"),
    "ja": ("2024年11月22日", "2024年11月", "1時間20分", "99.98%", "1.9秒"),
    "ar": ("22 نوفمبر 2024", "نوفمبر 2024", "ساعة واحدة و20 دقيقة", f"99.98{LEFT}%{LEFT}", f"1.9{FIXED}ث"),
    "zh": ("2024年11月22日", "2024年11月", "1小时20分钟", "99.98%", "1.9秒"),
}


@pytest.mark.parametrize("code", ["en", *FOREIGN])
def test_dates_and_numbers(code):
    """By hand: order, names of months, words for hours, the decimal sign and the spaces."""
    t = speaking(code)
    said = (t.date("2024-11-22", year=True), t.month("2024-11"), t.duration(4800), t.percent(99.98), t.seconds(1.9))

    assert said == PLACES[code]


@pytest.mark.parametrize("code", FOREIGN)
def test_names_of_months_and_days(code):
    """Twelve months, long, short and alone, and seven days; each has its own name."""
    t = speaking(code)
    for names, count in ((t.months, 12), (t.short_months, 12), (t.months_alone, 12), (t.weekdays, 7)):
        assert len(set(names)) == count


class Text(HTMLParser):
    """What people read or hear of a page: the text, and attributes with words."""

    WORDY = ("aria-label", "alt", "title", "placeholder")

    def __init__(self, html):
        super().__init__()
        self.words, self.skipped, self.same, self.top = [], 0, "", {}
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if self.skipped and tag == self.same:
            self.skipped += 1
        elif not self.skipped and (tag in {"style", "script"} or named.get("translate") == "no"):
            self.skipped, self.same = 1, tag
        if tag == "html":
            self.top = named
        self.words += [named[a] for a in self.WORDY if named.get(a)]
        if tag == "meta" and named.get("property", named.get("name", "")) in {
            "description",
            "og:title",
            "og:description",
        }:
            self.words.append(named["content"])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        if self.skipped and tag == self.same:
            self.skipped -= 1

    def handle_data(self, data):
        if not self.skipped:
            self.words.append(data)


ACME = samples.acme()


def pages(state, code, spoken):
    """Every page of a state in a language, by what it is."""
    info = samples.acme(languages=("en", code))
    html, view = Html(info, spoken), build(state, info, NOW)
    made = {"home": html.home(view, code), "history": inner.history(html, view, code)}
    made |= {"updates": inner.updates(html, view, code)}
    made |= {
        day: inner.day(html, view, day, code) or "<html>" for day in (view.days[-1], view.days[-15], view.days[-2])
    }
    made = {what: text for what, text in made.items() if text != "<html>"}
    made |= {key: inner.node(html, view, key, code) for key in list(view.nodes)[:1] + list(view.nodes)[-1:]}
    if not view.nodes:
        made |= {f"error {status}": html.error(status, code) for status in (400, 404, 405, 410, 429, 503)}
    made |= {month: inner.month(html, view, month, code) for month in view.months[1:2]}
    return made | {f"incident {i.id}": inner.incident(html, view, i.id, code) for i in view.incidents}


KINDS = ("opened", "grew", "partly", "recovered", "reminder", "unstable", "calm", "startup", "test", "network")


def letter(kind, code, spoken, codes=("no_answer",)):
    """A notice about Checkout and, where there are more reasons, Invoicing and Search."""
    keys = ("pay/checkout", "pay/invoice", "data/search")
    nodes = [
        NoticeNode(
            key,
            Health.DEAD,
            at(14, 2),
            Reason(why, "", "503"),
            ["r1"],
            [1],
            0,
            3,
            at(14, 30) if kind == "recovered" else 0.0,
        )
        for key, why in zip(keys, codes, strict=False)
    ]
    message = Message(
        id="9-1-ops", notifier="ops", kind=kind, created_at=at(14, 4), due_at=at(14, 4), incident=9, health=Health.DEAD,
        nodes=nodes, since=at(14, 2), until=at(14, 30), next_reminder_at=at(15, 4),
    )  # fmt: skip
    return compose.compose(message, samples.dead(), ACME, {}, NOW, code, spoken)


class Marking(gettext.NullTranslations):
    """A language that is English in brackets: what stands outside of them was never given to a translator."""

    def gettext(self, message):
        return f"⟦{message}⟧"

    def ngettext(self, msgid1, msgid2, n):
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"

    def pgettext(self, context, message):
        return f"⟦{message}⟧"

    def npgettext(self, context, msgid1, msgid2, n):
        return self.ngettext(msgid1, msgid2, n)


def outside(text):
    """Words that stand outside of all brackets."""
    depth, kept = 0, []
    for sign in text:
        depth += {"⟦": 1, "⟧": -1}.get(sign, 0)
        kept.append(" " if depth or sign == "⟧" else sign)
    return set(re.findall(r"[A-Za-z][a-z]+", "".join(kept)))


def given(state):
    """Words that the operator wrote, what probes saw (for operators, who search for it), and what is the same everywhere."""
    texts = [n.name for s in state.plan.services for n in s.nodes] + [s.name for s in state.plan.services]
    texts += [a.title + " " + a.text for a in state.announcements.values()]
    texts += [e.text for i in (*state.open.values(), *state.closed) for e in i.timeline]
    texts += [r.reason.text for n in state.nodes.values() for r in n.replicas.values()]
    return set(re.findall(r"[A-Za-z]+", " ".join(texts))) | {
        "Acme",
        "Status",
        "acme",
        "example",
        "Is",
        "working",
        "status",
    }


@pytest.mark.parametrize("name", samples.ALL)
def test_every_sentence_of_the_page_can_be_translated(name):
    """Whatever a state makes the page say went through the catalogue, but for names and the operator's own words."""
    state = samples.ALL[name]()
    left = {
        (what, word)
        for what, html in pages(state, "fr", {"fr": Marking()}).items()
        for word in outside("\n".join(Text(html).words)) - given(state)
    }

    assert left == set()


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_of_a_notice_can_be_translated(kind):
    """Subject, text, letter and the lines that every channel shows."""
    for codes in (("no_answer",), ("status", "refused", "cpu")):
        notice = letter(kind, "fr", {"fr": Marking()}, codes)
        said = "\n".join((notice.title, notice.headline, *notice.lines, notice.text, *Text(notice.html).words))
        assert outside(re.sub(r"https?://\S+", "", said)) - given(samples.dead()) == set(), said


def english(code):
    """The longest pieces of sentences that would be English in this language: those whose translation is another."""
    found = set()
    for message, said in ask(code):
        for text in originals(message):
            piece = max(re.split(r"%\(\w+\)s|%%|<[^>]*>", text), key=len)
            if len(piece.split()) >= 3 and all(piece not in form for form in forms(said)):
                found.add(piece)
    return sorted(found)


@pytest.mark.parametrize("code", FOREIGN)
def test_every_state_in_every_language(code):
    """No sentence is left in English, the page says which language it is, and nothing stays unfilled."""
    leftovers = list(english(code))
    for name, made in samples.ALL.items():
        if name in {"thirty", "large"} and code != "de":
            continue  # they are long, and say nothing that the others do not say
        for what, html in pages(made(), code, SPOKEN).items():
            page = Text(html)
            assert page.top["lang"] == code
            assert page.top.get("dir", "ltr") == ("rtl" if code == "ar" else "ltr")
            said = "\n".join(page.words)
            assert "%(" not in said
            assert [piece for piece in leftovers if piece in said] == [], (name, what)


@pytest.mark.parametrize("code", FOREIGN)
def test_every_notice_in_every_language(code):
    """Subject, lines, text and letter."""
    leftovers = list(english(code))
    for kind in KINDS:
        notice = letter(kind, code, SPOKEN, ("status", "refused", "cpu"))
        said = "\n".join((notice.title, notice.headline, *notice.lines, notice.text, *Text(notice.html).words))
        assert "%(" not in said
        assert [piece for piece in leftovers if piece in said] == [], kind
        assert Text(notice.html).top["lang"] == code


@pytest.mark.parametrize(
    ("code", "day", "short"),
    [
        ("en", "1 December", "1 Dec"),
        ("fr", "1er décembre", "1er déc."),
        ("it", "1º dicembre", "1º dic"),
        ("de", "1. Dezember", "1. Dez."),
        ("es", "1 de diciembre", "1 dic"),
        ("ja", "12月1日", "12月1日"),
    ],
)
def test_the_first_of_a_month(code, day, short):
    """It has a form of its own in some languages; the eleventh has none in any."""
    t = speaking(code)

    assert (t.date("2026-12-01"), t.date("2026-12-01", short=True)) == (day, short)
    assert "11" in t.date("2026-12-11")


@pytest.mark.parametrize(("code", "words"), [("ja", "1時間20分"), ("zh", "1小时20分钟"), ("fr", "1 h 20 min")])
def test_short_durations(code, words):
    """Two units, with a space between where the language has one."""
    assert speaking(code).brief(4800) == words


@pytest.mark.parametrize("code", ["ja", "zh"])
def test_no_space_follows_a_full_stop_that_has_its_own(code):
    """On every page and in every letter: 「。」 is as wide as a space already."""
    for name in ("healthy", "dead", "partly"):
        for what, html in pages(samples.ALL[name](), code, SPOKEN).items():
            assert "。 " not in html, (name, what)
    for kind in KINDS:
        assert "。 " not in letter(kind, code, SPOKEN).html, kind


def columns(line):
    """Where the value of a line begins, counted in the columns of a terminal."""
    label, gap, _ = re.split(r"( {2,})", line, maxsplit=1)
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in label + gap)


@pytest.mark.parametrize("code", FOREIGN)
def test_the_table_of_a_letter_is_straight(code):
    """Also where a letter is as wide as two; and no label has a colon of another language."""
    text = letter("opened", code, SPOKEN).text
    table = text.split("\n\n")[1].splitlines()

    assert len(table) == 5
    assert len({columns(line) for line in table}) == 1
    [first, *_] = [line for line in text.splitlines() if line.startswith(speaking(code).gettext("Incident page"))]
    assert first.endswith({"fr": f"{THIN}:", "ja": "：", "zh": "："}.get(code, ":"))


def test_a_mail_in_german():
    """A page whose language is German writes in German to those who are on call."""
    state = samples.dead()
    node = NoticeNode("pay/checkout", Health.DEAD, at(14, 2), NO_ANSWER, ["r1", "r2", "r3"], [1, 2, 3], total=3)
    message = Message(
        id="9-1-ops", notifier="ops", kind=MessageKind.OPENED, created_at=NOW, due_at=NOW, incident=9, health=Health.DEAD,
        nodes=[node], since=at(14, 2), next_reminder_at=at(15, 2),
    )  # fmt: skip
    notice = NoticeWriter(samples.acme(language="de", languages=LANGUAGES), b"k" * 32, FakeClock(NOW)).notice(
        message, state
    )

    assert notice.title == "AUSGEFALLEN: Checkout, Replikate 1, 2 und 3 (Acme)"
    assert notice.headline == "Checkout ist ausgefallen"
    assert notice.affected[0].state == "Ausgefallen"
    assert "9 von 12 Knoten in Betrieb." in notice.text
    assert "Keine Antwort seit 14:02 UTC" in notice.text
    assert [link.label for link in notice.links] == ["Bestätigen", "Erinnerungen stummschalten"]
    assert '<html lang="de" dir="ltr">' in notice.html


async def test_path_and_header_choose_the_language():
    """`/fr/` is French for everybody; the bare address is what the browser prefers, else the page's own language."""
    info = samples.acme(languages=LANGUAGES)
    site = Site(table(info, None, SPOKEN), FakeClock(NOW))
    try:
        await site.show(build(samples.healthy(), info, NOW))

        async def said(path, header=""):
            ready = await site.answer(DocumentRequest(site.key(path, "", header)))
            return ready.at(b"").partition(b"\r\n\r\n")[2].decode()

        assert "Tout fonctionne" in await said("/fr/", "de")
        assert "Alles funktioniert" in await said("/", "de-AT, fr;q=0.5")
        assert "Todo funciona" in await said("/", "eo, es-MX;q=0.8, en;q=0.1")
        assert "Everything is working" in await said("/", "eo")
        assert '<html lang="it"' in await said("/it/history")
    finally:
        site.close()


def test_the_warning_on_other_sites_speaks_the_language_too():
    """`/de/embed.json` is German, and so are the feeds beside it."""
    info = samples.acme(languages=LANGUAGES)
    routes, view = table(info, None, SPOKEN), build(samples.dead(), info, NOW)

    def said(path):
        route, args, language = routes.find(path)
        return route.render(view, DocumentCall(language, args)).body

    warning = json.loads(said("/de/embed.json"))
    assert "Checkout und Invoicing sind ausgefallen" in json.dumps(warning, ensure_ascii=False)
    assert "Antworten können länger dauern als sonst." in json.dumps(warning, ensure_ascii=False)
    assert "Verlauf der Störungen" in said("/de/history.atom")

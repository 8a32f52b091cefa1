"""Any brand colour stays readable, and so does every pair of colours in the style sheet that ships."""

import os
import re
from collections import Counter

import pytest

from crisp_status.view.assets import own_folder
from crisp_status.view.brand import PATTERN_ALPHA, TINTS, WHITE, brand, contrast, css, hexed, over, rgb, to_oklch

PROOF = os.environ.get("CRISP_STATUS_PROOF") == "1"


def _pairs(made):
    """Every text on every ground that it stands on, for any brand."""
    for theme, tints in ((made.light, TINTS[0]), (made.dark, TINTS[1])):
        yield WHITE, over(WHITE, theme.header, PATTERN_ALPHA)
        for ground in (theme.bg, theme.card, *tints):
            yield theme.accent, ground
        yield theme.on_button, theme.button
    yield WHITE, over(made.veil, WHITE, made.veil_alpha)
    yield made.light.header, WHITE
    yield made.dark.header, WHITE


def test_every_colour_is_readable():
    """4,096 colours, or every fifth: text on header, pattern and image, links on every ground, buttons: 4.5 to 1."""
    rules = Counter()
    for number in range(0, 4096, 1 if PROOF else 5):
        color = "#" + "".join(f"{part * 17:02x}" for part in (number >> 8, number >> 4 & 15, number & 15))
        made = brand(color)
        rules[made.rule] += 1
        poor = [pair for pair in _pairs(made) if contrast(*pair) < 4.5]
        assert not poor, (color, poor)

    assert set(rules) == {"keep", "nudge", "neutral"}


@pytest.mark.parametrize(
    ("color", "rule"),
    [
        ("#1972f5", "nudge"),
        ("#0b1f3a", "keep"),
        ("#c4122a", "keep"),
        ("#e8590c", "nudge"),
        ("#ffd400", "neutral"),
        ("#f5f5f5", "neutral"),
        ("#111111", "keep"),
    ],
)
def test_a_colour_is_changed_as_little_as_possible(color, rule):
    """Kept where white is readable on it, else a little darker, else shown as a line under a neutral header."""
    made = brand(color)

    assert made.rule == rule
    assert (made.light.header == color) == (rule == "keep")
    assert (made.line == color) == (rule == "neutral")


def test_yellow_stays_yellow():
    """Where white cannot be read on the brand, buttons and the line of the header carry the colour itself."""
    made = brand("#ffd400")

    assert (made.line, made.light.button, made.dark.button) == ("#ffd400",) * 3
    assert contrast(made.light.on_button, "#ffd400") > 7
    assert brand("#fefefe").light.button == brand("#fefefe").light.header  # a white button on white is none


def test_the_tokens_are_those_of_the_specification():
    """The same colours as its reference program makes, for a colour of each rule."""
    assert css(brand("#2f4fe0"), pattern="/p.svg") == (
        ":root{--header:light-dark(#2f4fe0,#29408d);--accent:light-dark(#2f4fe0,#7091ec);"
        "--btn:light-dark(#2f4fe0,#7091ec);--on-btn:light-dark(#ffffff,#060c1e);--bg:light-dark(#f4f6fa,#0c0e14);"
        "--card:light-dark(#ffffff,#16191f);--pattern:url(/p.svg)}"
    )
    assert css(brand("#ffd400")) == (
        ":root{--header:light-dark(#1a1812,#1a1812);--accent:light-dark(#584c24,#f6d660);"
        "--btn:light-dark(#ffd400,#ffd400);--on-btn:light-dark(#1a1300,#1a1300);--bg:light-dark(#f7f6f1,#100e08);"
        "--card:light-dark(#ffffff,#1b1912);--rule:#ffd400}"
    )
    assert "--image:url(/i.jpg);--scrim:#" in css(brand("#0c6b5f"), image="/i.jpg")


def test_colours_come_back_as_they_went():
    """Short and long notation are the same colour; hue and lightness are those of the reference."""
    assert rgb("#17f") == rgb("#1177ff")
    assert hexed(rgb("#1972f5")) == "#1972f5"
    lightness, chroma, hue = to_oklch("#ff0000")
    assert (round(lightness, 3), round(chroma, 3), round(hue, 1)) == (0.628, 0.258, 29.2)


def _tokens(selector, theme):
    """The colours that a rule of the sheet sets, in one theme."""
    css = (own_folder() / "style.css").read_text("utf-8")
    body = re.search(r"(?:^|\n)" + re.escape(selector) + r"[^{}]*\{([^}]*)\}", css).group(1)
    light, dark = {}, {}
    for name, one, other in re.findall(r"--([\w-]+):light-dark\((#[0-9a-f]+),(#[0-9a-f]+)\)", body):
        light[name], dark[name] = one, other
    found = light if theme == "light" else dark
    for name, other in re.findall(r"--([\w-]+):var\(--([\w-]+)\)", body):
        if other in found:
            found[name] = found[other]
    return found


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_pair_of_the_style_sheet_is_readable(theme):
    """Text 4.5 to 1, icons and borders 3 to 1, on every ground they stand on (WCAG 2.2, 1.4.3 and 1.4.11)."""
    root = _tokens(":root", theme)
    pairs = [(root[text], root[ground], 4.5) for text in ("text", "mute") for ground in ("bg", "card")]
    pairs.append((root["edge"], root["card"], 3))
    for look in ("ok", "sick", "dead", "pend", "work"):
        own = _tokens("." + look, theme)
        pairs += [
            (own["ink"], root["card"], 4.5),
            (own["ink"], own["tint"], 4.5),
            (root["text"], own["tint"], 4.5),
            (root["mute"], own["tint"], 4.5),
            (own["ico"], root["card"], 3),
            (own["ico"], root["bg"], 3),
            (own["ico"], own["tint"], 3),
            (own["on"], own.get("fill", root["card"]), 4.5),
        ]
        if look != "pend":  # hollow: no sign on it, and its bar means nothing was seen
            pairs += [(own["gl"], own["ico"], 3), (own["bar"], root["card"], 3)]
    for front, back, least in pairs:
        assert contrast(front, back) >= least, (theme, front, back, least)

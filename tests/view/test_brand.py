"""Any brand colour stays readable, and so does every pair of colours in the style sheet that ships."""

import os
import re
from collections import Counter

import pytest

from crisp_status.view.assets import own_folder
from crisp_status.view.brand import BLACK, PATTERN_ALPHA, TINTS, WHITE, brand, contrast, hexed, over, rgb, to_oklch

PROOF = os.environ.get("CRISP_STATUS_PROOF") == "1"


def _pairs(made):
    yield made.light.on_header, over(made.pattern, made.light.header, PATTERN_ALPHA)
    yield made.dark.on_header, over(WHITE, made.dark.header, PATTERN_ALPHA)
    for theme, tints in ((made.light, TINTS[0]), (made.dark, TINTS[1])):
        for ground in (theme.bg, theme.card, *tints):
            yield theme.accent, ground
        yield theme.on_accent, theme.accent
        yield theme.on_header, over(theme.header, WHITE if theme.on_header == WHITE else BLACK, theme.scrim)


def test_every_colour_is_readable():
    """4,096 colours, or every fifth: text on header, pattern and image, links on every ground, buttons: 4.5 to 1."""
    rules = Counter()
    for number in range(0, 4096, 1 if PROOF else 5):
        color = "#" + "".join(f"{part * 17:02x}" for part in (number >> 8, number >> 4 & 15, number & 15))
        made = brand(color)
        rules[made.rule] += 1
        poor = [pair for pair in _pairs(made) if contrast(*pair) < 4.5]
        assert not poor, (color, poor)
        if made.rule == "ink":  # the one rule that asks for a dark logo
            poor = [pair for pair in _pairs(brand(color, dark_logo=False)) if contrast(*pair) < 4.5]
            assert not poor, (color, "without dark logo", poor)

    assert set(rules) == {"keep", "nudge", "ink"}


@pytest.mark.parametrize(
    ("color", "rule"),
    [
        ("#1972f5", "nudge"),
        ("#0b1f3a", "keep"),
        ("#c4122a", "keep"),
        ("#e8590c", "nudge"),
        ("#ffd400", "ink"),
        ("#111111", "keep"),
    ],
)
def test_a_colour_is_changed_as_little_as_possible(color, rule):
    """Kept where white is readable on it, else a little darker, else with dark text."""
    made = brand(color)

    assert made.rule == rule
    assert (made.light.header == color) == (rule in ("keep", "ink"))


def test_without_a_dark_logo_a_bright_header_is_deepened():
    """A light logo on yellow could not be seen."""
    made = brand("#ffd400", dark_logo=False)

    assert made.rule == "deepen"
    assert made.light.on_header == WHITE


def test_colours_come_back_as_they_went():
    """Short and long notation are the same colour; hue and lightness are those of the reference."""
    assert rgb("#17f") == rgb("#1177ff")
    assert hexed(rgb("#1972f5")) == "#1972f5"
    lightness, chroma, hue = to_oklch("#ff0000")
    assert (round(lightness, 3), round(chroma, 3), round(hue, 1)) == (0.628, 0.258, 29.2)


def _themes():
    css = (own_folder() / "style.css").read_text("utf-8")
    cut = css.index("@media(prefers-color-scheme:dark)")
    return {"light": css[:cut], "dark": css[cut : css.index("*,::before")]}


def _tokens(css, selector):
    body = re.search(re.escape(selector) + r"[^{}]*\{([^}]*)\}", css).group(1)
    return dict(re.findall(r"--([\w-]+):(#[0-9a-f]+)", body))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_pair_of_the_style_sheet_is_readable(theme):
    """Text 4.5 to 1, icons and borders 3 to 1, on every ground they stand on (WCAG 2.2, 1.4.3 and 1.4.11)."""
    css = _themes()[theme]
    root = _tokens(css, ":root")
    pairs = [(root[text], root[ground], 4.5) for text in ("text", "mute") for ground in ("bg", "card")]
    pairs.append((root["edge"], root["card"], 3))
    for look in ("ok", "sick", "dead", "pend", "work"):
        own = _tokens(css, "." + look)
        pairs += [
            (own["ink"], root["card"], 4.5),
            (own["ink"], own["tint"], 4.5),
            (root["text"], own["tint"], 4.5),
            (root["mute"], own["tint"], 4.5),
            (own["ico"], root["card"], 3),
            (own["ico"], root["bg"], 3),
            (own["ico"], own["tint"], 3),
            (own["on"], own["fill"], 4.5),
        ]
        if look != "pend":  # hollow: no sign on it, and its bar means nothing was seen
            pairs += [(own["gl"], own["ico"], 3), (own["bar"], root["card"], 3)]
    for front, back, least in pairs:
        assert contrast(front, back) >= least, (theme, front, back, least)

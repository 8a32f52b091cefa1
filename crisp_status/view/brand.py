"""Any brand colour made readable: the OKLCH rule of the visual specification (section 3).

`brand("#1972f5")` gives the colours of header, links, buttons and neutrals in both themes. White on the header, its
pattern and its image, links on the page and on every hero tint, and text on buttons have a contrast of at least 4.5 to 1
(WCAG 2.2, 1.4.3). A colour that white cannot be read on, such as yellow, becomes a line under a neutral header: darkened
until white fits, it would be mustard.
"""

from __future__ import annotations

from functools import lru_cache
from math import atan2, cos, degrees, hypot, radians, sin
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WHITE: Final = "#ffffff"
BLACK: Final = "#000000"

NUDGE: Final = 0.14
"""How much of its lightness a colour may lose for white to be readable on it, and still be that brand's."""

PALE: Final = 1.2
"""A button whose contrast with a white card is below this could not be seen as one."""

PATTERN_ALPHA: Final = 0.08
"""The header pattern is drawn this strong at most; text stays readable on it."""

ENOUGH: Final = 4.5
TINTS: Final = (
    ("#d9f8e7", "#ffe6c4", "#ffdad7", "#e9ecf2", "#dfe9ff"),
    ("#11301f", "#3a2a10", "#461b1b", "#22262e", "#1a2a4c"),
)
"""Hero backgrounds, light and dark: links sit on them too."""

_STEP: Final = 0.004
_FINE: Final = 1e-5
"""Steps of lightness, and of chroma, below what an eye or eight bits a channel could tell."""


class Theme(NamedTuple):
    """Colours of one theme, as `#rrggbb`."""

    header: str
    accent: str
    """Links."""
    button: str
    on_button: str
    bg: str
    card: str


class Brand(NamedTuple):
    """What becomes of one brand colour. Text on the header is white in both themes."""

    color: str
    rule: Literal["keep", "nudge", "neutral"]
    """How the header was made from it: as it is, a little darker, or dark without a colour."""
    line: str
    """Colour of the line at the foot of a neutral header; "" for the others, which have none."""
    light: Theme
    dark: Theme
    veil: str
    """What lies over a header image behind the navigation."""
    veil_alpha: float
    """How opaque it must be for white to be readable on it, however bright the image is."""


def rgb(color: str) -> tuple[float, float, float]:
    """`#1972f5` or `#17f` as three parts from 0 to 1."""
    digits = color.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(d * 2 for d in digits)
    return int(digits[:2], 16) / 255, int(digits[2:4], 16) / 255, int(digits[4:6], 16) / 255


def hexed(parts: Sequence[float]) -> str:
    """Three parts from 0 to 1 as `#rrggbb`."""
    return "#" + "".join(f"{int(min(1.0, max(0.0, p)) * 255 + 0.5):02x}" for p in parts)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def _gamma(part: float) -> float:
    return part * 12.92 if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055


def to_oklch(color: str) -> tuple[float, float, float]:
    """Lightness 0 to 1, chroma, hue in degrees (Ottosson 2020)."""
    r, g, b = (_linear(p) for p in rgb(color))
    l_ = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    m_ = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    s_ = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    lightness = 0.2104542553 * l_ + 0.793617785 * m_ - 0.0040720468 * s_
    a = 1.9779984951 * l_ - 2.428592205 * m_ + 0.4505937099 * s_
    b = 0.0259040371 * l_ + 0.7827717662 * m_ - 0.808675766 * s_
    return lightness, hypot(a, b), (degrees(atan2(b, a)) + 360) % 360


def _raw(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * cos(radians(hue)), chroma * sin(radians(hue))
    l3 = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    m3 = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    s3 = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
    return (
        4.0767416621 * l3 - 3.3077115913 * m3 + 0.2309699292 * s3,
        -1.2684380046 * l3 + 2.6097574011 * m3 - 0.3413193965 * s3,
        -0.0041960863 * l3 - 0.7034186147 * m3 + 1.707614701 * s3,
    )


def _shown(lightness: float, chroma: float, hue: float) -> bool:
    return all(-1e-4 < part < 1.0001 for part in _raw(lightness, chroma, hue))


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """The colour, with as much of its chroma as a screen can show."""
    low, high = 0.0, chroma
    if _shown(lightness, chroma, hue):
        low = chroma
    else:
        while high - low > _FINE:
            middle = (low + high) / 2
            if _shown(lightness, middle, hue):
                low = middle
            else:
                high = middle
    return hexed([_gamma(max(0.0, part)) for part in _raw(lightness, low, hue)])


@lru_cache(maxsize=4096)
def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    r, g, b = (_linear(p) for p in rgb(color))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    a, b = luminance(one), luminance(other)
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def over(front: str, back: str, alpha: float) -> str:
    """`front` laid over `back`."""
    return hexed([f * alpha + b * (1 - alpha) for f, b in zip(rgb(front), rgb(back), strict=True)])


def _fits(color: str) -> bool:
    return contrast(WHITE, over(WHITE, color, PATTERN_ALPHA)) >= ENOUGH


def _first(count: int, color: Callable[[int], str], fits: Callable[[str], bool]) -> str:
    """The first of `count` colours, each further from the start than the one before, that fits; "" when none does."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if fits(color(middle)):
            high = middle
        else:
            low = middle + 1
    return color(low) if low < count else ""


def _darker(start: float, end: float, chroma: float, hue: float) -> str:
    return _first(int((start - end) / _STEP) + 1, lambda n: oklch(start - n * _STEP, chroma, hue), _fits)


def _accent(start: float, step: float, grounds: Sequence[str], chroma: float, hue: float) -> str:
    def fits(color: str) -> bool:
        return all(contrast(color, ground) >= ENOUGH + 0.05 for ground in grounds)

    room = start if step < 0 else 1 - start
    found = _first(int(room / abs(step)) + 1, lambda n: oklch(start + n * step, chroma, hue), fits)
    return found or (BLACK if step < 0 else WHITE)


def _veil(color: str) -> float:
    for hundredth in range(50, 101):
        if contrast(WHITE, over(color, WHITE, hundredth / 100)) >= ENOUGH + 0.1:
            return hundredth / 100
    return 1.0


@lru_cache(maxsize=8)
def brand(color: str) -> Brand:
    """The colours made from one, given as `#rrggbb` or `#rgb`."""
    lightness, chroma, hue = to_oklch(color)
    neutral = oklch(0.21, min(chroma, 0.012), hue)
    rule: Literal["keep", "nudge", "neutral"]
    if _fits(color):
        header, rule = color, "keep"
    elif nudged := _darker(lightness, lightness - NUDGE, chroma, hue):
        header, rule = nudged, "nudge"
    else:
        header, rule = neutral, "neutral"
    veil = oklch(0.2, min(chroma, 0.05), hue)
    soft = rule == "neutral"
    return Brand(
        color,
        rule,
        color if soft else "",
        _light(color, header, neutral if soft else "", (lightness, chroma, hue)),
        _dark(color, neutral if soft else "", (lightness, chroma, hue)),
        veil,
        _veil(veil),
    )


def _light(color: str, header: str, neutral: str, parts: tuple[float, float, float]) -> Theme:
    """`neutral` is "" where the brand carries its own header."""
    lightness, chroma, hue = parts
    bg, card = oklch(0.972, min(chroma, 0.1) * 0.06, hue), WHITE
    start, most = (min(lightness, 0.42), min(chroma, 0.06)) if neutral else (min(lightness, 0.6), chroma)
    accent = _accent(start, -_STEP, (bg, card, *TINTS[0]), most, hue)
    ink = oklch(0.19, min(chroma, 0.05), hue)
    if not neutral:
        button, on_button = accent, WHITE if contrast(WHITE, accent) >= ENOUGH else ink
    elif contrast(color, card) < PALE:
        button, on_button = neutral, WHITE
    else:
        button, on_button = color, ink
    return Theme(header, accent, button, on_button, bg, card)


def _dark(color: str, neutral: str, parts: tuple[float, float, float]) -> Theme:
    lightness, chroma, hue = parts
    whisper = min(chroma, 0.1) * 0.12
    bg, card = oklch(0.165, whisper, hue), oklch(0.212, whisper * 1.1, hue)
    accent = _accent(max(lightness, 0.66), _STEP, (bg, card, *TINTS[1]), min(chroma, 0.14), hue)
    if neutral:
        return Theme(neutral, accent, color, oklch(0.19, min(chroma, 0.05), hue), bg, card)
    header = _darker(min(lightness, 0.4), 1e-9, min(chroma, 0.13), hue) or BLACK
    return Theme(header, accent, accent, oklch(0.16, min(chroma, 0.04), hue), bg, card)


def css(made: Brand, *, pattern: str = "", image: str = "") -> str:
    """`:root{…}` to stand after the style sheet. `pattern`, `image`: addresses of what the header shows, or none."""
    light, dark = made.light, made.dark
    tokens = [
        f"--header:light-dark({light.header},{dark.header})",
        f"--accent:light-dark({light.accent},{dark.accent})",
        f"--btn:light-dark({light.button},{dark.button})",
        f"--on-btn:light-dark({light.on_button},{dark.on_button})",
        f"--bg:light-dark({light.bg},{dark.bg})",
        f"--card:light-dark({light.card},{dark.card})",
    ]
    if made.line:
        tokens.append(f"--rule:{made.line}")
    if pattern:
        tokens.append(f"--pattern:url({pattern})")
    if image:
        tokens += [f"--image:url({image})", f"--scrim:{made.veil}{round(made.veil_alpha * 255):02x}", "--deep:10.5rem"]
    return f":root{{{';'.join(tokens)}}}"

"""Files that the page is made with: logos, pattern, icon and style sheet of the operator, and our own icons.

Each has a name with a part of its digest in it, so that it may be kept for ever by whoever loaded it.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Final

import msgspec

from crisp_status.config.branding import FONTS, media_type

_EXTENSIONS: Final = {
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/x-icon": "ico",
    "text/css; charset=utf-8": "css",
    "text/javascript; charset=utf-8": "js",
    "font/woff2": "woff2",
    "font/woff": "woff",
}

STYLE: Final = "text/css; charset=utf-8"

SCRIPT: Final = "text/javascript; charset=utf-8"

SVG_SIZE_DEFAULT: Final = (300, 150)
"""What browsers take when an SVG says nothing."""


class Asset(msgspec.Struct, frozen=True):
    """One file, at `{page}/assets/{name}`."""

    name: str
    """`logo.3f2a1b9c.svg`: the letters in the middle change with the content."""
    content_type: str
    body: bytes
    width: int = 0
    height: int = 0

    @property
    def tall(self) -> bool:
        """Whether it is higher than wide: as a logo it is shown larger then."""
        return self.height > self.width


def own_folder() -> Path:
    """Where our templates and icons are: in the package, or beside it in a checkout."""
    packed = Path(str(files("crisp_status"))) / "templates"
    return packed if packed.is_dir() else Path(str(files("crisp_status"))).parent / "templates"


def asset(stem: str, body: bytes, content_type: str = "") -> Asset:
    """A file under its lasting name. Raises ValueError when it is no image and no type is given."""
    kind = content_type or FONTS.get(body[:4], "") or media_type(body)
    if kind not in _EXTENSIONS:
        raise ValueError(f"{stem}: no image that browsers show")
    digest = blake2b(body, digest_size=5).hexdigest()
    width, height = image_size(body, kind)
    return Asset(f"{stem}.{digest}.{_EXTENSIONS[kind]}", kind, body, width, height)


def icons() -> dict[str, tuple[Asset, Asset]]:
    """Our icons by look: an SVG, and a PNG of 32 pixels for browsers that show no SVG in tabs."""
    folder = own_folder() / "icons"
    found = {}
    for look in ("ok", "sick", "dead", "pend", "work"):
        svg, png = (folder / f"{look}.svg").read_bytes(), (folder / f"{look}.png").read_bytes()
        found[look] = asset(look, svg), asset(look, png)
    return found


def image_size(body: bytes, kind: str) -> tuple[int, int]:
    """Width and height in pixels, (0, 0) when unknown; the page reserves the space before the image is there."""
    try:
        return _SIZES[kind](body) if kind in _SIZES else (0, 0)
    except (IndexError, ValueError):
        return 0, 0


def _svg(body: bytes) -> tuple[int, int]:
    found = re.search(rb"<svg\b[^>]*>", body, re.IGNORECASE)
    tag = found.group().decode("utf-8", "replace") if found else ""

    def length(name: str) -> float:
        match = re.search(rf"""\b{name}\s*=\s*["']\s*([0-9.]+)(?:px)?\s*["']""", tag)
        return float(match.group(1)) if match else 0.0

    width, height = length("width"), length("height")
    box = re.search(r"""\bviewBox\s*=\s*["']([^"']+)["']""", tag)
    if box and not (width and height):
        _, _, box_width, box_height = (float(part) for part in re.split(r"[\s,]+", box.group(1).strip()))
        if height and box_height:
            width = height * box_width / box_height
        elif width and box_width:
            height = width * box_height / box_width
        else:
            width, height = box_width, box_height
    return (round(width), round(height)) if width and height else SVG_SIZE_DEFAULT


def _png(body: bytes) -> tuple[int, int]:
    return int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")


def _gif(body: bytes) -> tuple[int, int]:
    return int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")


def _jpeg(body: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 < len(body):
        marker, length = body[place + 1], int.from_bytes(body[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(body[place + 7 : place + 9], "big"), int.from_bytes(
                body[place + 5 : place + 7], "big"
            )
        place += 2 + length
    return 0, 0


def _webp(body: bytes) -> tuple[int, int]:
    if body[12:16] == b"VP8X":
        return int.from_bytes(body[24:27], "little") + 1, int.from_bytes(body[27:30], "little") + 1
    if body[12:16] == b"VP8L":
        bits = int.from_bytes(body[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[26:28], "little") & 0x3FFF, int.from_bytes(body[28:30], "little") & 0x3FFF


_SIZES: Final = {
    "image/svg+xml": _svg, "image/png": _png, "image/gif": _gif, "image/jpeg": _jpeg, "image/webp": _webp,
}  # fmt: skip

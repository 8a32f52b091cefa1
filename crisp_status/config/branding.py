"""Files that the configuration names: they exist, are what they should be, are not too large, and carry no script."""

from __future__ import annotations

import re
from os.path import isdir  # a name that no file can have is no folder either; the method of a path raises
from pathlib import Path as File
from typing import TYPE_CHECKING, Any, Final
from xml.etree.ElementTree import ParseError, XMLParser

from crisp_status.config.problems import Fault
from crisp_status.config.secrets import reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crisp_status.config.locate import Path

LOGO_BYTES_MAX: Final = 256 * 1024
"""A logo is loaded by every visitor, on phones too; most have under 10 kB."""

IMAGE_BYTES_MAX: Final = 2 * 1024 * 1024
"""A photograph of 2,500 pixels in WebP or JPEG fits well."""

STYLE_BYTES_MAX: Final = 256 * 1024
"""It is inlined into the page; ours has under 20 kB."""

_MAGIC: Final[tuple[tuple[re.Pattern[bytes], str], ...]] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"....ftypavi[fs]", re.DOTALL), "image/avif"),
    (re.compile(rb"\x00\x00\x01\x00"), "image/x-icon"),
    (re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!DOCTYPE svg|svg)", re.IGNORECASE), "image/svg+xml"),
)

FONT_BYTES_MAX: Final = 512 * 1024
"""A variable font of Latin, Greek and Cyrillic has about 350 kB as WOFF2."""

FONTS: Final = {b"wOF2": "font/woff2", b"wOFF": "font/woff"}
"""What web fonts begin with."""

_LIMITS: Final = {
    "header_logo": LOGO_BYTES_MAX,
    "footer_logo": LOGO_BYTES_MAX,
    "header_pattern": LOGO_BYTES_MAX,
    "icon": LOGO_BYTES_MAX,
    "header_image": IMAGE_BYTES_MAX,
}

_ENCODED: Final = re.compile(rb"\s*<\?xml[^>]*encoding\s*=\s*[\"'](?!utf-8)", re.IGNORECASE)
_ACTIVE: Final = frozenset(
    {"script", "foreignobject", "iframe", "object", "embed", "handler", "listener", "audio", "video"}
)
_ANIMATED: Final = frozenset({"set", "animate", "animatetransform", "animatemotion"})
_DATA_IMAGE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp|avif)[;,]", re.IGNORECASE)
_CSS_OUTSIDE: Final = re.compile(
    r"@import|expression\s*\(|url\(\s*['\"]?\s*(?!#|data:image/(?:png|jpeg|gif|webp)|['\")])", re.IGNORECASE
)


def media_type(content: bytes) -> str:
    """What kind of image the bytes are, by their beginning; "" when none that browsers show."""
    return next((kind for magic, kind in _MAGIC if magic.match(content)), "")


def faults(data: dict[str, Any], folder: File) -> Iterator[Fault]:
    """Everything that is wrong with the files of [page] and [page.branding]."""
    page = data.get("page")
    if not isinstance(page, dict):
        return
    branding = page.get("branding")
    if isinstance(branding, dict):
        for key, limit in _LIMITS.items():
            if isinstance(branding.get(key), str) and branding[key]:
                yield from _image(folder / branding[key], limit, ("page", "branding", key))
        if isinstance(branding.get("font"), str) and branding["font"]:
            yield from _font(folder / branding["font"], ("page", "branding", "font"))
        if branding.get("header_pattern") and branding.get("header_image"):
            yield Fault(("page", "branding", "header_image"), "stands beside header_pattern; a header has one of them")
    if isinstance(page.get("stylesheet"), str) and page["stylesheet"]:
        yield from _style(folder / page["stylesheet"], ("page", "stylesheet"))
    if isinstance(page.get("templates"), str) and page["templates"] and not isdir(folder / page["templates"]):
        yield Fault(("page", "templates"), f"there is no folder {folder / page['templates']}")


def without(data: dict[str, Any], unusable: list[Fault]) -> dict[str, Any]:
    """A copy of the document without the keys of [page] and [page.branding] that these faults are about."""
    page = dict(data["page"]) if isinstance(data.get("page"), dict) else {}
    if isinstance(page.get("branding"), dict):
        page["branding"] = dict(page["branding"])
    for fault in unusable:
        table = page.get("branding", {}) if fault.path[1] == "branding" else page
        table.pop(fault.path[-1], None)
    return {**data, "page": page} if unusable else data


def _read(file: File, limit: int, path: Path) -> bytes | Fault:
    try:
        with file.open("rb") as handle:
            content = handle.read(limit + 1)
    except OSError as error:
        return Fault(path, f"{file} cannot be read: {reason(error)}; paths are relative to this file")
    except ValueError:
        return Fault(path, f"{file} cannot be read: no file has such a name")
    if len(content) > limit:
        return Fault(path, f"{file} is too large: at most {limit // 1024} kB, as every visitor loads it")
    return content


def _image(file: File, limit: int, path: Path) -> Iterator[Fault]:
    content = _read(file, limit, path)
    if isinstance(content, Fault):
        yield content
        return
    kind = media_type(content)
    if not kind:
        yield Fault(path, f"{file} is not an image that browsers show: expected SVG, PNG, WebP, JPEG, AVIF, GIF or ICO")
    elif kind == "image/svg+xml":
        wrong = svg_fault(content)
        if wrong:
            yield Fault(path, f"{file} {wrong}")


def _font(file: File, path: Path) -> Iterator[Fault]:
    content = _read(file, FONT_BYTES_MAX, path)
    if isinstance(content, Fault):
        yield content
    elif content[:4] not in FONTS:
        yield Fault(path, f"{file} is not a web font: expected WOFF2 or WOFF")


def _style(file: File, path: Path) -> Iterator[Fault]:
    content = _read(file, STYLE_BYTES_MAX, path)
    if isinstance(content, Fault):
        yield content
    elif b"</style" in content.lower() or b"\x00" in content:
        yield Fault(path, f"{file} cannot be used as a style sheet: it would end the <style> that it is put into")
    else:
        try:
            content.decode()
        except UnicodeDecodeError:
            yield Fault(path, f"{file} is not text in UTF-8")


def svg_fault(content: bytes) -> str:
    """Why an SVG is not safe to show on the page; "" when it is: no script, no handlers, nothing from elsewhere."""
    if b"<!ENTITY" in content:
        return "defines entities; export it without"
    if _ENCODED.match(content):
        return "is not in UTF-8"
    target = _SvgReader()
    parser = XMLParser(target=target)  # noqa: S314  entities are refused above
    try:
        parser.feed(content)
        parser.close()
    except (ParseError, ValueError) as error:
        return f"is not well-formed SVG: {error}"
    return target.wrong


class _SvgReader:
    """Looks at every element as it is parsed; keeps the first thing that is wrong."""

    def __init__(self) -> None:
        self.wrong = ""
        self._depth = 0
        self._style: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        space, _, name = tag.rpartition("}")
        name = name.lower()
        if self._depth == 0 and (name != "svg" or space not in {"{http://www.w3.org/2000/svg", ""}):
            self._say(f"is XML, but no SVG: it begins with <{name}>")
        self._depth += 1
        if name in _ACTIVE:
            self._say(f"has a <{name}> in it; remove it")
        if name == "style":
            self._style = []
        for key, value in attributes.items():
            self._attribute(name, key.rpartition("}")[2].lower(), value.strip())

    def _attribute(self, element: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self._say(f"has an event handler in it ({name}); remove it")
        elif name == "href" and not value.startswith("#") and not (element == "image" and _DATA_IMAGE.match(value)):
            self._say("refers to something outside of it (href); images must be embedded")
        elif element in _ANIMATED and name == "attributename" and value.lower().rpartition(":")[2] == "href":
            self._say("changes a link by animation; remove it")
        elif "javascript:" in value.lower().replace("\t", "").replace("\n", ""):
            self._say("has a javascript: address in it; remove it")
        elif "(" in value and _CSS_OUTSIDE.search(value):
            self._say(f"refers to something outside of it ({name})")

    def data(self, text: str) -> None:
        """Text between elements."""
        if self._style is not None:
            self._style.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self._depth -= 1
        if self._style is not None:
            if _CSS_OUTSIDE.search("".join(self._style)) or "\\" in "".join(self._style):
                self._say("refers to something outside of it (style)")
            self._style = None

    def pi(self, target: str, data: str = "") -> None:
        """A processing instruction."""
        if target.lower().startswith("xml-stylesheet"):
            self._say("asks for a style sheet outside of it; remove it")

    def close(self) -> str:
        """The end; what was wrong."""
        return self.wrong

    def _say(self, text: str) -> None:
        self.wrong = self.wrong or text

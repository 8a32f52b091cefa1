"""Files of the page: shown to every visitor, so they are looked into first."""

from __future__ import annotations

import base64

import pytest

from crisp_status.config.branding import LOGO_BYTES_MAX, media_type, svg_fault

IMAGES = "SVG, PNG, WebP, JPEG, AVIF, GIF or ICO"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0h9v9z" fill="#fff"/></svg>'


def svg(inside: str, attributes: str = "") -> bytes:
    """An SVG with something in it."""
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f"<svg {names} {attributes}>{inside}</svg>".encode()


@pytest.mark.parametrize(
    "content",
    [
        SVG,
        b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- made by hand -->\n' + SVG,
        svg('<defs><linearGradient id="a"/></defs><rect fill="url(#a)"/><use href="#a"/><use xlink:href="#a"/>'),
        svg('<image href="data:image/png;base64,AAAA"/>'),
        svg("<style>.a{fill:url(#b)}</style><title>Acme</title>"),
        svg("<animate attributeName='opacity' values='0;1'/>"),
    ],
)
def test_what_designers_export_is_fine(content: bytes) -> None:
    """Paths, gradients, own styles, embedded images."""
    assert svg_fault(content) == ""
    assert media_type(content) == "image/svg+xml"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (svg("<script>alert(1)</script>"), "<script>"),
        (svg("<g><SCRIPT/></g>"), "<script>"),
        (svg("<foreignObject><p xmlns='http://www.w3.org/1999/xhtml'/></foreignObject>"), "<foreignobject>"),
        (svg("", "onload='alert(1)'"), "event handler"),
        (svg("<path onClick='alert(1)'/>"), "event handler"),
        (svg("<a href='javascript:alert(1)'/>"), "outside"),
        (svg("<a xlink:href='https://evil.example/'/>"), "outside"),
        (svg("<image href='https://evil.example/pixel.png'/>"), "outside"),
        (svg("<image href='data:image/svg+xml,<svg/>'/>".replace("<svg/>", "")), "outside"),
        (svg("<use href='other.svg#a'/>"), "outside"),
        (svg("<set attributeName='xlink:href' to='javascript:alert(1)'/>"), "animation"),
        (svg("<path fill='url(https://evil.example/)'/>"), "outside"),
        (svg("<style>@import 'https://evil.example/a.css';</style>"), "outside"),
        (svg("<style>a{b:u\\72l(https://evil.example/)}</style>"), "outside"),
        (b'<?xml-stylesheet href="https://evil.example/a.css"?>' + SVG, "style sheet"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]>' + SVG, "entities"),
        (b'<?xml version="1.0" encoding="utf-16"?>' + SVG, "UTF-8"),
        (b"<svg", "well-formed"),
        (b"<?xml version='1.0'?><html/>", "no SVG"),
    ],
)
def test_what_could_act_is_refused(content: bytes, word: str) -> None:
    """Script, handlers, anything from elsewhere: a sentence that names it."""
    assert word in svg_fault(content)


def test_images_are_known_by_their_first_bytes(config, problems, tmp_path) -> None:
    """Not by the ending of the name."""
    (tmp_path / "logo.svg").write_bytes(PNG)
    (tmp_path / "notes.png").write_text("not an image")
    (tmp_path / "huge.png").write_bytes(PNG + bytes(LOGO_BYTES_MAX))

    assert config('[page.branding]\nheader_logo = "logo.svg"\n[page]\nname = "A"\nurl = "http://a/"\n')
    assert problems('[page.branding]\nicon = "notes.png"\nfooter_logo = "huge.png"\n')[0:2] == [
        f"page.branding.icon: {tmp_path}/notes.png is not an image that browsers show: expected {IMAGES}",
        f"page.branding.footer_logo: {tmp_path}/huge.png is too large: at most 256 kB, as every visitor loads it",
    ]


def test_a_style_sheet_cannot_end_its_own_element(problems, tmp_path) -> None:
    """It is inlined."""
    (tmp_path / "own.css").write_text("body{}</style><script>alert(1)</script>")
    head = '[page]\nname = "A"\nurl = "http://a/"\n'

    assert problems(f'{head}stylesheet = "own.css"\ntemplates = "none"\n') == [
        f"page.stylesheet: {tmp_path}/own.css cannot be used as a style sheet: it would end the <style> that it is put into",
        f"page.templates: there is no folder {tmp_path}/none",
    ]


@pytest.mark.parametrize("name", ["x" * 10_000, "a\\u0000b"])
def test_a_name_that_no_file_can_have(problems, name: str) -> None:
    """It is a problem with a place like any other."""
    found = problems(f'[page]\nstylesheet = "{name}"\ntemplates = "{name}"\n[page.branding]\nicon = "{name}"\n')

    assert {"page.stylesheet", "page.templates", "page.branding.icon"} <= {line.partition(":")[0] for line in found}

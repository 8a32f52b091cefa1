"""What the operator decided about the page: files under lasting names, sizes, colours, policy."""

from importlib.resources import files

import pytest

from crisp_status.config.load import load
from crisp_status.config.strict import Rooms
from crisp_status.view.assets import asset, icons, image_size
from crisp_status.view.page_info import make_info, minified, page_info
from tests.formats import samples


def png(width, height):
    """The beginning of a PNG."""
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(9)


JPEG = b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xc0\x00\x11\x08\x00\x20\x00\x80" + bytes(20)


@pytest.mark.parametrize(
    ("body", "kind", "size"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="128" height="32"/>', "image/svg+xml", (128, 32)),
        (b'<svg viewBox="0 0 200 50"/>', "image/svg+xml", (200, 50)),
        (b'<svg height="28" viewBox="0,0 200 50"/>', "image/svg+xml", (112, 28)),
        (b'<svg width="100%" viewBox="0 0 10 5"/>', "image/svg+xml", (10, 5)),
        (b"<svg/>", "image/svg+xml", (300, 150)),
        (b'<svg viewBox="nonsense"/>', "image/svg+xml", (0, 0)),
        (png(64, 48), "image/png", (64, 48)),
        (b"GIF89a\x40\x00\x30\x00", "image/gif", (64, 48)),
        (JPEG, "image/jpeg", (128, 32)),
        (b"\xff\xd8\xff", "image/jpeg", (0, 0)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + b"\x3f\x00\x00\x2f\x00\x00", "image/webp", (64, 48)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(5) + (63 | 47 << 14).to_bytes(4, "little"), "image/webp", (64, 48)),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + b"\x40\x00\x30\x00", "image/webp", (64, 48)),
    ],
)
def test_sizes_of_images(body, kind, size):
    """So that the page can keep the place free before the image is there."""
    assert image_size(body, kind) == size


def test_files_have_their_digest_in_their_name():
    """Another content is another name; the same content is the same name, always."""
    one, other = asset("logo", b"<svg/>"), asset("logo", b"<svg />")

    assert one.name != other.name
    assert one.name == asset("logo", b"<svg/>").name
    assert (one.name.startswith("logo."), one.name.endswith(".svg"), one.content_type) == (True, True, "image/svg+xml")
    with pytest.raises(ValueError, match="no image"):
        asset("logo", b"MZ")


def test_our_icons_are_whole():
    """An SVG and a PNG of 32 pixels for each look."""
    for svg, image in icons().values():
        assert svg.content_type == "image/svg+xml"
        assert (image.width, image.height) == (32, 32)
        assert image.body.endswith(b"IEND\xaeB`\x82")
        assert b"<script" not in svg.body


def test_a_configuration_becomes_a_page(tmp_path):
    """Names, languages with the default first, and the files that it names."""
    (tmp_path / "light.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="100" height="25"/>')
    (tmp_path / "own.css").write_text("h1{font-weight:400}")
    (tmp_path / "config.toml").write_text(
        '[page]\nname = "Acme"\nurl = "https://acme.example/status/"\nlanguage = "fr"\nlanguages = ["en", "fr"]\n'
        'timezone = "Europe/Paris"\nstylesheet = "own.css"\n[page.branding]\nheader_logo = "light.svg"\ncolor = "#ffd400"\n'
    )
    info = page_info(load(tmp_path / "config.toml", Rooms(), {}))

    assert ("Acme", "/status/", "Europe/Paris") == (info.name, info.root, info.timezone)
    assert info.languages == ("fr", "en")
    assert info.brand.rule == "neutral"
    assert {info.header_logo.name, info.stylesheet.name} <= set(info.assets)
    assert info.path(info.header_logo) == f"/status/assets/{info.header_logo.name}"
    assert (info.base("en"), make_info(name="A", url="https://a.example").base("en")) == ("/status/en/", "/")


def test_the_colours_follow_the_sheet():
    """Pattern and image are files of the page; an image lies under just enough of a veil behind the navigation."""
    tiled, covering = samples.acme(), samples.acme(pattern=None, image=samples.acme().header_logo)

    assert f"--pattern:url(/assets/{next(n for n in tiled.assets if n.startswith('pattern'))})" in tiled.css
    assert "--image:url(" not in tiled.css.rpartition(":root{")[2]
    assert f"--image:url(/assets/{covering.header_logo.name});--scrim:#" in covering.css
    assert covering.css.rpartition(":root{")[2] == covering.css_inner.rpartition(":root{")[2]


def test_a_dark_logo_alone_is_seen_in_the_dark():
    """Without a light one it stands on paper there."""
    alone, both = samples.acme(header_logo=None), samples.acme()

    assert ".paper{" in alone.css
    assert ".paper{" not in both.css


def test_minified_style_is_the_same_style():
    """Only comments and line breaks go."""
    assert minified("/* why */\na{b:c;}\n\n  d{e:f}\n") == "a{b:c}d{e:f}"
    assert (files("crisp_status") / "view").is_dir()

"""Texts from outside, made harmless before they are shown."""

import pytest

from crisp_status.view.markdown import MAX_TEXT, markdown
from crisp_status.view.sanitize import MAX_NAME, clean, is_private, prose


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  Landing \n\t page ", "Landing page"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("a\u200bb\u2066c\ufeff", "abc"),
        ("Caf\u00e9 Zürich 東京 🚀", "Café Zürich 東京 🚀"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("Z" + "\u0300" * 500, "Z\u0300\u0300\u0300"),
        ("\ud800broken", "broken"),
        ("<b>&amp;</b>", "<b>&amp;</b>"),
    ],
)
def test_names_are_one_clean_line(text, shown):
    """Controls and marks of direction go; letters of all scripts, joiners and emoji stay; escaping is not done here."""
    assert clean(text) == shown


def test_long_names_are_cut():
    """With an ellipsis, quickly, however long they are."""
    assert clean("x" * 1_000_000) == "x" * (MAX_NAME - 1) + "…"
    assert len(clean("a\u0300" * 1_000_000)) <= MAX_NAME
    assert prose("line\r\nnext", 100) == "line\nnext"
    assert len(prose("y" * 10_000, 50)) == 50


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "acme.example", "2606:4700::1111", "[2606:4700::1111]", "web-1", "1.1.1.1:443"]
)
def test_public_hosts(host):
    """Addresses of the Internet and plain ids may be shown."""
    assert not is_private(host)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("Hello **world**", "<p>Hello <strong>world</strong></p>"),
        ("one\ntwo", "<p>one<br />\ntwo</p>"),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
        (
            "![a](https://x.example/a.png)",
            '<p>!<a href="https://x.example/a.png" rel="noopener noreferrer nofollow">a</a></p>',
        ),
        ("# Title\n## Part", "<h4>Title</h4>\n<h5>Part</h5>"),
        (
            "|a|b|\n|-|-:|\n|1|<i>|",
            (
                '<div class="wide" tabindex="0"><table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n'
                "<tbody>\n<tr>\n<td>1</td>\n<td>&lt;i&gt;</td>\n</tr>\n</tbody>\n</table></div>"
            ),
        ),
        ("[a](https://x.example/)", '<p><a href="https://x.example/" rel="noopener noreferrer nofollow">a</a></p>'),
        (
            "<https://x.example/>",
            '<p><a href="https://x.example/" rel="noopener noreferrer nofollow">https://x.example/</a></p>',
        ),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("", ""),
    ],
)
def test_markdown_is_a_safe_subset(text, html):
    """Emphasis, lists, code and links; headings below those of the page and tables without styles; no HTML, no images, no other schemes."""
    assert markdown(text) == html


def test_an_address_that_is_shown_decoded_is_clean():
    """The words between the tags are the address, and %1b is no command to anybody's terminal."""
    html = markdown("<http://acme.example/a%00%1b%E2%80%AEb>")

    assert html.endswith(">http://acme.example/ab</a></p>")


def test_markdown_has_limits():
    """10,000 characters, 10,000 paragraphs and 10,000 nested quotes are cut, in no time."""
    assert len(markdown("a" * 10_000)) < MAX_TEXT + 20
    assert markdown("a\n\n" * 10_000).count("<p>") < 200
    assert len(markdown(">" * 10_000)) < 3 * MAX_TEXT
    assert len(markdown("[" * 10_000)) < 3 * MAX_TEXT
    assert markdown("\u202eevil").count("\u202e") == 0

"""What the headers of a request mean."""

import pytest

from crisp_status.http import negotiation

OFFERED = ("en", "fr", "de", "pt", "zh", "ar")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("FR-ca", "fr"),
        ("sv,de;q=0.5", "de"),
        ("sv", "en"),
        ("de;q=0.1,fr;q=0.2", "fr"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("pt-BR", "pt"),
        ("*", "en"),
        ("fr;q=0,ar", "ar"),
        ("fr;q=0", "en"),
        (";;;,,,q=1", "en"),
        ("fr;q=banana", "en"),
        (",".join(["xx"] * 500) + ",fr", "en"),
    ],
)
def test_language(header, expected):
    """The best language that is offered, else the default; nonsense and endless lists are the default too."""
    assert negotiation.language(header, OFFERED) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("gzip", ("gzip",)),
        ("gzip, deflate, br", ("br", "gzip")),
        ("gzip;q=1, br;q=0.5", ("gzip", "br")),
        ("br;q=0, gzip", ("gzip",)),
        ("*", ("br", "gzip")),
        ("*;q=0, gzip", ("gzip",)),
        ("identity, gzip;q=0.5", ()),
        ("identity;q=0.5, gzip", ("gzip",)),
        ("x-gzip", ("gzip",)),
        ("zstd", ()),
    ],
)
def test_codings(header, expected):
    """Compressions that the client takes, the best first; none that it likes less than none."""
    assert negotiation.codings(header) == expected


def test_entity_tags():
    """Weak and strong tags count alike for reading; the star stands for any."""
    assert negotiation.tags('W/"a", "b-gzip"') == {'"a"', '"b-gzip"'}
    assert negotiation.tags("*") == {"*"}
    assert negotiation.tags("not a tag") == frozenset()

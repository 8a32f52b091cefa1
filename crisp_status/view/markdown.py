"""Announcements and notes: a safe subset of Markdown. No HTML, no images, no headings; links leave without a trace."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from crisp_status.config.page import TEXT_MAX
from crisp_status.view.sanitize import prose, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

MAX_TEXT: Final = TEXT_MAX
"""Characters of a text that are shown: as many as may be written."""

MAX_BLOCKS: Final = 400
"""Tokens of a text: paragraphs and list items beyond are cut, whatever their size."""


@cache
def _parser() -> MarkdownIt:
    """Made for the first text: most pages have none when they start."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "breaks": True})
    made.disable(["image", "heading", "lheading", "html_block", "html_inline", "hr"])
    made.add_render_rule("link_open", _link_open)
    return made


def _link_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """The opening tag of a link to a stranger."""
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return renderer.renderToken(tokens, index, options, env)


@lru_cache(maxsize=512)
def markdown(text: str) -> str:
    """HTML of an operator's text; whatever is not understood is shown as it is written."""
    parser = _parser()
    tokens = parser.parse(prose(text, MAX_TEXT))
    if len(tokens) > MAX_BLOCKS:
        cut = next((i for i in range(MAX_BLOCKS, 0, -1) if tokens[i - 1].level == 0 and tokens[i - 1].nesting < 1), 0)
        tokens = tokens[:cut]
    # An address that is shown is shown decoded, whatever its %00 stands for.
    return visible(str(parser.renderer.render(tokens, parser.options, {}))).strip()

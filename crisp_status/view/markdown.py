"""Announcements and notes: a safe subset of Markdown. No HTML, no images; links leave without a trace."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from crisp_status.config.page import TEXT_MAX
from crisp_status.view.sanitize import prose, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

MAX_TEXT: Final = TEXT_MAX
"""Characters of a text that are shown: as many as may be written."""

MAX_BLOCKS: Final = 400
"""Tokens of a text: paragraphs and list items beyond are cut, whatever their size."""


HEADINGS: Final = {"h1": "h4", "h2": "h5", "h3": "h5", "h4": "h5", "h5": "h5", "h6": "h5"}
"""A heading stands below that of the announcement or incident that it is in."""


@cache
def _parser() -> MarkdownIt:
    """Made for the first text: most pages have none when they start."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "breaks": True})
    made.disable(["image", "html_block", "html_inline", "hr"])
    made.enable("table")
    made.add_render_rule("link_open", _link_open)
    made.add_render_rule("table_open", _table_open)
    made.add_render_rule("table_close", _table_close)
    made.core.ruler.push("fit", _fit)
    return made


def _fit(state: StateCore) -> None:
    """Headings of the right level; no styles, which the page's policy forbids."""
    for token in state.tokens:
        token.tag = HEADINGS.get(token.tag, token.tag)
        token.attrs.pop("style", None)


def _table_open(renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """A table scrolls by itself where it is wider than the phone; reachable by keyboard for that."""
    return '<div class="wide" tabindex="0"><table>\n'


def _table_close(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """The end of it."""
    return "</table></div>\n"


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

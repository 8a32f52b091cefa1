"""Announcements and notes: a safe subset of Markdown. No HTML, no images, no headings; links leave without a trace."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from functools import lru_cache
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from crisp_status.page.plain import prose

MAX_TEXT: Final = 5000
"""Characters of an announcement: four screens of a phone."""

MAX_BLOCKS: Final = 400
"""Tokens of a text: paragraphs and list items beyond are cut, whatever their size."""


class _Renderer(RendererHTML):
    """Adds what a link to a stranger needs."""

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """The opening tag of a link."""
        tokens[index].attrSet("rel", "noopener noreferrer nofollow")
        return self.renderToken(tokens, index, options, env)


_markdown: Final = MarkdownIt("commonmark", {"html": False, "breaks": True}, renderer_cls=_Renderer).disable(
    ["image", "heading", "lheading", "html_block", "html_inline", "hr"]
)


@lru_cache(maxsize=512)
def markdown(text: str) -> str:
    """HTML of an operator's text; whatever is not understood is shown as it is written."""
    tokens = _markdown.parse(prose(text, MAX_TEXT))
    if len(tokens) > MAX_BLOCKS:
        cut = next((i for i in range(MAX_BLOCKS, 0, -1) if tokens[i - 1].level == 0 and tokens[i - 1].nesting < 1), 0)
        tokens = tokens[:cut]
    return str(_markdown.renderer.render(tokens, _markdown.options, {})).strip()

"""What people write: the configuration file, and the Markdown of announcements."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from random import Random

import tomli
import tomli_w

from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.config.plan import plan, targets
from crisp_status.config.problems import ConfigError
from crisp_status.config.root import Config
from crisp_status.view.markdown import markdown
from crisp_status.view.sanitize import clean, prose
from tests.fuzzing import Attempt, claim
from tests.fuzzing import dice as chance
from tests.fuzzing.world import World

EXAMPLE = (Path(__file__).resolve().parents[2] / "config.example.toml").read_text(encoding="utf-8")
WHOLE = re.sub(r"^#(?=[a-z\[])", "", EXAMPLE, flags=re.MULTILINE)

RENDER_SECONDS = 0.5
"""The longest text that is taken, whatever stands in it: a renderer that takes longer would hold up the page."""


@contextlib.asynccontextmanager
async def config(world: World) -> AsyncIterator[Attempt]:
    """The whole example with values or bytes changed: a configuration, or problems with places; nothing else."""
    file = world.folder / "fuzz.toml"
    document = tomli.loads(WHOLE)

    async def attempt(dice: Random) -> str:
        if dice.random() < 0.5:
            file.write_bytes(chance.mangled(dice, dice.choice((WHOLE, EXAMPLE)).encode(), 1.0))
        else:
            try:
                text = tomli_w.dumps(_written(chance.changed(dice, document, 5)))
            except (TypeError, ValueError):
                return "no TOML"
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            loaded = load(file, kinds.rooms(), {}, role="any", scripts=True)
        except ConfigError as error:
            claim(error.problems, "refused without a problem")
            for problem in error.problems:
                claim(problem.text and problem.line >= 1 and problem.column >= 1, "a problem without a place:", problem)
            for line in str(error).splitlines():
                claim(line.isprintable(), "a problem that writes to the terminal:", line)
            return "refused"
        claim(isinstance(loaded, Config) and len(plan(loaded).services) == len(loaded.services), "half a plan")
        claim(all(target.kind for target in targets(loaded).values()), "a target of no kind")
        return "loaded"

    yield attempt


def _written(value: object) -> object:
    """Without what TOML cannot say."""
    if isinstance(value, dict):
        return {str(k): _written(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_written(v) for v in value if v is not None]
    return value


PIECES = (
    "*", "**", "_", "`", "```", "[", "]", "(", ")", "](", "![", "<", ">", "&lt;", "&#0;", "&#x1f600;", "\\", "\n", "\n\n", "    ",
    "- ", "1. ", "> ", "# ", "---", "| ", "<b>", "<!--", "-->", "<script>alert(1)</script>", "<http://a>", "<javascript:alert(1)>",
    "[a]: javascript:alert(1)", "[a](java\nscript:alert(1))", "[a](javascript&colon;alert(1))", "[a](\x01javascript:alert(1))",
    "[a](vbscript:x)", "[a](data:text/html,x)", "[a](//evil.example)", "http://x", "word ", "a" * 50, "\u202e", "\x1b[31m", "\0",
    "| a | b |\n| :-: | --: |\n| c |",
)  # fmt: skip

TAGS = frozenset(
    [
        "p",
        "a",
        "em",
        "strong",
        "ul",
        "ol",
        "li",
        "code",
        "pre",
        "blockquote",
        "br",
        "h4",
        "h5",
        "div",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    ]
)
ATTRIBUTES = {"a": {"href", "rel", "title"}, "ol": {"start"}, "code": {"class"}, "div": {"class", "tabindex"}}


class Reader(HTMLParser):
    """Refuses every tag, attribute and address that an announcement may not have."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        claim(tag in TAGS, "a tag:", tag, attrs)
        for name, value in attrs:
            claim(name in ATTRIBUTES.get(tag, ()), "an attribute:", tag, name, value)
            if name == "href":
                scheme = re.match(r"[\s\x00-\x20]*([a-z][a-z0-9+.-]*):", (value or "").lower())
                claim(
                    scheme is None
                    or scheme[1] in {"http", "https", "mailto", "tel", "ftp", "xmpp", "irc", "news"}
                    or not re.match("(java|vb)script|file|data", scheme[1]),
                    "an address:",
                    value,
                )
                claim(("rel", "noopener noreferrer nofollow") in attrs, "a link without rel:", attrs)

    def handle_comment(self, data: str) -> None:
        claim(False, "a comment:", data)

    def handle_decl(self, decl: str) -> None:
        claim(False, "a declaration:", decl)


@contextlib.asynccontextmanager
async def announcement(world: World) -> AsyncIterator[Attempt]:
    """Markdown of any kind becomes a few safe tags, quickly; titles become one clean line."""

    async def attempt(dice: Random) -> str:
        size = dice.choice((3, 10, 40, 400, 5000))
        if dice.random() < 0.3:
            text = (dice.choice(PIECES) * 10_000)[:10_000] + dice.choice(PIECES)
        elif dice.random() < 0.5:
            text = "".join(dice.choices(dice.sample(PIECES, 3), k=size))[:10_000]
        else:
            text = "".join(
                dice.choice(PIECES) if dice.random() < 0.8 else chance.word(dice)[:200] for _ in range(size)
            )[:10_000]
        began = time.process_time()
        html = markdown(text)
        took = time.process_time() - began
        claim(took < RENDER_SECONDS, f"{took:.2f} s for", text[:200])
        Reader().feed(html)
        claim("\x1b" not in html and "\0" not in html and "\u202e" not in html, "a control character:", ascii(html))
        line = clean(text)
        claim(len(line) <= 80 and "\n" not in line and "\x1b" not in line and "\u202e" not in line, "a title:", line)
        line.encode()
        prose(text, 100).encode()
        return "short" if size < 100 else "long"

    yield attempt

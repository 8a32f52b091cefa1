"""What the operator decided about the page, made once from the configuration: names, links, colours, files."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from crisp_status.view.assets import SCRIPT, STYLE, Asset, asset, icons, own_folder
from crisp_status.view.brand import Brand, brand, css
from crisp_status.view.sanitize import MAX_LINE, clean

if TYPE_CHECKING:
    from crisp_status.config.page import Labels
    from crisp_status.config.root import Config


PAPER: Final = ".paper{padding:.5rem;border-radius:8px;background:#fff}"
"""Under a dark logo for which there is no light one: it could not be seen in the dark theme."""


FONT: Final = (
    '@font-face{font-family:"own";src:url(URL);font-weight:100 900;font-display:swap}'
    ':root{--font:"own",system-ui,"Segoe UI",Roboto,sans-serif}'
)
"""The operator's own font; text is readable before it has come."""


class PageInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about the page that is not state. Public, all of it."""

    name: str
    url: str
    """Its public address, with a slash at the end."""
    root: str
    """The path of that address: "/" or "/status/"."""
    company: str = ""
    website_url: str = ""
    support_url: str = ""
    description: str = ""
    timezone: str = "UTC"
    language: str = "en"
    languages: tuple[str, ...] = ("en",)
    """Those that it speaks, the default first."""
    history_days: int = 90
    ways: tuple[str, ...] = ()
    """How visitors may be told: email, webpush, webhook, slack."""
    told_after: float = 180.0
    """Seconds that an outage lasts before they are."""
    brand: Brand
    header_logo: Asset | None = None
    """Light."""
    footer_logo: Asset | None = None
    """Dark."""
    icon: Asset | None = None
    """The operator's; ours, by look, are in `icons`."""
    feed_style: Asset
    """What a browser shows the feed with."""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    """The operator's words for the states, by look; those that are missing are ours. Not to be changed."""
    plain_labels: bool = False
    """Ours are Operational, Degraded, Down instead of Healthy, Sick, Dead."""
    frame_ancestors: tuple[str, ...] = ()
    """Sites that may show the page in a frame."""
    robots: bool = True
    """Search engines may list the page."""
    private: bool = False
    """It is not for everybody."""
    read_key: str = ""
    """Of a private one: behind `?key=` it opens what other programs fetch. Only for pages that need more than it."""
    slo: float = 99.9
    """Uptime that is promised for a month, in percent."""
    icons: dict[str, tuple[Asset, Asset]] = msgspec.field(default_factory=dict)
    """By look: SVG and PNG. Not to be changed."""
    stylesheet: Asset | None = None
    """The operator's own."""
    templates: Path | None = None
    """Folder of the operator's own templates."""
    css: str = ""
    """Our style sheet with the colours of the brand, as it stands within the page."""
    css_inner: str = ""
    """The same for inner pages and for pages with many nodes."""
    script: Asset
    """What an open page does by itself; optional."""
    assets: dict[str, Asset] = msgspec.field(default_factory=dict)
    """All files by name, for `{root}assets/{name}`. Not to be changed."""

    def base(self, language: str) -> str:
        """Path that links within one language start with."""
        return f"{self.root}{language}/" if len(self.languages) > 1 else self.root

    def path(self, file: Asset) -> str:
        """Path of a file."""
        return f"{self.root}assets/{file.name}"

    @property
    def csp(self) -> str:
        """Content-Security-Policy of every HTML page: our own style by its digest, script from here, nothing from elsewhere."""
        return self.policy(self.frame_ancestors)

    def policy(self, framed_by: tuple[str, ...] = ()) -> str:
        """The same for a page that only these sites may show in a frame."""
        styles = [f"'{_digest(self.css)}'", f"'{_digest(self.css_inner)}'", *(["'self'"] if self.stylesheet else [])]
        framed = " ".join(framed_by) or "'none'"
        return (
            f"default-src 'none'; style-src {' '.join(styles)}; script-src 'self';"
            " connect-src 'self'; img-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none';"
            f" frame-ancestors {framed}"
        )


def _digest(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode()).digest()).decode()


def page_info(config: Config) -> PageInfo:
    """The page of a checked configuration. Reads the files that it names; OSError when one is gone since."""
    page = config.page
    looks = page.branding

    def load(stem: str, name: str, kind: str = "") -> Asset | None:
        return asset(stem, config.file(name).read_bytes(), kind) if name else None

    return make_info(
        name=page.name,
        url=str(page.url),
        company=page.company,
        website_url=str(page.website_url or ""),
        support_url=str(page.support_url or ""),
        description=page.description,
        timezone=page.timezone,
        language=page.language,
        languages=page.languages,
        history_days=page.history_days,
        ways=config.subscribers.kinds,
        told_after=config.subscribers.after,
        color=looks.color,
        header_logo=load("logo-light", looks.header_logo),
        footer_logo=load("logo-dark", looks.footer_logo),
        pattern=load("pattern", looks.header_pattern),
        image=load("header", looks.header_image),
        icon=load("icon", looks.icon),
        font=load("font", looks.font),
        labels=_labels(page.labels),
        plain_labels=page.labels == "plain",
        frame_ancestors=page.frame_ancestors,
        robots=page.robots and page.private is None,
        private=page.private is not None,
        slo=page.slo,
        stylesheet=load("own", page.stylesheet, STYLE),
        templates=config.file(page.templates) if page.templates else None,
    )


def _labels(labels: Labels | str) -> dict[str, str]:
    """By look."""
    if isinstance(labels, str):
        return {}
    words = {
        "ok": labels.healthy,
        "sick": labels.sick,
        "dead": labels.dead,
        "pend": labels.pending,
        "work": labels.maintenance,
    }
    return {look: clean(word, MAX_LINE) for look, word in words.items() if word}


def make_info(
    *,
    name: str,
    url: str,
    company: str = "",
    description: str = "",
    color: str = "#1972f5",
    language: str = "en",
    languages: tuple[str, ...] = ("en",),
    pattern: Asset | None = None,
    image: Asset | None = None,
    header_logo: Asset | None = None,
    footer_logo: Asset | None = None,
    icon: Asset | None = None,
    stylesheet: Asset | None = None,
    font: Asset | None = None,
    **rest: object,
) -> PageInfo:
    """The same from single values; what is left out is as in an empty configuration."""
    url = url if url.endswith("/") else url + "/"
    root = urlsplit(url).path or "/"
    colors = brand(color)
    ours = icons()
    folder = own_folder()
    script = asset("page", without_comments((folder / "page.js").read_text("utf-8")).encode(), SCRIPT)
    feed_style = asset("feed", minified((folder / "feed.css").read_text("utf-8")).encode(), STYLE)
    files = (pattern, image, header_logo, footer_logo, icon, stylesheet, font, script, feed_style)
    mine = [f for f in files if f is not None]
    looks = css(
        colors,
        pattern=f"{root}assets/{pattern.name}" if pattern else "",
        image=f"{root}assets/{image.name}" if image else "",
    )
    if footer_logo and not header_logo:
        looks += PAPER
    if font:
        looks += FONT.replace("URL", f"{root}assets/{font.name}")
    plain = minified((folder / "style.css").read_text("utf-8"))
    return PageInfo(
        name=clean(name, MAX_LINE),
        company=clean(company, MAX_LINE),
        description=clean(description, 2 * MAX_LINE),
        url=url,
        root=root,
        language=language,
        languages=(language, *(other for other in languages if other != language)),
        brand=colors,
        header_logo=header_logo,
        footer_logo=footer_logo,
        icon=icon,
        icons=ours,
        stylesheet=stylesheet,
        css=plain + looks,
        css_inner=plain + minified((folder / "inner.css").read_text("utf-8")) + looks,
        script=script,
        feed_style=feed_style,
        assets={f.name: f for f in (*mine, *(f for pair in ours.values() for f in pair))},
        **rest,  # type: ignore[arg-type]
    )


def without_comments(script: str) -> str:
    """A script without the lines that only explain it."""
    return "\n".join(line for line in script.splitlines() if line and not line.startswith("//"))


def minified(css: str) -> str:
    """A style sheet without comments and line breaks."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r";}", "}", re.sub(r"\s*\n\s*", "", css)).strip()

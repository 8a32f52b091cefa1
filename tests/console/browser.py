"""An operator's browser without script: cookies, forms, redirects."""

from __future__ import annotations

import html
import io
import re
from typing import Any

import aiohttp

MANAGER = "manager-token"
JANE = "jane-token-0123456789"
VERA = "vera-token-0123456789"
OLGA = "olga-token-0123456789"

CONFIG = f"""
[console]
edit = true
[[operators]]
id = "jane"
name = "Jane"
token = "{JANE}"
[[operators]]
id = "vera"
name = "Vera"
token = "{VERA}"
role = "viewer"
[[operators]]
id = "olga"
name = "Olga"
token = "{OLGA}"
role = "owner"
[[templates]]
name = "Partner outage"
text = "Our payment partner has trouble."
[[services]]  # the shop
id = "web"
name = "Websites"
[[services.nodes]]
id = "api"
name = "API"
replicas = ["tcp://127.0.0.1:9"]  # nobody listens there
retry = 0
"""


class Browser:
    """Keeps cookies, follows the redirect after a form, and sends the hidden fields of the page it looks at."""

    def __init__(self, app: Any, session: aiohttp.ClientSession) -> None:
        self.origin = f"http://{app.bound[0]}"
        self._session = session
        self.text = ""
        self.status = 0
        self.headers: Any = {}

    async def get(self, path: str, **headers: str) -> str:
        """Look at a page."""
        async with self._session.get(f"{self.origin}{path}", headers=headers) as answer:
            self.text, self.status, self.headers = await answer.text(), answer.status, answer.headers
        return self.text

    @property
    def token(self) -> str:
        """The value that forms of this page carry."""
        found = re.search(r'name="form_token" value="(\w+)"', self.text)
        return found.group(1) if found else ""

    @property
    def seen(self) -> str:
        """The fingerprint of the file that this page was made from."""
        found = re.search(r'name="seen" value="(\w+)"', self.text)
        return found.group(1) if found else ""

    async def post(self, path: str, *, origin: str = "", token: str | None = None, **fields: Any) -> str:
        """Send a form of the page that was looked at last."""
        values = [("form_token", self.token if token is None else token), ("seen", self.seen)]
        for key, value in fields.items():
            values += [(key, one) for one in (value if isinstance(value, list) else [value])]
        async with self._session.post(
            f"{self.origin}{path}", data=values, headers={"Origin": origin or self.origin}
        ) as answer:
            self.text, self.status, self.headers = await answer.text(), answer.status, answer.headers
        return self.text

    async def upload(self, path: str, content: bytes, *, into: str, **fields: str) -> str:
        """Send a form with a file."""
        data = aiohttp.FormData()
        for key, value in ({"form_token": self.token, "seen": self.seen} | fields).items():
            data.add_field(key, value)
        data.add_field(into, io.BytesIO(content), filename="../../evil name.svg", content_type="image/svg+xml")
        async with self._session.post(f"{self.origin}{path}", data=data, headers={"Origin": self.origin}) as answer:
            self.text, self.status = await answer.text(), answer.status
        return self.text

    async def sign_in(self, token: str = JANE, next: str = "/operator/") -> None:
        """As one of the operators."""
        form = {"token": token, "next": next}
        async with self._session.post(
            f"{self.origin}/operator/sign-in", data=form, headers={"Origin": self.origin}
        ) as answer:
            self.text, self.status, self.headers = await answer.text(), answer.status, answer.headers

    @property
    def words(self) -> str:
        """What stands on the page."""
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.text)))

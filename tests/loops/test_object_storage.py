"""The page in object storage, against a real S3-compatible server: DESIGN section 8.1."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import aiohttp
import pytest

from crisp_status import kinds
from crisp_status.app import App
from crisp_status.config.load import load
from crisp_status.config.problems import ConfigError
from tests.daemon import BASE, get, started, until
from tests.s3 import Bucket, storage

SERVICE = """
[[services]]
name = "Web"
[[services.nodes]]
name = "Landing page"
mode = "push"
"""


def published(bucket: Bucket, key: str, prefix: str) -> str:
    """The configuration of a page that is put there."""
    return (
        f'[publish]\nbucket = "acme-status"\nendpoint = "{bucket.endpoint}"\nregion = "eu-1"\n'
        f'prefix = "{prefix}"\naccess_key = "{key}"\nsecret_key = "a-secret-key"\n' + SERVICE
    )


def page_of(folder: Path, bucket: Bucket, key: str = "first", prefix: str = "") -> Path:
    """The file of a page in two languages, which is put there."""
    base = BASE.replace('name = "Acme"', 'name = "Acme"\nlanguages = ["en", "fr"]')
    (folder / "config.toml").write_text(base + published(bucket, key, prefix))
    return folder / "config.toml"


def basic(token: str) -> str:
    """The token as reporters send it."""
    return "Basic " + b64encode(f":{token}".encode()).decode()


async def report(app: App, replica: str, load: float = 0.1) -> None:
    """A replica says how busy it is."""
    async with (
        aiohttp.ClientSession(headers={"Authorization": basic("reporter-token")}) as session,
        session.post(
            f"http://{app.bound[0]}/v1/report/web/landing-page",
            json={"replica_id": replica, "interval": 600, "load": {"cpu": load, "ram": 0.1}},
        ) as answer,
    ):
        assert answer.status == 200


def idle(app: App) -> bool:
    """Whether everything is there."""
    return app.copies.storage.idle


async def test_the_page_is_there_as_the_daemon_shows_it(tmp_path: Path) -> None:
    """Every document with its type and its Cache-Control; the first page comes last."""
    async with storage() as bucket, started(page_of(tmp_path, bucket, prefix="status")) as app:
        await until(lambda: idle(app), 40)
        put = bucket.put
        names = await bucket.names()
        page, kind, cache = await bucket.get("status/index.html")
        text, _, _ = await bucket.get("status/status/text")

        assert text.decode() == (await get(app, "/status/text"))[1]
    assert b"Landing page" in page
    assert kind.startswith("text/html")
    assert cache == "public, max-age=5, stale-if-error=86400"
    homes = [name for name in put if name.removeprefix("status/").count("/") <= 1 and name.endswith("index.html")]
    assert {"status/index.html", "status/api/v2/summary.json"} <= set(names)
    assert "status/index.html" in put[-len(homes) :]
    assert len(put) == len(set(put)) == len(names)


async def test_only_what_changed_is_sent(tmp_path: Path) -> None:
    """After a change, and after a start, when the bucket itself says what it holds."""
    async with storage() as bucket:
        async with started(page_of(tmp_path, bucket)) as app:
            await until(lambda: idle(app), 40)
            everything = set(bucket.put)
            await report(app, "a")
            await until(lambda: idle(app) and any(n == "index.html" for _, n, _ in bucket.asked), 40)
            changed = set(bucket.put)
        assert "index.html" in changed
        assert len(changed) < len(everything)
        assert not [name for name in changed if name.startswith("assets/")]
        async with started(page_of(tmp_path, bucket)) as app:
            await until(lambda: idle(app), 40)
            again = bucket.put
    assert len(again) < len(everything) / 2


async def test_a_failure_holds_the_page_back_and_is_tried_again(tmp_path: Path) -> None:
    """No visitor sees half a change: while something it needs is refused, the first page stays as it is."""
    async with storage() as bucket:
        bucket.answers = [403] * 40
        async with started(page_of(tmp_path, bucket)) as app:
            await until(lambda: app.counters.uploads_failed, 40)
            assert "index.html" not in await bucket.names()
            bucket.answers = []
            await until(lambda: idle(app), 40)
            assert "index.html" in await bucket.names()


async def test_keys_are_changed_by_a_reload(tmp_path: Path) -> None:
    """The old one is revoked first: what could not be sent then is sent with the new one, and nothing twice."""
    async with storage() as bucket, started(page_of(tmp_path, bucket)) as app:
        await until(lambda: idle(app), 40)
        bucket.asked.clear()
        bucket.keys = {"second"}
        await report(app, "a")
        await until(lambda: app.counters.uploads_failed, 40)
        await app.reload(load(page_of(tmp_path, bucket, "second"), kinds.rooms(), {}))
        await until(lambda: idle(app) and bucket.asked, 40)
        asked = [(name, key) for method, name, key in bucket.asked if method == "PUT"]
    assert {key for _, key in asked} == {"second"}
    assert ("index.html", "second") in asked
    assert not [name for name, _ in asked if name.startswith("assets/")]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ('prefix = "a"', 'it needs a "bucket", too'),
        ('bucket = "b"\naccess_key = "k"', "has no secret_key to go with it"),
        ('bucket = "Not A Bucket"', "bucket"),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path: Path, section: str, words: str) -> None:
    """At its line, before anything is sent."""
    (tmp_path / "config.toml").write_text(BASE + "[publish]\n" + section + SERVICE)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.toml", kinds.rooms(), {})

    assert words in str(caught.value)

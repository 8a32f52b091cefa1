"""Which handler answers."""

import pytest

from crisp_status.http.error_responses import Refused
from crisp_status.http.router import Router


def router():
    made = Router()
    for method, pattern in (
        ("GET", "/manager/announcements"),
        ("POST", "/manager/announcement"),
        ("DELETE", "/manager/announcement/{id}"),
        ("POST", "/v1/report/{service}/{node}"),
        ("GET", "/ping/{token}"),
        ("GET", "/ping/{token}/{code}"),
        ("GET", "/ping/{token}/start"),
        ("*", "/api/push/{token}"),
    ):
        made.add(method, pattern, f"{method} {pattern}")
    return made


@pytest.mark.parametrize(
    ("method", "path", "handler", "args"),
    [
        ("GET", "/manager/announcements", "GET /manager/announcements", {}),
        ("GET", "/manager/announcements/", "GET /manager/announcements", {}),
        ("HEAD", "/manager/announcements", "GET /manager/announcements", {}),
        ("POST", "/v1/report/web/a%2Fb/", "POST /v1/report/{service}/{node}", {"service": "web", "node": "a/b"}),
        ("POST", "/v1/report/%C3%A9/x", "POST /v1/report/{service}/{node}", {"service": "é", "node": "x"}),
        ("GET", "/ping/t/start", "GET /ping/{token}/start", {"token": "t"}),
        ("GET", "/ping/t/7", "GET /ping/{token}/{code}", {"token": "t", "code": "7"}),
        ("PATCH", "/api/push/x", "* /api/push/{token}", {"token": "x"}),
    ],
)
def test_finds(method, path, handler, args):
    """With and without trailing slash, literal before named, segments decoded one by one."""
    assert router().find(method, path) == (handler, args)


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/v1/report/web", "/v1/report//x", "/v1/report/web/x/y", "//manager"]
)
def test_unknown(path):
    """A path that no pattern fits is nobody's."""
    assert router().find("POST", path) is None


def test_wrong_method():
    """A known path with another method says which ones it takes."""
    with pytest.raises(Refused) as caught:
        router().find("PUT", "/manager/announcement/7")

    assert (caught.value.status, caught.value.headers) == (405, {"Allow": "DELETE"})


def test_too_long():
    """No address of ours has thousands of characters."""
    with pytest.raises(Refused) as caught:
        router().find("GET", "/ping/" + "x" * 5000)

    assert caught.value.status == 404


def test_twice():
    """One door has one owner."""
    with pytest.raises(ValueError, match="registered twice"):
        router().add("GET", "/ping/{token}", "x")

"""The Vigil dialect, rule by rule of PROTOCOLS section 3."""

import pytest

from tests.reports.world import Page, basic

REPORT = "/reporter/web/api"
ALIVE = {"replica": "10.0.0.1", "interval": 30, "load": {"cpu": 0.1, "ram": 0.2}}
SEEN = {"replica": "tcp://10.0.0.5:443", "interval": 120, "health": "dead"}


@pytest.fixture
def page():
    return Page()


def test_load_makes_a_healthy_replica(page):
    """PROTOCOLS 3.1: `load` on a push node is 200 with an empty body."""
    said = page.ask("POST", REPORT, ALIVE)

    assert (said.status, said.body) == (200, b"")
    assert page.health("web/api", "10.0.0.1") == "healthy"


def test_health_is_for_local_nodes(page):
    """PROTOCOLS 3.1 and 3.2."""
    assert page.ask("POST", "/reporter/lan/office", SEEN).status == 200
    assert page.health("lan/office", SEEN["replica"]) == "dead"
    assert page.ask("POST", "/reporter/lan/roam", SEEN | {"replica": "0"}).status == 200


def test_load_wins_over_health(page):
    """PROTOCOLS 3.1: if both are present."""
    page.ask("POST", REPORT, ALIVE | {"health": "dead"})

    assert page.health("web/api", "10.0.0.1") == "healthy"


@pytest.mark.parametrize(
    ("target", "body", "status"),
    [
        (REPORT, {"replica": "a", "interval": 30}, 400),
        (REPORT, ALIVE | {"load": {"cpu": -1, "ram": 0}}, 400),
        (REPORT, b"{", 400),
        (REPORT, {"interval": 30, "load": {"cpu": 0, "ram": 0}}, 400),
        ("/reporter/lan/office", SEEN | {"health": "fine"}, 400),
        ("/reporter/web/nothing", ALIVE | {"load": {"cpu": -1, "ram": 0}}, 400),
        ("/reporter/web/nothing", ALIVE, 404),
        ("/reporter/nothing/api", ALIVE, 404),
        ("/reporter/lan/office", ALIVE, 412),
        ("/reporter/web/landing", ALIVE, 412),
        (REPORT, SEEN, 412),
    ],
)
def test_the_table_of_status_codes(page, target, body, status):
    """PROTOCOLS 3.1, in its order: load range, existence, mode."""
    said = page.ask("POST", target, body)

    assert said.status == status
    assert set(said.body) == {"error", "detail"}


def test_a_float_interval_is_taken(page):
    """Vigil refuses it; the Python library sends one (PROTOCOLS 3.1), so we take it."""
    assert page.ask("POST", REPORT, ALIVE | {"interval": 5.5}).status == 200


class TestTokens:
    """PROTOCOLS 3: auth outcomes."""

    def test_a_wrong_token_is_403_and_none_is_401(self, page):
        """With the challenge of Vigil's realm."""
        assert page.ask("POST", REPORT, ALIVE, token="wrong").status == 403
        none = page.ask("POST", REPORT, ALIVE, token=None)
        assert (none.status, none.headers) == (401, (("WWW-Authenticate", 'Basic realm="Reporter Token"'),))

    def test_the_user_name_is_ignored(self, page):
        """py-vigil-reporter sends a literal word there."""
        header = basic("all-may-report", "Authorization")

        assert page.ask("POST", REPORT, ALIVE, token=None, Authorization=header).status == 200

    def test_it_is_evaluated_before_the_body(self, page):
        """PROTOCOLS 3."""
        assert page.ask("POST", REPORT, b"{", token="wrong").status == 403


class TestFlush:
    """PROTOCOLS 3.1: DELETE /reporter/{probe}/{node}/{replica}/."""

    def test_it_removes_the_replica_durably(self, page):
        """The replica is gone when the client hears 200."""
        page.ask("POST", REPORT, ALIVE)

        said = page.ask("DELETE", f"{REPORT}/10.0.0.1")

        assert (said.status, said.wait) == (200, True)
        assert page.world.state.nodes["web/api"].replicas == {}

    def test_a_plus_may_be_a_space(self, page):
        """PROTOCOLS 1.3: the Go library escapes a space so."""
        page.ask("POST", REPORT, ALIVE | {"replica": "my host"})

        assert page.ask("DELETE", f"{REPORT}/my+host").status == 200

    @pytest.mark.parametrize(
        ("target", "status"),
        [("web/api/none", 404), ("web/none/a", 404), ("no/api/a", 404), ("web/landing/https:", 412)],
    )
    def test_the_table_of_status_codes(self, page, target, status):
        """404 for the unknown, 412 for a node that is neither push nor local."""
        assert page.ask("DELETE", f"/reporter/{target}").status == status

"""The Crisp dialect, rule by rule of PROTOCOLS sections 1 and 2."""

import json
from typing import ClassVar

import pytest

from crisp_status.reports import OURS
from crisp_status.reports.crisp import _http
from tests.reports.world import LOCAL, NOW, Page, basic

REPORT = "/v1/report/web/api"
ALIVE = {"replica_id": "10.0.0.1", "interval": 30, "load": {"cpu": 0.1, "ram": 0.2}}


@pytest.fixture
def page():
    return Page()


def test_a_report_makes_a_healthy_replica(page):
    """PROTOCOLS 1.1: one POST with load makes the replica exist, and the answer is 200 with nothing in it."""
    said = page.ask("POST", REPORT, ALIVE)

    assert (said.status, said.body, said.wait) == (200, b"", True)
    assert page.health("web/api", "10.0.0.1") == "healthy"


def test_the_second_report_waits_for_no_disk(page):
    """A replica that is known already is answered without waiting."""
    page.ask("POST", REPORT, ALIVE)

    assert page.ask("POST", REPORT, ALIVE).wait is False


def test_no_load_is_alive(page):
    """PROTOCOLS 1.1 and 1.3: the Python library never sends load, and counts as alive."""
    assert page.ask("POST", REPORT, {"replica_id": "a", "interval": 30}).status == 200
    assert page.ask("POST", REPORT, {"replica_id": "a", "interval": 30, "load": None}).status == 200
    assert page.health("web/api", "a") == "healthy"


def test_numbers_may_be_strings(page):
    """PROTOCOLS 1.1: the manual's sample quotes numbers, so hand-written clients send strings."""
    said = page.ask("POST", REPORT, {"replica_id": "a", "interval": "30", "load": {"cpu": "0.95", "ram": "0.1"}})

    assert said.status == 200
    assert page.health("web/api", "a") == "sick"


def test_fractions_of_a_second_are_fine(page):
    """PROTOCOLS 1.1: node sends whatever number it was given."""
    assert page.ask("POST", REPORT, {"replica_id": "a", "interval": 0.5}).events[0].interval == 1.0
    assert page.ask("POST", REPORT, {"replica_id": "a", "interval": 2.5}).events[0].interval == 2.5


@pytest.mark.parametrize("load", [{"cpu": 0.91, "ram": 0}, {"cpu": 0, "ram": 0.91}, {"cpu": 3.5}])
def test_load_above_the_threshold_is_sick(page, load):
    """DESIGN 6: strictly above is sick; CPU may exceed 1; either ratio may be missing."""
    page.ask("POST", REPORT, ALIVE | {"load": load})

    assert page.health("web/api", "10.0.0.1") == "sick"


def test_load_at_the_threshold_is_healthy(page):
    """DESIGN 6: strictly."""
    page.ask("POST", REPORT, ALIVE | {"load": {"cpu": 0.9, "ram": 0.9}})

    assert page.health("web/api", "10.0.0.1") == "healthy"


def test_silence_is_dead_and_a_report_brings_it_back(page):
    """DESIGN 6: dead when silent for longer than its own interval and delay_dead."""
    page.ask("POST", REPORT, ALIVE)
    page.later(39.9)
    assert page.health("web/api", "10.0.0.1") == "healthy"
    page.later(1)
    assert page.health("web/api", "10.0.0.1") == "dead"

    page.ask("POST", REPORT, ALIVE)

    assert page.health("web/api", "10.0.0.1") == "healthy"


def test_an_application_may_call_itself_sick(page):
    """Our extension: `health` on a push node says worse than the load does, never better."""
    page.ask("POST", REPORT, ALIVE | {"health": "sick", "reason": "queue\nis long"})
    replica = page.world.state.nodes["web/api"].replicas["10.0.0.1"]
    assert (replica.health.word, replica.reason.code, replica.reason.text) == ("sick", "reported", "queue is long")

    page.ask("POST", REPORT, ALIVE | {"health": "healthy", "load": {"cpu": 2, "ram": 0}})
    assert replica.reason.code == "cpu"


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "bad_body"),
        (b"{", "bad_body"),
        (b"[]", "bad_body"),
        (b"\xff\xfe", "bad_body"),
        (b"[" * 60_000, "bad_body"),
        ({"interval": 30}, "bad_body"),
        ({"replica_id": "a"}, "bad_body"),
        ({"replica_id": 1, "interval": 30}, "bad_body"),
        ({"replica_id": "a", "interval": None}, "bad_body"),
        ({"replica_id": "a", "interval": "soon"}, "bad_body"),
        ({"replica_id": "a", "interval": True}, "bad_body"),
        ({"replica_id": "a", "interval": "nan"}, "bad_number"),
        ({"replica_id": "a", "interval": -1}, "bad_number"),
        ({"replica_id": "a", "interval": 1e12}, "bad_number"),
        (b'{"replica_id": "a", "interval": 1e999}', "bad_body"),
        (b'{"replica_id": "a", "interval": NaN}', "bad_body"),
        (ALIVE | {"load": {"cpu": -0.1, "ram": 0}}, "bad_number"),
        (ALIVE | {"load": {"cpu": 0, "ram": "inf"}}, "bad_number"),
        (ALIVE | {"load": {"cpu": 1e9, "ram": 0}}, "bad_number"),
        (ALIVE | {"load": 3}, "bad_body"),
        (ALIVE | {"replica_id": ""}, "bad_replica"),
        (ALIVE | {"replica_id": "x" * 201}, "bad_replica"),
        (ALIVE | {"replica_id": "a\nb"}, "bad_replica"),
        (ALIVE | {"health": "fine"}, "bad_health"),
    ],
)
def test_what_is_malformed_is_refused_in_words(page, body, word):
    """Every refusal is a 400 with a stable word and a sentence, and leaves the page as it was."""
    said = page.ask("POST", REPORT, body)

    assert (said.status, said.body["error"]) == (400, word)
    assert said.body["detail"].endswith(".")
    assert page.world.state.nodes["web/api"].replicas == {}


def test_unknown_node_and_wrong_mode(page):
    """PROTOCOLS 11.1: as Vigil, 404 for what does not exist and 412 for a node that is observed otherwise."""
    assert page.ask("POST", "/v1/report/web/nothing", ALIVE).status == 404
    assert page.ask("POST", "/v1/report/nothing/api", ALIVE).status == 404
    polled = page.ask("POST", "/v1/report/web/landing", ALIVE)
    assert polled.status == 412
    assert polled.body["detail"] == "web/landing has mode poll: it is looked at by this server; nobody reports it."
    assert page.ask("POST", "/v1/report/lan/roam", ALIVE).status == 412
    assert page.ask("POST", "/v1/report/jobs/backup", ALIVE).status == 412


def test_load_is_checked_before_existence(page):
    """PROTOCOLS 3.1: load range before existence before mode."""
    bad = ALIVE | {"load": {"cpu": -1, "ram": 0}}

    assert page.ask("POST", "/v1/report/web/nothing", bad).status == 400
    assert page.ask("POST", "/v1/report/web/landing", bad).status == 400


def test_too_many_replicas_are_refused(page):
    """A million distinct ids make as many refusals and no more than max_replicas replicas."""
    said = [page.ask("POST", REPORT, ALIVE | {"replica_id": f"r{n}"}) for n in range(5)]

    assert [a.status for a in said] == [200, 200, 200, 409, 409]
    assert "max_replicas" in said[-1].body["detail"]
    assert page.ask("POST", REPORT, ALIVE | {"replica_id": "r0"}).status == 200


class TestTokens:
    """PROTOCOLS 1.1 and 2.3: Basic, empty user, token as password; a wrong one is 401 for the local daemon's sake."""

    def test_the_user_name_does_not_matter(self, page):
        """PROTOCOLS 3.1: one library sends a literal word as its user name."""
        said = page.ask("POST", REPORT, ALIVE, token=None, Authorization=basic("all-may-report", "Authorization"))

        assert said.status == 200

    @pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Basic " + "eA==", "Bearer all-may-report"])
    def test_without_a_readable_token_it_is_401_with_a_challenge(self, page, header):
        """And it is no guess: nothing was tried."""
        said = page.ask("POST", REPORT, ALIVE, token=None, Authorization=header)

        assert (said.status, said.guess) == (401, False)
        assert said.headers[0][0] == "WWW-Authenticate"

    @pytest.mark.parametrize("token", ["", "wrong", "all-may-report ", "ALL-MAY-REPORT", "ü" * 300])
    def test_a_wrong_token_is_401_and_counts_as_a_guess(self, page, token):
        """Crisp Status Local stops for this cycle on 401, with an error that names the token (PROTOCOLS 2.3)."""
        said = page.ask("POST", REPORT, ALIVE, token=token)

        assert (said.status, said.guess, said.body["error"]) == (401, True, "wrong_token")

    def test_the_token_is_checked_before_the_body(self, page):
        """PROTOCOLS 3: nobody learns of nodes without a token."""
        assert page.ask("POST", "/v1/report/no/where", b"{", token="wrong").status == 401

    def test_a_token_of_a_service_or_node_opens_nothing_else(self, page):
        """Optional tokens of less power."""
        for token in ("only-the-web-service", "only-the-api-node"):
            assert page.ask("POST", REPORT, ALIVE, token=token).status == 200
            said = page.ask("POST", "/v1/report/lan/office", ALIVE, token=token)
            assert (said.status, said.body["error"]) == (403, "other_scope")


class TestAgentReports:
    """PROTOCOLS 2.4: the same address takes what Crisp Status Local saw."""

    SEEN: ClassVar = {"replica_id": "tcp://10.0.0.5:443", "health": "dead", "interval": 120}

    def test_health_is_taken_as_seen(self, page):
        """healthy, sick and dead."""
        for word in ("dead", "sick", "healthy"):
            assert page.ask("POST", "/v1/report/lan/office", self.SEEN | {"health": word}).status == 200
            assert page.health("lan/office", "tcp://10.0.0.5:443") == word

    def test_an_address_with_a_password_is_known_by_the_id_without(self, page):
        """The agent says the address exactly as it was given; what we keep has no password in it."""
        said = page.ask("POST", "/v1/report/lan/office", self.SEEN | {"replica_id": "https://u:pass@intra/"})

        assert said.status == 200
        assert page.health("lan/office", "https://u:***@intra/") == "dead"

    def test_a_replica_that_is_not_listed_is_unknown(self, page):
        """An agent with yesterday's list must not bring back what was removed."""
        said = page.ask("POST", "/v1/report/lan/office", self.SEEN | {"replica_id": "tcp://10.0.0.9:1"})

        assert (said.status, said.body["error"]) == (404, "unknown_replica")

    def test_a_node_without_list_takes_any(self, page):
        """Vigil Local has its own list, which we never see (PROTOCOLS 3.2)."""
        assert page.ask("POST", "/v1/report/lan/roam", self.SEEN | {"replica_id": "0"}).status == 200

    def test_no_health_is_a_wrong_mode(self, page):
        """A push client that was pointed at a local node is told."""
        assert page.ask("POST", "/v1/report/lan/office", {"replica_id": "x", "interval": 1}).status == 412

    def test_silence_is_the_agents(self, page):
        """DESIGN 6: dead after interval and silent_dead, with a reason that says so."""
        page.ask("POST", "/v1/report/lan/office", self.SEEN | {"health": "healthy"})
        page.later(421)

        assert page.world.state.nodes["lan/office"].replicas["tcp://10.0.0.5:443"].reason.code == "agent_silent"


class TestList:
    """PROTOCOLS 2.3: GET /v1/probes/local."""

    def test_it_holds_only_what_the_published_agent_understands(self, page):
        """No ssh, no tcp without port (the whole list would be invalid), integers only, literal matches only."""
        data = page.ask("GET", "/v1/probes/local").body["data"]

        assert data["metrics"] == {"local": {"retry": 2, "delay_dead": 8, "delay_sick": 1}}
        assert data["services"] == [
            {
                "id": "lan",
                "nodes": [
                    {
                        "id": "office",
                        "replicas": ["tcp://10.0.0.5:443", "https://u:pass@intra/"],
                        "http": {
                            "status": {"healthy_above": 200, "healthy_below": 500},
                            "body": {"healthy_match": "all.good"},
                        },
                    }
                ],
            }
        ]
        assert all(type(n) is int for n in (data["date"], *data["metrics"]["local"].values()))

    def test_an_unchanged_list_is_304(self, page):
        """`since` is the date of the last answer; another list has another date."""
        date = page.ask("GET", "/v1/probes/local").body["data"]["date"]

        unchanged = page.ask("GET", f"/v1/probes/local?since={date}")
        other = Page(local=type(LOCAL)(LOCAL.nodes, retry=3)).ask("GET", f"/v1/probes/local?since={date}")

        assert (unchanged.status, unchanged.body, unchanged.headers) == (304, b"", ())
        assert other.status == 200
        assert page.ask("GET", "/v1/probes/local?since=").status == 200

    def test_a_page_without_private_nodes_has_an_empty_list(self):
        """`services` is required, and may be empty."""
        assert Page(local=type(LOCAL)()).ask("GET", "/v1/probes/local").body["data"]["services"] == []

    def test_a_token_shows_only_its_own(self, page):
        """Several agents with tokens of their own."""
        assert page.ask("GET", "/v1/probes/local", token="only-the-web-service").body["data"]["services"] == []
        assert len(page.ask("GET", "/v1/probes/local", token="only-the-lan").body["data"]["services"]) == 1
        assert page.ask("GET", "/v1/probes/local", token="wrong").status == 401

    def test_our_own_agent_gets_everything(self, page):
        """Every scheme, own thresholds, options, and the nodes that name this agent besides those that name none."""
        data = page.ask("GET", "/v1/probes/local?agent=attic").body["data"]
        nameless = page.ask("GET", "/v1/probes/local", Accept=OURS).body["data"]

        assert [(n.id, len(n.targets)) for n in data["nodes"]] == [("office", 4), ("roam", 1)]
        assert [n.id for n in nameless["nodes"]] == ["office"]


class TestBatch:
    """Our extension: a list of reports in one request."""

    SEEN: ClassVar = {
        "service": "lan",
        "node": "office",
        "replica_id": "tcp://10.0.0.5:443",
        "health": "dead",
        "interval": 60,
    }

    def test_each_is_judged_by_itself(self, page):
        """The good ones happen, the others are named by their place."""
        said = page.ask(
            "POST",
            "/v1/report",
            [
                self.SEEN | {"code": "refused", "reason": "connection refused", "value": "x", "ago": 60},
                self.SEEN | {"node": "nothing"},
                {"garbage": 1},
                {"service": "web", "node": "api", **ALIVE},
            ],
        )

        assert (said.status, said.wait, said.body["accepted"]) == (200, True, 2)
        assert [(r["index"], r["error"]) for r in said.body["refused"]] == [(1, "unknown_node"), (2, "bad_body")]
        replica = page.world.state.nodes["lan/office"].replicas["tcp://10.0.0.5:443"]
        assert (replica.since, replica.reason.code) == (NOW - 60, "refused")

    def test_an_invented_code_is_not_believed(self, page):
        """Codes are public and stable; an agent cannot add to them."""
        said = page.ask("POST", "/v1/report", [self.SEEN | {"code": "agent_silent", "ago": 1e9, "latency_ms": 12.6}])

        assert said.events[0].reason.code == "reported"
        assert said.events[0].since == NOW - 7 * 86400
        assert said.events[0].latency_ms == 13

    def test_new_replicas_of_one_batch_count_together(self, page):
        """The limit holds within a batch as well."""
        many = [{"service": "web", "node": "api", **ALIVE, "replica_id": f"r{n}"} for n in range(5)]
        said = page.ask("POST", "/v1/report", many)

        assert (said.body["accepted"], [r["error"] for r in said.body["refused"]]) == (3, ["too_many_replicas"] * 2)

    def test_a_token_counts_for_each(self, page):
        """A token of one service reports only that in a batch too."""
        both = [self.SEEN, {"service": "web", "node": "api", **ALIVE}]
        said = page.ask("POST", "/v1/report", both, token="only-the-api-node")

        assert [(r["index"], r["error"]) for r in said.body["refused"]] == [(0, "other_scope")]

    @pytest.mark.parametrize("body", [b"", b"{}", b"[1", b"null", json.dumps("x").encode()])
    def test_what_is_no_list_is_refused(self, page, body):
        """With a sentence."""
        assert page.ask("POST", "/v1/report", body).status == 400

    def test_nothing_is_fine(self, page):
        """An agent with nothing to look at says hello."""
        assert page.ask("POST", "/v1/report", []).body == {"accepted": 0, "refused": []}


@pytest.mark.parametrize(
    ("listed", "window"),
    [
        (("200-299", 304), {"healthy_above": 200, "healthy_below": 305}),
        (("2xx",), {"healthy_above": 200, "healthy_below": 300}),
        ((401,), {"healthy_above": 401, "healthy_below": 402}),
    ],
)
def test_the_published_agent_gets_one_window_for_a_list_of_statuses(listed, window):
    """It knows no lists: the smallest window that holds them all."""
    assert _http({"healthy_status": listed}) == {"status": window}

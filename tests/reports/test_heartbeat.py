"""Heartbeats by URL alone, rule by rule of PROTOCOLS sections 8.1 to 8.3."""

import pytest

from tests.reports.world import BEAT, Page

PING = f"/ping/{BEAT}"
KUMA = f"/api/push/{BEAT}"
GATUS = "/api/v1/endpoints/jobs_backup/external"


@pytest.fixture
def page():
    return Page()


def health(page):
    return page.health("jobs/backup", "heartbeat")


def reason(page):
    return page.world.state.nodes["jobs/backup"].replicas["heartbeat"].reason


class TestHealthchecks:
    """PROTOCOLS 8.2."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_ping_is_a_sign_of_life(self, page, method):
        """200, OK, and open to scripts of any site."""
        said = page.ask(method, PING, b"done", token=None)

        assert (said.status, said.body) == (200, b"OK")
        assert ("Access-Control-Allow-Origin", "*") in said.headers
        assert health(page) == "healthy"

    def test_late_is_dead(self, page):
        """The node's own interval and its delay_dead."""
        page.ask("GET", PING)
        page.later(86400 + 9)
        assert health(page) == "healthy"
        page.later(2)
        assert health(page) == "dead"

    def test_fail_and_exit_codes(self, page):
        """0 is success, anything else to 255 is failure; the output's first words are the reason."""
        page.ask("POST", f"{PING}/fail", b"disk full\n" * 200)
        assert health(page) == "dead"
        assert reason(page).text.startswith("the job says that it failed: disk full disk full")
        page.ask("GET", f"{PING}/0")
        assert health(page) == "healthy"
        page.ask("POST", f"{PING}/3", b"\xff\x00 oh")
        assert (health(page), reason(page).code, reason(page).value) == ("dead", "exit", "3")

    def test_start_is_a_sign_of_life_that_cures_nothing(self, page):
        """A failed job that starts again is dead until it ends well; one that never ends is dead in time."""
        page.ask("GET", f"{PING}/start")
        assert health(page) == "healthy"
        page.ask("GET", f"{PING}/fail")
        page.ask("GET", f"{PING}/start")
        assert health(page) == "dead"
        page.ask("GET", PING)
        assert health(page) == "healthy"
        page.ask("GET", f"{PING}/start")
        page.later(86400 + 21)
        assert health(page) == "dead"

    def test_log_changes_nothing(self, page):
        """It is answered, and that is all."""
        said = page.ask("POST", f"{PING}/log", b"still here")

        assert (said.status, said.events) == (200, ())

    @pytest.mark.parametrize(
        ("target", "status", "body"),
        [
            (f"{PING}/12345678901", 400, b"invalid url format"),
            (f"{PING}/failed", 404, b"not found"),
            (f"{PING}/what", 404, b"not found"),
            ("/ping/unknown-token", 404, b"not found"),
            (f"{PING}?rid=0d5c6b2e-9a51-4d3c-8f0e-7a9d1f6b2c3d", 200, b"OK"),
        ],
    )
    def test_the_table_of_answers(self, page, target, status, body):
        """In the very words of Healthchecks."""
        said = page.ask("GET", target)

        assert (said.status, said.body) == (status, body)
        assert said.guess == ("unknown" in target)

    @pytest.mark.parametrize(
        "signal",
        ["fail", "FAIL", "fail\n", "fail&msg=x", "1", "256", "-9", "3221225786", "2\n", "1?msg=a&b"],
    )
    @pytest.mark.parametrize("query", ["", "?rid=7", "?" + "&" * 40, "?%zz=%&rid=%ff"])
    def test_the_signal_in_the_path_counts(self, page, signal, query):
        """A failure is a failure, whatever a script left around it."""
        said = page.ask_path("GET", ("ping", BEAT, signal), query)

        assert (said.status, health(page)) == (200, "dead")


class TestUptimeKuma:
    """PROTOCOLS 8.1."""

    @pytest.mark.parametrize(
        "query",
        [
            "status=down&msg=" + "&" * 19,
            "msg=" + "&" * 5000 + "&status=down",
            "status=down&msg=" + "x" * 60_000,
            "msg=%&status=down",
            "msg=%zz%f&status=down&ping=-1",
            "msg=Gr\udcc3\udcbc\udcc3\udc9fe&status=down",
            "status=up&msg=a&status=down",
            "status=up&msg=OK&ping=?status=down",
            "?status=down&msg=x",
            "msg=a&amp;status=down",
            "STATUS=DOWN",
            "%73tatus=d%6Fwn",
            "status=down%0A",
            "status=%22down%22",
            "status=0",
            "status=1;up",
            "status=d%F6wn",
        ],
    )
    def test_a_status_that_stands_there_counts(self, page, query):
        """As shell scripts write it: what is not up is down, wherever it stands."""
        said = page.ask("GET", f"{KUMA}?{query}")

        assert (said.status, said.body) == (200, {"ok": True})
        assert health(page) == "dead"

    @pytest.mark.parametrize(
        "query", ["status=up%0A", "status=UP", 'status="up"', "status=+up&status=up", "msg=status=down"]
    )
    def test_up_is_up_however_it_is_written(self, page, query):
        """A newline or quotes of a shell around the word change nothing, nor does the word in the message."""
        page.ask("GET", f"{KUMA}?{query}")

        assert health(page) == "healthy"

    @pytest.mark.parametrize("body", [b"status=down&msg=no+space", b'{"status": "down", "msg": "no space"}'])
    def test_a_status_in_the_body_counts(self, page, body):
        """`curl -d` puts it there, and people do not notice that the query is empty."""
        page.ask("POST", KUMA, body)

        assert (health(page), reason(page).text) == ("dead", "the job says that it is down: no space")

    @pytest.mark.parametrize("query", ["status=", "status=%20&msg=x"])
    def test_an_empty_status_is_refused(self, page, query):
        """A script lost it, so nobody knows what it would have been."""
        said = page.ask("GET", f"{KUMA}?{query}")

        assert (said.status, said.body["ok"], said.events) == (404, False, ())

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "BREW"])
    def test_any_method_will_do(self, page, method):
        """With the empty `ping=` of the shipped examples."""
        said = page.ask(method, f"{KUMA}?status=up&msg=OK&ping=", token=None)

        assert (said.status, said.body) == (200, {"ok": True})
        assert health(page) == "healthy"

    def test_up_is_the_default_and_any_other_word_is_down(self, page):
        """The message is the reason."""
        page.ask("GET", f"{KUMA}?status=down&msg=no+space")
        assert (health(page), reason(page).text) == ("dead", "the job says that it is down: no space")
        page.ask("GET", KUMA)
        assert health(page) == "healthy"

    def test_ping_is_the_latency(self, page):
        """In milliseconds; NaN is none."""
        assert page.ask("GET", f"{KUMA}?ping=12.4").events[0].latency_ms == 12
        assert page.ask("GET", f"{KUMA}?ping=NaN").events[0].latency_ms == -1
        assert page.ask("GET", f"{KUMA}?ping=word").events[0].latency_ms == -1
        assert page.ask("GET", f"{KUMA}?ping=-1").events[0].latency_ms == -1

    def test_every_error_is_404(self, page):
        """With `ok` false and a message."""
        said = page.ask("GET", "/api/push/unknown")

        assert (said.status, said.body["ok"]) == (404, False)


class TestGatus:
    """PROTOCOLS 8.3."""

    def ask(self, page, target, authorization=f"Bearer {BEAT}"):
        return page.ask("POST", target, token=None, Authorization=authorization)

    def test_success_and_failure(self, page):
        """200 with nothing in it; the error is the reason; the key in any case."""
        said = self.ask(page, f"{GATUS}?success=false&error=no+route&duration=1m2.5s")
        assert (said.status, said.body, said.events[0].latency_ms) == (200, b"", 62_500)
        assert (health(page), reason(page).text) == ("dead", "the check failed: no route")
        assert self.ask(page, f"{GATUS.replace('jobs_', 'JOBS_')}?success=true").status == 200
        assert health(page) == "healthy"

    @pytest.mark.parametrize(
        ("target", "authorization", "status"),
        [
            (GATUS, "", 400),
            (f"{GATUS}?success=maybe", "", 400),
            (f"{GATUS}?success=true", "", 401),
            (f"{GATUS}?success=true", "Bearer ", 401),
            (f"{GATUS}?success=true", f"Basic {BEAT}", 401),
            ("/api/v1/endpoints/none/external?success=true", "Bearer x", 404),
            (f"{GATUS}?success=true&duration=never", "Bearer wrong", 401),
            (f"{GATUS}?success=true&duration=never", f"Bearer {BEAT}", 200),
            (f"{GATUS}?success=true&duration=0", f"Bearer {BEAT}", 200),
            (f"{GATUS}?success=True%0A", f"Bearer {BEAT}", 200),
        ],
    )
    def test_the_table_of_answers(self, page, target, authorization, status):
        """In the order of Gatus's checks."""
        assert self.ask(page, target, authorization).status == status

    @pytest.mark.parametrize(
        "query", ["success=false&duration=never", "error=" + "&" * 30 + "success=False", "success=true&success=false"]
    )
    def test_a_failure_counts(self, page, query):
        """Whatever else stands in the query."""
        assert self.ask(page, f"{GATUS}?{query}").status == 200
        assert health(page) == "dead"

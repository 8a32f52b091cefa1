"""Whatever is sent, a dialect answers: no exception, nothing that a 5xx could come from, nothing the core chokes on."""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reports.world import BEAT, ROUTES, TOKEN, TOKENS, Page, basic

EXAMPLES = int(os.environ.get("CRISP_STATUS_FUZZ", "400"))
"""How many requests; 100000 take some ten minutes."""

word = st.one_of(
    st.sampled_from(["web", "api", "lan", "office", "roam", "jobs", "backup", "landing", BEAT, "jobs_backup"]),
    st.sampled_from(["start", "fail", "log", "0", "7", "256", "²", "a+b", "tcp://10.0.0.5:443", "heartbeat"]),
    st.text(max_size=8),
)
number = st.one_of(st.integers(), st.floats(), st.text(max_size=6), st.sampled_from(["30", "nan", "-1", "1e999"]))


def loads(inner):
    return st.dictionaries(st.sampled_from(["cpu", "ram", "x"]), inner, max_size=3)


value = st.recursive(
    st.one_of(st.none(), st.booleans(), number, word),
    lambda inner: st.one_of(st.lists(inner, max_size=3), loads(inner)),
)


def reports(names):
    fields = {
        **dict.fromkeys(
            ("replica_id", "replica", "service", "node", "reason", "code", "value"), st.one_of(word, value)
        ),
        **dict.fromkeys(("interval", "latency_ms", "ago"), st.one_of(number, value)),
        "load": st.one_of(loads(number), value),
        "health": st.one_of(st.sampled_from(["healthy", "sick", "dead"]), value),
    }
    return st.fixed_dictionaries({}, optional={name: fields[name] for name in names})


report = reports(
    [
        "replica_id",
        "replica",
        "service",
        "node",
        "reason",
        "code",
        "value",
        "interval",
        "latency_ms",
        "ago",
        "load",
        "health",
    ]
)
torn = st.sampled_from(
    [b'{"replica_id": "\\ud800", "interval": 1}', b'{"replica_id": "\xff", "interval": 1}', b"[[[", b"\xef\xbb\xbf{}"]
)
body = st.one_of(st.binary(max_size=40), torn, report, st.lists(report, max_size=4), value)
query = st.one_of(
    st.text(max_size=12),
    st.dictionaries(
        st.sampled_from(["success", "error", "duration", "status", "msg", "ping", "rid", "since", "agent"]),
        st.one_of(st.sampled_from(["true", "false", "up", "10s", "1h", "0", "250ms"]), st.text(max_size=8)),
        max_size=4,
    ).map(lambda pairs: "&".join(f"{name}={text}" for name, text in pairs.items())),
)
authorization = st.one_of(
    st.sampled_from([basic(token) for token, _ in TOKENS]),
    st.sampled_from([f"Bearer {BEAT}", "Basic", "Bearer", basic("x")]),
    st.text(max_size=12),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(st.data())
def test_every_dialect_survives_anything(data):
    """Generated requests to every door, twice each; the answer is one of ours, and the core takes what it says."""
    page = Page()
    route = data.draw(st.sampled_from(ROUTES))
    segments = [data.draw(word) if part.startswith("{") else part for part in route.path.split("/")]
    path = "/".join(segment.replace("/", "-").replace("?", "-") or "-" for segment in segments).lstrip("/")
    method = data.draw(st.sampled_from(["GET", "POST", "BREW"])) if route.method == "*" else route.method
    header = data.draw(authorization)
    sent = data.draw(body)

    for _ in range(2):
        try:
            said = page.ask(method, f"/{path}?{data.draw(query)}", sent, token=None, Authorization=header)
        except LookupError:
            return
        assert said.status in {200, 304, 400, 401, 403, 404, 409, 412}
        assert said.status == 200 or not said.events
        assert isinstance(said.body, bytes) or said.body
    page.later(500)


def test_a_good_report_is_among_them():
    """The generator reaches what is accepted: these are its words."""
    page = Page()

    assert page.ask("POST", "/v1/report/web/api", {"replica_id": "a", "interval": "30"}, token=TOKEN).status == 200

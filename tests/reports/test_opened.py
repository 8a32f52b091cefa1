"""From the operator's file to the scope, and from there over the wire to our own agent."""

import msgspec
import pytest

from crisp_status import kinds
from crisp_status.agent.watch_list import jobs, parsed
from crisp_status.config.load import load
from crisp_status.config.plan import plan
from crisp_status.core import events
from crisp_status.core.model import State
from crisp_status.core.step import step
from crisp_status.core.world import World
from crisp_status.reports import ReportCall, answer, scope_of
from crisp_status.reports.crisp import routes
from tests.reports.world import NOW, basic

FILE = """
[page]
name = "Acme"
url = "http://localhost/"
[server]
reporter_token = "token-for-all"
[local]
retry = 1
delay_dead = 2.5
[[services]]
name = "Web"
reporter_token = "token-for-web"
[[services.nodes]]
name = "API"
mode = "push"
reporter_token = "token-for-api"
[[services.nodes]]
name = "Job"
mode = "push"
heartbeat = "token-of-the-job"
[[services]]
name = "LAN"
[[services.nodes]]
name = "Intra"
mode = "local"
agent = "attic"
interval = 30.0
replicas = ["https://u:pass@intra.example/"]
[services.nodes.http]
headers = { X-Key = "secret-header" }
healthy_match = "fine"
[[services.nodes]]
name = "Tool"
mode = "local"
scripts = ["exit 0"]
"""


@pytest.fixture
def scope(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(FILE)
    config = load(file, kinds.rooms(), {}, scripts=True)
    world = World(State())
    step(world, events.Planned(at=NOW, plan=plan(config), fresh=True))
    return scope_of(config, world.state)


def listed(scope, query):
    """The list as it goes over the wire."""
    route = next(r for r in routes() if r.path == "/v1/probes/local")
    said = answer(
        route, ReportCall("GET", headers={"Authorization": basic("token-for-all")}, query_string=query), scope
    )
    return msgspec.json.encode(said.body)


def test_tokens_have_their_scopes(scope):
    """The page's opens all, a service's its nodes, a node's itself, a heartbeat's nothing but its address."""
    assert scope.tokens.scopes("token-for-all") == {""}
    assert scope.tokens.scopes("token-for-web") == {"web"}
    assert scope.tokens.scopes("token-for-api") == {"web/api"}
    assert scope.tokens.scopes("token-of-the-job") == frozenset()
    assert scope.heartbeat("token-of-the-job").key == "web/job"
    assert scope.heartbeat("token-for-all") is None


def test_our_agent_makes_the_same_looks_of_it(scope):
    """Addresses and headers with their secrets, thresholds of each node, options as they were written."""
    nodes = parsed(listed(scope, "agent=attic"), 120).nodes
    wanted, refused = jobs(nodes, scripts=True)

    intra = wanted["lan/intra", "https://u:***@intra.example/"]
    assert (intra.kind, intra.url, intra.interval) == ("http", "https://u:pass@intra.example/", 30.0)
    assert (intra.policy.retry, intra.policy.delay_dead) == (1, 2.5)
    assert intra.options.headers["X-Key"].get_secret_value() == "secret-header"
    assert intra.options.healthy_match == "fine"
    assert (wanted["lan/tool", "0"].kind, refused) == ("script", {})


def test_the_published_agent_gets_no_script(scope):
    """Nor a node that names an agent."""
    assert b"exit 0" not in listed(scope, "")
    assert b"intra.example" not in listed(scope, "")

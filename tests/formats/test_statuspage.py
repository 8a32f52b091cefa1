"""The Statuspage-shaped JSON, by schema and by the rules of its strict readers (PROTOCOLS section 6)."""

import json
import re
from html.parser import HTMLParser

import pytest
from jsonschema import Draft202012Validator

from crisp_status.core import events
from crisp_status.core.model import Health, Reason, ReasonCode
from crisp_status.core.operator_records import Announcement
from crisp_status.core.policy import Plan, ServicePlan
from crisp_status.formats import statuspage
from crisp_status.language.locale import Locale
from tests.story import Story, node

T = Locale()
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
MAYBE_TIME = {"anyOf": [TIME, {"type": "null"}]}
TEXT = {"type": "string", "minLength": 1}
MAYBE = {"type": ["string", "null"]}
STATUSES = ["operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance"]


def shape(properties, **more):
    """An object with exactly these keys."""
    return {
        "type": "object",
        "properties": properties | more,
        "required": list(properties),
        "additionalProperties": False,
    }


PAGE = shape(
    {
        "id": TEXT,
        "name": TEXT,
        "url": {"type": "string", "pattern": "^https://"},
        "time_zone": TEXT,
        "timezone": TEXT,
        "updated_at": TIME,
    }
)
STATUS = shape({"indicator": {"enum": ["none", "minor", "major", "critical"]}, "description": TEXT})
COMPONENT = shape(
    {
        "id": TEXT,
        "name": TEXT,
        "status": {"enum": STATUSES},
        "created_at": TIME,
        "updated_at": TIME,
        "position": {"type": "integer", "minimum": 1},
        "description": MAYBE,
        "showcase": {"type": "boolean"},
        "start_date": MAYBE,
        "group_id": MAYBE,
        "page_id": TEXT,
        "group": {"type": "boolean"},
        "only_show_if_degraded": {"type": "boolean"},
    },
    components={"type": "array", "items": TEXT},
)
CHANGE = shape({"code": TEXT, "name": TEXT, "old_status": {"enum": STATUSES}, "new_status": {"enum": STATUSES}})
PHASES = ["investigating", "identified", "monitoring", "resolved", "scheduled", "in_progress"]
UPDATE = shape(
    {
        "id": TEXT,
        "status": {"enum": PHASES},
        "body": TEXT,
        "incident_id": TEXT,
        "created_at": TIME,
        "updated_at": TIME,
        "display_at": TIME,
        "affected_components": {"anyOf": [{"type": "array", "items": CHANGE, "minItems": 1}, {"type": "null"}]},
        "deliver_notifications": {"type": "boolean"},
        "custom_tweet": {"type": "null"},
        "tweet_id": {"type": "null"},
    }
)
INCIDENT = {
    "id": TEXT,
    "name": TEXT,
    "status": {"enum": PHASES},
    "created_at": TIME,
    "updated_at": TIME,
    "monitoring_at": MAYBE_TIME,
    "resolved_at": MAYBE_TIME,
    "impact": {"enum": ["none", "minor", "major", "critical", "maintenance"]},
    "shortlink": {"type": "string", "pattern": "^https://"},
    "started_at": TIME,
    "page_id": TEXT,
    "incident_updates": {"type": "array", "items": UPDATE, "minItems": 1},
    "components": {"type": "array", "items": COMPONENT},
    "reminder_intervals": {"type": "null"},
}
INCIDENTS = {"type": "array", "items": shape(INCIDENT)}
WORKS = {"type": "array", "items": shape(INCIDENT | {"scheduled_for": TIME, "scheduled_until": MAYBE_TIME})}
COMPONENTS = {"type": "array", "items": COMPONENT}
SCHEMAS = {
    "summary": shape(
        {
            "page": PAGE,
            "status": STATUS,
            "components": COMPONENTS,
            "incidents": INCIDENTS,
            "scheduled_maintenances": WORKS,
        }
    ),
    "status": shape({"page": PAGE, "status": STATUS}),
    "components": shape({"page": PAGE, "components": COMPONENTS}),
    "incidents": shape({"page": PAGE, "incidents": INCIDENTS}),
    "incidents/unresolved": shape({"page": PAGE, "incidents": INCIDENTS}),
    "scheduled-maintenances": shape({"page": PAGE, "scheduled_maintenances": WORKS}),
    "scheduled-maintenances/upcoming": shape({"page": PAGE, "scheduled_maintenances": WORKS}),
    "scheduled-maintenances/active": shape({"page": PAGE, "scheduled_maintenances": WORKS}),
}


def healthy():
    story = Story()
    story.all_well()
    return story


def pending():
    return Story()


def dead():
    story = healthy()
    story.pass_time(100)
    story.die("pay/checkout")
    story.pass_time(60)
    story.happen(events.Acknowledged(incident=1, by="jane"))
    story.happen(events.Noted(incident=1, text="We **know**.\n\nIt is the _cable_.", by="jane"))
    return story


def partly():
    story = healthy()
    story.pass_time(100)
    story.see("web/api", "https://10.0.0.2/api", Health.DEAD)
    return story


def sick():
    story = healthy()
    story.pass_time(100)
    story.see("web/api", "https://10.0.0.2/api", Health.SICK, Reason(ReasonCode.SLOW, "took 7 s", "5"))
    return story


def over():
    story = dead()
    story.pass_time(600)
    story.recover("pay/checkout")
    story.pass_time(600)
    return story


def everything():
    story = healthy()
    story.pass_time(100)
    for key in story.state.nodes:
        story.die(key)
    return story


def work():
    story = healthy()
    now = story.clock.now()
    for id, start, end, keys in (
        ("running", now, now + 3600, ["web/api"]),
        ("coming", now + 7200, now + 9000, ["pay"]),
        ("open", now + 7200, 0.0, ["web"]),
    ):
        words = Announcement(id, f"Work {id}", "Please *wait*.", starts_at=start, expires_at=end, maintenance=keys)
        story.happen(events.Announced(announcement=words))
    story.pass_time(5)
    return story


def empty():
    return Story(Plan())


STORIES = [healthy, pending, dead, partly, sick, over, everything, work, empty]


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("tale", STORIES, ids=lambda s: s.__name__)
def test_shapes(name, tale):
    """Every document of every state has exactly the keys and kinds of values that readers know."""
    view = tale().view()
    document = json.loads(statuspage.dump(statuspage.DOCUMENTS[name](view, T)))

    errors = [f"{e.json_path}: {e.message}" for e in Draft202012Validator(SCHEMAS[name]).iter_errors(document)]
    assert errors == []


def test_all_documents_have_a_schema():
    """No document is left out of this test."""
    assert set(statuspage.DOCUMENTS) == set(SCHEMAS)


@pytest.mark.parametrize(
    ("tale", "indicator", "component", "description"),
    [
        (healthy, "none", "operational", "All Systems Operational"),
        (pending, "none", None, "Waiting For First Checks"),
        (sick, "minor", "operational", "Partially Degraded Service"),
        (partly, "major", "operational", "Partial System Outage"),
        (dead, "major", "major_outage", "Partial System Outage"),
        (everything, "critical", "major_outage", "Major System Outage"),
        (work, "none", "operational", "Service Under Maintenance"),
        (empty, "none", None, "All Systems Operational"),
    ],
)
def test_roll_up(tale, indicator, component, description):
    """Healthy, pending, sick, dead and announced work in the words of others; never the indicator `maintenance`."""
    view = tale().view()
    states = {c["id"]: c["status"] for c in statuspage.components(view)}

    assert statuspage.indicator(view) == {"indicator": indicator, "description": description}
    assert states.get("pay/checkout") == component


def test_partial_and_whole():
    """A node of which one replica answers is a partial outage, and so is its group."""
    states = {c["id"]: c["status"] for c in statuspage.components(partly().view())}

    assert (states["web/api"], states["web"], states["web/landing"]) == (
        "partial_outage",
        "partial_outage",
        "operational",
    )


def test_an_incident_from_end_to_end():
    """Its updates, newest first, tell what happened, and the last of them resolves it."""
    (told,) = statuspage.DOCUMENTS["incidents"](over().view(), T)["incidents"]

    assert [u["status"] for u in told["incident_updates"]] == ["resolved", "identified", "identified", "investigating"]
    assert told["incident_updates"][1]["body"] == "We know.\nIt is the cable."
    assert told["incident_updates"][-1]["affected_components"] == [
        {"code": "pay/checkout", "name": "Checkout", "old_status": "operational", "new_status": "major_outage"}
    ]
    assert (told["status"], told["impact"]) == ("resolved", "major")
    assert told["started_at"] < told["resolved_at"]
    assert statuspage.DOCUMENTS["incidents/unresolved"](over().view(), T)["incidents"] == []


def test_ten_nodes_at_once_are_one_update():
    """What fails together is told together."""
    (told,) = statuspage.DOCUMENTS["incidents"](everything().view(), T)["incidents"]

    (update,) = told["incident_updates"]
    assert len(update["affected_components"]) == 3
    assert told["impact"] == "critical"


def test_work_by_its_window():
    """Upcoming and active are told apart; an open end is null."""
    view = work().view()

    def names(document):
        return [w["id"] for w in statuspage.DOCUMENTS[document](view, T)["scheduled_maintenances"]]

    assert names("scheduled-maintenances/active") == ["running"]
    assert sorted(names("scheduled-maintenances/upcoming")) == ["coming", "open"]
    assert sorted(names("scheduled-maintenances")) == ["coming", "open", "running"]
    assert {c["id"]: c["status"] for c in statuspage.components(view)}["web/api"] == "under_maintenance"


@pytest.mark.parametrize("tale", STORIES, ids=lambda s: s.__name__)
def test_nothing_private(tale):
    """No address, no operator, no sentence that was meant for the team."""
    view = tale().view()
    text = "".join(statuspage.dump(write(view, T)) for write in statuspage.DOCUMENTS.values()) + statuspage.dump(
        statuspage.report(view)
    )

    assert not re.search(r"10\.0\.0|jane|no answer within", text)


def test_nothing_changes_while_nothing_happens():
    """A look that changes nothing changes no document: readers keep their copies."""
    story = healthy()
    before = [statuspage.dump(write(story.view(), T)) for write in statuspage.DOCUMENTS.values()]
    story.pass_time(60)
    story.all_well()

    assert [statuspage.dump(write(story.view(), T)) for write in statuspage.DOCUMENTS.values()] == before


def test_hostile_names():
    """Ten thousand characters, markup and marks that turn the text around are only text."""
    name = "<script>alert(1)</script>\u202e" + "x" * 10_000
    service = ServicePlan("web", name, (node("web", "api", name, 1),))
    story = Story(Plan(services=(service,)))
    story.die("web/api")
    text = statuspage.dump(statuspage.DOCUMENTS["summary"](story.view(), T))

    assert "\u202e" not in text
    assert len(text) < 5000
    json.loads(text)


def test_vigils_report():
    """PROTOCOLS 3.4: names and health in configuration order, no ids and no replica names."""
    assert statuspage.report(partly().view()) == {
        "health": "dead",
        "page": {"name": "Acme Status", "url": "https://status.acme.example/"},
        "probes": [
            {
                "name": "Websites",
                "status": "dead",
                "nodes": [
                    {"name": "Landing page", "status": "healthy", "replicas": ["healthy", "healthy"]},
                    {"name": "API", "status": "dead", "replicas": ["healthy", "dead", "healthy"]},
                ],
            },
            {
                "name": "Payments",
                "status": "healthy",
                "nodes": [{"name": "Checkout", "status": "healthy", "replicas": ["healthy"]}],
            },
        ],
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script> <img src=x onerror=y>", "&lt;script>alert(1)&lt;/script> &lt;img src=x onerror=y>"),
        ("<!-- a --><?b?>", "&lt;!-- a -->&lt;?b?>"),
        ("&lt;script&gt; &#60;b&#x3e;", "&amp;lt;script&amp;gt; &amp;#60;b&amp;#x3e;"),
        ("5 < 6, R&D, a <= b", "5 < 6, R&D, a <= b"),
    ],
)
def test_texts_stay_text_where_readers_insert_them_as_html(text, shown):
    """An operator's words about `<script>` are shown as such by readers of both sorts."""
    assert statuspage.inert(text) == shown
    parsed = Tags()
    parsed.feed(shown)
    assert (parsed.names, "".join(parsed.text)) == ([], text)


class Tags(HTMLParser):
    """What a browser makes of a piece of HTML: its tags and its text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.names, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)

    def handle_data(self, data):
        self.text.append(data)

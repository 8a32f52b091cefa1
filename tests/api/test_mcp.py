"""`/mcp`: language models ask for the status; only operators may change something."""

import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

from crisp_status.api.mcp import ModelContext
from crisp_status.formats.documents import table
from crisp_status.http.authentication import Failures, Permissions, Proxies
from crisp_status.http.router import Router
from crisp_status.http.site import Site
from tests.formats import samples
from tests.http.site_fakes import dial, one, serving
from tests.story import Story

TOKEN = "a-manager-token"


@asynccontextmanager
async def context(token=TOKEN):
    """An endpoint beside a page on which Checkout is down, and a function that calls a method."""
    story, router = Story(), Router()
    story.all_well()
    story.die("pay/checkout")
    site = Site(table(samples.acme()), story.clock)
    gate = Permissions(token, "Manager Token", Failures(story.clock.monotonic)) if token else None
    ModelContext(story, site, gate, Proxies(())).add_routes(router)
    await site.show(story.view())
    async with serving(site=site, router=router) as server:

        async def post(body, *, path="/mcp", authorization=""):
            headers = f"Authorization: Bearer {authorization}\r\n" if authorization else ""
            async with dial(server.port) as (reader, writer):
                writer.write(
                    f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{headers}"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                status, found, text = await one(reader)
            return SimpleNamespace(status=status, headers=found, value=json.loads(text) if text else None)

        async def call(method, params=None, **more):
            body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}
            return await post(json.dumps(body), **more)

        async def tool(name, arguments=None, **more):
            return await call("tools/call", {"name": name, "arguments": arguments or {}}, **more)

        yield SimpleNamespace(story=story, post=post, call=call, tool=tool)


async def test_a_client_says_hello_and_learns_the_tools():
    """The version that it wants, when it is known; a notification is taken without an answer."""
    async with context() as mcp:
        hello = (await mcp.call("initialize", {"protocolVersion": "2024-11-05"})).value
        assert (hello["id"], hello["result"]["protocolVersion"]) == (7, "2024-11-05")
        newest = (await mcp.call("initialize", {"protocolVersion": "1999-01-01"})).value
        assert newest["result"]["protocolVersion"] == "2025-06-18"
        assert (await mcp.post('{"jsonrpc":"2.0","method":"notifications/initialized"}')).status == 202
        tools = (await mcp.call("tools/list")).value["result"]["tools"]
        assert [t["name"] for t in tools] == ["get_report", "get_incidents", "acknowledge_incident", "write_update"]
        assert (await mcp.call("ping")).value["result"] == {}


async def test_everybody_may_read():
    """The report has the shape of `/status/report`, as data and as text; Vigil's address is the same."""
    async with context() as mcp:
        for path in ("/mcp", "/mcp/probes"):
            result = (await mcp.tool("get_report", path=path)).value["result"]
            assert result["structuredContent"]["health"] == "dead"
            assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
        found = (await mcp.tool("get_incidents")).value["result"]["structuredContent"]
        assert len(found["unresolved"]["incidents"]) == 1
        assert found["scheduled_maintenances"]["scheduled_maintenances"] == []


async def test_only_operators_change_something():
    """Without the token nothing happens; with it the incident is acknowledged, and takes an update."""
    async with context() as mcp:
        assert (await mcp.tool("acknowledge_incident", {"incident": 1})).status == 401
        assert (await mcp.tool("write_update", {"incident": 1, "text": "x"}, authorization="wrong")).status == 403
        assert mcp.story.state.open[1].acknowledged_at == 0
        assert (await mcp.tool("acknowledge_incident", {"incident": 1}, authorization=TOKEN)).value["result"] == {
            "content": [{"type": "text", "text": "Incident 1 is acknowledged."}],
            "isError": False,
        }
        assert mcp.story.state.open[1].acknowledged_at
        update = {"incident": 1, "text": "The cause is a switch.", "phase": "identified"}
        assert not (await mcp.tool("write_update", update, authorization=TOKEN)).value["result"]["isError"]
        assert mcp.story.state.open[1].timeline[-1].text == "The cause is a switch."
        assert (await mcp.tool("acknowledge_incident", {"incident": 99}, authorization=TOKEN)).value["result"][
            "isError"
        ]


async def test_without_a_token_in_the_configuration_nobody_can():
    """Management is off."""
    async with context(token="") as mcp:
        assert (await mcp.tool("acknowledge_incident", {"incident": 1}, authorization=TOKEN)).status == 403


async def test_what_is_not_understood_is_said():
    """With the codes of JSON-RPC."""
    async with context() as mcp:
        codes = {
            "{": -32700,
            "[]": -32600,
            '{"jsonrpc":"2.0","id":1,"method":"resources/list"}': -32601,
            '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"nothing"}}': -32602,
            '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[1]}': -32602,
        }
        for body, code in codes.items():
            assert (await mcp.post(body)).value["error"]["code"] == code, body
        bad = (
            {"incident": "1", "text": "x"},
            {"incident": 1, "text": " "},
            {"incident": 1, "text": "x", "phase": "odd"},
        )
        for arguments in bad:
            found = await mcp.tool("write_update", arguments, authorization=TOKEN)
            assert found.value["error"]["code"] == -32602

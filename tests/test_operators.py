"""What operators type while something is down: every command against a whole daemon with receivers that say no and yes."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner

from crisp_status.cli import commands
from tests.daemon import daemon, listening, until
from tests.receivers import HttpReceiver, Reply

OK = Reply(200, b"ok")


def terminal(app, folder):
    """Types a command at `app`; exit code and what was printed."""

    async def type_(*words):
        line = [*words, "-c", str(folder / "config.toml"), "--url", f"http://{app.bound[0]}/"]
        done = await asyncio.to_thread(CliRunner().invoke, commands, line, catch_exceptions=False)
        return done.exit_code, done.output

    return type_


async def test_a_night_with_the_command_line(tmp_path):
    """Who is woken sees what is unsent and why, tests the channels, silences, acknowledges, tells visitors, and cleans up."""
    async with listening() as port:
        pass
    async with HttpReceiver(Reply(403, b"invalid_token")) as lost, HttpReceiver(Reply(500, b"oops")) as chat:
        config = (
            f'[[notifiers]]\ntype = "slack"\nid = "lost"\nhook_url = "{lost.url("/services/x")}"\n'
            f'[[notifiers]]\ntype = "slack"\nid = "chat"\nhook_url = "{chat.url("/services/x")}"\n'
            f'[[services]]\nname = "Web"\n[[services.nodes]]\nname = "Page"\nreplicas = ["tcp://127.0.0.1:{port}"]\n'
        )
        async with daemon(tmp_path, config) as app:
            state, type_ = app.engine.peek(), terminal(app, tmp_path)
            await until(lambda: {a.notifier for a in state.attempts} == {"lost", "chat"})
            opened = [key for key, message in state.outbox.items() if message.kind == "opened"]
            refused, owed = sorted(opened, key=lambda owed: not owed.endswith("lost"))

            code, said = await type_("outbox", "list")
            assert code in {0, 1}
            assert owed in said
            assert "answered 500: oops" in said
            assert "refused, tried once" in said
            code, said = await type_("notify-test", "lost")
            assert (code, "answered 403: invalid_token" in said) == (1, True)
            code, said = await type_("notify-test", "chat")
            assert (code, "answered 500: oops" in said) == (1, True)
            now = [key for key, message in state.outbox.items() if message.kind != "undelivered"]
            assert sorted(now) == sorted([refused, owed]), "a failed test does not come hours later"

            chat.replies = [OK]
            assert (await type_("notify-test", "chat"))[0] == 0
            chat.requests.clear()
            assert (await type_("outbox", "retry", owed))[0] == 0
            await until(lambda: owed not in state.outbox)
            assert (await type_("outbox", "drop", refused))[0] == 0
            assert "Page is down" in chat.requests[0].body.decode()

            assert (await type_("silence", "1h", "--by", "jane"))[0] == 0
            [silence] = state.silences.values()
            assert (silence.scope, silence.by, 3590 < silence.until - app.clock.now() <= 3600) == ("", "jane", True)
            assert (await type_("ack", "1", "--by", "jane", "--note", "We are on it."))[0] == 0
            assert state.open[1].acknowledged_by == "jane"
            code, said = await type_("announce", "add", "Trouble", "--text", "We are on it.")
            assert (code, [a.title for a in state.announcements.values()]) == (0, ["Trouble"])
            code, said = await type_("announce", "list", "--json")
            assert [a["title"] for a in json.loads(said)] == ["Trouble"]
            assert (await type_("announce", "remove", said.split('"id": "')[1].split('"')[0]))[0] == 0
            assert not state.announcements
            code, said = await type_("status")
            assert "Page" in said

            chat.replies = [Reply(500)]
            async with listening(port):
                await until(lambda: any(m.attempts for m in state.outbox.values()))
                [owed] = [id for id, m in state.outbox.items() if m.notifier == "chat"]
                assert (await type_("outbox", "drop", owed))[0] == 0
                assert owed not in state.outbox
                assert state.attempts[-1].outcome == "dropped"
            assert (await type_("outbox", "drop", "nonsense"))[0] == 1
            assert (await type_("ack", "99"))[0] == 1

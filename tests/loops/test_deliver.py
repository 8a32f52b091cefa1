"""Who is sent what next, and how a message always leaves the outbox in the end."""

from __future__ import annotations

from pathlib import Path

from crisp_status import kinds
from crisp_status.config.load import load
from crisp_status.core.events import Retried, Subscribed
from crisp_status.core.model import Message, MessageKind
from crisp_status.loops.deliver import PATIENCE_SECONDS, next_messages
from tests.daemon import daemon, listening, until
from tests.receivers import HttpReceiver, PushReceiver, Reply

PHONE = '[[operators]]\nid = "jane"\nname = "Jane"\n[[notifiers]]\ntype = "push"\nid = "phone"\noperators = ["jane"]\n'


def watched(port: int) -> str:
    return f'[[services]]\nname = "Web"\n[[services.nodes]]\nname = "Page"\nreplicas = ["tcp://127.0.0.1:{port}"]\n'


async def test_the_last_hook_is_the_last_that_is_heard(tmp_path: Path) -> None:
    """A web hook that failed goes before a later one that is due already: nobody is left with "dead" at the end."""
    async with HttpReceiver(Reply(503)) as hook:
        config = f'[[webhooks]]\nurl = "{hook.url("/hook")}"\n'
        async with listening() as port:
            pass
        async with daemon(tmp_path, watched(port) + config) as app:
            outbox = app.engine.peek().outbox
            await until(lambda: any(m.attempts for m in outbox.values()))
            async with listening(port):
                await until(lambda: len(outbox) == 2)
                hook.replies = [Reply(200)]
                await app.engine.commit(Retried(message=""))
                await until(lambda: not outbox)

        assert [r.json()["data"]["health"] for r in hook.requests] == ["dead", "dead", "healthy"]


async def test_what_a_device_of_a_removed_operator_is_owed_ends(tmp_path: Path) -> None:
    """The operator left the file while a message to her phone was unsent: it is given up once, not tried for ever."""
    async with listening() as port:
        pass
    async with PushReceiver(Reply(503)) as phone, daemon(tmp_path, watched(port) + PHONE) as app:
        await app.engine.commit(Subscribed(subscription=phone.subscription()))
        state = app.engine.peek()
        await until(lambda: any(m.attempts for m in state.outbox.values()))
        others = PHONE.replace('["jane"]', '["joe"]').replace('id = "jane"', 'id = "joe"')
        file = tmp_path / "config.toml"
        file.write_text(file.read_text().replace(PHONE, others))
        await app.reload(load(file, kinds.rooms(), {}))
        await app.engine.commit(Retried(message=""))
        await until(lambda: not state.outbox)

        assert [a.outcome for a in state.attempts][-1] == "refused"
        assert app.counters.deliveries_failed < 5


def test_what_goes_first() -> None:
    """Of an incident and of hooks the oldest, whatever is due; of the rest the first due; one for each idle notifier."""

    def message(id: str, due: float, notifier: str = "a", incident: int = 1, kind: str = "opened") -> Message:
        return Message(id, notifier, MessageKind(kind), 0.0, due, incident=incident)

    owed = [
        message("1", 50),
        message("2", 5),
        message("3", 60, "hook", 0, "hook"),
        message("4", 6, "hook", 0, "hook"),
        message("5", 70, "c", 0, "test"),
        message("6", 7, "c", 0, "test"),
        message("7", 8, "d", 2),
        message("8", 1, "d", 3),
        message("9", 0, "busy"),
    ]
    assert {n: m.id for n, m in next_messages(owed, ["busy"], 100.0).items()} == {
        "a": "1",
        "hook": "3",
        "c": "6",
        "d": "8",
    }


def test_nothing_waits_for_ever_behind_what_fails() -> None:
    """A recovery waits for its opening while that fails for the first ten minutes, and not at all when it was refused."""
    opened = Message("opened", "a", MessageKind.OPENED, 0.0, 30.0, incident=1, attempts=3)
    over = Message("over", "a", MessageKind.RECOVERED, 20.0, 20.0, incident=1)

    assert next_messages([opened, over], [], 25.0)["a"] is opened
    assert next_messages([opened, over], [], PATIENCE_SECONDS + 1)["a"] is over
    opened.refusals = 1
    assert next_messages([opened, over], [], 25.0)["a"] is over
    assert next_messages([opened], [], 25.0)["a"] is opened, "it is still owed"


async def test_a_refused_message_goes_out_when_its_notifier_is_mended(tmp_path: Path) -> None:
    """A receiver that answers 404 loses no alert: the message waits as refused, and a reload with another address sends it."""
    async with listening() as port:
        pass
    async with HttpReceiver(Reply(404, b"no such hook")) as wrong, HttpReceiver(Reply(200, b"ok")) as right:
        slack = f'[[notifiers]]\ntype = "slack"\nid = "chat"\nhook_url = "{wrong.url("/hook")}"\n'
        async with daemon(tmp_path, watched(port) + slack) as app:
            outbox = app.engine.peek().outbox
            await until(lambda: any(m.refusals for m in outbox.values()))
            assert len(outbox) == 1
            assert "no such hook" in next(iter(outbox.values())).last_error

            file = tmp_path / "config.toml"
            file.write_text(file.read_text().replace(wrong.url("/hook"), right.url("/hook")))
            await app.reload(load(file, kinds.rooms(), {}))
            await until(lambda: not outbox)

        assert len(right.requests) == 1


async def test_only_410_ends_a_message(tmp_path: Path) -> None:
    """It says that the receiver will never be there again."""
    async with listening() as port:
        pass
    async with HttpReceiver(Reply(410)) as gone:
        slack = f'[[notifiers]]\ntype = "slack"\nid = "chat"\nhook_url = "{gone.url("/hook")}"\n'
        async with daemon(tmp_path, watched(port) + slack) as app:
            state = app.engine.peek()
            await until(lambda: state.gave_up == 1)

            assert not state.outbox
            assert [one.outcome for one in state.lost] == ["refused"]


def chat(id: str, url: str) -> str:
    return f'[[notifiers]]\ntype = "slack"\nid = "{id}"\nhook_url = "{url}"\n'


async def test_a_notifier_that_refuses_is_told_of_through_the_other(tmp_path: Path) -> None:
    """Whoever reads the chat learns that the mail is not coming, and what the server said."""
    async with listening() as port:
        pass
    async with HttpReceiver(Reply(404, b"no_team")) as lost, HttpReceiver(Reply(200, b"ok")) as well:
        config = watched(port) + chat("lost", lost.url("/x")) + chat("well", well.url("/x"))
        async with daemon(tmp_path, config):
            await until(lambda: len(well.requests) == 2)

        words = "".join(request.body.decode() for request in well.requests)
        assert "“lost” refuses:" in words
        assert "answered 404: no_team" in words
        assert "1 message is waiting for it." in words


async def test_what_waits_for_a_notifier_that_vanished_goes_to_another(tmp_path: Path) -> None:
    """Taken out of the file while it was owed something: the other one says so, and gets it when an operator says so."""
    async with listening() as port:
        pass
    async with HttpReceiver(Reply(500)) as lost, HttpReceiver(Reply(200, b"ok")) as well:
        config = watched(port) + chat("well", well.url("/x")) + chat("lost", lost.url("/x"))
        async with daemon(tmp_path, config) as app:
            outbox = app.engine.peek().outbox
            await until(lambda: any(m.attempts for m in outbox.values()) and len(well.requests) == 1)
            file = tmp_path / "config.toml"
            file.write_text(file.read_text().replace(chat("lost", lost.url("/x")), ""))
            await app.reload(load(file, kinds.rooms(), {}))
            await until(lambda: len(well.requests) == 2)
            assert "“lost” is gone from the configuration" in well.requests[1].body.decode()
            assert [m.notifier for m in outbox.values()] == ["lost"]

            assert not await app.engine.commit(Retried(to="lost"))
            assert await app.engine.commit(Retried(to="well"))
            await until(lambda: not outbox)
        assert "Page is down" in well.requests[2].body.decode()

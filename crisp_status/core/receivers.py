"""Who is owed what when the plan changes: a receiver is known by its target, not by its place in the file.

Laws
- A notifier or web hook whose id the program made keeps its past and what it is owed under whatever id it gets.
- What is owed to one that vanished goes to nobody else: it stays in the outbox under a name of its own.
- One that joins during an incident hears nothing of what was over before it came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from crisp_status.core.model import Health, NotifierProgress

if TYPE_CHECKING:
    from crisp_status.core.model import State
    from crisp_status.core.policy import Plan


def follow(state: State, new: Plan) -> None:
    """Carry over what `state.plan` knew of its receivers to those of `new`, which is about to replace it."""
    old = state.plan
    if old.services:
        _rename(state, *_renamed(old, new))
        _join(state, {n.id for n in new.notifiers if n.enabled} - {n.id for n in old.notifiers if n.enabled})


class _Receiver(NamedTuple):
    id: str
    target: str
    id_is_written: bool


def _receivers(plan: Plan) -> list[_Receiver]:
    hooks = zip(plan.webhooks, plan.hook_targets, strict=False)  # an older plan has no targets
    return [
        *(_Receiver(n.id, n.target, n.id_is_written) for n in plan.notifiers if n.target),
        *(_Receiver(key, *target) for key, target in hooks),
    ]


def _renamed(old: Plan, new: Plan) -> tuple[dict[str, str], dict[str, str]]:
    """New ids by old ones, of receivers that are known by another id now, or by none; then of those with an heir.

    Where several have the same target, each goes on as one of them, in the order of the file. When fewer are left, what
    is owed to the others goes to the first, which has a past of its own.
    """
    before, after = _receivers(old), _receivers(new)
    written = {one.id: one.id_is_written for one in after}
    # Somebody wrote that id: what is owed goes to its receivers of now.
    stay = {one.id for one in before if one.id_is_written and one.id in written}
    free: dict[str, list[str]] = {}
    for one in after:
        if one.id not in stay:
            free.setdefault(one.target, []).append(one.id)
    heirs_by_target = {one.target: one.id for one in reversed(after)}
    names, heirs = {}, {}
    for one in sorted(before, key=lambda one: one.id not in free.get(one.target, ())):  # first those that keep theirs
        ids = free.get(one.target, [])
        if one.id in stay:
            continue
        if ids:
            names[one.id] = ids.pop(ids.index(one.id) if one.id in ids else 0)
        elif one.target in heirs_by_target:
            heirs[one.id] = heirs_by_target[one.target]
        elif not written.get(one.id, True):  # another one has its id now
            names[one.id] = f"{one.id}@{one.target[:6]}"
    return {key: name for key, name in names.items() if key != name}, heirs


def _rename(state: State, names: dict[str, str], heirs: dict[str, str]) -> None:
    for message in [*state.outbox.values(), *state.sent]:
        message.notifier = (names | heirs).get(message.notifier, message.notifier)
    for incident in state.open.values():
        incident.told = {names.get(key, key): progress for key, progress in incident.told.items()}
    for node in state.nodes.values():
        node.unstable_told = [names.get(key, key) for key in node.unstable_told]
    for work in state.work.values():
        work.told = [names.get(key, key) for key in work.told]
    state.undelivered_told = {names.get(key, key): told for key, told in state.undelivered_told.items()}


def _join(state: State, ids: set[str]) -> None:
    for incident in state.open.values():
        for key in sorted(ids):
            progress = incident.told.setdefault(key, NotifierProgress())
            for node, affected in incident.nodes.items():
                if not affected.bad:
                    progress.nodes.setdefault(node, Health.HEALTHY)

"""Conditions of Gatus, such as `[STATUS] == 200`, as the options that we have for the same."""

from __future__ import annotations

import operator
import re
from typing import TYPE_CHECKING, Final

from crisp_status.importers._draft import DraftTable, Reference
from crisp_status.importers._durations import go_seconds, tidy
from crisp_status.importers._patterns import ANYTHING, glob, literal
from crisp_status.importers._statuses import HIGHEST, LOWEST, spans, window

if TYPE_CHECKING:
    from collections.abc import Callable

    from crisp_status.importers._draft import Draft

_CONDITION: Final = re.compile(r"\s*(.+?)\s+(==|!=|<=|>=|<|>)\s+(.+?)\s*", re.DOTALL)
_CALL: Final = re.compile(r"(any|pat|len|has)\((.*)\)", re.DOTALL)
_PATH: Final = re.compile(r"\[BODY\]((?:\[\d+\]|\.[\w-]+)+)")
_STEP: Final = re.compile(r"\[(\d+)\]|\.([\w-]+)")
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*")
"""A key that stands in a JSONPath as it is."""

OPERATORS: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Conditions:
    """The conditions of one endpoint: `apply` each, then `finish`. `probe` is the kind of probe that looks at it."""

    def __init__(self, draft: Draft, where: str, node: DraftTable, probe: str, timeout: float) -> None:
        self.draft = draft
        self.where = where
        self.node = node
        self.probe = probe
        self.timeout = timeout
        self.statuses = set(range(LOWEST, HIGHEST))
        self.needed: list[str] = []
        self.forbidden: list[str] = []
        self.options = DraftTable()
        self.json = DraftTable()

    def apply(self, condition: str) -> None:
        """Take one condition over, or say that it is not."""
        match = _CONDITION.fullmatch(condition)
        if match is None or isinstance(condition, Reference):
            self._lost(condition, "add what it asks for by hand")
            return
        left, sign, right = match.groups()
        if left == "[STATUS]" and self.probe == "http":
            taken = self._status(sign, right)
        elif left == "[RESPONSE_TIME]":
            taken = self._response_time(sign, right)
        elif left == "[CERTIFICATE_EXPIRATION]":
            taken = self._certificate(sign, right)
        elif (left, sign, right) in {("[CONNECTED]", "==", "false"), ("[CONNECTED]", "!=", "true")}:
            self.node["expect_dead"] = taken = True
        elif left in {"[CONNECTED]", "[DNS_RCODE]"}:
            taken = (sign, right) in {("==", "true"), ("==", "NOERROR")}
        elif left == "[BODY]" and self.probe == "dns":
            taken = self._record(sign, right)
        elif "[BODY]" in left and self.probe == "http":
            taken = self._body(left, sign, right)
        else:
            taken = False
        if not taken:
            self._lost(condition, self._instead(left))

    def finish(self) -> DraftTable:
        """The options of the probe, all conditions together."""
        if self.probe == "http":
            above, below, outside = window(self.statuses)
            if outside:
                self.options["healthy_status"] = spans(self.statuses)
            elif (above, below) != (200, 400):
                self.options |= {"healthy_above": above, "healthy_below": below}
        if len(self.needed) == 1:
            self.options["healthy_match"] = self.needed[0]
        elif self.needed:
            self.options["healthy_match"] = r"\A" + "".join(f"(?={ANYTHING}*?(?:{each}))" for each in self.needed)
        if self.forbidden:
            self.options["dead_match"] = "|".join(f"(?:{each})" for each in self.forbidden)
            if len(self.forbidden) == 1:
                self.options["dead_match"] = self.forbidden[0]
        if self.json:
            self.options["json"] = self.json
        return self.options

    def _status(self, sign: str, right: str) -> bool:
        call = _CALL.fullmatch(right)
        wanted = call[2].split(",") if call and call[1] == "any" else [right]
        if not all(value.strip().isdigit() for value in wanted):
            return False
        numbers = [int(value) for value in wanted]
        compare = OPERATORS[sign]
        fits = all if sign == "!=" else any
        self.statuses = {status for status in self.statuses if fits(compare(status, n) for n in numbers)}
        return bool(self.statuses)

    def _response_time(self, sign: str, right: str) -> bool:
        milliseconds = float(right) if right.replace(".", "", 1).isdigit() else None
        seconds = milliseconds / 1000 if milliseconds is not None else go_seconds(right)
        if sign not in {"<", "<="} or not seconds:
            return False
        if seconds >= self.timeout:  # it would be dead before it is sick
            return True
        self.node["delay_sick"] = tidy(min(seconds, self.node.get("delay_sick", seconds)))
        self.draft.changed(self.where, f"slower than {seconds:g} s is sick, and was a failure", at=self.node)
        return True

    def _certificate(self, sign: str, right: str) -> bool:
        seconds = go_seconds(right)
        if sign not in {">", ">="} or not seconds or self.probe not in {"http", "tls", "starttls", "ws"}:
            return False
        self.options["certificate_sick_days"] = tidy(seconds / 86400)
        return True

    def _record(self, sign: str, right: str) -> bool:
        if sign != "==":
            return False
        self.options["match"] = _whole(right)
        return True

    def _body(self, left: str, sign: str, right: str) -> bool:
        if left == "[BODY]" and sign in {"==", "!="}:
            (self.needed if sign == "==" else self.forbidden).append(_whole(right))
            return True
        if left == "len([BODY])" and (sign, right) in {(">", "0"), (">=", "1"), ("!=", "0")}:
            self.needed.append(ANYTHING)
            return True
        call = _CALL.fullmatch(left)
        match = _PATH.fullmatch(call[2] if call and call[1] == "has" else left)
        if match is None or (path := json_path(match[1])) in self.json:
            return False
        if call:
            if (sign, right) not in {("==", "true"), ("==", "false")}:
                return False
            self.json[path] = DraftTable(exists=right == "true")
            return True
        wanted = _json_value(sign, right)
        if wanted is not None:
            self.json[path] = wanted
        return wanted is not None

    def _lost(self, condition: str, instead: str) -> None:
        self.draft.lost(self.where, f"the condition {condition!r} is not checked", instead, at=self.node)

    def _instead(self, left: str) -> str:
        if left.startswith("[DOMAIN_EXPIRATION]"):
            return "watch the end of the domain with a script node"
        if "[BODY]" in left and self.probe == "http":
            return "healthy_match takes a regular expression over the body"
        return "a script node can check it"


def json_path(steps: str) -> str:
    """`.data[0].user-name` as RFC 9535 has it: `$.data[0]['user-name']`."""
    found = "$"
    for index, key in _STEP.findall(steps):
        found += f"[{index}]" if index else f".{key}" if _PLAIN.fullmatch(key) else f"['{key}']"
    return found


def _json_value(sign: str, right: str) -> DraftTable | None:
    """What the value must be like; Gatus compares texts, so `1` is `"1"`."""
    call = _CALL.fullmatch(right)
    if call and call[1] in {"len", "has"}:
        return None
    if sign in {"<", ">"}:
        try:
            return DraftTable({"below" if sign == "<" else "above": float(right)})
        except ValueError:
            return None
    if sign not in {"==", "!="}:
        return None
    whole = _whole(right)
    return DraftTable(match=whole if sign == "==" else rf"\A(?![\s\S]*?(?:{whole}))")


def _whole(right: str) -> str:
    """A regular expression for a value that a body or record must be as a whole."""
    call = _CALL.fullmatch(right)
    if call and call[1] == "pat":
        pattern = call[2].strip()
        inside = pattern.strip("*")
        if inside and pattern == f"*{inside}*" and not re.search(r"[*?\[\\]", inside):
            return literal(inside)
        return rf"\A{glob(pattern)}\Z"
    values = call[2].split(",") if call and call[1] == "any" else [right]
    return r"\A(?:" + "|".join(literal(value.strip()) for value in values) + r")\s*\Z"

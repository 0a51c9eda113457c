"""The answer: allow or deny, why, and within which bounds.

Rules that hold here:

* Only an answer whose ``allow`` is exactly ``true``, and whose every other member is as it should be,
  lets data out. Anything else is a denial: an error, a time-out, an undefined result, a wrong type.
* No moving fact stands in an answer; it says how far it holds: ``valid_until`` bounds the clock, and
  ``depends_on`` every counter that was read.
* ``counters`` must be reserved by the writer in the transaction that records the release, each as its
  kind says. Without that reservation an allowed answer allows nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from connector.policy.input import CounterName
from ledger.canonical import JSON, LARGEST_INTEGER, JSONObject
from ledger.names import Milliseconds, RulebookDigest

ENGINE_ERROR: Final = "ENGINE_ERROR"
"""The engine gave no answer, or one that is no answer. Never leased."""

GuardKind: TypeAlias = Literal["use", "spacing", "room"]
_GUARD_KINDS: Final[tuple[GuardKind, ...]] = get_args(GuardKind)

MAX_REASONS: Final = 64
_MEMBERS: Final = {
    "allow",
    "reasons",
    "obligations",
    "row_filter",
    "column_mask",
    "counters",
    "valid_until",
    "depends_on",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a code with parameters; ``connector.policy.wording`` says it in words."""

    code: str
    rule: str | None
    parameters: Mapping[str, JSON]

    def to_json(self) -> JSONObject:
        return {"code": self.code, "rule": self.rule, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class CounterGuard:
    """A counter to reserve with the release, in the window that begins at ``window`` where there is one.

    ``use``: one more use; with it the value may be at most ``limit``. ``spacing``: the value is the moment
    of the last use; ``limit`` milliseconds must have passed since, and the value becomes now. ``room``: the
    value must lie below ``limit``; what the use takes of it is added when it has been measured.
    """

    name: CounterName
    limit: int
    kind: GuardKind = "use"
    window: Milliseconds | None = None

    def to_json(self) -> JSONObject:
        return {"kind": self.kind, "name": self.name, "limit": self.limit, "window": self.window}


@dataclass(frozen=True, slots=True)
class CounterRange:
    """The answer stays the same while ``start <= value < below`` (no upper bound where None)."""

    name: CounterName
    start: int
    below: int | None

    def holds(self, counters: Mapping[CounterName, int]) -> bool:
        """Whether the counter's value is known and lies in the range."""
        value = counters.get(self.name)
        return value is not None and self.start <= value and (self.below is None or value < self.below)

    def to_json(self) -> JSONObject:
        return {"fact": "counter", "name": self.name, "from": self.start, "below": self.below}


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision under the rulebook ``revision``.

    ``obligations`` are duties that arise; ``row_filter`` a predicate that the registry evaluates, or None;
    ``column_mask`` the columns to hide; ``valid_until`` the first moment at which time may change the
    answer, or None.
    """

    allow: bool
    revision: RulebookDigest
    reasons: tuple[Reason, ...]
    obligations: tuple[JSONObject, ...] = ()
    row_filter: JSONObject | None = None
    column_mask: tuple[str, ...] = ()
    counters: tuple[CounterGuard, ...] = ()
    valid_until: Milliseconds | None = None
    depends_on: tuple[CounterRange, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether this is a denial because the engine failed, rather than because of the rules."""
        return any(reason.code == ENGINE_ERROR for reason in self.reasons)

    @property
    def rule(self) -> str | None:
        """The permission that an allowed request rests on."""
        return self.reasons[0].rule if self.allow and self.reasons else None

    def to_json(self) -> JSONObject:
        """The answer as the rulebook gave it, with the rulebook's digest: what is recorded and compared."""
        return {
            "allow": self.allow,
            "revision": self.revision,
            "reasons": [reason.to_json() for reason in self.reasons],
            "obligations": list(self.obligations),
            "row_filter": self.row_filter,
            "column_mask": list(self.column_mask),
            "counters": [counter.to_json() for counter in self.counters],
            "valid_until": self.valid_until,
            "depends_on": [dependency.to_json() for dependency in self.depends_on],
        }


def failure(revision: RulebookDigest, error: str) -> Decision:
    """The denial for an engine that failed; ``error`` is a short code, never a message with content."""
    return Decision(False, revision, (Reason(ENGINE_ERROR, None, {"error": error}),))


def decision_from(answer: JSON, revision: RulebookDigest) -> Decision:
    """Read an engine's answer. What is not exactly one is a denial."""
    try:
        return _read(answer, revision)
    except _NoAnswer as problem:
        return failure(revision, f"answer-{problem.part}")


class _NoAnswer(Exception):
    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


def _read(answer: JSON, revision: RulebookDigest) -> Decision:
    if not isinstance(answer, dict) or set(answer) != _MEMBERS:
        raise _NoAnswer("shape")
    allow = answer["allow"]
    if not isinstance(allow, bool):
        raise _NoAnswer("allow")
    reasons = tuple(_reason(item) for item in _list(answer["reasons"], "reasons"))
    if not 1 <= len(reasons) <= MAX_REASONS:
        raise _NoAnswer("reasons")
    row_filter = answer["row_filter"]
    if row_filter is not None and not isinstance(row_filter, dict):
        raise _NoAnswer("row_filter")
    until = answer["valid_until"]
    return Decision(
        allow=allow,
        revision=revision,
        reasons=reasons,
        obligations=tuple(
            _object(item, "obligations") for item in _list(answer["obligations"], "obligations")
        ),
        row_filter=row_filter,
        column_mask=tuple(
            _string(item, "column_mask") for item in _list(answer["column_mask"], "column_mask")
        ),
        counters=tuple(_guard(item) for item in _list(answer["counters"], "counters")),
        valid_until=None if until is None else Milliseconds(_whole(until, "valid_until")),
        depends_on=tuple(_range(item) for item in _list(answer["depends_on"], "depends_on")),
    )


def _reason(value: JSON) -> Reason:
    members = _object(value, "reasons")
    if set(members) != {"code", "rule", "parameters"}:
        raise _NoAnswer("reasons")
    rule = members["rule"]
    return Reason(
        _string(members["code"], "reasons"),
        None if rule is None else _string(rule, "reasons"),
        _object(members["parameters"], "reasons"),
    )


def _guard(value: JSON) -> CounterGuard:
    members = _object(value, "counters")
    if set(members) != {"kind", "name", "limit", "window"}:
        raise _NoAnswer("counters")
    for kind in _GUARD_KINDS:
        if members["kind"] == kind:
            limit = _whole(members["limit"], "counters", -1)
            window = members["window"]
            return CounterGuard(
                CounterName(_string(members["name"], "counters")),
                limit,
                kind,
                None if window is None else Milliseconds(_whole(window, "counters")),
            )
    raise _NoAnswer("counters")


def _range(value: JSON) -> CounterRange:
    members = _object(value, "depends_on")
    if set(members) != {"fact", "name", "from", "below"} or members["fact"] != "counter":
        raise _NoAnswer("depends_on")
    below = members["below"]
    return CounterRange(
        CounterName(_string(members["name"], "depends_on")),
        _whole(members["from"], "depends_on", -1),
        None if below is None else _whole(below, "depends_on", -1),
    )


def _list(value: JSON, part: str) -> list[JSON]:
    if not isinstance(value, list):
        raise _NoAnswer(part)
    return value


def _object(value: JSON, part: str) -> JSONObject:
    if not isinstance(value, dict):
        raise _NoAnswer(part)
    return value


def _string(value: JSON, part: str) -> str:
    if not isinstance(value, str):
        raise _NoAnswer(part)
    return value


def _whole(value: JSON, part: str, smallest: int = 0) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not smallest <= value <= LARGEST_INTEGER:
        raise _NoAnswer(part)
    return value

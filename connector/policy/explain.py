"""Why a request is allowed or denied, and what would have to be otherwise for the answer to change.

Rules that hold here:

* Verdict and account are the rulebook's (``connector.policy.trace``). Nothing is decided here.
* A change is reported only when the engine, asked again with it, really gave the other verdict.
* Where no single change does, a set is looked for: step by step towards a permission, at each step the
  change that leaves the fewest conditions open. What is found is then reduced until nothing in it can be
  left out. The smallest of these is reported; where none is found, that is said.
* The search is bounded by a number of questions; when it ran out, that is said, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from connector.policy.changes import Change, are_all, candidates
from connector.policy.decision import Decision
from connector.policy.engine import Engine
from connector.policy.input import CounterName
from connector.policy.normal import NormalPolicy
from connector.policy.reading import read_policy
from connector.policy.supposed import at, edited, moved
from connector.policy.trace import Compared, Meant, Trace, TracedRule, Tree, traced
from ledger.canonical import JSON, JSONObject, encode
from ledger.names import Milliseconds

MOST_QUESTIONS: Final = 2000
_OCTETS_IN_ALL: Final = 6_000_000
"""A long question takes longer, so fewer are asked of it."""

MOST_STEPS: Final = 10
MOST_PERMISSIONS: Final = 8
_SHOWN: Final = 24
_SHOWN_OF_ONE_FACT: Final = 3
_NEAREST_ONLY: Final = frozenset({"time"})


@dataclass(frozen=True, slots=True)
class Otherwise:
    """Changes with which, together, the verdict is the other one; none of them can be left out."""

    changes: tuple[Change, ...]
    then: Decision
    until: Milliseconds | None = None
    """Of another moment: until when the verdict would be the other one, as far as time alone goes."""

    def to_json(self) -> JSONObject:
        return {
            "changes": [change.to_json() for change in self.changes],
            "then": {"allow": self.then.allow, "until": self.until},
        }


@dataclass(frozen=True, slots=True)
class CounterLeft:
    """How far a counter may go before the answer changes. ``below`` None: no matter how far."""

    name: CounterName
    value: int | None
    below: int | None

    def to_json(self) -> JSONObject:
        return {"name": self.name, "value": self.value, "below": self.below}


@dataclass(frozen=True, slots=True)
class Explanation:
    """A question, its answer, how that came about, and what would change it."""

    question: JSONObject
    policy: NormalPolicy
    decision: Decision
    trace: Trace
    otherwise: tuple[Otherwise, ...]
    asked: int
    is_complete: bool
    """Whether the search came to its end."""

    @property
    def counters(self) -> tuple[CounterLeft, ...]:
        """The counters that the answer was read at."""
        known = at(self.question, ("facts", "counters"))
        values = known if isinstance(known, dict) else {}
        return tuple(
            CounterLeft(each.name, _whole(values.get(each.name)), each.below)
            for each in self.decision.depends_on
        )

    def to_json(self) -> JSONObject:
        return {
            "allow": self.decision.allow,
            "decision": self.decision.to_json(),
            "question": self.question,
            "trace": self.trace.to_json(),
            "holds": {
                "until": self.decision.valid_until,
                "counters": [each.to_json() for each in self.counters],
            },
            "otherwise": [each.to_json() for each in self.otherwise],
            "search": {"asked": self.asked, "complete": self.is_complete},
        }


def explain(question: JSONObject, engine: Engine) -> Explanation:
    """Explain the answer to a question. Asks the engine many times, and blocks meanwhile.

    Raises :class:`~connector.policy.errors.EngineUnavailable`, ``MalformedPolicy`` or ``PolicyRefused``.
    """
    policy = read_policy(question["policy"])
    search = _Search(engine, question)
    trace = search.trace(())
    guesses = candidates(question, policy)
    single = search.single(guesses)
    sets = single if single or search.allow else search.together(guesses, trace)
    return Explanation(
        question,
        policy,
        search.decision,
        trace,
        tuple(sets[:_SHOWN]),
        search.asked,
        search.is_complete and are_all(guesses),
    )


class _Search:
    """Asks the engine about changed questions, within its budget."""

    def __init__(self, engine: Engine, question: JSONObject) -> None:
        self._engine = engine
        self._question = question
        written = encode(question)
        self._left = min(MOST_QUESTIONS, max(50, _OCTETS_IN_ALL // len(written)))
        self.asked = 0
        self.is_complete = True
        self.decision = engine.replay(written)
        self.allow = self.decision.allow

    def trace(self, changes: Iterable[Change]) -> Trace:
        """The account of the question with some changes."""
        self.asked += 1
        return traced(self._engine, self._changed(changes))

    def single(self, guesses: list[Change]) -> list[Otherwise]:
        """Each change that alone gives the other verdict; of moments the nearest before and after."""
        found: list[Otherwise] = []
        seen: dict[tuple[object, ...], int] = {}
        for change in guesses:
            side = _side(change)
            if seen.get(side, 0) >= self._shown_of(change):
                continue
            if (then := self._other((change,))) is not None:
                seen[side] = seen.get(side, 0) + 1
                found.append(Otherwise((change,), then, self._lasting(change, then)))
        return found

    def together(self, guesses: list[Change], trace: Trace) -> list[Otherwise]:
        """The smallest set of changes found with which one of the permissions lets the request through."""
        permissions = [rule.id for rule in trace.rules if rule.kind == "permission"][:MOST_PERMISSIONS]
        found = [self._towards(rule, guesses, trace) for rule in permissions]
        sets = [each for each in found if each is not None]
        return [min(sets, key=lambda each: len(each.changes))] if sets else []

    def _towards(self, rule: str, guesses: list[Change], trace: Trace) -> Otherwise | None:
        chosen: dict[tuple[str, str | None], Change] = {}
        open_now = _open(trace, rule)
        for _ in range(MOST_STEPS):
            best: tuple[int, Change, Trace] | None = None
            for change in guesses:
                if change.place in chosen:
                    continue
                if not self._may_ask():
                    return None
                after = self.trace((*chosen.values(), change))
                still = _open(after, rule)
                if still < open_now and (best is None or still < best[0]):
                    best = still, change, after
            if best is None:
                return None
            open_now, change, trace = best
            chosen[change.place] = change
            if self._other(tuple(chosen.values())) is not None:
                return self._reduced(tuple(chosen.values()))
        return None

    def _reduced(self, changes: tuple[Change, ...]) -> Otherwise | None:
        for change in changes:
            fewer = tuple(each for each in changes if each is not change)
            if fewer and self._other(fewer) is not None:
                return self._reduced(fewer)
        then = self._other(changes)
        return None if then is None else Otherwise(changes, then)

    def _lasting(self, change: Change, then: Decision) -> Milliseconds | None:
        """Until when a later moment's verdict stays: asked again wherever time may change it."""
        until = then.valid_until
        if change.fact != "time" or not isinstance(change.was, int) or not isinstance(change.to, int):
            return None
        while until is not None and change.to > change.was:
            later = replace(change, to=until, edits=tuple(moved(self._question, until)))
            after = self._other((later,))
            if after is None:
                return until
            until = after.valid_until
        return None

    def _other(self, changes: tuple[Change, ...]) -> Decision | None:
        """The answer with these changes, if it is the other verdict. An engine that fails gives none."""
        if not self._may_ask():
            return None
        self.asked += 1
        then = self._engine.replay(self._changed(changes))
        return then if then.allow is not self.allow and not then.failed else None

    def _may_ask(self) -> bool:
        if self.asked >= self._left:
            self.is_complete = False
        return self.is_complete

    def _changed(self, changes: Iterable[Change]) -> bytes:
        return encode(edited(self._question, [edit for change in changes for edit in change.edits]))

    def _shown_of(self, change: Change) -> int:
        """Of an allowed request, one example of each fact; of a denied one, some to choose from."""
        is_choice = isinstance(change.to, str | dict) and not self.allow and change.about is None
        return _SHOWN_OF_ONE_FACT if is_choice and not _is_quantity(change.to) else 1


def _side(change: Change) -> tuple[object, ...]:
    if change.fact in _NEAREST_ONLY and isinstance(change.was, int) and isinstance(change.to, int):
        return (*change.place, change.to > change.was)
    return change.place


def _is_quantity(value: JSON) -> bool:
    return isinstance(value, dict) and "unit" in value


def _whole(value: JSON) -> int | None:
    return value if isinstance(value, int) else None


def _open(trace: Trace, permission: str) -> int:
    """How many conditions stand between the request and one permission: what guides the search, no more."""
    still = (not trace.is_within_agreement) + (not trace.is_within_area)
    for rule in trace.rules:
        if rule.id == permission:
            still += _open_of(rule)
        elif rule.kind == "prohibition" and rule.active and trace.conflict != "perm":
            still += 1
    return still


def _open_of(rule: TracedRule) -> int:
    meant = sum(_open_meant(each) for each in (rule.action, rule.assignee, rule.target))
    duties = sum(duty.value != "true" for duty in rule.duties)
    return meant + duties + (0 if rule.constraint is None else _open_in(rule.constraint))


def _open_meant(meant: Meant) -> int:
    if meant.value == "true":
        return 0
    return 1 + (0 if meant.refinement is None else _open_in(meant.refinement))


def _open_in(tree: Tree) -> int:
    if tree.value == "true":
        return 0
    if isinstance(tree, Compared) or not tree.operands:
        return 1
    below = [_open_in(operand) for operand in tree.operands]
    return max(1, sum(below) if tree.logic in ("and", "andSequence") else min(below))

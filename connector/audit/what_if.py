"""What if another policy had decided: the ledger's past accesses, decided again under a changed one.

Rules that hold here:

* Nothing but the policy changes: each access is decided by the rules that its record names, from its recorded
  facts. Where those rules are not kept, the active ones decide, and the access says so.
* The changed policy is bound to each agreement's own parties and dataset. Where it names others, the
  agreement is not concerned.
* What the changed policy counts is counted anew, from each agreement's first record on: an access counts
  when the changed policy allows it. A duty that the recorded policy did not have has not arisen.
* Facts that were erased are never guessed: such an access is counted as not replayable, and so is every later
  one of its agreement whose answer would rest on how the erased one was counted.

Why: docs/decisions/0018-what-if.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.audit.replay import FactsErased, Recorded, opened, recorded
from connector.policy.decision import CounterGuard, Decision
from connector.policy.engine import Engine
from connector.policy.errors import MalformedPolicy
from connector.policy.input import counters_of
from connector.policy.normal import NormalPolicy
from connector.policy.supposed import at, rebound
from connector.policy.vocabulary import RATE_WINDOWS
from ledger import log
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.leaf import agreement_chain, read
from ledger.names import DatasetId, Milliseconds, ParticipantId
from ledger.side import KeyChest, signed_from_json

ACCESSES: Final = ("offer", "release", "use")
"""Records of an access that was granted, each under a decision; a denial is a decision of its own."""

LISTED: Final = 10_000
"""Accesses listed at most; all are counted."""

_MAX_QUESTION: Final = 1 << 22
_EVERY: Final = 100

Rules = Callable[[str, str | None], tuple[Engine, bool]]
"""Gives the engine for a rulebook and local rules by their digests, and whether these are kept here."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Range:
    """Which accesses are looked at; None sets no bound. ``since`` is in it, ``until`` is not."""

    dataset: str | None = None
    agreement: str | None = None
    since: Milliseconds | None = None
    until: Milliseconds | None = None

    def may_hold(self, leaf: JSONObject, chain: str) -> bool:
        """Whether an access of which the leaf alone is known may lie in the range."""
        time, dataset, agreement = leaf["time"], leaf.get("dataset"), leaf.get("agreement")
        if self.dataset is not None and isinstance(dataset, str) and dataset != self.dataset:
            return False
        is_named = isinstance(agreement, str) or chain.startswith(agreement_chain(""))
        if self.agreement is not None and is_named and chain != agreement_chain(self.agreement):
            return False
        return isinstance(time, int) and self._in_time(time)

    def holds(self, question: JSONObject, time: int) -> bool:
        """Whether an access lies in the range."""
        named = (at(question, ("request", "dataset")), at(question, ("agreement", "id")))
        wanted = (self.dataset, self.agreement)
        is_named = all(want in (None, have) for want, have in zip(wanted, named, strict=True))
        return is_named and self._in_time(time)

    def _in_time(self, time: int) -> bool:
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Differing:
    """One access that would have come out differently."""

    index: int
    kind: str
    time: int
    question: JSONObject
    then: JSONObject
    now: Decision
    by_active_rules: bool

    def to_json(self) -> JSONObject:
        recipient = at(self.question, ("request", "recipient"))
        who = recipient if isinstance(recipient, dict) else {}
        return {
            "record": self.index,
            "kind": self.kind,
            "time": self.time,
            "who": who.get("did"),
            "unit": who.get("unit"),
            "purpose": at(self.question, ("request", "purpose")),
            "dataset": at(self.question, ("request", "dataset")),
            "agreement": at(self.question, ("agreement", "id")),
            "then": {"allow": self.then["allow"], "reasons": self.then["reasons"]},
            "now": {"allow": self.now.allow, "reasons": [reason.to_json() for reason in self.now.reasons]},
            "by_active_rules": self.by_active_rules,
        }


@dataclass(slots=True)
class Findings:
    """What came of it: the accesses that differ, the first :data:`LISTED` of them, and counts of all."""

    differing: list[Differing] = field(default_factory=list)
    looked_at: int = 0
    same: int = 0
    denied_now: int = 0
    allowed_now: int = 0
    facts_erased: int = 0
    counts_erased: int = 0
    not_concerned: int = 0
    failed: int = 0
    by_active_rules: int = 0

    def to_json(self) -> JSONObject:
        return {
            "differing": [each.to_json() for each in self.differing],
            "summary": {
                "looked_at": self.looked_at,
                "same": self.same,
                "denied_now": self.denied_now,
                "allowed_now": self.allowed_now,
                "not_replayable": {
                    "facts_erased": self.facts_erased,
                    "counts_rest_on_erased_facts": self.counts_erased,
                },
                "not_concerned": self.not_concerned,
                "engine_failed": self.failed,
                "by_active_rules": self.by_active_rules,
            },
        }


class Uses:
    """What an agreement would have counted, in memory: the counters as ``exchange.counters`` keeps them."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}

    def values(self, names: Iterable[str], now: int) -> dict[str, int]:
        """The counters' values; time of use that nobody meters is missing, as in a real question."""
        return {name: self._rows.get(_row(name, now), 0) for name in names if not name.startswith("metered:")}

    def reserve(self, guards: Iterable[CounterGuard], now: int) -> None:
        """Count one use that was allowed."""
        for guard in guards:
            row = guard.name if guard.window is None else f"{guard.name}:{guard.window}"
            if guard.kind == "spacing":
                self._rows[row] = now
            elif guard.kind == "use":
                self._rows[row] = self._rows.get(row, 0) + 1


def what_if(
    connection: sqlite3.Connection,
    chest: KeyChest,
    policy: NormalPolicy,
    within: Range,
    rules: Rules,
    progress: Progress = lambda _done, _total: None,
) -> Findings:
    """Decide the log's accesses again under ``policy``. Goes through the whole log.

    Raises ``RecordContradicts`` where the ledger is damaged, ``EngineUnavailable``.
    """
    return _Going(connection, chest, policy, within, rules).through(progress)


class _Going:
    def __init__(
        self,
        connection: sqlite3.Connection,
        chest: KeyChest,
        policy: NormalPolicy,
        within: Range,
        rules: Rules,
    ) -> None:
        self._connection = connection
        self._chest = chest
        self._policy = policy
        self._within = within
        self._rules = rules
        self._found = Findings()
        self._uses: dict[str, Uses] = {}
        self._unsure: set[str] = set()
        self._bound: dict[tuple[JSON, ...], NormalPolicy | None] = {}

    def through(self, progress: Progress) -> Findings:
        size = log.size(self._connection)
        for entry in log.entries(self._connection):
            if entry.index % _EVERY == 0:
                progress(entry.index, size)
            leaf = read(entry.bytes).members
            if _is_access(leaf):
                self._look(entry.index, self._chain(entry.index), leaf)
        progress(size, size)
        return self._found

    def _chain(self, index: int) -> str:
        row = self._connection.execute("SELECT chain FROM leaf WHERE idx = ?", (index,)).fetchone()
        return str(row[0])

    def _look(self, index: int, chain: str, leaf: JSONObject) -> None:
        try:
            found = recorded(self._connection, self._chest, index)
            is_use = self._is_use(index, leaf)
        except FactsErased:
            self._unsure.add(chain)
            if self._within.may_hold(leaf, chain):
                self._found.looked_at += 1
                self._found.facts_erased += 1
            return
        question = decode_object(found.question, max_bytes=_MAX_QUESTION)
        time = leaf["time"]
        is_wanted = isinstance(time, int) and self._within.holds(question, time)
        policy = self._bound_to(question)
        if policy is None:
            self._found.looked_at += is_wanted
            self._found.not_concerned += is_wanted
            return
        names = counters_of(policy)
        if names and chain in self._unsure:
            self._found.looked_at += is_wanted
            self._found.counts_erased += is_wanted
            return
        if not is_wanted and not names:
            return
        engine, is_kept = self._rules(found.rulebook, found.local_rules)
        answer = self._answer(engine, question, policy, self._uses.setdefault(chain, Uses()), is_use)
        if is_wanted:
            self._tell(found, question, leaf, answer, not is_kept)

    def _is_use(self, index: int, leaf: JSONObject) -> bool:
        """Whether counters count it: a resume is none, nor the session that a query's questions go in."""
        if leaf["type"] in ("release", "use"):
            return True
        heard = opened(self._connection, self._chest, index).get("heard")
        if heard is None:  # an Offer that answers no Request goes on with an exchange
            return leaf["type"] == "denial"
        asked = decode_object(signed_from_json(heard).payload, max_bytes=_MAX_QUESTION)
        return asked.get("type") != "resume" and asked.get("mode") != "query"

    def _answer(
        self, engine: Engine, question: JSONObject, policy: NormalPolicy, uses: Uses, is_use: bool
    ) -> Decision:
        now = at(question, ("facts", "now"))
        moment = now if isinstance(now, int) else 0
        values = uses.values(counters_of(policy), moment)
        answer = engine.replay(encode(rebound(question, policy, values)))
        if answer.allow and is_use:
            uses.reserve(answer.counters, moment)
        return answer

    def _tell(
        self, found: Recorded, question: JSONObject, leaf: JSONObject, answer: Decision, by_active: bool
    ) -> None:
        tally, time = self._found, leaf["time"]
        tally.looked_at += 1
        tally.by_active_rules += by_active
        if answer.failed:
            tally.failed += 1
        elif answer.allow is found.result["allow"]:
            tally.same += 1
        else:
            tally.allowed_now += answer.allow
            tally.denied_now += not answer.allow
            if len(tally.differing) < LISTED:
                moment = time if isinstance(time, int) else 0
                kind = str(leaf["type"])
                differing = Differing(found.index, kind, moment, question, found.result, answer, by_active)
                tally.differing.append(differing)

    def _bound_to(self, question: JSONObject) -> NormalPolicy | None:
        """The changed policy as this agreement's; None where it names other parties or another dataset."""
        name, provider, dataset = (
            at(question, ("policy", *path)) for path in (("id",), ("assigner", "id"), ("target", "id"))
        )
        consumer = at(question, ("policy", "assignee", "id"))
        key = (name, provider, consumer, dataset)
        if key not in self._bound:
            try:
                self._bound[key] = self._policy.agreed(
                    name=str(name),
                    assigner=ParticipantId(str(provider)),
                    assignee=ParticipantId(str(consumer)),
                    target=DatasetId(str(dataset)),
                )
            except MalformedPolicy:
                self._bound[key] = None
        return self._bound[key]


def _is_access(leaf: Mapping[str, JSON]) -> bool:
    kind = leaf["type"]
    return (kind in ACCESSES and "decision" in leaf) or (kind == "denial" and "rulebook" in leaf)


def _row(name: str, now: int) -> str:
    if not name.startswith("rate:"):
        return name
    length = RATE_WINDOWS[name.split(":", 2)[1]]
    return f"{name}:{now - now % length}"

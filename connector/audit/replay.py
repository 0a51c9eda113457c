"""Replay: a recorded decision is evaluated again, under the rules that its record names, and compared.

Rules that hold here:

* The recorded input must open the leaf's commitment; the whole answer is compared, not ``allow`` alone.
* A release under a lease is replayed from the lease's decision and the values at use: the release's own
  time, and the counters that it was granted at. A leased answer equals a fresh one, so these must agree.
* Where the side row that opens the input was erased, there is no answer: "not replayable: facts erased",
  never a guess.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from connector.policy.decision import Decision
from connector.policy.engine import Engine
from ledger import log, side
from ledger.canonical import JSONObject, decode, encode
from ledger.commitment import opens, read_opening
from ledger.errors import BylagError, ErrorKind
from ledger.leaf import read
from ledger.names import LeafIndex
from ledger.side import SHARED, KeyChest, KeyErased, NoSuchRow

Engines = Callable[[str, str | None], Engine]
"""Gives an engine under a rulebook and local rules, by their digests."""

UNDER_A_DECISION: Final = ("release", "commit", "offer", "use")


class NotADecision(BylagError):
    """The record is of no decision by the policy, and of nothing that was done under one."""

    code = "NOT_A_DECISION"
    default_next_step = (
        "List the records with `bylag ledger show`; a decision, denial or release is replayed."
    )


class FactsErased(BylagError):
    """The facts of this decision were erased; it cannot be replayed, now or ever."""

    code = "FACTS_ERASED"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Show the record and its proof: they stand. Nobody can say what the facts were."


class RecordContradicts(BylagError):
    """What opens a record is not what its leaf commits to."""

    code = "RECORD_CONTRADICTS"
    kind = ErrorKind.DAMAGED
    default_next_step = "Run `bylag ledger verify`, and keep a copy of the home as it is."


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as its record holds it. ``index`` is the record asked for, ``decision`` the decision's."""

    index: int
    decision: int
    question: bytes
    result: JSONObject
    rulebook: str
    local_rules: str | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision that was evaluated again."""

    recorded: Recorded
    answer: JSONObject

    @property
    def same(self) -> bool:
        """Whether the whole answer is the recorded one."""
        return self.answer == self.recorded.result


def recorded(connection: sqlite3.Connection, chest: KeyChest, index: int) -> Recorded:
    """The decision that record ``index`` is of, or was made under.

    Raises :class:`NotADecision`, :class:`FactsErased` or :class:`RecordContradicts`.
    """
    leaf = read(log.entry(connection, index).bytes).members
    kind = leaf["type"]
    if kind in UNDER_A_DECISION and "decision" in leaf:
        chain = connection.execute("SELECT chain FROM leaf WHERE idx = ?", (index,)).fetchone()[0]
        found = log.find(connection, str(chain), bytes.fromhex(str(leaf["decision"])))
        return _at_use(connection, chest, index, leaf, _decision(connection, chest, found.index))
    if kind in ("decision", "denial") and "rulebook" in leaf:
        return _decision(connection, chest, index)
    raise NotADecision(f"record {index} is of no decision", field="record")


def replay(found: Recorded, engines: Engines) -> Replayed:
    """Evaluate a recorded decision again. Raises ``RulebookNotKept``, ``EngineUnavailable``."""
    engine = engines(found.rulebook, found.local_rules)
    try:
        decision: Decision = engine.replay(found.question)
    finally:
        engine.close()
    return Replayed(found, decision.to_json())


def _decision(connection: sqlite3.Connection, chest: KeyChest, index: int) -> Recorded:
    leaf = read(log.entry(connection, index).bytes).members
    row = opened(connection, chest, index)
    question, result, committed = row.get("input"), row.get("result"), leaf.get("input")
    if not isinstance(question, dict) or not isinstance(result, dict) or not isinstance(committed, dict):
        raise NotADecision(f"record {index} is of no decision", field="record")
    openings = row.get("openings")
    opening = read_opening("input", openings.get("input") if isinstance(openings, dict) else None)
    written = encode(question)
    if not opens(opening, str(committed.get("commitment"))) or opening.value != written:
        raise RecordContradicts(f"record {index} commits to another input", field="input")
    local = leaf.get("local_rules")
    said = (result.get("revision"), result.get("local_rules"))
    if said != (leaf.get("rulebook"), local):
        raise RecordContradicts(f"record {index} names other rules than its answer", field="rulebook")
    return Recorded(
        index, index, written, result, str(leaf["rulebook"]), None if local is None else str(local)
    )


def _at_use(
    connection: sqlite3.Connection, chest: KeyChest, index: int, leaf: JSONObject, decision: Recorded
) -> Recorded:
    """The lease's question with the values at use in the place of those at the decision."""
    question = decode(decision.question, max_bytes=1 << 22)
    facts = question.get("facts") if isinstance(question, dict) else None
    if not isinstance(question, dict) or not isinstance(facts, dict):
        raise RecordContradicts(f"record {index} was made under no decision", field="decision")
    if leaf["type"] not in ("release", "commit"):
        return Recorded(
            index,
            decision.decision,
            decision.question,
            decision.result,
            decision.rulebook,
            decision.local_rules,
        )
    counters = facts.get("counters")
    if leaf["type"] == "release":
        counters = opened(connection, chest, index).get("counters", counters)
    at_use = {**question, "facts": {**facts, "now": leaf["time"], "counters": counters}}
    return Recorded(
        index,
        decision.decision,
        encode(at_use),
        decision.result,
        decision.rulebook,
        decision.local_rules,
    )


def opened(connection: sqlite3.Connection, chest: KeyChest, index: int) -> JSONObject:
    """The side row of a record: the shared one, or the person's whom the other side is."""
    holders = [
        str(row[0])
        for row in connection.execute(
            "SELECT holder FROM side_row WHERE idx = ? ORDER BY holder <> ?", (index, SHARED)
        )
    ]
    for holder in holders[:1]:
        try:
            return side.get(connection, chest, LeafIndex(index), holder)
        except (KeyErased, NoSuchRow) as error:
            raise FactsErased("not replayable: facts erased", field="record") from error
    raise FactsErased("not replayable: facts erased", field="record")

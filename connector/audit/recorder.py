"""The only one that writes to the ledger: turns what happened into a leaf and its side row.

Rules that hold here:

* A record is made on the writer's transaction, together with the state change that it records.
* A leaf holds ids of organisations, codes, counters, digests and commitments (invariant 4). Where
  the counterpart is a person, whatever would lead to them (party, agreement, exchange, chain
  pointer, messages) is committed to, each under fresh randomness, and the openings go to a side
  row under that person's own key.
* Signed messages are kept whole: with organisations in the shared side row, with a person in theirs.
* The number that a record will get is known before it is written (:meth:`Recorder.next_record`), so
  that a signed message can promise it; the log refuses any other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from connector.audit.scope import Scope
from connector.store.writer import Transaction
from ledger import log, side
from ledger.ambient import Ambient
from ledger.canonical import JSON, JSONObject
from ledger.commitment import fresh_json
from ledger.document import SignedDocument
from ledger.leaf import agreement_chain, build, read
from ledger.names import DataSpaceId, LeafHash, LeafIndex, Milliseconds, Origin, ParticipantId
from ledger.side import SHARED, KeyChest

_PERSONAL: Final = (
    "with", "agreement", "negotiation", "exchange", "aprev", "message", "counterpart", "input", "contract",
    "peer_head", "refers",
)  # fmt: skip
"""Members that lead to a person when the counterpart is one (``ledger.leaf``: may be commitments)."""


LOOKED_BACK: Final = 10_000
"""Records in which the latest time is looked for at a start: one of a clock that stood behind is later."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Where a record stands."""

    index: LeafIndex
    hash: LeafHash
    aseq: int


class Recorder:
    """Writes records for one participant."""

    def __init__(
        self,
        *,
        space: DataSpaceId,
        me: ParticipantId,
        chest: KeyChest,
        ambient: Ambient,
        is_person: bool = False,
    ) -> None:
        """``is_person``: this log is a citizen's own, and its writer stands in it as a commitment."""
        self._space = space
        self._me = me
        self._chest = chest
        self._ambient = ambient
        self._is_person = is_person
        self._by: JSON = None
        self._latest: int | None = None
        """The latest time in any record; the writer's thread alone touches it."""

    def begin(self, transaction: Transaction, origin: Origin, verifier_key: str) -> None:
        """Start the log with its two first leaves, ``genesis`` and ``key``."""
        row: JSONObject = {}
        by: JSON = {"org": self._me}
        if self._is_person:
            opening = fresh_json("by", by, self._ambient)
            by, row = {"commitment": opening.commitment}, {"openings": {"by": opening.to_json()}}
        leaves = log.start(
            transaction.sqlite,
            space=self._space,
            by=by,
            origin=origin,
            verifier_key=verifier_key,
            ambient=self._ambient,
        )
        for leaf in leaves if row else ():
            side.put(transaction.sqlite, self._chest, leaf.index, SHARED, row, self._ambient)

    def next_record(self, transaction: Transaction, scope: Scope) -> int:
        """The ``aseq`` that the next record under ``scope`` will have, as this transaction sees it."""
        return transaction.tail.head(self._chain(transaction, scope)).aseq + 1

    def chain(self, connection: sqlite3.Connection, scope: Scope) -> str:
        """The log's name for a scope's chain.

        A row of the log can never be changed, so a person's chain is called by a random name; the row
        that maps it is made with the chain's first record and is erasable.
        """
        if scope.person is None:
            return scope.chain
        known = connection.execute(
            "SELECT name FROM person_chain WHERE person = ? AND scope = ?", (scope.person, scope.chain)
        ).fetchone()
        if known is not None:
            return str(known[0])
        name = f"person {self._ambient.random(16).hex()}"
        connection.execute(
            "INSERT INTO person_chain (person, scope, name) VALUES (?, ?, ?)",
            (scope.person, scope.chain, name),
        )
        return name

    def agreements_of(self, connection: sqlite3.Connection, person: ParticipantId) -> dict[str, str]:
        """What the log calls the chains of agreements with a person, each with the agreement's id."""
        prefix = agreement_chain("")
        rows = connection.execute("SELECT name, scope FROM person_chain WHERE person = ?", (person,))
        return {name: scope.removeprefix(prefix) for name, scope in rows if scope.startswith(prefix)}

    def _chain(self, transaction: Transaction, scope: Scope) -> str:
        return scope.chain if scope.person is None else self.chain(transaction.sqlite, scope)

    def clock_is_behind(self, transaction: Transaction) -> bool:
        """Whether the clock stands before the log's last record: nothing is granted until it caught up."""
        if self._latest is None:
            self._latest = latest_time(transaction.sqlite)
        return self._ambient.now() < self._latest

    def record(
        self,
        transaction: Transaction,
        kind: str,
        scope: Scope,
        *,
        said: SignedDocument | None = None,
        heard: SignedDocument | None = None,
        side_row: JSONObject | None = None,
        members: JSONObject | None = None,
        people: Mapping[str, JSONObject] | None = None,
        time: Milliseconds | None = None,
    ) -> Recorded:
        """Append a record of type ``kind``. Nothing is durable before the transaction commits.

        ``said`` is this participant's own signed message that the record is of, ``heard`` the
        counterpart's. ``side_row`` holds what opens ``members``, words, and whatever may be erased.
        ``people`` holds a side row of their own for each person whom the record is about, by handle.
        """
        chain = self._chain(transaction, scope)
        head = transaction.tail.head(chain)
        leaf = self._members(scope, said, heard)
        leaf.update(members or {})
        leaf["aprev"] = head.hash.hex() if head.hash is not None else None
        row: JSONObject = dict(side_row or {})
        if said is not None:
            row["said"] = side.signed_to_json(said)
        if heard is not None:
            row["heard"] = side.signed_to_json(heard)
        if scope.person is not None:
            self._commit_personal(leaf, row)
        aprev = leaf.pop("aprev")
        entry = build(
            kind,
            space=self._space,
            by=self._by if self._by is not None else self.writer(transaction.sqlite),
            aseq=head.aseq + 1,
            aprev=head.hash if isinstance(aprev, str) else aprev,  # type: ignore[arg-type]
            ambient=self._ambient,
            time=time,
            **leaf,
        )
        appended = transaction.tail.append(entry, chain)
        written = entry["time"]
        if self._latest is not None and isinstance(written, int):
            self._latest = max(self._latest, written)
        if row:
            holder = scope.person or SHARED
            transaction.tail.attach(side.seal(self._chest, appended.index, holder, row, self._ambient))
        for holder, content in (people or {}).items():
            self._chest.existing(holder)  # who was erased meanwhile gets no new key
            transaction.tail.attach(side.seal(self._chest, appended.index, holder, content, self._ambient))
        return Recorded(appended.index, appended.hash, appended.aseq)

    def record_decision(
        self,
        transaction: Transaction,
        scope: Scope,
        *,
        recorded_input: JSONObject,
        result: JSONObject,
        members: JSONObject,
    ) -> Recorded:
        """Append a ``decision``: the leaf commits to the input, the side row opens it for a replay."""
        opening = fresh_json("input", recorded_input, self._ambient)
        return self.record(
            transaction,
            "decision",
            scope,
            side_row={"input": recorded_input, "result": result, "openings": {"input": opening.to_json()}},
            members={**members, "input": {"commitment": opening.commitment}},
        )

    def writer(self, connection: sqlite3.Connection) -> JSON:
        """The ``by`` of every leaf: the did, or a person's commitment as their first leaf fixed it."""
        if self._by is None and not self._is_person:
            self._by = {"org": self._me}
        if self._by is None:
            self._by = read(log.entry(connection, 0).bytes).members["by"]
        return self._by

    def _members(self, scope: Scope, said: SignedDocument | None, heard: SignedDocument | None) -> JSONObject:
        members: JSONObject = {}
        if scope.counterpart is not None:
            members["with"] = {"org": scope.counterpart.id}
            if scope.counterpart.unit is not None:
                members["with_unit"] = scope.counterpart.unit
        for name in ("unit", "agreement", "negotiation", "exchange", "attempt"):
            value = getattr(scope, name)
            if value is not None:
                members[name] = value
        if said is not None:
            members["message"] = said.digest
        if heard is not None:
            members["counterpart"] = {"message": heard.digest, "signature": heard.jws.rpartition(".")[2]}
        return members

    def _commit_personal(self, leaf: JSONObject, row: JSONObject) -> None:
        openings: JSONObject = {}
        leaf.pop("with_unit", None)
        for name in _PERSONAL:
            value = leaf.get(name)
            if value is None or (isinstance(value, dict) and "commitment" in value):
                continue
            opening = fresh_json(name, value, self._ambient)
            leaf[name] = {"commitment": opening.commitment}
            openings[name] = opening.to_json()
        known = row.get("openings")
        row["openings"] = {**openings, **(known if isinstance(known, dict) else {})}


def latest_time(connection: sqlite3.Connection) -> Milliseconds:
    """The latest time in the log's newest records: not always the last one's, denials go on regardless."""
    row = connection.execute(
        "SELECT max(json_extract(CAST(entry AS TEXT), '$.time'))"
        " FROM (SELECT entry FROM leaf ORDER BY idx DESC LIMIT ?)",
        (LOOKED_BACK,),
    ).fetchone()
    return Milliseconds(int(row[0] or 0))

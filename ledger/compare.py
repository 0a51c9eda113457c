"""What two logs say about each other: every exchange that both hold is in both, the same.

Rules that hold here (LEDGER.md section 2, "Completeness, in layers"):

* A message that one log records as its writer's own must stand in the other as the counterpart's,
  with the same hash, and the other way round.
* A signed message promises its leaf at (agreement, aseq) in the signer's log. If that log is shown
  with another leaf there, the promise was broken: *wrong*.
* What stands on one side only is *open*: the message may have been lost, or a log may end earlier.
  It is listed, with the side that lacks it.

Messages are collected in a temporary database, so that memory does not grow with the logs.
"""

from __future__ import annotations

import sqlite3
from itertools import combinations

from ledger.leaf import agreement_chain
from ledger.opened import Message, Seen
from ledger.report import Report, Step
from ledger.verify import Ends


class Comparison:
    """Collects the messages of several logs, then compares each pair."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # a temporary file that SQLite removes
        self._database.execute(
            "CREATE TABLE message (log INTEGER, scope TEXT, hash TEXT, own INTEGER, sender TEXT,"
            " idx INTEGER, agreement TEXT, aseq INTEGER)"
        )
        self._logs: list[tuple[str, Ends]] = []

    def collector(self) -> Seen:
        """Where the next log's verification tells its messages."""
        number = len(self._logs)

        def seen(message: Message) -> None:
            agreement, aseq = message.promised or (None, None)
            self._database.execute(
                "INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    message.scope,
                    message.hash,
                    message.own,
                    message.sender,
                    message.index,
                    agreement,
                    aseq,
                ),
            )

        return seen

    def add(self, name: str, ends: Ends) -> None:
        """The log whose messages were just collected."""
        self._logs.append((name, ends))

    def reports(self) -> list[Report]:
        """One report for each pair of logs."""
        self._database.execute("CREATE INDEX by_hash ON message (hash, log)")
        self._database.execute("CREATE INDEX by_scope ON message (log, scope)")
        return [self._compare(one, other) for one, other in combinations(range(len(self._logs)), 2)]

    def _compare(self, one: int, other: int) -> Report:
        report = Report(f"{self._logs[one][0]} and {self._logs[other][0]}")
        report.facts["exchanges"] = self._database.execute(
            "SELECT count(DISTINCT scope) FROM message WHERE log = ? AND scope IN"
            " (SELECT scope FROM message WHERE log = ?)",
            (one, other),
        ).fetchone()[0]
        for number, (sayer, hearer) in enumerate(((one, other), (other, one)), start=1):
            title = f"what {self._logs[sayer][0]} signed, {self._logs[hearer][0]} holds"
            self._check_direction(report.step(number, title), sayer, hearer)
        return report

    def _check_direction(self, step: Step, sayer: int, hearer: int) -> None:
        sayer_name, sayer_ends = self._logs[sayer]
        hearer_name, _ = self._logs[hearer]
        said = self._missing(sayer, hearer, own=True, sender=sayer_ends.writer)
        for scope, digest, index, _, _ in said:
            step.open(
                f"exchange {scope}",
                f"message {digest[:16]}… of {sayer_name} (leaf {index}) is not in {hearer_name}",
            )
        heard = self._missing(hearer, sayer, own=False, sender=sayer_ends.writer)
        for scope, digest, index, agreement, aseq in heard:
            where = f"exchange {scope}"
            held = f"message {digest[:16]}… that {hearer_name} holds (leaf {index})"
            end = sayer_ends.chains.get(agreement_chain(agreement), 0) if agreement is not None else 0
            if aseq is not None and aseq <= end:
                step.wrong(
                    where, f"{held} promised leaf {aseq} of its chain in {sayer_name}; another stands there"
                )
            else:
                step.open(where, f"{held} is not in {sayer_name}")
        step.checked = self._shared(sayer, hearer)

    def _missing(
        self, log: int, other: int, *, own: bool, sender: str | None
    ) -> list[tuple[str, str, int, str | None, int | None]]:
        """Messages of one log, in exchanges that both hold, that the other log does not have."""
        return self._database.execute(
            "SELECT scope, hash, idx, agreement, aseq FROM message AS here"
            " WHERE log = ? AND own = ? AND sender IS ?"
            " AND EXISTS (SELECT 1 FROM message WHERE log = ? AND scope = here.scope)"
            " AND NOT EXISTS (SELECT 1 FROM message WHERE hash = here.hash AND log = ? AND own <> here.own"
            " AND scope = here.scope) ORDER BY idx",
            (log, own, sender, other, other),
        ).fetchall()

    def _shared(self, sayer: int, hearer: int) -> int:
        count: int = self._database.execute(
            "SELECT count(*) FROM message AS said JOIN message AS heard"
            " ON heard.hash = said.hash AND heard.scope = said.scope"
            " WHERE said.log = ? AND said.own AND heard.log = ? AND NOT heard.own",
            (sayer, hearer),
        ).fetchone()[0]
        return count

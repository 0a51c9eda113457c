"""The log's end inside one transaction of many records: heads are read once, rows written together.

Rules that hold here:

* A tail belongs to one transaction, in which nobody appends but through it. Nothing that it knows
  outlives the transaction: :meth:`Tail.forget` is for its end, and for whatever else was written
  or rolled back in between.
* What was appended counts at once for what is appended next. It stands in the tables after
  :meth:`Tail.write`: leaves first, then the side rows that refer to them.

Why: SQLite's driver lets go of Python's lock in every call, and on a busy machine waits for it
again. A few calls a transaction cost a hundredth of a few calls a record.
"""

from __future__ import annotations

import sqlite3

from ledger import log
from ledger.canonical import JSONObject
from ledger.log import Appended, ChainHead
from ledger.names import TreeSize
from ledger.side import SideRow, insert


class Tail:
    """Appends leaves and side rows to the log of one connection, inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._heads: dict[str, ChainHead] = {}
        self._size: TreeSize | None = None
        self._leaves: list[log.LeafRow] = []
        self._rows: list[SideRow] = []

    def head(self, chain: str) -> ChainHead:
        """The last leaf of ``chain``, with what was appended here."""
        known = self._heads.get(chain)
        if known is None:
            known = self._heads[chain] = log.chain_head(self._connection, chain)
        return known

    def append(self, leaf: JSONObject, chain: str) -> Appended:
        """Put ``leaf`` at the end of the log and of ``chain``; raises what ``ledger.log.append`` does."""
        if self._size is None:
            self._size = log.size(self._connection)
        row = log.placed(leaf, chain, self.head(chain), self._size)
        self._leaves.append(row)
        self._heads[chain] = ChainHead(row.aseq, row.hash)
        self._size = TreeSize(row.idx + 1)
        return Appended(row.idx, row.hash, row.aseq)

    def attach(self, row: SideRow) -> None:
        """Add a side row to a leaf that was appended."""
        self._rows.append(row)

    def mark(self) -> tuple[int, int]:
        """A place to go back to."""
        return len(self._leaves), len(self._rows)

    def back_to(self, mark: tuple[int, int]) -> None:
        """Take back what was appended after ``mark``, and write what was before."""
        del self._leaves[mark[0] :]
        del self._rows[mark[1] :]
        self.write()
        self.forget()

    def write(self, until: tuple[int, int] | None = None) -> None:
        """Write what was appended, or what was before a mark, into the tables. Does not commit."""
        leaves, rows = self.mark() if until is None else until
        if leaves:
            log.insert(self._connection, self._leaves[:leaves])
            del self._leaves[:leaves]
        if rows:
            insert(self._connection, self._rows[:rows])
            del self._rows[:rows]

    def forget(self) -> None:
        """Read heads and size anew: something else may be written, or was undone. All is written before."""
        self._heads.clear()
        self._size = None

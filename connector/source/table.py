"""A table's version as it is read: whole, in part, or a few rows at once.

Rules that hold here:

* Rows are numbered from 1. Position 0 is the beginning, before the header; position n says that
  the next row is row n. In a selection with an order, n counts the rows of that order instead.
* Released whole, and about nobody, the pieces put together are the file as given, byte for byte.
  Anything else is *rewritten*, row for row, in the row format's own plain form.
* Without an order, a position stays right when the row filter changes in between (a withdrawal
  stops a transfer, a new attempt goes on). With one it would not, so an ordered release under a row
  filter, or of a table that grows, cannot be gone on from.
* Every release opens its own files; what is appended while it runs is not part of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any, Final

from connector.source.delimited import Delimited
from connector.source.errors import BadPosition, SnapshotDamaged, TooMuchAsked
from connector.source.index import indexed_columns
from connector.source.jsonlines import JsonLines
from connector.source.lines import MAX_PIECE_BYTES
from connector.source.manifest import CSV, PARQUET, Manifest
from connector.source.reader import Place, Reader
from connector.source.rewrite import Plan, Rewriter, make_plan
from connector.source.rows import RowFormat
from connector.source.schema import Schema
from connector.source.selection import WHOLE, Selection
from connector.source.snapshot import LINES_FILE, ROWS_FILE, Piece, whole_bytes
from connector.source.view import EVERYTHING, View
from ledger.names import VersionDigest

MAX_LOOKUP_ROWS: Final = 1000
LOOKUP_STEPS: Final = 40
"""Times ``reader.STEP_INSTRUCTIONS``: what a lookup may cost, some tens of milliseconds."""


class TableSnapshot:
    """A table, opened for reading."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        if manifest.schema is None:
            raise SnapshotDamaged("a table's description has no schema")
        self._folder = folder
        self._manifest = manifest
        self.schema: Schema = manifest.schema
        self._format = row_format(manifest)
        self._lock = Lock()
        self._reader = self._open()
        try:
            self._prefix = self._reader.number("SELECT prefix FROM meta")
        except SnapshotDamaged:
            self._reader.close()
            raise

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    @property
    def digest(self) -> VersionDigest:
        return self._manifest.digest

    @property
    def indexed(self) -> tuple[str, ...]:
        """The columns by which :meth:`lookup` is quick."""
        with self._lock:
            return indexed_columns(self._reader.connection, self.schema)

    def rows(self) -> int:
        """How many rows there are now."""
        with self._lock:
            return self._reader.number("SELECT max(n) FROM rows")

    def count(self, selection: Selection, view: View = EVERYTHING) -> int:
        """How many rows a selection gives now. May read the whole index."""
        plan = make_plan(selection, view, self.schema, self._format)
        with closing(self._open()) as reader:
            found = reader.number(plan.sql(count=True), plan.parameters, view)
        return found if plan.limit is None else min(found, plan.limit)

    def end(self) -> int:
        """The position after the last row that is there now."""
        return self.rows() + 1

    def media_type(self, selection: Selection = WHOLE, view: View = EVERYTHING) -> str:
        return self._manifest.media_type if self._is_verbatim(selection, view) else self._format.media_type

    def pieces(
        self,
        selection: Selection = WHOLE,
        position: int = 0,
        view: View = EVERYTHING,
        *,
        until: int | None = None,
    ) -> Iterator[Piece]:
        """Pieces from ``position`` on, up to the row before ``until`` (an earlier :meth:`end`).

        Raises, before the first piece, :class:`~connector.source.errors.BadSelection`,
        :class:`~connector.source.errors.BadPosition` or
        :class:`~connector.source.errors.NotReleasable`.
        """
        view.check_people(self.schema)
        if self._is_verbatim(selection, view):
            if self._manifest.media_type == PARQUET:
                path = self._folder / ROWS_FILE
                return whole_bytes(path, position, self._manifest.size, self._manifest)
            return self._verbatim(position, self._end(position, until))
        plan = make_plan(selection, view, self.schema, self._format)
        if not plan.order:
            return self._in_table_order(plan, position, self._end(position, until), view)
        changing = bool(view.row_filter) or view.subjects is not None or self._manifest.append_only
        if position and changing:
            raise BadPosition(
                "rows may have come or gone, so an ordered release cannot be gone on from", field="position"
            )
        if position < 0:
            raise BadPosition("a position is not negative", field="position")
        return self._in_other_order(plan, position, self._end(0, until), view)

    def lookup(self, selection: Selection, view: View = EVERYTHING, *, limit: int = 100) -> Piece:
        """A few rows at once, header first where the format has one; for a query session.

        At most ``limit`` rows and 1 MiB. The piece's position says nothing. Raises
        :class:`~connector.source.errors.TooMuchAsked` where rows cannot be found quickly, and what
        :meth:`pieces` raises.
        """
        view.check_people(self.schema)
        plan = make_plan(selection, view, self.schema, self._format)
        most = min(limit, MAX_LOOKUP_ROWS, MAX_LOOKUP_ROWS if plan.limit is None else plan.limit)
        with self._lock:
            sql, parameters = f"{plan.sql()} LIMIT ?", (*plan.parameters, most)
            found: list[Place] = self._reader.all(sql, parameters, view, steps=LOOKUP_STEPS)
            if sum(stop - start for _, start, stop in found) > MAX_PIECE_BYTES:
                raise TooMuchAsked("these rows are more than 1 MiB")
            data, subjects = self._rewriter(self._reader, plan, view).rewrite(found)
        if len(plan.head) + len(data) > MAX_PIECE_BYTES:
            raise TooMuchAsked("these rows are more than 1 MiB")
        return Piece(plan.head + data, len(found), 0, subjects)

    def close(self) -> None:
        """Let go of files. Releases that are running keep theirs."""
        with self._lock:
            self._reader.close()

    def _is_verbatim(self, selection: Selection, view: View) -> bool:
        return selection.is_whole and self.schema.subject is None and not (view.mask or view.row_filter)

    def _end(self, position: int, until: int | None) -> int:
        end = self.end()
        if until is not None:
            if not 0 <= until <= end:
                raise BadPosition(f"the table ends at position {end}", field="until")
            end = until
        if not 0 <= position <= max(end, 1):
            raise BadPosition(f"the table ends at position {end}", field="position")
        return max(end, 1)

    def _open(self) -> Reader:
        rows_file = LINES_FILE if self._manifest.media_type == PARQUET else ROWS_FILE
        return Reader(self._folder, rows_file, growing=self._manifest.append_only)

    def _rewriter(self, reader: Reader, plan: Plan, view: View) -> Rewriter:
        return Rewriter(reader, self._format, self.schema, plan, view)

    def _verbatim(self, position: int, end: int) -> Iterator[Piece]:
        """The file as given, cut between rows."""
        with closing(self._open()) as reader:
            first = max(position, 1)
            start = 0
            if position:
                start = reader.edge(first, "start") if first < end else self._prefix
            while first < end:
                last = reader.last_that_fits(first, end - 1, start + MAX_PIECE_BYTES)
                # A header too long to share a piece with the first row goes alone.
                stop = reader.edge(last, "stop") if last >= first else self._prefix
                yield Piece(reader.read_bytes(start, stop), last - first + 1, last + 1)
                first, start = last + 1, stop
            if position == 0 and end == 1 and self._prefix:
                yield Piece(reader.read_bytes(0, self._prefix), 0, 1)

    def _in_table_order(self, plan: Plan, position: int, end: int, view: View) -> Iterator[Piece]:
        with closing(self._open()) as reader:
            remaining = plan.limit
            if remaining is not None and position > 1:
                before = plan.sql("n < ?", count=True)
                remaining = max(0, remaining - reader.number(before, (*plan.parameters, position), view))
            first = max(position, 1)
            sql = f"{plan.sql('n >= ?', 'n < ?')} LIMIT ?"
            parameters = (*plan.parameters, first, end, -1 if remaining is None else remaining)
            yield from self._rewriter(reader, plan, view).pieces(
                reader.batches(sql, parameters, view),
                head=b"" if position else plan.head,
                first=first,
                finish=end if remaining is None else None,
                ranked=False,
            )

    def _in_other_order(self, plan: Plan, position: int, end: int, view: View) -> Iterator[Piece]:
        with closing(self._open()) as reader:
            skipped = max(position - 1, 0)
            remaining = -1 if plan.limit is None else max(plan.limit - skipped, 0)
            sql = f"{plan.sql('n < ?')} LIMIT ? OFFSET ?"
            yield from self._rewriter(reader, plan, view).pieces(
                reader.batches(sql, (*plan.parameters, end, remaining, skipped), view),
                head=b"" if position else plan.head,
                first=skipped + 1,
                finish=None,
                ranked=True,
            )


def row_format(manifest: Manifest) -> RowFormat[Any]:
    """How a table's rows are written."""
    if manifest.media_type == CSV:
        return Delimited(manifest.delimiter or ",", manifest.header)
    return JsonLines()

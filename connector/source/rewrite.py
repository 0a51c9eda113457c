"""Releasing a part of a table: rows found, read, cut to their columns, labelled, written again.

Rules that hold here: row for row, in the order found; a piece ends at a row's end and holds at most
1 MiB; a row about a person carries that person's label; what is written is checked against the
number of rows that were found.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connector.source.errors import BadSelection, NotReleasable, SnapshotDamaged
from connector.source.lines import MAX_PIECE_BYTES
from connector.source.reader import Place, Reader
from connector.source.rows import RowFormat
from connector.source.schema import LABEL_COLUMN, Schema
from connector.source.selection import Parameter, Selection, conditions_sql, order_sql
from connector.source.snapshot import Piece
from connector.source.view import View, label_rows


@dataclass(frozen=True, slots=True)
class Plan:
    """A selection under a view, made ready to run."""

    places: tuple[int, ...]
    """The columns to give, by number."""
    head: bytes
    terms: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    order: tuple[str, ...]
    limit: int | None

    def sql(self, *extra: str, count: bool = False) -> str:
        """The question as SQL text: column numbers, operators and question marks only."""
        terms = (*self.terms, *extra)
        sql = f"SELECT {'count(*)' if count else 'n, start, stop'} FROM rows"  # noqa: S608 - see above
        if terms:
            sql += f" WHERE {' AND '.join(terms)}"
        return sql if count else f"{sql} ORDER BY {', '.join((*self.order, 'n'))}"


def make_plan(selection: Selection, view: View, schema: Schema, rows: RowFormat[Any]) -> Plan:
    """Check a selection against what the view lets be seen.

    Raises :class:`~connector.source.errors.BadSelection`. The view's own row filter comes first and
    may be on hidden columns; the selection may not name one.
    """
    hidden = view.hidden(schema)
    for name in selection.names:
        if name in hidden:
            schema.without(hidden).index(name)
    if selection.columns:
        places = tuple(schema.index(name) for name in selection.columns)
    else:
        places = tuple(place for place, name in enumerate(schema.names) if name not in hidden)
    if not places:
        raise BadSelection("no column is left to release")
    terms, parameters = conditions_sql((*view.row_filter, *selection.where), schema)
    if view.subjects is not None and schema.subject is not None:
        terms.append(f"may_see(c{schema.index(schema.subject.name)})")
    names = [schema.columns[place].name for place in places]
    return Plan(
        places=places,
        head=rows.head(names if schema.subject is None else [*names, LABEL_COLUMN]),
        terms=tuple(terms),
        parameters=tuple(parameters),
        order=tuple(order_sql(selection.order, schema)),
        limit=selection.limit,
    )


class Rewriter:
    """Writes found rows again, under one plan and view."""

    def __init__(self, reader: Reader, rows: RowFormat[Any], schema: Schema, plan: Plan, view: View) -> None:
        self._reader = reader
        self._rows = rows
        self._schema = schema
        self._plan = plan
        self._view = view
        subject = schema.subject
        self._subject = None if subject is None else schema.index(subject.name)

    def rewrite(self, found: list[Place]) -> tuple[bytes, tuple[str, ...] | None]:
        """The rows as they are released, and whom each is about."""
        if not found:
            return b"", None if self._subject is None else ()
        rows = self._rows.parse(self._reader.read(found))
        if len(rows) != len(found):
            raise SnapshotDamaged("a version's rows are not where its index says")
        if self._subject is None:
            return self._rows.write(rows, self._schema, self._plan.places, ()), None
        if self._view.labels is None:
            raise NotReleasable("rows about people cannot be written without their labels")
        subjects = tuple(self._rows.value(row, self._schema, self._subject) for row in rows)
        labels = label_rows(subjects, self._view.labels)
        return self._rows.write(rows, self._schema, self._plan.places, labels), subjects

    def pieces(
        self, batches: Iterator[list[Place]], head: bytes, first: int, finish: int | None, *, ranked: bool
    ) -> Iterator[Piece]:
        """As many rows as fit into each piece.

        Positions are those of the rows, or with ``ranked`` count what was found from ``first`` on.
        The last piece's position is ``finish`` where that is given.
        """
        gathered, size, rows, position = [head], len(head), 0, first
        subjects: list[str] = []
        for batch in batches:
            for data, places, about in self._fitting(batch):
                if size + len(data) > MAX_PIECE_BYTES:
                    yield self._piece(gathered, rows, position, subjects)
                    gathered, size, rows, subjects = [], 0, 0, []
                gathered.append(data)
                size += len(data)
                rows += len(places)
                subjects += about or ()
                position = position + len(places) if ranked else places[-1][0] + 1
        if size:
            yield self._piece(gathered, rows, position if finish is None else finish, subjects)

    def _piece(self, gathered: list[bytes], rows: int, position: int, subjects: list[str]) -> Piece:
        return Piece(b"".join(gathered), rows, position, None if self._subject is None else tuple(subjects))

    def _fitting(self, batch: list[Place]) -> Iterator[tuple[bytes, list[Place], tuple[str, ...] | None]]:
        """A batch rewritten; in halves where quoting made it larger than a piece."""
        data, subjects = self.rewrite(batch)
        if len(data) <= MAX_PIECE_BYTES:
            yield data, batch, subjects
        elif len(batch) == 1:
            raise SnapshotDamaged("a row is larger than a piece, and was accepted")
        else:
            half = len(batch) // 2
            yield from self._fitting(batch[:half])
            yield from self._fitting(batch[half:])

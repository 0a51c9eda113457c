"""What the row formats have in common, and the limits that hold for a row in any of them.

A *row format* reads records from lines when a table is published, and rewrites rows when a part of
one is released. The two that exist are ``delimited.Delimited`` (CSV) and ``jsonlines.JsonLines``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, TypeVar

from connector.source.errors import BadRow, RowTooLarge
from connector.source.lines import MAX_PIECE_BYTES, MAX_ROW_BYTES, Lines
from connector.source.schema import ColumnType, Schema
from connector.source.values import Stored

Row = TypeVar("Row")
"""A row as its format holds it: a list of cells, or an object's members."""

Record: TypeAlias = tuple[int, int, Row]
"""Where a row's bytes start and stop in the file, and the row."""

Entry: TypeAlias = tuple[int, int, tuple[Stored, ...]]
"""Where a row's bytes start and stop, and its columns as the index stores them."""

LABEL_ROOM: Final = 128
"""Bytes that a header's end and a label column may add to a row that is rewritten."""
MAY_GROW_BYTES: Final = MAX_PIECE_BYTES // 8
"""Smaller rows cannot grow beyond a piece, whatever quoting or spelling adds."""
BATCH_ROWS: Final = 1024
BATCH_BYTES: Final = 1 << 20
SAMPLE_VALUES: Final = 400
_SAMPLE_PER_BATCH: Final = 20


@dataclass(slots=True)
class Scan:
    """What one reading of a whole table found.

    ``prefix`` is where the first row starts: what lies before (byte-order mark, header) leaves with
    the first piece. ``sample`` holds some different values of each column, in text; it is for
    looking at before publishing, is never kept, and never logged.
    """

    columns: list[tuple[str, ColumnType, bool]] = field(default_factory=list)
    longest: list[int] = field(default_factory=list)
    rows: int = 0
    prefix: int = 0
    sample: dict[str, list[str]] = field(default_factory=dict, repr=False)


class RowFormat(Protocol[Row]):
    """One way of writing rows."""

    @property
    def media_type(self) -> str:
        """Of what :meth:`write` gives."""

    def scan(self, lines: Lines) -> Scan:
        """Read everything, check every row, find the columns and their types."""

    def entries(self, lines: Lines, schema: Schema) -> Iterator[list[Entry]]:
        """Read everything again, in batches, with each column in its stored form.

        Raises :class:`~connector.source.errors.BadRow` for a value that does not fit ``schema``.
        """

    def parse(self, data: bytes) -> list[Row]:
        """Rows that were accepted before, from their bytes."""

    def value(self, row: Row, schema: Schema, place: int) -> str:
        """One column of a row as text; empty where there is none."""

    def head(self, names: Sequence[str]) -> bytes:
        """What stands before the first rewritten row."""

    def write(self, rows: list[Row], schema: Schema, places: Sequence[int], labels: Sequence[str]) -> bytes:
        """The rows with only these columns, and a label each unless ``labels`` is empty."""


def checked(batch: list[Record[Row]], lines: Lines) -> list[Record[Row]]:
    """A batch, unless blank lines made one of its records larger than a row may be."""
    if any(stop - start > MAX_ROW_BYTES for start, stop, _ in batch):
        raise RowTooLarge(
            f"blank lines before {lines.place()} are more than {MAX_ROW_BYTES} bytes",
            field=f"rows[{lines.row}]",
        )
    return batch


def add_to_sample(sample: list[str], values: Iterable[str]) -> None:
    """Keep a few more values, so that the sample comes from all over the file."""
    if len(sample) >= SAMPLE_VALUES:
        return
    known = set(sample)
    for taken, value in enumerate(value for value in values if value and value not in known):
        if taken >= _SAMPLE_PER_BATCH or len(sample) >= SAMPLE_VALUES:
            return
        sample.append(value[:200])


def check_growth(rows: RowFormat[Row], record: Record[Row], schema: Schema, number: int) -> None:
    """Refuse a row that fits a piece as it stands but would not fit one when it is rewritten."""
    written = rows.write([record[2]], schema, range(len(schema.columns)), ())
    if len(written) + LABEL_ROOM > MAX_PIECE_BYTES:
        raise RowTooLarge(
            f"row {number} is larger than {MAX_PIECE_BYTES} bytes when it is rewritten",
            field=f"rows[{number}]",
        )


def bad_cell(number: int, name: str, problem: str) -> BadRow:
    """The error for one cell, naming row and column and never the value."""
    return BadRow(f"row {number}, column {name!r}: {problem}", field=f"rows[{number}].{name}")

"""Comma-, semicolon-, tab- and bar-separated tables: read as RFC 4180 and Python's ``csv`` read them.

Rules that hold here:

* A row has exactly as many cells as the header. A blank line is no row; its bytes go with the row
  before it. A quoted cell may hold delimiters, line breaks and doubled quotation marks.
* The first record is the header unless the publisher says that there is none; then, and for a
  column without a name, the name is ``column_<n>``, counted from 1.
* Whatever delimiter a table was published with, a part of it is rewritten with commas, minimal
  quoting and ``\\r\\n`` (RFC 4180 section 2), header first.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Final

from connector.source.errors import BadHeader, BadRow
from connector.source.lines import MAX_PIECE_BYTES, MAX_ROW_BYTES, Lines
from connector.source.rows import (
    BATCH_BYTES,
    BATCH_ROWS,
    MAY_GROW_BYTES,
    Entry,
    Record,
    Scan,
    add_to_sample,
    bad_cell,
    check_growth,
    checked,
)
from connector.source.schema import Schema, check_names
from connector.source.values import Guess, day, instant, number, stored_cell

DELIMITERS: Final = (",", ";", "\t", "|")
_SNIFFED_ROWS: Final = 50

# The module's limit is the process's, and its default (128 KiB) is below the largest row.
csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW_BYTES))


@dataclass(frozen=True, slots=True)
class Delimited:
    """A row format: cells between delimiters."""

    delimiter: str = ","
    header: bool = True

    @property
    def media_type(self) -> str:
        return "text/csv"

    def scan(self, lines: Lines) -> Scan:
        """Read everything once. Raises a :class:`~connector.source.errors.SourceError`."""
        batches = self._batches(lines)
        batch = next(batches, [])
        if not batch:
            raise BadHeader("there is no row at all, not even a header", field="rows[0]")
        first_start, first_stop, first = batch[0]
        names = self.names(first)
        scan = Scan(prefix=first_stop if self.header else first_start)
        if scan.prefix > MAX_PIECE_BYTES:
            raise BadHeader(f"the header lies beyond byte {MAX_PIECE_BYTES}", field="rows[0]")
        guesses = [Guess() for _ in names]
        samples: list[list[str]] = [[] for _ in names]
        for part in chain([batch[1:] if self.header else batch], batches):
            _check_widths(part, len(names), scan.rows)
            scan.rows += len(part)
            for place, cells_of_column in enumerate(zip(*(cells for _, _, cells in part), strict=True)):
                different = dict.fromkeys(cells_of_column)
                guesses[place].see_cells(different)
                add_to_sample(samples[place], different)
        scan.columns = [
            (name, guess.cell_type, guess.nullable) for name, guess in zip(names, guesses, strict=True)
        ]
        scan.longest = [guess.longest for guess in guesses]
        scan.sample = dict(zip(names, samples, strict=True))
        return scan

    def names(self, first: list[str]) -> list[str]:
        """The columns' names, from the first record. Raises :class:`BadHeader`."""
        names = [cell.strip() if self.header else "" for cell in first]
        names = [name or f"column_{place}" for place, name in enumerate(names, start=1)]
        check_names(names)
        return names

    def read_header(self, lines: Lines) -> tuple[list[str], int]:
        """The columns' names, and where the first row starts. Raises :class:`BadHeader`."""
        batch = next(self._batches(lines), [])
        if not batch:
            raise BadHeader("there is no header", field="rows[0]")
        return self.names(batch[0][2]), batch[0][1]

    def entries(self, lines: Lines, schema: Schema) -> Iterator[list[Entry]]:
        """Every row as the index stores it. ``lines`` begin at the first row, after the header."""
        store = [stored_cell(column.type) for column in schema.columns]
        before = 0
        for batch in self._batches(lines, first_row=1):
            _check_widths(batch, len(schema.columns), before)
            for number_of_row, record in enumerate(batch, start=before + 1):
                if record[1] - record[0] >= MAY_GROW_BYTES:
                    check_growth(self, record, schema, number_of_row)
            cells = zip(*(cells for _, _, cells in batch), strict=True)
            columns = [[*map(convert, column)] for convert, column in zip(store, cells, strict=True)]
            _check_missing(batch, columns, schema, before)
            stored = zip(*columns, strict=True)
            yield [(start, stop, row) for (start, stop, _), row in zip(batch, stored, strict=True)]
            before += len(batch)

    def parse(self, data: bytes) -> list[list[str]]:
        text = data.decode()
        if '"' not in text:  # then cells hold no delimiter and no line break, and splitting is reading
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            return [line.split(self.delimiter) for line in lines if line]
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True)
        return [cells for cells in rows if cells]

    def value(self, row: list[str], schema: Schema, place: int) -> str:  # noqa: ARG002 - the format's interface
        return row[place]

    def head(self, names: Sequence[str]) -> bytes:
        return _written([list(names)])

    def write(
        self, rows: list[list[str]], schema: Schema, places: Sequence[int], labels: Sequence[str]
    ) -> bytes:
        chosen: list[list[str]] | list[tuple[str, ...]]
        if len(places) == len(schema.columns) and list(places) == list(range(len(places))):
            chosen = rows
        elif len(places) == 1:
            chosen = [[row[places[0]]] for row in rows]
        else:
            chosen = [*map(itemgetter(*places), rows)]
        if labels:
            chosen = [[*row, label] for row, label in zip(chosen, labels, strict=True)]
        return _written(chosen)

    def _batches(self, lines: Lines, *, first_row: int = 0) -> Iterator[list[Record[list[str]]]]:
        """Records with their bytes' place; a record's bytes reach up to where the next one starts."""
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        batch: list[Record[list[str]]] = []
        held: list[str] = []
        begin = start = lines.row_start = lines.offset
        lines.row = first_row if self.header or first_row else 1
        try:
            for cells in reader:
                if cells:
                    if held:
                        batch.append((start, begin, held))
                        if len(batch) == BATCH_ROWS or begin - batch[0][0] >= BATCH_BYTES:
                            yield checked(batch, lines)
                            batch = []
                    start, held = begin, cells
                    lines.row += 1
                begin = lines.row_start = lines.offset
        except csv.Error as error:
            raise BadRow(f"{lines.place()} is not CSV: {error}", field=f"rows[{lines.row}]") from error
        if held:
            batch.append((start, begin, held))
            yield checked(batch, lines)


def find_delimiter(beginning: str) -> str:
    """The delimiter under which the first rows agree best with the first one.

    One of :data:`DELIMITERS`; a comma where none occurs, since a table may have a single column.
    """
    best, best_score = ",", (0, 1)
    for delimiter in DELIMITERS:
        widths = _widths(beginning, delimiter)
        if not widths or widths[0] < 2:
            continue
        score = (sum(width == widths[0] for width in widths), widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best


def looks_like_data(first: Sequence[str]) -> bool:
    """Whether a first record is probably a row, not a header: a date or fraction stands in it."""
    if any(day(cell) is not None or instant(cell) is not None for cell in first):
        return True
    return any("." in cell and number(cell) is not None for cell in first)


def first_record(beginning: str, delimiter: str) -> list[str]:
    """The first record that is not blank; empty if the text does not hold a whole one."""
    try:
        return next((row for row in csv.reader(_lines(beginning), delimiter=delimiter) if row), [])
    except csv.Error:
        return []


def _widths(beginning: str, delimiter: str) -> list[int]:
    widths: list[int] = []
    try:
        for row in csv.reader(_lines(beginning), delimiter=delimiter, strict=True):
            if row:
                widths.append(len(row))
            if len(widths) == _SNIFFED_ROWS:
                break
    except csv.Error:
        return widths
    return widths


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text.removeprefix("\ufeff"), newline="")


def _check_widths(batch: list[Record[list[str]]], width: int, before: int) -> None:
    for number_of_row, (_, _, cells) in enumerate(batch, start=before + 1):
        if len(cells) != width:
            raise BadRow(
                f"row {number_of_row} has {len(cells)} cells, the header has {width}",
                field=f"rows[{number_of_row}]",
            )


def _check_missing(
    batch: list[Record[list[str]]], columns: Sequence[Sequence[object]], schema: Schema, before: int
) -> None:
    """Refuse a cell that its column's type or nullability does not allow."""
    for place, (column, stored) in enumerate(zip(schema.columns, columns, strict=True)):
        if None not in stored:
            continue
        for count, (value, record) in enumerate(zip(stored, batch, strict=True), start=before + 1):
            if value is None and record[2][place]:
                raise bad_cell(count, column.name, f"is not of type {column.type.value}")
            if value is None and not column.nullable:
                raise bad_cell(count, column.name, "has no value")


def _written(rows: Sequence[Sequence[str]]) -> bytes:
    plain = "\r\n".join(map(",".join, rows))
    breaks = len(rows) - 1
    counts = (plain.count(","), plain.count("\r"), plain.count("\n"), plain.count('"'))
    if len(rows[0]) > 1 and counts == (len(rows) * (len(rows[0]) - 1), breaks, breaks, 0):
        return f"{plain}\r\n".encode()  # no cell holds anything that would need quoting
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()

"""Rows added to an append-only table, at numbered positions.

Rules that hold here:

* The table keeps its name: what is appended is no new version. Rows get the next numbers, in order.
* First the bytes, synced, beyond the indexed end, where no reader looks; then their index, in one
  transaction. A reader sees a whole append or nothing of it; a crash leaves bytes that the next
  append cuts off.
* Every row has the table's columns and types. One row that does not fit refuses them all.
* One append at a time, across processes: the index's write lock is taken first.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.source.delimited import Delimited
from connector.source.errors import AppendRefused, RowTooLarge
from connector.source.index import database_errors, insert_rows
from connector.source.lines import BLOCK_BYTES, MAX_ROW_BYTES, Lines, Watch, check_beginning
from connector.source.manifest import Manifest
from connector.source.original import Original, open_original, write_all, writing
from connector.source.rows import Entry, RowFormat
from connector.source.schema import Schema
from connector.source.snapshot import INDEX_FILE, ROWS_FILE
from connector.source.table import row_format

_WAIT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Appended:
    """The numbers of the first and the last row that were added."""

    first: int
    last: int

    @property
    def position(self) -> int:
        """Where a reader who had everything before goes on from."""
        return self.first


def append_rows(folder: Path, manifest: Manifest, source: Path, watch: Watch) -> Appended:
    """Add a file's rows to the table in ``folder``, durably.

    A CSV file begins with the table's own header. Raises
    :class:`~connector.source.errors.AppendRefused`, or what publishing the file would raise; then
    nothing was added.
    """
    schema = manifest.schema
    if not manifest.append_only or schema is None:
        raise AppendRefused(
            "this version does not grow", next_step="Publish the changed file as a new version."
        )
    with open_original(source) as original, writing(), _locked(folder) as (connection, rows):
        check_beginning(original.head())
        skip = _prefix(original, row_format(manifest), schema, watch)
        before, end = _end(connection)
        os.ftruncate(rows, end)
        start = end + _break_line(rows, end)
        try:
            stop = _copy(original, skip, rows, start, watch)
            last = _index(connection, rows, manifest, schema, before, (end, start, stop), watch)
        finally:
            if connection.in_transaction:  # not committed, so nobody may ever see these bytes
                os.ftruncate(rows, end)
    return Appended(before + 1, last)


@contextmanager
def _locked(folder: Path) -> Iterator[tuple[sqlite3.Connection, int]]:
    """The index inside a write transaction, and the rows open for writing."""
    rows = os.open(folder / ROWS_FILE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with database_errors():
            connection = sqlite3.connect(folder / INDEX_FILE, isolation_level=None, timeout=_WAIT_SECONDS)
        try:
            with database_errors():
                connection.execute("PRAGMA synchronous=FULL")
                connection.execute("BEGIN IMMEDIATE")
            yield connection, rows
        finally:
            connection.close()  # rolls back whatever was not committed
    finally:
        os.close(rows)


def _prefix(original: Original, rows: RowFormat[Any], schema: Schema, watch: Watch) -> int:
    """Where the added rows begin in their file; their header must be the table's."""
    lines = Lines(original.descriptor, 0, original.size, watch, "read")
    if not isinstance(rows, Delimited):
        return lines.offset
    if not rows.header:
        return lines.offset
    names, stop = rows.read_header(lines)
    if names != list(schema.names):
        raise AppendRefused("the header is not the table's own", field="rows[0]")
    return stop


def _end(connection: sqlite3.Connection) -> tuple[int, int]:
    """The number of rows, and where their bytes end."""
    with database_errors():
        found = connection.execute("SELECT n, stop FROM rows ORDER BY n DESC LIMIT 1").fetchone()
        if found is None:
            found = (0, connection.execute("SELECT prefix FROM meta").fetchone()[0])
    return int(found[0]), int(found[1])


def _break_line(rows: int, end: int) -> int:
    """End the table's last line if it was left open; the line break goes with the next row."""
    if end == 0 or os.pread(rows, 1, end - 1) in (b"\n", b"\r"):
        return 0
    ending = b"\r\n" if b"\r\n" in os.pread(rows, BLOCK_BYTES, 0) else b"\n"
    os.lseek(rows, end, os.SEEK_SET)
    write_all(rows, ending)
    return len(ending)


def _copy(original: Original, skip: int, rows: int, start: int, watch: Watch) -> int:
    """Copy the added rows' bytes behind the table's, durably; returns where they end."""
    os.lseek(rows, start, os.SEEK_SET)
    position = skip
    while block := os.pread(original.descriptor, min(BLOCK_BYTES, original.size - position), position):
        write_all(rows, block)
        position += len(block)
        watch.tick("copy", position, original.size)
    original.check_unchanged()
    os.fsync(rows)
    return start + position - skip


def _index(
    connection: sqlite3.Connection,
    rows: int,
    manifest: Manifest,
    schema: Schema,
    before: int,
    span: tuple[int, int, int],
    watch: Watch,
) -> int:
    """Index the rows that were copied, and commit; returns the last one's number."""
    end, start, stop = span
    last = before
    for entries in row_format(manifest).entries(Lines(rows, start, stop, watch, "index"), schema):
        if last == before:
            entries[0] = _from(end, entries[0])
        with database_errors():
            insert_rows(connection, len(schema.columns), entries, last)
        last += len(entries)
    if last == before:
        raise AppendRefused("there is no row to append", next_step="Check the export that wrote the file.")
    with database_errors():
        content = (before + 1, end, stop, _digest(rows, end, stop))
        connection.execute("INSERT INTO appends VALUES (?, ?, ?, ?)", content)
        connection.execute("COMMIT")
    return last


def _from(end: int, entry: Entry) -> Entry:
    """The first added row, reaching back to where the table ended."""
    _, stop, stored = entry
    if stop - end > MAX_ROW_BYTES:
        raise RowTooLarge(f"row 1 is larger than {MAX_ROW_BYTES} bytes", field="rows[1]")
    return end, stop, stored


def _digest(descriptor: int, start: int, stop: int) -> str:
    digest = hashlib.sha256()
    while start < stop and (block := os.pread(descriptor, min(BLOCK_BYTES, stop - start), start)):
        digest.update(block)
        start += len(block)
    return digest.hexdigest()

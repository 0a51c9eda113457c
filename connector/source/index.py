"""A table's index: where each row's bytes are, and what its columns hold, for comparing.

Rules that hold here:

* One SQLite file beside the rows: ``rows(n, start, stop, c0, c1, …)``, rows numbered from 1. The
  columns hold comparable values (``values``), not the text that is released.
* While it is built nothing of it is visible, so it is built without a journal and synced at the
  end. An append-only table's index then uses a write-ahead log: readers see all of an append or
  nothing of it.
* At most :data:`MAX_INDEXED` columns are indexed, the first ones that are worth it, and the
  subject column always.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from connector.source.errors import PublishCancelled, SnapshotDamaged, SnapshotNotWritten
from connector.source.lines import Watch
from connector.source.rows import Entry
from connector.source.schema import ColumnType, Schema

MAX_INDEXED: Final = 24
MAX_INDEXED_CHARACTERS: Final = 256
"""A column with longer text is not indexed: it is prose, and the index would be as large as the table."""

_TICKS: Final = 1_000_000
"""SQLite instructions between two looks at whether the build was cancelled."""


class IndexBuilder:
    """Builds a new index file in a folder that nobody else sees yet."""

    def __init__(self, path: Path, columns: int, watch: Watch) -> None:
        self._path = path
        self._watch = watch
        self._columns = columns
        self._count = 0
        with database_errors():
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
                "PRAGMA page_size=8192;"
                f"CREATE TABLE rows (n INTEGER PRIMARY KEY, start, stop, {column_list(columns)});"
                "CREATE TABLE appends (first INTEGER PRIMARY KEY, start, stop, sha256);"
                "CREATE TABLE meta (prefix);"
                "BEGIN;"
            )
        self._connection.set_progress_handler(lambda: int(watch.is_cancelled), _TICKS)

    def add(self, entries: list[Entry]) -> None:
        """Append rows in their order in the file."""
        with self._cancelling():
            insert_rows(self._connection, self._columns, entries, self._count)
        self._count += len(entries)

    def finish(self, schema: Schema, longest: list[int], prefix: int) -> None:
        """Index the columns and make the file durable."""
        places = [
            place
            for place, column in enumerate(schema.columns)
            if column.type is not ColumnType.JSON and longest[place] <= MAX_INDEXED_CHARACTERS
        ][:MAX_INDEXED]
        with self._cancelling():
            self._connection.execute("INSERT INTO meta VALUES (?)", (prefix,))
            self._connection.execute("COMMIT")
            for done, place in enumerate(places):
                self._watch.tick("columns", done, len(places))
                index_column(self._connection, place)
            # So that of several conditions the one that leaves fewest rows is looked up.
            self._connection.executescript("PRAGMA analysis_limit=1000; ANALYZE;")
        self.close()

    def close(self) -> None:
        """Let go of the file, finished or not."""
        self._connection.close()

    @contextmanager
    def _cancelling(self) -> Iterator[None]:
        try:
            with database_errors():
                yield
        except SnapshotNotWritten:
            if self._watch.is_cancelled:
                raise PublishCancelled("cancelled while the index was built") from None
            raise


def seal_index(path: Path, subject: int | None, *, growing: bool) -> None:
    """The last touches before a version is shown: the subject's index, the journal, the sync."""
    with database_errors():
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            if subject is not None:
                index_column(connection, subject)
            connection.execute(f"PRAGMA journal_mode={'WAL' if growing else 'DELETE'}")
        finally:
            connection.close()
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def smallest_group(path: Path, columns: Sequence[int]) -> int:
    """How many rows the smallest group has that agrees in all of ``columns``; 0 where there is no row."""
    by = ",".join(f"c{place}" for place in columns)
    with database_errors():
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            query = f"SELECT min(size) FROM (SELECT count(*) AS size FROM rows GROUP BY {by})"  # noqa: S608 - column numbers only
            return int(connection.execute(query).fetchone()[0] or 0)
        finally:
            connection.close()


def connect(path: Path, *, growing: bool) -> sqlite3.Connection:
    """Open an index for reading; one that does not grow needs no lock and no look at a journal."""
    uri = f"{path.absolute().as_uri()}?mode=ro" + ("" if growing else "&immutable=1")
    try:
        return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise SnapshotDamaged("a version's index cannot be opened") from error


def insert_rows(connection: sqlite3.Connection, columns: int, entries: list[Entry], before: int) -> None:
    """Insert rows numbered from ``before + 1``."""
    marks = ",".join("?" * (columns + 3))
    connection.executemany(
        f"INSERT INTO rows VALUES ({marks})",  # noqa: S608 - question marks only
        (
            (number, start, stop, *stored)
            for number, (start, stop, stored) in enumerate(entries, start=before + 1)
        ),
    )


def index_column(connection: sqlite3.Connection, place: int) -> None:
    """Index one column unless it is."""
    connection.execute(f"CREATE INDEX IF NOT EXISTS i{place} ON rows (c{place})")


def indexed_columns(connection: sqlite3.Connection, schema: Schema) -> tuple[str, ...]:
    """The names of the columns by which a few rows are found at once."""
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    return tuple(name for place, name in enumerate(schema.names) if f"i{place}" in found)


def column_list(columns: int) -> str:
    """``c0,c1,…``"""
    return ",".join(f"c{place}" for place in range(columns))


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn the database's refusal to write into this room's error."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise SnapshotNotWritten(f"cannot write the version's index: {error}") from error
    except sqlite3.DatabaseError as error:
        raise SnapshotDamaged(f"a version's index is damaged: {error}") from error

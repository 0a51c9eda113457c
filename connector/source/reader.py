"""Reading a table's index and its rows side by side.

Rules that hold here: a question that fails is an error and never an empty answer; what a view says
of a person is asked inside the question itself, as each row is found, so that limits and counts
come after.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

from connector.source.errors import SnapshotDamaged, TooMuchAsked
from connector.source.index import connect
from connector.source.lines import MAX_PIECE_BYTES
from connector.source.snapshot import INDEX_FILE, open_rows
from connector.source.view import EVERYTHING, View
from ledger.errors import BylagError

Place: TypeAlias = tuple[int, int, int]
"""A row's number, and where its bytes start and stop."""

STEP_INSTRUCTIONS: Final = 100_000
"""SQLite instructions between two looks at what a question has cost: about a millisecond's worth."""
_BATCH_ROWS: Final = 2048
_BATCH_BYTES: Final = 1 << 18


class _Question:
    """Under what the question being asked is asked.

    The connection's callbacks hold this and nothing that leads back to the connection: SQLite's
    references are invisible to the garbage collector.
    """

    def __init__(self) -> None:
        self.view = EVERYTHING
        self.failure: BylagError | None = None
        self.steps_left: int | None = None

    def may_see(self, subject: object) -> bool:
        """Whether the view shows this person's rows; an error is kept, and fails the question."""
        try:
            return self.view.subjects is None or str(subject) in self.view.subjects
        except BylagError as error:
            self.failure = error
            raise

    def step(self) -> bool:
        """Whether to break off."""
        if self.steps_left is None:
            return False
        self.steps_left -= 1
        return self.steps_left < 0


class Reader:
    """One connection to the index and one descriptor of the rows, for one thread at a time."""

    def __init__(self, folder: Path, rows_file: str, *, growing: bool) -> None:
        self.descriptor = open_rows(folder / rows_file)
        # Whoever forgets to close lets go all the same, once nobody reads any more.
        self._release = weakref.finalize(self, os.close, self.descriptor)
        self.connection = connect(folder / INDEX_FILE, growing=growing)
        self._question = _Question()
        self.connection.create_function("may_see", 1, self._question.may_see)
        self.connection.set_progress_handler(self._question.step, STEP_INSTRUCTIONS)

    def all(
        self,
        sql: str,
        parameters: Iterable[object] = (),
        view: View = EVERYTHING,
        *,
        steps: int | None = None,
    ) -> list[Any]:
        """Everything that a question gives, under a view's choice of people.

        With ``steps`` it may cost that many times :data:`STEP_INSTRUCTIONS`; beyond it raises
        :class:`~connector.source.errors.TooMuchAsked`.
        """
        with self._asking(view, steps):
            return self.connection.execute(sql, tuple(parameters)).fetchall()

    def number(self, sql: str, parameters: Iterable[object] = (), view: View = EVERYTHING) -> int:
        """The one integer that a question gives; 0 for NULL."""
        found = self.all(sql, parameters, view)
        if len(found) != 1:
            raise SnapshotDamaged("a version's index lacks a row that it should have")
        return int(found[0][0] or 0)

    def batches(self, sql: str, parameters: Iterable[object], view: View) -> Iterator[list[Place]]:
        """The rows that a question finds, in batches that are neither long nor large."""
        with self._asking(view):
            cursor = self.connection.execute(sql, tuple(parameters))
        while True:
            with self._asking(view):
                places: list[Place] = cursor.fetchmany(_BATCH_ROWS)
            if not places:
                return
            # Where rows come in the table's order, what they span is at least their size.
            if 0 < places[-1][2] - places[0][1] <= _BATCH_BYTES:
                yield places
            else:
                yield from _cut(places)

    def edge(self, row: int, side: str) -> int:
        """Where a row's bytes ``start`` or ``stop``."""
        return self.number(f"SELECT {side} FROM rows WHERE n = ?", (row,))  # noqa: S608 - one of two words

    def last_that_fits(self, first: int, last: int, limit: int) -> int:
        """The last row from ``first`` to ``last`` that stops by ``limit``; ``first - 1`` if none does."""
        low, high = first - 1, min(last, first + MAX_PIECE_BYTES)
        while low < high:
            middle = (low + high + 1) // 2
            if self.edge(middle, "stop") <= limit:
                low = middle
            else:
                high = middle - 1
        return low

    def read(self, places: Sequence[Place]) -> bytes:
        """The rows' bytes, each row ending a line; rows that lie together are read together."""
        found: list[bytes] = []
        start, stop = places[0][1], places[0][2]
        for _, next_start, next_stop in places[1:]:
            if next_start != stop:
                found.append(self.read_bytes(start, stop))
                start = next_start
            stop = next_stop
        found.append(self.read_bytes(start, stop))
        # The file's last row may lack a line break, and need not come last here.
        return b"\n".join(found)

    def read_bytes(self, start: int, stop: int) -> bytes:
        """A stretch of the rows' file."""
        data = os.pread(self.descriptor, stop - start, start)
        if len(data) != stop - start:
            raise SnapshotDamaged("a version's file is shorter than its index says")
        return data

    def close(self) -> None:
        """Let go of both files."""
        self.connection.close()
        self._release()

    @contextmanager
    def _asking(self, view: View, steps: int | None = None) -> Iterator[None]:
        question = self._question
        question.view, question.failure, question.steps_left = view, None, steps
        try:
            yield
        except sqlite3.Error as error:
            if question.failure is not None:
                raise question.failure from error
            if str(error) == "interrupted":
                raise TooMuchAsked("finding these rows takes too long for a quick answer") from error
            raise SnapshotDamaged(f"a version's index cannot be read: {error}") from error


def _cut(places: list[Place]) -> Iterator[list[Place]]:
    batch: list[Place] = []
    size = 0
    for place in places:
        batch.append(place)
        size += place[2] - place[1]
        if size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch

"""The only thing that writes: one thread, one transaction for all that has arrived, one sync.

Rules that hold here:

* A *job* is a function of a :class:`Transaction`. It reads its guards and writes its rows and
  leaves there; what it raises undoes that job alone and goes to its caller.
* Jobs run in the order in which they arrived; that order is the log's order.
* A job is answered only after the COMMIT that holds it returned: what was answered is durable.
* The window is nothing when idle and grows under load: a lone job is committed at once; while a
  commit is under way arrivals gather and share the next one, which waits a moment for as many jobs
  as the one before had.
* A commit that failed for want of space is refused to all its jobs, and the next may work. After
  an I/O error nothing is tried again: the kernel may have dropped what it could not write, and a
  second fsync would lie. The writer stops, and says so from then on.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Connection, RootTransaction
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from connector.store.database import Database, StoreUnavailable, driver_connection
from ledger.tail import Tail

T = TypeVar("T")

LARGEST_BATCH: Final = 512
WINDOW_SECONDS: Final = 0.003
"""How long a commit waits at most for as many jobs as the one before had."""
_OF_THE_DISK: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT}
)

_Future = Future[Any] | asyncio.Future[Any]
_Job = tuple[Callable[["Transaction"], Any], _Future]
_Answer = tuple[_Future, Any, Exception | None]


class Transaction:
    """What jobs work on: the store, as it stands after the jobs before.

    A job that only reads state (:meth:`first`) and appends to the log (``tail``) costs no statement
    of its own: the rows of a whole batch are written together. A job that asks for ``sqlite`` or
    ``session`` gets a savepoint, and the tables with everything in them that was appended so far.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sqlite = driver_connection(connection.connection.driver_connection)
        self.tail: Final = Tail(self._sqlite)
        """The log's end; ask for ``sqlite`` again after appending to it."""
        self.marks: set[str] = set()
        """What listeners are told of once this is committed, such as ``outbox``."""
        self._session: Session | None = None
        self._known_to_alchemy: RootTransaction | None = None
        self._savepoint = False
        self._start = self.tail.mark()
        self._known: dict[tuple[str, tuple[str | int, ...]], Any] = {}
        self._broken: sqlite3.Error | None = None
        """What failed when rows of several jobs were written: it undoes all of them."""

    @property
    def sqlite(self) -> sqlite3.Connection:
        """The driver's own connection, inside this job's savepoint. Ask each time; do not keep it."""
        self._open()
        return self._sqlite

    @property
    def session(self) -> Session:
        """A SQLModel session inside this job's savepoint."""
        self._open()
        if self._known_to_alchemy is None:
            # Tells SQLAlchemy that a transaction is under way, so that sessions use savepoints in it;
            # with isolation_level=None the statements that begin and end it are ours alone.
            self._known_to_alchemy = self._connection.begin()
        if self._session is None:
            self._session = Session(bind=self._connection, join_transaction_mode="create_savepoint")
        return self._session

    def first(self, sql: str, *parameters: str | int) -> Any:
        """The first row that a question about state gives, or None. Not for the log's own tables.

        Jobs that follow one another and write nothing but records get the same answer without
        asking again: until one of them writes, nobody can have changed it.
        """
        if self._savepoint:
            return self._sqlite.execute(sql, parameters).fetchone()
        question = (sql, parameters)
        if question not in self._known:
            self._known[question] = self._sqlite.execute(sql, parameters).fetchone()
        return self._known[question]

    def run(self, job: Callable[[Transaction], T]) -> tuple[T | None, Exception | None]:
        """Run one job: its result, or what it raised, which undoes it alone. For the writer.

        Raises ``sqlite3.Error`` when the disk failed, or rows of several jobs could not be written.
        """
        self._savepoint, self._start = False, self.tail.mark()
        try:
            result = job(self)
            self._end_session()
        except Exception as error:  # it is the caller's: handed over, not swallowed
            if (storage := self._broken or _storage_error(error)) is not None:
                raise storage from error
            self._undo()
            return None, error
        if self._savepoint:
            self._sqlite.execute("RELEASE job")
        return result, None

    def write(self) -> None:
        """Write what was appended. For the writer, before it commits."""
        self.tail.write()

    def close(self) -> None:
        """Let go of what the jobs used. For the writer, when it has committed or given up."""
        if self._known_to_alchemy is not None:
            self._known_to_alchemy.close()

    def _open(self) -> None:
        try:
            if not self._savepoint:
                self.tail.write(self._start)
                self._sqlite.execute("SAVEPOINT job")
                self._savepoint, self._start = True, (0, 0)
                self._known.clear()
            self.tail.write()
        except sqlite3.Error as error:
            self._broken = error
            raise
        self.tail.forget()

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.commit()
            self._session.close()
            self._session = None

    def _undo(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
        if not self._sqlite.in_transaction:
            return
        if self._savepoint:
            self._sqlite.execute("ROLLBACK TO job")
            self._sqlite.execute("RELEASE job")
        self.tail.back_to(self._start)


class Writer:
    """Runs jobs in group-committed transactions on a thread of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: deque[_Job] = deque()
        self._wanted = 1
        """How many jobs are waited for before the next commit: as many as the last one answered."""
        self._enough = threading.Event()
        self._failure: StoreUnavailable | None = None
        self._closed = False
        self._after_commit: list[Callable[[frozenset[str]], None]] = []
        self._thread = threading.Thread(target=self._run, name="bylag-writer", daemon=True)
        self._thread.start()

    @property
    def failure(self) -> StoreUnavailable | None:
        """Why the writer stopped for good, or None while it works."""
        return self._failure

    def after_commit(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call ``listener`` with the marks of a commit that has any; on the writer's thread, so briefly."""
        self._after_commit.append(listener)

    async def write(self, job: Callable[[Transaction], T]) -> T:
        """Run ``job`` and return its result once it is durable.

        Raises what the job raised, or :class:`~connector.store.database.StoreUnavailable`. A
        caller that is cancelled does not undo a job that already runs.
        """
        return await self.begin(job)

    def begin(self, job: Callable[[Transaction], T]) -> asyncio.Future[T]:
        """Like :meth:`write`, for a caller in an event loop that goes on meanwhile.

        All that one commit answers in a loop is answered there in one go.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(job, future)
        return future

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        """Like :meth:`write`, for a caller without an event loop."""
        future: Future[T] = Future()
        self._put(job, future)
        return future

    def _put(self, job: Callable[[Transaction], Any], future: _Future) -> None:
        if self._closed:
            future.set_exception(StoreUnavailable("the connector is shutting down"))
        else:
            self._jobs.append((job, future))
            if len(self._jobs) >= self._wanted:
                self._enough.set()

    def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        self._closed = True
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        with self._database.engine.connect() as connection:
            while (batch := self._gather()) is not None:
                if self._failure is not None:
                    _refuse(batch, self._failure)
                else:
                    self._commit(connection, batch)

    def _gather(self) -> list[_Job] | None:
        """The next batch; None when the writer is closed and nothing is left."""
        self._enough.clear()
        if len(self._jobs) < self._wanted and not self._closed:
            self._enough.wait(WINDOW_SECONDS)
        while not self._jobs and not self._closed:
            self._wanted = 1
            self._enough.clear()
            if not self._jobs and not self._closed:
                self._enough.wait()
        batch = [self._jobs.popleft() for _ in range(min(len(self._jobs), LARGEST_BATCH))]
        self._wanted = len(batch)
        return batch or None

    def _commit(self, connection: Connection, batch: list[_Job]) -> None:
        transaction = Transaction(connection)
        answers: list[_Answer] = []
        failure = self._run_batch(connection, transaction, batch, answers)
        transaction.close()
        if failure is not None:
            _refuse(batch, failure)
            return
        _answer(answers)
        if transaction.marks:
            for listener in self._after_commit:
                listener(frozenset(transaction.marks))

    def _run_batch(
        self, connection: Connection, transaction: Transaction, batch: list[_Job], answers: list[_Answer]
    ) -> StoreUnavailable | None:
        sqlite = driver_connection(connection.connection.driver_connection)
        try:
            sqlite.execute("BEGIN IMMEDIATE")
            for job, future in batch:
                if _claim(future):
                    answers.append((future, *transaction.run(job)))
                if not sqlite.in_transaction:
                    # SQLite rolls the whole transaction back by itself on some errors, a full
                    # disk among them (sqlite.org/lang_transaction.html, section 3.1).
                    raise sqlite3.OperationalError("the transaction was rolled back")
            transaction.write()
            sqlite.execute("COMMIT")
        except sqlite3.Error as error:
            return self._give_up(sqlite, error)
        return None

    def _give_up(self, sqlite: sqlite3.Connection, error: sqlite3.Error) -> StoreUnavailable:
        # Read the error's own code first: the rollback below is allowed to fail as well.
        broken = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR
        if sqlite.in_transaction and not broken:
            sqlite.execute("ROLLBACK")
        reason = StoreUnavailable(f"the record could not be written ({type(error).__name__})")
        reason.__cause__ = error
        if broken:
            self._failure = reason
        return reason


def _storage_error(error: BaseException) -> sqlite3.Error | None:
    """The driver's error, when it speaks of the disk and not of what the job asked for."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error):
        return None
    return original if getattr(original, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK else None


def _claim(future: _Future) -> bool:
    """Whether somebody still waits for the job; from then on it cannot be cancelled under our hands."""
    if isinstance(future, asyncio.Future):
        return not future.cancelled()
    return future.running() or future.set_running_or_notify_cancel()


def _answer(answers: list[_Answer]) -> None:
    """Hand over what a commit made durable: one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Answer]] = {}
    for answer in answers:
        future = answer[0]
        if isinstance(future, asyncio.Future):
            by_loop.setdefault(future.get_loop(), []).append(answer)
        else:
            _settle([answer])
    for loop, its_answers in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed, and nobody waits in it any more
            loop.call_soon_threadsafe(_settle, its_answers)


def _settle(answers: list[_Answer]) -> None:
    for future, result, error in answers:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
            future.exception()  # heard: whoever asked may be gone, and then it is nobody's
        else:
            future.set_result(result)


def _refuse(batch: list[_Job], reason: StoreUnavailable) -> None:
    _answer([(future, None, reason) for _, future in batch if _claim(future)])

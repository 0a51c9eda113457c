"""The only thing that writes: one thread, one transaction for all that has arrived, one sync.

Rules that hold here:

* A *job* is a function of a :class:`Transaction`. It reads its guards and writes its rows and
  leaves there; what it raises undoes that job alone and goes to its caller.
* Jobs run in the order in which they arrived; that order is the log's order.
* A job is answered only after the COMMIT that holds it returned: what was answered is durable.
* The window is adaptive by itself: an idle writer commits a lone job at once; while a commit is
  under way arrivals gather and share the next one.
* A commit that failed for want of space is refused to all its jobs, and the next may work. After
  an I/O error nothing is tried again: the kernel may have dropped what it could not write, and a
  second fsync would lie. The writer stops, and says so from then on.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from connector.store.database import Database, StoreUnavailable, driver_connection

T = TypeVar("T")

LARGEST_BATCH: Final = 512
_OF_THE_DISK: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CORRUPT}
)

_Job = tuple[Callable[["Transaction"], Any], "Future[Any]"]


class Transaction:
    """What a job works on: one connection, seen three ways."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sqlite: sqlite3.Connection = driver_connection(connection.connection.driver_connection)
        self.marks: set[str] = set()
        """What listeners are told of once this is committed, such as ``outbox``."""
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """A SQLModel session inside this job's savepoint; made when first asked for."""
        if self._session is None:
            self._session = Session(bind=self.connection, join_transaction_mode="create_savepoint")
        return self._session

    def _finish(self) -> None:
        if self._session is not None:
            self._session.commit()
            self._session.close()
            self._session = None

    def _abandon(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


class Writer:
    """Runs jobs in group-committed transactions on a thread of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
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
        return await asyncio.wrap_future(self.submit(job))

    def submit(self, job: Callable[[Transaction], T]) -> Future[T]:
        """Like :meth:`write`, for a caller without an event loop."""
        future: Future[T] = Future()
        if self._closed:
            future.set_exception(StoreUnavailable("the connector is shutting down"))
        else:
            self._jobs.put((job, future))
        return future

    def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        self._closed = True
        self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._database.engine.connect() as connection:
            while (batch := self._gather()) is not None:
                if self._failure is not None:
                    _refuse(batch, self._failure)
                else:
                    self._commit(connection, batch)

    def _gather(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < LARGEST_BATCH:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            batch.append(job)
        return batch

    def _commit(self, connection: Connection, batch: list[_Job]) -> None:
        transaction = Transaction(connection)
        answers: list[tuple[Future[Any], Any, BaseException | None]] = []
        # Tells SQLAlchemy that a transaction is under way, so that sessions use savepoints in it;
        # with isolation_level=None the statements that begin and end it are ours alone.
        with connection.begin() as known:
            failure = self._run_batch(transaction, batch, answers)
            known.close()
        if failure is not None:
            _refuse(batch, failure)
            return
        for future, result, error in answers:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
        if transaction.marks:
            for listener in self._after_commit:
                listener(frozenset(transaction.marks))

    def _run_batch(
        self,
        transaction: Transaction,
        batch: list[_Job],
        answers: list[tuple[Future[Any], Any, BaseException | None]],
    ) -> StoreUnavailable | None:
        sqlite = transaction.sqlite
        try:
            sqlite.execute("BEGIN IMMEDIATE")
            for job, future in batch:
                if future.set_running_or_notify_cancel():
                    answers.append((future, *_run_job(transaction, job)))
                if not sqlite.in_transaction:
                    # SQLite rolls the whole transaction back by itself on some errors, a full
                    # disk among them (sqlite.org/lang_transaction.html, section 3.1).
                    raise sqlite3.OperationalError("the transaction was rolled back")
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


def _run_job(transaction: Transaction, job: Callable[[Transaction], Any]) -> tuple[Any, BaseException | None]:
    sqlite = transaction.sqlite
    sqlite.execute("SAVEPOINT job")
    try:
        result = job(transaction)
        transaction._finish()  # noqa: SLF001  # the writer and its transaction are one concept
    except Exception as error:  # it is the caller's: handed over, not swallowed
        if (storage := _storage_error(error)) is not None:
            raise storage from error
        transaction._abandon()  # noqa: SLF001
        if sqlite.in_transaction:
            sqlite.execute("ROLLBACK TO job")
            sqlite.execute("RELEASE job")
        return None, error
    sqlite.execute("RELEASE job")
    return result, None


def _storage_error(error: BaseException) -> sqlite3.Error | None:
    """The driver's error, when it speaks of the disk and not of what the job asked for."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error):
        return None
    return original if getattr(original, "sqlite_errorcode", 0) & 0xFF in _OF_THE_DISK else None


def _refuse(batch: list[_Job], reason: StoreUnavailable) -> None:
    for _, future in batch:
        if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
            future.set_exception(reason)

"""The writer: one transaction for all that arrived, and what happens when the disk says no."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.store.database import Database, StoreUnavailable
from connector.store.writer import Transaction, Writer
from ledger.errors import BylagError


class Refused(BylagError):
    code = "REFUSED"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bylag.db")
    with database.engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
    yield database
    database.close()


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    writer = Writer(database)
    yield writer
    writer.close()


def put(text: str) -> Callable[[Transaction], int]:
    def job(transaction: Transaction) -> int:
        return transaction.sqlite.execute("INSERT INTO note (text) VALUES (?)", (text,)).lastrowid or 0

    return job


def texts(database: Database) -> list[str]:
    with database.read_sqlite() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM note ORDER BY id")]


async def test_a_job_is_answered_when_another_connection_can_see_it(
    database: Database, writer: Writer
) -> None:
    await writer.write(put("one"))
    assert texts(database) == ["one"]


async def test_a_job_that_raises_is_undone_alone(database: Database, writer: Writer) -> None:
    def half(transaction: Transaction) -> None:
        transaction.sqlite.execute("INSERT INTO note (text) VALUES ('half')")
        raise Refused("no")

    with gathered(writer):
        first, second, third = writer.submit(put("one")), writer.submit(half), writer.submit(put("three"))
    assert first.result() < third.result()
    with pytest.raises(Refused):
        second.result()
    assert texts(database) == ["one", "three"]


async def test_jobs_that_arrive_during_a_commit_share_the_next_one(
    database: Database, writer: Writer
) -> None:
    with gathered(writer):
        waiting = [writer.submit(put(str(number))) for number in range(50)]
    assert [future.result() for future in waiting] == list(range(1, 51))
    assert texts(database) == [str(number) for number in range(50)]


async def test_a_guard_in_a_later_job_sees_what_an_earlier_one_of_the_batch_wrote(
    writer: Writer,
) -> None:
    def count(transaction: Transaction) -> int:
        return int(transaction.sqlite.execute("SELECT count(*) FROM note").fetchone()[0])

    with gathered(writer):
        writer.submit(put("one"))
        counted = writer.submit(count)
    assert counted.result() == 1


async def test_a_full_database_refuses_the_batch_and_works_again_when_there_is_room(
    database: Database, writer: Writer
) -> None:
    limit = await writer.write(lambda tx: tx.sqlite.execute("PRAGMA page_count").fetchone()[0])
    await writer.write(lambda tx: tx.sqlite.execute(f"PRAGMA max_page_count={limit + 1}").fetchone()[0])
    with pytest.raises(StoreUnavailable):
        await writer.write(put("x" * 100_000))
    assert writer.failure is None
    await writer.write(lambda tx: tx.sqlite.execute("PRAGMA max_page_count=1000000").fetchone()[0])
    await writer.write(put("fits"))
    assert texts(database) == ["fits"]


async def test_after_an_io_error_the_writer_stops_for_good(database: Database, writer: Writer) -> None:
    def broken(_transaction: Transaction) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error

    with pytest.raises(StoreUnavailable):
        await writer.write(broken)
    assert writer.failure is not None
    with pytest.raises(StoreUnavailable):
        await writer.write(put("after"))
    assert texts(database) == []


async def test_a_closed_writer_refuses_and_has_finished_what_it_took(database: Database) -> None:
    writer = Writer(database)
    taken = writer.submit(put("taken"))
    writer.close()
    assert taken.result() == 1
    with pytest.raises(StoreUnavailable):
        await writer.write(put("late"))


async def test_listeners_hear_of_marked_commits_only(writer: Writer) -> None:
    heard: list[frozenset[str]] = []
    writer.after_commit(heard.append)
    await writer.write(put("plain"))
    await writer.write(lambda transaction: transaction.marks.add("outbox"))
    await writer.write(put("last"))
    assert heard == [frozenset({"outbox"})]


class gathered:  # noqa: N801  # reads as a phrase in a with statement
    """Hold the writer's thread in a job while jobs are submitted, so that they share a batch."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._go = threading.Event()

    def __enter__(self) -> None:
        held = threading.Event()

        def hold(_transaction: Transaction) -> None:
            held.set()
            self._go.wait(10)

        self._holding = self._writer.submit(hold)
        held.wait(10)

    def __exit__(self, *_: object) -> None:
        self._go.set()
        self._holding.result()
        self._writer.submit(lambda _transaction: None).result()

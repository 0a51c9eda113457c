"""Jobs that share a transaction and its log: one that fails is undone alone, whatever it used."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.store.database import Database, StoreUnavailable
from connector.store.writer import Transaction, Writer
from ledger import log, schema
from ledger.ambient import HeldAmbient
from ledger.errors import BylagError
from ledger.leaf import build
from ledger.names import LeafHash, Origin

VERIFIER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
ME = "did:web:alfa.example"
AMBIENT = HeldAmbient()
CHAIN = "agreement a"


class Refused(BylagError):
    code = "REFUSED"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "bylag.db")
    with database.read_sqlite() as connection:
        connection.execute("CREATE TABLE state (id INTEGER PRIMARY KEY, value TEXT NOT NULL)")
        connection.execute("INSERT INTO state VALUES (1, 'active')")
        schema.create(connection)
        log.start(
            connection,
            space="space.example",
            by={"org": ME},
            origin=Origin("alfa.example/log"),
            verifier_key=VERIFIER,
            ambient=AMBIENT,
        )
    yield database
    database.close()


@pytest.fixture
def writer(database: Database) -> Iterator[Writer]:
    writer = Writer(database)
    yield writer
    writer.close()


def append(transaction: Transaction) -> int:
    head = transaction.tail.head(CHAIN)
    leaf = build(
        "use",
        space="space.example",
        by={"org": ME},
        aseq=head.aseq + 1,
        aprev=head.hash,
        ambient=AMBIENT,
        agreement="a",
    )
    return transaction.tail.append(leaf, CHAIN).aseq


def state(transaction: Transaction) -> str:
    return str(transaction.first("SELECT value FROM state WHERE id = ?", 1)[0])


def set_state(value: str) -> Callable[[Transaction], None]:
    def job(transaction: Transaction) -> None:
        transaction.sqlite.execute("UPDATE state SET value = ?", (value,))

    return job


def together(writer: Writer, *jobs: Callable[[Transaction], Any]) -> list[Any]:
    """Run jobs in one batch; what each returned, or raised."""
    held, go = threading.Event(), threading.Event()

    def hold(_transaction: Transaction) -> None:
        held.set()
        go.wait(10)

    writer.submit(hold).add_done_callback(lambda _: held.set())  # it may fail before it holds
    held.wait(10)
    futures = [writer.submit(job) for job in jobs]
    go.set()
    return [future.exception(10) or future.result() for future in futures]


def sequence(database: Database) -> list[int]:
    with database.read_sqlite() as connection:
        rows = connection.execute("SELECT aseq FROM leaf WHERE chain = ? ORDER BY idx", (CHAIN,))
        return [aseq for (aseq,) in rows]


def refused_after_appending(transaction: Transaction) -> None:
    append(transaction)
    raise Refused("no")


def refused_after_writing(transaction: Transaction) -> None:
    append(transaction)
    transaction.sqlite.execute("UPDATE state SET value = 'half'")
    append(transaction)
    raise Refused("no")


@pytest.mark.parametrize("failing", [refused_after_appending, refused_after_writing])
def test_a_job_that_fails_leaves_no_leaf_and_the_chain_has_no_gap(
    database: Database, writer: Writer, failing: Callable[[Transaction], None]
) -> None:
    results = together(writer, append, append, failing, append, state)
    assert results[:2] == [1, 2]
    assert isinstance(results[2], Refused)
    assert results[3:] == [3, "active"]
    assert sequence(database) == [1, 2, 3]


def test_a_guard_is_asked_again_after_a_job_of_the_same_batch_wrote(writer: Writer) -> None:
    results = together(writer, state, set_state("ended"), state, set_state("over"), state)
    assert results == ["active", None, "ended", None, "over"]


def test_a_guard_in_the_job_that_writes_sees_what_it_wrote(writer: Writer) -> None:
    def write_and_look(transaction: Transaction) -> str:
        before = state(transaction)
        transaction.sqlite.execute("UPDATE state SET value = 'ended'")
        return before + " " + state(transaction)

    assert together(writer, state, write_and_look) == ["active", "active ended"]


def test_a_job_that_asks_for_the_tables_finds_what_was_appended_before(writer: Writer) -> None:
    def count(transaction: Transaction) -> int:
        append(transaction)
        return log.chain_head(transaction.sqlite, CHAIN).aseq

    assert together(writer, append, append, count, append, count) == [1, 2, 3, 4, 5]


def test_when_the_rows_of_a_batch_cannot_be_written_none_of_its_jobs_is_answered(
    database: Database, writer: Writer
) -> None:
    writer.submit(
        lambda transaction: transaction.sqlite.execute("PRAGMA query_only = ON").fetchall()
    ).result()
    results = together(writer, append, append)
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert sequence(database) == []


def test_when_earlier_rows_cannot_be_written_a_later_job_does_not_pass_for_its_own_failure(
    database: Database, writer: Writer
) -> None:
    """The rows of all jobs before are written when one asks for the tables: it fails for all of them."""

    def spoil(transaction: Transaction) -> None:
        append(transaction)
        row = transaction.tail._leaves[-1]
        transaction.tail._leaves[-1] = row._replace(hash=LeafHash(b"too short"))

    results = together(writer, append, spoil, set_state("ended"))
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert sequence(database) == []
    assert together(writer, append, state) == [1, "active"]


async def test_whoever_gave_up_waiting_costs_the_others_nothing(database: Database, writer: Writer) -> None:
    waiting = [writer.begin(append) for _ in range(3)]
    gone = writer.begin(append)
    gone.cancel()
    assert await asyncio.gather(*waiting) == [1, 2, 3]
    aseq = await writer.write(append)
    assert sequence(database) == list(range(1, aseq + 1))


async def test_many_callers_get_their_own_answers(database: Database, writer: Writer) -> None:
    async def caller() -> list[int]:
        return [await writer.write(append) for _ in range(20)]

    answers = await asyncio.gather(*(caller() for _ in range(20)))
    assert sorted(aseq for each in answers for aseq in each) == list(range(1, 401))
    assert sequence(database) == list(range(1, 401))


def test_an_error_of_the_jobs_own_sql_is_its_own(database: Database, writer: Writer) -> None:
    def duplicate(transaction: Transaction) -> None:
        append(transaction)
        transaction.sqlite.execute("INSERT INTO state VALUES (1, 'twice')")

    results = together(writer, append, duplicate, append)
    assert results[0] == 1
    assert isinstance(results[1], sqlite3.IntegrityError)
    assert results[2] == 2
    assert sequence(database) == [1, 2]

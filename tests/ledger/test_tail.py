"""The log's end inside one transaction: what counts at once, what is taken back, what is written when."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger import log, schema, side
from ledger.ambient import HeldAmbient
from ledger.canonical import JSONObject
from ledger.leaf import build
from ledger.log import BrokenChain
from ledger.names import Origin
from ledger.side import KeyChest
from ledger.tail import Tail

VERIFIER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
ME = "did:web:alfa.example"
AMBIENT = HeldAmbient()


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA foreign_keys = ON")
    schema.create(connection)
    log.start(
        connection,
        space="space.example",
        by={"org": ME},
        origin=Origin("alfa.example/log"),
        verifier_key=VERIFIER,
        ambient=AMBIENT,
    )
    yield connection
    connection.close()


def use(tail: Tail, agreement: str) -> JSONObject:
    head = tail.head(f"agreement {agreement}")
    return build(
        "use",
        space="space.example",
        by={"org": ME},
        aseq=head.aseq + 1,
        aprev=head.hash,
        ambient=AMBIENT,
        agreement=agreement,
    )


def append(tail: Tail, agreement: str) -> log.Appended:
    return tail.append(use(tail, agreement), f"agreement {agreement}")


def test_what_was_appended_counts_at_once_and_stands_in_the_table_when_it_is_written(
    connection: sqlite3.Connection,
) -> None:
    tail = Tail(connection)
    places = [append(tail, agreement) for agreement in "abaab"]
    assert [(place.index, place.aseq) for place in places] == [(2, 1), (3, 1), (4, 2), (5, 3), (6, 2)]
    assert log.size(connection) == 2
    tail.write()
    assert log.size(connection) == 7
    for agreement, last in (("a", places[3]), ("b", places[4])):
        assert log.chain_head(connection, f"agreement {agreement}") == (last.aseq, last.hash)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
def test_any_number_of_rows_is_written_each_once(connection: sqlite3.Connection, count: int) -> None:
    tail = Tail(connection)
    hashes = [append(tail, "a").hash for _ in range(count)]
    tail.write()
    tail.write()
    assert [entry.hash for entry in log.entries(connection, 2)] == hashes


def test_what_is_taken_back_leaves_no_trace_and_the_next_takes_its_place(
    connection: sqlite3.Connection,
) -> None:
    tail = Tail(connection)
    first = append(tail, "a")
    mark = tail.mark()
    append(tail, "a")
    append(tail, "b")
    tail.back_to(mark)
    again = append(tail, "a")
    tail.write()
    assert (again.index, again.aseq) == (first.index + 1, 2)
    assert [entry.hash for entry in log.entries(connection, 2)] == [first.hash, again.hash]


def test_a_leaf_that_does_not_follow_the_one_appended_before_it_is_refused(
    connection: sqlite3.Connection,
) -> None:
    tail = Tail(connection)
    stale = use(tail, "a")
    append(tail, "a")
    with pytest.raises(BrokenChain):
        tail.append(stale, "agreement a")


def test_a_tail_that_was_told_to_forget_sees_what_another_wrote(connection: sqlite3.Connection) -> None:
    tail, other = Tail(connection), Tail(connection)
    append(tail, "a")
    tail.write()
    tail.forget()
    append(other, "a")
    other.write()
    assert append(tail, "a").aseq == 3


def test_side_rows_are_written_behind_their_leaves(connection: sqlite3.Connection, tmp_path: Path) -> None:
    chest = KeyChest(tmp_path / "keys.db", [b"w" * 32], AMBIENT)
    tail = Tail(connection)
    for text in ("one", "two"):
        leaf = append(tail, "a")
        tail.attach(side.seal(chest, leaf.index, side.SHARED, {"text": text}, AMBIENT))
    assert connection.execute("SELECT count(*) FROM side_row").fetchone() == (0,)
    tail.write()
    rows = [content["text"] for _, content in side.rows_of(connection, chest, side.SHARED)]
    assert rows == ["one", "two"]
    chest.close()

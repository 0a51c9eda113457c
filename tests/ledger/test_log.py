"""Appending to the log: places, chains, and what a transaction takes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ledger import log, schema
from ledger.ambient import HeldAmbient
from ledger.canonical import JSON, JSONObject
from ledger.leaf import InvalidLeaf, agreement_chain, build
from ledger.log import BrokenChain, NoSuchLeaf
from ledger.names import Origin
from ledger.tree import leaf_hash

AMBIENT = HeldAmbient()
BY: JSON = {"org": "did:web:vaxby.example"}
VERIFIER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def empty() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    schema.create(connection)
    return connection


def start(connection: sqlite3.Connection) -> None:
    log.start(
        connection,
        space="greenway",
        by=BY,
        origin=Origin("vaxby.example/log"),
        verifier_key=VERIFIER,
        ambient=AMBIENT,
    )


def record(connection: sqlite3.Connection, agreement: str | None = None, **members: JSON) -> log.Appended:
    chain = agreement_chain(agreement) if agreement is not None else "node"
    head = log.chain_head(connection, chain)
    leaf = build(
        "access", space="greenway", by=BY, aseq=head.aseq + 1, aprev=head.hash, ambient=AMBIENT,
        time=None, agreement=agreement, **members,
    )  # fmt: skip
    return log.append(connection, leaf, chain)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = empty()
    start(connection)
    yield connection
    connection.close()


def test_a_log_starts_with_genesis_and_key(connection: sqlite3.Connection) -> None:
    assert log.size(connection) == 2
    first, second = log.entries(connection)
    assert b'"type":"genesis"' in first.bytes
    assert b'"type":"key"' in second.bytes
    assert first.hash.hex().encode() in second.bytes


def test_leaves_get_the_next_index_and_the_next_number_of_their_chain(connection: sqlite3.Connection) -> None:
    places = [record(connection, agreement) for agreement in ("a", "b", "a", "a", "b")]
    assert [place.index for place in places] == [2, 3, 4, 5, 6]
    assert [place.aseq for place in places] == [1, 1, 2, 3, 2]
    assert log.chain_head(connection, agreement_chain("a")) == log.ChainHead(3, places[3].hash)
    assert [entry.index for entry in log.by_chain(connection, agreement_chain("a"))] == [2, 4, 5]
    assert [entry.index for entry in log.by_chain(connection, agreement_chain("a"), after=2)] == [5]
    assert log.at(connection, agreement_chain("b"), 2).index == 6
    assert dict(log.chains(connection))[agreement_chain("b")] == log.ChainHead(2, places[4].hash)


def test_an_entry_is_found_by_index_and_by_hash(connection: sqlite3.Connection) -> None:
    place = record(connection)
    assert log.entry(connection, place.index) == log.find(connection, "node", place.hash)
    assert leaf_hash(log.entry(connection, place.index).bytes) == place.hash
    nowhere: list[Callable[[], object]] = [
        lambda: log.entry(connection, 99),
        lambda: log.find(connection, "node", b"\0" * 32),
        lambda: log.at(connection, "node", 99),
    ]
    for ask in nowhere:
        with pytest.raises(NoSuchLeaf):
            ask()


def test_nothing_is_committed_and_a_rollback_leaves_no_trace(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    lost = record(connection, "a")
    assert connection.in_transaction
    connection.execute("ROLLBACK")
    kept = record(connection, "a")
    assert (kept.index, kept.aseq) == (lost.index, lost.aseq)
    assert log.size(connection) == 3


def test_a_savepoint_that_is_taken_back_gives_its_places_to_the_next(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN")
    record(connection, "a")
    connection.execute("SAVEPOINT job")
    record(connection, "a")
    connection.execute("ROLLBACK TO job")
    place = record(connection, "a")
    connection.execute("COMMIT")
    assert (place.index, place.aseq) == (3, 2)


@pytest.mark.parametrize("aseq", [1, 3, 7])
def test_a_number_out_of_turn_is_refused(connection: sqlite3.Connection, aseq: int) -> None:
    head = record(connection, "a")
    leaf = build(
        "access",
        space="s",
        by=BY,
        aseq=aseq,
        aprev=head.hash if aseq > 1 else None,
        ambient=AMBIENT,
        agreement="a",
    )
    with pytest.raises(BrokenChain) as caught:
        log.append(connection, leaf, agreement_chain("a"))
    assert caught.value.field == "aseq"


def test_a_leaf_that_names_another_one_before_it_is_refused(connection: sqlite3.Connection) -> None:
    record(connection, "a")
    other = record(connection, "b")
    leaf = build("access", space="s", by=BY, aseq=2, aprev=other.hash, ambient=AMBIENT, agreement="a")
    with pytest.raises(BrokenChain) as caught:
        log.append(connection, leaf, agreement_chain("a"))
    assert caught.value.field == "aprev"


def test_a_leaf_cannot_stand_in_anothers_chain(connection: sqlite3.Connection) -> None:
    leaf = build("access", space="s", by=BY, aseq=1, aprev=None, ambient=AMBIENT, agreement="a")
    with pytest.raises(BrokenChain, match="belongs to the chain"):
        log.append(connection, leaf, agreement_chain("b"))


def test_a_citizens_chain_goes_by_a_handle_of_the_caller(connection: sqlite3.Connection) -> None:
    closed: JSONObject = {"commitment": "cd" * 32}
    for aseq in (1, 2):
        leaf = build(
            "access", space="s", by=BY, aseq=aseq, aprev=closed if aseq > 1 else None, ambient=AMBIENT,
            time=None, agreement=closed, **{"with": closed},
        )  # fmt: skip
        assert log.append(connection, leaf, "person 5f2c").aseq == aseq
    with pytest.raises(BrokenChain):
        log.append(connection, leaf, "person 5f2c")


def test_nothing_invalid_is_stored(connection: sqlite3.Connection) -> None:
    with pytest.raises(InvalidLeaf):
        record(connection, dataset="Anna Andersson")
    assert log.size(connection) == 2


@pytest.mark.parametrize("kind", ["access", "key"])
def test_an_empty_log_takes_nothing_but_its_genesis(kind: str) -> None:
    connection = empty()
    members: dict[str, JSON] = {"key": {"use": "log", "verifier": VERIFIER}} if kind == "key" else {}
    leaf = build(kind, space="s", by=BY, aseq=1, aprev=None, ambient=AMBIENT, time=None, **members)
    with pytest.raises(InvalidLeaf) as caught:
        log.append(connection, leaf, "node")
    assert caught.value.field == "type"
    assert log.size(connection) == 0


def test_after_genesis_comes_the_key_and_nothing_else() -> None:
    connection = empty()
    genesis = build("genesis", space="s", by=BY, aseq=1, aprev=None, ambient=AMBIENT, origin="a.example/log")
    first = log.append(connection, genesis, "node")
    for aseq, chain, agreement in ((2, "node", None), (1, agreement_chain("a"), "a")):
        leaf = build(
            "access",
            space="s",
            by=BY,
            aseq=aseq,
            aprev=first.hash if aseq > 1 else None,
            ambient=AMBIENT,
            agreement=agreement,
        )
        with pytest.raises(InvalidLeaf):
            log.append(connection, leaf, chain)
    assert log.size(connection) == 1


def test_a_log_has_one_genesis(connection: sqlite3.Connection) -> None:
    with pytest.raises(BrokenChain):
        start(connection)
    head = log.chain_head(connection, "node")
    second = build(
        "genesis", space="s", by=BY, aseq=3, aprev=head.hash, ambient=AMBIENT, origin="a.example/log"
    )
    with pytest.raises(InvalidLeaf, match="one genesis"):
        log.append(connection, second, "node")
    assert log.size(connection) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE leaf SET entry = x'7b7d' WHERE idx = 0",
        "DELETE FROM leaf",
        "UPDATE leaf SET idx = 9 WHERE idx = 1",
    ],
)
def test_a_leaf_is_never_changed_or_removed(connection: sqlite3.Connection, statement: str) -> None:
    before = list(log.entries(connection))
    with pytest.raises(sqlite3.IntegrityError, match="never"):
        connection.execute(statement)
    assert list(log.entries(connection)) == before


def test_the_tables_can_be_created_twice(connection: sqlite3.Connection) -> None:
    schema.create(connection)
    assert log.size(connection) == 2


def test_entries_are_given_in_pages_without_gap_or_repeat(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_PAGE", 3)
    for _ in range(10):
        record(connection, "a")
    assert [entry.index for entry in log.entries(connection)] == list(range(12))
    assert [entry.index for entry in log.entries(connection, 4, 9)] == [4, 5, 6, 7, 8]
    assert [entry.index for entry in log.by_chain(connection, agreement_chain("a"))] == list(range(2, 12))


class Appending(RuleBasedStateMachine):
    """Whatever is appended, rolled back and committed, in whatever order: no gap, no reuse."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = empty()
        start(self.connection)
        self.committed = list(log.entries(self.connection))

    @rule(agreement=st.sampled_from(["a", "b", None]))
    def append(self, agreement: str | None) -> None:
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN")
        record(self.connection, agreement)

    @rule()
    def commit(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")
            entries = list(log.entries(self.connection))
            assert entries[: len(self.committed)] == self.committed
            self.committed = entries

    @rule()
    def roll_back(self) -> None:
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
            assert list(log.entries(self.connection)) == self.committed

    @invariant()
    def indexes_and_numbers_have_no_gap(self) -> None:
        assert [entry.index for entry in log.entries(self.connection)] == list(
            range(log.size(self.connection))
        )
        for chain, head in log.chains(self.connection):
            numbers = self.connection.execute(
                "SELECT aseq FROM leaf WHERE chain = ? ORDER BY idx", (chain,)
            ).fetchall()
            assert [number for (number,) in numbers] == list(range(1, head.aseq + 1))

    def teardown(self) -> None:
        self.connection.close()


TestAppending = Appending.TestCase
TestAppending.settings = settings(max_examples=20, stateful_step_count=20)

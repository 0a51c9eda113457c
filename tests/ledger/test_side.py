"""The erasable side table, the chest of keys, and commitments: what is left after an erasure."""

from __future__ import annotations

import hashlib
import hmac
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import log, schema, side
from ledger.ambient import HeldAmbient
from ledger.canonical import JSON, JSONObject
from ledger.commitment import BadOpening, Opening, commit, fresh, fresh_json, opens, read_opening
from ledger.document import SignedDocument
from ledger.leaf import build
from ledger.names import LeafIndex, Origin
from ledger.side import SHARED, DamagedRow, KeyChest, KeyErased, NoSuchRow, WrongWrappingKey

AMBIENT = HeldAmbient()
WRAPPING, NEW_WRAPPING = b"w" * 32, b"n" * 32
PERSON = "5f2c9a"
CONTENT: JSONObject = {"name": "Anna Åberg", "id": "19121212-1212", "note": "hon sade ”nej”"}
VERIFIER = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "home.db", isolation_level=None)
    connection.execute("PRAGMA secure_delete = ON")
    schema.create(connection)
    log.start(
        connection,
        space="s",
        by={"org": "did:web:a.example"},
        origin=Origin("a.example/log"),
        verifier_key=VERIFIER,
        ambient=AMBIENT,
    )
    for number in range(3):
        head = log.chain_head(connection, "node")
        log.append(
            connection,
            build(
                "access",
                space="s",
                by={"org": "did:web:a.example"},
                aseq=head.aseq + 1,
                aprev=head.hash,
                ambient=AMBIENT,
                number=number,
            ),
            "node",
        )
    yield connection
    connection.close()


@pytest.fixture
def chest(tmp_path: Path) -> Iterator[KeyChest]:
    chest = KeyChest(tmp_path / "chest.db", [WRAPPING], AMBIENT)
    yield chest
    chest.close()


def put(
    connection: sqlite3.Connection, chest: KeyChest, index: int, holder: str, content: JSONObject = CONTENT
) -> None:
    side.put(connection, chest, LeafIndex(index), holder, content, AMBIENT)


def test_a_row_is_read_back_by_leaf_and_holder(connection: sqlite3.Connection, chest: KeyChest) -> None:
    put(connection, chest, 2, SHARED, {"a": 1})
    put(connection, chest, 2, PERSON)
    put(connection, chest, 4, PERSON, {"b": None})
    assert side.get(connection, chest, LeafIndex(2), SHARED) == {"a": 1}
    assert side.get(connection, chest, LeafIndex(2), PERSON) == CONTENT
    assert list(side.rows_of(connection, chest, PERSON)) == [(2, CONTENT), (4, {"b": None})]
    assert list(side.rows_of(connection, chest, PERSON, 3)) == [(4, {"b": None})]
    assert list(side.rows_of(connection, chest, SHARED, 0, 3)) == [(2, {"a": 1})]
    with pytest.raises(NoSuchRow):
        side.get(connection, chest, LeafIndex(3), PERSON)


def test_nothing_readable_lies_on_disk(
    connection: sqlite3.Connection, chest: KeyChest, tmp_path: Path
) -> None:
    put(connection, chest, 2, PERSON)
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        for secret in ("Anna", "19121212", "nej"):
            assert secret.encode() not in data


@pytest.mark.parametrize(
    "move", ["UPDATE side_row SET idx = 3 WHERE idx = 2", "UPDATE side_row SET holder = 'other'"]
)
def test_a_row_that_was_moved_does_not_open(
    connection: sqlite3.Connection, chest: KeyChest, move: str
) -> None:
    put(connection, chest, 2, PERSON)
    key = chest.existing(PERSON)
    chest._cache["other"] = key  # even under the same key
    connection.execute(move)
    index, holder = connection.execute("SELECT idx, holder FROM side_row").fetchone()
    with pytest.raises(DamagedRow):
        side.get(connection, chest, LeafIndex(index), holder)


def test_a_changed_byte_does_not_open(connection: sqlite3.Connection, chest: KeyChest) -> None:
    put(connection, chest, 2, PERSON)
    box = bytearray(connection.execute("SELECT box FROM side_row").fetchone()[0])
    box[5] ^= 1
    connection.execute("UPDATE side_row SET box = ?", (bytes(box),))
    with pytest.raises(DamagedRow):
        side.get(connection, chest, LeafIndex(2), PERSON)


def test_a_row_is_part_of_its_transaction(connection: sqlite3.Connection, chest: KeyChest) -> None:
    connection.execute("BEGIN")
    put(connection, chest, 2, PERSON)
    assert connection.in_transaction
    connection.execute("ROLLBACK")
    with pytest.raises(NoSuchRow):
        side.get(connection, chest, LeafIndex(2), PERSON)


def test_a_key_is_durable_before_the_first_row_that_uses_it(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """A second look at the file, before the row's transaction ends, finds the key."""
    first = KeyChest(tmp_path / "chest.db", [WRAPPING], AMBIENT)
    connection.execute("BEGIN")
    put(connection, first, 2, PERSON)
    second = KeyChest(tmp_path / "chest.db", [WRAPPING], AMBIENT)
    assert side.get(connection, second, LeafIndex(2), PERSON) == CONTENT


def test_many_new_holders_cost_one_transaction(chest: KeyChest, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    chest._connection.set_trace_callback(statements.append)
    assert len(chest.ciphers([f"p{n}" for n in range(100)])) == 100
    assert sum(statement.startswith("BEGIN") for statement in statements) == 1
    assert sum(statement.startswith("COMMIT") for statement in statements) == 1


def test_the_cache_is_bounded_and_what_falls_out_comes_back(
    connection: sqlite3.Connection, chest: KeyChest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side, "_CACHE", 4)
    put(connection, chest, 2, PERSON)
    for number in range(20):
        chest.cipher(f"p{number}")
    assert len(chest._cache) <= 4
    assert side.get(connection, chest, LeafIndex(2), PERSON) == CONTENT


def test_the_chest_is_for_its_owner_only(chest: KeyChest, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "chest.db").stat().st_mode) == 0o600


def test_the_chest_opens_under_its_own_wrapping_key_only(chest: KeyChest, tmp_path: Path) -> None:
    chest.cipher(PERSON)
    with pytest.raises(WrongWrappingKey):
        KeyChest(tmp_path / "chest.db", [NEW_WRAPPING], AMBIENT)
    assert KeyChest(tmp_path / "chest.db", [NEW_WRAPPING, WRAPPING], AMBIENT).existing(PERSON)


def test_a_destroyed_key_opens_nothing_any_more(
    connection: sqlite3.Connection, chest: KeyChest, tmp_path: Path
) -> None:
    put(connection, chest, 2, PERSON)
    put(connection, chest, 2, SHARED, {"kept": 1})
    chest.destroy(PERSON)
    for each in (chest, KeyChest(tmp_path / "chest.db", [WRAPPING], AMBIENT)):
        with pytest.raises(KeyErased):
            side.get(connection, each, LeafIndex(2), PERSON)
    assert side.get(connection, chest, LeafIndex(2), SHARED) == {"kept": 1}


def test_after_an_erasure_no_file_and_no_old_key_gives_the_person_back(
    connection: sqlite3.Connection, tmp_path: Path
) -> None:
    """Copies of every file from before are kept; with the destroyed key they would give the person."""
    chest = KeyChest(tmp_path / "chest.db", [WRAPPING], AMBIENT)
    put(connection, chest, 2, PERSON)
    put(connection, chest, 3, SHARED, {"kept": 1})
    backup = tmp_path / "before"
    backup.mkdir()
    for name in ("home.db", "chest.db"):
        shutil.copy(tmp_path / name, backup / name)

    def finds(database: Path, keys: Path, wrapping: bytes) -> bool:
        found = sqlite3.connect(database)
        try:
            return dict(side.rows_of(found, KeyChest(keys, [wrapping], AMBIENT), PERSON)) != {}
        except (KeyErased, WrongWrappingKey):
            return False
        finally:
            found.close()

    assert finds(tmp_path / "home.db", tmp_path / "chest.db", WRAPPING)

    assert side.erase(connection, PERSON) == 1
    chest.destroy(PERSON)
    chest.rewrap(NEW_WRAPPING)  # and WRAPPING is destroyed by the caller
    chest.close()

    assert not finds(tmp_path / "home.db", tmp_path / "chest.db", NEW_WRAPPING)
    assert not finds(backup / "home.db", tmp_path / "chest.db", NEW_WRAPPING)  # a backup of the rows
    assert not finds(backup / "home.db", backup / "chest.db", NEW_WRAPPING)  # even with the old chest
    assert finds(backup / "home.db", backup / "chest.db", WRAPPING)  # only the destroyed key would
    kept = KeyChest(tmp_path / "chest.db", [NEW_WRAPPING], AMBIENT)
    assert dict(side.rows_of(connection, kept, SHARED)) == {3: {"kept": 1}}


def test_keys_made_after_a_rewrap_are_under_the_new_wrapping_key(chest: KeyChest, tmp_path: Path) -> None:
    chest.cipher("before")
    chest.rewrap(NEW_WRAPPING)
    chest.cipher("after")
    again = KeyChest(tmp_path / "chest.db", [NEW_WRAPPING], AMBIENT)
    assert again.existing("before")
    assert again.existing("after")


def test_rewrapping_is_all_or_nothing(chest: KeyChest, tmp_path: Path) -> None:
    """A crash in the middle leaves the chest under the old key; both are at hand until it is done."""
    for number in range(5):
        chest.cipher(f"p{number}")
    chest._connection.execute(
        "CREATE TRIGGER crash BEFORE UPDATE ON chest_check BEGIN SELECT RAISE(ABORT, 'crash'); END"
    )
    with pytest.raises(sqlite3.IntegrityError):
        chest.rewrap(NEW_WRAPPING)
    chest._connection.execute("DROP TRIGGER crash")
    again = KeyChest(tmp_path / "chest.db", [NEW_WRAPPING, WRAPPING], AMBIENT)
    for number in range(5):
        assert again.existing(f"p{number}")


def test_signed_messages_stand_whole_in_a_row() -> None:
    document = SignedDocument('{"type":"ö"}'.encode(), "a..b")
    assert side.signed_from_json(side.signed_to_json(document)) == document
    broken: list[JSON] = [
        None,
        {},
        {"payload": "x"},
        {"payload": 1, "jws": "a"},
        {"payload": "x", "jws": "a", "more": 1},
    ]
    for wrong in broken:
        with pytest.raises(DamagedRow):
            side.signed_from_json(wrong)


def test_a_commitment_is_the_hmac_of_the_design() -> None:
    r = bytes(range(32))
    expected = hmac.new(r, b"ledger/v1/" + b"exchange" + b"\x00" + b"value", hashlib.sha256).hexdigest()
    assert commit("exchange", b"value", r) == expected


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_a_commitment_opens_to_its_value_and_field_only(value: bytes, other: bytes) -> None:
    opening = fresh("exchange", value, AMBIENT)
    assert opens(opening, opening.commitment)
    assert read_opening("exchange", opening.to_json()) == opening
    assert not opens(Opening("agreement", opening.r, value), opening.commitment)
    assert opens(Opening("exchange", opening.r, other), opening.commitment) == (other == value)
    assert not opens(Opening("exchange", bytes(32), value), opening.commitment)


def test_equal_values_are_committed_to_differently_each_time() -> None:
    assert len({fresh_json("with", {"org": "x"}, AMBIENT).commitment for _ in range(50)}) == 50


def test_field_and_value_cannot_be_shifted_into_each_other() -> None:
    with pytest.raises(BadOpening):
        fresh("a\x00b", b"", AMBIENT)


@pytest.mark.parametrize(
    "content",
    [
        None,
        {},
        {"r": "AA"},
        {"r": "AA", "value": "AA"},
        {"r": 1, "value": "AA"},
        {"r": "A" * 43, "value": "A=="},
        {"r": "A" * 43, "value": "", "x": 1},
        {"r": "A" * 42 + "B", "value": ""},
    ],
)
def test_what_is_not_an_opening_is_refused(content: JSON) -> None:
    with pytest.raises(BadOpening):
        read_opening("exchange", content)


def test_without_the_opening_the_whole_id_space_can_be_tried_in_vain() -> None:
    """Ten thousand numbers, tried as an attacker without r would: none fits, and with r one does."""
    opening = fresh("subject", b"0042", AMBIENT)
    numbers = [b"%04d" % number for number in range(10_000)]
    guesses = (b"", bytes(32), b"ledger/v1/", b"0042", opening.commitment.encode())
    assert not any(
        commit("subject", number, guess) == opening.commitment for number in numbers for guess in guesses[:2]
    )
    assert [number for number in numbers if commit("subject", number, opening.r) == opening.commitment] == [
        b"0042"
    ]

"""Publishing: the order that a crash cannot break, and the start that notices what does not fit."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import log, publish, tree
from ledger.ambient import HeldAmbient
from ledger.checkpoint import SignedCheckpoint, open_checkpoint
from ledger.cosignature import Cosigner
from ledger.fsck import check_all
from ledger.leaf import build, encode
from ledger.names import Milliseconds
from ledger.publish import LogMismatch, Publisher
from ledger.tiles import Tile, TileReader, tiles_of
from ledger.tilestore import StorageFailed
from tests.ledger.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def findings(home: Home) -> list[str]:
    return [f"{each.where}: {each.what}" for each in check_all(home.connection, home.store, home.signer.key)]


def sign_all(home: Home) -> SignedCheckpoint:
    signed = home.publisher.publish(seal=True)
    assert signed is not None
    return signed


def test_a_checkpoint_covers_every_committed_leaf(home: Home) -> None:
    home.append(700)
    signed = sign_all(home)
    assert signed.checkpoint.size == 702
    reader = home.publisher.reader()
    assert list(reader.entries()) == [entry.bytes for entry in log.entries(home.connection)]
    assert findings(home) == []


def test_a_leaf_that_is_not_committed_is_not_published(home: Home) -> None:
    reading = sqlite3.connect(home.folder / "home.db", isolation_level=None)
    saved: list[SignedCheckpoint] = []
    publisher = Publisher(reading, home.store, home.signer, saved.append, home.ambient)
    home.connection.execute("BEGIN")
    home.record("access")
    publisher.publish()
    home.connection.execute("ROLLBACK")
    assert [signed.checkpoint.size for signed in saved] == [2]


def test_what_could_not_be_stored_is_signed_again_and_not_shown(home: Home) -> None:
    def fails(_: SignedCheckpoint) -> None:
        raise StorageFailed("the disk is full")

    home.publisher._save = fails
    with pytest.raises(StorageFailed):
        home.publisher.publish()
    assert home.publisher.last is None
    assert not (home.store.folder / "checkpoint").exists()
    home.publisher._save = home.save
    home.append(3)
    assert sign_all(home).checkpoint.size == 5


@pytest.mark.parametrize("steps", [[1] * 6, [253, 1, 1, 1], [254, 256, 512], [600, 3, 3000]])
def test_every_checkpoint_grows_out_of_the_one_before(home: Home, steps: list[int]) -> None:
    before = sign_all(home).checkpoint
    for step in steps:
        home.append(step)
        after = sign_all(home).checkpoint
        proof = tree.consistency_proof(before.size, after.size, home.publisher.reader().hashes)
        tree.check_consistency(before.size, after.size, proof, before.root, after.root)
        # The partials of every published size stay readable.
        assert TileReader(home.store.read, before.size, before.root).entry(before.size - 1)
        before = after
    stored = {
        path.relative_to(home.store.folder).as_posix()
        for path in home.store.folder.rglob("*")
        if path.is_file()
    }
    assert stored == {tile.path for tile in tiles_of(before.size)}


def test_at_most_one_checkpoint_a_second_unless_a_seal_asks(home: Home) -> None:
    ambient = home.ambient
    assert isinstance(ambient, HeldAmbient)
    assert home.publisher.publish() is not None
    home.append()
    assert home.publisher.publish() is None
    ambient.step(60_000)  # the wall clock has no say in durations
    assert home.publisher.publish() is None
    assert home.publisher.publish(seal=True) is not None
    assert home.publisher.publish(seal=True) is None  # nothing new to sign
    home.append()
    ambient.advance(1_000)
    assert home.publisher.publish() is not None


def test_a_restart_goes_on_from_the_last_note(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.append(300)
    first = sign_all(home).checkpoint
    home.close()
    again = Home(tmp_path / "home")
    assert again.publisher.last is not None
    assert again.publisher.last.checkpoint == first
    again.append(300)
    second = sign_all(again).checkpoint
    proof = tree.consistency_proof(first.size, second.size, again.publisher.reader().hashes)
    tree.check_consistency(first.size, second.size, proof, first.root, second.root)
    assert findings(again) == []


def test_the_note_is_shown_where_readers_look_with_its_cosignatures(home: Home) -> None:
    signed = sign_all(home)
    peer = Cosigner("hamnstad.example/witness", Ed25519PrivateKey.generate())
    signature = peer.sign(signed.note.text, Milliseconds(5_000))
    publish.remember_cosignature(home.connection, signed.checkpoint.size, signature, home.ambient.now())
    publish.remember_cosignature(home.connection, signed.checkpoint.size, signature, home.ambient.now())
    home.publisher.show(publish.cosigned_note(home.connection, signed.checkpoint.size))
    shown = open_checkpoint((home.store.folder / "checkpoint").read_bytes(), home.signer.key)
    assert shown.checkpoint == signed.checkpoint
    assert [each.name for each in shown.note.signatures] == [home.signer.key.name, peer.key.name]
    with pytest.raises(log.NoSuchLeaf):
        publish.cosigned_note(home.connection, 99)


def test_a_smaller_or_other_checkpoint_is_never_stored(home: Home) -> None:
    small = sign_all(home)
    home.append()
    large = sign_all(home)
    publish.remember(home.connection, large, home.ambient.now())  # again: no effect
    with pytest.raises(LogMismatch):
        publish.remember(home.connection, small, home.ambient.now())


def test_a_start_with_an_older_database_is_refused(tmp_path: Path) -> None:
    """Leaves that a signed checkpoint covers are gone: this log was rolled back."""
    home = Home(tmp_path / "home")
    home.append(10)
    sign_all(home)
    home.connection.execute("DROP TRIGGER leaf_is_never_removed")
    home.connection.execute("DELETE FROM leaf WHERE idx = 11")
    home.close()
    with pytest.raises(LogMismatch, match="the database has 11"):
        Home(tmp_path / "home")


def test_a_start_with_a_changed_last_leaf_is_refused(tmp_path: Path) -> None:
    for count, changed in ((10, 11), (10, 3), (254, 255)):
        home = Home(tmp_path / f"home{changed}")
        home.append(count)
        sign_all(home)
        home.connection.execute("DROP TRIGGER leaf_is_never_changed")
        home.connection.execute(
            "UPDATE leaf SET entry = CAST(replace(entry, 'greenway', 'greenwaz') AS BLOB) WHERE idx = ?",
            (changed,),
        )
        home.close()
        with pytest.raises(LogMismatch, match="database's last lea"):
            Home(tmp_path / f"home{changed}")


@pytest.mark.parametrize("name", ["tile/0/001.p/46", "tile/1/000.p/1"])
def test_a_start_with_a_changed_or_missing_edge_tile_is_refused(tmp_path: Path, name: str) -> None:
    home = Home(tmp_path / "home")
    home.append(300)
    sign_all(home)
    home.close()
    path = tmp_path / "home" / "log" / name
    data = path.read_bytes()
    for broken in (bytes(len(data)), data[:-1], None):
        if broken is None:
            path.unlink()
        else:
            path.write_bytes(broken)
        with pytest.raises(LogMismatch, match="do not fold"):
            Home(tmp_path / "home")
    path.write_bytes(data)
    Home(tmp_path / "home")


def test_a_start_under_another_key_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    sign_all(home)
    home.close()
    with pytest.raises(LogMismatch, match="not this log's"):
        Home(tmp_path / "home", name="hamnstad")


def test_the_full_check_finds_what_the_start_does_not_look_at(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.append(700, agreement="a")
    sign_all(home)
    assert findings(home) == []
    (home.store.folder / Tile(0, 1).path).write_bytes(bytes(8192))
    (home.store.folder / Tile(-1, 0).path).write_bytes(b"")
    assert findings(home) == [
        "tile/entries/000: the tile is not that of the leaves",
        "tile/0/001: the tile is not that of the leaves",
    ]
    (home.store.folder / Tile(0, 1).path).unlink()
    assert "tile/0/001: the tile cannot be read" in findings(home)[1]


def test_the_full_check_finds_a_changed_leaf_and_its_chain(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.append(20, agreement="a")
    sign_all(home)
    home.connection.execute("DROP TRIGGER leaf_is_never_changed")
    home.connection.execute(
        "UPDATE leaf SET entry = CAST(replace(entry, 'access', 'expiry') AS BLOB) WHERE idx = 5"
    )
    found = findings(home)
    assert "leaf 5: its stored hash is not its hash" in found
    assert "leaf 6: it does not name the leaf before it in its chain" in found
    assert "checkpoint 22: the leaves do not hash to its root" in found

    home.connection.execute("UPDATE leaf SET chain = 'agreement b', aseq = 1 WHERE idx = 7")
    assert "leaf 7: it stands under another chain or number than it says" in findings(home)
    home.connection.execute("DROP TRIGGER leaf_is_never_removed")
    home.connection.execute("DELETE FROM leaf WHERE idx = 3")
    assert findings(home)[0] == "leaf 3: it is missing"


def test_the_full_check_finds_a_gap_in_a_chain(home: Home) -> None:
    """Written past ``append``: a leaf that skips three numbers and names the right one before it."""
    first = home.append(agreement="a")[0]
    leaf = build(
        "access", space="greenway", by=home.by, aseq=5, aprev=first.hash, ambient=home.ambient, agreement="a"
    )
    entry = encode(leaf)
    home.connection.execute(
        "INSERT INTO leaf (hash, entry, chain, aseq) VALUES (?, ?, 'agreement a', 5)",
        (tree.leaf_hash(entry), entry),
    )
    assert findings(home) == ["leaf 3: its chain goes from 1 to 5"]

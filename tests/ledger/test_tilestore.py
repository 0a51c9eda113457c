"""Tiles on disk: whole or not at all, never two under one name, and nothing after a failed sync."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ledger.tiles import ENTRIES, WIDTH, NoSuchTile, Tile, encode_bundle
from ledger.tilestore import DiskStore, StorageFailed, TileConflict

HASHES = b"".join(bytes([n]) * 32 for n in range(WIDTH))
ENTRY_LIST = [b"entry %d" % n for n in range(WIDTH)]


def files(store: DiskStore) -> list[str]:
    return sorted(str(path.relative_to(store.folder)) for path in store.folder.rglob("*") if path.is_file())


def test_a_tile_is_read_back_and_lies_where_it_is_served(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "log")
    store.write(Tile(0, 1234067), HASHES)
    store.sync()
    assert store.read(Tile(0, 1234067)) == HASHES
    assert files(store) == ["tile/0/x001/x234/067"]


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    store.write(Tile(0, 0, 3), HASHES[:96])
    store.write(Tile(0, 0, 3), HASHES[:96])
    assert files(store) == ["tile/0/000.p/3"]


def test_another_tile_under_the_same_name_is_refused(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    store.write(Tile(0, 0, 1), HASHES[:32])
    with pytest.raises(TileConflict):
        store.write(Tile(0, 0, 1), HASHES[32:64])
    assert store.read(Tile(0, 0, 1)) == HASHES[:32]


def test_a_narrower_tile_is_cut_out_of_a_wider_one(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    store.write(Tile(0, 0, 9), HASHES[: 9 * 32])
    store.write(Tile(ENTRIES, 0, 9), encode_bundle(ENTRY_LIST[:9]))
    assert store.read(Tile(0, 0, 4)) == HASHES[: 4 * 32]
    assert store.read(Tile(ENTRIES, 0, 4)) == encode_bundle(ENTRY_LIST[:4])
    with pytest.raises(NoSuchTile):
        store.read(Tile(0, 0, 10))
    store.write(Tile(0, 0), HASHES)
    assert store.read(Tile(0, 0, 10)) == HASHES[: 10 * 32]
    with pytest.raises(NoSuchTile):
        store.read(Tile(0, 1))


def test_partials_that_a_wider_tile_holds_are_removed_and_still_readable(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    for width in (3, 5, 9):
        store.write(Tile(0, 0, width), HASHES[: width * 32])
        store.write(Tile(ENTRIES, 0, width), encode_bundle(ENTRY_LIST[:width]))
    store.tidy(5, 9)
    assert files(store) == ["tile/0/000.p/9", "tile/entries/000.p/9"]
    assert store.read(Tile(0, 0, 3)) == HASHES[:96]

    store.write(Tile(0, 0), HASHES)
    store.write(Tile(ENTRIES, 0), encode_bundle(ENTRY_LIST))
    store.write(Tile(1, 0, 1), bytes(32))
    store.tidy(9, 256)
    assert files(store) == ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]
    assert store.read(Tile(ENTRIES, 0, 9)) == encode_bundle(ENTRY_LIST[:9])


def test_a_half_written_file_of_a_crash_is_never_read_and_is_written_over(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    (tmp_path / "tile" / "0").mkdir(parents=True)
    (tmp_path / "tile" / "0" / ".000.new").write_bytes(b"half")
    with pytest.raises(NoSuchTile):
        store.read(Tile(0, 0))
    store.write(Tile(0, 0), HASHES)
    assert files(store) == ["tile/0/000"]


def test_file_and_every_new_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        link = Path(f"/proc/self/fd/{descriptor}")
        synced.append(str(link.readlink()) if link.is_symlink() else "")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    store = DiskStore(tmp_path / "log")
    store.write(Tile(0, 1000), HASHES)
    store.sync()
    if synced[0]:
        names = [Path(name).relative_to(tmp_path).as_posix() for name in synced]
        assert names[0] == "log/tile/0/x001/.000.new"
        assert set(names[1:]) == {"log/tile/0/x001", "log/tile/0", "log/tile", "log"}
    assert len(synced) == 5
    store.sync()
    assert len(synced) == 5


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_after_a_failed_sync_nothing_is_written_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fails(_: int) -> None:
        raise OSError(code, os.strerror(code))

    store = DiskStore(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        with pytest.raises(StorageFailed, match="did not confirm"):
            store.write(Tile(0, 0), HASHES)
    with pytest.raises(StorageFailed, match="an earlier sync failed"):
        store.write(Tile(0, 0), HASHES)
    with pytest.raises(NoSuchTile):
        store.read(Tile(0, 0))


def test_a_full_disk_is_reported_and_leaves_no_tile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskStore(tmp_path)

    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", full)
        with pytest.raises(StorageFailed, match="No space left"):
            store.write(Tile(0, 0), HASHES)
    with pytest.raises(NoSuchTile):
        store.read(Tile(0, 0))
    store.write(Tile(0, 0), HASHES)
    assert store.read(Tile(0, 0)) == HASHES


def test_the_checkpoint_is_replaced_whole(tmp_path: Path) -> None:
    store = DiskStore(tmp_path)
    store.show(b"one\n")
    store.show(b"two\n")
    assert (tmp_path / "checkpoint").read_bytes() == b"two\n"
    assert files(store) == ["checkpoint"]

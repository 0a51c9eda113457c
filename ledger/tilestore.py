"""Tiles on disk, and the building of them from entries.

Rules that hold here (LEDGER.md section 4, C2SP tlog-tiles v0.1.0):

* A file appears whole or not at all: written beside, synced, renamed. :meth:`DiskStore.sync` then
  makes the names durable; before it returned nothing may be signed that needs the tiles.
* Writing again what is there changes nothing, so whatever a crash interrupted is simply done again.
  Writing something *else* under a name that exists is refused: tiles are immutable.
* Of the partial tiles at one place only the widest is kept, and none once the tile is full;
  :meth:`DiskStore.read` cuts the narrower ones out of it, so every published size stays readable.
* When a sync fails the store refuses everything from then on: what the kernel still holds may be
  lost, and trying again would report success (LEDGER.md section 4).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ledger.errors import BylagError, ErrorKind
from ledger.names import RootHash, TreeSize
from ledger.tiles import ENTRIES, WIDTH, NoSuchTile, Tile, encode_bundle, narrow, right_edge, root_of_edge
from ledger.tree import complete_root, leaf_hash


class StorageFailed(BylagError):
    """The disk did not take a tile."""

    code = "STORAGE_FAILED"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Look at the disk (space, errors), then start the connector again."


class TileConflict(BylagError):
    """Another tile lies under this name already: the log on disk is not the log in the database."""

    code = "TILE_CONFLICT"
    kind = ErrorKind.DAMAGED
    default_next_step = "Stop. Run the full check, and restore database and tiles from one backup."


class DiskStore:
    """A folder in the layout in which tiles are served."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unsynced: set[Path] = set()
        self._broken = False
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def folder(self) -> Path:
        """The log's prefix: ``checkpoint`` and ``tile/`` lie below."""
        return self._folder

    def read(self, tile: Tile) -> bytes:
        """A tile's bytes, also cut out of a wider one. Raises :class:`~ledger.tiles.NoSuchTile`."""
        for candidate in (tile, tile.full, *self._wider(tile), tile.full):
            try:
                data = (self._folder / candidate.path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            return data if candidate == tile else narrow(data, tile)
        raise NoSuchTile("no such tile", field=tile.path)

    def write(self, tile: Tile, data: bytes) -> None:
        """Put a tile in its place; its name is durable after :meth:`sync`.

        Raises :class:`StorageFailed`, :class:`TileConflict`.
        """
        path = self._folder / tile.path
        try:
            known = path.read_bytes()
        except FileNotFoundError:
            self._put(path, data)
        except OSError as error:
            raise StorageFailed(f"cannot read a tile: {error.strerror}") from error
        else:
            if known != data:
                raise TileConflict("another tile lies there", field=tile.path)
            self._note_names(path)

    def show(self, note: bytes) -> None:
        """Put ``note`` where readers look for the newest checkpoint, durably.

        The caller has stored it (``ledger.publish``): what is shown once is never taken back.
        """
        self._put(self._folder / "checkpoint", note)
        self.sync()

    def sync(self) -> None:
        """Make every name written so far durable. Raises :class:`StorageFailed`."""
        for folder in sorted(self._unsynced):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                self._fsync(descriptor)
            finally:
                os.close(descriptor)
        self._unsynced.clear()

    def tidy(self, old: int, new: int) -> None:
        """After the checkpoint of ``new`` leaves is stored: remove what its tiles make superfluous.

        These are the partial tiles of the tree of ``old`` leaves that a wider or full one now holds.
        """
        level = ENTRIES
        while new:
            if old % WIDTH:
                number = old // WIDTH
                self._drop_narrower(Tile(level, number, WIDTH if new // WIDTH > number else new % WIDTH))
            if level != ENTRIES:
                old, new = old // WIDTH, new // WIDTH
            level += 1

    def _drop_narrower(self, tile: Tile) -> None:
        for other in self._partials(tile):
            if other.width < tile.width:
                (self._folder / other.path).unlink(missing_ok=True)
        folder = (self._folder / Tile(tile.level, tile.number, 1).path).parent
        if tile.width == WIDTH and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

    def _partials(self, tile: Tile) -> list[Tile]:
        folder = (self._folder / Tile(tile.level, tile.number, 1).path).parent
        if not folder.is_dir():
            return []
        widths = sorted(int(path.name) for path in folder.iterdir() if path.name.isdigit())
        return [Tile(tile.level, tile.number, width) for width in widths]

    def _wider(self, tile: Tile) -> Iterator[Tile]:
        if tile.width < WIDTH:
            yield from reversed([other for other in self._partials(tile) if other.width > tile.width])

    def _put(self, path: Path, data: bytes) -> None:
        beside = path.with_name(f".{path.name}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("wb") as file:
                file.write(data)
                file.flush()
                self._fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise StorageFailed(f"cannot write a tile: {error.strerror}") from error
        self._note_names(path)

    def _note_names(self, path: Path) -> None:
        """The folders from the tile up to the log's own hold names that are not durable yet."""
        for folder in path.parents:
            self._unsynced.add(folder)
            if folder == self._folder:
                return

    def _fsync(self, descriptor: int) -> None:
        if self._broken:
            raise StorageFailed("an earlier sync failed; nothing is written after that")
        try:
            os.fsync(descriptor)
        except OSError as error:
            self._broken = True
            raise StorageFailed(f"the disk did not confirm: {error.strerror}") from error


class TileBuilder:
    """Grows a tree by entries and gives each tile and bundle as it becomes full."""

    def __init__(self, edge: dict[int, list[bytes]], size: int, entries: list[bytes]) -> None:
        """Go on from ``size`` leaves: the hashes of the partial tiles, and the last bundle's entries."""
        self._edge = {level: list(hashes) for level, hashes in edge.items()}
        self._size = size
        self._entries = list(entries)

    @property
    def size(self) -> TreeSize:
        """The number of leaves so far."""
        return TreeSize(self._size)

    def root(self) -> RootHash:
        """The root over the leaves so far."""
        return root_of_edge(self._edge, self._size)

    def edge(self) -> dict[int, list[bytes]]:
        """The hashes of the partial tiles, by level."""
        return {level: list(hashes) for level, hashes in self._edge.items() if hashes}

    def bundle(self) -> list[bytes]:
        """The entries of the partial bundle."""
        return list(self._entries)

    def add(self, entry: bytes) -> list[tuple[Tile, bytes]]:
        """Add the next entry; gives what became full with it."""
        number = self._size // WIDTH
        self._entries.append(entry)
        self._size += 1
        done: list[tuple[Tile, bytes]] = []
        if len(self._entries) == WIDTH:
            done.append((Tile(ENTRIES, number), encode_bundle(self._entries)))
            self._entries = []
        carry: bytes | None = leaf_hash(entry)
        level = 0
        while carry is not None:
            hashes = self._edge.setdefault(level, [])
            hashes.append(carry)
            carry = None
            if len(hashes) == WIDTH:
                done.append((Tile(level, number), b"".join(hashes)))
                carry = complete_root(hashes)
                self._edge[level] = []
                level, number = level + 1, number // WIDTH
        return done

    def partials(self) -> list[tuple[Tile, bytes]]:
        """The partial bundle and tiles of the tree as it stands."""
        tiles = [(tile, b"".join(self._edge[tile.level])) for tile in right_edge(self._size)]
        if self._entries:
            bundle = Tile(ENTRIES, self._size // WIDTH, len(self._entries))
            tiles.insert(0, (bundle, encode_bundle(self._entries)))
        return tiles

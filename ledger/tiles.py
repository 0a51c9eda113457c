"""Tiles: the tree and the entries as immutable files, and a reader that believes none of them.

Rules that hold here (C2SP tlog-tiles v0.1.0):

* A tile is 256 neighbouring hashes of one level; level 0 has leaf hashes, and each hash above is
  the root of a full tile below. An entry bundle is the 256 entries under a level-0 tile, each as
  uint16 big-endian length ‖ entry.
* The partial tile at level l of a tree of s leaves has floor(s / 256^l) mod 256 hashes; empty tiles
  do not exist. A narrower tile is the beginning of every wider one, so a store that keeps the
  widest can give them all.
* Paths are ``tile/<L>/<N>[.p/<W>]`` and ``tile/entries/<N>[.p/<W>]``, N in groups of three digits,
  all but the last prefixed ``x``: 1234067 is ``x001/x234/067``.
* :class:`TileReader` uses no hash before a chain of tiles leads from it to the checkpoint's root:
  first the right edge is folded into the root, then each full tile must hash to its place in the
  tile above; an entry must hash to its place in the level-0 tile.
"""

from __future__ import annotations

import re
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ledger.errors import BylagError, ErrorKind
from ledger.names import RootHash
from ledger.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    CompactRange,
    HashReader,
    Node,
    complete_root,
    leaf_hash,
)

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
ENTRIES: Final = -1
"""The level that stands for entry bundles."""
MAX_ENTRY_BYTES: Final = 65_535
MAX_BUNDLE_BYTES: Final = WIDTH * (MAX_ENTRY_BYTES + 2)

_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<groups>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?"
)


class MalformedTile(BylagError):
    """A tile, a bundle or a path does not have the form of one."""

    code = "MALFORMED_TILE"
    default_next_step = "Fetch the tile again, or ask the log's operator to run its check."


class NoSuchTile(BylagError):
    """The store has no such tile."""

    code = "NO_SUCH_TILE"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Ask for tiles below the size of the last checkpoint."


class ForgedTile(BylagError):
    """A tile or an entry does not belong to the tree that the checkpoint names."""

    code = "FORGED_TILE"
    kind = ErrorKind.DAMAGED
    default_next_step = "Keep the tile and the checkpoint: together they show that one was changed."


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's (or, at level :data:`ENTRIES`, a bundle's) place and width."""

    level: int
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Where it is served, below the log's prefix."""
        groups = [f"{self.number % 1000:03}"]
        rest = self.number // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        partial = f".p/{self.width}" if self.width < WIDTH else ""
        return f"tile/{level}/{'/'.join(groups)}{partial}"

    @property
    def full(self) -> Tile:
        """The same place, full."""
        return replace(self, width=WIDTH)


Fetch = Callable[[Tile], bytes]
"""Gives a tile's bytes, unchecked. Raises :class:`NoSuchTile`."""


def parse_path(path: str) -> Tile:
    """Read a tile's path in its one spelling. Raises :class:`MalformedTile`."""
    match = _PATH.fullmatch(path)
    if match is None or len(path) > 64:
        raise MalformedTile("this is not a tile's path")
    level = ENTRIES if match["level"] == "entries" else int(match["level"])
    number = int(match["groups"].replace("/", "").replace("x", ""))
    tile = Tile(level, number, int(match["width"] or WIDTH))
    if level > 63 or tile.path != path:
        raise MalformedTile("this is not a tile's path")
    return tile


def partial_width(level: int, size: int) -> int:
    """How wide the right-most, partial tile of a level is; 0 when there is none."""
    return (size >> (HEIGHT * max(level, 0))) % WIDTH


def right_edge(size: int) -> list[Tile]:
    """The partial hash tiles of a tree of ``size`` leaves, from level 0 up."""
    edge = []
    level, hashes = 0, size
    while hashes:
        if hashes % WIDTH:
            edge.append(Tile(level, hashes // WIDTH, hashes % WIDTH))
        level, hashes = level + 1, hashes // WIDTH
    return edge


def tiles_of(size: int, after: int = 0) -> Iterator[Tile]:
    """The tiles and bundles of a tree of ``size`` leaves that one of ``after`` leaves does not have.

    Bundles first, then hash tiles from level 0 up.
    """
    level = ENTRIES
    old, new = after, size
    while new:
        first = old // WIDTH
        for number in range(first, new // WIDTH):
            yield Tile(level, number)
        if new % WIDTH and new > old:
            yield Tile(level, new // WIDTH, new % WIDTH)
        if level != ENTRIES:
            old, new = old // WIDTH, new // WIDTH
        level += 1


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Up to 256 entries as one bundle. Raises :class:`MalformedTile` for an entry over 65,535 bytes."""
    if any(len(entry) > MAX_ENTRY_BYTES for entry in entries):
        raise MalformedTile(f"an entry has more than {MAX_ENTRY_BYTES} bytes")
    return b"".join(struct.pack(">H", len(entry)) + entry for entry in entries)


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """The ``width`` entries of a bundle, which holds exactly these. Raises :class:`MalformedTile`."""
    entries, at = _split_bundle(data, width)
    if at != len(data):
        raise MalformedTile("the bundle holds more than its entries")
    return entries


def narrow(data: bytes, tile: Tile) -> bytes:
    """The narrower ``tile`` out of the bytes of a wider one at the same place."""
    if tile.level == ENTRIES:
        return data[: _split_bundle(data, tile.width)[1]]
    return data[: tile.width * HASH_BYTES]


def decode_hashes(data: bytes, tile: Tile) -> list[bytes]:
    """A hash tile's hashes. Raises :class:`MalformedTile` when it is not exactly as wide as named."""
    if len(data) != tile.width * HASH_BYTES:
        raise MalformedTile(f"the tile has {len(data)} bytes, not {tile.width * HASH_BYTES}", field=tile.path)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


class TileReader:
    """Reads the tree of one checkpoint from tiles that are not to be trusted.

    Every hash and every entry it gives belongs to the tree with this size and root; anything else
    raises :class:`ForgedTile` or :class:`MalformedTile`. Keeps the last few tiles in memory.
    """

    def __init__(self, fetch: Fetch, size: int, root: RootHash, *, keep: int = 64) -> None:
        """Reads the right edge at once: a log whose edge does not fit the root cannot be opened."""
        self._fetch = fetch
        self._size = size
        self._keep = keep
        self._edge = {tile.level: decode_hashes(fetch(tile), tile) for tile in right_edge(size)}
        self._checked: OrderedDict[tuple[int, int], list[bytes]] = OrderedDict()
        if root_of_edge(self._edge, size) != root:
            raise ForgedTile("the right edge does not hash to the checkpoint's root")

    @property
    def size(self) -> int:
        """The number of leaves in the checkpoint's tree."""
        return self._size

    def hashes(self, nodes: Sequence[Node]) -> list[bytes]:
        """The hashes of complete subtrees: a :data:`ledger.tree.HashReader`."""
        return [self._node(node) for node in nodes]

    def edge(self) -> dict[int, list[bytes]]:
        """The hashes of the partial tiles, by level."""
        return {level: list(hashes) for level, hashes in self._edge.items()}

    def entry(self, index: int) -> bytes:
        """The entry at ``index``."""
        if not 0 <= index < self._size:
            raise NoSuchTile(f"a tree of {self._size} leaves has no leaf {index}")
        return self._bundle(index // WIDTH)[index % WIDTH]

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The entries from ``start`` up to ``stop`` (default: all), a bundle at a time."""
        end = self._size if stop is None else min(stop, self._size)
        for number in range(start // WIDTH, -(-end // WIDTH)):
            first = number * WIDTH
            yield from self._bundle(number)[max(start - first, 0) : end - first]

    def _node(self, node: Node) -> bytes:
        level, within = divmod(node.level, HEIGHT)
        first = node.number << within
        hashes = self._tile(level, first // WIDTH)
        start = first % WIDTH
        if start + (1 << within) > len(hashes):
            raise NoSuchTile("the tree is too small for this subtree")
        return complete_root(hashes[start : start + (1 << within)])

    def _tile(self, level: int, number: int) -> list[bytes]:
        width = self._size >> (HEIGHT * level)
        if number == width // WIDTH and level in self._edge:
            return self._edge[level]
        if number >= width // WIDTH:
            raise NoSuchTile("the tree is too small for this tile")
        known = self._checked.get((level, number))
        if known is None:
            known = self._check(Tile(level, number))
        self._checked[level, number] = known
        self._checked.move_to_end((level, number))
        while len(self._checked) > self._keep:
            self._checked.popitem(last=False)
        return known

    def _check(self, tile: Tile) -> list[bytes]:
        """Fetch a full tile; it must hash to its place in the tile above, which is checked first."""
        above = self._tile(tile.level + 1, tile.number // WIDTH)[tile.number % WIDTH]
        hashes = decode_hashes(self._fetch(tile), tile)
        if complete_root(hashes) != above:
            raise ForgedTile("the tile does not hash to its place in the tile above", field=tile.path)
        return hashes

    def _bundle(self, number: int) -> list[bytes]:
        expected = self._tile(0, number)
        tile = Tile(ENTRIES, number, len(expected))
        entries = decode_bundle(self._fetch(tile), tile.width)
        for at, entry in enumerate(entries):
            if leaf_hash(entry) != expected[at]:
                raise ForgedTile(f"entry {number * WIDTH + at} does not hash to its leaf", field=tile.path)
        return entries


def root_of_edge(edge: dict[int, list[bytes]], size: int) -> RootHash:
    """The root of the whole tree: its complete subtrees are those of the partial tiles, top down."""
    subtrees: list[bytes] = []
    for level in sorted(edge, reverse=True):
        hashes = edge[level]
        at = 0
        for bit in reversed(range(HEIGHT)):
            if len(hashes) & (1 << bit):
                subtrees.append(complete_root(hashes[at : at + (1 << bit)]))
                at += 1 << bit
    return CompactRange(size, subtrees).root() if size else EMPTY_ROOT


def _split_bundle(data: bytes, width: int) -> tuple[list[bytes], int]:
    entries, at = [], 0
    for _ in range(width):
        if at + 2 > len(data):
            raise MalformedTile("the bundle ends within its entries")
        length = struct.unpack_from(">H", data, at)[0]
        at += 2
        if at + length > len(data):
            raise MalformedTile("the bundle ends within its entries")
        entries.append(data[at : at + length])
        at += length
    return entries, at


def reader_of(hashes: Sequence[bytes]) -> HashReader:
    """A hash reader over leaf hashes in memory, for small trees."""

    def read(nodes: Sequence[Node]) -> list[bytes]:
        return [
            complete_root(hashes[node.number << node.level : (node.number + 1) << node.level])
            for node in nodes
        ]

    return read

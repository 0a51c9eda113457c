"""The full check of one's own log: everything is computed again from the entries.

Rules that hold here (LEDGER.md section 4):

* Each leaf must be a leaf, hash to its stored hash, and follow the one before in its chain.
* Each tile and bundle on disk must be, byte for byte, what the leaves give; the last stored
  checkpoint must be over these leaves, and so must every earlier one.
* It reports and changes nothing. Memory holds one head for each chain, not the log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.leaf import InvalidLeaf, chain_of, read
from ledger.note import VerifierKey
from ledger.publish import last_checkpoint
from ledger.tiles import MalformedTile, NoSuchTile, Tile
from ledger.tilestore import DiskStore, TileBuilder
from ledger.tree import leaf_hash


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, and a sentence."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Head:
    """The last leaf of a chain, as far as it was read."""

    aseq: int
    hash: bytes


def check_all(connection: sqlite3.Connection, store: DiskStore, key: VerifierKey) -> Iterator[Finding]:
    """Everything that is wrong with a log; nothing when all is well.

    Raises ``ledger.publish.LogMismatch`` when the last stored note is not this log's at all.
    """
    last = last_checkpoint(connection, key)
    covered = last.checkpoint.size if last is not None else 0
    roots: dict[int, bytes] = dict(connection.execute("SELECT size, root FROM checkpoint").fetchall())
    builder = TileBuilder({}, 0, [])
    heads: dict[str, Head] = {}
    rows = connection.execute("SELECT idx, hash, entry, chain, aseq FROM leaf ORDER BY idx")
    for index, stored, entry, chain, aseq in rows:
        if index != builder.size:
            yield Finding(f"leaf {builder.size}", "it is missing")
            return
        if leaf_hash(entry) != stored:
            yield Finding(f"leaf {index}", "its stored hash is not its hash")
        yield from _check_leaf(index, entry, chain, aseq, heads.get(chain))
        heads[chain] = Head(aseq, leaf_hash(entry))
        full = builder.add(entry)
        if index < covered:
            yield from _compare(store, full)
        if builder.size in roots and roots.pop(builder.size) != builder.root():
            yield Finding(f"checkpoint {builder.size}", "the leaves do not hash to its root")
        if builder.size == covered:
            yield from _compare(store, builder.partials())
    for size in sorted(roots):
        yield Finding(f"checkpoint {size}", f"it covers {size} leaves, the database has {builder.size}")


def _check_leaf(index: int, entry: bytes, chain: str, aseq: int, head: Head | None) -> Iterator[Finding]:
    where = f"leaf {index}"
    try:
        leaf = read(entry).members
    except InvalidLeaf as error:
        yield Finding(where, f"it is not a leaf: {error}")
        return
    if chain_of(leaf) not in {None, chain} or leaf["aseq"] != aseq:
        yield Finding(where, "it stands under another chain or number than it says")
    if aseq != (head.aseq + 1 if head else 1):
        yield Finding(where, f"its chain goes from {head.aseq if head else 0} to {aseq}")
    if isinstance(leaf["aprev"], str) and (head is None or leaf["aprev"] != head.hash.hex()):
        yield Finding(where, "it does not name the leaf before it in its chain")


def _compare(store: DiskStore, tiles: list[tuple[Tile, bytes]]) -> Iterator[Finding]:
    for tile, data in tiles:
        try:
            if store.read(tile) != data:
                yield Finding(tile.path, "the tile is not that of the leaves")
        except (NoSuchTile, MalformedTile) as error:
            yield Finding(tile.path, f"the tile cannot be read: {error}")

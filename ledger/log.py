"""The log in the database: append, and read back.

Rules that hold here:

* :func:`append` takes the caller's connection, runs inside the caller's transaction and never
  commits: a leaf is durable when the caller's commit is, together with whatever state it records.
* Nothing is remembered between calls. The next index and the chain's head are read from the
  table each time, so a rolled-back transaction or a second writer cannot leave a wrong memory.
  (``ledger.tail`` remembers them, within one transaction.)
* Indexes have no gaps and start at 0; leaf 0 is ``genesis`` and leaf 1 is ``key``.
* A leaf stands in its chain at the next ``aseq`` and names the hash of the one before, or is refused.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from ledger import leaf as leaf_schema
from ledger import tree
from ledger.ambient import Ambient
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError, ErrorKind
from ledger.leaf import NODE_CHAIN, InvalidLeaf, chain_of
from ledger.names import LeafHash, LeafIndex, Origin, TreeSize

_PAGE: Final = 4096


class BrokenChain(BylagError):
    """A leaf does not follow the head of its chain."""

    code = "BROKEN_CHAIN"
    kind = ErrorKind.CONFLICT
    default_next_step = "Read the chain's head in the same transaction, and build the leaf on it."


class NoSuchLeaf(BylagError):
    """The log has no leaf there."""

    code = "NO_SUCH_LEAF"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Ask for an index below the log's size."


class ChainHead(NamedTuple):
    """The last leaf of a chain: ``aseq`` 0 and no hash when the chain is empty."""

    aseq: int
    hash: LeafHash | None


@dataclass(frozen=True, slots=True)
class Appended:
    """Where a leaf stands, and its RFC 6962 leaf hash."""

    index: LeafIndex
    hash: LeafHash
    aseq: int


class LeafRow(NamedTuple):
    """A leaf as the table holds it."""

    idx: LeafIndex
    hash: LeafHash
    entry: bytes
    chain: str
    aseq: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf as stored: the bytes that are hashed and published."""

    index: LeafIndex
    hash: LeafHash
    bytes: bytes


def start(
    connection: sqlite3.Connection,
    *,
    space: str,
    by: JSON,
    origin: Origin,
    verifier_key: str,
    ambient: Ambient,
) -> tuple[Appended, Appended]:
    """Begin a log with its two first leaves: ``genesis`` names the origin, ``key`` the note key.

    Two, because a COSE receipt cannot express a tree of one leaf (LEDGER.md section 1).
    """
    genesis = leaf_schema.build(
        "genesis", space=space, by=by, aseq=1, aprev=None, ambient=ambient, origin=origin
    )
    first = append(connection, genesis, NODE_CHAIN)
    key = leaf_schema.build(
        "key",
        space=space,
        by=by,
        aseq=2,
        aprev=first.hash,
        ambient=ambient,
        key={"use": "log", "verifier": verifier_key},
    )
    return first, append(connection, key, NODE_CHAIN)


def chain_head(connection: sqlite3.Connection, chain: str) -> ChainHead:
    """The last leaf of ``chain``, as the caller's transaction sees it."""
    row = connection.execute(
        "SELECT aseq, hash FROM leaf WHERE chain = ? ORDER BY aseq DESC LIMIT 1", (chain,)
    ).fetchone()
    return ChainHead(row[0], LeafHash(row[1])) if row else ChainHead(0, None)


def append(connection: sqlite3.Connection, leaf: JSONObject, chain: str) -> Appended:
    """Put ``leaf`` at the end of the log and of ``chain``. Does not commit.

    Raises :class:`~ledger.leaf.InvalidLeaf` for what may not stand in a leaf, :class:`BrokenChain`
    when it does not follow the chain's head or belongs to another chain.
    """
    row = placed(leaf, chain, chain_head(connection, chain), size(connection))
    insert(connection, [row])
    return Appended(row.idx, row.hash, row.aseq)


def placed(leaf: JSONObject, chain: str, head: ChainHead, size: TreeSize) -> LeafRow:
    """Check ``leaf`` and its place after ``head`` in a log of ``size`` leaves; the row to insert there.

    Raises what :func:`append` raises.
    """
    entry = leaf_schema.encode(leaf)
    own_chain = chain_of(leaf)
    if own_chain is not None and own_chain != chain:
        raise BrokenChain(f"this leaf belongs to the chain {own_chain!r}", field="agreement")
    _check_place(leaf, head)
    _check_opening(leaf, chain, head, size)
    return LeafRow(LeafIndex(size), tree.leaf_hash(entry), entry, chain, head.aseq + 1)


def insert(connection: sqlite3.Connection, rows: Sequence[LeafRow]) -> None:
    """Insert rows that :func:`placed` made. Does not commit."""
    insert_rows(connection, "INSERT INTO leaf (idx, hash, entry, chain, aseq)", rows)


def insert_rows(connection: sqlite3.Connection, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert many rows by few statements, of a few different lengths that SQLite prepares once."""
    start = 0
    while start < len(rows):
        count = 1 << min(len(rows) - start, 64).bit_length() - 1
        values = ",".join([f"({','.join('?' * len(rows[0]))})"] * count)
        parameters = list(itertools.chain.from_iterable(rows[start : start + count]))
        connection.execute(f"{sql} VALUES {values}", parameters)
        start += count


def size(connection: sqlite3.Connection) -> TreeSize:
    """The number of leaves, as the caller's transaction sees it."""
    last = connection.execute("SELECT max(idx) FROM leaf").fetchone()[0]
    return TreeSize(0 if last is None else last + 1)


def entry(connection: sqlite3.Connection, index: int) -> Entry:
    """The leaf at ``index``. Raises :class:`NoSuchLeaf`."""
    row = connection.execute("SELECT hash, entry FROM leaf WHERE idx = ?", (index,)).fetchone()
    if row is None:
        raise NoSuchLeaf(f"the log has no leaf {index}")
    return Entry(LeafIndex(index), LeafHash(row[0]), row[1])


def find(connection: sqlite3.Connection, chain: str, leaf_hash: bytes) -> Entry:
    """The leaf of ``chain`` with this hash, searched from the newest back. Raises :class:`NoSuchLeaf`."""
    row = connection.execute(
        "SELECT idx, entry FROM leaf WHERE chain = ? AND hash = ? ORDER BY aseq DESC LIMIT 1",
        (chain, leaf_hash),
    ).fetchone()
    if row is None:
        raise NoSuchLeaf(f"the chain has no leaf with the hash {leaf_hash.hex()}")
    return Entry(LeafIndex(row[0]), LeafHash(leaf_hash), row[1])


def entries(connection: sqlite3.Connection, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
    """Leaves ``start`` up to, not including, ``stop`` (default: the log's end), in order.

    Reads in pages, so the memory used does not grow with the log.
    """
    end = size(connection) if stop is None else stop
    while start < end:
        rows = connection.execute(
            "SELECT idx, hash, entry FROM leaf WHERE idx >= ? AND idx < ? ORDER BY idx LIMIT ?",
            (start, end, _PAGE),
        ).fetchall()
        if not rows:
            return
        for index, leaf_hash, data in rows:
            yield Entry(LeafIndex(index), LeafHash(leaf_hash), data)
        start = rows[-1][0] + 1


def by_chain(connection: sqlite3.Connection, chain: str, after: int = 0) -> Iterator[Entry]:
    """The leaves of ``chain`` whose ``aseq`` is greater than ``after``, in order; in pages."""
    while True:
        rows = connection.execute(
            "SELECT aseq, idx, hash, entry FROM leaf WHERE chain = ? AND aseq > ? ORDER BY aseq LIMIT ?",
            (chain, after, _PAGE),
        ).fetchall()
        if not rows:
            return
        for _, index, leaf_hash, data in rows:
            yield Entry(LeafIndex(index), LeafHash(leaf_hash), data)
        after = rows[-1][0]


def at(connection: sqlite3.Connection, chain: str, aseq: int) -> Entry:
    """The leaf at one place of a chain. Raises :class:`NoSuchLeaf`."""
    row = connection.execute(
        "SELECT idx, hash, entry FROM leaf WHERE chain = ? AND aseq = ?", (chain, aseq)
    ).fetchone()
    if row is None:
        raise NoSuchLeaf(f"the chain has no leaf {aseq}")
    return Entry(LeafIndex(row[0]), LeafHash(row[1]), row[2])


def chains(connection: sqlite3.Connection) -> Iterator[tuple[str, ChainHead]]:
    """Every chain with its head, in the order of their names."""
    cursor = connection.execute("SELECT chain, max(aseq), hash FROM leaf GROUP BY chain ORDER BY chain")
    for chain, aseq, leaf_hash in cursor:
        yield chain, ChainHead(aseq, LeafHash(leaf_hash))


def _check_place(leaf: JSONObject, head: ChainHead) -> None:
    if leaf["aseq"] != head.aseq + 1:
        raise BrokenChain(f"the chain's next place is {head.aseq + 1}", field="aseq")
    # A committed aprev (a chain with a citizen) can be checked only where its opening is at hand.
    if head.hash is not None and isinstance(leaf["aprev"], str) and leaf["aprev"] != head.hash.hex():
        raise BrokenChain("aprev is not the hash of the chain's last leaf", field="aprev")


def _check_opening(leaf: JSONObject, chain: str, head: ChainHead, size: TreeSize) -> None:
    """A log opens with ``genesis`` and then ``key``."""
    kind = leaf["type"]
    if kind == "genesis":
        if size != 0:
            raise InvalidLeaf("a log has one genesis leaf, its first", field="type")
        return
    if chain == NODE_CHAIN and head.aseq == 1 and kind != "key":
        raise InvalidLeaf("the second leaf of a log is its key", field="type")
    if head.aseq == 0 and size < 2:
        raise InvalidLeaf("a log starts with a genesis leaf and a key leaf", field="type")

"""The Merkle tree of RFC 6962: hashing, and inclusion and consistency proofs, made and checked.

Rules that hold here (RFC 6962 section 2.1, RFC 9162 section 2.1):

* The empty tree's root is SHA-256 of nothing; a leaf's hash is SHA-256(0x00 ‖ entry); an inner
  node's is SHA-256(0x01 ‖ left ‖ right). The left part of a tree of n leaves has the largest power
  of two below n.
* A *node* (level, number) is the complete subtree over leaves [number * 2^level, (number+1) * 2^level).
  Every root and proof hash is put together from nodes, which a :data:`HashReader` gives: so the
  same code proves from a list in memory, from tiles on disk, and from tiles that a stranger serves.
* Making a proof asks the reader once, for all nodes together.
* Checking a proof needs no reader and raises :class:`BadProof` for whatever does not add up.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from ledger.errors import BylagError
from ledger.names import LeafHash, RootHash, TreeSize

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = RootHash(hashlib.sha256(b"").digest())


class BadProof(BylagError):
    """A proof does not lead from what it proves to the root."""

    code = "BAD_PROOF"
    default_next_step = "Ask the log for the proof again; if it stays wrong, show it to an auditor."


class Node(NamedTuple):
    """A complete subtree of 2^level leaves, the ``number``-th of its level, from 0."""

    level: int
    number: int


HashReader = Callable[[Sequence[Node]], Sequence[bytes]]
"""Gives the hashes of complete subtrees, in the order asked for."""


def leaf_hash(entry: bytes) -> LeafHash:
    """SHA-256(0x00 ‖ entry): RFC 6962 section 2.1."""
    return LeafHash(hashlib.sha256(b"\x00" + entry).digest())


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right): RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_root(hashes: Sequence[bytes]) -> bytes:
    """The root over 2^n neighbouring nodes of one level."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def nodes_of(start: int, stop: int) -> Iterator[Node]:
    """The fewest complete subtrees that together span leaves ``start`` up to ``stop``, left to right."""
    while start < stop:
        level = min((start & -start).bit_length() - 1 if start else 63, (stop - start).bit_length() - 1)
        yield Node(level, start >> level)
        start += 1 << level


def root(size: int, read: HashReader) -> RootHash:
    """The root of the tree over the first ``size`` leaves."""
    return RootHash(_hashes_of([(0, size)], read)[0]) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: HashReader) -> list[bytes]:
    """PATH(index, D[size]): RFC 6962 section 2.1.1, the leaf's sibling first."""
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}", field="index")
    return _hashes_of(list(_path(index, 0, size)), read)


def consistency_proof(old: int, new: int, read: HashReader) -> list[bytes]:
    """PROOF(old, D[new]): RFC 6962 section 2.1.2. Empty when ``old`` is 0 or ``new``."""
    if not 0 <= old <= new:
        raise BadProof(f"no tree of {old} leaves grows into one of {new}", field="old")
    if old in {0, new}:
        return []
    return _hashes_of(list(_subproof(old, 0, new, known=True)), read)


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> RootHash:
    """The root that ``proof`` leads to from ``leaf`` at ``index``: RFC 9162 section 2.1.3.2.

    Raises :class:`BadProof` when the proof has the wrong length.
    """
    if not 0 <= index < size:
        raise BadProof(f"a tree of {size} leaves has no leaf {index}", field="index")
    at, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise BadProof("the proof is too long", field="proof")
        if at & 1 or at == last:
            result = node_hash(sibling, result)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise BadProof("the proof is too short", field="proof")
    return RootHash(result)


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> None:
    """Check that ``leaf`` stands at ``index`` of the tree with this size and root."""
    if root_from_inclusion(leaf, index, size, proof) != expected:
        raise BadProof("the proof leads to another root", field="proof")


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of ``new`` leaves begins with the one of ``old``: RFC 9162 section 2.1.4.2."""
    if not 0 <= old <= new:
        raise BadProof(f"no tree of {old} leaves grows into one of {new}", field="old")
    if old in {0, new}:
        if proof:
            raise BadProof("this proof should be empty", field="proof")
        if old_root != (new_root if old == new else EMPTY_ROOT):
            raise BadProof("the two roots differ", field="root")
        return
    _check_growth(old, new, proof, old_root, new_root)


class CompactRange:
    """The roots of the complete subtrees of a growing tree: enough for its root, in O(log n) memory."""

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Go on from a tree of ``size`` leaves whose :func:`nodes_of` have these hashes."""
        self._size = size
        self._hashes = list(hashes)
        if len(self._hashes) != size.bit_count():
            raise BadProof(f"a tree of {size} leaves has {size.bit_count()} complete subtrees")

    @property
    def size(self) -> TreeSize:
        """The number of leaves so far."""
        return TreeSize(self._size)

    def append(self, leaf: bytes) -> None:
        """Add the hash of the next leaf."""
        merging, result = self._size, leaf
        while merging & 1:
            result = node_hash(self._hashes.pop(), result)
            merging >>= 1
        self._hashes.append(result)
        self._size += 1

    def root(self) -> RootHash:
        """The root over the leaves so far."""
        return _fold(self._hashes) if self._hashes else EMPTY_ROOT


def _check_growth(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    rest = list(proof)
    if old & (old - 1) == 0:  # the old tree is complete: its root begins the path
        rest.insert(0, old_root)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    if not rest:
        raise BadProof("the proof is too short", field="proof")
    first = second = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            raise BadProof("the proof is too long", field="proof")
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    if last != 0:
        raise BadProof("the proof is too short", field="proof")
    if first != old_root:
        raise BadProof("the proof leads to another old root", field="proof")
    if second != new_root:
        raise BadProof("the proof leads to another new root", field="proof")


def _split(start: int, stop: int) -> int:
    """Where the left part ends: the largest power of two below the number of leaves."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def _path(index: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    if stop - start <= 1:
        return
    middle = _split(start, stop)
    if index < middle:
        yield from _path(index, start, middle)
        yield middle, stop
    else:
        yield from _path(index, middle, stop)
        yield start, middle


def _subproof(old: int, start: int, stop: int, *, known: bool) -> Iterator[tuple[int, int]]:
    if old == stop:
        if not known:
            yield start, stop
        return
    middle = _split(start, stop)
    if old <= middle:
        yield from _subproof(old, start, middle, known=known)
        yield middle, stop
    else:
        yield from _subproof(old, middle, stop, known=False)
        yield start, middle


def _hashes_of(ranges: list[tuple[int, int]], read: HashReader) -> list[bytes]:
    """The tree hash of each range of leaves, from one question to the reader."""
    wanted = [list(nodes_of(start, stop)) for start, stop in ranges]
    found = iter(read([node for nodes in wanted for node in nodes]))
    return [_fold([next(found) for _ in nodes]) for nodes in wanted]


def _fold(hashes: Sequence[bytes]) -> RootHash:
    """Join neighbouring subtrees, smallest (rightmost) first."""
    result = hashes[-1]
    for left in reversed(hashes[:-1]):
        result = node_hash(left, result)
    return RootHash(result)

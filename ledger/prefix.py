"""A padded Merkle prefix tree: who was in a release, so that "in" and "not in" cannot both be proved.

Rules that hold here (LEDGER.md section 2, "Who was in a release"):

* A label is 16 bytes and has one place: its bits, the most significant first, lead from the root.
  A leaf is SHA-256(0x10 ‖ label ‖ value, if any), an inner node SHA-256(0x11 ‖ left ‖ right), an
  empty subtree SHA-256(0x12), and a subtree with one label is its leaf.
* The set is padded to the next power of two, at least 64, with labels HMAC(key, domain ‖ uint32
  i)[:16], so that the root and the shape of a proof do not tell how many people there were.
* A proof is what stands where the label's path ends, and the siblings on the way. A label is in when
  its own leaf stands there, and not in when the place is empty or another label's leaf stands there.
* The nodes are stored (:meth:`PrefixTree.to_bytes`), so proofs outlive the keys; a forgotten label
  leaves its leaf's hash (:meth:`PrefixTree.forget`).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Union

from ledger.errors import BylagError, ErrorKind
from ledger.names import RootHash
from ledger.tree import BadProof

LABEL_BYTES: Final = 16
LABEL_BITS: Final = LABEL_BYTES * 8
LEAST: Final = 64
MAX_VALUE_BYTES: Final = 64
PAD_WINDOW: Final = b"bylag/pad/v1"
"""Padding of one window's labels, with that window's frame key."""
PAD_EXCHANGE: Final = b"bylag/pad-all/v1"
"""Padding of a whole exchange's labels, with the last window's frame key."""
MEMBER: Final = b"bylag/member/v1"

_EMPTY_HASH: Final = hashlib.sha256(b"\x12").digest()
_INNER, _LEAF, _EMPTY, _FORGOTTEN = 0x11, 0x10, 0x12, 0x13


class BadLabels(BylagError):
    """A label or a stored tree does not have the form of one."""

    code = "BAD_LABELS"
    default_next_step = "Give labels of 16 bytes, each once."


class Unprovable(BylagError):
    """The proof would have to show a label that was erased."""

    code = "UNPROVABLE"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "The label next to this one was erased; prove by another window's tree."


@dataclass(frozen=True, slots=True)
class Leaf:
    """One label with its value; ``label`` is None when it was forgotten and only the hash is left."""

    hash: bytes
    label: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Inner:
    """A subtree with two labels or more."""

    hash: bytes
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Empty:
    """A subtree without labels."""

    hash: bytes = _EMPTY_HASH


Node = Union[Leaf, Inner, Empty]
_NOTHING: Final = Empty()


@dataclass(frozen=True, slots=True)
class PrefixProof:
    """What stands at the end of a label's path, and the siblings from the root down.

    ``found`` is the (label, value) of the leaf there, None when the place is empty.
    """

    found: tuple[bytes, bytes] | None
    siblings: tuple[bytes, ...]


class PrefixTree:
    """The tree over a set of labels, each with a value (empty where there is none)."""

    def __init__(self, top: Node) -> None:
        self._top = top

    @classmethod
    def of(cls, labels: Mapping[bytes, bytes] | Iterable[bytes]) -> PrefixTree:
        """The tree over these labels, as they are: pad them before (:func:`padded`)."""
        if isinstance(labels, Mapping):
            pairs = sorted(labels.items())
        else:
            pairs = sorted((label, b"") for label in labels)
        for at, (label, value) in enumerate(pairs):
            if len(label) != LABEL_BYTES or len(value) > MAX_VALUE_BYTES:
                raise BadLabels(f"a label has {LABEL_BYTES} bytes, a value at most {MAX_VALUE_BYTES}")
            if at and pairs[at - 1][0] == label:
                raise BadLabels("a label stands twice")
        return cls(_build(pairs, 0))

    @property
    def root(self) -> RootHash:
        """The root, which a Commit or End signs."""
        return RootHash(self._top.hash)

    def prove(self, label: bytes) -> PrefixProof:
        """The proof that ``label`` is in, or not in, whichever is so. Raises :class:`Unprovable`."""
        _check_label(label)
        node, siblings, depth = self._top, [], 0
        while isinstance(node, Inner):
            here, other = (node.right, node.left) if _bit(label, depth) else (node.left, node.right)
            siblings.append(other.hash)
            node, depth = here, depth + 1
        if isinstance(node, Empty):
            return PrefixProof(None, tuple(siblings))
        if node.label is None:
            if node.hash != _leaf_hash(label, node.value):
                raise Unprovable("the label that stands there was erased")
            return PrefixProof((label, node.value), tuple(siblings))
        return PrefixProof((node.label, node.value), tuple(siblings))

    def forget(self, label: bytes) -> PrefixTree:
        """The same tree, with the same root, that no longer holds ``label`` but its leaf's hash."""
        _check_label(label)
        return PrefixTree(_forget(self._top, label, 0))

    def labels(self) -> Iterator[bytes]:
        """Every label that is not forgotten, padding included, in order."""
        stack = [self._top]
        while stack:
            node = stack.pop()
            if isinstance(node, Inner):
                stack += [node.right, node.left]
            elif isinstance(node, Leaf) and node.label is not None:
                yield node.label

    def to_bytes(self) -> bytes:
        """The tree for storing: its nodes in pre-order."""
        parts: list[bytes] = []
        stack = [self._top]
        while stack:
            node = stack.pop()
            if isinstance(node, Inner):
                parts.append(bytes([_INNER]))
                stack += [node.right, node.left]
            elif isinstance(node, Empty):
                parts.append(bytes([_EMPTY]))
            elif node.label is None:
                parts.append(bytes([_FORGOTTEN]) + node.hash + bytes([len(node.value)]) + node.value)
            else:
                parts.append(bytes([_LEAF]) + node.label + bytes([len(node.value)]) + node.value)
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> PrefixTree:
        """Read what :meth:`to_bytes` wrote. Raises :class:`BadLabels`."""
        node, end = _read(data, 0, 0)
        if end != len(data):
            raise BadLabels("the stored tree has more bytes than nodes")
        return cls(node)


def member_label(secret: bytes, exchange: str) -> bytes:
    """A person's label in an exchange: HMAC(k, "bylag/member/v1" ‖ exchange id), 16 bytes of it."""
    return hmac.digest(secret, MEMBER + exchange.encode(), hashlib.sha256)[:LABEL_BYTES]


def padded(labels: Collection[bytes], key: bytes, domain: bytes = PAD_WINDOW) -> set[bytes]:
    """The labels and as much padding as fills them up to the next power of two, at least 64."""
    everything = set(labels)
    goal = max(LEAST, 1 << (len(everything) - 1).bit_length()) if everything else LEAST
    number = 0
    while len(everything) < goal:
        everything.add(hmac.digest(key, domain + struct.pack(">I", number), hashlib.sha256)[:LABEL_BYTES])
        number += 1
    return everything


def padded_root(labels: Collection[bytes], key: bytes, domain: bytes = PAD_WINDOW) -> RootHash:
    """The root over the padded set: what provider and consumer both compute."""
    return PrefixTree.of(padded(labels, key, domain)).root


def check(root: bytes, label: bytes, proof: PrefixProof) -> bytes | None:
    """Check a proof for ``label`` under ``root``: its value when it is in, None when it is not.

    Raises :class:`~ledger.tree.BadProof`.
    """
    _check_label(label)
    if len(proof.siblings) > LABEL_BITS:
        raise BadProof("the proof is longer than a label", field="siblings")
    if proof.found is None:
        result = _EMPTY_HASH
    else:
        other, value = proof.found
        if len(other) != LABEL_BYTES or _common_bits(other, label) < len(proof.siblings):
            raise BadProof("the leaf shown does not stand on the label's path", field="found")
        result = _leaf_hash(other, value)
    for depth in reversed(range(len(proof.siblings))):
        sibling = proof.siblings[depth]
        result = _inner_hash(sibling, result) if _bit(label, depth) else _inner_hash(result, sibling)
    if result != root:
        raise BadProof("the proof leads to another root", field="siblings")
    return proof.found[1] if proof.found is not None and proof.found[0] == label else None


def _build(pairs: list[tuple[bytes, bytes]], depth: int) -> Node:
    if not pairs:
        return _NOTHING
    if len(pairs) == 1:
        label, value = pairs[0]
        return Leaf(_leaf_hash(label, value), label, value)
    low, high = 0, len(pairs)
    while low < high:  # the first label whose bit at this depth is one; they are sorted
        middle = (low + high) // 2
        if _bit(pairs[middle][0], depth):
            high = middle
        else:
            low = middle + 1
    left, right = _build(pairs[:low], depth + 1), _build(pairs[low:], depth + 1)
    return Inner(_inner_hash(left.hash, right.hash), left, right)


def _forget(node: Node, label: bytes, depth: int) -> Node:
    if isinstance(node, Inner):
        if _bit(label, depth):
            return Inner(node.hash, node.left, _forget(node.right, label, depth + 1))
        return Inner(node.hash, _forget(node.left, label, depth + 1), node.right)
    if isinstance(node, Leaf) and node.label == label:
        return Leaf(node.hash, None, node.value)
    return node


def _read(data: bytes, at: int, depth: int) -> tuple[Node, int]:
    if at >= len(data) or depth > LABEL_BITS:
        raise BadLabels("the stored tree ends too early or is too deep")
    kind, at = data[at], at + 1
    if kind == _EMPTY:
        return _NOTHING, at
    if kind == _INNER:
        left, at = _read(data, at, depth + 1)
        right, at = _read(data, at, depth + 1)
        return Inner(_inner_hash(left.hash, right.hash), left, right), at
    if kind not in {_LEAF, _FORGOTTEN}:
        raise BadLabels("the stored tree holds an unknown node")
    width = LABEL_BYTES if kind == _LEAF else 32
    name, at = data[at : at + width], at + width
    length = data[at] if at < len(data) else 0
    value, at = data[at + 1 : at + 1 + length], at + 1 + length
    if at > len(data):
        raise BadLabels("the stored tree ends within a node")
    if kind == _LEAF:
        return Leaf(_leaf_hash(name, value), name, value), at
    return Leaf(name, None, value), at


def _leaf_hash(label: bytes, value: bytes) -> bytes:
    return hashlib.sha256(b"\x10" + label + value).digest()


def _inner_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x11" + left + right).digest()


def _bit(label: bytes, depth: int) -> int:
    """The bit at ``depth``, the most significant first."""
    return label[depth >> 3] >> (7 - (depth & 7)) & 1


def _common_bits(one: bytes, other: bytes) -> int:
    different = int.from_bytes(one) ^ int.from_bytes(other)
    return LABEL_BITS - different.bit_length()


def _check_label(label: bytes) -> None:
    if len(label) != LABEL_BYTES:
        raise BadLabels(f"a label has {LABEL_BYTES} bytes")

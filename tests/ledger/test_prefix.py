"""The padded prefix tree: a label is in or it is not, and nobody can prove both."""

from __future__ import annotations

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.prefix import (
    LABEL_BYTES,
    LEAST,
    PAD_EXCHANGE,
    BadLabels,
    PrefixProof,
    PrefixTree,
    Unprovable,
    check,
    member_label,
    padded,
    padded_root,
)
from ledger.tree import BadProof

LABELS = st.binary(min_size=LABEL_BYTES, max_size=LABEL_BYTES)
# Labels that share long beginnings, which random ones never do.
CLOSE = st.integers(0, 40).map(lambda number: b"\xaa" * 15 + bytes([number]))
SETS = st.sets(LABELS | CLOSE, max_size=40)
KEY = b"k" * 32


def naive_root(labels: list[bytes], depth: int = 0) -> bytes:
    if not labels:
        return hashlib.sha256(b"\x12").digest()
    if len(labels) == 1:
        return hashlib.sha256(b"\x10" + labels[0]).digest()
    sides: list[list[bytes]] = [[], []]
    for label in labels:
        sides[int(format(int.from_bytes(label), "0128b")[depth])].append(label)
    return hashlib.sha256(
        b"\x11" + naive_root(sides[0], depth + 1) + naive_root(sides[1], depth + 1)
    ).digest()


@given(SETS)
def test_the_root_is_that_of_the_definition(labels: set[bytes]) -> None:
    assert PrefixTree.of(labels).root == naive_root(sorted(labels))


@given(SETS, LABELS | CLOSE)
def test_every_label_is_proved_in_or_not_in_as_it_is(labels: set[bytes], other: bytes) -> None:
    tree = PrefixTree.of(labels)
    for label in [*labels, other]:
        assert (check(tree.root, label, tree.prove(label)) is not None) == (label in labels)


@given(st.dictionaries(LABELS, st.binary(min_size=1, max_size=32), min_size=1, max_size=10))
def test_a_value_is_proved_with_its_label(values: dict[bytes, bytes]) -> None:
    tree = PrefixTree.of(values)
    for label, value in values.items():
        proof = tree.prove(label)
        assert check(tree.root, label, proof) == value
        with pytest.raises(BadProof):
            check(tree.root, label, PrefixProof((label, value + b"x"), proof.siblings))


@given(st.sets(LABELS | CLOSE, min_size=2, max_size=30), st.data())
def test_a_label_that_is_in_cannot_be_proved_out_and_the_other_way_round(
    labels: set[bytes], data: st.DataObject
) -> None:
    """Any proof that the tree gives for any label, shown for any other: it proves nothing false."""
    tree = PrefixTree.of(labels)
    shown_for = data.draw(st.sampled_from(sorted(labels)) | LABELS | CLOSE)
    made_for = data.draw(st.sampled_from(sorted(labels)) | LABELS | CLOSE)
    proof = tree.prove(made_for)
    forgeries = [proof, PrefixProof(None, proof.siblings), PrefixProof((shown_for, b""), proof.siblings)]
    forgeries += [
        PrefixProof(proof.found, proof.siblings[:-1]),
        PrefixProof(proof.found, (*proof.siblings, bytes(32))),
    ]
    forgeries += [PrefixProof(None, tuple(reversed(proof.siblings))), PrefixProof(None, ())]
    for forged in forgeries:
        try:
            result = check(tree.root, shown_for, forged)
        except BadProof:
            continue
        assert (result is not None) == (shown_for in labels)


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 129, 1000])
def test_padding_hides_how_many_there_are(count: int) -> None:
    labels = {hashlib.sha256(b"%d" % number).digest()[:16] for number in range(count)}
    everything = padded(labels, KEY)
    assert labels <= everything
    assert len(everything) == next(size for size in (64, 128, 256, 512, 1024) if size >= max(count, LEAST))


def test_both_sides_compute_the_same_root_and_others_cannot() -> None:
    labels = [hashlib.sha256(b"%d" % number).digest()[:16] for number in range(70)]
    root = padded_root(labels, KEY)
    assert padded_root(list(reversed(labels)), KEY) == root
    assert padded_root(labels, b"x" * 32) != root
    assert padded_root(labels, KEY, PAD_EXCHANGE) != root
    assert padded_root(labels[:-1], KEY) != root


def test_a_persons_label_differs_in_every_exchange() -> None:
    secret = b"s" * 32
    assert len({member_label(secret, f"exchange-{number}") for number in range(20)}) == 20
    assert len(member_label(secret, "x")) == LABEL_BYTES
    assert member_label(secret, "x") != member_label(b"t" * 32, "x")


@given(SETS)
def test_the_stored_nodes_give_the_same_proofs_without_any_key(labels: set[bytes]) -> None:
    tree = PrefixTree.of(padded(labels, KEY))
    stored = PrefixTree.from_bytes(tree.to_bytes())
    assert stored.root == tree.root
    assert list(stored.labels()) == sorted(padded(labels, KEY))
    for label in list(labels)[:5]:
        assert stored.prove(label) == tree.prove(label)


@given(st.sets(LABELS, min_size=3, max_size=20))
def test_a_forgotten_label_is_in_no_stored_byte_and_all_other_proofs_stand(labels: set[bytes]) -> None:
    forgotten, *others = sorted(labels)
    tree = PrefixTree.of(labels)
    without = PrefixTree.from_bytes(tree.forget(forgotten).to_bytes())
    assert forgotten in tree.to_bytes()
    assert forgotten not in without.to_bytes()
    assert without.root == tree.root
    for label in others:
        assert check(without.root, label, without.prove(label)) is not None
    # Whoever still holds the label, the person, can be shown that it was in.
    assert check(without.root, forgotten, without.prove(forgotten)) is not None
    neighbour = bytes([*forgotten[:-1], forgotten[-1] ^ 1])
    if neighbour not in labels:
        with pytest.raises(Unprovable):
            without.prove(neighbour)


@given(st.binary(max_size=60))
def test_no_bytes_make_the_stored_reader_fail_in_another_way(data: bytes) -> None:
    with suppress(BadLabels):
        assert PrefixTree.from_bytes(data).to_bytes() == data


def test_a_stored_tree_is_not_deeper_than_a_label() -> None:
    with pytest.raises(BadLabels):
        PrefixTree.from_bytes(b"\x11" * 100_000)


@pytest.mark.parametrize("labels", [[b"short"], [b"a" * 16, b"a" * 16], [b"x" * 17]])
def test_labels_have_sixteen_bytes_and_stand_once(labels: list[bytes]) -> None:
    with pytest.raises(BadLabels):
        PrefixTree.of(labels)


def test_a_proof_is_not_longer_than_a_label() -> None:
    with pytest.raises(BadProof):
        check(bytes(32), b"a" * 16, PrefixProof(None, (bytes(32),) * 129))
    with pytest.raises(BadLabels):
        check(bytes(32), b"a", PrefixProof(None, ()))


def test_a_label_that_stands_in_another_place_proves_nothing() -> None:
    """A tree made by a cheat: a label that begins with a one-bit stands on the left."""
    misplaced, other, asked = b"\xff" * 16, b"\x80" + bytes(15), bytes(16)

    def leaf(label: bytes) -> bytes:
        return hashlib.sha256(b"\x10" + label).digest()

    root = hashlib.sha256(b"\x11" + leaf(misplaced) + leaf(other)).digest()
    with pytest.raises(BadProof, match="does not stand on the label's path"):
        check(root, asked, PrefixProof((misplaced, b""), (leaf(other),)))

"""The Merkle tree against RFC 6962, read naively, and against whoever forges a proof."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import tree
from ledger.tiles import reader_of
from ledger.tree import BadProof, CompactRange, Node
from tests.ledger import naive

# The reference vectors of RFC 6962 implementations: eight inputs, and the roots of their prefixes.
INPUTS = [
    bytes.fromhex(each)
    for each in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

SIZES = st.integers(1, 130)


def entries_of(size: int) -> list[bytes]:
    return [f"entry {number}".encode() for number in range(size)]


def reader(entries: list[bytes]) -> tree.HashReader:
    return reader_of([tree.leaf_hash(entry) for entry in entries])


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert tree.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.root(0, reader([])) == tree.EMPTY_ROOT
    assert CompactRange().root() == tree.EMPTY_ROOT


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots_are_met(size: int) -> None:
    assert tree.root(size, reader(INPUTS[:size])).hex() == ROOTS[size - 1]
    growing = CompactRange()
    for entry in INPUTS[:size]:
        growing.append(tree.leaf_hash(entry))
    assert growing.root().hex() == ROOTS[size - 1]


@given(SIZES)
def test_roots_are_those_of_the_definition(size: int) -> None:
    entries = entries_of(size)
    assert tree.root(size, reader(entries)) == naive.root(entries)


@given(SIZES, st.data())
def test_inclusion_proofs_are_those_of_the_definition_and_check(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index, size, reader(entries))
    assert proof == naive.path(index, entries)
    tree.check_inclusion(tree.leaf_hash(entries[index]), index, size, proof, naive.root(entries))


@given(SIZES, st.data())
def test_consistency_proofs_are_those_of_the_definition_and_check(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    old = data.draw(st.integers(1, size))
    proof = tree.consistency_proof(old, size, reader(entries))
    assert proof == naive.proof(old, entries)
    tree.check_consistency(old, size, proof, naive.root(entries[:old]), naive.root(entries))


def test_everything_grows_out_of_the_empty_tree() -> None:
    root = naive.root(entries_of(5))
    assert tree.consistency_proof(0, 5, reader(entries_of(5))) == []
    tree.check_consistency(0, 5, [], tree.EMPTY_ROOT, root)
    with pytest.raises(BadProof):
        tree.check_consistency(0, 5, [], root, root)
    with pytest.raises(BadProof):
        tree.check_consistency(0, 5, [root], tree.EMPTY_ROOT, root)


@given(SIZES, st.data())
def test_a_forged_inclusion_proof_is_refused(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    index = data.draw(st.integers(0, size - 1))
    proof = tree.inclusion_proof(index, size, reader(entries))
    root, leaf = naive.root(entries), tree.leaf_hash(entries[index])

    with pytest.raises(BadProof):
        tree.check_inclusion(tree.leaf_hash(b"forged"), index, size, proof, root)
    with pytest.raises(BadProof):
        tree.check_inclusion(leaf, index, size, [*proof, bytes(32)], root)
    other = data.draw(st.integers(-1, size + 1).filter(lambda each: each != index))
    with pytest.raises(BadProof):
        tree.check_inclusion(leaf, other, size, proof, root)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        with pytest.raises(BadProof):
            tree.check_inclusion(leaf, index, size, [*proof[:at], bytes(32), *proof[at + 1 :]], root)
        with pytest.raises(BadProof):
            tree.check_inclusion(leaf, index, size, proof[:-1], root)
        with pytest.raises(BadProof):
            tree.check_inclusion(leaf, index, size, proof[1:], root)


@given(st.integers(2, 130), st.data())
def test_a_log_that_changed_its_past_cannot_prove_consistency(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    old = data.draw(st.integers(1, size - 1))
    changed = data.draw(st.integers(0, old - 1))
    rewritten = [*entries[:changed], b"rewritten", *entries[changed + 1 :]]
    old_root, new_root = naive.root(entries[:old]), naive.root(rewritten)
    for proof in (
        tree.consistency_proof(old, size, reader(rewritten)),
        tree.consistency_proof(old, size, reader(entries)),
        [],
        [old_root],
        [old_root, new_root],
    ):
        with pytest.raises(BadProof):
            tree.check_consistency(old, size, proof, old_root, new_root)


@given(st.integers(2, 130), st.data())
def test_a_forged_consistency_proof_is_refused(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    old = data.draw(st.integers(1, size - 1))
    proof = tree.consistency_proof(old, size, reader(entries))
    old_root, new_root = naive.root(entries[:old]), naive.root(entries)
    at = data.draw(st.integers(0, len(proof) - 1))
    for forged in (
        [*proof[:at], bytes(32), *proof[at + 1 :]],
        proof[:at] + proof[at + 1 :],
        [*proof, bytes(32)],
    ):
        with pytest.raises(BadProof):
            tree.check_consistency(old, size, forged, old_root, new_root)
    with pytest.raises(BadProof):
        tree.check_consistency(old, size, proof, bytes(32), new_root)
    with pytest.raises(BadProof):
        tree.check_consistency(old, size, proof, old_root, bytes(32))


@given(st.integers(-5, 40), st.integers(-5, 40), st.lists(st.binary(min_size=32, max_size=32), max_size=8))
def test_checking_garbage_gives_bad_proof_and_nothing_else(one: int, other: int, hashes: list[bytes]) -> None:
    with pytest.raises(BadProof):
        tree.check_inclusion(bytes(32), one, other, hashes, bytes(32))
    with pytest.raises(BadProof):
        tree.check_consistency(one, other, hashes, b"\x01" * 32, bytes(32))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_is_made_for_what_is_not_there(index: int, size: int) -> None:
    with pytest.raises(BadProof):
        tree.inclusion_proof(index, size, reader(entries_of(5)))
    with pytest.raises(BadProof):
        tree.consistency_proof(size + 1, size, reader(entries_of(5)))


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_nodes_span_exactly_their_range_in_order(one: int, other: int) -> None:
    start, stop = sorted((one, other))
    at = start
    for node in tree.nodes_of(start, stop):
        assert node.number << node.level == at
        at += 1 << node.level
    assert at == stop
    assert len(list(tree.nodes_of(0, stop))) == stop.bit_count()


@given(SIZES, st.data())
def test_a_compact_range_goes_on_where_it_stopped(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    stop = data.draw(st.integers(0, size))
    read = reader(entries)
    resumed = CompactRange(stop, read(list(tree.nodes_of(0, stop))))
    for entry in entries[stop:]:
        resumed.append(tree.leaf_hash(entry))
    assert (resumed.size, resumed.root()) == (size, naive.root(entries))


def test_a_compact_range_needs_its_subtrees() -> None:
    with pytest.raises(BadProof):
        CompactRange(3, [bytes(32)])


def test_a_proof_asks_its_reader_once() -> None:
    asked: list[int] = []
    read = reader(entries_of(100))

    def counting(nodes: Sequence[Node]) -> Sequence[bytes]:
        asked.append(len(nodes))
        return list(read(nodes))

    tree.inclusion_proof(17, 100, counting)
    tree.consistency_proof(33, 100, counting)
    assert len(asked) == 2

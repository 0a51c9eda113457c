"""The log as others see it: what is signed, what is cosigned, and where a crash may fall."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.audit.notary import NotConsistent
from ledger import proof, side
from ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.cosignature import verifier_for
from ledger.errors import BylagError
from ledger.fsck import check_all
from ledger.log import NoSuchLeaf
from ledger.names import LeafIndex, RootHash, TreeSize
from ledger.note import Signer, VerifierKey, parse, verify
from ledger.publish import LogMismatch
from ledger.side import SHARED
from ledger.tree import BadProof, check_consistency, check_inclusion
from tests.audit.house import COMPANY, PERSON, House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "city")
    yield house
    house.stop()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "company", COMPANY)
    yield house
    house.stop()


def published(house: House, more: int = 0) -> bytes:
    """A checkpoint over everything, after some more records."""
    if more:
        house.note(more)
    house.notary.publish(seal=True)
    last = house.notary.last
    assert last is not None
    return bytes(last.note)


def cosign(house: House, other: House, note: bytes, old: int = 0) -> Any:
    size = open_checkpoint(note, other.signer.key).checkpoint.size
    grown = other.notary.consistency(old, size) if old < size else []
    return house.do(lambda tx: house.notary.cosign(tx, other.signer.key, note, grown))


def size_cosigned(house: House, other: House) -> int:
    with house.database.read_sqlite() as connection:
        return house.notary.cosigned_size(connection, other.signer.key.name)


# --- cosigning ------------------------------------------------------------------------------------------


def test_a_log_that_grows_is_cosigned_and_remembered_across_a_restart(house: House, other: House) -> None:
    first = cosign(house, other, published(other))
    assert size_cosigned(house, other) == 2
    witness = verifier_for(
        VerifierKey(f"{house.origin}/witness", 4, house.key.public_key().public_bytes_raw())
    )
    names = {signature.name for signature in verify(first, [witness])}
    assert f"{house.origin}/witness" in names
    house.restart()
    cosign(house, other, published(other, 5), old=2)
    assert size_cosigned(house, other) == 7


def test_a_checkpoint_that_does_not_extend_the_last_one_is_refused_and_forgets_nothing(
    house: House, other: House
) -> None:
    earlier = published(other)
    cosign(house, other, published(other, 5), old=0)
    size = size_cosigned(house, other)

    def refused(note: bytes, grown: list[bytes]) -> None:
        with pytest.raises(NotConsistent):
            house.do(lambda tx: house.notary.cosign(tx, other.signer.key, note, grown))
        assert size_cosigned(house, other) == size

    refused(earlier, [])
    other.note(3)
    later = published(other)
    right = other.notary.consistency(size, 10)
    refused(later, [])
    refused(later, right[:-1])
    refused(later, [*right, bytes(32)])
    refused(later, [bytes(32), *right[1:]])
    refused(later, [node[:16] for node in right])
    rewritten = Checkpoint(other.origin, TreeSize(size), RootHash(b"r" * 32))
    refused(bytes(sign_checkpoint(rewritten, other.signer).note), [])
    forked = Checkpoint(other.origin, TreeSize(size + 5), RootHash(b"f" * 32))
    refused(bytes(sign_checkpoint(forked, other.signer).note), right)
    house.do(lambda tx: house.notary.cosign(tx, other.signer.key, later, right))
    assert size_cosigned(house, other) == 10


def test_nodes_of_another_length_prove_nothing(house: House, other: House) -> None:
    """Two nodes whose border is moved hash to the same: a proof's nodes have 32 bytes each."""
    cosign(house, other, published(other, 4))
    later = published(other, 3)
    right = other.notary.consistency(6, 9)
    joined = b"".join(right[:2])
    moved = [joined[:16], joined[16:], *right[2:]]
    with pytest.raises(NotConsistent):
        house.do(lambda tx: house.notary.cosign(tx, other.signer.key, later, moved))


def test_the_same_checkpoint_is_cosigned_again_and_another_key_is_not(house: House, other: House) -> None:
    note = published(other)
    cosign(house, other, note)
    cosign(house, other, note)
    stranger = House(house.folder.parent / "stranger")
    try:
        forged = Checkpoint(other.origin, TreeSize(9), RootHash(b"x" * 32))
        signed = bytes(sign_checkpoint(forged, Signer(other.origin, stranger.key)).note)
        with pytest.raises(BylagError):
            house.do(lambda tx: house.notary.cosign(tx, other.signer.key, signed, []))
    finally:
        stranger.stop()
    assert size_cosigned(house, other) == 2


def test_two_checkpoints_that_fork_are_not_both_cosigned_by_two_requests_at_once(
    house: House, other: House
) -> None:
    """Check and update are one atomic step (C2SP tlog-witness)."""
    cosign(house, other, published(other))
    notes = [
        bytes(sign_checkpoint(Checkpoint(other.origin, TreeSize(2), RootHash(root * 32)), other.signer).note)
        for root in (b"a", b"b")
    ]
    later = published(other, 3)
    grown = other.notary.consistency(2, 5)
    futures = [
        house.writer.submit(
            partial(house.notary.cosign, theirs=other.signer.key, note=note, consistency=proof)
        )
        for note, proof in ((notes[0], []), (later, grown), (notes[1], []), (later, []))
    ]
    outcomes = [future.exception() for future in futures]
    assert [outcome is None for outcome in outcomes] == [False, True, False, True]


def test_a_cosignature_on_our_checkpoint_is_kept_only_if_it_is_the_peers(house: House, other: House) -> None:
    note = published(house)
    signed = other.do(lambda tx: other.notary.cosign(tx, house.signer.key, note, []))
    theirs = VerifierKey(f"{other.origin}/witness", 4, other.key.public_key().public_bytes_raw())
    house.do(lambda tx: house.notary.take_cosignature(tx, parse(bytes(signed)), theirs))
    kept = house.notary.note(2)
    assert [signature.name for signature in kept.signatures] == [house.origin, f"{other.origin}/witness"]
    house.note()
    published(house)
    with pytest.raises(NoSuchLeaf):
        house.notary.note(99)


def test_a_persons_cosignature_is_shown_to_them_alone_and_goes_with_them(
    house: House, tmp_path: Path
) -> None:
    person = House(tmp_path / "person", PERSON, is_person=True)
    try:
        note = published(house)
        signed = person.do(lambda tx: person.notary.cosign(tx, house.signer.key, note, []))
        theirs = VerifierKey(f"{person.origin}/witness", 4, person.key.public_key().public_bytes_raw())
        house.do(lambda tx: house.notary.take_cosignature(tx, parse(bytes(signed)), theirs, PERSON))
        shown = published(person)
        house.do(lambda tx: house.notary.cosign(tx, person.signer.key, shown, [], PERSON))
    finally:
        person.stop()
    assert [signature.name for signature in house.notary.note(2).signatures] == [house.origin]
    assert len(house.notary.note(2, (SHARED, PERSON)).signatures) == 2
    assert person.origin not in (house.folder / "log" / "checkpoint").read_text()
    house.do(lambda tx: side.erase(tx.sqlite, PERSON))
    assert len(house.notary.note(2, (SHARED, PERSON)).signatures) == 1
    with house.database.read_sqlite() as connection:
        assert house.notary.cosigned_size(connection, person.origin) == 0


def test_a_checkpoint_of_ours_beyond_our_log_shows_that_we_were_rolled_back(
    house: House, other: House
) -> None:
    note = published(house, 3)
    assert not house.notary.signed_beyond(note)
    beyond = sign_checkpoint(Checkpoint(house.origin, TreeSize(50), RootHash(bytes(32))), house.signer)
    assert house.notary.signed_beyond(bytes(beyond.note))
    claimed = sign_checkpoint(Checkpoint(other.origin, TreeSize(50), RootHash(bytes(32))), other.signer)
    assert not house.notary.signed_beyond(bytes(claimed.note))
    assert not house.notary.signed_beyond(b"nonsense")


# --- proofs ------------------------------------------------------------------------------------------------


def test_every_record_has_a_proof_under_the_newest_checkpoint_and_checkpoints_extend_each_other(
    house: House,
) -> None:
    roots: dict[int, RootHash] = {}
    for more in (0, 1, 2, 5, 9):
        published(house, more)
        last = house.notary.last
        assert last is not None
        roots[last.checkpoint.size] = last.checkpoint.root
    newest = max(roots)
    for entry in house.entries():
        hashes = house.notary.inclusion(LeafIndex(entry.index), TreeSize(newest))
        check_inclusion(entry.hash, entry.index, newest, hashes, roots[newest])
    for size, root in roots.items():
        check_consistency(size, newest, house.notary.consistency(size, newest), root, roots[newest])


def test_a_record_that_no_checkpoint_covers_yet_gets_one_with_its_proof(house: House) -> None:
    published(house)
    house.note(3)
    text = house.notary.tlog_proof(LeafIndex(4))
    assert proof.parse_proof(text.encode()).index == 4
    with pytest.raises(BadProof):
        house.notary.tlog_proof(LeafIndex(400))


# --- crashes ------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", ["tiles", "sign", "save", "show"])
def test_a_crash_between_any_two_steps_of_publishing_loses_and_shows_nothing_too_early(
    house: House, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = published(house)
    house.note(4)
    publisher = house.notary._publisher

    def die(*_: Any, **__: Any) -> Any:
        raise Crash

    with monkeypatch.context() as dying:
        if step == "tiles":
            dying.setattr(publisher._store, "sync", die)
        elif step == "sign":
            dying.setattr("ledger.publish.sign_checkpoint", die)
        elif step == "save":
            dying.setattr(publisher, "_save", die)
        else:
            dying.setattr(publisher, "show", die)
        with pytest.raises(Crash):
            house.notary.publish(seal=True)
    assert (house.folder / "log" / "checkpoint").read_bytes() == first, "nothing is shown too early"
    house.restart()
    last = house.notary.last
    assert last is not None
    assert last.checkpoint.size == (6 if step == "show" else 2)
    published(house, 1)
    again = house.notary.last
    assert again is not None
    assert again.checkpoint.size == 7
    with house.database.read_sqlite() as connection:
        assert list(check_all(connection, house.notary.store, house.notary.key)) == []


def test_a_start_on_an_older_database_is_refused(house: House, tmp_path: Path) -> None:
    published(house)
    house.stop()
    older = (house.folder / "bylag.db").read_bytes()
    house.start()
    published(house, 5)
    assert house.notary.last is not None
    note = bytes(house.notary.last.note)
    house.stop()
    for beside in house.folder.glob("bylag.db*"):
        beside.unlink()
    (house.folder / "bylag.db").write_bytes(older)
    house.start()
    assert house.notary.last is not None
    assert house.notary.last.checkpoint.size == 2
    assert house.notary.signed_beyond(note), "whoever holds the later note can show it"


def test_publishing_and_proving_at_once_from_several_threads(house: House) -> None:
    published(house)
    raised: list[BaseException] = []

    def publish() -> None:
        for _ in range(15):
            house.note()
            house.notary.publish(seal=True)

    def prove() -> None:
        for _ in range(40):
            last = house.notary.last
            assert last is not None
            size = last.checkpoint.size
            hashes = house.notary.inclusion(LeafIndex(1), size)
            check_inclusion(house.entries()[1].hash, 1, size, hashes, last.checkpoint.root)
            house.notary.note(size)

    def run(work: Any) -> None:
        try:
            work()
        except (LogMismatch, AssertionError, ValueError) as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in (publish, prove, prove)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []

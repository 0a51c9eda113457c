"""A registrar's folder: drafting, signing by several people, changes, and never two lists of one number."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from connector.identity import change, enrolment
from connector.identity.certificate import DAY
from connector.identity.change import ChangeRefused
from connector.identity.files import CannotRead, CannotWrite
from connector.identity.keyfolder import KeysExist, KeysExposed, WrongPassphrase
from connector.identity.membership import (
    BrokenSuccession,
    ListDigest,
    MalformedList,
    NotEnoughSignatures,
    read_signed_list,
)
from connector.identity.organisation import Attributes, KeyState, Kind, Status, Unit
from connector.identity.public import Job
from connector.identity.registrar import NotYours, Registrar, SignedAnother
from connector.identity.request import StaleRequest
from connector.identity.signed import MultiSigned
from connector.identity.trust import NoList, TrustStore
from ledger.ambient import HeldAmbient
from ledger.document import BadSignature, from_base64url, thumbprint, to_base64url
from ledger.errors import BylagError
from ledger.names import Milliseconds, ParticipantId, UnitId
from tests.identity.world import ALVIK, BERGA, CETUS, SPACE, Space, organisation

NOBODY = ParticipantId("did:web:nobody.example")


def _carried(draft: MultiSigned) -> MultiSigned:
    """A draft as it travels: through a file."""
    return read_signed_list(draft.to_bytes())


# --- one person -------------------------------------------------------------------------------------


def test_with_one_key_a_change_is_one_step(space: Space) -> None:
    space.join(ALVIK)
    assert [item.did for item in space.registrar.current.organisations] == [ALVIK]
    assert space.registrar.current.number == 2


def test_a_folder_is_opened_again_with_everything_in_it(space: Space) -> None:
    space.join(ALVIK)
    again = Registrar.open(space.folder / "registrar", space.ambient)
    assert again.current == space.registrar.current
    assert again.answer == space.registrar.answer
    again.publish(change.renew())
    assert Registrar.open(space.folder / "registrar", space.ambient).current.number == 3


def test_the_registrars_keys_are_the_owners_alone_and_can_be_sealed(tmp_path: Path) -> None:
    folder = tmp_path / "registrar"
    Registrar.create(folder, SPACE, HeldAmbient(), passphrase="a long one")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (folder / "keys").iterdir()}
    assert modes == {0o600}
    for passphrase in (None, "another"):
        with pytest.raises(WrongPassphrase):
            Registrar.open(folder, HeldAmbient(), passphrase)
    Registrar.open(folder, HeldAmbient(), "a long one")
    (folder / "keys").chmod(0o755)
    with pytest.raises(KeysExposed):
        Registrar.open(folder, HeldAmbient(), "a long one")


def test_a_registrar_is_never_overwritten(space: Space) -> None:
    with pytest.raises(KeysExist):
        Registrar.create(space.folder / "registrar", SPACE, space.ambient)


def test_a_changed_list_is_not_opened(space: Space) -> None:
    space.join(ALVIK)
    path = space.folder / "registrar/lists/000000002.json"
    content = json.loads(path.read_bytes())
    content["payload"] = to_base64url(from_base64url(content["payload"]).replace(b"alvik", b"alvjk"))
    path.write_text(json.dumps(content))
    with pytest.raises(BylagError):
        Registrar.open(space.folder / "registrar", space.ambient)
    path.unlink()
    with pytest.raises(CannotRead):
        Registrar.open(space.folder / "registrar", space.ambient)


# --- several people ---------------------------------------------------------------------------------


class Board:
    """Three people, two of whom must sign, each with a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.ambient = HeldAmbient()
        self.people = [
            Registrar.prepare(folder / name, self.ambient) for name in ("first", "second", "third")
        ]
        keys = [person.public_keys[0] for person in self.people]
        self.finish(self.people[0].found(SPACE, 2, keys), 0, 1)

    def finish(self, draft: MultiSigned, *signers: int) -> None:
        for index in signers:
            draft = _carried(self.people[index].sign(draft))
        for person in self.people:
            person.finish(draft)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def test_any_two_of_three_people_make_a_list(board: Board) -> None:
    for number, pair in enumerate(((0, 1), (1, 2), (2, 0)), start=2):
        board.finish(board.people[pair[0]].draft(change.renew()), *pair)
        assert {person.current.number for person in board.people} == {number}
    auditor = TrustStore.from_chain(board.people[2].trust.first, board.people[0].answer.chain)
    assert auditor.number == 4


def test_one_person_alone_makes_a_draft_and_no_list(board: Board) -> None:
    person = board.people[0]
    with pytest.raises(NotEnoughSignatures):
        person.publish(change.renew())
    assert person.current.number == 1
    pending = person.pending
    assert pending is not None
    finished = board.people[1].sign(_carried(pending))
    assert person.finish(_carried(finished)).number == 2
    assert person.pending is None


def test_signing_the_same_draft_again_adds_nothing(board: Board) -> None:
    draft = board.people[0].draft(change.renew())
    once = board.people[0].sign(draft)
    assert board.people[0].sign(once) == once
    with pytest.raises(NotEnoughSignatures):
        board.people[0].finish(once)


def test_a_stranger_cannot_sign(board: Board, tmp_path: Path) -> None:
    draft = board.people[0].draft(change.renew())
    stranger = Registrar.prepare(tmp_path / "stranger", board.ambient)
    for signed in board.people[0].answer.chain:
        stranger.finish(signed)
    with pytest.raises(NotYours):
        stranger.sign(draft)


def test_nobody_signs_beside_a_forged_signature(board: Board) -> None:
    real = board.people[1].sign(board.people[0].draft(change.renew()))
    board.ambient.advance(1000)
    forged = replace(board.people[0].draft(change.renew()), signatures=real.signatures)
    with pytest.raises(BadSignature):
        board.people[0].sign(forged)
    assert board.people[0].pending is None


def test_a_person_who_misses_the_lists_before_does_not_sign(board: Board, tmp_path: Path) -> None:
    newcomer = Registrar.prepare(tmp_path / "newcomer", board.ambient)
    with pytest.raises(NoList):
        newcomer.sign(board.people[0].draft(change.renew()))
    with pytest.raises(NoList):
        _ = newcomer.current


# --- never two lists of one number ------------------------------------------------------------------


def test_a_folder_signs_one_draft_a_number(board: Board) -> None:
    person = board.people[0]
    one = person.draft(change.renew())
    person.sign(one)
    board.ambient.advance(1000)
    other = person.draft(change.renew())
    assert other.digest != one.digest
    with pytest.raises(SignedAnother):
        person.sign(other)
    with pytest.raises(SignedAnother):
        person.sign(other, instead_of=other.digest)
    person.sign(other, instead_of=one.digest)
    with pytest.raises(SignedAnother):
        person.sign(one)


def test_what_was_signed_is_remembered_over_a_restart(board: Board, tmp_path: Path) -> None:
    board.people[0].sign(board.people[0].draft(change.renew()))
    board.ambient.advance(1000)
    again = Registrar.open(tmp_path / "first", board.ambient)
    assert again.pending == board.people[0].pending
    with pytest.raises(SignedAnother):
        again.sign(again.draft(change.renew()))


def test_no_signature_leaves_that_could_not_be_remembered(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    draft = board.people[0].draft(change.renew())
    with monkeypatch.context() as patched, pytest.raises(CannotWrite):
        patched.setattr(os, "fsync", full)
        board.people[0].sign(draft)
    assert board.people[0].pending is None


def test_a_crash_between_signing_and_publishing_is_made_good(space: Space) -> None:
    draft = space.registrar.sign(space.registrar.draft(change.renew()))
    assert space.registrar.current.number == 1
    again = Registrar.open(space.folder / "registrar", space.ambient)
    assert again.current.number == 2
    assert again.trust.signed(2) == draft
    assert again.pending is None


def test_two_who_work_on_one_folder_at_a_time_do_not_fork_it(space: Space) -> None:
    other = Registrar.open(space.folder / "registrar", space.ambient)
    draft = other.draft(change.renew())
    space.pass_days(1)
    published = space.registrar.publish(change.renew())
    with pytest.raises(BrokenSuccession):
        other.sign(draft)
    assert other.current == published
    assert other.publish(change.renew()).number == 3


def test_a_crash_before_the_chain_was_recorded_loses_no_list(space: Space) -> None:
    chain = space.folder / "registrar/chain.json"
    before = chain.read_bytes()
    space.join(ALVIK)
    for recorded in (before, None):
        chain.unlink() if recorded is None else chain.write_bytes(recorded)
        assert Registrar.open(space.folder / "registrar", space.ambient).current.number == 2


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"links":[]}', b'{"links":[{}]}'])
def test_a_damaged_record_of_the_chain_is_a_typed_error(space: Space, content: bytes) -> None:
    (space.folder / "registrar/chain.json").write_bytes(content)
    with pytest.raises(MalformedList):
        Registrar.open(space.folder / "registrar", space.ambient)


def test_a_draft_on_top_of_another_history_is_not_signed(space: Space) -> None:
    base = space.registrar.draft(change.renew())
    forked = replace(
        space.registrar.current,
        number=2,
        previous=ListDigest("ab" * 32),
        issued=Milliseconds(space.now + 1),
    ).unsigned()
    with pytest.raises(SignedAnother):
        space.registrar.sign(forked)
    space.registrar.finish(space.registrar.sign(base))


def test_a_registrar_whose_clock_stepped_back_drafts_nothing(space: Space) -> None:
    assert isinstance(space.ambient, HeldAmbient)
    space.ambient.step(-DAY)
    with pytest.raises(BrokenSuccession):
        space.registrar.draft(change.renew())


# --- the registrar's own keys -----------------------------------------------------------------------


def test_one_person_changes_the_registrars_key_in_one_step(space: Space) -> None:
    member = space.join(ALVIK)
    old = space.registrar.public_keys
    space.registrar.rotate_keys()
    assert space.registrar.public_keys != old
    assert space.registrar.current.registrar.keys == space.registrar.public_keys
    assert len(list((space.folder / "registrar/keys").iterdir())) == 1, "the old key is destroyed"
    space.catch_up(member.trust)
    space.publish(change.renew(), member)
    again = Registrar.open(space.folder / "registrar", space.ambient)
    assert again.publish(change.renew()).number == space.registrar.current.number + 1


def test_a_board_replaces_a_member_with_old_and_new_signing(board: Board, tmp_path: Path) -> None:
    first, second, third = board.people
    newcomer = Registrar.prepare(tmp_path / "newcomer", board.ambient)
    for signed in first.answer.chain:
        newcomer.finish(signed)
    keys = [second.public_keys[0], third.public_keys[0], newcomer.public_keys[0]]
    draft = first.sign(first.draft(change.registrar_keys(2, keys)))
    draft = newcomer.sign(_carried(draft))
    with pytest.raises(NotEnoughSignatures):
        second.finish(draft)  # one old and one new are too few of either
    draft = second.sign(_carried(draft))
    for person in (*board.people, newcomer):
        person.finish(draft)
    with pytest.raises(NotYours):
        first.sign(second.draft(change.renew()))
    third.finish(third.sign(newcomer.sign(newcomer.draft(change.renew()))))


def test_a_key_that_waits_for_its_list_is_not_retired(board: Board) -> None:
    person = board.people[0]
    with pytest.raises(NotEnoughSignatures):
        person.rotate_keys()
    assert person.retire_keys() == 0
    assert len(person.public_keys) == 2
    pending = person.pending
    assert pending is not None
    person.finish(board.people[1].sign(pending))
    assert person.retire_keys() == 1
    named = person.current.registrar.by_thumbprint
    assert thumbprint(person.public_keys[0]) in named


# --- changes ----------------------------------------------------------------------------------------


def test_a_newcomers_keys_begin_with_the_list_that_names_them(space: Space) -> None:
    request = space.request(space.ring("alvik"), ALVIK)
    space.pass_days(3)
    entry = space.publish(change.admit(request, attributes=Attributes("SE", "O84.12")))
    member = entry.organisations[0]
    assert {key.not_before for key in member.keys} == {space.now}
    assert {key.not_after for key in member.keys} == {space.now + 730 * DAY}
    assert member.attributes == Attributes("SE", "O84.12")


def test_an_old_request_is_stale(space: Space) -> None:
    request = space.request(space.ring("alvik"), ALVIK)
    space.pass_days(31)
    with pytest.raises(StaleRequest):
        space.registrar.draft(change.admit(request))


def test_a_request_from_the_future_is_refused(space: Space) -> None:
    ring = space.ring("alvik")
    ahead = HeldAmbient(space.now + 3_600_000)
    request = enrolment.read_join(enrolment.join(ring, SPACE, organisation(ALVIK), ahead))
    with pytest.raises(StaleRequest):
        space.registrar.draft(change.admit(request))


def test_a_did_is_admitted_once(space: Space) -> None:
    space.join(ALVIK)
    with pytest.raises(ChangeRefused):
        space.registrar.draft(change.admit(space.request(space.ring("again"), ALVIK)))


def test_a_key_cannot_be_brought_along_by_two_organisations(space: Space) -> None:
    member = space.join(ALVIK)
    twin = space.request(member.ring, BERGA)
    with pytest.raises(MalformedList) as caught:
        space.registrar.draft(change.admit(twin))
    assert caught.value.field == "organisations[1].keys[0]"


def test_suspension_removal_and_return(space: Space) -> None:
    space.join(ALVIK)

    def status() -> Status:
        return space.registrar.current.organisations[0].status

    space.publish(change.suspend(ALVIK))
    assert status() is Status.SUSPENDED
    space.publish(change.reinstate(ALVIK))
    assert status() is Status.ACTIVE
    space.publish(change.remove(ALVIK))
    assert status() is Status.REMOVED
    for refused in (change.suspend(ALVIK), change.reinstate(ALVIK), change.remove(ALVIK)):
        with pytest.raises(ChangeRefused):
            space.registrar.draft(refused)
    for unknown in (change.remove(NOBODY), change.succeeded_by(NOBODY, None)):
        with pytest.raises(ChangeRefused):
            space.registrar.draft(unknown)


def test_a_member_who_lost_its_keys_starts_again_with_new_ones(space: Space) -> None:
    member = space.join(ALVIK)
    space.pass_days(1)
    space.publish(change.remove(ALVIK))
    fresh = space.ring("alvik-again")
    space.publish(change.readmit(space.request(fresh, ALVIK)))
    entry = space.registrar.trust.organisation(ALVIK)
    assert entry.status is Status.ACTIVE
    for job in Job:
        old, new = (entry.find_key(ring.thumbprint(job)) for ring in (member.ring, fresh))
        assert old is not None
        assert old.state(space.now) is KeyState.ENDED
        assert old.state(Milliseconds(space.now - 1)) is KeyState.VALID
        assert new is not None
        assert new.state(space.now) is KeyState.VALID


def test_a_compromise_moves_to_earlier_and_never_back(space: Space) -> None:
    member = space.join(ALVIK)
    space.pass_days(10)
    kid = member.ring.thumbprint(Job.SIGN)

    def since() -> Milliseconds | None:
        key = space.registrar.trust.organisation(ALVIK).find_key(kid)
        assert key is not None
        return key.compromised_since

    for at, expected in ((3, 3), (5, 3), (1, 1)):
        space.publish(change.compromised(ALVIK, kid, Milliseconds(space.now - (10 - at) * DAY)))
        assert since() == space.now - (10 - expected) * DAY
    with pytest.raises(ChangeRefused):
        space.registrar.draft(change.compromised(ALVIK, kid, Milliseconds(space.now + 1)))
    with pytest.raises(ChangeRefused):
        space.registrar.draft(change.compromised(BERGA, kid, space.now))


def test_successors_lead_somewhere_and_not_in_a_circle(space: Space) -> None:
    space.join(ALVIK)
    space.join(BERGA)
    space.publish(change.succeeded_by(ALVIK, BERGA))
    for did, successor in ((BERGA, ALVIK), (BERGA, BERGA), (BERGA, NOBODY)):
        with pytest.raises(MalformedList):
            space.registrar.draft(change.succeeded_by(did, successor))
    space.publish(change.succeeded_by(ALVIK, None))


def test_a_members_details_change_on_its_own_word_and_attested_facts_on_the_registrars(space: Space) -> None:
    member = space.join(ALVIK)
    data = enrolment.update(
        member.ring,
        SPACE,
        ALVIK,
        name="Alvik and Berga",
        units=[Unit(UnitId("care"), "Care")],
        endpoints=["new.example:7443"],
        ambient=space.ambient,
    )
    space.publish(change.update(enrolment.read_update(data)))
    space.publish(change.attest(ALVIK, kind=Kind.REGION, attributes=Attributes("NO", None)))
    entry = space.registrar.trust.organisation(ALVIK)
    assert (entry.name, entry.units[0].id, entry.endpoints) == (
        "Alvik and Berga",
        "care",
        ("new.example:7443",),
    )
    assert (entry.kind, entry.attributes) == (Kind.REGION, Attributes("NO", None))


def test_organisations_stand_in_order(space: Space) -> None:
    for did in (CETUS, ALVIK, BERGA):
        space.join(did)
    dids = [item.did for item in space.registrar.current.organisations]
    assert dids == sorted(dids)


def test_a_list_with_a_registrar_key_that_is_a_members_is_not_drafted(space: Space) -> None:
    member = space.join(ALVIK)
    keys = (member.ring.sign.public_key(),)
    with pytest.raises(MalformedList):
        space.registrar.draft(change.registrar_keys(1, keys))

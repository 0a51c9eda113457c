"""Citizens and sole traders: vouched for by one controller, unknown to everybody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.identity import change, enrolment, guest
from connector.identity.certificate import DAY, read_leaf, spki_thumbprint, to_pem
from connector.identity.credential import BadCredential, GuestCredential, read_credential, verify_credential
from connector.identity.directory import Directory
from connector.identity.enrolment import NotAdmitted, WrongRegistrar
from connector.identity.guestbook import GuestBook
from connector.identity.keys import GUEST_JOBS, KeyRing
from connector.identity.membership import MalformedList
from connector.identity.peer import Assurance, Guest, GuestKind, Limit, PeerRefused, Standing
from connector.identity.public import Job, thumbprint
from connector.identity.request import MalformedRequest, StaleRequest, write_request
from connector.identity.trust import KeyNotValid
from ledger import document
from ledger.document import SignedDocument, from_base64url, to_base64url
from ledger.errors import BylagError
from ledger.names import Milliseconds, ParticipantId, UnitId
from tests.identity.world import ALVIK, BERGA, SPACE, Participant, Space


class Person:
    """A guest's side."""

    def __init__(self, space: Space, name: str = "person") -> None:
        self.space = space
        self.ring = KeyRing.create(space.folder / name / "keys", space.ambient, jobs=GUEST_JOBS)

    def asks(self, controller: ParticipantId = ALVIK, **changed: Any) -> bytes:
        return guest.request(self.ring, SPACE, controller, GuestKind.CITIZEN, self.space.ambient, **changed)


def vouched(
    member: Participant, person: Person, *, asked: bytes | None = None, **changed: Any
) -> SignedDocument:
    return guest.vouch(
        guest.read_guest_request(asked or person.asks(member.did)),
        controller=member.did,
        space=SPACE,
        ring=member.ring,
        assurance=Assurance.SUBSTANTIAL,
        ambient=member.ambient,
        **changed,
    )


def answered(member: Participant, signed: SignedDocument, space: Space) -> guest.GuestAnswer:
    answer = guest.answer(signed, member.issuer, space.registrar.answer, space.ambient)
    return guest.read_guest_answer(answer.to_bytes())


@pytest.fixture
def alvik(space: Space) -> Participant:
    return space.join(ALVIK)


def test_a_guest_is_vouched_for_and_verifies_their_controller(space: Space, alvik: Participant) -> None:
    person = Person(space)
    signed = vouched(alvik, person, unit=UnitId("schools"))
    answer = answered(alvik, signed, space)
    fingerprint = space.registrar.trust.first.fingerprint
    credential, trust = answer.take(person.ring, ALVIK, space.now, fingerprint)
    assert (credential.controller, credential.unit, credential.assurance) == (
        ALVIK,
        "schools",
        Assurance.SUBSTANTIAL,
    )
    assert trust.digest == alvik.trust.digest
    peer = alvik.meets(answer.certificate, GuestBook(ALVIK, [credential]))
    assert isinstance(peer, Guest)
    assert (peer.id, peer.standing, peer.units) == (credential.handle, Standing.FULL, ())


def test_two_controllers_find_nothing_in_common(space: Space, alvik: Participant) -> None:
    berga = space.join(BERGA)
    one = read_credential(vouched(alvik, Person(space, "one")))
    other = read_credential(vouched(berga, Person(space, "other")))
    assert one.handle != other.handle
    keys = [thumbprint(key) for c in (one, other) for key in (c.keys.sign, c.keys.log, c.keys.tls)]
    assert len(set(keys)) == 6


def test_a_handle_says_nothing_and_is_fresh_each_time(space: Space, alvik: Participant) -> None:
    person = Person(space)
    handles = {read_credential(vouched(alvik, person)).handle for _ in range(3)}
    assert len(handles) == 3
    assert all(handle.startswith("guest:") and len(handle) == 38 for handle in handles)


def test_nothing_that_a_guest_sends_or_shows_can_be_printed_by_accident(
    space: Space, alvik: Participant
) -> None:
    credential = read_credential(vouched(alvik, Person(space)))
    peer = GuestBook(ALVIK, [credential]).identify(thumbprint(credential.keys.tls), space.now)
    assert peer is not None
    digits = credential.handle.removeprefix("guest:")
    for thing in (credential, credential.keys, peer[0]):
        assert digits not in repr(thing)


@pytest.mark.parametrize("job", list(GUEST_JOBS))
def test_a_guest_shows_every_key(space: Space, job: Job) -> None:
    person, other = Person(space), Person(space, "other")
    content, others = (
        json.loads(from_base64url(json.loads(each.asks())["payload"])) for each in (person, other)
    )
    content["keys"][job.value] = others["keys"][job.value]
    members = {name: content[name] for name in ("controller", "kind", "keys", "previous")}
    holders = [person.ring.key(each) for each in GUEST_JOBS]
    forged = write_request("guest-request", SPACE, members, holders, space.ambient)
    with pytest.raises(MalformedRequest) as caught:
        guest.read_guest_request(forged)
    assert caught.value.field == f"keys.{job}"


def test_a_request_is_for_one_controller_and_fresh(space: Space, alvik: Participant) -> None:
    berga = space.join(BERGA)
    person = Person(space)
    with pytest.raises(MalformedRequest):
        vouched(berga, person, asked=person.asks(ALVIK))
    asked = person.asks(ALVIK)
    space.pass_days(31)
    with pytest.raises(StaleRequest):
        vouched(alvik, person, asked=asked)


# --- what an answer must be -------------------------------------------------------------------------


def test_an_answer_is_only_good_for_the_keys_it_is_about(space: Space, alvik: Participant) -> None:
    person = Person(space)
    answer = answered(alvik, vouched(alvik, person), space)
    with pytest.raises(BadCredential):
        answer.take(Person(space, "other").ring, ALVIK, space.now)
    with pytest.raises(BadCredential):
        answer.take(person.ring, ALVIK, Milliseconds(space.now + 400 * DAY))
    other = answered(alvik, vouched(alvik, Person(space, "third")), space)
    with pytest.raises(BadCredential):
        replace(answer, certificate=other.certificate).take(person.ring, ALVIK, space.now)


def test_an_answer_names_every_key_of_the_guest_and_not_the_tls_key_alone(
    space: Space, alvik: Participant
) -> None:
    person, other = Person(space), Person(space, "other")
    answer = answered(alvik, vouched(alvik, person), space)
    shutil.copy(space.folder / "other/keys/sign.key", space.folder / "person/keys/sign.key")
    mixed = KeyRing.load(space.folder / "person/keys", space.ambient)
    assert mixed.tls.public_key() == person.ring.tls.public_key()
    assert mixed.sign.public_key() == other.ring.sign.public_key()
    with pytest.raises(BadCredential):
        answer.take(mixed, ALVIK, space.now)


def test_a_changed_byte_of_a_credential_is_noticed(space: Space, alvik: Participant) -> None:
    signed = vouched(alvik, Person(space))
    verify_credential(signed, alvik.trust)
    for before, after in ((b'"substantial"', b'"high"'), (b'"citizen"', b'"sole-trader"')):
        changed = replace(signed, payload=signed.payload.replace(before, after))
        assert changed.payload != signed.payload
        read_credential(changed)
        with pytest.raises(BadCredential):
            verify_credential(changed, alvik.trust)
    other_kind = replace(signed, jws=document.sign_payload(signed.payload, "agreement", alvik.ring.sign))
    with pytest.raises(BadCredential):
        verify_credential(other_kind, alvik.trust)


def test_an_answer_comes_from_an_active_member_of_the_right_space(space: Space, alvik: Participant) -> None:
    berga = space.join(BERGA)
    person = Person(space)
    answer = answered(alvik, vouched(alvik, person), space)
    with pytest.raises(BadCredential):
        answer.take(person.ring, BERGA, space.now)
    with pytest.raises(WrongRegistrar):
        answer.take(person.ring, ALVIK, space.now, "00" * 32)
    forged = document.sign(read_credential(answer.credential).content(), berga.ring.sign)
    with pytest.raises(BadCredential):
        replace(answer, credential=forged).take(person.ring, ALVIK, space.now)
    space.publish(change.suspend(ALVIK))
    late = replace(answer, admission=space.registrar.answer)
    with pytest.raises(NotAdmitted):
        late.take(person.ring, ALVIK, space.now)


def test_a_credential_needs_a_key_of_its_controller_that_was_valid(space: Space, alvik: Participant) -> None:
    signed = vouched(alvik, Person(space))
    verify_credential(signed, alvik.trust)
    kid = alvik.ring.thumbprint(Job.SIGN)
    space.publish(change.compromised(ALVIK, kid, Milliseconds(space.now - 1)), alvik)
    with pytest.raises(BadCredential):
        verify_credential(signed, alvik.trust)


def _altered(signed: SignedDocument, ring: KeyRing, **members: Any) -> SignedDocument:
    return document.sign({**read_credential(signed).content(), **members}, ring.sign)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("handle", "guest:anna"),
        ("handle", ALVIK),
        ("assurance", "certain"),
        ("kind", "municipality"),
        ("unit", "../x"),
        ("controller", "guest:" + "0" * 32),
        ("issued", -1),
        ("expires", 1),
        ("keys", {}),
        ("version", 2),
        ("name", "somebody"),
        ("space", "other"),
    ],
)
def test_a_malformed_credential_is_a_typed_error(
    space: Space, alvik: Participant, field: str, value: Any
) -> None:
    signed = _altered(vouched(alvik, Person(space)), alvik.ring, **{field: value})
    with pytest.raises(BadCredential):
        verify_credential(signed, alvik.trust)


@given(st.binary(max_size=300))
def test_bytes_are_no_file_of_a_guests(data: bytes) -> None:
    with pytest.raises(MalformedRequest):
        guest.read_guest_request(data)
    with pytest.raises(BadCredential):
        guest.read_guest_answer(data)
    with pytest.raises((BadCredential, MalformedList)):
        read_credential(SignedDocument(data, "a..b"))


# --- the guest book ---------------------------------------------------------------------------------


def test_a_guest_who_changes_keys_keeps_the_handle_when_the_old_key_vouches(
    space: Space, alvik: Participant
) -> None:
    old, new = Person(space, "old"), Person(space, "new")
    before = read_credential(vouched(alvik, old))
    asked = new.asks(previous=(before.handle, old.ring))
    after = read_credential(vouched(alvik, new, asked=asked, previous=before))
    assert after.handle == before.handle
    book = GuestBook(ALVIK, [before, after])
    assert book.identify(thumbprint(before.keys.tls), space.now) is None
    assert book.identify(thumbprint(after.keys.tls), space.now) is not None
    for ring in (old.ring, new.ring):
        kid = ring.thumbprint(Job.SIGN)
        assert book.verification_key(before.handle, kid, Job.SIGN, space.now) == ring.sign.public_key()


def test_a_handle_is_not_taken_over_without_the_old_key(space: Space, alvik: Participant) -> None:
    old, thief = Person(space, "old"), Person(space, "thief")
    before = read_credential(vouched(alvik, old))
    claimed = thief.asks(previous=(before.handle, Person(space, "another").ring))
    for asked, previous in ((claimed, before), (thief.asks(), before), (claimed, None)):
        with pytest.raises(MalformedRequest):
            vouched(alvik, thief, asked=asked, previous=previous)


def test_an_ended_or_expired_guest_keeps_the_protective_lane(space: Space, alvik: Participant) -> None:
    person = Person(space)
    signed = vouched(alvik, person, lifetime=20 * DAY)
    credential = read_credential(signed)
    leaf = to_pem(alvik.issuer.guest_leaf(person.ring.tls.public_key(), credential.handle, space.ambient))
    book = GuestBook(ALVIK, [credential])
    assert alvik.meets(leaf, book).limit is None
    assert [item.days for item in book.expiring(Milliseconds(space.now + 14 * DAY))] == [7]
    space.pass_days(21)
    assert alvik.meets(leaf, book).limit is Limit.CREDENTIAL_EXPIRED
    book.add(read_credential(guest.renew(credential, alvik.ring, space.ambient)))
    assert alvik.meets(leaf, book).limit is None
    book.end(credential.handle)
    peer = alvik.meets(leaf, book)
    assert (peer.limit, peer.standing) == (Limit.VOUCHING_ENDED, Standing.PROTECTIVE)
    kid = person.ring.thumbprint(Job.SIGN)
    book.verification_key(credential.handle, kid, Job.SIGN, space.now)


def test_under_an_expired_list_a_guest_too_has_the_protective_lane_alone(
    space: Space, alvik: Participant
) -> None:
    person = Person(space)
    credential = read_credential(vouched(alvik, person))
    book = GuestBook(ALVIK, [credential])
    directory = Directory(alvik.trust, book)
    directory.require_active(credential.handle, space.now)
    space.pass_days(31)
    leaf = to_pem(alvik.issuer.guest_leaf(person.ring.tls.public_key(), credential.handle, space.ambient))
    assert alvik.meets(leaf, book).limit is Limit.LIST_EXPIRED
    assert directory.limit(credential.handle, space.now) is Limit.LIST_EXPIRED


def test_a_barred_key_or_a_forgotten_guest_is_nobody(space: Space, alvik: Participant) -> None:
    person = Person(space)
    credential = read_credential(vouched(alvik, person))
    leaf = to_pem(alvik.issuer.guest_leaf(person.ring.tls.public_key(), credential.handle, space.ambient))
    ways: list[Callable[[GuestBook], object]] = [
        lambda book: book.bar(thumbprint(credential.keys.tls)),
        lambda book: book.forget(credential.handle),
    ]
    for spoil in ways:
        book = GuestBook(ALVIK, [credential])
        alvik.meets(leaf, book)
        spoil(book)
        with pytest.raises(PeerRefused):
            alvik.meets(leaf, book)
    assert book.find(credential.handle) is None
    with pytest.raises(KeyNotValid):
        book.verification_key(credential.handle, person.ring.thumbprint(Job.SIGN), Job.SIGN, space.now)


def test_a_book_takes_only_its_own_controllers_guests_and_one_guest_a_key(
    space: Space, alvik: Participant
) -> None:
    person = Person(space)
    credential = read_credential(vouched(alvik, person))
    with pytest.raises(BadCredential):
        GuestBook(BERGA, [credential])
    twin = read_credential(vouched(alvik, person))
    with pytest.raises(BadCredential):
        GuestBook(ALVIK, [credential, twin])


def test_a_guests_certificate_for_another_guests_name_is_refused(space: Space, alvik: Participant) -> None:
    one, other = Person(space, "one"), Person(space, "other")
    credentials: list[GuestCredential] = [read_credential(vouched(alvik, person)) for person in (one, other)]
    book = GuestBook(ALVIK, credentials)
    leaf = alvik.issuer.guest_leaf(one.ring.tls.public_key(), credentials[1].handle, space.ambient)
    with pytest.raises(BylagError) as caught:
        alvik.meets(to_pem(leaf), book)
    assert caught.value.code == "WRONG_NAME"


def test_a_key_of_a_guest_is_asked_for_its_use_and_time(space: Space, alvik: Participant) -> None:
    person = Person(space)
    credential = read_credential(vouched(alvik, person))
    book = GuestBook(ALVIK, [credential])
    sign, log = person.ring.thumbprint(Job.SIGN), person.ring.thumbprint(Job.LOG)
    book.verification_key(credential.handle, log, Job.LOG, space.now)
    for handle, kid, job, at in (
        (credential.handle, log, Job.SIGN, space.now),
        (credential.handle, sign, Job.SIGN, Milliseconds(space.now + 366 * DAY)),
        (credential.handle, sign, Job.SIGN, Milliseconds(space.now - DAY)),
        (ParticipantId("guest:" + "0" * 32), sign, Job.SIGN, space.now),
    ):
        with pytest.raises(KeyNotValid):
            book.verification_key(handle, kid, job, at)


def test_a_guest_cosigns_with_a_key_for_nothing_else_for_as_long_as_they_are_vouched_for(
    space: Space, alvik: Participant
) -> None:
    person = Person(space)
    credential = read_credential(vouched(alvik, person))
    directory = Directory(space.registrar.trust, GuestBook(ALVIK, [credential]))
    assert directory.witness_key(credential.handle, space.now) == person.ring.witness.public_key()
    assert directory.witness_key(ALVIK, space.now) == alvik.ring.witness.public_key()
    assert len({person.ring.thumbprint(job) for job in GUEST_JOBS}) == len(GUEST_JOBS)
    with pytest.raises(KeyNotValid):
        directory.witness_key(credential.handle, Milliseconds(space.now + 366 * DAY))
    with pytest.raises(KeyNotValid):
        directory.witness_key(ParticipantId("guest:" + "0" * 32), space.now)


def test_the_certificate_lasts_as_long_as_the_credential(space: Space, alvik: Participant) -> None:
    """A guest has no other way to a new one than another answer of their controller's."""
    signed = vouched(alvik, Person(space))
    shown = read_leaf(answered(alvik, signed, space).certificate)
    assert abs(shown.not_after - read_credential(signed).expires) < 1000


def test_an_anchor_of_a_key_that_ended_is_kept_for_guests_unless_it_was_compromised(
    space: Space, alvik: Participant
) -> None:
    assert alvik.trust.ended_anchors(ALVIK, space.now) == b""
    old = alvik.issuer.anchor
    asked = enrolment.rotate(alvik.ring, Job.TLS, SPACE, ALVIK, space.ambient)
    space.publish(change.rotate(enrolment.read_rotation(asked)), alvik)
    assert alvik.trust.ended_anchors(ALVIK, space.now) == b""
    space.pass_days(8)
    assert alvik.trust.ended_anchors(ALVIK, space.now) == to_pem(old)
    assert to_pem(old) not in alvik.trust.roots(space.now)
    key = spki_thumbprint(old)
    space.publish(change.compromised(ALVIK, key, space.now), alvik)
    assert alvik.trust.ended_anchors(ALVIK, Milliseconds(space.now + 1)) == b""


def test_the_answer_file_is_read_strictly(space: Space, alvik: Participant) -> None:
    answer = answered(alvik, vouched(alvik, Person(space)), space)
    whole = json.loads(answer.to_bytes())
    for change_it in (
        {"extra": 1},
        {"credential": {"payload": "AA"}},
        {"certificate": to_base64url(b"x" * 20_000)},
        {"version": 0},
    ):
        with pytest.raises(BadCredential):
            guest.read_guest_answer(json.dumps(whole | change_it).encode())

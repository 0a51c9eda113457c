"""Getting on the list by files: possession of every key, the answer, and changes of keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.identity import change, enrolment, public
from connector.identity.certificate import DAY
from connector.identity.enrolment import NotAdmitted, WrongRegistrar
from connector.identity.keys import KeyRing
from connector.identity.membership import MalformedList, NotEnoughSignatures
from connector.identity.organisation import KeyState
from connector.identity.public import Job
from connector.identity.registrar import Registrar
from connector.identity.request import MalformedRequest, write_request
from connector.identity.signed import MultiSigned
from connector.identity.trust import KeyNotValid
from ledger.ambient import HeldAmbient
from ledger.canonical import decode_object, encode
from ledger.document import from_base64url, to_base64url
from ledger.errors import BylagError
from ledger.names import DataSpaceId, Milliseconds, ParticipantId
from tests.identity.world import ALVIK, BERGA, SPACE, Space, organisation

Content = dict[str, Any]


def _payload(data: bytes) -> Content:
    content: Content = json.loads(from_base64url(json.loads(data)["payload"]))
    return content


# --- joining ----------------------------------------------------------------------------------------


def test_a_request_holds_every_key_and_only_public_halves(space: Space) -> None:
    ring = space.ring("alvik")
    data = enrolment.join(ring, SPACE, organisation(ALVIK), space.ambient)
    request = enrolment.read_join(data)
    assert {key.job: key.thumbprint for key in request.organisation.keys} == {
        job: ring.thumbprint(job) for job in Job
    }
    assert ring.sign.private_bytes_raw() not in from_base64url(json.loads(data)["payload"])
    assert b"PRIVATE" not in data


@pytest.mark.parametrize("job", list(Job))
def test_possession_of_each_key_must_be_shown(space: Space, job: Job) -> None:
    ring = space.ring("alvik")
    entry = _payload(enrolment.join(ring, SPACE, organisation(ALVIK), space.ambient))["organisation"]
    holders = [ring.key(other) for other in Job if other is not job]
    data = write_request("join-request", SPACE, {"organisation": entry}, holders, space.ambient)
    with pytest.raises(MalformedRequest) as caught:
        enrolment.read_join(data)
    assert caught.value.field == f"organisation.keys[{list(Job).index(job)}]"


@pytest.mark.parametrize("job", list(Job))
def test_somebody_elses_key_cannot_be_claimed(space: Space, job: Job) -> None:
    honest, thief = space.ring("alvik"), space.ring("thief")
    claimed = _payload(enrolment.join(honest, SPACE, organisation(ALVIK), space.ambient))["organisation"]
    entry = _payload(enrolment.join(thief, SPACE, organisation(ALVIK), space.ambient))["organisation"]
    index = list(Job).index(job)
    entry["keys"][index] = claimed["keys"][index]
    holders = [thief.key(other) for other in Job]
    data = write_request("join-request", SPACE, {"organisation": entry}, holders, space.ambient)
    with pytest.raises(MalformedRequest):
        enrolment.read_join(data)


def test_a_changed_byte_of_the_payload_is_noticed(space: Space) -> None:
    data = enrolment.join(space.ring("alvik"), SPACE, organisation(ALVIK), space.ambient)
    outer = json.loads(data)
    payload = from_base64url(outer["payload"]).replace(b"alvik.example", b"alvjk.example")
    outer["payload"] = to_base64url(payload)
    with pytest.raises(MalformedRequest):
        enrolment.read_join(json.dumps(outer).encode())


def test_a_proof_is_not_carried_over_to_another_request(space: Space) -> None:
    ring = space.ring("alvik")
    one, other = (
        json.loads(enrolment.join(ring, SPACE, organisation(ALVIK), space.ambient)) for _ in range(2)
    )
    one["proofs"] = other["proofs"]
    with pytest.raises(MalformedRequest):
        enrolment.read_join(json.dumps(one).encode())


def test_a_request_for_another_data_space_is_refused(space: Space) -> None:
    data = enrolment.join(space.ring("alvik"), DataSpaceId("other"), organisation(ALVIK), space.ambient)
    with pytest.raises(MalformedRequest):
        space.registrar.draft(change.admit(enrolment.read_join(data)))


def test_a_name_that_no_list_would_take_is_refused_before_the_file_is_written(space: Space) -> None:
    with pytest.raises(MalformedRequest) as caught:
        enrolment.join(space.ring("alvik"), SPACE, organisation(ALVIK, name="Al\u202evik"), space.ambient)
    assert caught.value.field == "organisation.name"


def test_the_answer_makes_a_member_who_trusts_the_chain(space: Space) -> None:
    member = space.join(ALVIK)
    assert member.trust.is_active(ALVIK)
    assert member.trust.number == space.registrar.trust.number


def test_certificates_are_issued_only_with_a_listed_key(space: Space) -> None:
    member = space.join(ALVIK)
    entry = member.trust.organisation(ALVIK)
    assert enrolment.issuer_of(member.ring, entry).anchor.public_key() == member.ring.tls.public_key()
    with pytest.raises(NotAdmitted):
        enrolment.issuer_of(space.ring("other"), entry)


def test_an_answer_of_another_registrar_is_noticed_by_its_fingerprint(space: Space, tmp_path: Path) -> None:
    ring = space.ring("alvik")
    fake = Registrar.create(tmp_path / "fake", SPACE, space.ambient)
    fake.publish(change.admit(space.request(ring, ALVIK)))
    with pytest.raises(WrongRegistrar):
        fake.answer.take(ALVIK, ring, space.registrar.trust.first.fingerprint)
    mixed = enrolment.Admission(space.registrar.trust.first, fake.answer.chain)
    with pytest.raises(NotEnoughSignatures):
        mixed.take(ALVIK, ring, space.registrar.trust.first.fingerprint)


def test_an_answer_without_me_or_with_other_keys_is_no_admission(space: Space) -> None:
    member = space.join(ALVIK)
    answer = space.registrar.answer
    with pytest.raises(NotAdmitted):
        answer.take(BERGA, member.ring)
    with pytest.raises(NotAdmitted):
        answer.take(ALVIK, space.ring("other"))
    space.publish(change.suspend(ALVIK))
    with pytest.raises(NotAdmitted):
        space.registrar.answer.take(ALVIK, member.ring)


@given(st.binary(max_size=300))
def test_bytes_are_no_file_of_ours(data: bytes) -> None:
    for read in (enrolment.read_join, enrolment.read_rotation, enrolment.read_update):
        with pytest.raises(MalformedRequest):
            read(data)
    with pytest.raises(MalformedList):
        enrolment.read_admission(data)


VALUES: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=9) | st.just([]) | st.just({})
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    space = Space(tmp_path_factory.mktemp("space"))
    member = space.join(ALVIK)
    return {
        "join": enrolment.join(member.ring, SPACE, organisation(ALVIK), space.ambient),
        "rotation": enrolment.rotate(member.ring, Job.TLS, SPACE, ALVIK, space.ambient),
        "admission": space.registrar.answer.to_bytes(),
    }


@settings(max_examples=80)
@given(data=st.data())
def test_a_file_with_anything_in_any_place_is_read_or_a_typed_error(
    data: st.DataObject, files: dict[str, bytes]
) -> None:
    kind = data.draw(st.sampled_from(sorted(files)))
    outer = json.loads(files[kind])
    place: Any = outer
    while True:
        keys = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(VALUES)
    try:
        READ[kind](encode(outer))
    except BylagError as error:
        assert error.next_step


READ: dict[str, Callable[[bytes], object]] = {
    "join": enrolment.read_join,
    "rotation": enrolment.read_rotation,
    "admission": lambda data: enrolment.read_admission(data).verify(),
}


# --- changing keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize("job", list(Job))
def test_a_new_key_counts_when_a_list_contains_it(space: Space, job: Job) -> None:
    member = space.join(ALVIK)
    old = member.ring.thumbprint(job)
    request = enrolment.read_rotation(enrolment.rotate(member.ring, job, SPACE, ALVIK, space.ambient))
    following = member.ring.next(job)
    assert following is not None
    new = public.thumbprint(following.public_key())
    with pytest.raises(KeyNotValid):
        member.trust.key(ALVIK, new, job)
    assert enrolment.adopt(member.ring, member.trust.organisation(ALVIK), space.now) == ()
    space.publish(change.rotate(request), member)
    for kid in (old, new):
        member.trust.valid_key(ALVIK, kid, job, Milliseconds(space.now + 6 * DAY))
    late = Milliseconds(space.now + 8 * DAY)
    with pytest.raises(KeyNotValid):
        member.trust.valid_key(ALVIK, old, job, late)
    member.trust.valid_key(ALVIK, new, job, late)


def test_a_next_key_becomes_current_when_the_list_names_it(space: Space) -> None:
    member = space.join(ALVIK)
    for job in (Job.SIGN, Job.TLS):
        request = enrolment.read_rotation(enrolment.rotate(member.ring, job, SPACE, ALVIK, space.ambient))
        space.publish(change.rotate(request), member)
    entry = member.trust.organisation(ALVIK)
    assert enrolment.adopt(member.ring, entry, space.now) == (Job.SIGN,)
    space.pass_days(3)
    assert enrolment.adopt(member.ring, entry, space.now) == (), "peers with an older list know the old one"
    space.pass_days(0.6)
    assert enrolment.adopt(member.ring, entry, space.now) == (Job.TLS,)
    assert enrolment.adopt(member.ring, entry, space.now) == ()
    assert {key.thumbprint for key in entry.keys if key.state(space.now) is KeyState.VALID} >= {
        member.ring.thumbprint(job) for job in Job
    }


def test_a_rotation_asked_for_twice_names_one_key(space: Space) -> None:
    member = space.join(ALVIK)
    one, two = (
        enrolment.read_rotation(enrolment.rotate(member.ring, Job.LOG, SPACE, ALVIK, space.ambient))
        for _ in range(2)
    )
    assert one.key.thumbprint == two.key.thumbprint
    space.publish(change.rotate(one), member)
    with pytest.raises(MalformedList):
        space.registrar.draft(change.rotate(two))


def _rotation(
    ring: KeyRing, job: Job, holders: list[Ed25519PrivateKey | ec.EllipticCurvePrivateKey]
) -> enrolment.RotationRequest:
    """A rotation signed by ``holders`` instead of those who should."""
    honest = _payload(enrolment.rotate(ring, job, SPACE, ALVIK, HeldAmbient()))
    members = {name: honest[name] for name in ("did", "key", "replaces")}
    return enrolment.read_rotation(write_request("rotation-request", SPACE, members, holders, HeldAmbient()))


def test_the_new_key_alone_the_old_alone_or_a_stolen_tls_key_rotate_nothing(space: Space) -> None:
    member = space.join(ALVIK)
    ring, job = member.ring, Job.TLS
    new = ring.rotate(job)
    with pytest.raises(MalformedRequest):  # the new key does not show itself
        _rotation(ring, job, [ring.sign, ring.tls])
    for holders in ([new], [new, ring.tls], [new, ring.sign]):
        with pytest.raises((MalformedRequest, KeyNotValid)):
            space.registrar.draft(change.rotate(_rotation(ring, job, holders)))
    space.registrar.draft(change.rotate(_rotation(ring, job, [new, ring.tls, ring.sign])))


@pytest.mark.parametrize("job", [Job.SIGN, Job.LOG, Job.TLS])
def test_a_compromised_key_vouches_for_nothing(space: Space, job: Job) -> None:
    member = space.join(ALVIK)
    data = enrolment.rotate(member.ring, job, SPACE, ALVIK, space.ambient)
    space.publish(change.compromised(ALVIK, member.ring.thumbprint(job), space.now), member)
    with pytest.raises(KeyNotValid):
        space.registrar.draft(change.rotate(enrolment.read_rotation(data)))


def test_a_key_vouches_for_its_own_use_and_holder_only(space: Space) -> None:
    alvik, berga = space.join(ALVIK), space.join(BERGA)
    honest = _payload(enrolment.rotate(alvik.ring, Job.LOG, SPACE, ALVIK, space.ambient))
    following = alvik.ring.next(Job.LOG)
    assert following is not None
    for replaces, holder in (
        (alvik.ring.thumbprint(Job.WITNESS), alvik.ring.witness),
        (berga.ring.thumbprint(Job.LOG), berga.ring.log),
    ):
        members = {"did": honest["did"], "key": honest["key"], "replaces": replaces}
        keys = [alvik.ring.sign, holder, following]
        data = write_request("rotation-request", SPACE, members, keys, space.ambient)
        with pytest.raises(KeyNotValid):
            space.registrar.draft(change.rotate(enrolment.read_rotation(data)))


def test_a_removed_member_rotates_nothing(space: Space) -> None:
    member = space.join(ALVIK)
    data = enrolment.rotate(member.ring, Job.LOG, SPACE, ALVIK, space.ambient)
    space.publish(change.remove(ALVIK))
    with pytest.raises(change.ChangeRefused):
        space.registrar.draft(change.rotate(enrolment.read_rotation(data)))


def test_details_change_only_on_the_members_own_signature(space: Space) -> None:
    alvik, berga = space.join(ALVIK), space.join(BERGA)
    data = enrolment.update(
        berga.ring, SPACE, ALVIK, name="Mine now", units=[], endpoints=[], ambient=space.ambient
    )
    with pytest.raises(KeyNotValid):
        space.registrar.draft(change.update(enrolment.read_update(data)))
    content = decode_object(from_base64url(json.loads(data)["payload"]))
    forged = MultiSigned(encode(content)).signed_by(alvik.ring.sign, "agreement")
    file = encode({**forged.content(), "proofs": []})
    with pytest.raises(MalformedRequest):
        space.registrar.draft(change.update(enrolment.read_update(file)))
    assert ParticipantId(str(content["did"])) == ALVIK

"""Which list counts: the chain, its forks, its gaps, and time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.identity import change, enrolment
from connector.identity.certificate import DAY
from connector.identity.equivocation import Equivocation, EquivocationProof, read_proof
from connector.identity.keys import generate
from connector.identity.membership import (
    KIND,
    BrokenSuccession,
    FirstKeys,
    ListDigest,
    MalformedList,
    MembershipList,
    NotEnoughSignatures,
    RegistrarKeys,
    read_link,
)
from connector.identity.public import Job
from connector.identity.signed import MultiSigned
from connector.identity.trust import (
    KeyNotValid,
    ListExpired,
    ListGap,
    ListNotYetValid,
    ListRolledBack,
    NoList,
    Relation,
    TrustStore,
    UnknownOrganisation,
)
from ledger.ambient import HeldAmbient
from ledger.document import BadSignature
from ledger.fields import Fields
from ledger.names import DataSpaceId, Milliseconds, ParticipantId
from tests.identity.world import ALVIK, BERGA, SPACE, Space

NOW = HeldAmbient().now()


def _keys(count: int, seed: int = 1) -> list[Ed25519PrivateKey]:
    dice = HeldAmbient(seed=seed)
    keys = [generate(Job.SIGN, dice) for _ in range(count)]
    return [key for key in keys if isinstance(key, Ed25519PrivateKey)]


def _publics(threshold: int, keys: list[Ed25519PrivateKey]) -> RegistrarKeys:
    return RegistrarKeys(threshold, tuple(key.public_key() for key in keys))


def _signed(entry: MembershipList, keys: list[Ed25519PrivateKey]) -> MultiSigned:
    signed = entry.unsigned()
    for key in keys:
        signed = signed.signed_by(key, KIND)
    return signed


class Chain:
    """Lists made by hand, as a registrar could who keeps to no rule."""

    def __init__(self, threshold: int = 1, count: int = 1) -> None:
        self.keys = _keys(count)
        self.registrar = _publics(threshold, self.keys)
        self.first = FirstKeys(SPACE, self.registrar)

    def entry(
        self,
        number: int,
        before: MultiSigned | None,
        *,
        issued: int = 0,
        registrar: RegistrarKeys | None = None,
    ) -> MembershipList:
        previous = None if before is None else ListDigest(before.digest)
        start = Milliseconds(NOW + number * 1000 + issued)
        end = Milliseconds(start + 30 * DAY)
        return MembershipList(SPACE, number, previous, start, end, registrar or self.registrar)

    def run(self, length: int) -> list[MultiSigned]:
        chain: list[MultiSigned] = []
        for number in range(1, length + 1):
            entry = self.entry(number, chain[-1] if chain else None)
            chain.append(_signed(entry, self.keys[: self.registrar.threshold]))
        return chain


# --- the chain --------------------------------------------------------------------------------------


def test_a_chain_is_followed_from_the_first_keys(space: Space) -> None:
    space.join(ALVIK)
    space.join(BERGA)
    auditor = TrustStore.from_chain(space.registrar.trust.first, space.registrar.answer.chain)
    assert auditor.number == 3
    assert auditor.digest == space.registrar.trust.digest
    assert auditor.organisation(ALVIK).name == "Test alvik"


def test_list_one_counts_only_under_the_pinned_first_keys() -> None:
    chain = Chain()
    stranger = FirstKeys(SPACE, _publics(1, _keys(1, seed=9)))
    with pytest.raises(NotEnoughSignatures):
        TrustStore(stranger).accept(chain.run(1)[0])
    other_space = FirstKeys(DataSpaceId("other"), chain.registrar)
    with pytest.raises(MalformedList):
        TrustStore(other_space).accept(chain.run(1)[0])


def test_fewer_signatures_than_the_threshold_are_not_enough() -> None:
    chain = Chain(threshold=2, count=3)
    entry = chain.entry(1, None)
    with pytest.raises(NotEnoughSignatures):
        TrustStore(chain.first).accept(_signed(entry, chain.keys[:1]))
    for pair in ([0, 1], [0, 2], [1, 2], [0, 1, 2]):
        TrustStore(chain.first).accept(_signed(entry, [chain.keys[n] for n in pair]))


def test_one_key_that_signs_twice_counts_once() -> None:
    chain = Chain(threshold=2, count=2)
    with pytest.raises(BadSignature):
        TrustStore(chain.first).accept(_signed(chain.entry(1, None), [chain.keys[0]] * 2))


def test_a_bad_signature_of_a_known_key_spoils_the_list() -> None:
    chain = Chain(threshold=1, count=2)
    entry = chain.entry(1, None)
    elsewhere = _signed(chain.entry(1, None, issued=1), chain.keys[1:])
    good = _signed(entry, chain.keys[:1])
    mixed = replace(good, signatures=(*good.signatures, *elsewhere.signatures))
    with pytest.raises(BadSignature):
        TrustStore(chain.first).accept(mixed)


def test_a_signature_of_a_stranger_is_not_carried_along() -> None:
    chain = Chain()
    with pytest.raises(BadSignature):
        TrustStore(chain.first).accept(_signed(chain.entry(1, None), [*chain.keys, *_keys(1, seed=9)]))


def test_a_signature_for_another_kind_of_document_is_none() -> None:
    chain = Chain()
    signed = chain.entry(1, None).unsigned().signed_by(chain.keys[0], "agreement")
    with pytest.raises(BadSignature):
        TrustStore(chain.first).accept(signed)


def test_nothing_is_parsed_that_no_registrar_key_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(_: bytes) -> MembershipList:
        raise AssertionError("the parser saw unsigned bytes")

    chain = Chain()
    monkeypatch.setattr("connector.identity.trust.read_list", parsed)
    for signed in (MultiSigned(b"{"), MultiSigned(b"{}").signed_by(_keys(1, seed=9)[0], KIND)):
        with pytest.raises(NotEnoughSignatures):
            TrustStore(chain.first).accept(signed)


def test_new_registrar_keys_need_enough_of_the_old_and_enough_of_the_new() -> None:
    chain = Chain(threshold=2, count=2)
    first = chain.run(1)[0]
    fresh = _keys(2, seed=5)
    entry = chain.entry(2, first, registrar=_publics(2, fresh))
    for signers in (chain.keys, fresh, [*chain.keys, fresh[0]], [chain.keys[0], *fresh]):
        with pytest.raises(NotEnoughSignatures):
            TrustStore.from_chain(chain.first, [first, _signed(entry, signers)])
    both = _signed(entry, [*chain.keys, *fresh])
    store = TrustStore.from_chain(chain.first, [first, both])
    third = chain.entry(3, both, registrar=_publics(2, fresh))
    for signers in ([*chain.keys, *fresh], chain.keys):  # the old keys are strangers now
        with pytest.raises(BadSignature):
            store.accept(_signed(third, signers))
    store.accept(_signed(third, fresh))


def test_a_lowered_threshold_needs_the_old_number_once_more() -> None:
    chain = Chain(threshold=2, count=2)
    first = chain.run(1)[0]
    entry = chain.entry(2, first, registrar=_publics(1, chain.keys[:1]))
    with pytest.raises(NotEnoughSignatures):
        TrustStore.from_chain(chain.first, [first, _signed(entry, chain.keys[:1])])


def test_a_gap_is_refused_until_it_is_filled() -> None:
    chain = Chain()
    lists = chain.run(3)
    store = TrustStore.from_chain(chain.first, lists[:1])
    with pytest.raises(ListGap):
        store.accept(lists[2])
    assert store.number == 1
    store.accept(lists[1])
    store.accept(lists[2])


def test_an_older_list_is_refused_and_the_same_one_is_nothing_new() -> None:
    chain = Chain()
    lists = chain.run(3)
    store = TrustStore.from_chain(chain.first, lists)
    with pytest.raises(ListRolledBack):
        store.accept(lists[0])
    accepted = store.accept(lists[2])
    assert accepted.entry.number == 3
    assert (accepted.barred, accepted.ended) == (frozenset(), frozenset())
    assert store.number == 3


def test_the_same_list_with_other_sufficient_signatures_is_the_same_list() -> None:
    chain = Chain(threshold=1, count=2)
    entry = chain.entry(1, None)
    store = TrustStore.from_chain(chain.first, [_signed(entry, chain.keys[:1])])
    assert store.accept(_signed(entry, chain.keys[1:])).entry == entry


# --- two histories ----------------------------------------------------------------------------------


def _assert_stopped(store: TrustStore, lists: list[MultiSigned]) -> None:
    assert store.proof is not None
    for attempt in (
        lambda: store.require_valid(Milliseconds(NOW + 5000)),
        lambda: store.accept(lists[-1]),
    ):
        with pytest.raises(Equivocation):
            attempt()


def test_two_lists_of_one_number_are_kept_as_proof_and_stop_everything() -> None:
    chain = Chain()
    lists = chain.run(3)
    store = TrustStore.from_chain(chain.first, lists)
    other = _signed(chain.entry(3, lists[1], issued=1), chain.keys)
    with pytest.raises(Equivocation) as caught:
        store.accept(other)
    proof = caught.value.proof
    assert (proof.number, proof.held, proof.offered) == (3, lists[2], other)
    assert read_proof(proof.to_bytes()) == proof
    _assert_stopped(store, lists)
    assert store.current.number == 3, "who somebody is can still be looked up"


def test_another_list_of_a_number_long_past_is_a_proof_too() -> None:
    chain = Chain()
    lists = chain.run(4)
    store = TrustStore.from_chain(chain.first, lists)
    other = _signed(chain.entry(2, lists[0], issued=1), chain.keys)
    with pytest.raises(Equivocation) as caught:
        store.accept(other)
    assert (caught.value.proof.number, caught.value.proof.held) == (2, lists[1])
    _assert_stopped(store, lists)


def test_a_list_that_follows_another_than_ours_is_a_proof_too() -> None:
    chain = Chain()
    lists = chain.run(3)
    elsewhere = _signed(chain.entry(3, lists[1], issued=1), chain.keys)
    store = TrustStore.from_chain(chain.first, lists)
    with pytest.raises(Equivocation) as caught:
        store.accept(_signed(chain.entry(4, elsewhere), chain.keys))
    assert caught.value.proof.number == 3
    _assert_stopped(store, lists)


def test_a_claim_that_the_registrar_did_not_sign_proves_nothing() -> None:
    chain = Chain()
    lists = chain.run(2)
    store = TrustStore.from_chain(chain.first, lists)
    with pytest.raises(NotEnoughSignatures):
        store.accept(_signed(chain.entry(2, lists[0], issued=1), _keys(1, seed=9)))
    assert store.proof is None
    store.require_valid(Milliseconds(NOW + 5000))


def test_a_proof_outlives_a_restart() -> None:
    chain = Chain()
    lists = chain.run(2)
    store = TrustStore.from_chain(chain.first, lists)
    with pytest.raises(Equivocation):
        store.accept(_signed(chain.entry(2, lists[0], issued=1), chain.keys))
    assert store.proof is not None
    again = _resumed(store, lists, read_proof(store.proof.to_bytes()))
    _assert_stopped(again, lists)


# --- history is kept --------------------------------------------------------------------------------

Alter = Callable[[MembershipList], MembershipList]


def _with_key(**members: Any) -> Alter:
    def alter(entry: MembershipList) -> MembershipList:
        member = entry.organisations[0]
        keys = (replace(member.keys[0], **members), *member.keys[1:])
        return replace(entry, organisations=(replace(member, keys=keys), *entry.organisations[1:]))

    return alter


def _earlier(entry: MembershipList) -> MembershipList:
    return replace(entry, issued=Milliseconds(entry.issued - 10 * DAY))


def _without_organisation(entry: MembershipList) -> MembershipList:
    return replace(entry, organisations=entry.organisations[1:])


def _without_key(entry: MembershipList) -> MembershipList:
    member = entry.organisations[0]
    return replace(entry, organisations=(replace(member, keys=member.keys[1:]), *entry.organisations[1:]))


@pytest.mark.parametrize(
    "alter",
    [
        pytest.param(_without_organisation, id="an organisation gone"),
        pytest.param(_without_key, id="a key gone"),
        pytest.param(_with_key(not_before=NOW - 1), id="begun earlier"),
        pytest.param(_with_key(compromised_since=None), id="a compromise taken back"),
        pytest.param(_with_key(compromised_since=NOW + 10**9), id="a compromise moved to later"),
        pytest.param(_with_key(not_after=NOW + 1), id="ended long ago"),
        pytest.param(_with_key(not_after=NOW + DAY // 2), id="ended before the last list"),
        pytest.param(_earlier, id="time backwards"),
    ],
)
def test_history_cannot_be_rewritten_even_by_the_registrar(
    space: Space, monkeypatch: pytest.MonkeyPatch, alter: Alter
) -> None:
    member = space.join(ALVIK)
    space.pass_days(1)
    kid = member.ring.thumbprint(Job.SIGN)
    space.publish(change.compromised(ALVIK, kid, space.now), member)
    space.pass_days(1)
    store = space.registrar.trust
    base = store.current
    following = alter(
        replace(
            base,
            number=base.number + 1,
            previous=store.digest,
            issued=space.now,
            expires=Milliseconds(space.now + DAY),
        )
    )
    signed = following.unsigned().signed_by(next(iter(space.registrar._keys.values())), KIND)
    with pytest.raises(BrokenSuccession):
        member.trust.accept(signed)
    assert member.trust.number == base.number


def test_an_end_that_has_passed_cannot_be_moved(space: Space) -> None:
    member = space.join(ALVIK)
    kid = member.ring.thumbprint(Job.LOG)
    soon = Milliseconds(space.now + DAY)
    space.publish(change.extend(ALVIK, kid, soon), member)
    space.publish(change.extend(ALVIK, kid, Milliseconds(soon + DAY)), member)  # still ahead: may move
    space.pass_days(3)
    space.publish(change.renew(), member)
    with pytest.raises(BrokenSuccession):
        space.publish(change.extend(ALVIK, kid, Milliseconds(space.now + DAY)), member)


# --- time -------------------------------------------------------------------------------------------


def test_an_expired_list_is_held_and_not_usable(space: Space) -> None:
    member = space.join(ALVIK)
    expires = member.trust.current.expires
    member.trust.require_valid(Milliseconds(expires - 1))
    with pytest.raises(ListExpired):
        member.trust.require_valid(expires)
    assert member.trust.is_active(ALVIK)


def test_an_expired_list_still_supersedes_the_one_before(space: Space) -> None:
    member = space.join(ALVIK)
    space.registrar.publish(change.remove(ALVIK), lifetime=DAY)
    space.pass_days(2)
    space.catch_up(member.trust)
    assert not member.trust.is_active(ALVIK)
    with pytest.raises(ListExpired):
        member.trust.require_valid(space.now)


def test_months_without_a_list_are_caught_up_with_link_by_link(space: Space) -> None:
    member = space.join(ALVIK)
    for _ in range(4):
        space.pass_days(29)
        space.registrar.publish(change.renew())
    with pytest.raises(ListExpired):
        member.trust.require_valid(space.now)
    space.catch_up(member.trust)
    member.trust.require_valid(space.now)


def test_a_list_from_the_future_says_that_a_clock_is_wrong(space: Space) -> None:
    member = space.join(ALVIK)
    member.trust.require_valid(Milliseconds(space.now - 4 * 60_000))
    with pytest.raises(ListNotYetValid):
        member.trust.require_valid(Milliseconds(space.now - 6 * 60_000))


def test_before_the_first_list_nothing_is_usable() -> None:
    store = TrustStore(Chain().first)
    for attempt in (lambda: store.current, lambda: store.require_valid(NOW), lambda: store.signed(1)):
        with pytest.raises(NoList):
            attempt()


# --- look-ups ---------------------------------------------------------------------------------------


def test_lists_that_peers_name_are_told_apart() -> None:
    chain = Chain()
    lists = chain.run(3)
    store = TrustStore.from_chain(chain.first, lists)
    assert store.relation(3, lists[2].digest) is Relation.SAME
    assert store.relation(4, "00" * 32) is Relation.THEIRS_IS_NEWER
    assert store.relation(2, lists[1].digest) is Relation.OURS_IS_NEWER
    assert store.relation(3, "00" * 32) is Relation.CONFLICT
    assert store.relation(1, "00" * 32) is Relation.CONFLICT
    assert store.relation(0, "00" * 32) is Relation.CONFLICT


def test_an_auditor_asks_which_list_was_in_force() -> None:
    chain = Chain()
    store = TrustStore.from_chain(chain.first, chain.run(3))
    assert store.in_force(Milliseconds(NOW + 2500)).number == 2
    assert store.in_force(Milliseconds(NOW + 10**9)).number == 3
    with pytest.raises(NoList):
        store.in_force(Milliseconds(NOW))


def _resumed(
    store: TrustStore, lists: list[MultiSigned], proof: EquivocationProof | None = None
) -> TrustStore:
    links = [read_link(Fields(link.content())) for link in store.links]
    return TrustStore.resume(
        store.first,
        links,
        lists[-1],
        lambda number: lists[number - 1],
        proof,
    )


def test_a_node_goes_on_from_what_it_stored(space: Space) -> None:
    member = space.join(ALVIK)
    lists = list(space.registrar.answer.chain)
    store = _resumed(member.trust, lists)
    assert (store.number, store.digest) == (member.trust.number, member.trust.digest)
    assert store.signed(1) == lists[0]
    space.registrar.publish(change.renew())
    lists.append(space.registrar.trust.signed(3))
    store.accept(lists[2])
    assert store.signed(3) == lists[2]
    with pytest.raises(MalformedList):
        TrustStore.resume(store.first, store.links[:-1], lists[2], lambda n: lists[n - 1])
    with pytest.raises(MalformedList):
        TrustStore.resume(store.first, store.links[1:], lists[2], lambda n: lists[n - 1])


def test_a_key_is_looked_up_for_its_holder_its_use_and_its_time(space: Space) -> None:
    member = space.join(ALVIK)
    other = space.join(BERGA)
    space.catch_up(member.trust)
    kid = member.ring.thumbprint(Job.SIGN)
    trust = member.trust
    assert trust.verification_key(ALVIK, kid, Job.SIGN, space.now) == member.ring.sign.public_key()
    for did, key, job, at in (
        (BERGA, kid, Job.SIGN, space.now),
        (ALVIK, other.ring.thumbprint(Job.SIGN), Job.SIGN, space.now),
        (ALVIK, kid, Job.LOG, space.now),
        (ALVIK, member.ring.thumbprint(Job.TLS), Job.TLS, space.now),
        (ALVIK, kid, Job.SIGN, Milliseconds(space.now - DAY)),
        (ALVIK, kid, Job.SIGN, Milliseconds(space.now + 731 * DAY)),
    ):
        with pytest.raises(KeyNotValid):
            trust.verification_key(did, key, job, at)
    with pytest.raises(UnknownOrganisation):
        trust.organisation(ParticipantId("did:web:nobody.example"))


def test_taking_a_list_in_tells_whose_calls_end(space: Space) -> None:
    alvik, berga = space.join(ALVIK), space.join(BERGA)
    space.catch_up(alvik.trust)
    space.registrar.publish(change.suspend(BERGA))
    accepted = space.catch_up(alvik.trust)
    assert accepted is not None
    assert (accepted.barred, accepted.ended) == (frozenset({BERGA}), frozenset())
    stolen = berga.ring.thumbprint(Job.TLS)
    space.registrar.publish(change.compromised(BERGA, stolen, space.now))
    accepted = space.catch_up(alvik.trust)
    assert accepted is not None
    assert (accepted.barred, accepted.ended) == (frozenset(), frozenset({stolen}))


def test_warnings_come_thirty_seven_and_one_day_before(tmp_path: Path) -> None:
    space = Space(tmp_path)
    request = space.request(space.ring("alvik"), ALVIK)
    space.registrar.publish(change.admit(request, key_lifetime=90 * DAY), lifetime=200 * DAY)
    trust, start = space.registrar.trust, space.now

    def days(at: float, what: str) -> set[int]:
        now = Milliseconds(start + int(at * DAY))
        return {item.days for item in trust.expiring(now, ALVIK) if item.what.startswith(what)}

    assert days(59, "key sign") == set()
    assert days(60, "key sign") == {30}
    assert days(83, "key sign") == {7}
    assert days(89, "key sign") == {1}
    assert days(91, "key sign") == {0}
    assert days(169, "list") == set()
    assert days(170, "list") == {30}
    assert days(200, "list") == {0}
    warned = {item.what for item in trust.expiring(Milliseconds(start + 60 * DAY))}
    assert warned == {f"key {job}" for job in Job}


def test_a_list_made_for_thirty_days_does_not_warn_on_its_first(space: Space) -> None:
    space.join(ALVIK)
    trust, start = space.registrar.trust, space.now
    assert trust.expiring(start) == []
    assert [item.days for item in trust.expiring(Milliseconds(start + 23 * DAY))] == [7]
    assert [item.days for item in trust.expiring(Milliseconds(start + 29 * DAY))] == [1]


def test_a_key_that_is_being_changed_gives_no_warning(space: Space) -> None:
    member = space.join(ALVIK)
    trust = space.registrar.trust

    def warned(days: int) -> bool:
        now = Milliseconds(space.now + days * DAY)
        return any(item.what == "key log" for item in trust.expiring(now))

    space.publish(change.extend(ALVIK, member.ring.thumbprint(Job.LOG), Milliseconds(space.now + 20 * DAY)))
    assert warned(14)
    data = enrolment.rotate(member.ring, Job.LOG, SPACE, ALVIK, space.ambient)
    space.publish(change.rotate(enrolment.read_rotation(data)))
    assert not warned(6)

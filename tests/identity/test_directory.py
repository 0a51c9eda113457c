"""Who a peer is, from what it showed: refused, protective, or in full standing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.identity import change, enrolment
from connector.identity.certificate import DAY, Issuer, issue_anchor, read_leaf, to_pem
from connector.identity.directory import Directory
from connector.identity.equivocation import Equivocation
from connector.identity.membership import KIND
from connector.identity.organisation import Status
from connector.identity.peer import (
    CertificateExpired,
    KeyRefused,
    Limit,
    Member,
    NotActive,
    Standing,
    UnknownPeer,
    WrongName,
)
from connector.identity.public import Job
from connector.identity.trust import KeyNotValid, ListExpired
from ledger.ambient import HeldAmbient
from ledger.names import Milliseconds, ParticipantId
from tests.identity.world import ALVIK, BERGA, SPACE, Participant, Space

NOBODY = ParticipantId("did:web:nobody.example")
NO_GUEST = ParticipantId("guest:" + "0" * 32)


@pytest.fixture
def pair(space: Space) -> tuple[Participant, Participant]:
    alvik, berga = space.join(ALVIK), space.join(BERGA)
    space.catch_up(alvik.trust)
    return alvik, berga


Pair = tuple[Participant, Participant]


def test_an_active_member_has_full_standing(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    peer = alvik.meets(berga.leaf())
    assert isinstance(peer, Member)
    assert (peer.id, peer.status, peer.standing) == (BERGA, Status.ACTIVE, Standing.FULL)
    assert peer.units == ("schools", "energy")
    assert peer.tls == berga.ring.thumbprint(Job.TLS)


@pytest.mark.parametrize(
    ("what", "limit"), [(change.suspend(BERGA), Limit.SUSPENDED), (change.remove(BERGA), Limit.REMOVED)]
)
def test_a_suspended_or_removed_member_keeps_the_protective_lane(
    space: Space, pair: Pair, what: change.Change, limit: Limit
) -> None:
    alvik, berga = pair
    leaf = berga.leaf()
    space.publish(what, alvik)
    peer = alvik.meets(leaf)
    assert (peer.limit, peer.standing) == (limit, Standing.PROTECTIVE)
    directory = Directory(alvik.trust)
    with pytest.raises(NotActive):
        directory.require_active(BERGA, space.now)
    kid = berga.ring.thumbprint(Job.SIGN)
    directory.verification_key(BERGA, kid, Job.SIGN, space.now)
    assert alvik.trust.roots_for(BERGA, space.now)


def test_under_an_expired_list_everybody_is_known_and_nobody_served(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    space.pass_days(30)
    peer = alvik.meets(berga.leaf())
    assert (peer.limit, peer.standing) == (Limit.LIST_EXPIRED, Standing.PROTECTIVE)
    with pytest.raises(ListExpired):
        Directory(alvik.trust).require_active(BERGA, space.now)


def test_under_two_histories_everybody_is_known_and_nobody_served(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    held = space.registrar.current
    other = replace(held, issued=Milliseconds(held.issued + 1)).unsigned()
    key = next(iter(space.registrar._keys.values()))
    with pytest.raises(Equivocation):
        alvik.trust.accept(other.signed_by(key, KIND))
    assert alvik.meets(berga.leaf()).limit is Limit.LIST_CONTESTED
    with pytest.raises(Equivocation):
        Directory(alvik.trust).require_active(BERGA, space.now)


def test_an_expired_or_future_certificate_is_refused_whoever_shows_it(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    leaf = berga.leaf(5 * DAY)
    space.pass_days(5)
    with pytest.raises(CertificateExpired):
        alvik.meets(leaf)
    ahead = to_pem(berga.issuer.leaf(HeldAmbient(space.now + DAY)))
    with pytest.raises(CertificateExpired):
        alvik.meets(ahead)
    alvik.meets(berga.leaf())


def test_a_key_that_nobody_pinned_is_unknown(space: Space, pair: Pair) -> None:
    alvik, _ = pair
    ring = space.ring("stranger")
    issuer = Issuer(BERGA, ring.tls, issue_anchor(ring.tls, BERGA, space.ambient))
    with pytest.raises(UnknownPeer):
        alvik.meets(to_pem(issuer.leaf(space.ambient)))


def test_a_certificate_for_another_name_is_refused(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    posing = Issuer(ALVIK, berga.ring.tls, berga.issuer.anchor)
    with pytest.raises(WrongName):
        alvik.meets(to_pem(posing.leaf(space.ambient)))


def test_a_compromised_key_opens_nothing_from_its_moment_on(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    leaf, stolen = berga.leaf(), berga.ring.thumbprint(Job.TLS)
    space.publish(change.compromised(BERGA, stolen, space.now), alvik)
    with pytest.raises(KeyRefused):
        alvik.meets(leaf)
    assert alvik.trust.roots_for(BERGA, space.now) == b""


def test_a_key_that_was_changed_ends_and_its_follower_serves(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    old_leaf = berga.leaf()
    request = enrolment.rotate(berga.ring, Job.TLS, SPACE, BERGA, space.ambient)
    space.publish(change.rotate(enrolment.read_rotation(request)), alvik, berga)
    assert alvik.trust.roots_for(BERGA, space.now).count(b"BEGIN CERTIFICATE") == 2
    space.pass_days(5)
    assert enrolment.adopt(berga.ring, berga.trust.organisation(BERGA), space.now) == (Job.TLS,)
    for leaf in (old_leaf, berga.leaf()):
        assert alvik.meets(leaf).limit is None
    space.pass_days(3)
    with pytest.raises(KeyRefused):
        alvik.meets(old_leaf)
    assert alvik.meets(berga.leaf()).limit is None


def test_an_entry_whose_keys_have_all_ended_keeps_the_protective_lane(space: Space) -> None:
    alvik = space.join(ALVIK)
    ring = space.ring("berga")
    space.publish(change.admit(space.request(ring, BERGA), key_lifetime=10 * DAY), alvik)
    berga = Participant(BERGA, ring, alvik.trust, space.ambient)
    leaf = berga.leaf()
    space.pass_days(11)
    peer = alvik.meets(leaf)
    assert (peer.limit, peer.standing) == (Limit.ENTRY_EXPIRED, Standing.PROTECTIVE)


def test_a_key_that_begins_within_five_minutes_is_met_and_no_later_one(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    behind = Milliseconds(space.now - 4 * 60_000)
    directory = Directory(alvik.trust)
    assert directory.identify(read_leaf(berga.leaf()), behind).id == BERGA
    shown = replace(read_leaf(berga.leaf()), not_before=Milliseconds(0))
    with pytest.raises(KeyRefused):
        directory.identify(shown, Milliseconds(space.now - 6 * 60_000))


def test_strangers_are_never_active(space: Space, pair: Pair) -> None:
    directory = Directory(pair[0].trust)
    for stranger in (NOBODY, NO_GUEST):
        with pytest.raises(UnknownPeer):
            directory.require_active(stranger, space.now)
    directory.require_active(BERGA, space.now)


def test_a_key_of_one_party_never_passes_as_anothers(space: Space, pair: Pair) -> None:
    alvik, berga = pair
    directory = Directory(alvik.trust)
    kid = berga.ring.thumbprint(Job.SIGN)
    assert directory.verification_key(BERGA, kid, Job.SIGN, space.now) == berga.ring.sign.public_key()
    for party in (ALVIK, NOBODY, NO_GUEST):
        with pytest.raises(KeyNotValid):
            directory.verification_key(party, kid, Job.SIGN, space.now)

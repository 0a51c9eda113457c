"""A data space from its founding past its first expiry and renewal, and through everything after.

One story with a held clock; at each step what the participants, a latecomer and an auditor see.
"""

from __future__ import annotations

import pytest

from connector.identity import change, enrolment, guest
from connector.identity.certificate import to_pem
from connector.identity.credential import read_credential
from connector.identity.directory import Directory
from connector.identity.guestbook import GuestBook
from connector.identity.keys import GUEST_JOBS, KeyRing
from connector.identity.organisation import Status, Weight
from connector.identity.peer import Assurance, GuestKind, KeyRefused, Limit, NotActive, Standing
from connector.identity.public import Job
from connector.identity.trust import ListExpired, Relation, TrustStore
from ledger import document
from ledger.names import Milliseconds
from tests.identity.world import ALVIK, BERGA, CETUS, SPACE, Space


def test_a_data_space_lives_through_expiry_renewal_theft_removal_and_new_registrar_keys(space: Space) -> None:
    # Two municipalities and a company join; everybody takes the lists in from whoever has them.
    alvik, berga, cetus = map(space.join, (ALVIK, BERGA, CETUS))
    everybody = (alvik, berga, cetus)
    for member in everybody:
        space.catch_up(member.trust)
    assert alvik.meets(cetus.leaf()).standing is Standing.FULL

    # A citizen of Alvik is vouched for.
    ring = KeyRing.create(space.folder / "citizen", space.ambient, jobs=GUEST_JOBS)
    asked = guest.read_guest_request(guest.request(ring, SPACE, ALVIK, GuestKind.CITIZEN, space.ambient))
    signed = guest.vouch(
        asked,
        controller=ALVIK,
        space=SPACE,
        ring=alvik.ring,
        assurance=Assurance.HIGH,
        ambient=space.ambient,
    )
    citizen = read_credential(signed)
    guests = GuestBook(ALVIK, [citizen])

    def citizens_leaf() -> bytes:
        return to_pem(alvik.issuer.guest_leaf(ring.tls.public_key(), citizen.handle, space.ambient))

    # Nobody renews the list. Warnings come 7 days and 1 day before; then everything but protection stops.
    space.pass_days(23)
    assert [item.days for item in alvik.trust.expiring(space.now)] == [7]
    space.pass_days(6)
    assert [item.days for item in alvik.trust.expiring(space.now)] == [1]
    space.pass_days(2)
    with pytest.raises(ListExpired):
        alvik.trust.require_valid(space.now)
    for leaf in (cetus.leaf(), citizens_leaf()):
        peer = alvik.meets(leaf, guests)
        assert (peer.limit, peer.standing) == (Limit.LIST_EXPIRED, Standing.PROTECTIVE)
    assert {(item.what, item.days) for item in alvik.trust.expiring(space.now)} == {("list", 0)}

    # The registrar renews; one member hears of it from another, by number and hash, and goes on.
    space.publish(change.renew(), alvik)
    named = (alvik.trust.number, alvik.trust.digest)
    assert berga.trust.relation(*named) is Relation.THEIRS_IS_NEWER
    berga.trust.accept(alvik.trust.signed(alvik.trust.number))
    assert berga.trust.relation(*named) is Relation.SAME
    assert berga.meets(alvik.leaf()).standing is Standing.FULL
    assert alvik.meets(citizens_leaf(), guests).standing is Standing.FULL
    space.catch_up(cetus.trust)

    # Past that list's own expiry too, now renewed in time.
    for _ in range(2):
        space.pass_days(28)
        space.publish(change.renew(), *everybody)
    alvik.trust.require_valid(space.now)
    assert alvik.meets(berga.leaf()).standing is Standing.FULL

    # Berga's signing key was stolen a week ago, and is found out today.
    stolen = berga.ring.thumbprint(Job.SIGN)
    old_document = document.sign({"type": "agreement", "version": 1}, berga.ring.sign)
    week_ago = Milliseconds(space.now - 7 * 86_400_000)
    space.registrar.publish(change.compromised(BERGA, stolen, week_ago))
    accepted = space.catch_up(alvik.trust)
    assert accepted is not None
    assert stolen in accepted.ended
    key = alvik.trust.key(BERGA, old_document.kid, Job.SIGN)
    earlier, later = Milliseconds(week_ago - 60_000), Milliseconds(week_ago + 60_000)
    assert key.weight(earlier, Milliseconds(earlier + 1)) is Weight.COUNTS
    assert key.weight(earlier, later) is Weight.UNDETERMINED
    assert key.weight(later, space.now) is Weight.DOES_NOT_COUNT

    # It cannot vouch for its own follower: the registrar readmits Berga with all new keys.
    fresh = space.ring("berga-again")
    old_leaf = berga.leaf()
    space.pass_days(1)
    space.publish(change.readmit(space.request(fresh, BERGA)), *everybody)
    berga.ring = fresh
    assert alvik.meets(berga.leaf()).standing is Standing.FULL
    with pytest.raises(KeyRefused):
        alvik.meets(old_leaf)

    # Cetus changes its TLS key by routine: both serve, then the old one is gone.
    request = enrolment.rotate(cetus.ring, Job.TLS, SPACE, CETUS, space.ambient)
    space.publish(change.rotate(enrolment.read_rotation(request)), *everybody)
    space.pass_days(4)
    assert enrolment.adopt(cetus.ring, cetus.trust.organisation(CETUS), space.now) == (Job.TLS,)
    assert alvik.meets(cetus.leaf()).standing is Standing.FULL

    # The registrar changes its own key; nobody needs to be told but by the list itself.
    space.registrar.rotate_keys()
    for member in everybody:
        space.catch_up(member.trust)
    assert alvik.trust.digest == space.registrar.trust.digest

    # Cetus is taken over by Alvik, and removed: its calls end, its duties go on.
    space.registrar.publish(change.succeeded_by(CETUS, ALVIK))
    space.registrar.publish(change.remove(CETUS))
    accepted = space.catch_up(alvik.trust)
    assert accepted is not None
    assert accepted.barred == {CETUS}
    entry = alvik.trust.organisation(CETUS)
    assert (entry.status, entry.successor) == (Status.REMOVED, ALVIK)
    assert alvik.meets(cetus.leaf()).limit is Limit.REMOVED
    with pytest.raises(NotActive):
        Directory(alvik.trust).require_active(CETUS, space.now)

    # A latecomer who was away since the third list catches up link by link, from a single peer.
    latecomer = TrustStore(space.registrar.trust.first)
    for number in range(1, 4):
        latecomer.accept(alvik.trust.signed(number))
    for number in range(4, alvik.trust.number + 1):
        latecomer.accept(alvik.trust.signed(number))
    assert latecomer.digest == alvik.trust.digest

    # An auditor has the first keys and the files, and reads off who was who when.
    auditor = TrustStore.from_chain(space.registrar.trust.first, space.registrar.answer.chain)
    assert auditor.in_force(week_ago).number < auditor.number
    assert auditor.key(BERGA, stolen, Job.SIGN).compromised_since == week_ago
    assert [item.did for item in auditor.current.organisations] == [ALVIK, BERGA, CETUS]

"""A small data space for the tests: a registrar, members with keys of their own, and a held clock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from connector.identity import change, enrolment
from connector.identity.certificate import DAY, Issuer, read_leaf, to_pem
from connector.identity.change import Change
from connector.identity.directory import Directory
from connector.identity.guestbook import GuestBook
from connector.identity.keys import KeyRing
from connector.identity.membership import MembershipList
from connector.identity.organisation import Attributes, Kind, Organisation, Unit
from connector.identity.peer import Peer
from connector.identity.registrar import Registrar
from connector.identity.trust import Accepted, TrustStore
from ledger.ambient import Ambient, HeldAmbient
from ledger.names import DataSpaceId, Milliseconds, ParticipantId, UnitId

SPACE = DataSpaceId("test.space")
ALVIK = ParticipantId("did:web:alvik.example")
BERGA = ParticipantId("did:web:berga.example:data")
CETUS = ParticipantId("did:web:cetus.example%3A8443")


def organisation(did: ParticipantId, *, kind: Kind = Kind.MUNICIPALITY, name: str = "") -> Organisation:
    """What an organisation says of itself when it asks to join."""
    return Organisation(
        did=did,
        kind=kind,
        name=name or f"Test {did.split(':')[2].split('.')[0]}",
        units=(Unit(UnitId("schools"), "The school committee"), Unit(UnitId("energy"), "Energy")),
        endpoints=("node.example:7443",),
        attributes=Attributes(country="SE", industry="O84.11"),
    )


@dataclass
class Participant:
    """A member's side: its key ring, and the list it goes by."""

    did: ParticipantId
    ring: KeyRing
    trust: TrustStore
    ambient: Ambient

    @property
    def issuer(self) -> Issuer:
        return enrolment.issuer_of(self.ring, self.trust.organisation(self.did))

    def leaf(self, lifetime: int = 90 * DAY) -> bytes:
        return to_pem(self.issuer.leaf(self.ambient, lifetime))

    def meets(self, leaf: bytes, guests: GuestBook | None = None) -> Peer:
        return Directory(self.trust, guests).identify(read_leaf(leaf), self.ambient.now())


class Space:
    """A registrar, and whoever joined."""

    def __init__(self, folder: Path, ambient: Ambient | None = None) -> None:
        self.folder = folder
        self.ambient = ambient or HeldAmbient()
        self.registrar = Registrar.create(folder / "registrar", SPACE, self.ambient)

    @property
    def now(self) -> Milliseconds:
        return self.ambient.now()

    def pass_days(self, days: float) -> None:
        assert isinstance(self.ambient, HeldAmbient)
        self.ambient.advance(int(days * DAY))

    def ring(self, name: str) -> KeyRing:
        return KeyRing.create(self.folder / name / "keys", self.ambient)

    def request(self, ring: KeyRing, did: ParticipantId) -> enrolment.JoinRequest:
        data = enrolment.join(ring, SPACE, organisation(did), self.ambient)
        return enrolment.read_join(data)

    def join(self, did: ParticipantId) -> Participant:
        ring = self.ring(did.split(":")[2].split(".")[0])
        self.registrar.publish(change.admit(self.request(ring, did)))
        answer = enrolment.read_admission(self.registrar.answer.to_bytes())
        trust = answer.take(did, ring, answer.first.fingerprint)
        return Participant(did, ring, trust, self.ambient)

    def publish(self, what: Change, *participants: Participant) -> MembershipList:
        """Publish a change, and let the participants take every list in that they miss."""
        entry = self.registrar.publish(what)
        for participant in participants:
            self.catch_up(participant.trust)
        return entry

    def catch_up(self, trust: TrustStore) -> Accepted | None:
        accepted = None
        for number in range(trust.number + 1, self.registrar.trust.number + 1):
            accepted = trust.accept(self.registrar.trust.signed(number))
        return accepted

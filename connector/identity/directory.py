"""From the key that a peer showed to who it is: the one question the wire asks of this room.

Rules that hold here:

* The handshake showed that the peer holds a key; the certificate only says how it is called and for
  how long. Identity is the *pinned key*, now: on the list, or in the controller's own guest book.
* Refused outright: an expired certificate, a key that is pinned by nobody, compromised, or ended
  while its holder has another, and a certificate that names somebody else.
* Everybody else is told apart by standing (``peer.Standing``): who they are is known even where
  nothing but protective messages is heard.
"""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.identity import syntax
from connector.identity.certificate import ShownCertificate, server_name
from connector.identity.equivocation import Equivocation
from connector.identity.guestbook import GuestBook
from connector.identity.organisation import ListedKey, Organisation, Status
from connector.identity.peer import (
    CertificateExpired,
    KeyRefused,
    Limit,
    Member,
    NotActive,
    Peer,
    UnknownPeer,
    WrongName,
)
from connector.identity.public import Job
from connector.identity.trust import KeyNotValid, ListExpired, ListNotYetValid, TrustStore
from ledger.names import Milliseconds, ParticipantId, Thumbprint


class Directory:
    """Everybody this connector can meet: the list's members, and its own guests if it has any."""

    def __init__(self, trust: TrustStore, guests: GuestBook | None = None) -> None:
        self.trust = trust
        self.guests = guests

    def identify(self, shown: ShownCertificate, now: Milliseconds) -> Peer:
        """Who showed this certificate. A few dictionary look-ups: ask at every call.

        Steps, in this order: (1) the certificate's time; (2) whose key; (3) the key's state; (4) the
        name; (5) the standing. Raises :class:`~connector.identity.peer.PeerRefused`.
        """
        if not shown.not_before <= now < shown.not_after:  # (1)
            raise CertificateExpired("the certificate's time is over, or has not begun")
        holder = self.trust.tls_holder(shown.thumbprint)  # (2)
        if holder is not None:
            return self._member(*holder, shown, now)
        guest = self.guests.identify(shown.thumbprint, now) if self.guests is not None else None
        if guest is None:
            raise UnknownPeer("the key that the peer showed is pinned by nobody")
        person, name = guest
        _require_name(shown, name)  # (4)
        return replace(person, limit=person.limit or self._list_limit(now))  # (5)

    def verification_key(
        self, party: ParticipantId, kid: Thumbprint, job: Job, at: Milliseconds
    ) -> Ed25519PublicKey:
        """The key to verify a message or note of a member or guest with.

        Raises :class:`~connector.identity.trust.KeyNotValid`.
        """
        if not syntax.is_handle(party):
            return self.trust.verification_key(party, kid, job, at)
        if self.guests is None:
            raise KeyNotValid("this connector has no guests", field="kid")
        return self.guests.verification_key(party, kid, job, at)

    def witness_key(self, party: ParticipantId, now: Milliseconds) -> Ed25519PublicKey:
        """The newest key by which a member or guest cosigns others' checkpoints.

        Raises :class:`~connector.identity.trust.KeyNotValid`,
        :class:`~connector.identity.trust.UnknownOrganisation`.
        """
        if syntax.is_handle(party):
            held = self.guests.find(party) if self.guests is not None else None
            if held is None or now >= held.expires:
                raise KeyNotValid("no credential names a witness key for this guest now")
            return held.keys.witness
        live = [key for key in self.trust.organisation(party).keys_for(Job.WITNESS) if key.is_live(now)]
        public = live[-1].public if live else None
        if not isinstance(public, Ed25519PublicKey):
            raise KeyNotValid("the list names no witness key that counts now")
        return public

    def limit(self, party: ParticipantId, now: Milliseconds) -> Limit | None:
        """Why a member or guest has no full standing now; None when it has.

        Raises :class:`~connector.identity.peer.UnknownPeer`.
        """
        if syntax.is_handle(party):
            if self.guests is None:
                raise UnknownPeer("this connector has no guests")
            return self.guests.limit(party, now) or self._list_limit(now)
        entry = self.trust.find(party)
        if entry is None:
            raise UnknownPeer("this did is not on the membership list")
        return self._member_limit(entry, now)

    def require_active(self, party: ParticipantId, now: Milliseconds) -> None:
        """Require a list in force, and full standing of a member or guest: before every release.

        Raises :class:`~connector.identity.peer.NotActive`,
        :class:`~connector.identity.peer.UnknownPeer`, and what ``TrustStore.require_valid`` raises.
        """
        self.trust.require_valid(now)
        if (limit := self.limit(party, now)) is not None:
            raise NotActive(f"the party has no full standing: {limit}")

    def _member(
        self, entry: Organisation, key: ListedKey, shown: ShownCertificate, now: Milliseconds
    ) -> Member:
        live = key.is_live(now)
        if not live and key not in entry.handshake_keys(now):  # (3)
            raise KeyRefused(f"the list says that this key is {key.state(now).value}")
        _require_name(shown, server_name(entry.did))  # (4)
        return Member(
            id=entry.did,
            tls=shown.thumbprint,
            kind=entry.kind,
            name=entry.name,
            status=entry.status,
            units=tuple(unit.id for unit in entry.units),
            limit=self._member_limit(entry, now)  # (5)
            or (None if live else Limit.ENTRY_EXPIRED),
        )

    def _member_limit(self, entry: Organisation, now: Milliseconds) -> Limit | None:
        if entry.status is not Status.ACTIVE:
            return Limit.REMOVED if entry.status is Status.REMOVED else Limit.SUSPENDED
        return self._list_limit(now)

    def _list_limit(self, now: Milliseconds) -> Limit | None:
        try:
            self.trust.require_valid(now)
        except Equivocation:
            return Limit.LIST_CONTESTED
        except (ListExpired, ListNotYetValid):
            return Limit.LIST_EXPIRED
        return None


def _require_name(shown: ShownCertificate, name: str) -> None:
    if shown.names != (name,):
        raise WrongName("the certificate names somebody else than the key's holder")

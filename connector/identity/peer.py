"""Who a peer is: the value that the rest of the connector asks.

Rules that hold here:

* A peer is a *member*, on the list, or a *guest* of this connector's own participant: a citizen or
  sole trader whom only their controller knows.
* Being known is one thing, being served another: :class:`Standing` says which lane is open. The
  protective lane stays open to whoever is suspended, removed, ended or expired, and under an expired
  or contested list; a compromised key or an expired certificate opens none (LEDGER.md section 3).
* A guest is a person: no log line, error or leaf names one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from connector.identity.organisation import Kind, Status
from ledger.errors import BylagError, ErrorKind
from ledger.names import ParticipantId, Thumbprint, UnitId


class Standing(StrEnum):
    """Which messages of a peer are listened to."""

    FULL = "full"
    PROTECTIVE = "protective"
    """Withdrawals, notices, confirmations, disputes, seals, evidence and lists only."""


class Limit(StrEnum):
    """Why a peer has no full standing."""

    LIST_EXPIRED = "list-expired"
    LIST_CONTESTED = "list-contested"
    SUSPENDED = "suspended"
    REMOVED = "removed"
    ENTRY_EXPIRED = "entry-expired"
    """Every key that the list has for its TLS has ended."""
    VOUCHING_ENDED = "vouching-ended"
    CREDENTIAL_EXPIRED = "credential-expired"


class GuestKind(StrEnum):
    """What sort of guest; both are persons before the law on personal data."""

    CITIZEN = "citizen"
    SOLE_TRADER = "sole-trader"


class Assurance(StrEnum):
    """How surely the controller knows who the guest is (eIDAS, Regulation 910/2014, article 8)."""

    LOW = "low"
    SUBSTANTIAL = "substantial"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation on the membership list."""

    id: ParticipantId
    tls: Thumbprint
    """The key that it showed."""
    kind: Kind
    name: str
    status: Status
    units: tuple[UnitId, ...]
    limit: Limit | None = None

    @property
    def standing(self) -> Standing:
        """The lane that is open to it."""
        return Standing.FULL if self.limit is None else Standing.PROTECTIVE


@dataclass(frozen=True, slots=True, repr=False)
class Guest:
    """A person whom this connector's own participant vouches for; ``id`` is their handle here."""

    id: ParticipantId
    tls: Thumbprint
    """The key that they showed."""
    controller: ParticipantId
    unit: UnitId | None
    kind: GuestKind
    assurance: Assurance
    limit: Limit | None = None

    @property
    def units(self) -> tuple[UnitId, ...]:
        """A person has no units."""
        return ()

    @property
    def standing(self) -> Standing:
        """The lane that is open to them."""
        return Standing.FULL if self.limit is None else Standing.PROTECTIVE


Peer: TypeAlias = Member | Guest


class PeerRefused(BylagError):
    """The peer cannot be told, or showed something that is not good any more."""

    code = "PEER_REFUSED"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Join the data space, or fetch the newest membership list."


class UnknownPeer(PeerRefused):
    """The key that the peer showed is pinned by nobody."""

    code = "UNKNOWN_PEER"


class CertificateExpired(PeerRefused):
    """The certificate's time is over, or has not begun."""

    code = "CERTIFICATE_EXPIRED"
    default_next_step = "Renew the certificate; for a pinned key that takes no registrar."


class WrongName(PeerRefused):
    """The certificate names somebody else than the key's holder."""

    code = "WRONG_NAME"
    default_next_step = "Issue the certificate for your own did."


class KeyRefused(PeerRefused):
    """The list knows the key, and says that it is compromised, ended or not begun."""

    code = "KEY_REFUSED"
    default_next_step = "Use the key that the newest membership list names, or enrol a new one."


class NotActive(BylagError):
    """The party is known, and has no full standing: only protective messages are heard from it."""

    code = "NOT_ACTIVE"
    kind = ErrorKind.DENIED
    default_next_step = "Ask the registrar or your controller why; withdrawals and notices get through."

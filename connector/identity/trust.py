"""Which membership list counts, and what it says about whom.

Rules that hold here:

* Trust starts from the registrar's first keys and goes from list to list, one number at a time
  (``membership.check_signatures``). A list is taken in only when it follows the one held.
* Time plays no part in taking a list in: a chain that was missed for months is caught up with link
  by link, and an expired list still supersedes the one before. Whether the list held can be *used*
  is asked at each use: :meth:`TrustStore.require_valid`.
* Never back: an older list is refused; another list with a number that is known, or one that
  follows another list than ours, is proof that the registrar signed two histories. Both are kept
  as :class:`EquivocationProof`, and nothing is usable from then on. Who somebody *is* can still be
  looked up: protective messages go on.
* It holds one list and a :class:`~connector.identity.membership.Link` for each earlier one. Keeping
  the signed lists, to hand them on and to prove, is for the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.identity.certificate import CLOCK_SKEW, to_pem
from connector.identity.equivocation import Equivocation, EquivocationProof
from connector.identity.expiry import Expiry, list_warnings
from connector.identity.membership import (
    KIND,
    MAX_LIST,
    FirstKeys,
    Link,
    ListDigest,
    MalformedList,
    MembershipList,
    NotEnoughSignatures,
    RegistrarKeys,
    check_signatures,
    check_succession,
    digest_of,
    link_of,
    read_list,
)
from connector.identity.organisation import KeyState, ListedKey, Organisation, Status
from connector.identity.public import Job
from connector.identity.signed import MultiSigned
from ledger.errors import BylagError, ErrorKind
from ledger.names import Milliseconds, ParticipantId, Thumbprint

Archive = Callable[[int], MultiSigned]
"""Gives the signed list of a number that was taken in; the caller keeps them."""


class NoList(BylagError):
    """No membership list is held yet."""

    code = "NO_LIST"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Take in the registrar's answer to the join request."


class ListExpired(BylagError):
    """The membership list held has expired: nothing is released under it."""

    code = "LIST_EXPIRED"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Fetch the newest list from a peer, or ask the registrar to renew it."


class ListNotYetValid(BylagError):
    """The membership list was issued in the future, by this machine's clock."""

    code = "LIST_NOT_YET_VALID"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Set this machine's clock."


class ListGap(BylagError):
    """A list was offered whose predecessors are not held."""

    code = "LIST_GAP"
    kind = ErrorKind.CONFLICT
    default_next_step = "Fetch the lists between, and take them in one by one."


class ListRolledBack(BylagError):
    """A list was offered that is older than the one held."""

    code = "LIST_ROLLED_BACK"
    kind = ErrorKind.CONFLICT
    default_next_step = "Hand the newer list on to whoever offered this one."


class UnknownOrganisation(BylagError):
    """The list does not know this did."""

    code = "UNKNOWN_ORGANISATION"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Check the did, and fetch the newest membership list."


class KeyNotValid(BylagError):
    """The key is not on the list for this holder and use, or was not valid at that time."""

    code = "KEY_NOT_VALID"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Sign with a key that the membership list names for this use, at that time."


@dataclass(frozen=True, slots=True)
class Accepted:
    """What taking a list in changed; open calls of ``barred`` and under ``ended`` keys end now."""

    entry: MembershipList
    barred: frozenset[ParticipantId] = frozenset()
    """Organisations that were active and are not any more."""
    ended: frozenset[Thumbprint] = frozenset()
    """Keys that were good by the list before, and by this list, when it was issued, are not."""


class Relation(Enum):
    """How a list that a peer names stands to the one held."""

    SAME = "same"
    THEIRS_IS_NEWER = "newer"
    """Fetch it before deciding."""
    OURS_IS_NEWER = "older"
    """Hand ours on."""
    CONFLICT = "conflict"
    """Another hash for a number we hold: fetch theirs; it is a proof, or a false claim."""


class TrustStore:
    """The membership list that one participant, or one auditor, goes by. In memory, without a clock."""

    def __init__(self, first: FirstKeys, archive: Archive | None = None) -> None:
        """Start from the pinned ``first`` keys, with no list yet.

        Without ``archive`` the signed lists are kept in memory.
        """
        self.first = first
        self.proof: EquivocationProof | None = None
        self._kept: dict[int, MultiSigned] = {}
        self._archive = archive
        self._links: list[Link] = []
        self._entry: MembershipList | None = None
        self._organisations: dict[ParticipantId, Organisation] = {}
        self._tls: dict[Thumbprint, tuple[Organisation, ListedKey]] = {}
        self._keys: dict[tuple[ParticipantId, Thumbprint], ListedKey] = {}

    @classmethod
    def from_chain(
        cls, first: FirstKeys, chain: Iterable[MultiSigned], archive: Archive | None = None
    ) -> TrustStore:
        """Verify a whole chain from list 1. Raises what :meth:`accept` raises."""
        store = cls(first, archive)
        for signed in chain:
            store.accept(signed)
        return store

    @classmethod
    def resume(
        cls,
        first: FirstKeys,
        links: Sequence[Link],
        current: MultiSigned,
        archive: Archive,
        proof: EquivocationProof | None = None,
    ) -> TrustStore:
        """Go on from what this node verified and stored before, without verifying it again.

        Raises :class:`~connector.identity.membership.MalformedList` when the parts do not fit.
        """
        store = cls(first, archive)
        if not links or links[-1].digest != digest_of(current):
            raise MalformedList("the stored list is not the one that its chain ends with")
        if [link.number for link in links] != list(range(1, len(links) + 1)):
            raise MalformedList("the stored chain has gaps")
        store._links = list(links)
        store._hold(read_list(current.payload))
        store.proof = proof
        return store

    # --- the chain -------------------------------------------------------------------------------

    def accept(self, signed: MultiSigned) -> Accepted:
        """Take the next list in; the one already held is taken again without effect.

        Steps, in this order: (1) a key that is or was the registrar's signed these bytes; (2) the
        schema; (3) the number; (4) enough signatures for that number; (5) the hash before, or the
        hash held; (6) history is kept.

        Raises :class:`Equivocation`, :class:`ListGap`, :class:`ListRolledBack`,
        :class:`~connector.identity.membership.MalformedList`,
        :class:`~connector.identity.membership.NotEnoughSignatures`,
        :class:`~connector.identity.membership.BrokenSuccession`,
        :class:`~ledger.document.BadSignature`; whatever it raises, the list held stays.
        """
        if self.proof is not None:
            raise Equivocation(self.proof)
        # (1) Before the parser sees a byte, so that only a registrar's key can make it work.
        verified = signed.signers(KIND, self._every_registrar_key(), max_bytes=MAX_LIST)
        if not verified:
            raise NotEnoughSignatures("none of the keys that signed is the registrar's")
        entry = read_list(signed.payload)  # (2)
        if entry.space != self.first.space:
            raise MalformedList("the list belongs to another data space", field="space")
        if entry.number > self.number + 1:  # (3)
            raise ListGap(f"list {entry.number} was offered, and list {self.number} is held")
        check_signatures(signed, entry, self._registrar_after(entry.number - 1), verified)  # (4)
        if entry.number <= self.number:
            return self._meet_again(signed, entry)
        return self._follow(signed, entry)

    def _follow(self, signed: MultiSigned, entry: MembershipList) -> Accepted:
        before = self._entry
        if before is not None:
            if entry.previous != self._links[-1].digest:  # (5)
                raise self._stop(EquivocationProof(before.number, self.signed(before.number), signed))
            check_succession(before, entry)  # (6)
        self._links.append(link_of(signed, entry))
        if self._archive is None:
            self._kept[entry.number] = signed
        self._hold(entry)
        return Accepted(entry, *_changes(before, entry))

    def _meet_again(self, signed: MultiSigned, entry: MembershipList) -> Accepted:
        if digest_of(signed) != self._links[entry.number - 1].digest:  # (5)
            raise self._stop(EquivocationProof(entry.number, self.signed(entry.number), signed))
        if entry.number < self.number:
            raise ListRolledBack(f"list {entry.number} was offered, and list {self.number} is held")
        return Accepted(self.current)

    def _stop(self, proof: EquivocationProof) -> Equivocation:
        self.proof = proof
        return Equivocation(proof)

    def _hold(self, entry: MembershipList) -> None:
        self._entry = entry
        self._organisations = {item.did: item for item in entry.organisations}
        self._keys = {(item.did, key.thumbprint): key for item in entry.organisations for key in item.keys}
        self._tls = {
            key.thumbprint: (item, key) for item in entry.organisations for key in item.keys_for(Job.TLS)
        }

    def _registrar_after(self, number: int) -> RegistrarKeys:
        return self.first.registrar if number == 0 else self._links[number - 1].registrar

    def _every_registrar_key(self) -> dict[Thumbprint, Ed25519PublicKey]:
        keys = dict(self.first.registrar.by_thumbprint)
        for link in self._links:
            keys.update(link.registrar.by_thumbprint)
        return keys

    # --- the list held ---------------------------------------------------------------------------

    @property
    def number(self) -> int:
        """The number of the list held; 0 before the first."""
        return len(self._links)

    @property
    def links(self) -> tuple[Link, ...]:
        """The chain in short, from list 1 on."""
        return tuple(self._links)

    @property
    def current(self) -> MembershipList:
        """The list held, expired or not. Raises :class:`NoList`."""
        if self._entry is None:
            raise NoList("no membership list is held")
        return self._entry

    @property
    def digest(self) -> ListDigest:
        """The hash of the list held. Raises :class:`NoList`."""
        if not self._links:
            raise NoList("no membership list is held")
        return self._links[-1].digest

    def signed(self, number: int) -> MultiSigned:
        """The signed list of a number that was taken in, to hand on. Raises :class:`NoList`."""
        if not 1 <= number <= self.number:
            raise NoList(f"list {number} is not held")
        return self._archive(number) if self._archive is not None else self._kept[number]

    def require_valid(self, now: Milliseconds) -> MembershipList:
        """The list held, which must be usable now: the question before every release.

        Raises :class:`NoList`, :class:`ListExpired`, :class:`ListNotYetValid`, :class:`Equivocation`.
        """
        if self.proof is not None:
            raise Equivocation(self.proof)
        entry = self.current
        if now >= entry.expires:
            raise ListExpired(f"membership list {entry.number} has expired")
        if now < entry.issued - CLOCK_SKEW:
            raise ListNotYetValid(f"membership list {entry.number} was issued in the future")
        return entry

    def relation(self, number: int, digest: str) -> Relation:
        """How a list that a Request or Offer names stands to ours."""
        if number > self.number:
            return Relation.THEIRS_IS_NEWER
        if number < 1 or digest != self._links[number - 1].digest:
            return Relation.CONFLICT
        return Relation.SAME if number == self.number else Relation.OURS_IS_NEWER

    def in_force(self, at: Milliseconds) -> Link:
        """The newest list that had been issued at a time: an auditor's question. Raises :class:`NoList`."""
        for link in reversed(self._links):
            if link.issued <= at:
                return link
        raise NoList("no list had been issued then")

    # --- whom it names ---------------------------------------------------------------------------

    def find(self, did: ParticipantId) -> Organisation | None:
        """The entry for ``did``, whatever its status."""
        return self._organisations.get(did)

    def organisation(self, did: ParticipantId) -> Organisation:
        """The entry for ``did``, whatever its status. Raises :class:`UnknownOrganisation`."""
        entry = self.find(did)
        if entry is None:
            raise UnknownOrganisation("this did is not on the membership list")
        return entry

    def is_active(self, did: ParticipantId) -> bool:
        """Whether ``did`` is an active member by the list held; says nothing about the list's time."""
        entry = self.find(did)
        return entry is not None and entry.status is Status.ACTIVE

    def key(self, did: ParticipantId, kid: Thumbprint, job: Job) -> ListedKey:
        """A key that the list pins for this holder and job, whatever its state.

        For the weight of a past signature ask the key (:meth:`ListedKey.weight`). Raises
        :class:`KeyNotValid`.
        """
        key = self._keys.get((did, kid))
        if key is None or key.job is not job:
            raise KeyNotValid(f"the list names no such {job} key for this holder", field="kid")
        return key

    def valid_key(self, did: ParticipantId, kid: Thumbprint, job: Job, at: Milliseconds) -> ListedKey:
        """A key that was valid at a time. Raises :class:`KeyNotValid`, which says what it was instead."""
        key = self.key(did, kid, job)
        if (state := key.state(at)) is not KeyState.VALID:
            raise KeyNotValid(f"the {job} key is {state.value} at that time", field="kid")
        return key

    def verification_key(
        self, did: ParticipantId, kid: Thumbprint, job: Job, at: Milliseconds
    ) -> Ed25519PublicKey:
        """The public key to verify a document or note with. Raises :class:`KeyNotValid`."""
        public = self.valid_key(did, kid, job, at).public
        if not isinstance(public, Ed25519PublicKey):
            raise KeyNotValid(f"a {job} key signs no documents", field="kid")
        return public

    def tls_holder(self, shown: Thumbprint) -> tuple[Organisation, ListedKey] | None:
        """Whose TLS key this is, whatever its state."""
        return self._tls.get(shown)

    # --- for handshakes --------------------------------------------------------------------------

    def roots(self, now: Milliseconds) -> bytes:
        """The anchors of everybody who may shake hands now, in PEM: a server's client roots.

        Removed and suspended members are among them: their protective messages get through.
        """
        return b"".join(self.roots_for(did, now) for did in self._organisations)

    def roots_for(self, did: ParticipantId, now: Milliseconds) -> bytes:
        """One member's anchors in PEM: all that a client trusts when it calls that member."""
        anchors = (key.anchor for key in self.organisation(did).handshake_keys(now))
        return b"".join(to_pem(x509.load_der_x509_certificate(der)) for der in anchors if der is not None)

    def ended_anchors(self, did: ParticipantId, now: Milliseconds) -> bytes:
        """The anchors of a member's TLS keys that ended uncompromised, in PEM: for the member itself.

        What it issued to its guests under them is good for as long as it vouches; whose key such a
        certificate is over, the guest book says.
        """
        ended = (key for key in self.organisation(did).keys_for(Job.TLS) if key.state(now) is KeyState.ENDED)
        found = (key.anchor for key in ended)
        return b"".join(to_pem(x509.load_der_x509_certificate(der)) for der in found if der is not None)

    # --- what is about to end --------------------------------------------------------------------

    def expiring(self, now: Milliseconds, did: ParticipantId | None = None) -> list[Expiry]:
        """Warnings for the list, and for the keys of ``did`` or of all active members."""
        return list_warnings(self.current, now, did)


def _changes(
    before: MembershipList | None, after: MembershipList
) -> tuple[frozenset[ParticipantId], frozenset[Thumbprint]]:
    if before is None:
        return frozenset(), frozenset()
    old_active = {item.did for item in before.organisations if item.status is Status.ACTIVE}
    active = {item.did for item in after.organisations if item.status is Status.ACTIVE}
    return frozenset(old_active - active), frozenset(_good_keys(before) - _good_keys(after, after.issued))


def _good_keys(entry: MembershipList, at: Milliseconds | None = None) -> set[Thumbprint]:
    return {
        key.thumbprint
        for item in entry.organisations
        for key in item.keys
        if key.state(entry.issued if at is None else at) is KeyState.VALID
    }

"""The guests of one controller: by which key they are known, and where they stand.

Rules that hold here:

* In memory only. The caller keeps the credentials, and erases them: a guest's handle and keys are
  personal data.
* Credentials are added as they were issued, oldest first: the newest is the one in use, earlier ones
  still answer for signatures made under them. A key that a later one replaced counts for nothing after.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.identity.certificate import CLOCK_SKEW, guest_name
from connector.identity.credential import BadCredential, GuestCredential
from connector.identity.expiry import Expiry, warning
from connector.identity.peer import Guest, Limit, UnknownPeer
from connector.identity.public import Job, thumbprint
from connector.identity.trust import KeyNotValid
from ledger.names import Milliseconds, ParticipantId, Thumbprint


class GuestBook:
    """Everybody for whom one controller vouches, or did."""

    def __init__(self, controller: ParticipantId, credentials: Iterable[GuestCredential] = ()) -> None:
        self.controller = controller
        self._held: dict[ParticipantId, list[GuestCredential]] = {}
        self._tls: dict[Thumbprint, ParticipantId] = {}
        self._ended: set[ParticipantId] = set()
        self._barred: set[Thumbprint] = set()
        for credential in credentials:
            self.add(credential)

    def add(self, credential: GuestCredential) -> None:
        """Take a credential that this controller issued. Raises :class:`BadCredential`."""
        if credential.controller != self.controller:
            raise BadCredential("another controller vouches for this guest", field="controller")
        held = self._held.setdefault(credential.handle, [])
        shown = thumbprint(credential.keys.tls)
        if self._tls.get(shown, credential.handle) != credential.handle:
            raise BadCredential("another guest has this TLS key", field="keys.tls")
        if held and held[-1] == credential:
            return
        if held:
            self._tls.pop(thumbprint(held[-1].keys.tls), None)
        held.append(credential)
        self._tls[shown] = credential.handle

    def end(self, handle: ParticipantId) -> None:
        """Vouch no longer: the protective lane stays open until the guest is forgotten."""
        self._ended.add(handle)

    def bar(self, shown: Thumbprint) -> None:
        """A guest's TLS key is in other hands: it opens nothing any more."""
        self._barred.add(shown)

    def forget(self, handle: ParticipantId) -> None:
        """Drop everything about a guest: part of erasure."""
        for credential in self._held.pop(handle, []):
            self._tls.pop(thumbprint(credential.keys.tls), None)
        self._ended.discard(handle)

    def find(self, handle: ParticipantId) -> GuestCredential | None:
        """The guest's newest credential."""
        held = self._held.get(handle)
        return held[-1] if held else None

    def verification_key(
        self, handle: ParticipantId, kid: Thumbprint, job: Job, at: Milliseconds
    ) -> Ed25519PublicKey:
        """A guest's key for documents or notes, vouched for at a time.

        It is good for protective messages also after the vouching ended early (:meth:`end`). Raises
        :class:`~connector.identity.trust.KeyNotValid`.
        """
        held = self._held.get(handle, [])
        for place, credential in enumerate(held):
            key = credential.keys.key(job)
            end = _end(credential, held[place + 1 :], job)
            in_time = credential.issued - CLOCK_SKEW <= at < end
            if in_time and isinstance(key, Ed25519PublicKey) and thumbprint(key) == kid:
                return key
        raise KeyNotValid(f"no credential names such a {job} key for this guest at that time", field="kid")

    def limit(self, handle: ParticipantId, now: Milliseconds) -> Limit | None:
        """Why a guest has no full standing now. Raises
        :class:`~connector.identity.peer.UnknownPeer`."""
        held = self.find(handle)
        if held is None:
            raise UnknownPeer("this connector does not vouch for any such guest")
        if handle in self._ended:
            return Limit.VOUCHING_ENDED
        return Limit.CREDENTIAL_EXPIRED if now >= held.expires else None

    def identify(self, shown: Thumbprint, now: Milliseconds) -> tuple[Guest, str] | None:
        """The guest who holds a TLS key, and the DNS name of their certificate; None if nobody does."""
        handle = self._tls.get(shown)
        if handle is None or shown in self._barred:
            return None
        held = self._held[handle][-1]
        limit = self.limit(handle, now)
        guest = Guest(handle, shown, held.controller, held.unit, held.kind, held.assurance, limit)
        return guest, guest_name(handle, held.controller)

    def expiring(self, now: Milliseconds) -> list[Expiry]:
        """Warnings for credentials; ``whom`` is a handle, so show them to their controller only."""
        newest = [held[-1] for handle, held in self._held.items() if handle not in self._ended]
        found = (warning("credential", item.handle, item.issued, item.expires, now) for item in newest)
        return [item for item in found if item is not None]


def _end(credential: GuestCredential, later: Sequence[GuestCredential], job: Job) -> Milliseconds:
    """Until when a credential's key counts; the two clocks may differ a little where one took its place."""
    key = credential.keys.key(job)
    replaced = next((each.issued for each in later if each.keys.key(job) != key), None)
    if replaced is None:
        return credential.expires
    return Milliseconds(min(credential.expires, replaced + CLOCK_SKEW))

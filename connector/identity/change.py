"""What a registrar can change: each change is a function from one list to the next one's content.

Rules that hold here:

* A change only builds; whether the result may follow is checked by ``membership`` before anybody
  signs it. History is kept: removal is a status, the end of a key a time.
* Keys begin when the list that first names them is issued, and end two years later unless extended.
* Whether the organisation is who it says is what the registrar's people answer for; a change checks
  what can be checked: freshness, possession, vouching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.identity.certificate import DAY
from connector.identity.enrolment import JoinRequest, RotationRequest, UpdateRequest
from connector.identity.membership import MembershipList, RegistrarKeys
from connector.identity.organisation import Attributes, Kind, ListedKey, Organisation, Status
from ledger.errors import BylagError, ErrorKind
from ledger.names import Milliseconds, ParticipantId, Thumbprint

Change = Callable[[MembershipList, Milliseconds], MembershipList]
"""From the list held and the time now, the next list's organisations and registrar keys."""

KEY_LIFETIME: Final = 730 * DAY
OVERLAP: Final = 7 * DAY
"""How long an old key stays good beside the new one in a routine rotation."""


class ChangeRefused(BylagError):
    """The change does not fit what the list says."""

    code = "CHANGE_REFUSED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Look at the list with `bylag registrar show`, and ask for a change that fits it."


def renew() -> Change:
    """The same again, for another thirty days."""
    return lambda base, _: base


def admit(
    request: JoinRequest, *, attributes: Attributes | None = None, key_lifetime: int = KEY_LIFETIME
) -> Change:
    """List a new organisation, with the ``attributes`` that the registrar attests (else those asked for)."""

    def change(base: MembershipList, now: Milliseconds) -> MembershipList:
        request.request.require_fresh(base.space, now)
        if base.organisation(request.organisation.did) is not None:
            raise ChangeRefused("this did is on the list already; readmit it with its new keys", field="did")
        entry = replace(
            request.organisation,
            keys=_beginning(request.organisation.keys, now, key_lifetime),
            status=Status.ACTIVE,
            successor=None,
            attributes=attributes or request.organisation.attributes,
        )
        entries = sorted((*base.organisations, entry), key=lambda item: item.did)
        return replace(base, organisations=tuple(entries))

    return change


def readmit(request: JoinRequest, *, key_lifetime: int = KEY_LIFETIME) -> Change:
    """Give a listed organisation a new start with all new keys: it lost its own, or comes back.

    Nothing vouches for the new keys but the registrar's people, who made sure who is asking.
    """

    def edit(entry: Organisation, base: MembershipList, now: Milliseconds) -> Organisation:
        request.request.require_fresh(base.space, now)
        asked = request.organisation
        ended = tuple(_ending(key, now) for key in entry.keys)
        return replace(
            entry,
            name=asked.name,
            units=asked.units,
            endpoints=asked.endpoints,
            keys=(*ended, *_beginning(asked.keys, now, key_lifetime)),
            status=Status.ACTIVE,
            successor=None,
        )

    return _for(request.organisation.did, edit)


def rotate(request: RotationRequest, *, overlap: int = OVERLAP, key_lifetime: int = KEY_LIFETIME) -> Change:
    """List the next key that the old one vouches for; both are good for ``overlap`` milliseconds."""

    def edit(entry: Organisation, base: MembershipList, now: Milliseconds) -> Organisation:
        request.request.require_fresh(base.space, now)
        if entry.status is Status.REMOVED:
            raise ChangeRefused("a removed organisation rotates no keys; readmit it", field="did")
        old = request.require_vouched(entry, now)
        until = Milliseconds(now + overlap)
        ending = (
            old if old.not_after is not None and old.not_after <= until else replace(old, not_after=until)
        )
        kept = (ending if key.thumbprint == old.thumbprint else key for key in entry.keys)
        return replace(entry, keys=(*kept, *_beginning((request.key,), now, key_lifetime)))

    return _for(request.did, edit)


def update(request: UpdateRequest) -> Change:
    """Take over a member's other name, units and endpoints."""

    def edit(entry: Organisation, base: MembershipList, now: Milliseconds) -> Organisation:
        request.request.require_fresh(base.space, now)
        request.require_signed(entry, now)
        return replace(entry, name=request.name, units=request.units, endpoints=request.endpoints)

    return _for(request.did, edit)


def attest(did: ParticipantId, *, kind: Kind, attributes: Attributes) -> Change:
    """Change what the registrar attests of an organisation."""
    return _for(did, lambda entry, *_: replace(entry, kind=kind, attributes=attributes))


def suspend(did: ParticipantId) -> Change:
    """Bar an organisation for a time."""
    return _status(did, Status.SUSPENDED, {Status.ACTIVE})


def reinstate(did: ParticipantId) -> Change:
    """Let a suspended organisation back in."""
    return _status(did, Status.ACTIVE, {Status.SUSPENDED})


def remove(did: ParticipantId) -> Change:
    """Bar an organisation for good; its entry stays."""
    return _status(did, Status.REMOVED, {Status.ACTIVE, Status.SUSPENDED})


def succeeded_by(did: ParticipantId, successor: ParticipantId | None) -> Change:
    """Name who has taken over an organisation's duties."""
    return _for(did, lambda entry, *_: replace(entry, successor=successor))


def compromised(did: ParticipantId, kid: Thumbprint, since: Milliseconds) -> Change:
    """Mark a key as in other hands since a time; the mark can move to earlier, never back."""

    def edit(key: ListedKey, now: Milliseconds) -> ListedKey:
        if since > now:
            raise ChangeRefused("a compromise lies in the past", field="since")
        known = key.compromised_since
        return replace(key, compromised_since=since if known is None else Milliseconds(min(known, since)))

    return _key(did, kid, edit)


def extend(did: ParticipantId, kid: Thumbprint, until: Milliseconds) -> Change:
    """Move a key's end, before it has come."""
    return _key(did, kid, lambda key, _: replace(key, not_after=until))


def registrar_keys(threshold: int, keys: Iterable[Ed25519PublicKey]) -> Change:
    """Change the registrar's own keys; enough of the old and enough of the new must sign the list."""
    return lambda base, _: replace(base, registrar=RegistrarKeys(threshold, tuple(keys)))


def _for(
    did: ParticipantId, edit: Callable[[Organisation, MembershipList, Milliseconds], Organisation]
) -> Change:
    def change(base: MembershipList, now: Milliseconds) -> MembershipList:
        if base.organisation(did) is None:
            raise ChangeRefused("this did is not on the list", field="did")
        entries = (edit(item, base, now) if item.did == did else item for item in base.organisations)
        return replace(base, organisations=tuple(entries))

    return change


def _status(did: ParticipantId, status: Status, from_status: set[Status]) -> Change:
    def edit(entry: Organisation, *_: object) -> Organisation:
        if entry.status not in from_status:
            raise ChangeRefused(f"{entry.status} does not become {status}", field="did")
        return replace(entry, status=status)

    return _for(did, edit)


def _key(did: ParticipantId, kid: Thumbprint, edit: Callable[[ListedKey, Milliseconds], ListedKey]) -> Change:
    def change(entry: Organisation, _: MembershipList, now: Milliseconds) -> Organisation:
        if entry.find_key(kid) is None:
            raise ChangeRefused("the organisation has no such key", field="kid")
        return replace(
            entry, keys=tuple(edit(key, now) if key.thumbprint == kid else key for key in entry.keys)
        )

    return _for(did, change)


def _beginning(keys: Iterable[ListedKey], now: Milliseconds, lifetime: int) -> tuple[ListedKey, ...]:
    end = Milliseconds(now + lifetime)
    return tuple(replace(key, not_before=now, not_after=end, compromised_since=None) for key in keys)


def _ending(key: ListedKey, now: Milliseconds) -> ListedKey:
    if key.not_after is not None and key.not_after <= now:
        return key
    return replace(key, not_after=Milliseconds(max(now, key.not_before + 1)))

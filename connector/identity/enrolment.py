"""Getting on the list, and changing one's keys and details there: by files, without a server.

Rules that hold here (DESIGN.md, "Enrolment is by files"):

* ``join`` writes a request that shows possession of every key it names: the Ed25519 keys sign it,
  the P-256 keys prove themselves, the TLS anchor is signed by its own key. The answer is the
  registrar's first keys and the whole list chain; the first keys' fingerprint is what to compare
  by telephone.
* A routine change of a key: the old key vouches, the participant's key signs, the new key shows
  itself. That is necessary and never sufficient: the new key counts when a list contains it.
* :func:`adopt` makes a next key the current one when the list contains it; a TLS key only after half
  of the time in which both are good, so that peers with an older list still know who calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec

from connector.identity import forms, syntax
from connector.identity.certificate import Issuer, issue_anchor, read_anchor, to_der
from connector.identity.keys import MEMBER_JOBS, KeyRing
from connector.identity.membership import MAX_LIST, FirstKeys, MalformedList, first_keys
from connector.identity.organisation import (
    KeyState,
    ListedKey,
    Organisation,
    Status,
    Unit,
    read_endpoints,
    read_key,
    read_organisation,
    read_units,
)
from connector.identity.public import Job, PrivateKey, thumbprint
from connector.identity.request import MalformedRequest, Request, read_request, write_request
from connector.identity.signed import MultiSigned, multi_signed
from connector.identity.trust import KeyNotValid, TrustStore
from ledger.ambient import Ambient
from ledger.canonical import JSONObject, encode
from ledger.errors import BylagError, ErrorKind
from ledger.names import DataSpaceId, Milliseconds, ParticipantId, Thumbprint

JOIN: Final = "join-request"
ROTATION: Final = "rotation-request"
UPDATE: Final = "update-request"

_MAX_CHAIN: Final = 100_000
MAX_ADMISSION: Final = 64 << 20
"""Bytes of an admission's file; a chain beyond it is handed on list by list instead."""


class NotAdmitted(BylagError):
    """The answer's list does not name this participant with these keys."""

    code = "NOT_ADMITTED"
    kind = ErrorKind.DENIED
    default_next_step = "Ask the registrar whether this request was admitted."


class WrongRegistrar(BylagError):
    """The answer comes from another registrar than expected."""

    code = "WRONG_REGISTRAR"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Compare the fingerprint with the registrar by telephone or on paper."


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """An organisation that asks to be listed, as it would stand there; every key shown."""

    request: Request
    organisation: Organisation


@dataclass(frozen=True, slots=True)
class RotationRequest:
    """A member that asks for ``key`` to follow the one named ``replaces``; the new key shown."""

    request: Request
    did: ParticipantId
    key: ListedKey
    replaces: Thumbprint

    def require_vouched(self, entry: Organisation, now: Milliseconds) -> ListedKey:
        """The old key, which must be valid now, vouch, and be the participant's as the signature is.

        Raises :class:`~connector.identity.trust.KeyNotValid`,
        :class:`~connector.identity.request.MalformedRequest`.
        """
        old = entry.find_key(self.replaces)
        if old is None or old.job is not self.key.job or old.state(now) is not KeyState.VALID:
            raise KeyNotValid("the key to be replaced is not a valid key for this use", field="replaces")
        self.request.require_shown(old.public, "replaces")
        _require_signature_of(entry, self.request, now)
        return old


@dataclass(frozen=True, slots=True)
class UpdateRequest:
    """A member that asks for another name, other units or endpoints."""

    request: Request
    did: ParticipantId
    name: str
    units: tuple[Unit, ...]
    endpoints: tuple[str, ...]

    def require_signed(self, entry: Organisation, now: Milliseconds) -> None:
        """Require the signature of a valid key of the member's. Raises
        :class:`~connector.identity.trust.KeyNotValid`."""
        _require_signature_of(entry, self.request, now)


@dataclass(frozen=True, slots=True)
class Admission:
    """The registrar's answer: the first keys, and every list from number 1."""

    first: FirstKeys
    chain: tuple[MultiSigned, ...]

    def to_bytes(self) -> bytes:
        """The answer as a file."""
        lists = [signed.content() for signed in self.chain]
        return encode(
            {"type": "admission", "version": 1, "first": self.first.content(), "lists": list(lists)}
        )

    def take(self, did: ParticipantId, ring: KeyRing, fingerprint: str | None = None) -> TrustStore:
        """Verify the chain, and that its last list names ``did``, active, with the ring's keys.

        ``fingerprint`` is the first keys' one, where it is known from elsewhere; without it the
        caller shows ``first.fingerprint`` to be compared.

        Raises :class:`WrongRegistrar`, :class:`NotAdmitted`, and what ``TrustStore.accept`` raises.
        """
        trust = self.verify(fingerprint)
        entry = trust.find(did)
        if entry is None or entry.status is not Status.ACTIVE:
            raise NotAdmitted("the list does not name this participant as active")
        for job in ring.jobs:
            if entry.find_key(ring.thumbprint(job)) is None:
                raise NotAdmitted(f"the list does not name this participant's {job} key")
        return trust

    def verify(self, fingerprint: str | None = None) -> TrustStore:
        """Verify the chain alone. Raises :class:`WrongRegistrar`, and what ``TrustStore.accept`` raises."""
        if fingerprint is not None and self.first.fingerprint != fingerprint:
            raise WrongRegistrar("the answer is another registrar's than expected")
        return TrustStore.from_chain(self.first, self.chain)


def join(ring: KeyRing, space: DataSpaceId, organisation: Organisation, ambient: Ambient) -> bytes:
    """The request of ``organisation`` to be listed with the keys of ``ring``, as a file.

    What the organisation says of its own keys and status is replaced. Raises :class:`MalformedRequest`
    for a name, unit or endpoint that no list would take.
    """
    keys = tuple(_as_listed(ring.key(job), job, organisation.did, ambient) for job in MEMBER_JOBS)
    entry = Organisation(
        did=organisation.did,
        kind=organisation.kind,
        name=organisation.name,
        units=organisation.units,
        keys=keys,
        endpoints=organisation.endpoints,
        attributes=organisation.attributes,
    )
    holders = [ring.key(job) for job in MEMBER_JOBS]
    data = write_request(JOIN, space, {"organisation": entry.content()}, holders, ambient)
    read_join(data)
    return data


def read_join(data: bytes) -> JoinRequest:
    """Read a request to join, which shows each key. Raises :class:`MalformedRequest`."""
    request, fields = read_request(data, JOIN)
    with forms.reading(MalformedRequest):
        entry = read_organisation(fields.object("organisation"))
        fields.finish()
    if sorted(key.job for key in entry.keys) != sorted(MEMBER_JOBS):
        raise MalformedRequest("there must be one key for each use", field="organisation.keys")
    for index, key in enumerate(entry.keys):
        request.require_shown(key.public, f"organisation.keys[{index}]")
    return JoinRequest(request, entry)


def rotate(ring: KeyRing, job: Job, space: DataSpaceId, did: ParticipantId, ambient: Ambient) -> bytes:
    """Make the next key for ``job``, and the request to list it; asked again, for the same key."""
    following, old = ring.rotate(job), ring.key(job)
    listed = _as_listed(following, job, did, ambient)
    members: JSONObject = {
        "did": did,
        "key": listed.content(),
        "replaces": thumbprint(old.public_key()),
    }
    keys = (old, following) if job is Job.SIGN else (ring.sign, old, following)
    return write_request(ROTATION, space, members, keys, ambient)


def read_rotation(data: bytes) -> RotationRequest:
    """Read a request to change a key; the new key is shown. Raises :class:`MalformedRequest`."""
    request, fields = read_request(data, ROTATION)
    with forms.reading(MalformedRequest):
        did = ParticipantId(forms.text(fields, "did", syntax.did_complaint))
        key = read_key(fields.object("key"), did)
        replaces = forms.thumbprint(fields, "replaces")
        fields.finish()
    request.require_shown(key.public, "key")
    return RotationRequest(request, did, key, replaces)


def update(
    ring: KeyRing,
    space: DataSpaceId,
    did: ParticipantId,
    *,
    name: str,
    units: Iterable[Unit],
    endpoints: Iterable[str],
    ambient: Ambient,
) -> bytes:
    """The request for another name, other units or endpoints. Raises :class:`MalformedRequest`."""
    members: JSONObject = {
        "did": did,
        "name": name,
        "units": [unit.content() for unit in units],
        "endpoints": list(endpoints),
    }
    data = write_request(UPDATE, space, members, [ring.sign], ambient)
    read_update(data)
    return data


def read_update(data: bytes) -> UpdateRequest:
    """Read a request to change details. Raises :class:`MalformedRequest`."""
    request, fields = read_request(data, UPDATE)
    with forms.reading(MalformedRequest):
        asked = UpdateRequest(
            request,
            ParticipantId(forms.text(fields, "did", syntax.did_complaint)),
            forms.text(fields, "name", syntax.name_complaint),
            read_units(fields),
            read_endpoints(fields),
        )
        fields.finish()
    return asked


def read_admission(data: bytes) -> Admission:
    """Read the registrar's answer; verifies nothing.

    Raises :class:`~connector.identity.membership.MalformedList`.
    """
    with forms.reading(MalformedList):
        fields = forms.file_object(data, max_bytes=MAX_ADMISSION)
        fields.constant("type", "admission")
        fields.constant("version", 1)
        first = first_keys(fields.object("first"))
        lists = fields.objects("lists", limit=_MAX_CHAIN)
        chain = tuple(multi_signed(item, max_bytes=MAX_LIST) for item in lists)
        fields.finish()
        if not chain:
            raise fields.wrong("lists", "must hold every list from number 1 on")
    return Admission(first, chain)


def issuer_of(ring: KeyRing, entry: Organisation) -> Issuer:
    """What a member issues its certificates with: its current TLS key, and the anchor ``entry`` pins.

    Raises :class:`NotAdmitted` when the list does not name that key.
    """
    listed = entry.find_key(ring.thumbprint(Job.TLS))
    if listed is None or listed.anchor is None:
        raise NotAdmitted("the list does not name this participant's tls key")
    anchor = read_anchor(listed.anchor, entry.did, listed.thumbprint)
    return Issuer(entry.did, ring.tls, anchor)


def adopt(ring: KeyRing, entry: Organisation, now: Milliseconds) -> tuple[Job, ...]:
    """Promote each next key that ``entry``, one's own, names as valid now; which ones it was."""
    promoted: list[Job] = []
    for job in ring.jobs:
        following = ring.next(job)
        if following is None:
            continue
        listed = entry.find_key(thumbprint(following.public_key()))
        if listed is None or listed.state(now) is not KeyState.VALID:
            continue
        if job is Job.TLS and not _half_way(entry.find_key(ring.thumbprint(job)), listed, now):
            continue
        ring.promote(job)
        promoted.append(job)
    return tuple(promoted)


def _half_way(old: ListedKey | None, new: ListedKey, now: Milliseconds) -> bool:
    if old is None or old.state(now) is not KeyState.VALID or old.not_after is None:
        return True
    return now >= (new.not_before + old.not_after) // 2


def _as_listed(key: PrivateKey, job: Job, did: ParticipantId, ambient: Ambient) -> ListedKey:
    anchor = None
    if job is Job.TLS and isinstance(key, ec.EllipticCurvePrivateKey):
        anchor = to_der(issue_anchor(key, did, ambient))
    return ListedKey(job, key.public_key(), ambient.now(), anchor=anchor)


def _require_signature_of(entry: Organisation, request: Request, now: Milliseconds) -> None:
    signers = set(request.signed.kids)
    for key in entry.keys_for(Job.SIGN):
        if key.thumbprint in signers and key.state(now) is KeyState.VALID:
            request.require_shown(key.public, "signatures")
            return
    raise KeyNotValid("no valid key of the participant's signed the request", field="signatures")

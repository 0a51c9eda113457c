"""Citizens and sole traders: known to one controller, who vouches for them; never on the list.

Rules that hold here (DESIGN.md, "Who is who"):

* A person holds an identity for each controller: a key ring of its own and a random handle. Two
  controllers who compare notes find nothing in common.
* The guest's request holds keys and nothing about the person. Who it is, the controller learns in
  its own way (by e-id, at the counter) and keeps to itself; the credential says only how surely.
* The *credential* is a document signed by the controller's participant key; the answer carries it
  with a client certificate over the guest's TLS key and the membership chain, by which the guest
  verifies its controller.
* A guest who changes keys keeps the handle when the old signing key vouches.
* Other members cannot tell a guest: the certificate is good at its controller only, where a
  :class:`GuestBook` knows the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connector.identity import forms, syntax
from connector.identity.certificate import CLOCK_SKEW, MAX_LEAF, Issuer, guest_name, read_leaf, to_pem
from connector.identity.credential import (
    CREDENTIAL_LIFETIME,
    BadCredential,
    GuestCredential,
    GuestKeys,
    read_credential,
    read_guest_keys,
    verify_credential,
)
from connector.identity.enrolment import MAX_ADMISSION, Admission, NotAdmitted, read_admission
from connector.identity.keys import GUEST_JOBS, KeyRing
from connector.identity.peer import Assurance, GuestKind
from connector.identity.public import (
    Job,
    PrivateKey,
    PublicKey,
    thumbprint,
    to_text,
)
from connector.identity.request import MalformedRequest, Request, read_request, write_request
from connector.identity.trust import TrustStore
from ledger import document
from ledger.ambient import Ambient, fresh_id
from ledger.canonical import JSONObject, encode
from ledger.document import BadSignature, SignedDocument, from_json, to_base64url
from ledger.names import DataSpaceId, Milliseconds, ParticipantId, UnitId

REQUEST: Final = "guest-request"


@dataclass(frozen=True, slots=True, repr=False)
class GuestRequest:
    """Somebody who asks to be vouched for, all four keys shown. It says nothing about who it is."""

    request: Request
    controller: ParticipantId
    kind: GuestKind
    keys: GuestKeys
    previous: ParticipantId | None
    """The handle to keep, when keys are changed."""


@dataclass(frozen=True, slots=True, repr=False)
class GuestAnswer:
    """What a controller sends back: the credential, a client certificate, and the membership chain."""

    credential: SignedDocument
    certificate: bytes
    """PEM."""
    admission: Admission

    def to_bytes(self) -> bytes:
        """The answer as a file, for the guest alone."""
        return encode(
            {
                "type": "guest-answer",
                "version": 1,
                "credential": self.credential.to_json(),
                "certificate": to_base64url(self.certificate),
                "admission": to_base64url(self.admission.to_bytes()),
            }
        )

    def take(
        self, ring: KeyRing, controller: ParticipantId, now: Milliseconds, fingerprint: str | None = None
    ) -> tuple[GuestCredential, TrustStore]:
        """Verify everything: the chain, the controller's signature, that it is about these keys.

        Raises :class:`BadCredential`, :class:`~connector.identity.enrolment.NotAdmitted`, and what
        ``Admission.verify`` raises.
        """
        trust = self.admission.verify(fingerprint)
        if not trust.is_active(controller):
            raise NotAdmitted("the controller is not an active member of the data space")
        credential = verify_credential(self.credential, trust)
        shown = read_leaf(self.certificate)
        if credential.controller != controller or not (
            credential.issued - CLOCK_SKEW <= now < credential.expires
        ):
            raise BadCredential("the credential is another controller's, or not valid now")
        if any(thumbprint(_key(credential.keys, job)) != ring.thumbprint(job) for job in GUEST_JOBS):
            raise BadCredential("the credential is for other keys")
        if shown.thumbprint != ring.thumbprint(Job.TLS) or shown.names != (
            guest_name(credential.handle, controller),
        ):
            raise BadCredential("the certificate is for another key or handle")
        return credential, trust


def request(
    ring: KeyRing,
    space: DataSpaceId,
    controller: ParticipantId,
    kind: GuestKind,
    ambient: Ambient,
    *,
    previous: tuple[ParticipantId, KeyRing] | None = None,
) -> bytes:
    """The request to be vouched for by ``controller``, as a file.

    ``previous`` is the handle and the key ring that are given up, when keys are changed.
    """
    members: JSONObject = {
        "controller": controller,
        "kind": kind.value,
        "keys": {job.value: to_text(ring.key(job).public_key()) for job in GUEST_JOBS},
        "previous": None if previous is None else previous[0],
    }
    holders: list[PrivateKey] = [ring.key(job) for job in GUEST_JOBS]
    if previous is not None:
        holders.append(previous[1].sign)
    data = write_request(REQUEST, space, members, holders, ambient)
    read_guest_request(data)
    return data


def read_guest_request(data: bytes) -> GuestRequest:
    """Read a request; each key is shown. Raises :class:`~connector.identity.request.MalformedRequest`."""
    asked, fields = read_request(data, REQUEST)
    with forms.reading(MalformedRequest):
        previous = forms.maybe_text(fields, "previous", syntax.handle_complaint)
        guest = GuestRequest(
            asked,
            ParticipantId(forms.text(fields, "controller", syntax.did_complaint)),
            forms.choice(fields, "kind", GuestKind),
            read_guest_keys(fields.object("keys")),
            None if previous is None else ParticipantId(previous),
        )
        fields.finish()
    for job in GUEST_JOBS:
        asked.require_shown(_key(guest.keys, job), f"keys.{job}")
    return guest


def vouch(
    asked: GuestRequest,
    *,
    controller: ParticipantId,
    space: DataSpaceId,
    ring: KeyRing,
    assurance: Assurance,
    ambient: Ambient,
    unit: UnitId | None = None,
    previous: GuestCredential | None = None,
    lifetime: int = CREDENTIAL_LIFETIME,
) -> SignedDocument:
    """Vouch for whoever holds the keys of ``asked``, having made sure who that is.

    ``previous`` is the guest's credential so far: the handle stays, and its signing key must vouch.
    Raises :class:`~connector.identity.request.MalformedRequest`,
    :class:`~connector.identity.request.StaleRequest`.
    """
    now = ambient.now()
    asked.request.require_fresh(space, now)
    if asked.controller != controller:
        raise MalformedRequest("the request is for another controller", field="controller")
    if (previous.handle if previous is not None else None) != asked.previous:
        raise MalformedRequest("the handle to keep is not this guest's", field="previous")
    if previous is not None:
        asked.request.require_shown(previous.keys.sign, "previous")
    credential = GuestCredential(
        space=space,
        controller=controller,
        unit=unit,
        handle=previous.handle if previous is not None else ParticipantId(f"guest:{fresh_id(ambient)}"),
        kind=asked.kind,
        assurance=assurance,
        keys=asked.keys,
        issued=now,
        expires=Milliseconds(now + lifetime),
    )
    return document.sign(credential.content(), ring.sign)


def renew(
    credential: GuestCredential, ring: KeyRing, ambient: Ambient, lifetime: int = CREDENTIAL_LIFETIME
) -> SignedDocument:
    """Vouch for the same keys for longer."""
    now = ambient.now()
    content: JSONObject = {**credential.content(), "issued": now, "expires": now + lifetime}
    return document.sign(content, ring.sign)


def answer(signed: SignedDocument, issuer: Issuer, admission: Admission, ambient: Ambient) -> GuestAnswer:
    """The answer for a guest, with a client certificate under the controller's anchor.

    It lasts as long as the credential: a guest has no other way to a new one than another answer.
    """
    credential = read_credential(signed)
    lifetime = max(0, credential.expires - ambient.now())
    leaf = issuer.guest_leaf(credential.keys.tls, credential.handle, ambient, lifetime)
    return GuestAnswer(signed, to_pem(leaf), admission)


def read_guest_answer(data: bytes) -> GuestAnswer:
    """Read a controller's answer; verifies nothing. Raises :class:`BadCredential`,
    :class:`~connector.identity.membership.MalformedList`."""
    with forms.reading(BadCredential):
        fields = forms.file_object(data, max_bytes=2 * MAX_ADMISSION)
        fields.constant("type", "guest-answer")
        fields.constant("version", 1)
        try:
            credential = from_json(fields.any("credential"))
        except BadSignature as error:
            raise fields.wrong("credential", error.message) from error
        certificate = forms.base64url(fields, "certificate", limit=MAX_LEAF)
        admission = forms.base64url(fields, "admission", limit=2 * MAX_ADMISSION)
        fields.finish()
    return GuestAnswer(credential, certificate, read_admission(admission))


def _key(keys: GuestKeys, job: Job) -> PublicKey:
    key = keys.key(job)
    assert key is not None  # noqa: S101  # GUEST_JOBS are the four
    return key

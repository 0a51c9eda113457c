"""A controller's word that it knows somebody: the guest's credential.

Rules that hold here:

* It names a random handle and four public keys, never the person; how surely the controller knows
  them is all that it says.
* It is signed by the controller's participant key, valid when it was issued by the membership list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.identity import forms, syntax
from connector.identity.certificate import DAY
from connector.identity.peer import Assurance, GuestKind
from connector.identity.public import Job, MalformedKey, PublicKey, read_ed25519, read_p256, to_text
from connector.identity.trust import KeyNotValid, TrustStore
from ledger import document
from ledger.canonical import JSONObject
from ledger.document import BadSignature, SignedDocument
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import DataSpaceId, Milliseconds, ParticipantId, UnitId

CREDENTIAL: Final = "guest-credential"
CREDENTIAL_LIFETIME: Final = 365 * DAY
MAX_CREDENTIAL: Final = 8 * 1024

Key = TypeVar("Key", Ed25519PublicKey, ec.EllipticCurvePublicKey)


class BadCredential(BylagError):
    """A guest's credential is malformed, for other keys, or not vouched for by its controller."""

    code = "BAD_CREDENTIAL"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Ask the controller to vouch again."


@dataclass(frozen=True, slots=True, repr=False)
class GuestKeys:
    """A guest's public keys at one controller: personal data, like everything about a guest."""

    sign: Ed25519PublicKey
    log: Ed25519PublicKey
    witness: Ed25519PublicKey
    """For cosigning the controller's checkpoints, and for nothing else."""
    tls: ec.EllipticCurvePublicKey

    def key(self, job: Job) -> PublicKey | None:
        """The key for a job; a guest has four."""
        match job:
            case Job.SIGN:
                return self.sign
            case Job.LOG:
                return self.log
            case Job.WITNESS:
                return self.witness
            case Job.TLS:
                return self.tls
            case _:
                return None

    def content(self) -> JSONObject:
        """As JSON."""
        return {job.value: to_text(key) for job in Job if (key := self.key(job)) is not None}


@dataclass(frozen=True, slots=True, repr=False)
class GuestCredential:
    """A controller's word that it knows the holder of these keys, under a handle."""

    space: DataSpaceId
    controller: ParticipantId
    unit: UnitId | None
    handle: ParticipantId
    kind: GuestKind
    assurance: Assurance
    keys: GuestKeys
    issued: Milliseconds
    expires: Milliseconds

    def content(self) -> JSONObject:
        """As JSON, to be signed."""
        return {
            "type": CREDENTIAL,
            "version": 1,
            "space": self.space,
            "controller": self.controller,
            "unit": self.unit,
            "handle": self.handle,
            "kind": self.kind.value,
            "assurance": self.assurance.value,
            "keys": self.keys.content(),
            "issued": self.issued,
            "expires": self.expires,
        }


def read_credential(signed: SignedDocument) -> GuestCredential:
    """Read a credential; verifies nothing. Raises :class:`BadCredential`."""
    with forms.reading(BadCredential):
        fields = Fields(signed.content(max_bytes=MAX_CREDENTIAL))
        fields.constant("type", CREDENTIAL)
        fields.constant("version", 1)
        unit = forms.maybe_text(fields, "unit", syntax.unit_complaint)
        credential = GuestCredential(
            space=DataSpaceId(forms.text(fields, "space", syntax.space_complaint)),
            controller=ParticipantId(forms.text(fields, "controller", syntax.did_complaint)),
            unit=None if unit is None else UnitId(unit),
            handle=ParticipantId(forms.text(fields, "handle", syntax.handle_complaint)),
            kind=forms.choice(fields, "kind", GuestKind),
            assurance=forms.choice(fields, "assurance", Assurance),
            keys=read_guest_keys(fields.object("keys")),
            issued=forms.time(fields, "issued"),
            expires=forms.time(fields, "expires"),
        )
        fields.finish()
        if credential.expires <= credential.issued:
            raise fields.wrong("expires", "must lie after issued")
    return credential


def verify_credential(signed: SignedDocument, trust: TrustStore) -> GuestCredential:
    """Verify that the controller it names signed a credential with a key valid then, and read it.

    Says nothing about now. Raises :class:`BadCredential`.
    """
    credential = read_credential(signed)
    try:
        key = trust.verification_key(credential.controller, signed.kid, Job.SIGN, credential.issued)
        document.verify(signed, CREDENTIAL, key, max_bytes=MAX_CREDENTIAL)
    except (KeyNotValid, BadSignature) as error:
        raise BadCredential(error.message, field=error.field) from error
    if credential.space != trust.first.space:
        raise BadCredential("the credential is for another data space", field="space")
    return credential


def read_guest_keys(fields: Fields) -> GuestKeys:
    """Read a guest's keys from their object. Raises :class:`~ledger.fields.BadField`."""
    keys = GuestKeys(
        _read_key(fields, "sign", read_ed25519),
        _read_key(fields, "log", read_ed25519),
        _read_key(fields, "witness", read_ed25519),
        _read_key(fields, "tls", read_p256),
    )
    fields.finish()
    return keys


def _read_key(fields: Fields, name: str, read: Callable[[str], Key]) -> Key:
    try:
        return read(fields.text(name))
    except MalformedKey as error:
        raise fields.wrong(name, error.message) from error

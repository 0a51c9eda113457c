"""A request that shows, for each key it names, that its sender holds that key.

Rules that hold here:

* Ed25519 keys show themselves by a detached JWS over the payload, P-256 keys by a *proof*, ECDSA
  over the same payload (``public.prove``); the file carries both beside the payload.
* A request is fresh for thirty days and bound to one data space; 16 random bytes keep two apart.
* Reading one proves possession, never identity: whose keys they are is for whoever admits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.identity import forms, syntax
from connector.identity.certificate import CLOCK_SKEW, DAY
from connector.identity.public import PrivateKey, PublicKey, check_proof, prove, thumbprint
from connector.identity.signed import MultiSigned, read_parts
from ledger.ambient import Ambient
from ledger.canonical import JSONObject, MalformedJson, decode_canonical, encode
from ledger.document import BadSignature
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import DataSpaceId, Milliseconds, Thumbprint

MAX_REQUEST: Final = 256 * 1024
MAX_AGE: Final = 30 * DAY
_MAX_PROOFS: Final = 8


class MalformedRequest(BylagError):
    """A request's file does not follow the schema, or does not show possession of its keys."""

    code = "MALFORMED_REQUEST"
    default_next_step = "Write the request again with `bylag join`, and send the file unchanged."


class StaleRequest(BylagError):
    """A request is older than thirty days, or comes from the future."""

    code = "STALE_REQUEST"
    default_next_step = "Check the clocks, and write the request again."


@dataclass(frozen=True, slots=True)
class Request:
    """What every request has: its data space, its time, and who showed what."""

    kind: str
    space: DataSpaceId
    created: Milliseconds
    signed: MultiSigned
    proofs: Mapping[Thumbprint, str]

    def require_shown(self, key: PublicKey, field: str) -> None:
        """Require that the holder of ``key`` signed this request. Raises :class:`MalformedRequest`."""
        try:
            if not self._shown(key):
                raise MalformedRequest("nothing shows that the sender holds this key", field=field)
        except (BadSignature, MalformedJson) as error:
            raise MalformedRequest(error.message, field=field) from error

    def require_fresh(self, space: DataSpaceId, now: Milliseconds) -> None:
        """Require the right data space and a recent time. Raises both kinds of error."""
        if self.space != space:
            raise MalformedRequest("the request is for another data space", field="space")
        if not now - MAX_AGE <= self.created <= now + CLOCK_SKEW:
            raise StaleRequest("the request is older than thirty days, or from the future", field="created")

    def _shown(self, key: PublicKey) -> bool:
        name = thumbprint(key)
        if isinstance(key, Ed25519PublicKey):
            return name in self.signed.signers(self.kind, {name: key}, max_bytes=MAX_REQUEST)
        if name not in self.proofs:
            return False
        check_proof(key, self.signed.payload, self.proofs[name])
        return True


def write_request(
    kind: str, space: DataSpaceId, members: JSONObject, keys: Iterable[PrivateKey], ambient: Ambient
) -> bytes:
    """A request's file: ``members`` and what every request has, shown by each of ``keys``."""
    payload = encode(
        {
            "type": kind,
            "version": 1,
            "space": space,
            "created": ambient.now(),
            "nonce": ambient.random(16).hex(),
            **members,
        }
    )
    signed, proofs = MultiSigned(payload), list[JSONObject]()
    for key in keys:
        if isinstance(key, Ed25519PrivateKey):
            signed = signed.signed_by(key, kind)
        else:
            name = thumbprint(key.public_key())
            proofs.append({"thumbprint": name, "proof": prove(key, payload)})
    return encode({**signed.content(), "proofs": list(proofs)})


def read_request(data: bytes, kind: str) -> tuple[Request, Fields]:
    """Read a request's file, and what every request has of its payload.

    The caller reads the rest of the fields and finishes them. Raises :class:`MalformedRequest`.
    """
    with forms.reading(MalformedRequest):
        outer = forms.file_object(data, max_bytes=MAX_REQUEST)
        signed = read_parts(outer, max_bytes=MAX_REQUEST)
        proofs = dict(map(_read_proof, outer.objects("proofs", limit=_MAX_PROOFS)))
        outer.finish()
        fields = Fields(decode_canonical(signed.payload, max_bytes=MAX_REQUEST))
        fields.constant("type", kind)
        fields.constant("version", 1)
        fields.digest("nonce", octets=16)
        space = DataSpaceId(forms.text(fields, "space", syntax.space_complaint))
        return Request(kind, space, forms.time(fields, "created"), signed, proofs), fields


def _read_proof(fields: Fields) -> tuple[Thumbprint, str]:
    pair = forms.thumbprint(fields, "thumbprint"), fields.text("proof", limit=200)
    fields.finish()
    return pair

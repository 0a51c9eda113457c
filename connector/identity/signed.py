"""A document that several people sign: one payload, a detached JWS from each.

Rules that hold here:

* The file is ``{"payload": <base64url>, "signatures": [<detached JWS>, …]}``. What is signed is the
  payload, canonical JSON (``ledger.document``); its name is SHA-256 of the payload, for the same
  list may be shown with different, equally sufficient signatures.
* A signature by a key that nobody asked about says nothing; one by a known key that does not fit
  spoils the whole; two by one key count as an error, never as two.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.identity.forms import base64url, file_object, texts
from ledger.canonical import JSONObject, encode
from ledger.document import (
    BadSignature,
    SignedDocument,
    header_of,
    sign_payload,
    to_base64url,
    verify,
)
from ledger.fields import Fields
from ledger.names import Thumbprint

MAX_SIGNATURES: Final = 32


@dataclass(frozen=True, slots=True)
class MultiSigned:
    """A payload with the signatures gathered so far. Signed does not mean verified."""

    payload: bytes
    signatures: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the payload, in hexadecimal."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def kids(self) -> tuple[Thumbprint, ...]:
        """The keys that the signatures claim. Raises :class:`~ledger.document.BadSignature`."""
        return tuple(header_of(jws).kid for jws in self.signatures)

    def signed_by(self, key: Ed25519PrivateKey, kind: str) -> MultiSigned:
        """The same with one signature more."""
        return replace(self, signatures=(*self.signatures, sign_payload(self.payload, kind, key)))

    def signers(
        self,
        kind: str,
        keys: Mapping[Thumbprint, Ed25519PublicKey],
        *,
        max_bytes: int,
        verified: frozenset[Thumbprint] = frozenset(),
    ) -> frozenset[Thumbprint]:
        """Those of ``keys`` that signed. Does not say whether they are enough, or valid now.

        ``verified`` are those whose signatures were found good before; they are not verified again.
        Raises :class:`~ledger.document.BadSignature`, :class:`~ledger.canonical.MalformedJson`.
        """
        found: set[Thumbprint] = set()
        for jws, kid in zip(self.signatures, self.kids, strict=True):
            if kid in found:
                raise BadSignature("one key signed twice", field="signatures")
            if kid in keys:
                if kid not in verified:
                    verify(SignedDocument(self.payload, jws), kind, keys[kid], max_bytes=max_bytes)
                found.add(kid)
        return frozenset(found)

    def content(self) -> JSONObject:
        """As JSON."""
        return {"payload": to_base64url(self.payload), "signatures": list(self.signatures)}

    def to_bytes(self) -> bytes:
        """The file's content."""
        return encode(self.content())


def read_multi_signed(data: bytes, *, max_bytes: int) -> MultiSigned:
    """Read a file with a payload of at most ``max_bytes``; verifies nothing.

    Raises :class:`~ledger.canonical.MalformedJson`, :class:`~ledger.fields.BadField`.
    """
    return multi_signed(file_object(data, max_bytes=max_bytes), max_bytes=max_bytes)


def multi_signed(fields: Fields, *, max_bytes: int) -> MultiSigned:
    """Read an object with the two members ``payload`` and ``signatures``."""
    signed = read_parts(fields, max_bytes=max_bytes)
    fields.finish()
    return signed


def read_parts(fields: Fields, *, max_bytes: int) -> MultiSigned:
    """Read the two members of an object that has others."""
    return MultiSigned(
        base64url(fields, "payload", limit=max_bytes),
        texts(fields, "signatures", lambda _: None, limit=MAX_SIGNATURES),
    )

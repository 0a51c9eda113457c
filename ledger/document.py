"""Signed documents and messages: canonical JSON under a detached JWS.

Rules that hold here (RFC 7515, Appendix F; RFC 8037 for Ed25519):

* The payload is canonical JSON with ``type`` and ``version``; the JWS is carried beside it with
  the payload part left out, ``<protected>..<signature>``. It is *not* RFC 7797's ``b64: false``.
* The protected header is exactly ``{alg: EdDSA, kid, typ: bylag-<type>+jws}``. No other member,
  so no ``crit``, no embedded key, no second algorithm; ``none`` cannot be said.
* The bytes received are verified first; only then is the payload read, and it must be its own
  canonical form (``ledger.canonical``).
* A signature says that a key signed bytes. Whose key it is, and whether it was valid then, is for
  the caller: nothing here knows a membership list or a clock.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt import PyJWS
from jwt.algorithms import OKPAlgorithm

from ledger.canonical import (
    JSON,
    MAX_BYTES,
    JSONObject,
    MalformedJson,
    decode_canonical,
    decode_object,
    encode,
)
from ledger.errors import BylagError, ErrorKind
from ledger.names import MessageHash, Thumbprint

MAX_JWS_CHARACTERS: Final = 1024
_JWS = PyJWS(algorithms=["EdDSA"])
_EDDSA = OKPAlgorithm()
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")


class BadSignature(BylagError):
    """A signature is missing, malformed, made by another key, or over other bytes."""

    code = "BAD_SIGNATURE"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Ask the sender to sign again with the key that the membership list names."


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """A payload with one detached signature over it.

    Signed does not mean verified: :func:`verify` does that. ``jws`` is ``<protected>..<signature>``.
    """

    payload: bytes
    jws: str

    @property
    def kid(self) -> Thumbprint:
        """The signing key's thumbprint, as the protected header claims it."""
        return header_of(self.jws).kid

    @property
    def digest(self) -> MessageHash:
        """SHA-256 of the compact JWS with its payload put back: the message's name everywhere."""
        return MessageHash(hashlib.sha256(self.compact).hexdigest())

    @property
    def compact(self) -> bytes:
        """The compact serialisation, ``<protected>.<payload>.<signature>``."""
        protected, signature = _split(self.jws)
        return b".".join((protected.encode(), to_base64url(self.payload).encode(), signature.encode()))

    def to_json(self) -> JSONObject:
        """The stored and file form: ``{"payload": base64url, "jws": detached JWS}``."""
        return {"payload": to_base64url(self.payload), "jws": self.jws}

    def content(self, *, max_bytes: int = MAX_BYTES) -> JSONObject:
        """The payload, read strictly. Raises :class:`~ledger.canonical.MalformedJson`."""
        return decode_canonical(self.payload, max_bytes=max_bytes)


@dataclass(frozen=True, slots=True)
class ProtectedHeader:
    """What a protected header says: the key's thumbprint and the kind of document."""

    kid: Thumbprint
    kind: str


def sign(content: JSONObject, key: Ed25519PrivateKey) -> SignedDocument:
    """Sign ``content``, whose ``type`` names the kind of document and becomes the header's ``typ``."""
    payload = encode(content)
    return SignedDocument(payload, sign_payload(payload, str(content["type"]), key))


def sign_payload(payload: bytes, kind: str, key: Ed25519PrivateKey) -> str:
    """A detached JWS over ``payload``: for a document that several parties sign."""
    compact = _JWS.encode(
        payload,
        key,
        algorithm="EdDSA",
        headers={"kid": thumbprint(key.public_key()), "typ": _typ(kind)},
    )
    protected, _, signature = compact.split(".")
    return f"{protected}..{signature}"


def verify(
    document: SignedDocument, kind: str, key: Ed25519PublicKey, *, max_bytes: int = MAX_BYTES
) -> JSONObject:
    """Verify that ``key`` signed ``document`` as a ``kind``, and read it.

    Steps, in this order: (1) size; (2) the header's exact form, its ``typ`` and its ``kid``;
    (3) the signature over the bytes received; (4) strict, canonical JSON whose ``type`` is
    ``kind``. Does not check that ``key`` was valid at any time, nor the content's members.

    Raises :class:`BadSignature`, or :class:`~ledger.canonical.MalformedJson` for step 4.
    """
    if len(document.payload) > max_bytes:
        raise MalformedJson(f"the document has {len(document.payload)} bytes, the limit is {max_bytes}")
    header = header_of(document.jws)
    if header.kind != kind:
        raise BadSignature(f"signed as a {header.kind!r}, expected a {kind!r}", field="typ")
    if header.kid != thumbprint(key):
        raise BadSignature("signed by another key than expected", field="kid")
    protected, signature = _split(document.jws)
    signed = f"{protected}.{to_base64url(document.payload)}".encode()
    # PyJWT's own reader would decode the payload that was just encoded, character by character.
    if not _EDDSA.verify(signed, key, from_base64url(signature)):
        raise BadSignature("the signature does not fit the bytes and the key")
    content = decode_canonical(document.payload, max_bytes=max_bytes)
    if content.get("type") != kind:
        raise BadSignature(f"the document does not call itself a {kind!r}", field="type")
    return content


def from_json(value: JSON) -> SignedDocument:
    """Read what :meth:`SignedDocument.to_json` wrote. Raises :class:`BadSignature`."""
    if not isinstance(value, dict) or set(value) != {"payload", "jws"}:
        raise BadSignature("a signed document is exactly {payload, jws}")
    payload, jws = value["payload"], value["jws"]
    if not isinstance(payload, str) or not isinstance(jws, str):
        raise BadSignature("payload and jws are strings")
    return SignedDocument(from_base64url(payload), jws)


def header_of(jws: str) -> ProtectedHeader:
    """Read a detached JWS's protected header, which must have exactly the three members."""
    protected, _ = _split(jws)
    try:
        header = decode_object(from_base64url(protected), max_bytes=512, max_depth=1)
    except MalformedJson as error:
        raise BadSignature("the protected header is not JSON") from error
    kid, typ = header.get("kid"), header.get("typ")
    if set(header) != {"alg", "kid", "typ"} or header["alg"] != "EdDSA":
        raise BadSignature("the protected header is not exactly {alg: EdDSA, kid, typ}", field="alg")
    if not isinstance(kid, str) or not isinstance(typ, str):
        raise BadSignature("kid and typ are strings", field="kid")
    if not (typ.startswith("bylag-") and typ.endswith("+jws")):
        raise BadSignature("typ is not bylag-<document>+jws", field="typ")
    return ProtectedHeader(Thumbprint(kid), typ[len("bylag-") : -len("+jws")])


def thumbprint(key: Ed25519PublicKey) -> Thumbprint:
    """The key's RFC 7638 thumbprint, with RFC 8037's required members (crv, kty, x)."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{to_base64url(raw)}"}}'
    return Thumbprint(to_base64url(hashlib.sha256(jwk.encode()).digest()))


def to_base64url(data: bytes) -> str:
    """Base64url without padding (RFC 7515 section 2)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL, b"=").decode()


def from_base64url(text: str) -> bytes:
    """Read base64url without padding; one spelling only. Raises :class:`BadSignature`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("not base64url") from error
    if to_base64url(data) != text:
        raise BadSignature("not base64url in its one canonical spelling")
    return data


def _split(jws: str) -> tuple[str, str]:
    parts = jws.split(".")
    if len(jws) > MAX_JWS_CHARACTERS or len(parts) != 3 or parts[1]:
        raise BadSignature("not a detached JWS, <protected>..<signature>")
    return parts[0], parts[2]


def _typ(kind: str) -> str:
    return f"bylag-{kind}+jws"

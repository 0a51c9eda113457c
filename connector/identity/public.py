"""Public keys: their jobs, their names, their spelling in JSON, and proof that somebody holds them.

Rules that hold here:

* Separate keys for separate jobs. A key has one job, and a job one kind of key: Ed25519 for what is
  signed as JWS or note, P-256 for TLS (grpcio takes no Ed25519 certificates) and for OPA's bundles.
* A key's name is its RFC 7638 thumbprint: for Ed25519 over ``crv, kty, x`` (RFC 8037), for P-256
  over ``crv, kty, x, y`` (RFC 7638 section 3.2).
* In JSON a key is base64url of its raw 32 bytes, or of the uncompressed P-256 point (65 bytes).
* A key of small order is refused: every signature would fit it, and its owner could deny any.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger import document
from ledger.document import BadSignature, from_base64url, to_base64url
from ledger.errors import BylagError
from ledger.names import Thumbprint

PublicKey: TypeAlias = Ed25519PublicKey | ec.EllipticCurvePublicKey
PrivateKey: TypeAlias = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_POSSESSION = b"bylag/possession/v1\x00"
_FIELD_PRIME = 2**255 - 19
# The y coordinates of Ed25519's eight points of small order: orders 1, 2, 4, 8, 8 (RFC 8032 section
# 5.1 gives the curve; a test multiplies each by eight).
_ORDER_EIGHT_Y = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER_Y = frozenset({1, _FIELD_PRIME - 1, 0, _ORDER_EIGHT_Y, _FIELD_PRIME - _ORDER_EIGHT_Y})


class Job(StrEnum):
    """What a key is for. Its value is the list's ``use``, and the name of the key's file."""

    SIGN = "sign"
    """The participant's signature under documents and messages (JWS, Ed25519)."""
    LOG = "log"
    """The log's signature under its checkpoints (C2SP note, Ed25519)."""
    WITNESS = "witness"
    """The cosignature under other logs' checkpoints (Ed25519)."""
    TLS = "tls"
    """Mutual TLS (P-256)."""
    BUNDLE = "bundle"
    """OPA bundles' ``.signatures.json`` (ES256)."""


ED25519_JOBS: Final = frozenset({Job.SIGN, Job.LOG, Job.WITNESS})


class MalformedKey(BylagError):
    """A public key is not spelled as it must be, or is none for its job."""

    code = "MALFORMED_KEY"
    default_next_step = "Send the key's raw Ed25519 bytes, or its uncompressed P-256 point, in base64url."


def thumbprint(key: PublicKey) -> Thumbprint:
    """The key's RFC 7638 thumbprint."""
    if isinstance(key, Ed25519PublicKey):
        return document.thumbprint(key)
    numbers = key.public_numbers()
    x, y = (to_base64url(n.to_bytes(32, "big")) for n in (numbers.x, numbers.y))
    jwk = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    return Thumbprint(to_base64url(hashlib.sha256(jwk.encode()).digest()))


def to_text(key: PublicKey) -> str:
    """The key's spelling in JSON."""
    if isinstance(key, Ed25519PublicKey):
        return to_base64url(key.public_bytes_raw())
    return to_base64url(
        key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )


def from_text(text: str, job: Job) -> PublicKey:
    """Read a key for ``job``. Raises :class:`MalformedKey`."""
    return read_ed25519(text) if job in ED25519_JOBS else read_p256(text)


def read_ed25519(text: str) -> Ed25519PublicKey:
    """Read an Ed25519 key that is not of small order. Raises :class:`MalformedKey`."""
    raw = _decode(text, 32)
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:
        raise MalformedKey("this is no Ed25519 key that binds its holder (not canonical, or of small order)")
    return Ed25519PublicKey.from_public_bytes(raw)


def read_p256(text: str) -> ec.EllipticCurvePublicKey:
    """Read a point on P-256. Raises :class:`MalformedKey`."""
    raw = _decode(text, 65)
    if raw[0] != 4:  # SEC 1 section 2.3.3: 04 starts an uncompressed point
        raise MalformedKey("this is no uncompressed point")
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError as error:
        raise MalformedKey("this is no point on P-256") from error


def prove(key: ec.EllipticCurvePrivateKey, payload: bytes) -> str:
    """Show that one holds a P-256 key: ECDSA with SHA-256 (DER) over ``payload``, in base64url.

    The prefix keeps it apart from whatever else the key signs; TLS 1.3 starts what it signs with 64
    spaces (RFC 8446 section 4.4.3). Ed25519 keys show themselves by a JWS over the same payload.
    """
    return to_base64url(key.sign(_POSSESSION + payload, ec.ECDSA(hashes.SHA256())))


def check_proof(key: ec.EllipticCurvePublicKey, payload: bytes, proof: str) -> None:
    """Require that :func:`prove` made ``proof``. Raises :class:`ledger.document.BadSignature`."""
    try:
        key.verify(from_base64url(proof), _POSSESSION + payload, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise BadSignature("the proof does not fit the key: its holder did not make it") from error


def _decode(text: str, size: int) -> bytes:
    try:
        raw = from_base64url(text) if len(text) <= 2 * size else b""
    except BadSignature as error:
        raise MalformedKey(error.message) from error
    if len(raw) != size:
        raise MalformedKey(f"the key does not have {size} bytes")
    return raw

"""X.509 for mutual TLS: the anchor that the membership list pins, and the certificates under it.

Rules that hold here:

* The *anchor* is a self-signed CA certificate over the member's pinned P-256 key. It never expires
  (RFC 5280 section 4.1.2.5): the list ends it. ``pathlen 0`` and a name constraint let it issue
  certificates for its own member's name only, which TLS itself checks.
* The *leaf* is what a handshake shows: over the same key, named for the did, issued by the anchor,
  90 days. Its holder renews it alone. A *guest's* leaf is over the guest's key, issued by the
  controller's anchor, for the client's side only, and named by a random handle.
* A server name is a label made of the did's hash under ``alt``, which no resolver ever looks up
  (RFC 9476): names in certificates are names of members, and have nothing to do with where they listen.
* TLS shows that the peer holds the key. Whose key it is *now* is for the list
  (``connector.identity.directory``); :func:`read_leaf` only reads what was shown.
"""

from __future__ import annotations

import base64
import datetime
import functools
import hashlib
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from connector.identity.public import thumbprint
from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import Milliseconds, ParticipantId, Thumbprint

DAY: Final = 86_400_000
LEAF_LIFETIME: Final = 90 * DAY
CLOCK_SKEW: Final = 5 * 60_000
"""How far two clocks may differ (DESIGN.md, "Clock"): certificates start this much earlier."""

MAX_ANCHOR: Final = 1024
MAX_LEAF: Final = 16 * 1024

_NO_END = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
# What reading hostile DER raises: the parser is lazy, so from any attribute.
_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    x509.ExtensionNotFound,
)


class BadCertificate(BylagError):
    """A certificate is malformed, or is not the kind that stands there."""

    code = "BAD_CERTIFICATE"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Renew the certificate with the key that the membership list pins."


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What a peer showed in a handshake: whose key, for which names, from when until when."""

    thumbprint: Thumbprint
    names: tuple[str, ...]
    not_before: Milliseconds
    not_after: Milliseconds


@functools.lru_cache(maxsize=4096)
def server_name(member: ParticipantId) -> str:
    """The DNS name under which a member shows itself: SHA-256 of the did in base32, under ``alt``."""
    label = base64.b32encode(hashlib.sha256(member.encode()).digest()).decode().rstrip("=").lower()
    return f"{label}.bylag.alt"


def guest_name(handle: ParticipantId, controller: ParticipantId) -> str:
    """A guest's DNS name: its handle's digits, under its controller's name."""
    return f"{handle.removeprefix('guest:')}.{server_name(controller)}"


def spki_thumbprint(source: ec.EllipticCurvePublicKey | x509.Certificate) -> Thumbprint:
    """The thumbprint of a P-256 key, or of the key in a certificate. Raises :class:`BadCertificate`."""
    return thumbprint(_public_key(source) if isinstance(source, x509.Certificate) else source)


def issue_anchor(
    key: ec.EllipticCurvePrivateKey, member: ParticipantId, ambient: Ambient
) -> x509.Certificate:
    """A member's anchor. Signatures differ each time: issue it once, and keep what the list pins."""
    name = _anchor_name(spki_thumbprint(key.public_key()))
    builder = _start(key.public_key(), name, ambient, None).issuer_name(name)
    for extension, critical in _anchor_extensions(key.public_key(), member):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def read_anchor(der: bytes, member: ParticipantId, pinned: Thumbprint) -> x509.Certificate:
    """Read an anchor, which must be exactly what :func:`issue_anchor` makes for this key and member.

    Raises :class:`BadCertificate`.
    """
    if len(der) > MAX_ANCHOR:
        raise BadCertificate(f"the anchor is longer than {MAX_ANCHOR} bytes")
    try:
        certificate = x509.load_der_x509_certificate(der)
        key = _public_key(certificate)
        found = {item.oid: (item.value, item.critical) for item in certificate.extensions}
        expected = {item.oid: (item, critical) for item, critical in _anchor_extensions(key, member)}
        name = _anchor_name(pinned)
        sound = (
            thumbprint(key) == pinned
            and certificate.subject == certificate.issuer == name
            and certificate.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256
            and certificate.not_valid_after_utc == _NO_END
            and found == expected
        )
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature as error:
        raise BadCertificate("the anchor is not signed by its own key") from error
    except _UNREADABLE as error:
        raise BadCertificate("the anchor is not a certificate that can be read") from error
    if not sound:
        raise BadCertificate("the anchor is not the one for this key and this member")
    return certificate


@dataclass(frozen=True, slots=True, repr=False)
class Issuer:
    """A member that issues certificates: its TLS key, and the anchor that the list pins for it."""

    member: ParticipantId
    key: ec.EllipticCurvePrivateKey
    anchor: x509.Certificate

    def leaf(self, ambient: Ambient, lifetime: int = LEAF_LIFETIME) -> x509.Certificate:
        """The member's own certificate for handshakes, valid for ``lifetime`` milliseconds from now."""
        names = x509.SubjectAlternativeName(
            [x509.DNSName(server_name(self.member)), x509.UniformResourceIdentifier(self.member)]
        )
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        subject = _common_name(server_name(self.member))
        return self._issue(_start(self.key.public_key(), subject, ambient, lifetime), names, usages)

    def guest_leaf(
        self,
        guest_key: ec.EllipticCurvePublicKey,
        handle: ParticipantId,
        ambient: Ambient,
        lifetime: int = LEAF_LIFETIME,
    ) -> x509.Certificate:
        """A guest's client certificate over the guest's own key. It names nobody but a handle."""
        names = x509.SubjectAlternativeName([x509.DNSName(guest_name(handle, self.member))])
        usages = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
        return self._issue(_start(guest_key, _common_name(handle), ambient, lifetime), names, usages)

    def _issue(
        self,
        builder: x509.CertificateBuilder,
        names: x509.SubjectAlternativeName,
        usages: x509.ExtendedKeyUsage,
    ) -> x509.Certificate:
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            builder.issuer_name(self.anchor.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(names, critical=False)
            .add_extension(usages, critical=False)
            .add_extension(issued_by, critical=False)
            .sign(self.key, hashes.SHA256())
        )


def read_leaf(pem: bytes) -> ShownCertificate:
    """Read the certificate that a peer showed (``x509_pem_cert`` of grpc's auth context).

    Checks no signature and no time: the handshake did the first; ``Directory.identify`` does the
    second, and whose key it is. Raises :class:`BadCertificate`.
    """
    if len(pem) > MAX_LEAF:
        raise BadCertificate(f"the certificate is longer than {MAX_LEAF} bytes")
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return ShownCertificate(
            spki_thumbprint(certificate),
            tuple(names.get_values_for_type(x509.DNSName)),
            _to_milliseconds(certificate.not_valid_before_utc),
            _to_milliseconds(certificate.not_valid_after_utc),
        )
    except _UNREADABLE as error:
        raise BadCertificate("the certificate cannot be read") from error


def to_pem(certificate: x509.Certificate) -> bytes:
    """The certificate in PEM, as grpc takes it."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def to_der(certificate: x509.Certificate) -> bytes:
    """The certificate in DER, as the list carries it."""
    return certificate.public_bytes(serialization.Encoding.DER)


def key_to_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A TLS key in PEM, as grpc takes it. Never write it to a file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _start(
    holder: ec.EllipticCurvePublicKey, subject: x509.Name, ambient: Ambient, lifetime: int | None
) -> x509.CertificateBuilder:
    now = ambient.now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(holder)
        # At most 20 octets, positive, unpredictable (RFC 5280 section 4.1.2.2).
        .serial_number(1 + (int.from_bytes(ambient.random(20), "big") >> 1))
        .not_valid_before(_to_datetime(now - CLOCK_SKEW))
        .not_valid_after(_NO_END if lifetime is None else _to_datetime(now + lifetime))
    )


def _anchor_extensions(
    key: ec.EllipticCurvePublicKey, member: ParticipantId
) -> tuple[tuple[x509.ExtensionType, bool], ...]:
    return (
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (_key_usage(key_cert_sign=True), True),
        # A leaf for another member's name fails in the handshake itself (RFC 5280 section 4.2.1.10).
        (
            x509.NameConstraints(
                permitted_subtrees=[x509.DNSName(server_name(member))], excluded_subtrees=None
            ),
            True,
        ),
        (x509.SubjectKeyIdentifier.from_public_key(key), False),
    )


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _anchor_name(key: Thumbprint) -> x509.Name:
    # Two anchors of one member differ in subject, so that a verifier never tries the wrong one.
    return _common_name(f"anchor {key}")


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _public_key(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    try:
        key = certificate.public_key()
    except _UNREADABLE as error:
        raise BadCertificate("the certificate's key cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadCertificate("the certificate's key is not P-256")
    return key


def _to_datetime(time: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(time // 1000, datetime.UTC)


def _to_milliseconds(time: datetime.datetime) -> Milliseconds:
    return Milliseconds(int(time.timestamp()) * 1000)

"""What stands in an anchor and in a leaf, and that nothing else passes for one."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from connector.identity import certificate
from connector.identity.certificate import (
    DAY,
    BadCertificate,
    Issuer,
    guest_name,
    issue_anchor,
    read_anchor,
    read_leaf,
    server_name,
    spki_thumbprint,
    to_der,
    to_pem,
)
from ledger.ambient import HeldAmbient
from ledger.names import ParticipantId
from tests.identity.world import ALVIK, BERGA

AMBIENT = HeldAmbient()
KEY = ec.derive_private_key(1234567, ec.SECP256R1())
OTHER = ec.derive_private_key(7654321, ec.SECP256R1())
ANCHOR = issue_anchor(KEY, ALVIK, AMBIENT)
LEAF = Issuer(ALVIK, KEY, ANCHOR).leaf(AMBIENT)
HANDLE = ParticipantId("guest:" + "ab" * 16)


def test_a_server_name_follows_from_the_did_and_is_never_resolved() -> None:
    name = server_name(ALVIK)
    assert name == server_name(ALVIK) != server_name(BERGA)
    label, *rest = name.split(".")
    assert len(label) == 52
    assert rest == ["bylag", "alt"]  # RFC 9476: no resolver looks under alt
    assert guest_name(HANDLE, ALVIK) == f"{'ab' * 16}.{name}"


def test_an_anchor_is_for_one_key_and_one_member_and_can_issue_nothing_else() -> None:
    assert read_anchor(to_der(ANCHOR), ALVIK, spki_thumbprint(KEY.public_key())) == ANCHOR
    constraints = ANCHOR.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.permitted_subtrees == [x509.DNSName(server_name(ALVIK))]
    basic = ANCHOR.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (basic.ca, basic.path_length) == (True, 0)
    assert ANCHOR.not_valid_after_utc.year == 9999


def test_an_anchor_of_another_member_or_key_is_refused() -> None:
    der, pinned = to_der(ANCHOR), spki_thumbprint(KEY.public_key())
    for member, key in ((BERGA, pinned), (ALVIK, spki_thumbprint(OTHER.public_key()))):
        with pytest.raises(BadCertificate):
            read_anchor(der, member, key)


def _forged(change: Callable[[x509.CertificateBuilder], x509.CertificateBuilder], **swap: Any) -> bytes:
    """An anchor made by hand, with one thing different."""
    holder = swap.get("holder", KEY)
    assert isinstance(holder, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"anchor {spki_thumbprint(KEY.public_key())}")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(swap.get("subject", name))
        .issuer_name(swap.get("issuer", name))
        .public_key(holder.public_key())
        .serial_number(7)
        .not_valid_before(datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(swap.get("end", datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)))
    )
    for extension, critical in certificate._anchor_extensions(holder.public_key(), ALVIK):
        if type(extension) is not swap.get("without"):
            builder = builder.add_extension(extension, critical=critical)
    signer = swap.get("signer", holder)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    return to_der(change(builder).sign(signer, swap.get("hash", hashes.SHA256())))


def _same(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    return builder


def test_an_anchor_made_by_hand_like_ours_passes() -> None:
    read_anchor(_forged(_same), ALVIK, spki_thumbprint(KEY.public_key()))


@pytest.mark.parametrize(
    "der",
    [
        pytest.param(_forged(_same, without=x509.NameConstraints), id="no name constraint"),
        pytest.param(_forged(_same, without=x509.BasicConstraints), id="no basic constraints"),
        pytest.param(_forged(_same, without=x509.KeyUsage), id="no key usage"),
        pytest.param(
            _forged(lambda b: b.add_extension(x509.OCSPNoCheck(), critical=False)), id="something more"
        ),
        pytest.param(_forged(_same, signer=OTHER), id="signed by another key"),
        pytest.param(_forged(_same, holder=OTHER), id="over another key, with the right key's name"),
        pytest.param(_forged(_same, hash=hashes.SHA384()), id="another hash"),
        pytest.param(_forged(_same, subject=x509.Name([])), id="another subject"),
        pytest.param(_forged(_same, issuer=x509.Name([])), id="another issuer"),
        pytest.param(
            _forged(_same, end=datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)), id="an end of its own"
        ),
        pytest.param(
            _forged(
                lambda b: b.add_extension(
                    x509.NameConstraints([x509.DNSName("")], None), critical=True
                ),
                without=x509.NameConstraints,
            ),
            id="any name",
        ),
        pytest.param(to_der(ANCHOR) + b"\0", id="trailing bytes"),
        pytest.param(b"\x30" * 2000, id="too long"),
        pytest.param(to_der(LEAF), id="a leaf"),
    ],
)  # fmt: skip
def test_what_is_not_exactly_an_anchor_is_refused(der: bytes) -> None:
    with pytest.raises(BadCertificate):
        read_anchor(der, ALVIK, spki_thumbprint(KEY.public_key()))


@given(st.data())
def test_a_changed_anchor_is_a_typed_error(data: st.DataObject) -> None:
    der = bytearray(to_der(ANCHOR))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(der) - 1))
        der[position] ^= data.draw(st.integers(1, 255))
    if bytes(der) != to_der(ANCHOR):
        with pytest.raises(BadCertificate):
            read_anchor(bytes(der), ALVIK, spki_thumbprint(KEY.public_key()))


@given(st.data())
def test_a_changed_leaf_is_read_or_a_typed_error(data: st.DataObject) -> None:
    der = bytearray(to_der(LEAF))
    position = data.draw(st.integers(0, len(der) - 1))
    der[position] ^= data.draw(st.integers(1, 255))
    try:
        read_leaf(ssl.DER_cert_to_PEM_cert(bytes(der)).encode())
    except BadCertificate as error:
        assert error.next_step


@given(st.binary(max_size=300))
def test_bytes_are_no_leaf(data: bytes) -> None:
    with pytest.raises(BadCertificate):
        read_leaf(data)


def test_a_leaf_names_its_member_for_ninety_days() -> None:
    shown = read_leaf(to_pem(LEAF))
    assert shown.thumbprint == spki_thumbprint(KEY.public_key())
    assert shown.names == (server_name(ALVIK),)
    assert shown.not_after - AMBIENT.now() == 90 * DAY
    assert shown.not_before == AMBIENT.now() - certificate.CLOCK_SKEW


def test_a_guests_leaf_names_a_handle_and_nobody() -> None:
    leaf = Issuer(ALVIK, KEY, ANCHOR).guest_leaf(OTHER.public_key(), HANDLE, AMBIENT)
    assert read_leaf(to_pem(leaf)).names == (guest_name(HANDLE, ALVIK),)
    assert leaf.subject.rfc4514_string() == f"CN={HANDLE}"
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]


def test_a_key_that_is_not_p256_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    leaf = Issuer(ALVIK, KEY, ANCHOR).guest_leaf(key.public_key(), HANDLE, AMBIENT)
    with pytest.raises(BadCertificate):
        read_leaf(to_pem(leaf))

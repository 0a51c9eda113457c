"""Signed documents: what counts as a signature, and every way we know to fake one."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import JSONObject, MalformedJson, encode
from ledger.document import (
    BadSignature,
    SignedDocument,
    from_base64url,
    header_of,
    sign,
    sign_payload,
    thumbprint,
    to_base64url,
    verify,
)

# RFC 8037 appendix A: the key, its thumbprint.
RFC_8037_D = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
RFC_8037_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"

KEY = Ed25519PrivateKey.from_private_bytes(from_base64url(RFC_8037_D))
OTHER = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
PUBLIC = KEY.public_key()
CONTENT: JSONObject = {"type": "agreement", "version": 1, "text": "räksmörgås"}


def with_header(document: SignedDocument, header: object, key: Ed25519PrivateKey = KEY) -> SignedDocument:
    """The same payload under another protected header, correctly signed."""
    raw = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    protected = to_base64url(raw)
    signature = key.sign(f"{protected}.{to_base64url(document.payload)}".encode())
    return SignedDocument(document.payload, f"{protected}..{to_base64url(signature)}")


GOOD_HEADER = {"alg": "EdDSA", "kid": thumbprint(PUBLIC), "typ": "bylag-agreement+jws"}


def test_a_document_signed_by_the_key_verifies() -> None:
    assert verify(sign(CONTENT, KEY), "agreement", PUBLIC) == CONTENT


def test_a_hand_made_signature_in_the_form_of_rfc_7515_verifies_too() -> None:
    assert verify(with_header(sign(CONTENT, KEY), GOOD_HEADER), "agreement", PUBLIC) == CONTENT


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    assert thumbprint(PUBLIC) == RFC_8037_THUMBPRINT


def test_several_parties_sign_the_same_bytes() -> None:
    payload = encode(CONTENT)
    for key in (KEY, OTHER):
        document = SignedDocument(payload, sign_payload(payload, "agreement", key))
        assert verify(document, "agreement", key.public_key()) == CONTENT


@pytest.mark.parametrize(
    "header",
    [
        {**GOOD_HEADER, "alg": "none"},
        {**GOOD_HEADER, "alg": "HS256"},
        {**GOOD_HEADER, "alg": "ES256"},
        {**GOOD_HEADER, "alg": ["EdDSA"]},
        {**GOOD_HEADER, "crit": ["exp"]},
        {**GOOD_HEADER, "b64": False, "crit": ["b64"]},
        {
            **GOOD_HEADER,
            "jwk": {"kty": "OKP", "crv": "Ed25519", "x": to_base64url(PUBLIC.public_bytes_raw())},
        },
        {**GOOD_HEADER, "jku": "https://attacker.example/keys"},
        {**GOOD_HEADER, "x5c": []},
        {**GOOD_HEADER, "typ": "JWT"},
        {**GOOD_HEADER, "typ": "bylag-offer+jws"},
        {**GOOD_HEADER, "typ": 7},
        {**GOOD_HEADER, "kid": thumbprint(OTHER.public_key())},
        {**GOOD_HEADER, "kid": None},
        {"alg": "EdDSA", "kid": GOOD_HEADER["kid"]},
        {},
        [],
        b'{"alg":"none","alg":"EdDSA","kid":"'
        + GOOD_HEADER["kid"].encode()
        + b'","typ":"bylag-agreement+jws"}',
        b"not json",
        b"",
    ],
)
def test_any_other_header_is_refused_even_under_a_good_signature(header: object) -> None:
    with pytest.raises(BadSignature):
        verify(with_header(sign(CONTENT, KEY), header), "agreement", PUBLIC)


def test_a_signature_by_another_key_is_refused() -> None:
    with pytest.raises(BadSignature, match="another key"):
        verify(sign(CONTENT, OTHER), "agreement", PUBLIC)
    forged = with_header(sign(CONTENT, KEY), GOOD_HEADER, key=OTHER)
    with pytest.raises(BadSignature, match="does not fit"):
        verify(forged, "agreement", PUBLIC)


def test_a_document_cannot_be_shown_as_another_kind() -> None:
    payload = encode({"type": "offer", "version": 1})
    document = SignedDocument(payload, sign_payload(payload, "agreement", KEY))
    with pytest.raises(BadSignature, match="call itself"):
        verify(document, "agreement", PUBLIC)
    with pytest.raises(BadSignature, match="signed as"):
        verify(sign({"type": "agreement", "version": 1}, KEY), "offer", PUBLIC)
    relabelled = SignedDocument(payload, sign_payload(payload, "agreement", KEY))
    with pytest.raises(BadSignature, match="signed as"):
        verify(relabelled, "offer", PUBLIC)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_no_changed_byte_of_the_payload_goes_through(place: int, change: int) -> None:
    document = sign(CONTENT, KEY)
    data = bytearray(document.payload)
    data[place % len(data)] ^= change
    with pytest.raises(BadSignature):
        verify(SignedDocument(bytes(data), document.jws), "agreement", PUBLIC)


@given(st.integers(0, 10_000), st.characters(codec="ascii"))
def test_no_changed_character_of_the_jws_goes_through(place: int, character: str) -> None:
    document = sign(CONTENT, KEY)
    at = place % len(document.jws)
    changed = document.jws[:at] + character + document.jws[at + 1 :]
    if changed != document.jws:
        with pytest.raises(BadSignature):
            verify(SignedDocument(document.payload, changed), "agreement", PUBLIC)


@given(st.text(max_size=200))
def test_no_text_makes_the_header_reader_fail_in_another_way(text: str) -> None:
    with pytest.raises(BadSignature):
        header_of(text)


def test_a_second_spelling_of_the_signature_is_refused() -> None:
    # 64 bytes end in two base64 digits of which the last has four unused bits.
    document = sign(CONTENT, KEY)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(document.jws[-1])
    twin = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last ^ 1]
    respelled = SignedDocument(document.payload, document.jws[:-1] + twin)
    with pytest.raises(BadSignature):
        verify(respelled, "agreement", PUBLIC)


@pytest.mark.parametrize("text", ["QQ==", "QR", "Q", "Q Q", "Q+", "Q/", "QQ\n", "é"])
def test_base64url_has_one_spelling(text: str) -> None:
    with pytest.raises(BadSignature):
        from_base64url(text)


@given(st.binary(max_size=40))
def test_base64url_is_read_back(data: bytes) -> None:
    assert from_base64url(to_base64url(data)) == data


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"agreement","version":1,"type":"agreement"}',
        b'{"version":1,"type":"agreement"}',
        b'{"type":"agreement", "version":1}',
        b'{"type":"agreement","version":1.0}',
        b'{"type":"agreement","version":9007199254740993}',
        b'{"type":"agreement","version":"\\u0031"}',
        b'["agreement"]',
        b"\xff",
    ],
)
def test_a_signed_payload_that_is_not_canonical_is_refused(payload: bytes) -> None:
    document = SignedDocument(payload, sign_payload(payload, "agreement", KEY))
    with pytest.raises(MalformedJson):
        verify(document, "agreement", PUBLIC)


def test_size_is_checked_before_anything_else() -> None:
    document = SignedDocument(b" " * 100, "no jws at all")
    with pytest.raises(MalformedJson, match="limit is 99"):
        verify(document, "agreement", PUBLIC, max_bytes=99)


def test_an_attached_payload_is_no_detached_jws() -> None:
    document = sign(CONTENT, KEY)
    with pytest.raises(BadSignature):
        verify(SignedDocument(document.payload, document.compact.decode()), "agreement", PUBLIC)


def test_the_digest_is_over_the_compact_form_with_the_payload_put_back() -> None:
    document = sign(CONTENT, KEY)
    protected, _, signature = document.jws.split(".")
    compact = f"{protected}.{to_base64url(document.payload)}.{signature}"
    assert document.digest == hashlib.sha256(compact.encode()).hexdigest()

"""How public keys are named and spelt, and how possession is shown."""

from __future__ import annotations

import hashlib
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from connector.identity import public
from connector.identity.keys import generate
from connector.identity.public import Job, MalformedKey
from ledger.ambient import HeldAmbient
from ledger.document import BadSignature, from_base64url, to_base64url

PRIME = 2**255 - 19


def test_an_ed25519_thumbprint_is_that_of_rfc_8037() -> None:
    key = public.read_ed25519("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
    assert public.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_p256_thumbprint_is_over_the_members_that_rfc_7638_requires() -> None:
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key()
    jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    required = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":")).encode()
    assert public.thumbprint(key) == to_base64url(hashlib.sha256(canonical).digest())


@pytest.mark.parametrize("job", list(Job))
def test_a_key_comes_back_from_its_spelling(job: Job) -> None:
    key = generate(job, HeldAmbient()).public_key()
    assert public.from_text(public.to_text(key), job) == key


def test_a_key_is_none_for_another_kind_of_job() -> None:
    ed25519, p256 = (generate(job, HeldAmbient()).public_key() for job in (Job.SIGN, Job.TLS))
    with pytest.raises(MalformedKey):
        public.from_text(public.to_text(ed25519), Job.TLS)
    with pytest.raises(MalformedKey):
        public.from_text(public.to_text(p256), Job.SIGN)


@given(st.binary(max_size=70), st.sampled_from(list(Job)))
def test_bytes_are_a_key_or_a_typed_error(raw: bytes, job: Job) -> None:
    try:
        key = public.from_text(to_base64url(raw), job)
    except MalformedKey:
        return
    assert from_base64url(public.to_text(key)) == raw


@given(st.text(max_size=100))
def test_text_is_a_key_or_a_typed_error(text: str) -> None:
    for job in (Job.SIGN, Job.TLS):
        with pytest.raises(MalformedKey):
            public.from_text(text, job)


def _eight_fold(y: int) -> bool:
    """Whether (x, y) on Ed25519 becomes the neutral point when multiplied by eight (RFC 8032, 5.1.4)."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME
    square = (y * y - 1) * pow(d * y * y + 1, -1, PRIME) % PRIME
    root = pow(square, (PRIME + 3) // 8, PRIME)
    if (root * root - square) % PRIME:
        root = root * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    assert (root * root - square) % PRIME == 0, "not on the curve"
    x, point = root, y
    for _ in range(3):
        product = d * x * x * point * point % PRIME
        x, point = (
            2 * x * point * pow(1 + product, -1, PRIME) % PRIME,
            (point * point + x * x) * pow(1 - product, -1, PRIME) % PRIME,
        )
    return (x, point) == (0, 1)


def test_keys_of_small_order_are_refused_because_any_signature_fits_them() -> None:
    for y in public._SMALL_ORDER_Y:
        assert _eight_fold(y)
        for sign in (0, 1 << 255):
            with pytest.raises(MalformedKey):
                public.read_ed25519(to_base64url((y | sign).to_bytes(32, "little")))
    generator = 4 * pow(5, -1, PRIME) % PRIME
    assert not _eight_fold(generator)
    neutral = Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    neutral.verify((1).to_bytes(32, "little") + bytes(32), b"anything")  # the library would let it pass


def test_a_coordinate_beyond_the_field_is_refused() -> None:
    with pytest.raises(MalformedKey):
        public.read_ed25519(to_base64url((PRIME + 3).to_bytes(32, "little")))


def test_a_point_off_the_curve_is_refused() -> None:
    raw = bytearray(from_base64url(public.to_text(generate(Job.TLS, HeldAmbient()).public_key())))
    raw[-1] ^= 1
    with pytest.raises(MalformedKey):
        public.read_p256(to_base64url(bytes(raw)))


def test_a_proof_shows_one_key_over_one_payload() -> None:
    dice = HeldAmbient()
    key, other = generate(Job.TLS, dice), generate(Job.TLS, dice)
    assert not isinstance(key, Ed25519PrivateKey)
    assert not isinstance(other, Ed25519PrivateKey)
    proof = public.prove(key, b"payload")
    public.check_proof(key.public_key(), b"payload", proof)
    for holder, payload, shown in (
        (other, b"payload", proof),
        (key, b"Payload", proof),
        (key, b"payload", "AA"),
        (key, b"payload", "!"),
    ):
        with pytest.raises(BadSignature):
            public.check_proof(holder.public_key(), payload, shown)

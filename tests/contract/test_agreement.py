"""The agreement's signed bytes: one spelling, everything in them, and signatures that hold."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from connector.contract.agreement import (
    MAX_BYTES,
    Agreement,
    decode_agreement,
    sign_agreement,
    verify_agreement,
)
from connector.contract.errors import KeyNotValid, UnknownKey
from connector.contract.liability import Role
from connector.contract.party import Party, ProtectionRole
from ledger.canonical import JSON, JSONObject, MalformedJson, encode
from ledger.document import BadSignature, sign_payload, thumbprint, to_base64url
from ledger.fields import BadField
from ledger.names import Milliseconds, ParticipantId, UnitId
from tests.contract.world import (
    CITIZEN,
    CITIZENS_LOG,
    CONSUMER,
    DAY,
    KEYS,
    NOW,
    PARTIES,
    PROVIDER,
    STRANGER,
    C,
    P,
    World,
    directory,
    key,
    log,
)

AGREEMENT = World().agreement()


def changed(path: str, value: JSON) -> bytes:
    """The agreement's bytes with one member changed."""
    content: JSONObject = json.loads(AGREEMENT.payload)
    *parents, last = path.split(".")
    inner: JSONObject = content
    for name in parents:
        below = inner[name]
        assert isinstance(below, dict)
        inner = below
    inner[last] = value
    return encode(content)


def test_what_was_signed_is_read_back_equal() -> None:
    assert decode_agreement(AGREEMENT.payload) == AGREEMENT


def test_it_says_everything_the_parties_could_disagree_about() -> None:
    assert set(AGREEMENT.content()) == {
        "type", "version", "space", "id", "consumer_pid", "provider_pid", "list", "provider", "consumer",
        "offer", "dataset", "versions", "terms", "rulebook", "witness_policy", "nonce", "made", "sign_by",
    }  # fmt: skip
    assert set(AGREEMENT.provider.members()) == {"id", "unit", "role", "key", "log"}
    assert set(AGREEMENT.terms.members()) == {
        "policy", "policy_digest", "purpose", "legal_basis", "secrecy_ground", "liability", "period", "price",
        "places", "transfer_ground", "windows", "acknowledge_seconds", "prose", "references",
    }  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
def test_each_party_signs_the_same_bytes(role: Role) -> None:
    verify_agreement(AGREEMENT, role, sign_agreement(AGREEMENT, KEYS[role]), directory(), NOW)


def test_a_signature_of_the_other_party_or_a_stranger_is_refused() -> None:
    for signer in (KEYS[P], STRANGER):
        with pytest.raises(UnknownKey):
            verify_agreement(AGREEMENT, C, sign_agreement(AGREEMENT, signer), directory(), NOW)


def test_a_key_that_the_agreement_names_and_the_directory_does_not_is_refused() -> None:
    mine = replace(PARTIES[C], key=thumbprint(STRANGER.public_key()))
    agreement = replace(AGREEMENT, consumer=mine)
    with pytest.raises(UnknownKey):
        verify_agreement(agreement, C, sign_agreement(agreement, STRANGER), directory(), NOW)


def test_another_key_of_the_same_party_than_the_one_named_is_refused() -> None:
    keys = directory()
    keys.hold(CONSUMER, STRANGER)
    with pytest.raises(UnknownKey):
        verify_agreement(AGREEMENT, C, sign_agreement(AGREEMENT, STRANGER), keys, NOW)


def test_a_key_that_is_another_partys_in_the_directory_is_refused() -> None:
    swapped = replace(AGREEMENT, consumer=replace(PARTIES[C], id=ParticipantId("did:web:third.example")))
    with pytest.raises(UnknownKey):
        verify_agreement(swapped, C, sign_agreement(swapped, KEYS[C]), directory(), NOW)


def test_a_key_that_ended_is_refused_from_that_moment() -> None:
    keys = directory()
    keys.hold(CONSUMER, KEYS[C], until=NOW)
    jws = sign_agreement(AGREEMENT, KEYS[C])
    verify_agreement(AGREEMENT, C, jws, keys, Milliseconds(NOW - 1))
    with pytest.raises(KeyNotValid):
        verify_agreement(AGREEMENT, C, jws, keys, NOW)


@pytest.mark.parametrize("alg", ["none", "HS256", "ES256"])
def test_another_algorithm_is_refused(alg: str) -> None:
    header = {"alg": alg, "kid": AGREEMENT.consumer.key, "typ": "bylag-agreement+jws"}
    protected = to_base64url(json.dumps(header).encode())
    for signature in ("", base64.urlsafe_b64encode(b"x" * 64).rstrip(b"=").decode()):
        with pytest.raises(BadSignature):
            verify_agreement(AGREEMENT, C, f"{protected}..{signature}", directory(), NOW)


def test_a_signature_over_another_kind_of_document_is_refused() -> None:
    jws = sign_payload(AGREEMENT.payload, "published-offer", KEYS[C])
    with pytest.raises(BadSignature):
        verify_agreement(AGREEMENT, C, jws, directory(), NOW)


def test_any_changed_member_breaks_both_signatures() -> None:
    signatures = {role: sign_agreement(AGREEMENT, KEYS[role]) for role in Role}
    others: list[Agreement] = [
        replace(AGREEMENT, sign_by=Milliseconds(AGREEMENT.sign_by + 1)),
        replace(AGREEMENT, terms=replace(AGREEMENT.terms, windows=5)),
        replace(AGREEMENT, provider=replace(PARTIES[P], role=ProtectionRole.PROCESSOR)),
        replace(AGREEMENT, witness_policy="quorum all\n"),
        replace(AGREEMENT, list=replace(AGREEMENT.list, number=5)),
    ]
    for other in others:
        for role, jws in signatures.items():
            with pytest.raises(BadSignature):
                verify_agreement(other, role, jws, directory(), NOW)


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("version", 2, "version"),
        ("version", True, "version"),
        ("type", "contract", "type"),
        ("extra", 1, "extra"),
        ("provider.name", "somebody", "provider.name"),
        ("provider.id", "City of Somewhere", "provider.id"),
        ("provider.id", "did:key:z6Mk", "provider.id"),
        ("consumer.id", "guest:anna", "consumer.id"),
        ("consumer.role", "owner", "consumer.role"),
        ("consumer.role", "joint-controller", "consumer.role"),
        ("consumer.key", "short", "consumer.key"),
        ("consumer.key", PARTIES[P].key, "consumer.key"),
        ("consumer.log", None, "consumer.log"),
        ("consumer.log.key", PARTIES[P].log.key if PARTIES[P].log else None, "consumer.log.key"),
        ("dataset", "../../etc/passwd", "dataset"),
        ("dataset", "a..b", "dataset"),
        ("dataset", "a/b", "dataset"),
        ("nonce", "00", "nonce"),
        ("rulebook", "CD" * 32, "rulebook"),
        ("witness_policy", "", "witness_policy"),
        ("witness_policy", "quorum none", "witness_policy"),
        ("witness_policy", "log x\n", "witness_policy"),
        ("witness_policy", "quorum a\nquorum b\n", "witness_policy"),
        ("witness_policy", "quorum none\n" * 1000, "witness_policy"),
        ("sign_by", NOW, "sign_by"),
        ("sign_by", "2026-01-01T00:00:00Z", "sign_by"),
        ("list.number", 0, "list.number"),
        ("list.number", True, "list.number"),
        ("consumer_pid", "with space", "consumer_pid"),
        ("provider_pid", "", "provider_pid"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: JSON, field: str) -> None:
    with pytest.raises(BadField) as caught:
        decode_agreement(changed(path, value))
    assert caught.value.field == field


def test_two_parties_are_two_or_two_units_of_one() -> None:
    for consumer, field in (
        (replace(PARTIES[P]), "consumer"),
        (replace(PARTIES[P], key=PARTIES[C].key), "consumer"),
    ):
        with pytest.raises(BadField) as caught:
            decode_agreement(replace(AGREEMENT, consumer=consumer).payload)
        assert caught.value.field == field
    inside = replace(AGREEMENT, consumer=replace(PARTIES[P], unit=UnitId("roads")))
    assert decode_agreement(inside.payload) == inside


def test_two_processors_without_a_controller_are_refused() -> None:
    both = {role: replace(PARTIES[role], role=ProtectionRole.PROCESSOR) for role in Role}
    with pytest.raises(BadField, match="one must be a controller"):
        decode_agreement(replace(AGREEMENT, provider=both[P], consumer=both[C]).payload)


def test_null_left_out_is_another_spelling_and_refused() -> None:
    content: JSONObject = json.loads(AGREEMENT.payload)
    consumer = content["consumer"]
    assert isinstance(consumer, dict)
    del consumer["unit"]
    with pytest.raises(BadField) as caught:
        decode_agreement(encode(content))
    assert caught.value.field == "consumer.unit"


@pytest.mark.parametrize(
    "data",
    [
        AGREEMENT.payload + b"\n",
        AGREEMENT.payload.replace(b":", b": ", 1),
        AGREEMENT.payload.replace(b"{", b'{"type":"agreement",', 1),
        b"[]",
        b"\xff",
        b"[" * 5000,
        b" " * (MAX_BYTES + 1),
    ],
    ids=["newline", "space", "twice", "list", "encoding", "deep", "large"],
)
def test_bytes_that_are_not_the_canonical_form_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedJson):
        decode_agreement(data)


def test_a_log_is_called_after_its_party_and_nobody_elses() -> None:
    for name in ("other.example/log", "company.example.evil.example/log", "company.example/log/0", "log"):
        named = replace(PARTIES[C], log=log(name))
        with pytest.raises(BadField) as caught:
            decode_agreement(replace(AGREEMENT, consumer=named).payload)
        assert caught.value.field == "consumer.log.origin"
    for name in ("company.example/log", "company.example/log/2"):
        agreement = replace(AGREEMENT, consumer=replace(PARTIES[C], log=log(name)))
        assert decode_agreement(agreement.payload) == agreement


def test_a_citizen_is_given_by_handle_and_nothing_else_of_them_stands_inside() -> None:
    private = key("citizen")
    citizen = Party(CITIZEN, None, ProtectionRole.CONTROLLER, thumbprint(private.public_key()), CITIZENS_LOG)
    agreement = replace(AGREEMENT, consumer=citizen)
    assert decode_agreement(agreement.payload) == agreement
    assert agreement.consumer.is_citizen and not agreement.provider.is_citizen
    keys = directory()
    keys.hold(CITIZEN, private, until=NOW + DAY)
    verify_agreement(agreement, C, sign_agreement(agreement, private), keys, NOW)
    for wrong, field in (
        (replace(citizen, log=PARTIES[C].log), "consumer.log.origin"),
        (replace(citizen, log=log("guest/anna-svensson/log")), "consumer.log.origin"),
        (replace(citizen, unit=UnitId("home")), "consumer.unit"),
        (replace(citizen, id=ParticipantId("Anna Svensson")), "consumer.id"),
    ):
        with pytest.raises(BadField) as caught:
            decode_agreement(replace(agreement, consumer=wrong).payload)
        assert caught.value.field == field


def test_the_parties_are_reached_by_role() -> None:
    assert AGREEMENT.party(P).id == PROVIDER
    assert AGREEMENT.party(C).id == CONSUMER

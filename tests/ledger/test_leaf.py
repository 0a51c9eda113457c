"""What may stand in a leaf, and what never."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.ambient import HeldAmbient
from ledger.canonical import JSON, JSONObject, encode
from ledger.leaf import (
    MEMBERS,
    REQUIRED,
    TYPES,
    InvalidLeaf,
    agreement_chain,
    build,
    chain_of,
    counterpart_chain,
    read,
    validate,
)
from ledger.leaf import encode as encode_entry
from ledger.names import LeafHash

D = "ab" * 32
COMMITMENT: JSON = {"commitment": D}
BY: JSON = {"org": "did:web:vaxby.example"}
OTHER_DID = "did:web:hamnstad.example%3A8443:data"
OTHER: JSON = {"org": OTHER_DID}


def leaf(kind: str = "release", **members: JSON) -> JSONObject:
    members = {name.rstrip("_"): value for name, value in members.items()}
    return build(
        kind,
        space="greenway",
        by=BY,
        aseq=2,
        aprev=LeafHash(b"\xab" * 32),
        ambient=HeldAmbient(),
        time=None,
        **members,
    )


EXAMPLES: dict[str, list[JSON]] = {
    "with": [OTHER, COMMITMENT],
    "unit": ["traffic-committee"],
    "with_unit": ["main"],
    "behalf_of": [COMMITMENT],
    "agreement": ["urn:uuid:7b0a2d0e-0f2c-4f6e-9d8a-6a1b2c3d4e5f", COMMITMENT],
    "negotiation": ["n-17", COMMITMENT],
    "exchange": ["0123456789abcdef0123456789abcdef", COMMITMENT],
    "attempt": [1, 12],
    "window": [1],
    "frame": [0, 8],
    "query": [1],
    "nonce": [D],
    "dataset": ["parking-2014"],
    "dataset_version": [D],
    "offering": ["parking-open"],
    "purpose": ["https://w3id.org/dpv#ResearchAndDevelopment"],
    "legal_basis": ["https://w3id.org/dpv/legal/eu/gdpr#A6-1-e"],
    "since": [1_767_225_600_000],
    "until": [1_767_225_600_000],
    "policy": [D],
    "rulebook": [D],
    "local_rules": [D],
    "input": [D, COMMITMENT],
    "contract": [D, COMMITMENT],
    "code": ["PURPOSE_NOT_ALLOWED"],
    "decision": [D],
    "counters": [{"count": 3, "rate_hour": 0}],
    "refers": [D, COMMITMENT],
    "rows": [0, 999_999_999_999_999],
    "bytes": [1 << 40],
    "windows": [4],
    "people": [0, 1, 64, 1 << 40],
    "position": [0, 4_294_967_296, "row:17"],
    "schema": [D],
    "digest": [D],
    "frame_key": [D],
    "labels": [D, None],
    "commitments": [{"selection": D}, {"columns": D, "words": D}],
    "message": [D, COMMITMENT],
    "counterpart": [{"message": D, "signature": "A" * 86}, COMMITMENT],
    "signed_time": [1],
    "document": [{"kind": "membership-list", "digest": D}],
    "list": [{"number": 1, "hash": D}],
    "peer_head": [{"origin": "hamnstad.example/log", "size": 7, "root": D}, COMMITMENT],
    "number": [0],
    "origin": ["vaxby.example/log"],
    "head": [{"origin": "vaxby.example/log", "size": 0, "root": D}],
    "key": [
        {"use": "log", "verifier": "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"},
        {"use": "sign", "thumbprint": "k" * 43},
        COMMITMENT,
    ],
    "subjects": [D],
    "date": ["2026-01-01"],
    "duration_ms": [9_999],
    "duty": ["delete-within-30-days"],
    "amount": [0, 1250, -1250],
    "currency": ["SEK"],
}  # fmt: skip


def test_every_optional_member_has_an_example_here() -> None:
    assert set(EXAMPLES) == set(MEMBERS) - set(REQUIRED)


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in EXAMPLES.items() for value in values]
)
def test_each_member_takes_its_values_and_is_read_back(name: str, value: JSON) -> None:
    written = leaf("access", **{name: value})
    entry = encode_entry(written)
    assert entry == encode(written)
    assert read(entry).members == written


@given(st.data())
def test_any_members_together_are_one_canonical_entry(data: st.DataObject) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(EXAMPLES)), max_size=12))
    written = leaf("access", **{name: data.draw(st.sampled_from(EXAMPLES[name][:2])) for name in names})
    entry = encode_entry(written)
    assert entry == encode(written)
    assert read(entry).members == written


FREE_TEXT: list[Any] = [
    "Anna Andersson",
    "anna.andersson@example.org",
    "because she asked",
    "åäö",
    "19121212-1212 ",
    "a\nb",
    "x" * 300,
    "",
    1.5,
    True,
    [],
    {},
    ["text"],
    {"org": "Anna Andersson"},
    {"org": "did:web:a.example", "name": "Anna"},
    {"commitment": "Anna"},
    {"commitment": D, "org": "did:web:a.example"},
]


@pytest.mark.parametrize("value", FREE_TEXT, ids=repr)
def test_no_member_takes_free_text(value: Any) -> None:
    for name in MEMBERS:
        written = leaf("access")
        written[name] = value
        with pytest.raises(InvalidLeaf) as caught:
            encode_entry(written)
        assert caught.value.field == name


@pytest.mark.parametrize("name", ["name", "note", "comment", "Type", "typ", "subject", "reason", "with "])
def test_the_schema_is_closed(name: str) -> None:
    written = leaf("access")
    written[name] = "A"
    with pytest.raises(InvalidLeaf, match="no leaf has this member") as caught:
        encode_entry(written)
    assert caught.value.field == name


@pytest.mark.parametrize("name", sorted(REQUIRED))
def test_every_required_member_is_missed(name: str) -> None:
    written = leaf("access")
    del written[name]
    with pytest.raises(InvalidLeaf) as caught:
        encode_entry(written)
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("genesis", "origin"),
        ("key", "key"),
        ("recovery", "head"),
        ("denial", "code"),
        ("subjects", "subjects"),
        ("peer-head", "peer_head"),
        ("commit", "exchange"),
        ("ack", "exchange"),
    ],
)
def test_a_type_without_what_it_is_about_is_refused(kind: str, missing: str) -> None:
    with pytest.raises(InvalidLeaf) as caught:
        encode_entry(leaf(kind))
    assert caught.value.field == missing


def test_a_commit_about_nobody_says_so() -> None:
    commit = leaf("commit", exchange="x", attempt=1, window=1, digest=D, frame_key=D, labels=None)
    assert b'"labels":null' in encode_entry(commit)
    del commit["labels"]
    with pytest.raises(InvalidLeaf) as caught:
        encode_entry(commit)
    assert caught.value.field == "labels"


@pytest.mark.parametrize("people", [3, -1, 1 << 41, 100])
def test_the_number_of_people_is_a_power_of_two(people: int) -> None:
    with pytest.raises(InvalidLeaf):
        encode_entry(leaf("access", people=people))


@pytest.mark.parametrize("value", [-1, 10**15, 1 << 53, 0.0, "1"])
def test_counters_are_integers_that_every_reader_keeps_exact(value: JSON) -> None:
    with pytest.raises(InvalidLeaf):
        encode_entry(leaf("access", bytes=value))


def test_aprev_is_null_for_the_first_of_a_chain_and_only_there() -> None:
    for aseq, aprev in ((1, D), (2, None)):
        written = leaf("access")
        written["aseq"], written["aprev"] = aseq, aprev
        with pytest.raises(InvalidLeaf) as caught:
            encode_entry(written)
        assert caught.value.field == "aprev"


def test_a_leaf_has_at_most_two_kibibytes() -> None:
    iri = "https://a.example/" + "x" * 180
    big = leaf(
        "access", purpose=iri, legal_basis=iri, commitments={f"field_{n}_{'n' * 20}": D for n in range(16)}
    )
    with pytest.raises(InvalidLeaf, match="limit is 2048"):
        encode_entry(big)


@pytest.mark.parametrize("value", [b"bytes", object(), float("nan"), "\ud800", {1: 2}])
def test_what_is_not_json_is_an_error_of_this_house(value: Any) -> None:
    written = leaf("access")
    written["dataset"] = value
    with pytest.raises(InvalidLeaf):
        encode_entry(written)


def test_an_unknown_type_is_not_written() -> None:
    with pytest.raises(InvalidLeaf) as caught:
        validate(leaf("telepathy"))
    assert caught.value.field == "type"


def test_an_unknown_type_is_read_and_reported_with_members_of_its_own() -> None:
    later = leaf("telepathy", with_=OTHER)
    later["brain_waves"] = ["α", {"β": 1}]
    found = read(encode(later))
    assert not found.known
    assert found.kind == "telepathy"
    assert chain_of(found.members) == counterpart_chain("did:web:hamnstad.example%3A8443:data")


@pytest.mark.parametrize(
    "change", [{"salt": "short"}, {"version": 2}, {"aseq": 0}, {"with": "Anna"}, {"aprev": None}]
)
def test_an_unknown_type_still_has_what_every_leaf_has(change: JSONObject) -> None:
    with pytest.raises(InvalidLeaf):
        read(encode({**leaf("telepathy"), **change}))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: entry.replace(b":", b": ", 1),
        lambda entry: entry + b"\n",
        lambda entry: entry.replace(b'"space"', b'"spac\\u0065"'),
        lambda entry: entry[:-1] + b',"version":1}',
        lambda entry: entry[:-1],
        lambda entry: b"",
        lambda entry: b"[]",
        lambda entry: entry.replace(b'"version":1', b'"version":1.0'),
        lambda entry: b" " * 3000,
        lambda entry: entry.replace(b"greenway", b"gr\xffenway"),
    ],
)
def test_an_entry_has_one_spelling(spoil: Callable[[bytes], bytes]) -> None:
    entry = encode_entry(leaf("access"))
    assert read(entry).known
    with pytest.raises(InvalidLeaf):
        read(spoil(entry))


@given(st.binary(max_size=100))
def test_no_bytes_make_the_reader_fail_in_another_way(data: bytes) -> None:
    with pytest.raises(InvalidLeaf):
        read(data)


def test_equal_events_differ_by_their_salt() -> None:
    ambient = HeldAmbient()
    entries = {
        encode_entry(build("access", space="s", by=BY, aseq=1, aprev=None, ambient=ambient))
        for _ in range(50)
    }
    assert len(entries) == 50


def test_a_chain_is_an_agreement_a_counterpart_or_the_node() -> None:
    assert chain_of(leaf("access")) == "node"
    assert chain_of(leaf("access", with_=OTHER)) == counterpart_chain(OTHER_DID)
    assert chain_of(leaf("access", agreement="a1", with_=OTHER)) == agreement_chain("a1")


def test_a_citizens_chain_cannot_be_told_from_the_leaf() -> None:
    assert chain_of(leaf("access", agreement=COMMITMENT, with_=OTHER)) is None
    assert chain_of(leaf("access", with_=COMMITMENT)) is None


def test_the_types_are_those_of_the_design() -> None:
    named = """request, offer, accept, release, commit, cut, ack, end, receipt, denial, use, agreement,
        termination, recall, consent, refusal, withdrawal, notice, attestation, erasure, resume, reject, seal,
        decision, intake, dispute, objection, expiry, restriction, access, confirmation, binding, negotiation,
        list, publication, duty, settlement, recovery, peer-head, subjects, key, genesis"""
    assert set(re.split(r",\s+", named)) == TYPES


def test_hostile_input_does_not_make_the_match_slow() -> None:
    entry = encode_entry(leaf("access"))
    hostile = [
        entry[:200] + b"a" * 1800,
        b'{"agreement":"' + b"a" * 2000,
        b'{"commitments":{' + b'"a":"' * 400,
    ]
    begin = time.perf_counter()
    for data in hostile * 20:
        with pytest.raises(InvalidLeaf):
            read(data[:2048])
    assert time.perf_counter() - begin < 2

"""Offers and their terms: a closed schema, read strictly, and approval that only ever widens by rule."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from connector.contract.liability import VOCABULARY, LiabilityTerms
from connector.contract.metering import Money, Usage, charge
from connector.contract.offer import BY_HAND, MAX_BYTES, Applicant, Approval, Offer, decode_offer, read_offer
from connector.contract.terms import (
    FREE,
    MAX_POLICY_BYTES,
    MAX_POLICY_DEPTH,
    NO_PROSE,
    Period,
    Price,
    VersionRule,
    policy_digest,
)
from ledger.canonical import JSON, JSONObject, MalformedJson, encode
from ledger.fields import BadField, Fields
from ledger.names import Milliseconds, ParticipantId, VersionDigest
from tests.contract.world import ANNEX, CITIZEN, CONSUMER, DAY, NOW, PROSE, TERMS, offer

OFFER = offer(Approval(any_member=False, kinds=("municipality",), members_listed=(CONSUMER,)))


def changed(path: str, value: JSON, *, of: Offer = OFFER) -> JSONObject:
    """The offer's document with one member changed; null for ``value`` stands as null."""
    content: JSONObject = json.loads(encode(of.content()))
    *parents, last = path.split(".")
    inner: JSONObject = content
    for name in parents:
        below = inner[name]
        assert isinstance(below, dict)
        inner = below
    inner[last] = value
    return content


def test_what_is_published_is_read_back_equal() -> None:
    assert decode_offer(encode(OFFER.content())) == OFFER
    assert read_offer(OFFER.content()).digest == OFFER.digest


def test_an_offer_may_stand_in_a_file_in_any_order_and_layout() -> None:
    pretty = json.dumps(OFFER.content(), indent=2).encode()
    assert decode_offer(pretty) == OFFER


def test_free_terms_without_prose_or_limits_are_terms_too() -> None:
    plain = replace(
        TERMS,
        price=FREE,
        prose=NO_PROSE,
        legal_basis=None,
        liability=LiabilityTerms({}),
        period=Period(NOW, None),
    )
    assert read_offer(offer(terms=plain).content()).terms == plain


def terms_error(path: str, value: Any, field: str) -> tuple[str, Any, str]:
    return f"terms.{path}", value, f"terms.{field}"


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("type", "offer", "type"),
        ("version", 2, "version"),
        ("version", True, "version"),
        ("note", "hello", "note"),
        ("id", "-", "id"),
        ("id", "a" * 129, "id"),
        ("provider", "nobody", "provider"),
        ("dataset", "../secrets", "dataset"),
        ("dataset", "x" * 101, "dataset"),
        ("versions.rule", "newest", "versions.rule"),
        ("versions.version", "00" * 32, "versions.version"),
        ("versions", {"rule": "pinned", "version": None}, "versions.version"),
        ("until", -1, "until"),
        ("until", 2**53, "until"),
        ("approval.by", "hand", "approval.by"),
        ("approval.kinds", ["b", "a"], "approval.kinds"),
        ("approval.kinds", ["Town"], "approval.kinds[0]"),
        ("approval.listed", ["did:web:b.example", "did:web:b.example"], "approval.listed"),
        ("approval.any_member", 1, "approval.any_member"),
        terms_error("policy", [], "policy"),
        terms_error("policy", {"rules": []}, "policy_digest"),
        terms_error("policy_digest", "0", "policy_digest"),
        terms_error("purpose", "research", "purpose"),
        terms_error("purpose", None, "purpose"),
        terms_error("purpose", "https://x.example/\u202egnp", "purpose"),
        terms_error("legal_basis", "the law", "legal_basis"),
        terms_error("liability.warranty", "full", "liability.warranty"),
        terms_error("liability.accuracy", "perfect", "liability.accuracy"),
        terms_error("liability.breach-notice-hours", 0, "liability.breach-notice-hours"),
        terms_error("liability.breach-notice-hours", 1.0, "liability.breach-notice-hours"),
        terms_error("liability.cap", 5, "liability.cap"),
        terms_error("liability.cap", {"amount": 1, "currency": "kr"}, "liability.cap.currency"),
        terms_error("liability.cap", {"amount": 1, "currency": "SEK", "x": 1}, "liability.cap.x"),
        terms_error("liability.cap", None, "liability.cap-excludes"),
        terms_error("liability.cap-excludes", [], "liability.cap-excludes"),
        terms_error("liability.cap-excludes", ["personal-data", "intent"], "liability.cap-excludes"),
        terms_error("liability.law", "Sweden", "liability.law"),
        terms_error("period.end", NOW, "period.end"),
        terms_error("period.begin", "2026-01-01", "period.begin"),
        terms_error("price.amount", -1, "price.amount"),
        terms_error("price.amount", 10**13, "price.amount"),
        terms_error("price.currency", None, "price.currency"),
        terms_error("price.per", 0, "price.per"),
        terms_error("price.basis", "gigabyte", "price.basis"),
        terms_error("price.basis", "free", "price.amount"),
        terms_error("price.basis", "flat", "price.per"),
        terms_error("places", [], "places"),
        terms_error("places", ["Sverige"], "places[0]"),
        terms_error("places", ["SE", "DK"], "places"),
        terms_error("places", ["EU"] * 33, "places"),
        terms_error("windows", 0, "windows"),
        terms_error("windows", 65, "windows"),
        terms_error("acknowledge_seconds", 0, "acknowledge_seconds"),
        terms_error("prose.precedence", ["policy"], "prose.precedence"),
        terms_error("prose.precedence", [PROSE, ANNEX], "prose.precedence"),
        terms_error("prose.precedence", [PROSE, ANNEX, "policy", "policy"], "prose.precedence"),
        terms_error("prose.documents", [], "prose.precedence"),
        terms_error("references.case", "", "references.case"),
        terms_error("references.case", "x\u0000", "references.case"),
        terms_error("references.person", "somebody", "references.person"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(path: str, value: JSON, field: str) -> None:
    with pytest.raises(BadField) as caught:
        read_offer(changed(path, value))
    assert caught.value.field == field


def test_a_title_cannot_turn_the_direction_of_the_text_around_it() -> None:
    content = changed("terms.windows", 4)
    terms = content["terms"]
    assert isinstance(terms, dict) and isinstance(terms["prose"], dict)
    documents = terms["prose"]["documents"]
    assert isinstance(documents, list) and isinstance(documents[0], dict)
    documents[0]["title"] = "Avtal \u202efdp.exe"
    with pytest.raises(BadField) as caught:
        read_offer(content)
    assert caught.value.field == "terms.prose.documents[0].title"


def test_one_document_does_not_stand_twice_in_the_prose() -> None:
    first = TERMS.prose.documents[0]
    twice = replace(TERMS, prose=replace(TERMS.prose, documents=(first, first)))
    with pytest.raises(BadField, match="twice"):
        read_offer(offer(terms=twice).content())


def test_a_member_left_out_is_refused_though_null_would_do() -> None:
    for path in ("until", "unit"):
        content = OFFER.content()
        del content[path]
        with pytest.raises(BadField) as caught:
            read_offer(content)
        assert caught.value.field == path


def test_a_policy_has_a_limit_in_depth_and_in_bytes() -> None:
    def nested(levels: int) -> JSONObject:
        value: JSONObject = {}
        for _ in range(levels - 1):
            value = {"a": value}
        return value

    def with_policy(policy: JSONObject) -> Offer:
        return offer(terms=replace(TERMS, policy=policy, policy_digest=policy_digest(policy)))

    read_offer(with_policy(nested(MAX_POLICY_DEPTH)).content())
    with pytest.raises(BadField, match="nests deeper"):
        read_offer(with_policy(nested(MAX_POLICY_DEPTH + 2)).content())
    with pytest.raises(BadField, match="bytes"):
        read_offer(with_policy({"a": "x" * MAX_POLICY_BYTES}).content())


def test_an_offer_has_a_limit_in_bytes() -> None:
    with pytest.raises(MalformedJson, match="limit"):
        decode_offer(b" " * (MAX_BYTES + 1))


MEMBER = Applicant(CONSUMER, "company", active=True)


@pytest.mark.parametrize(
    ("approval", "applicant", "approved"),
    [
        (BY_HAND, MEMBER, False),
        (Approval(any_member=True), MEMBER, True),
        (Approval(any_member=True), replace(MEMBER, active=False), False),
        (Approval(any_member=True), Applicant(CITIZEN, None, active=True), False),
        (Approval(kinds=("company",)), MEMBER, True),
        (Approval(kinds=("municipality",)), MEMBER, False),
        (Approval(members_listed=(CONSUMER,)), MEMBER, True),
        (Approval(members_listed=(CONSUMER,)), replace(MEMBER, id=ParticipantId("did:web:x.example")), False),
        (Approval(members_listed=(CONSUMER,)), replace(MEMBER, active=False), False),
    ],
)
def test_a_rule_approves_active_members_that_it_names(
    approval: Approval, applicant: Applicant, approved: bool
) -> None:
    published = offer(approval)
    assert published.approves(applicant, published.proposal, NOW) is approved


def test_a_counter_offer_goes_to_a_person() -> None:
    published = offer(Approval(any_member=True))
    counter = replace(published.proposal, terms=replace(TERMS, windows=5))
    assert not published.approves(MEMBER, counter, NOW)


def test_an_offer_that_has_closed_approves_nobody() -> None:
    published = offer(Approval(any_member=True))
    assert published.until is not None
    assert published.approves(MEMBER, published.proposal, Milliseconds(published.until - 1))
    assert not published.approves(MEMBER, published.proposal, published.until)


def test_a_version_rule_says_which_versions_may_be_asked_for() -> None:
    old, new = VersionDigest("00" * 32), VersionDigest("11" * 32)
    assert VersionRule("any").permits(old, new)
    assert not VersionRule("current").permits(old, new)
    assert VersionRule("current").permits(new, new)
    assert VersionRule("pinned", old).permits(old, new)
    assert not VersionRule("pinned", old).permits(new, new)


def test_a_period_holds_from_its_beginning_up_to_its_end() -> None:
    period = Period(NOW, Milliseconds(NOW + DAY))
    assert [period.holds(Milliseconds(at)) for at in (NOW - 1, NOW, NOW + DAY - 1, NOW + DAY)] == [
        False,
        True,
        True,
        False,
    ]
    assert Period(NOW, None).holds(Milliseconds(2**52))


def test_every_liability_term_has_a_meaning_and_says_whom_it_binds() -> None:
    for name, term in VOCABULARY.items():
        assert term.binds and term.meaning, name
    assert list(VOCABULARY) == sorted(VOCABULARY)


def test_liability_terms_left_out_stay_out() -> None:
    assert LiabilityTerms.read(Fields({})).members() == {}


@pytest.mark.parametrize(
    ("price", "usage", "amount"),
    [
        (Price("record", 25, "SEK", 1000), Usage(records=0), 0),
        (Price("record", 25, "SEK", 1000), Usage(records=1), 25),
        (Price("record", 25, "SEK", 1000), Usage(records=1000), 25),
        (Price("record", 25, "SEK", 1000), Usage(records=1001), 50),
        (Price("byte", 1, "SEK", 1_000_000), Usage(bytes=2**40), 1_099_512),
        (Price("request", 3, "SEK", 1), Usage(requests=7), 21),
        (Price("flat", 900, "SEK", 1), Usage(), 900),
    ],
)
def test_a_charge_is_per_started_block_in_whole_minor_units(price: Price, usage: Usage, amount: int) -> None:
    assert charge(price, usage) == Money(amount, "SEK")


def test_what_is_free_costs_nothing_in_no_currency() -> None:
    assert charge(FREE, Usage(records=10**9, bytes=10**12, requests=10**6)) == Money(0, None)

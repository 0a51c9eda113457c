"""What the coverage table says is what happens: each row, a permit and a deny, or the refusal by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connector.policy.coverage import COMES_FIRST, TABLE, FactFrom, Where
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.input import DecisionInput
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.policy.vocabulary import LEFT_OPERANDS, RESERVED_OPERANDS
from tests.policy.coverage_cases import Ask, pairs, refused_terms
from tests.policy.test_engines_agree import assert_same
from tests.policy.world import CITY, COMPANY, ENERGY, Document, offer, permission, question

PAIRS = pairs()
REFUSED = refused_terms()
PARENTS = {"urn:x:free": normalise(offer(permission()))}


def published(document: Document) -> NormalPolicy:
    """What the two parties agree on; a Set or an Agreement stands as it is."""
    policy = normalise(document, parents=PARENTS)
    if document["@type"] != "Offer":
        return policy
    return policy.agreed(name="urn:x:agreement", assigner=CITY, assignee=COMPANY, target=ENERGY)


def asked(ask: Ask) -> DecisionInput:
    return question(published(ask.document), **ask.changes)


def test_every_row_has_its_cases() -> None:
    """A row without a case fails here, and so does a case without a row."""
    enforced = {term for term, row in TABLE.items() if row.where is not Where.REFUSED}
    assert PAIRS.keys() == enforced
    assert REFUSED.keys() == TABLE.keys() - enforced


@pytest.mark.parametrize("term", PAIRS)
def test_permitted_and_denied(engine: EmbeddedEngine, term: str) -> None:
    permit, deny = PAIRS[term]
    allowed = engine.decide(asked(permit))
    assert allowed.allow, allowed.to_json()
    if deny.refused:
        with pytest.raises((MalformedPolicy, PolicyRefused)):
            published(deny.document)
        return
    denied = engine.decide(asked(deny))
    assert (denied.allow, denied.failed) == (False, False)


@pytest.mark.parametrize("term", REFUSED)
def test_refused_by_name(term: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        normalise(REFUSED[term])
    assert refused.value.term == term
    assert refused.value.next_step == TABLE[term].instead or TABLE[term].how.startswith("deprecated")
    assert refused.value.field


@pytest.mark.parametrize("term", [t for t in LEFT_OPERANDS if TABLE[t].where is not Where.REFUSED])
def test_an_operands_fact_has_the_source_that_the_table_names(term: str) -> None:
    row = TABLE[term]
    assert row.fact is not None
    permit, deny = PAIRS[term]
    changed = {
        name
        for name in {*permit.changes, *deny.changes}
        if permit.changes.get(name) != deny.changes.get(name)
    }
    known = json.loads(asked(permit).encoded)["facts"]["values"].get(term)
    if term in RESERVED_OPERANDS:
        assert (row.where, row.fact, changed) == (Where.RELEASE, FactFrom.MEASURED, {"uses"})
    elif term not in ("dateTime", "purpose", "recipient", "elapsedTime", "delayPeriod"):
        assert known, "the question holds the fact"


def test_what_comes_first_is_said_in_the_table_and_kept_by_the_rules(engine: EmbeddedEngine) -> None:
    for name, how in COMES_FIRST.items():
        assert how in TABLE[name].how
        decision = engine.decide(question(published(offer(permission(duty=[{"action": name}])))))
        assert decision.allow is (name == "compensate"), "without an amount it is owed afterwards"


def test_both_engines_answer_every_case_alike(engine: EmbeddedEngine, opa: Path) -> None:
    asks = [one for pair in PAIRS.values() for one in pair if not one.refused]
    batch: list[Any] = [json.loads(asked(one).encoded) for one in asks]
    assert 0 < assert_same(engine, opa, batch) < len(batch)

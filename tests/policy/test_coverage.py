"""The coverage table says the truth: every term is in it, and what it says is what happens."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from connector.policy.coverage import ROWS, TABLE, FactFrom, Row, Where, require
from connector.policy.coverage_page import page
from connector.policy.errors import PolicyRefused
from connector.policy.vocabulary import (
    ACTION_PARENTS,
    CORE_TERMS,
    LEFT_OPERANDS,
    LOGICS,
    ODRL,
    OPERATORS,
    PARTY_FUNCTIONS,
    action_name,
    local_name,
)

PAGE = Path(__file__).resolve().parents[2] / "docs" / "odrl-coverage.md"
RULES = Path(__file__).resolve().parents[2] / "policies"

PROFILE_OPERANDS = """
consent legalBasis secrecyGround dataCategory rate retentionPeriod onwardTransfer aggregationLevel
processingPlace assurance
""".split()

PROMISED_OPERANDS = """
dateTime elapsedTime delayPeriod timeInterval meteredTime count unitOfCount purpose recipient spatial
industry event version systemDevice payAmount percentage language fileFormat absoluteSize product media
deliveryChannel virtualLocation
""".split()


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `make docs`"


def test_every_term_has_one_row() -> None:
    assert [term for term, times in Counter(row.term for row in ROWS).items() if times > 1] == []


def test_no_word_that_is_read_is_missing_from_the_table() -> None:
    words = {*CORE_TERMS, *ACTION_PARENTS, *LEFT_OPERANDS, *LOGICS, *OPERATORS, *PARTY_FUNCTIONS}
    assert words <= TABLE.keys()
    assert {f"bylag:{name}" for name in PROFILE_OPERANDS} | set(PROMISED_OPERANDS) <= LEFT_OPERANDS.keys()


def test_no_term_of_the_published_core_vocabulary_is_missing(test_data: Path) -> None:
    rdflib = pytest.importorskip("rdflib")
    graph = rdflib.Graph().parse(test_data / "odrl-vocab" / "odrl-core-profile-22.ttl")
    members = {str(term) for term in graph.objects(None, rdflib.SKOS.member)}
    published = {term.removeprefix(ODRL) for term in members}
    assert published == CORE_TERMS
    assert published <= TABLE.keys()


def test_no_term_that_rdflib_knows_is_accepted_without_a_row() -> None:
    rdflib_namespace = pytest.importorskip("rdflib.namespace")
    unknown = {
        local_name(str(term)) for term in dir(rdflib_namespace.ODRL2) if str(term).startswith(ODRL)
    } - TABLE.keys()
    for term in unknown:
        with pytest.raises(PolicyRefused):
            require(term, "permission[0]")
    assert {"All", "scope", "undefined", "timedCount"} <= unknown


@pytest.mark.parametrize("row", ROWS, ids=[row.term for row in ROWS])
def test_a_row_is_whole(row: Row) -> None:
    """Enforced and said how, or refused and said what else to write. Never ignored."""
    assert row.how
    assert "ignore" not in row.how.lower()
    assert (row.where is Where.REFUSED) == bool(row.instead)
    if row.term in LEFT_OPERANDS and row.where is not Where.REFUSED:
        assert isinstance(row.fact, FactFrom)


def test_each_enforced_operand_has_rules_of_its_own() -> None:
    """The rulebook reads exactly the operands that the table calls enforced."""
    families = (RULES / "operands" / "families.rego").read_text("utf-8")
    for name in LEFT_OPERANDS:
        assert (f'"{name}": "' in families) == (TABLE[name].where is not Where.REFUSED), name


def test_what_a_request_may_call_an_action() -> None:
    assert action_name("read") == action_name("odrl:read") == action_name(ODRL + "read") == "read"
    assert action_name("odrl:write") == "modify"
    assert action_name("cc:Sharing") == action_name("http://creativecommons.org/ns#Sharing") == "cc:Sharing"
    assert action_name("purpose") is None

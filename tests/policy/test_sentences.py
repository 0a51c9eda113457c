"""A policy in plain sentences: nothing of it is left out, and what differs reads differently."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from connector.policy.normal import Action, Entity, Leaf, Logic, NormalPolicy, Rule, leaves
from connector.policy.parse import normalise
from connector.policy.sentences import (
    ACTIONS,
    OPERANDS,
    duration_in_words,
    sentences,
)
from connector.policy.values import written_moment
from connector.policy.vocabulary import ACTION_PARENTS, DPV, LEFT_OPERANDS, PARTY_FUNCTIONS
from tests.policy.strategies import documents
from tests.policy.world import Document, constraint, offer, permission


def text(policy: NormalPolicy) -> str:
    return "\n".join(f"{'  ' * depth}{line}" for said in sentences(policy) for depth, line in said.lines())


def of_rule(rule: Rule) -> str:
    return text(NormalPolicy(kind="offer", rules=(rule,)))


def test_every_term_has_words_of_its_own() -> None:
    assert set(ACTIONS) == set(ACTION_PARENTS)
    assert set(OPERANDS) == set(LEFT_OPERANDS)
    for words in (ACTIONS, OPERANDS):
        assert len(set(words.values())) == len(words)


@pytest.mark.parametrize("left", LEFT_OPERANDS)
def test_every_operator_of_an_operand_reads_differently(left: str) -> None:
    operand = LEFT_OPERANDS[left]
    said = {
        of_rule(Rule("permission", Action("use"), constraint=Leaf(left, operator, 7, operand.datatype.value)))
        for operator in operand.operators
    }
    same = {"eq", "isA"} <= set(operand.operators) and left == "purpose"  # a purpose covers what is narrower
    assert len(said) == len(operand.operators) - int(same)
    assert not any(f"'{operator}'" in each for each in said for operator in operand.operators)


@given(documents())
@settings(max_examples=200)
def test_every_value_stands_in_the_sentences(document: Document) -> None:
    policy = normalise(document)
    told = text(policy)
    for rule in policy.rules:
        assert rule.id in [said.rule for said in sentences(policy)]
        for leaf in leaves(rule):
            assert OPERANDS[leaf.left].lower() in told.lower()
            for value in leaf.right if isinstance(leaf.right, tuple) else (leaf.right,):
                if leaf.datatype == "dateTime":
                    assert written_moment(int(value)) in told
                elif leaf.datatype == "duration":
                    assert duration_in_words(int(value)) in told
                else:
                    assert str(value).removeprefix(DPV) in told


def test_logic_can_be_read_off_the_depth() -> None:
    policy = normalise(offer(permission(constraint("recipient", "eq", "did:web:alfa.example"))))
    leaf = policy.rules[0].constraint
    assert isinstance(leaf, Leaf)
    inner = Logic("or", (leaf, replace(leaf, right="did:web:beta.example")))
    outer = Logic("xone", (inner, replace(leaf, operator="neq")))
    assert of_rule(replace(policy.rules[0], constraint=outer)).splitlines()[1:6] == [
        "Whoever signs it may use the data in any way, if exactly one of these holds:",
        "  At least one of these holds:",
        "    The recipient is did:web:alfa.example.",
        "    The recipient is did:web:beta.example.",
        "  The recipient is not did:web:alfa.example.",
    ]


def test_parties_duties_and_what_follows_are_told() -> None:
    delete = Rule("duty", Action("delete"), constraint=Leaf("elapsedTime", "lteq", 90_000_000, "duration"))
    pay = Rule("duty", Action("compensate"), parties={"compensatedParty": Entity("did:web:alfa.example")})
    prohibition = Rule("prohibition", Action("sell"), target=Entity("urn:x:homes"), remedies=(pay,))
    obligation = Rule(
        "obligation",
        Action("inform"),
        parties={"assignee": Entity("did:web:beta.example")},
        consequences=(pay,),
    )
    policy = NormalPolicy(
        kind="agreement",
        rules=(Rule("permission", Action("read"), duties=(delete,)), prohibition, obligation),
        assigner=Entity("did:web:alfa.example"),
        assignee=Entity("urn:x:members", collection=True),
        conflict="perm",
        inherits=("urn:x:parent",),
        about=(("title", "Homes"),),
    )
    deleting = "    Any member of urn:x:members must delete the data, if the time since the agreement began"
    deleting += " is at most 1 day 1 hour."
    assert text(policy).splitlines() == [
        "Title: Homes",
        "This is an agreement by did:web:alfa.example.",
        "Any member of urn:x:members may read the data.",
        "  For that:",
        deleting,
        "Any member of urn:x:members must not sell urn:x:homes.",
        "  If it is done all the same:",
        "    Any member of urn:x:members must pay for the data.",
        "      The compensated party is did:web:alfa.example.",
        "did:web:beta.example must inform the other side.",
        "  If that is not done:",
        "    Any member of urn:x:members must pay for the data.",
        "      The compensated party is did:web:alfa.example.",
        "Where a permission and a prohibition meet, the permission counts.",
        "It goes on with the rules of urn:x:parent.",
        "What is not permitted here is denied.",
    ]


def test_refinements_are_told_where_they_stand() -> None:
    small = Leaf("absoluteSize", "lteq", 5, "integer")
    rule = Rule(
        "permission",
        Action("use", small),
        parties={"assignee": Entity(None, source="urn:x:members", refinement=small)},
        target=Entity(None, collection=True, source="urn:x:all", refinement=small),
        output=Entity("urn:x:out"),
    )
    assert of_rule(rule).splitlines()[1:-1] == [
        "urn:x:members may use any member of urn:x:all in any way.",
        "  The assignee is only whom this is true of: the size in bytes is at most 5.",
        "  That means only where the size in bytes is at most 5.",
        "  The data is only that of which the size in bytes is at most 5.",
        "  What comes of it is urn:x:out.",
    ]


@pytest.mark.parametrize("function", PARTY_FUNCTIONS[2:])
def test_every_party_function_is_told(function: str) -> None:
    told = of_rule(Rule("permission", Action("use"), parties={function: Entity("urn:x:somebody")}))
    assert "urn:x:somebody" in told


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0, "0 milliseconds"),
        (1, "1 milliseconds"),
        (86_400_000, "1 day"),
        (2 * 86_400_000 + 3_600_000 + 60_001, "2 days 1 hour 1 minute 1 milliseconds"),
    ],
)
def test_durations_are_exact(milliseconds: int, words: str) -> None:
    assert duration_in_words(milliseconds) == words

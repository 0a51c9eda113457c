"""Every reason has a sentence, and no value in it can say something else."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from connector.policy.build import POLICIES
from connector.policy.decision import Reason
from connector.policy.embedded import EmbeddedEngine
from connector.policy.vocabulary import LEFT_OPERANDS
from connector.policy.wording import OPERATORS, SENTENCES, in_words
from tests.policy.world import MARKETING, NOON, RESEARCH, agreed, constraint, offer, permission, question

ENFORCED = ("purpose", "dateTime", "recipient")


def test_every_code_of_the_rulebook_has_a_sentence() -> None:
    codes = set(re.findall(r'"code": "([A-Z_]+)"', (POLICIES / "reasons.rego").read_text("utf-8")))
    assert len(codes) > 10
    assert codes | {"ENGINE_ERROR"} == SENTENCES["en"].keys()


def test_every_operator_of_an_enforced_operand_has_a_word() -> None:
    for name in ENFORCED:
        assert set(LEFT_OPERANDS[name].operators) <= OPERATORS["en"].keys()


@pytest.mark.parametrize("language", SENTENCES)
def test_a_translation_has_the_same_parameters(language: str) -> None:
    for code, sentence in SENTENCES[language].items():
        english = SENTENCES["en"][code]
        assert parameters(sentence) == parameters(english), code


def parameters(sentence: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(sentence) if name is not None}


def test_a_denial_reads_as_a_sentence(engine: EmbeddedEngine) -> None:
    policy = agreed(
        offer(
            {
                "@id": "urn:x:research",
                **permission(
                    constraint("purpose", "isA", RESEARCH),
                    constraint("dateTime", "lt", "2026-01-01T00:00:00Z"),
                ),
            }
        )
    )
    decision = engine.decide(question(policy, purpose=MARKETING, now=NOON))
    outside, other = (in_words(reason) for reason in decision.reasons)
    assert outside == "Rule urn:x:research holds only when the time is before 2026-01-01T00:00:00Z."
    assert other.endswith("is narrower than, ResearchAndDevelopment; asked was Marketing.")


def test_values_are_put_in_as_they_are() -> None:
    tricky = Reason(
        "PURPOSE_NOT_PERMITTED", "{rule.__class__}", {"asked": "{0}", "operator": "%s", "named": ["{", "}"]}
    )
    assert in_words(tricky) == "Rule {rule.__class__} asks for a purpose that %s {, }; asked was {0}."


def test_a_code_of_a_newer_rulebook_or_a_missing_parameter_is_shown_as_it_is() -> None:
    assert in_words(Reason("NEW_CODE", None, {})) == "NEW_CODE."
    assert in_words(Reason("COUNT_USED_UP", "r", {})) == "COUNT_USED_UP."
    assert in_words(Reason("NO_PERMISSION", None, {}), "sv") == "The policy holds no permission."

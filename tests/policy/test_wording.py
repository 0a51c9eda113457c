"""Every reason has a sentence, and no value in it can say something else."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from connector.policy.build import POLICIES
from connector.policy.decision import Reason
from connector.policy.embedded import EmbeddedEngine
from connector.policy.vocabulary import LEFT_OPERANDS
from connector.policy.wording import COMPARISONS, OPERATORS, SENTENCES, in_words
from tests.policy.world import MARKETING, NOON, RESEARCH, agreed, constraint, offer, permission, question

LANGUAGES = ("en", "sv", "da")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_of_the_rulebook_has_a_sentence(language: str) -> None:
    sources = [(POLICIES / name).read_text("utf-8") for name in ("reasons.rego", "unmet.rego")]
    codes = {code for source in sources for code in re.findall(r'"([A-Z][A-Z_]+)"', source)}
    assert len(codes) > 20
    assert codes | {"ENGINE_ERROR"} == SENTENCES[language].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_operator_has_a_word(language: str) -> None:
    used = {operator for operand in LEFT_OPERANDS.values() for operator in operand.operators}
    assert used == OPERATORS[language].keys()
    assert COMPARISONS[language].keys() <= used


def test_an_unknown_language_is_english() -> None:
    assert in_words(Reason("NO_PERMISSION", None, {}), "fi") == "The policy holds no permission."


def test_a_duration_is_said_as_a_duration() -> None:
    reason = Reason(
        "OUTSIDE_ELAPSED_TIME",
        "urn:x:r",
        {"operand": "elapsedTime", "operator": "lteq", "duration": 2_592_000_000},
    )
    assert "elapsedTime is at most P30D" in in_words(reason)
    assert "elapsedTime är högst P30D" in in_words(reason, "sv")
    assert "elapsedTime er højst P30D" in in_words(reason, "da")


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
    assert in_words(Reason("NO_PERMISSION", None, {}), "sv") == "Villkoren innehåller inget tillstånd."

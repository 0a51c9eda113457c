"""What was decided once stays decided: the golden files, written by ``tests/policy/make_golden.py``."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.policy.embedded import EmbeddedEngine
from connector.policy.parse import normalise
from connector.policy.reading import read_policy
from ledger.canonical import encode
from tests.policy.make_golden import GOLDEN, questions

RECORDED: dict[str, Any] = json.loads((GOLDEN / "decisions.json").read_bytes())
DECISIONS: list[dict[str, Any]] = [
    case | {"question": case["question"] | {"policy": RECORDED["policies"][case["question"]["policy"]]}}
    for case in RECORDED["cases"]
]


def test_the_normal_form_is_spelt_as_it_was() -> None:
    golden = json.loads((GOLDEN / "normal-form.json").read_bytes())
    policy = normalise(golden["document"])
    assert policy.content == golden["normal_form"]
    assert policy.digest == golden["digest"]
    assert read_policy(golden["normal_form"]) == policy


@pytest.mark.parametrize("golden", DECISIONS, ids=[golden["name"] for golden in DECISIONS])
def test_a_golden_question_has_its_golden_answer(engine: EmbeddedEngine, golden: dict[str, Any]) -> None:
    """A later release may turn an allowance into a denial, never the reverse; both are seen here."""
    answer = engine.replay(encode(golden["question"])).to_json()
    assert not (answer["allow"] and not golden["answer"]["allow"]), "a denial became an allowance"
    del answer["revision"]
    assert answer == golden["answer"], "if this is meant, run python -m tests.policy.make_golden"


def test_the_golden_questions_are_still_written_alike() -> None:
    """The same question asked today is the one that was recorded."""
    recorded = {golden["name"]: golden["question"] for golden in DECISIONS}
    assert {name: json.loads(asked.encoded) for name, asked in questions().items()} == recorded


def test_they_hold_both_outcomes() -> None:
    assert {golden["answer"]["allow"] for golden in DECISIONS} == {True, False}

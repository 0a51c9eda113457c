"""The ODRL Test Suite, or any folder of its form: the activation of rules, and the decision.

The folder is named by the environment variable ``ODRL_SUITE``. How its cases become questions:
``tests/policy/odrl_suite.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connector.policy.embedded import EmbeddedEngine
from tests.policy.odrl_suite import Case, as_json, cases
from tests.policy.test_engines_agree import assert_same

pytest.importorskip("rdflib", reason="reading Turtle needs rdflib: install bylag with the extra `turtle`")

FOLDER = os.environ.get("ODRL_SUITE")
CASES = cases(Path(FOLDER)) if FOLDER else []

pytestmark = pytest.mark.skipif(not FOLDER, reason="ODRL_SUITE is unset: set it to the folder of the suite")


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_case(engine: EmbeddedEngine, case: Case) -> None:
    answers = {name: engine.decide(question) for name, question in case.questions().items()}
    assert not any(answer.failed for answer in answers.values())
    whole = answers.pop("")
    assert case.activation(answers.values()) is case.active, whole.to_json()
    assert whole.allow is case.permit, whole.to_json()


def test_a_real_opa_gives_the_same_whole_answers(engine: EmbeddedEngine, opa: Path) -> None:
    asked = [as_json(question) for case in CASES for question in case.questions().values()]
    allowed = assert_same(engine, opa, asked)
    assert 0 < allowed < len(asked) or len(CASES) < 2


def test_the_folder_holds_cases() -> None:
    assert CASES

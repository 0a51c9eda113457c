"""The embedded engine and a real OPA give the same whole answer to the same question.

One ``opa eval`` answers a batch: its start costs more than a decision.
"""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from connector.policy.embedded import EmbeddedEngine
from connector.policy.facts import Facts, Quantity
from connector.policy.input import DecisionInput, Recipient
from connector.policy.rulebook import PACKAGED
from tests.policy.strategies import cases
from tests.policy.world import COMPANY, NOON, agreed, constraint, offer, permission, question

BUNDLE = Path(__file__).resolve().parents[2] / "connector" / "policy" / PACKAGED
QUERY = "[answer | some question in input; answer := data.bylag.decision.answer with input as question]"

POLICIES = 60
"""Each is asked five questions."""


def answers_of_opa(opa: Path, asked: list[Any]) -> list[Any]:
    done = subprocess.run(
        [opa, "eval", "--bundle", BUNDLE, "--strict-builtin-errors", "--format=raw", "--stdin-input", QUERY],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    answers: list[Any] = json.loads(done.stdout)
    assert len(answers) == len(asked)
    return answers


def assert_same(engine: EmbeddedEngine, opa: Path, asked: list[Any]) -> int:
    allowed = 0
    for one, answer in zip(asked, answers_of_opa(opa, asked), strict=True):
        embedded = engine._policy.evaluate(json.dumps(one).encode())
        assert embedded == answer, json.dumps(one)
        allowed += answer["allow"]
    return allowed


def generated(policies: int, beginning: int | None = None) -> list[Any]:
    """Questions as hypothesis draws them, from a seed where one is given; five under each policy."""
    batch: list[Any] = []

    @given(cases())
    @settings(
        max_examples=policies, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    def collect(asked: list[DecisionInput]) -> None:
        batch.extend(json.loads(one.encoded) for one in asked)

    (collect if beginning is None else seed(beginning)(collect))()
    return batch


def test_on_generated_policies_and_requests(engine: EmbeddedEngine, opa: Path) -> None:
    batch = generated(POLICIES)
    allowed = assert_same(engine, opa, batch)
    assert len(batch) == POLICIES * 5
    assert 0 < allowed < len(batch)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_on_ten_thousand_generated_policies_and_requests(engine: EmbeddedEngine, opa: Path) -> None:
    """Each draw has a seed of its own: a profile that takes chance out would draw the same for ever."""
    seen: set[str] = set()
    allowed = draws = 0
    while len(seen) < 10_000:
        batch = [one for one in generated(POLICIES * 4, draws) if json.dumps(one) not in seen]
        assert batch, f"draw {draws} gave nothing new"
        allowed += assert_same(engine, opa, batch)
        seen.update(map(json.dumps, batch))
        draws += 1
    assert 0 < allowed < len(seen)


@given(cases())
@settings(max_examples=4, database=None, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_difference_would_be_shrunk(engine: EmbeddedEngine, opa: Path, asked: list[DecisionInput]) -> None:
    """The same comparison question by question, so that a difference is shown at its smallest."""
    assert_same(engine, opa, [json.loads(one.encoded) for one in asked])


STRANGE: list[Any] = [
    None, True, False, 0, -1, 2**53 - 1, 2**53, 10**30, "", "true", "use", "\u0000", "\U0001f600", "\u2028",
    [], [None], [[]], {}, {"id": None}, {"left": "count"}, {"logic": "and", "operands": [{}]}, "x" * 5000,
    {"operands": [1]}, "permission", "perm", {"name": "use", "refinement": None},
]  # fmt: skip


def mutated(value: Any, dice: random.Random) -> Any:
    """The question with one member somewhere replaced, taken out or put in twice."""
    path: list[Any] = []
    here = value
    while isinstance(here, dict | list) and here and (not path or dice.random() < 0.8):
        key = dice.choice(sorted(here)) if isinstance(here, dict) else dice.randrange(len(here))
        path.append(key)
        here = here[key]
    return replaced(value, path, dice)


def replaced(value: Any, path: list[Any], dice: random.Random) -> Any:
    if not path:
        return dice.choice(STRANGE)
    copy = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and dice.random() < 0.3:
        del copy[path[0]]
        return copy
    copy[path[0]] = replaced(copy[path[0]], path[1:], dice)
    return copy


@given(st.integers(0, 2**32))
@settings(max_examples=2, database=None, deadline=None)
def test_on_mutated_questions(engine: EmbeddedEngine, opa: Path, seed: int) -> None:
    """Whatever is missing, of another type, or where nobody expects it."""
    dice = random.Random(seed)  # noqa: S311 - no secret, a seed
    policy = agreed(
        offer(
            permission(
                {
                    "or": [
                        constraint("purpose", "isA", "dpv:ResearchAndDevelopment"),
                        constraint("recipient", "neq", "u:1"),
                    ]
                },
                constraint("dateTime", "lt", "2027-01-01T00:00:00Z"),
                constraint("count", "lteq", "5"),
            ),
            permission({"xone": [constraint("purpose", "isNoneOf", ["dpv:Marketing"])] * 2}),
            permission(
                constraint("bylag:rate", "lteq", "5"),
                {**constraint("bylag:rate", "lteq", "4"), "unit": "bylag:minute"},
                constraint("timeInterval", "eq", "P1D"),
                constraint("elapsedTime", "lteq", "P30D"),
                constraint("spatial", "isPartOf", "urn:x:eu"),
                constraint("percentage", "lteq", "5"),
                duty=[
                    {
                        "@id": "urn:x:tell",
                        "action": "inform",
                        "consequence": [{"@id": "urn:x:pay", "action": "compensate"}],
                    }
                ],
                action="read",
            ),
            prohibition=[
                permission(
                    constraint("dateTime", "gt", "2027-01-01T00:00:00Z"),
                    action="distribute",
                    remedy=[{"@id": "urn:x:delete", "action": "delete"}],
                )
            ],
            obligation=[{"@id": "urn:x:alone", "action": "inform"}],
        )
    )
    facts = Facts(
        began=NOON,
        area=("SE",),
        collections={"urn:x:eu": ("SE",)},
        named={"spatial": {"SE": ("urn:x:nordic",)}},
        measured={"percentage": Quantity(3)},
        duties={"urn:x:tell": "violated", "urn:x:pay": "fulfilled"},
    )
    recipient = Recipient(COMPANY, None, {"country": "SE"})
    usual = json.loads(question(policy, uses=2, facts=facts, recipient=recipient).encoded)
    assert_same(engine, opa, [usual, *(mutated(usual, dice) for _ in range(250))])

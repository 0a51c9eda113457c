"""The embedded engine fails closed: out of time, out of memory, closed, or answered with nonsense."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from connector.policy.build import POLICIES, bundle, find_opa, source_files
from connector.policy.decision import ENGINE_ERROR, Decision, decision_from
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import EngineUnavailable, RulebookNotBuilt
from connector.policy.input import CounterName
from connector.policy.rulebook import Rulebook
from ledger.names import RulebookDigest
from tests.policy.world import agreed, constraint, offer, permission, question

PLAIN = agreed(offer(permission()))


def test_a_fresh_engine_decides_and_names_its_rulebook(engine: EmbeddedEngine) -> None:
    decision = engine.decide(question(PLAIN))
    assert decision.allow
    assert decision.revision == engine.revision == Rulebook.packaged().revision


def test_a_closed_engine_denies() -> None:
    closed = EmbeddedEngine()
    closed.close()
    decision = closed.decide(question(PLAIN))
    assert (decision.allow, decision.reasons[0].code) == (False, ENGINE_ERROR)


def test_a_value_that_no_json_holds_is_denied(engine: EmbeddedEngine) -> None:
    for uses in (2**53, -(2**53)):
        asked = question(PLAIN, uses={CounterName("count:x"): uses})
        assert engine.decide(asked).failed
    assert engine.decide(question(PLAIN, purpose="\ud800")).failed


def other_rules(source: str, *, time_limit: float = 0.2, memory_pages: int = 64) -> EmbeddedEngine:
    try:
        opa = find_opa()
    except RulebookNotBuilt as error:
        pytest.skip(f"{error}. {error.next_step}")
    rules = f"package bylag.decision\n{source}".encode()
    files = {"decision.rego": rules, "data.json": b'{"bylag": {"facts": {}}}', ".manifest": b"{}"}
    rulebook = Rulebook.read(bundle(files, opa))
    return EmbeddedEngine(rulebook, time_limit=time_limit, memory_pages=memory_pages, instances=1)


ENDLESS = """
many := numbers.range(0, 200)

answer := count([1 | some a in many; some b in many; some c in many; some d in many; a + b + c + d < 0])
"""
HUNGRY = "answer := count({pair | some a in numbers.range(0, 100000); pair := [a, a]})"
ANSWERS: dict[str, str] = {
    "nothing": "answer := 1 if input.nothing == 1",
    "true": "answer := true",
    "allow alone": 'answer := {"allow": true}',
    "a list": "answer := [true]",
    "more than the answer": 'answer := {"allow": true, "more": 1}',
}


def test_an_endless_rule_is_cut_off_and_denied(caplog: pytest.LogCaptureFixture) -> None:
    engine = other_rules(ENDLESS)
    with caplog.at_level(logging.WARNING):
        decision = engine.decide(question(PLAIN))
    assert (decision.allow, decision.failed) == (False, True)
    assert "company.example" not in caplog.text
    engine.close()


def test_a_rule_that_takes_all_memory_is_denied() -> None:
    """With room it would have come to its (senseless) answer."""
    for pages, error in ((64, "OpaAbortError"), (4096, "answer-shape")):
        engine = other_rules(HUNGRY, time_limit=20, memory_pages=pages)
        (reason,) = engine.decide(question(PLAIN)).reasons
        assert (reason.code, reason.parameters) == (ENGINE_ERROR, {"error": error})
        engine.close()


@pytest.mark.parametrize("what", ANSWERS)
def test_an_answer_of(what: str) -> None:
    engine = other_rules(ANSWERS[what])
    decision = engine.decide(question(PLAIN))
    assert (decision.allow, decision.failed) == (False, True)
    engine.close()


def test_several_threads_decide_at_once(engine: EmbeddedEngine) -> None:
    wrong: list[Decision] = []
    questions = [
        question(agreed(offer(permission(constraint("count", "lteq", str(n))))), uses=3) for n in range(8)
    ]

    def ask(number: int) -> None:
        for _ in range(30):
            decision = engine.decide(questions[number])
            if decision.allow is not (number > 3):
                wrong.append(decision)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_rulebook_without_a_module_starts_no_engine() -> None:
    packaged = Rulebook.packaged()
    with pytest.raises(EngineUnavailable):
        EmbeddedEngine(Rulebook(packaged.revision, {**packaged.files, "policy.wasm": b"\0asm"}))


def test_the_room_loads_without_the_engine() -> None:
    """35 MB that a process without decisions does not pay for."""
    loaded = subprocess.run(
        [
            sys.executable,
            "-c",
            "import connector.policy, sys; print({'opapywasm', 'wasmtime'} & set(sys.modules))",
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert loaded.stdout.strip() == "set()"


WHOLE: dict[str, Any] = {
    "allow": True,
    "reasons": [{"code": "PERMITTED", "rule": "r", "parameters": {}}],
    "obligations": [],
    "row_filter": None,
    "column_mask": [],
    "counters": [{"kind": "use", "name": "count:r", "limit": 3, "window": None}],
    "valid_until": 5,
    "depends_on": [{"fact": "counter", "name": "count:r", "from": 0, "below": 3}],
}
REVISION = RulebookDigest("0" * 64)

SPOILT: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("allow is 1", lambda a: a | {"allow": 1}),
    ('allow is "true"', lambda a: a | {"allow": "true"}),
    ("allow is null", lambda a: a | {"allow": None}),
    ("no reasons", lambda a: a | {"reasons": []}),
    ("a reason that is a word", lambda a: a | {"reasons": ["PERMITTED"]}),
    (
        "a reason with more",
        lambda a: a | {"reasons": [{"code": "A", "rule": None, "parameters": {}, "x": 1}]},
    ),
    ("a reason without a code", lambda a: a | {"reasons": [{"code": 1, "rule": None, "parameters": {}}]}),
    ("too many reasons", lambda a: a | {"reasons": a["reasons"] * 100}),
    ("obligations that are none", lambda a: a | {"obligations": None}),
    ("an obligation that is a word", lambda a: a | {"obligations": ["pay"]}),
    ("a row filter that is true", lambda a: a | {"row_filter": True}),
    ("a column mask of numbers", lambda a: a | {"column_mask": [1]}),
    (
        "a counter without a limit",
        lambda a: a | {"counters": [{"kind": "use", "name": "count:r", "window": None}]},
    ),
    (
        "a counter of another kind",
        lambda a: a | {"counters": [{"kind": "sometimes", "name": "count:r", "limit": 3, "window": None}]},
    ),
    (
        "a counter with a fraction",
        lambda a: a | {"counters": [{"kind": "use", "name": "count:r", "limit": 1.5, "window": None}]},
    ),
    (
        "a counter without end",
        lambda a: a | {"counters": [{"kind": "use", "name": "count:r", "limit": 2**60, "window": None}]},
    ),
    ("a time that is true", lambda a: a | {"valid_until": True}),
    ("a time before time", lambda a: a | {"valid_until": -1}),
    (
        "a bound on something else",
        lambda a: a | {"depends_on": [{"fact": "x", "name": "n", "from": 0, "below": 1}]},
    ),
    ("a missing member", lambda a: {k: v for k, v in a.items() if k != "counters"}),
    ("a new member", lambda a: a | {"surprise": 1}),
]


def test_a_whole_answer_is_taken() -> None:
    decision = decision_from(WHOLE, REVISION)
    assert (decision.allow, decision.rule, decision.valid_until) == (True, "r", 5)
    assert decision.to_json() == WHOLE | {"revision": REVISION}


@pytest.mark.parametrize(("what", "spoil"), SPOILT, ids=[what for what, _ in SPOILT])
def test_a_spoilt_answer_is_a_denial(what: str, spoil: Callable[[dict[str, Any]], Any]) -> None:
    decision = decision_from(spoil(WHOLE), REVISION)
    assert (decision.allow, decision.failed) == (False, True)


@pytest.mark.parametrize("answer", [None, True, 1, "allow", [], [True], {}, {"allow": True}])
def test_anything_else_is_a_denial(answer: Any) -> None:
    assert not decision_from(answer, REVISION).allow


def test_source_files_leave_out_tests() -> None:
    assert not any(name.endswith("_test.rego") for name in source_files(POLICIES))

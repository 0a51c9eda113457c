"""The rulebook's account of its answers: the same in every engine, and of the very verdict it gives."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from connector.policy.coverage import FactFrom
from connector.policy.decision import decision_from
from connector.policy.embedded import EmbeddedEngine
from connector.policy.engine import Unanswered
from connector.policy.errors import EngineUnavailable
from connector.policy.rulebook import Rulebook
from connector.policy.server import ServerAddress, ServerEngine
from connector.policy.stock import StockEngine
from connector.policy.trace import Compared, Joined, leaves_of, trace_from, traced
from ledger.ambient import SystemAmbient
from tests.opa import PACKAGED, running
from tests.policy.make_golden import questions
from tests.policy.test_engines_agree import BUNDLE, generated, mutated
from tests.policy.world import MARKETING, NOON, SCIENTIFIC, agreed, constraint, offer, permission, question

QUERY = "[answer | some question in input; answer := data.bylag.trace.answer with input as question]"

LIMITED = question(
    agreed(offer(permission(constraint("purpose", "isA", MARKETING), constraint("count", "lteq", 3)))), uses=2
)


def accounts_of_opa(opa: Path, asked: list[Any]) -> list[Any]:
    done = subprocess.run(
        [opa, "eval", "--bundle", BUNDLE, "--strict-builtin-errors", "--format=raw", "--stdin-input", QUERY],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found: list[Any] = json.loads(done.stdout)
    return found


def assert_same(engine: EmbeddedEngine, opa: Path, asked: list[Any]) -> None:
    for one, account in zip(asked, accounts_of_opa(opa, asked), strict=True):
        written = json.dumps(one).encode()
        assert engine.trace(written) == account, json.dumps(one)
        assert decision_from(account["decision"], engine.revision) == engine.replay(written)


def test_embedded_and_opa_give_the_same_account_of_golden_and_generated_questions(
    engine: EmbeddedEngine, opa: Path
) -> None:
    golden = [json.loads(asked.encoded) for asked in questions().values()]
    assert_same(engine, opa, golden + generated(12))


def test_and_of_questions_with_something_strange_in_them(engine: EmbeddedEngine, opa: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - the same questions each time
    whole = [json.loads(asked.encoded) for asked in questions().values()]
    assert_same(engine, opa, [mutated(dice.choice(whole), dice) for _ in range(300)])


def test_each_comparison_says_what_it_compared_and_who_said_it(engine: EmbeddedEngine) -> None:
    (rule,) = traced(engine, LIMITED.encoded).rules
    assert isinstance(rule.constraint, Joined)
    assert rule.constraint.value == "false"
    leaves = {leaf.left: leaf for leaf in leaves_of(rule.constraint)}
    purpose, count = leaves["purpose"], leaves["count"]
    assert (purpose.value, purpose.fact, purpose.right) == ("false", SCIENTIFIC, MARKETING)
    assert (count.value, count.fact, count.counter) == ("true", 2, f"count:{rule.id}")
    assert [leaf.row.fact for leaf in (purpose, count) if leaf.row] == [FactFrom.DECLARED, FactFrom.MEASURED]


def test_a_comparison_alone_is_no_tree(engine: EmbeddedEngine) -> None:
    asked = question(agreed(offer(permission(constraint("dateTime", "lt", "2026-01-02T00:00:00Z")))))
    (rule,) = traced(engine, asked.encoded).rules
    assert isinstance(rule.constraint, Compared)
    assert (rule.active, rule.constraint.fact) == (True, NOON)


def test_a_stock_opa_gives_the_same_account(engine: EmbeddedEngine, opa: Path) -> None:
    assert StockEngine(opa, Rulebook.packaged()).trace(LIMITED.encoded) == engine.trace(LIMITED.encoded)


def test_an_opa_server_gives_the_same_account(engine: EmbeddedEngine, opa: Path) -> None:
    with running(opa, "--bundle", PACKAGED) as started:
        address = ServerAddress("127.0.0.1", started.port)
        server = ServerEngine(address, engine.revision, SystemAmbient(), time_limit=30.0)
        try:
            assert server.trace(LIMITED.encoded) == engine.trace(LIMITED.encoded)
        finally:
            server.close()


def test_an_account_of_another_shape_is_none(engine: EmbeddedEngine) -> None:
    account: Any = engine.trace(LIMITED.encoded)
    others: list[Any] = [None, [], {}, {**account, "rules": [1]}, {**account, "complete": "true"}]
    for damaged in others:
        with pytest.raises(EngineUnavailable):
            trace_from(damaged, engine.revision)


def test_a_module_without_the_entry_point_gives_no_account(engine: EmbeddedEngine) -> None:
    """As of a rulebook that an older release built."""
    with pytest.raises(Unanswered):
        engine._module.evaluate(LIMITED.encoded, "bylag/another/answer")

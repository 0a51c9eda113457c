"""`bylag audit replay`: the same answer again, or a plain word that there is none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from connector.audit.recorder import Recorded
from connector.audit.replay import FactsErased, NotADecision, RecordContradicts
from connector.audit.scope import Counterpart, Scope
from connector.control.running import Running
from connector.policy.chosen import embedded_engine
from connector.policy.decision import Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import EngineUnavailable, RulebookNotKept
from connector.policy.input import DecisionInput
from connector.policy.rulebook import Rulebook
from connector.store.writer import Transaction
from ledger import side
from ledger.canonical import JSONObject, decode_object
from ledger.names import LeafIndex, Milliseconds, ParticipantId
from tests.control.homes import CITY, Homes, ask
from tests.policy.world import NOON, agreed, constraint, offer, permission, question

SOON = agreed(offer(permission(constraint("dateTime", "lt", "2026-01-02T00:00:00Z"))))
COUNTED = agreed(offer(permission(constraint("count", "lteq", "3"))))


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        assert running.node.local_rules is None
        yield running


async def record(
    running: Running, asked: DecisionInput, answer: Decision, scope: Scope | None = None, **changes: Any
) -> Any:
    def job(transaction: Transaction) -> Any:
        members: JSONObject = {"rulebook": answer.revision, "code": answer.reasons[0].code, **changes}
        return running.node.recorder.record_decision(
            transaction,
            scope or Scope(),
            recorded_input=decode_object(asked.encoded),
            result=answer.to_json(),
            members=members,
        )

    return await running.node.writer.write(job)


@pytest.mark.parametrize("uses", [0, 3])
async def test_a_decision_is_replayed_here_and_with_a_stock_opa(
    city: Running, engine: EmbeddedEngine, opa: Path, uses: int
) -> None:
    asked = question(COUNTED, uses=uses)
    answer = engine.decide(asked)
    assert answer.allow is (uses == 0)
    made = await record(city, asked, answer)
    for arguments in ({}, {"opa": str(opa)}):
        done = await ask(city, "replay", record=made.index, **arguments)
        assert done["same"] is True
        assert done["replayed"] == done["recorded"] == answer.to_json()


async def test_a_recorded_answer_that_the_rules_do_not_give_is_shown(
    city: Running, engine: EmbeddedEngine, opa: Path
) -> None:
    false_one = engine.decide(question(COUNTED, uses=0))
    made = await record(city, question(COUNTED, uses=3), false_one)
    for arguments in ({}, {"opa": str(opa)}):
        done = await ask(city, "replay", record=made.index, **arguments)
        assert (done["same"], done["recorded"]["allow"], done["replayed"]["allow"]) == (False, True, False)


async def test_a_release_is_replayed_with_the_values_at_its_use(
    city: Running, engine: EmbeddedEngine
) -> None:
    """Its lease's decision allowed at noon; a day later the same question is denied."""
    asked = question(SOON, now=NOON)
    made = await record(city, asked, engine.decide(asked))

    async def release(time: int) -> Recorded:
        members: JSONObject = {"decision": made.hash.hex(), "window": 1}
        return await city.node.writer.write(
            lambda transaction: city.node.recorder.record(
                transaction,
                "release",
                Scope(),
                members=members,
                side_row={"question": {}},
                time=Milliseconds(time),
            )
        )

    in_time, late = await release(NOON + 1000), await release(NOON + 86_400_000)
    done = await ask(city, "replay", record=in_time.index)
    assert (done["same"], done["decision"], done["question"]["facts"]["now"]) == (
        True,
        made.index,
        NOON + 1000,
    )
    assert (await ask(city, "replay", record=late.index))["same"] is False


async def test_a_release_is_replayed_with_the_counters_at_its_use(
    city: Running, engine: EmbeddedEngine
) -> None:
    asked = question(COUNTED, uses=0)
    made = await record(city, asked, engine.decide(asked))
    (name,) = asked.moving.counters
    for uses, same in ((2, True), (3, False)):
        at_use: JSONObject = {"counters": {str(name): uses}}
        members: JSONObject = {"decision": made.hash.hex()}
        release = partial(city.node.recorder.record, kind="release", scope=Scope(), members=members)
        released = await city.node.writer.write(partial(release, side_row=at_use))
        assert (await ask(city, "replay", record=released.index))["same"] is same


async def test_after_an_erasure_there_is_no_answer(city: Running, engine: EmbeddedEngine) -> None:
    handle = ParticipantId("guest:city.example:" + "a" * 32)
    asked = question(COUNTED)
    scope = Scope(counterpart=Counterpart(handle, is_person=True))
    made = await record(city, asked, engine.decide(asked), scope)
    assert (await ask(city, "replay", record=made.index))["same"] is True
    await city.node.writer.write(lambda transaction: side.erase(transaction.sqlite, handle))
    with pytest.raises(FactsErased, match="not replayable: facts erased"):
        await ask(city, "replay", record=made.index)
    again = await record(city, asked, engine.decide(asked), scope)
    city.node.chest.destroy(handle)
    with pytest.raises(FactsErased):
        await ask(city, "replay", record=again.index)


async def test_what_is_no_decision_or_names_rules_that_are_not_here_is_said(
    city: Running, engine: EmbeddedEngine
) -> None:
    with pytest.raises(NotADecision):
        await ask(city, "replay", record=0)
    asked = question(COUNTED)
    answer = engine.decide(asked)
    other = Decision(answer.allow, type(answer.revision)("0" * 64), answer.reasons)
    made = await record(city, asked, other)
    with pytest.raises(RulebookNotKept):
        await ask(city, "replay", record=made.index)
    with pytest.raises(RecordContradicts):
        await ask(city, "replay", record=(await record(city, asked, answer, rulebook="1" * 64)).index)
    with pytest.raises(EngineUnavailable):
        good = await record(city, asked, answer)
        await ask(city, "replay", record=good.index, opa="/nowhere/opa")


async def test_an_input_that_is_not_the_one_committed_to_is_not_replayed(
    city: Running, engine: EmbeddedEngine
) -> None:
    asked = question(COUNTED, uses=3)
    made = await record(city, asked, engine.decide(asked))
    node = city.node
    with node.database.read_sqlite() as connection:
        row = side.get(connection, node.chest, LeafIndex(made.index), side.SHARED)
    forged = {**row, "input": decode_object(question(COUNTED, uses=0).encoded)}

    def put(transaction: Transaction) -> None:
        transaction.sqlite.execute("DELETE FROM side_row WHERE idx = ?", (made.index,))
        side.put(transaction.sqlite, node.chest, LeafIndex(made.index), side.SHARED, forged, node.ambient)

    await node.writer.write(put)
    with pytest.raises(RecordContradicts):
        await ask(city, "replay", record=made.index)


async def test_a_decision_under_local_rules_is_replayed_with_them(
    tmp_path: Path, opa: Path, city: Running
) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "late.rego").write_text(f'package local\n\ndeny contains "LATE" if input.facts.now > {NOON}\n')
    await ask(city, "build-local-rules", folder=str(rules))
    node = city.node
    del node.__dict__["local_rules"]  # as after a start
    local = node.local_rules
    assert local is not None
    joined = embedded_engine(Rulebook.packaged(), local)
    for now, allow in ((NOON, True), (NOON + 1, False)):
        asked = question(SOON, now=now)
        answer = joined.decide(asked)
        assert answer.allow is allow
        made = await record(city, asked, answer, local_rules=local.revision)
        for arguments in ({}, {"opa": str(opa)}):
            done = await ask(city, "replay", record=made.index, **arguments)
            assert (done["same"], done["local_rules"]) == (True, local.revision)
    joined.close()

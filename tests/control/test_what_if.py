"""`bylag policy what-if`: past accesses under another policy, each from its recorded facts or not at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.audit.scope import Counterpart, Scope
from connector.control.operation import run
from connector.control.running import Running
from connector.policy.decision import Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import PolicyRefused
from connector.policy.input import AgreementFacts
from connector.policy.normal import NormalPolicy
from connector.store.writer import Transaction
from ledger import side
from ledger.ambient import SystemAmbient
from ledger.canonical import JSONObject, decode_object
from ledger.commitment import fresh_json
from ledger.document import SignedDocument
from ledger.names import AgreementId, Milliseconds, ParticipantId, RulebookDigest
from tests.control.homes import CITY, Homes, ask
from tests.policy.world import (
    COMPANY,
    ENERGY,
    MARKETING,
    NOON,
    OTHER,
    SCIENTIFIC,
    agreed,
    constraint,
    offer,
    permission,
    question,
)

OPEN = agreed(offer(permission()))
SCIENCE: JSONObject = offer(permission(constraint("purpose", "isA", SCIENTIFIC)))
ONCE: JSONObject = offer(permission(constraint("count", "lteq", 1)))
AGREEMENT = AgreementId("a" * 32)
HOUR = 3_600_000


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


async def access(
    running: Running,
    engine: EmbeddedEngine,
    *,
    kind: str = "use",
    policy: NormalPolicy = OPEN,
    person: str | None = None,
    heard: JSONObject | None = None,
    now: int = NOON,
    agreement: AgreementId = AGREEMENT,
    rulebook: str | None = None,
    **asked: Any,
) -> int:
    """One access as an exchange records it: its decision and what was done under it, or its denial."""
    put = question(policy, now=now, agreement=AgreementFacts(agreement, "d" * 64, None), **asked)
    answer = engine.decide(put)
    if rulebook is not None:
        answer = Decision(answer.allow, RulebookDigest(rulebook), answer.reasons)
    peer = Counterpart(ParticipantId(person or COMPANY), is_person=person is not None)
    scope = Scope(counterpart=peer, agreement=agreement)
    recorder = running.node.recorder
    recorded_input, result = decode_object(put.encoded), answer.to_json()
    members: JSONObject = {"rulebook": answer.revision, "code": answer.reasons[0].code}
    document = None if heard is None else SignedDocument(json.dumps(heard).encode(), "e30.." + "A" * 86)
    time = Milliseconds(now)

    def job(transaction: Transaction) -> int:
        if not answer.allow:
            opening = fresh_json("input", recorded_input, SystemAmbient())
            row: JSONObject = {
                "input": recorded_input,
                "result": result,
                "openings": {"input": opening.to_json()},
            }
            denied: JSONObject = {**members, "input": {"commitment": opening.commitment}}
            return recorder.record(
                transaction, "denial", scope, members=denied, side_row=row, heard=document, time=time
            ).index
        made = recorder.record_decision(
            transaction, scope, recorded_input=recorded_input, result=result, members=members
        )
        done: JSONObject = {"decision": made.hash.hex()}
        side_row: JSONObject = {"question": {}}
        return recorder.record(
            transaction, kind, scope, members=done, side_row=side_row, heard=document, time=time
        ).index

    return await running.node.writer.write(job)


def differing(result: Any) -> list[tuple[int, bool, bool]]:
    return [(each["record"], each["then"]["allow"], each["now"]["allow"]) for each in result["differing"]]


async def test_accesses_that_would_have_been_denied_are_listed_with_who_why_and_when(
    city: Running, engine: EmbeddedEngine
) -> None:
    await access(city, engine)
    for_marketing = await access(city, engine, purpose=MARKETING, now=NOON + HOUR)
    result = await ask(city, "what-if", policy=SCIENCE)
    assert differing(result) == [(for_marketing, True, False)]
    (one,) = result["differing"]
    assert (one["who"], one["purpose"], one["time"]) == (COMPANY, MARKETING, NOON + HOUR)
    assert (one["dataset"], one["agreement"], one["kind"]) == (ENERGY, AGREEMENT, "use")
    assert [reason["code"] for reason in one["now"]["reasons"]] == ["PURPOSE_NOT_PERMITTED"]
    summary = result["summary"]
    assert (summary["looked_at"], summary["same"], summary["denied_now"]) == (2, 1, 1)


async def test_and_denials_that_would_have_been_grants(city: Running, engine: EmbeddedEngine) -> None:
    narrow = agreed(SCIENCE)
    denied = await access(city, engine, policy=narrow, purpose=MARKETING)
    await access(city, engine, policy=narrow)
    result = await ask(city, "what-if", policy=offer(permission()))
    assert differing(result) == [(denied, False, True)]
    assert result["summary"]["allowed_now"] == 1


async def test_the_same_policy_changes_nothing(city: Running, engine: EmbeddedEngine) -> None:
    await access(city, engine, policy=agreed(SCIENCE))
    await access(city, engine, policy=agreed(SCIENCE), purpose=MARKETING)
    result = await ask(city, "what-if", policy=SCIENCE)
    assert (result["differing"], result["summary"]["same"]) == ([], 2)


async def test_what_the_changed_policy_counts_is_counted_from_the_beginning(
    city: Running, engine: EmbeddedEngine
) -> None:
    """Also where only later accesses are asked for; and each agreement for itself."""
    first = await access(city, engine)
    second = await access(city, engine, now=NOON + HOUR)
    other = AgreementId("b" * 32)
    await access(city, engine, now=NOON + 2 * HOUR, agreement=other)
    assert differing(await ask(city, "what-if", policy=ONCE)) == [(second, True, False)]
    later = await ask(city, "what-if", policy=ONCE, since=NOON + HOUR)
    assert differing(later) == [(second, True, False)]
    assert later["summary"]["looked_at"] == 2
    assert first < second


async def test_a_denial_that_would_be_a_grant_takes_a_use(city: Running, engine: EmbeddedEngine) -> None:
    denied = await access(city, engine, policy=agreed(SCIENCE), purpose=MARKETING)
    granted = await access(city, engine, policy=agreed(SCIENCE), now=NOON + HOUR)
    result = await ask(city, "what-if", policy=ONCE)
    assert differing(result) == [(denied, False, True), (granted, True, False)]


@pytest.mark.parametrize(
    ("heard", "counts"),
    [
        ({"type": "request", "mode": "transfer"}, True),
        ({"type": "request", "mode": "query"}, False),
        (None, False),
    ],
    ids=["a transfer", "a session of questions", "a resume"],
)
async def test_an_offer_counts_as_a_use_only_where_it_is_one(
    city: Running, engine: EmbeddedEngine, heard: JSONObject | None, counts: bool
) -> None:
    await access(city, engine, kind="offer", heard=heard)
    used = await access(city, engine, now=NOON + HOUR)
    result = await ask(city, "what-if", policy=ONCE)
    assert differing(result) == ([(used, True, False)] if counts else [])


async def test_a_rate_and_an_interval_are_counted_anew_too(city: Running, engine: EmbeddedEngine) -> None:
    times = [NOON, NOON + 1000, NOON + 86_400_000]
    indexes = [await access(city, engine, now=time) for time in times]
    for limit in (constraint("bylag:rate", "lteq", 1), constraint("timeInterval", "gteq", "PT1H")):
        result = await ask(city, "what-if", policy=offer(permission(limit)))
        assert differing(result) == [(indexes[1], True, False)]


async def test_only_the_range_asked_for_is_told(city: Running, engine: EmbeddedEngine) -> None:
    nobody: JSONObject = offer(permission(constraint("purpose", "isA", MARKETING)))
    early = await access(city, engine)
    late = await access(city, engine, now=NOON + HOUR, agreement=AgreementId("b" * 32))
    for within, expected in (
        ({"until": NOON + HOUR}, [early]),
        ({"since": NOON + HOUR}, [late]),
        ({"agreement": AGREEMENT}, [early]),
        ({"dataset": ENERGY}, [early, late]),
        ({"dataset": "another"}, []),
    ):
        found = await ask(city, "what-if", policy=nobody, **within)
        assert [each["record"] for each in found["differing"]] == expected


async def test_where_the_policy_names_others_the_agreement_is_not_concerned(
    city: Running, engine: EmbeddedEngine
) -> None:
    await access(city, engine)
    result = await ask(city, "what-if", policy={**SCIENCE, "assignee": OTHER})
    assert (result["summary"]["not_concerned"], result["differing"]) == (1, [])


async def test_erased_facts_are_counted_and_never_guessed(city: Running, engine: EmbeddedEngine) -> None:
    handle = "guest:city.example:" + "a" * 32
    await access(city, engine, person=handle, purpose=MARKETING)
    denied = await access(city, engine, purpose=MARKETING, agreement=AgreementId("b" * 32))
    await city.node.writer.write(lambda transaction: side.erase(transaction.sqlite, handle))
    result = await ask(city, "what-if", policy=SCIENCE)
    assert differing(result) == [(denied, True, False)]
    assert result["summary"]["not_replayable"] == {"facts_erased": 1, "counts_rest_on_erased_facts": 0}
    before = await ask(city, "what-if", policy=SCIENCE, until=NOON)
    assert before["summary"]["not_replayable"]["facts_erased"] == 0


async def test_a_count_that_rests_on_an_erased_access_is_not_guessed_either(
    city: Running, engine: EmbeddedEngine
) -> None:
    """The person's facts of one access were erased, those of the next are there."""
    handle = "guest:city.example:" + "a" * 32
    gone = await access(city, engine, person=handle)
    await access(city, engine, person=handle, now=NOON + HOUR)

    def forget(transaction: Transaction) -> None:
        transaction.sqlite.execute("DELETE FROM side_row WHERE idx IN (?, ?)", (gone - 1, gone))

    await city.node.writer.write(forget)
    counted = await ask(city, "what-if", policy=ONCE)
    assert counted["summary"]["not_replayable"] == {"facts_erased": 1, "counts_rest_on_erased_facts": 1}
    assert counted["differing"] == []
    uncounted = await ask(city, "what-if", policy=SCIENCE)
    assert uncounted["summary"]["not_replayable"] == {"facts_erased": 1, "counts_rest_on_erased_facts": 0}


async def test_where_the_rules_of_a_record_are_not_kept_the_active_ones_decide_and_that_is_said(
    city: Running, engine: EmbeddedEngine
) -> None:
    await access(city, engine, rulebook="0" * 64, purpose=MARKETING)
    result = await ask(city, "what-if", policy=SCIENCE)
    assert result["differing"][0]["by_active_rules"] is True
    assert result["summary"]["by_active_rules"] == 1


async def test_progress_is_reported(city: Running, engine: EmbeddedEngine) -> None:
    await access(city, engine)
    told: list[tuple[str, int, int | None]] = []
    await run(city, "what-if", {"policy": SCIENCE}, lambda *each: told.append(each))
    assert told[0][0] == "records"
    assert told[-1][1] == told[-1][2]


async def test_a_term_that_is_not_enforced_is_refused_here_as_well(city: Running) -> None:
    with pytest.raises(PolicyRefused):
        await ask(city, "what-if", policy=offer(permission(output="urn:x:o")))

"""`bylag policy explain` in a home: records, the home's own list and area, and its local rules."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.audit.replay import FactsErased
from connector.contract.errors import NoSuchAgreement
from connector.control.running import Running
from connector.policy.embedded import EmbeddedEngine
from connector.policy.errors import MalformedPolicy, PolicyRefused
from ledger import side
from ledger.fields import BadField
from tests.control.homes import CITY, COMPANY, Homes, ask
from tests.control.test_what_if import SCIENCE, access
from tests.policy.world import MARKETING, NOON, SCIENTIFIC, agreed, constraint, offer, permission


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


def otherwise(found: Any) -> list[tuple[str, Any]]:
    return [(each["fact"], each["to"]) for one in found["otherwise"] for each in one["changes"]]


async def test_a_recorded_denial_is_explained_and_asked_again_with_something_supposed(
    city: Running, engine: EmbeddedEngine
) -> None:
    record = await access(city, engine, policy=agreed(SCIENCE), purpose=MARKETING)
    found = await ask(city, "explain", record=record)
    assert found["allow"] is False
    assert otherwise(found) == [("purpose", SCIENTIFIC)]
    again = await ask(city, "explain", record=record, request={"purpose": "ScientificResearch"})
    assert again["allow"] is True
    other = await ask(city, "explain", record=record, policy=offer(permission()))
    assert other["allow"] is True
    assert other["question"]["facts"]["now"] == NOON


async def test_what_was_erased_is_not_explained(city: Running, engine: EmbeddedEngine) -> None:
    handle = "guest:city.example:" + "a" * 32
    record = await access(city, engine, person=handle)
    await city.node.writer.write(lambda transaction: side.erase(transaction.sqlite, handle))
    with pytest.raises(FactsErased):
        await ask(city, "explain", record=record)


async def test_a_policy_is_asked_with_what_the_homes_list_attests(city: Running) -> None:
    companies = offer(permission(constraint("recipient", "isPartOf", "urn:bylag:profile:1:company")))
    me = await ask(city, "explain", policy=companies, request={"recipient": {"did": CITY}})
    assert me["allow"] is True
    assert me["question"]["request"]["recipient"]["attributes"]["kind"] == "company"
    assert me["question"]["membership"]["number"] == city.node.trust.number
    stranger = await ask(city, "explain", policy=companies, request={"recipient": {"did": COMPANY}})
    assert stranger["allow"] is False
    assert ("collection", True) in otherwise(stranger)


@pytest.mark.usefixtures("opa")
async def test_local_rules_have_their_say_and_what_lifts_them_is_found(tmp_path: Path, city: Running) -> None:
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "late.rego").write_text(
        f'package local\n\ndeny contains "NOT_FOR_MARKETING" if input.request.purpose == "{MARKETING}"\n'
    )
    await ask(city, "build-local-rules", folder=str(rules))
    city.node.__dict__.pop("local_rules", None)  # as after a start
    asked = {"purpose": "Marketing", "recipient": {"did": COMPANY}}
    found = await ask(city, "explain", policy=offer(permission()), request=asked)
    assert found["allow"] is False
    assert [reason["code"] for reason in found["decision"]["reasons"]] == ["LOCAL_RULE"]
    told = found["sentences"][0]["inside"][0]["text"]
    assert told == "The participant's own rules deny it: NOT_FOR_MARKETING."
    assert [rule["active"] for rule in found["trace"]["rules"]] == [True]
    assert any(fact == "purpose" for fact, _ in otherwise(found))


async def test_what_cannot_be_explained_is_said(city: Running) -> None:
    with pytest.raises(NoSuchAgreement):
        await ask(city, "explain", agreement="nothing")
    with pytest.raises(MalformedPolicy):
        await ask(city, "explain")
    with pytest.raises(PolicyRefused):
        await ask(city, "explain", policy=offer(permission(output="urn:x:o")))
    asked: list[dict[str, Any]] = [{"request": []}, {"request": {"weather": "fine"}}, {"language": "no"}]
    for wrong in asked:
        with pytest.raises(BadField):
            await ask(city, "explain", **{"policy": offer(permission()), **wrong})

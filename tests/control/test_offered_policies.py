"""Publishing under a policy of one's own: what nobody could sign, or use under, is never offered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.catalog.stored import NoSuchDataset
from connector.control.running import Running
from connector.policy.errors import MalformedPolicy
from ledger.fields import BadField
from tests.control.homes import CITY, COMPANY, Homes, ask

DPV = "https://w3id.org/dpv#"


def offer(*purposes: str, **members: Any) -> dict[str, Any]:
    permissions = [
        {"action": "use", "constraint": [{"leftOperand": "purpose", "operator": "isA", "rightOperand": each}]}
        for each in purposes
    ]
    return {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        **members,
        "permission": permissions or [{"action": "use"}],
    }


@pytest.fixture
async def city(tmp_path: Path) -> AsyncIterator[Running]:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        yield running


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "table.csv"
    path.write_text("kind,number\na,1\nb,2\n")
    return str(path)


async def publish(city: Running, table: str, **said: Any) -> Any:
    entry = await ask(city, "publish", file=table, dataset="table", **said)
    return entry["offers"][-1]["document"]["terms"]


async def test_an_offer_is_for_the_purpose_that_its_policy_names(city: Running, table: str) -> None:
    terms = await publish(city, table, policy=offer("dpv:ResearchAndDevelopment"))
    assert terms["purpose"] == f"{DPV}ResearchAndDevelopment"


async def test_a_policy_without_a_purpose_is_for_the_usual_one(city: Running, table: str) -> None:
    assert (await publish(city, table, policy=offer()))["purpose"] == f"{DPV}PublicBenefit"


async def test_of_several_purposes_the_publisher_says_which(city: Running, table: str) -> None:
    policy = offer("dpv:Marketing", "dpv:PublicBenefit")
    with pytest.raises(BadField, match="several"):
        await publish(city, table, policy=policy)
    assert (await publish(city, table, policy=policy, purpose="Marketing"))["purpose"] == f"{DPV}Marketing"


@pytest.mark.parametrize(
    ("policy", "said", "field"),
    [
        (offer("dpv:ResearchAndDevelopment"), {"purpose": "PublicBenefit"}, "purpose"),
        (offer(target="urn:x:another"), {}, "target"),
        (offer(assigner=COMPANY), {}, "assigner"),
    ],
)
async def test_what_nobody_could_sign_or_use_under_is_not_published(
    city: Running, table: str, policy: dict[str, Any], said: dict[str, str], field: str
) -> None:
    with pytest.raises(MalformedPolicy) as refused:
        await publish(city, table, policy=policy, **said)
    assert refused.value.field == field
    with pytest.raises(NoSuchDataset):
        await ask(city, "dataset", dataset="table")


async def test_a_count_beside_a_policy_is_refused_and_not_ignored(city: Running, table: str) -> None:
    with pytest.raises(BadField) as refused:
        await publish(city, table, policy=offer(), count=3)
    assert refused.value.field == "count"

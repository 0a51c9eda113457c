"""The policy as an exchange asks it: real policy, real engine, real list; and what a missing fact does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.exchange import counters
from connector.exchange.ground import Terms
from connector.exchange.ruling import LeasedRulings
from connector.identity.directory import Directory
from connector.identity.organisation import Kind
from connector.policy.decision import Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.input import DecisionInput
from connector.policy.lease import LeasedEngine
from connector.policy.local import JoinedEngine, LocalRules
from connector.policy.parse import normalise
from connector.policy.rulebook import Rulebook
from connector.store.database import Database
from connector.store.migrate import migrate
from connector.store.tables import CounterRow
from connector.store.writer import Writer
from ledger.canonical import JSON, JSONObject
from ledger.names import AgreementId, DatasetId, Milliseconds, RulebookDigest
from tests.engine import shared_engine
from tests.identity.world import ALVIK, BERGA, Space

NOON = Milliseconds(1_767_268_800_000)
RESEARCH = "https://w3id.org/dpv#ResearchAndDevelopment"
POLICY = normalise(
    {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        "uid": "urn:uuid:8a2c5f4e-0000-4000-8000-000000000001",
        "permission": [
            {
                "action": "use",
                "constraint": [
                    {"leftOperand": "purpose", "operator": "isA", "rightOperand": RESEARCH},
                    {"leftOperand": "count", "operator": "lteq", "rightOperand": 2},
                ],
            }
        ],
    }
)
TERMS = Terms(
    agreement=AgreementId("agreement-1"),
    provider=ALVIK,
    consumer=BERGA,
    provider_unit=None,
    consumer_unit=None,
    dataset=DatasetId("hours"),
    purpose=RESEARCH,
    policy=POLICY.content,
    policy_digest=POLICY.digest,
    contract="bb" * 32,
    windows=4,
    ack_seconds=60,
    active=True,
    state="active",
    provider_log="",
    consumer_log="",
)


@pytest.fixture
def rulings(tmp_path: Path) -> LeasedRulings:
    space = Space(tmp_path)
    alvik = space.join(ALVIK)
    space.join(BERGA)
    space.catch_up(alvik.trust)
    engine = LeasedEngine(shared_engine(), space.ambient)
    return LeasedRulings(lambda: engine, lambda: Directory(alvik.trust))


def test_a_counter_without_a_value_denies_and_is_not_taken_for_nothing(rulings: LeasedRulings) -> None:
    asked = rulings.ask(TERMS, RESEARCH)
    (name,) = asked.counters
    assert rulings.decide(asked, {}).allow is False
    assert rulings.decide(asked, {"count:another": 0}).allow is False
    assert rulings.decide(asked, {name: 0}).allow is True
    assert rulings.decide(asked, {name: 2}).allow is False


def test_a_lease_gives_the_same_ruling_and_another_purpose_another(rulings: LeasedRulings) -> None:
    asked = rulings.ask(TERMS, RESEARCH)
    (name,) = asked.counters
    assert rulings.decide(asked, {name: 0}) is rulings.decide(asked, {name: 1})
    marketing = rulings.ask(TERMS, "https://w3id.org/dpv#Marketing")
    assert rulings.decide(marketing, {name: 0}).allow is False
    assert rulings.ask(replace(TERMS, purpose=RESEARCH), RESEARCH).counters == (name,)


class Elsewhere(EmbeddedEngine):
    """An engine whose answer takes a while to come, and that must not be waited for on a thread."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()
        self.asked = 0

    async def ask(self, question: DecisionInput) -> Decision:
        self.asked += 1
        await self.let.wait()
        return super().decide(question)

    def decide(self, question: DecisionInput) -> Decision:
        raise AssertionError("the writer's transaction waits for no engine")


async def test_an_engine_elsewhere_holds_up_neither_the_loop_nor_the_writer(rulings: LeasedRulings) -> None:
    engine = Elsewhere()
    rulings._engine().switch(engine)
    asked = rulings.ask(TERMS, RESEARCH)
    (name,) = asked.counters
    waiting = asyncio.create_task(rulings.rule(asked, {name: 0}))
    while not engine.asked:
        await asyncio.sleep(0)
    assert not waiting.done()
    engine.let.set()
    ruling = await waiting
    assert ruling.allow is True
    assert rulings.decide(asked, {name: 0}) is ruling
    assert await rulings.rule(asked, {name: 1}) is ruling
    assert engine.asked == 1
    engine.close()


class Silent:
    """Local rules that deny nothing."""

    def evaluate(self, question: bytes) -> JSON:
        return []

    async def evaluated(self, question: bytes) -> JSON:
        return []

    def close(self) -> None: ...


async def test_a_ruling_names_the_local_rules_that_were_asked_too(rulings: LeasedRulings) -> None:
    asked = rulings.ask(TERMS, RESEARCH)
    (name,) = asked.counters
    alone = await rulings.rule(asked, {name: 0})
    assert alone.rules == {"rulebook": alone.rulebook}
    local = LocalRules(replace(Rulebook.packaged(), revision=RulebookDigest("ab" * 32)), 1, False)
    rulings._engine().switch(JoinedEngine(shared_engine(), local, Silent()))
    joined = await rulings.rule(rulings.ask(TERMS, RESEARCH), {name: 0})
    assert joined.rules == {"rulebook": alone.rulebook, "local_rules": "ab" * 32}
    assert joined.recorded()[1]["local_rules"] == "ab" * 32


def test_a_counter_that_was_never_raised_stands_at_nothing(tmp_path: Path) -> None:
    """Here, where rows are counted, no row is a fact."""
    database = Database(tmp_path / "bylag.db")
    migrate(database)
    writer = Writer(database)
    try:
        row = CounterRow(agreement="agreement-1", name="count:one", value=5)
        writer.submit(lambda transaction: transaction.session.add(row)).result()
        names = ("count:one", "count:other")
        assert counters.values(database, TERMS.agreement, names, NOON) == {"count:one": 5, "count:other": 0}
        assert counters.values(database, AgreementId("agreement-2"), names[:1], NOON) == {"count:one": 0}
        assert counters.values(database, TERMS.agreement, (), NOON) == {}
    finally:
        writer.close()
        database.close()


LAW = "https://w3id.org/dpv#LegalObligation"
BEGAN = Milliseconds(1_700_000_000_000)
LIMITS: dict[str, tuple[str, str, Any, dict[str, Any]]] = {
    "the time since the agreement began": ("elapsedTime", "lteq", "P99999D", {"began": BEGAN}),
    "a delay since the agreement began": ("delayPeriod", "gteq", "PT1S", {"began": BEGAN}),
    "the agreement's legal basis": ("bylag:legalBasis", "eq", LAW, {"legal_basis": LAW}),
    "the agreement's secrecy ground": (
        "bylag:secrecyGround",
        "eq",
        "urn:x:sekretess",
        {"secrecy_ground": "urn:x:sekretess"},
    ),
    "the agreed places of processing": (
        "bylag:processingPlace",
        "isAnyOf",
        ["DK", "SE"],
        {"places": ("DK", "SE")},
    ),
}


def limited(rulings: LeasedRulings, limit: tuple[str, str, Any], **agreed: Any) -> bool:
    """Whether a permission under one constraint is granted, as the exchange asks."""
    left, operator, right = limit
    document: JSONObject = {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        "permission": [
            {
                "action": "use",
                "constraint": [{"leftOperand": left, "operator": operator, "rightOperand": right}],
            }
        ],
    }
    policy = normalise(document)
    terms = replace(TERMS, policy=policy.content, policy_digest=policy.digest, **agreed)
    asked = rulings.ask(terms, RESEARCH)
    return rulings.decide(asked, {}).allow


@pytest.mark.parametrize("what", LIMITS)
def test_the_question_holds(rulings: LeasedRulings, what: str) -> None:
    """Each fact that the agreement states, and no more than it states."""
    left, operator, right, agreed = LIMITS[what]
    assert limited(rulings, (left, operator, right), **agreed)
    assert not limited(rulings, (left, operator, right))


def test_the_list_says_which_kind_an_organisation_is_of(rulings: LeasedRulings) -> None:
    kinds = {kind: limited(rulings, ("recipient", "isPartOf", "bylag:" + kind)) for kind in Kind}
    assert list(kinds.values()).count(True) == 1
    assert not limited(rulings, ("recipient", "isPartOf", "urn:x:anything"))


def test_outside_the_area_a_ground_is_needed(rulings: LeasedRulings) -> None:
    bounded = LeasedRulings(rulings._engine, rulings._directory, area=("XX",))
    free = ("dateTime", "gt", "2000-01-01T00:00:00Z")
    assert limited(rulings, free)
    assert not limited(bounded, free)
    assert limited(bounded, free, transfer_ground="urn:x:adequacy")

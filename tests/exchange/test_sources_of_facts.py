"""Every operand of the coverage table in a real exchange: a release and a denial, by a fact of its source.

Two parties, a real table on a real shelf, the real engine under the agreement's policy. What is *measured*
the provider measures, what is *attested* the list, the agreement or a recorded act says, and what is
*declared* stands in the signed Request.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from connector.exchange import events
from connector.exchange.asking import AskingSession
from connector.exchange.attested import StoredAttested
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.declared import Declared
from connector.exchange.events import Events
from connector.exchange.ground import Denied
from connector.exchange.ruling import LeasedRulings
from connector.exchange.use import record_use
from connector.exchange.wish import Wish
from connector.identity.directory import Directory
from connector.policy.coverage import TABLE, FactFrom, Where
from connector.policy.embedded import EmbeddedEngine
from connector.policy.lease import LeasedEngine
from connector.policy.parse import normalise
from connector.policy.vocabulary import LEFT_OPERANDS, PROFILE
from connector.source.draft import TableOptions
from connector.source.schema import Role
from connector.store.tables import ExchangeRow, SettlementRow
from ledger.ambient import SystemAmbient
from ledger.canonical import decode_object
from ledger.errors import BylagError
from ledger.fields import BadField
from ledger.names import ExchangeId, Milliseconds
from tests.engine import shared_engine
from tests.exchange.tables import Fetching, Following, TableWorld, kinds, lines
from tests.exchange.world import AGREEMENT, CONSUMER, DATASET, PROVIDER, Rule
from tests.identity.world import Space

DPV: Final = "https://w3id.org/dpv#"
LAW: Final = DPV + "VitalInterestOfDataSubject"
DAY: Final = 86_400_000
SEK: Final = "urn:iso:4217:SEK"
FLOOD: Final = "https://city.example/events/flood"
TABLE_ROWS: Final = lines(
    ("district", "kwh"), ("north", 1), ("north", 2), ("north", 3), ("south", 4), ("south", 5)
)
SOME: Final = {"where": [{"column": "district", "op": "eq", "value": "south"}]}


class FactWorld(TableWorld):
    """A provider and a consumer who agreed on a policy, with the real engine at both sides."""

    def __init__(self, folder: Path, engine: EmbeddedEngine, directory: Directory) -> None:
        super().__init__(folder)
        self.directory = directory
        self.engine = LeasedEngine(engine, SystemAmbient())
        now = self.provider.ambient.now()
        self.terms = replace(self.terms, began=Milliseconds(now - 10 * DAY), currency="SEK")
        self.connect()

    def connect(self, area: tuple[str, ...] | None = None) -> None:
        """Let both sides decide by the real policy, as ``connector.node`` does."""
        for party in self.parties.values():
            rulings = LeasedRulings(
                lambda: self.engine,
                lambda: self.directory,
                area,
                attested=StoredAttested(party.database, Events(party.database)),
            )
            party.ground = replace(party.ground, policy=rulings)

    def agree(self, *constraints: dict[str, Any], prohibited: dict[str, Any] | None = None) -> None:
        """The agreement's policy: use under the constraints, and never under ``prohibited``."""
        document: dict[str, Any] = {
            "@context": "http://www.w3.org/ns/odrl.jsonld",
            "@type": "Offer",
            "permission": [{"action": "use", "constraint": list(constraints)}],
        }
        if prohibited is not None:
            document["prohibition"] = [{"action": "use", "constraint": [prohibited]}]
        policy = normalise(document)
        self.terms = replace(self.terms, policy=policy.content, policy_digest=policy.digest)

    def publish_counted(self, **declared: Any) -> None:
        """Publish the table, with what its owner declares of its columns."""
        roles = declared.pop("roles", {})
        with self.snapshots.draft_table(self.file(TABLE_ROWS), TableOptions()) as draft:
            digest = draft.publish(roles, **declared)
        self.put(digest, about_people=bool(roles))

    def act(self, change: Callable[[Any], object]) -> None:
        self.provider.writer.submit(change).result()

    def event(self, name: str) -> None:
        """The provider attests that an event has begun."""
        party = self.provider
        self.act(lambda transaction: events.begin(transaction, party.ground.recorder, name, party.ambient))
        self.events.changed()

    def event_ends(self, name: str) -> None:
        party = self.provider
        self.act(lambda transaction: events.end(transaction, party.ground.recorder, name, party.ambient))
        self.events.changed()

    @property
    def events(self) -> Events:
        policy = self.provider.ground.policy
        assert isinstance(policy, LeasedRulings)
        assert isinstance(policy._attested, StoredAttested)
        return policy._attested._events

    def settled(self, amount: int) -> None:
        """Both sides signed a statement."""
        row = SettlementRow(
            agreement=AGREEMENT, begin=0, until=1, state="settled", digest="", statement=b"", lines=1,
            amount=amount, currency="SEK", changed=0,
        )  # fmt: skip
        self.act(lambda transaction: transaction.session.add(row))

    async def fetch(self, **wish: Any) -> ExchangeRow:
        return await Fetching(self).start(**wish)

    async def ask(self, seconds: float = 0) -> bytes:
        """One question in a session; ``seconds`` pass before it on the provider's monotonic clock."""
        attempt = Fetching(self)
        consumer = ConsumerExchange(
            self.consumer.ground,
            attempt.consumer_end,
            self.terms,
            attempt.delivery(),
            exchange=attempt.exchange,
        )
        provider = asyncio.create_task(attempt._provide())
        try:
            wish = Wish(DATASET, Rule().purpose, mode="query")
            conversation, digest = await consumer.open_session(wish)
            session = AskingSession(self.consumer.ground, attempt.consumer_end, conversation, digest, 0)
            try:
                if seconds:
                    while not self.provider.ground.meters._open:
                        await asyncio.sleep(0)
                    pass_time(self, seconds)
                answer = await session.ask({"limit": 1})
                await session.finish()
            finally:
                await session.close()
        finally:
            await attempt.consumer_end.outgoing.put(None)
            await asyncio.gather(provider, return_exceptions=True)
        return answer


def pass_time(world: FactWorld, seconds: float) -> None:
    """Let the exchanges that are open have been open longer."""
    for running in world.provider.ground.meters._open.values():
        for meter in running.values():
            meter.since -= seconds


@pytest.fixture(scope="module")
def engine() -> EmbeddedEngine:
    return shared_engine()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Directory:
    """A membership list that attests where the consumer is, and its industry."""
    space = Space(tmp_path_factory.mktemp("space"))
    listed = space.join(PROVIDER)
    space.join(CONSUMER)
    space.catch_up(listed.trust)
    return Directory(listed.trust)


@pytest.fixture
def world(tmp_path: Path, engine: EmbeddedEngine, directory: Directory) -> Iterator[FactWorld]:
    world = FactWorld(tmp_path, engine, directory)
    yield world
    world.close()


def limit(left: str, operator: str, right: Any, **more: Any) -> dict[str, Any]:
    return {"leftOperand": left, "operator": operator, "rightOperand": right, **more}


@dataclass(frozen=True)
class Case:
    """A constraint with one release and one denial: what is prepared, what is asked, under which terms."""

    constraint: dict[str, Any]
    permit: dict[str, Any] = field(default_factory=dict)
    deny: dict[str, Any] = field(default_factory=dict)
    """Of each: ``wish`` for the Request, ``terms`` of the agreement, ``published`` at publish, ``before`` it,
    ``constraint`` in the place of the other."""


def wish(**members: Any) -> dict[str, Any]:
    return {"wish": members}


def declares(**members: Any) -> dict[str, Any]:
    return wish(declared=Declared(**members))


def other(*constraint: Any, **more: Any) -> dict[str, Any]:
    return {"constraint": limit(*constraint, **more)}


def terms(**members: Any) -> dict[str, Any]:
    return {"terms": members}


def before(act: Callable[[FactWorld], None]) -> dict[str, Any]:
    return {"before": act}


CASES: Final[dict[str, Case]] = {
    "dateTime": Case(
        limit("dateTime", "gt", "2020-01-01T00:00:00Z"),
        deny=other("dateTime", "lt", "2020-01-01T00:00:00Z"),
    ),
    "purpose": Case(
        limit("purpose", "isA", DPV + "ServiceProvision"), deny=other("purpose", "isA", DPV + "Marketing")
    ),
    "recipient": Case(limit("recipient", "eq", CONSUMER), deny=other("recipient", "eq", PROVIDER)),
    "elapsedTime": Case(limit("elapsedTime", "lteq", "P30D"), deny=other("elapsedTime", "lteq", "P5D")),
    "delayPeriod": Case(limit("delayPeriod", "gteq", "P5D"), deny=other("delayPeriod", "gteq", "P30D")),
    "industry": Case(limit("industry", "eq", "O84.11"), deny=other("industry", "eq", "A01")),
    "spatial": Case(limit("spatial", "isPartOf", "EU"), deny=other("spatial", "eq", "NO")),
    "unitOfCount": Case(
        limit("unitOfCount", "eq", PROFILE + "use"), deny=other("unitOfCount", "eq", "urn:x:device")
    ),
    "bylag:legalBasis": Case(
        limit("bylag:legalBasis", "isA", DPV + "VitalInterest"), permit=terms(legal_basis=LAW)
    ),
    "bylag:secrecyGround": Case(
        limit("bylag:secrecyGround", "eq", "urn:x:ground"), permit=terms(secrecy_ground="urn:x:ground")
    ),
    "bylag:processingPlace": Case(
        limit("bylag:processingPlace", "isPartOf", "EEA"),
        permit=terms(places=("DK", "EU")),
        deny=terms(places=("US",)),
    ),
    "deliveryChannel": Case(
        limit("deliveryChannel", "eq", PROFILE + "transfer"),
        deny=other("deliveryChannel", "eq", PROFILE + "query"),
    ),
    "event": Case(limit("event", "eq", FLOOD), permit=before(lambda world: world.event(FLOOD))),
    "fileFormat": Case(limit("fileFormat", "eq", "text/csv"), deny=other("fileFormat", "eq", "text/html")),
    "media": Case(
        limit("media", "isA", "https://www.iana.org/assignments/media-types/text"),
        deny=other("media", "eq", "https://www.iana.org/assignments/media-types/image/png"),
    ),
    "language": Case(limit("language", "eq", "sv"), deny=other("language", "eq", "da")),
    "product": Case(
        limit("product", "isA", "http://publications.europa.eu/resource/authority/data-theme/ENER"),
        deny=other("product", "eq", "did:web:other.example/datasets/numbers"),
    ),
    "systemDevice": Case(
        limit("systemDevice", "eq", "urn:x:server"),
        permit=declares(device="urn:x:server"),
        deny=declares(device="urn:x:phone"),
    ),
    "virtualLocation": Case(
        limit("virtualLocation", "eq", "urn:x:network"),
        permit=declares(location="urn:x:network"),
        deny=declares(device="urn:x:network"),
    ),
    "bylag:retentionPeriod": Case(
        limit("bylag:retentionPeriod", "lteq", "P30D"),
        permit=declares(retention=30 * DAY),
        deny=declares(retention=30 * DAY + 1),
    ),
    "bylag:onwardTransfer": Case(
        limit("bylag:onwardTransfer", "eq", PROFILE + "nobody"),
        permit=declares(onward=()),
        deny=declares(onward=("did:web:third.example",)),
    ),
    "payAmount": Case(
        limit("payAmount", "gteq", 500, unit=SEK),
        permit=before(lambda world: world.settled(500)),
        deny=before(lambda world: world.settled(499)),
    ),
    "absoluteSize": Case(
        limit("absoluteSize", "lteq", len(TABLE_ROWS)),
        deny=other("absoluteSize", "lt", len(TABLE_ROWS)),
    ),
    "percentage": Case(limit("percentage", "lteq", 40), permit=wish(selection=SOME), deny=wish()),
    "bylag:dataCategory": Case(
        limit("bylag:dataCategory", "isA", DPV + "ConfidentialData"),
        permit={"published": {"categories": {"kwh": DPV + "CommerciallyConfidentialData"}}},
    ),
    "bylag:aggregationLevel": Case(
        limit("bylag:aggregationLevel", "gteq", 2),
        permit={"published": {"grouped_by": ("district",)}},
        deny={"published": {"grouped_by": ("district", "kwh")}},
    ),
}


async def outcome(world: FactWorld, case: Case, side: dict[str, Any]) -> str:
    """What came of one request: ``COMPLETED``, or the code of the denial."""
    world.publish_counted(**side.get("published", {}))
    world.agree(side.get("constraint", case.constraint))
    world.terms = replace(world.terms, **side.get("terms", {}))
    if "before" in side:
        side["before"](world)
    try:
        return (await world.fetch(**side.get("wish", {}))).state
    except Denied as denied:
        assert kinds(world.provider)[-1] == "denial"
        return denied.reason


@pytest.mark.parametrize("operand", CASES)
async def test_a_fact_of_its_source_releases(world: FactWorld, operand: str) -> None:
    assert await outcome(world, CASES[operand], CASES[operand].permit) == "COMPLETED"


@pytest.mark.parametrize("operand", CASES)
async def test_another_fact_of_its_source_denies(world: FactWorld, operand: str) -> None:
    code = await outcome(world, CASES[operand], CASES[operand].deny)
    assert code in {
        "CONSTRAINT_NOT_MET", "FACT_MISSING", "OUTSIDE_PERIOD", "OUTSIDE_ELAPSED_TIME",
        "PURPOSE_NOT_PERMITTED", "RECIPIENT_NOT_PERMITTED",
    }  # fmt: skip


async def test_the_version_is_the_one_that_is_released(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("version", "eq", world.version))
    assert (await world.fetch()).state == "COMPLETED"
    world.publish_counted(grouped_by=("district",))
    with pytest.raises(Denied, match="CONSTRAINT_NOT_MET"):
        await world.fetch()


@pytest.mark.parametrize(
    ("counted", "code"),
    [
        (limit("count", "lteq", 1), "COUNT_USED_UP"),
        (limit("bylag:rate", "lteq", 1, unit="bylag:week"), "RATE_USED_UP"),
        (limit("timeInterval", "eq", "PT1H"), "TOO_SOON"),
    ],
    ids=["count", "bylag:rate", "timeInterval"],
)
async def test_a_use_is_reserved_and_the_next_one_denied(
    world: FactWorld, counted: dict[str, Any], code: str
) -> None:
    world.publish_counted()
    world.agree(counted)
    assert (await world.fetch()).state == "COMPLETED"
    with pytest.raises(Denied, match=code):
        await world.fetch()


COUNTED: Final = {"count", "bylag:rate", "timeInterval", "meteredTime", "version"}


def test_every_operand_of_the_table_is_shown_in_an_exchange() -> None:
    enforced = {name for name in LEFT_OPERANDS if TABLE[name].where is not Where.REFUSED}
    assert CASES.keys() | COUNTED == enforced
    declared = {name for name, case in CASES.items() if "declared" in case.permit.get("wish", {})}
    assert declared | {"purpose"} == {n for n in enforced if TABLE[n].fact is FactFrom.DECLARED}


async def test_time_of_use_adds_up_over_sessions_and_a_restart(world: FactWorld) -> None:
    """Also after a restart, and by a session that asked nothing for as long as it was open."""
    world.publish_counted()
    world.agree(limit("meteredTime", "lteq", "PT1H"))
    assert await world.ask(seconds=1800)
    with pytest.raises(Denied, match="METERED_TIME_USED_UP"):
        await world.ask(seconds=1801)
    assert not world.provider.ground.meters._open
    world.provider.close()
    world.provider.open_again()
    world.connect()
    with pytest.raises(Denied, match="METERED_TIME_USED_UP"):
        await world.fetch()


async def test_a_session_cannot_use_the_time_that_another_open_one_used(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("meteredTime", "lteq", "PT1H"))
    (name,) = world.provider.ground.policy.ask(world.terms, Rule().purpose).counters
    world.provider.ground.meters.begin(
        AGREEMENT,
        ExchangeId("another"),
        [name],
        world.provider.ambient.monotonic() - 3600,
    )
    with pytest.raises(Denied, match="METERED_TIME_USED_UP"):
        await world.fetch()


async def test_time_of_use_after_the_hand_over_is_known_to_nobody(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("meteredTime", "lteq", "PT1H"))
    row = await world.fetch()
    with pytest.raises(Denied, match="FACT_MISSING"):
        await record_use(world.consumer.ground, ExchangeId(row.id), row.purpose, taken_out=False)


async def test_a_later_use_is_decided_by_what_was_signed_and_declared(world: FactWorld) -> None:
    world.publish_counted(grouped_by=("district",))
    world.agree(
        limit("bylag:onwardTransfer", "eq", PROFILE + "nobody"),
        limit("bylag:aggregationLevel", "gteq", 2),
        limit("language", "eq", "sv"),
        limit("product", "eq", f"{PROVIDER}/datasets/{DATASET}"),
    )
    row = await world.fetch(declared=Declared(onward=()))
    used, delivery = await record_use(world.consumer.ground, ExchangeId(row.id), row.purpose, taken_out=False)
    assert decode_object(used.declared)["onward"] == []
    described: Any = decode_object(delivery.table_schema)
    assert described["about"]["group"] == 2
    world.agree(limit("bylag:onwardTransfer", "eq", "did:web:third.example"))
    with pytest.raises(Denied, match="CONSTRAINT_NOT_MET"):
        await record_use(world.consumer.ground, ExchangeId(row.id), row.purpose, taken_out=False)


async def test_what_was_declared_binds_a_resume_too(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("systemDevice", "eq", "urn:x:server"))
    row = await world.fetch(declared=Declared(device="urn:x:server"))
    with world.provider.database.read() as session:
        stored = session.get_one(ExchangeRow, row.id)
    assert Declared.read(decode_object(stored.declared)) == Declared(device="urn:x:server")


async def test_a_subscription_is_a_channel_of_its_own(world: FactWorld) -> None:
    world.publish(TABLE_ROWS)
    world.agree(limit("deliveryChannel", "eq", PROFILE + "transfer"))
    with pytest.raises(Denied, match="CONSTRAINT_NOT_MET"):
        await Following(world).start()
    world.agree(limit("deliveryChannel", "eq", PROFILE + "query"))
    assert await world.ask()


async def test_the_share_and_size_of_what_is_still_to_come_are_unknown(world: FactWorld) -> None:
    world.publish(TABLE_ROWS)
    for operand in ("percentage", "absoluteSize"):
        world.agree(limit(operand, "lteq", 1 << 40))
        with pytest.raises(Denied, match="FACT_MISSING"):
            await Following(world).start()


async def test_an_area_denies_who_is_outside_unless_a_ground_is_named(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("dateTime", "gt", "2020-01-01T00:00:00Z"))
    for area, allowed in ((("DK",), False), (("DK", "SE"), True)):
        world.connect(area)
        if allowed:
            assert (await world.fetch()).state == "COMPLETED"
        else:
            with pytest.raises(Denied, match="OUTSIDE_AREA"):
                await world.fetch()
    world.connect(("DK",))
    world.terms = replace(world.terms, transfer_ground="urn:x:adequacy")
    assert (await world.fetch()).state == "COMPLETED"


async def test_categories_are_known_when_every_personal_column_has_one(world: FactWorld) -> None:
    world.agree(limit("bylag:dataCategory", "isA", DPV + "PersonalData"))
    roles = {"district": Role.SUBJECT, "kwh": Role.PERSONAL}
    health = DPV + "SpecialCategoryPersonalData"
    world.publish_counted(roles=roles, categories={"kwh": health})
    with pytest.raises(Denied, match="FACT_MISSING"):
        await world.fetch()
    said = {"kwh": health, "district": DPV + "IdentifyingPersonalData"}
    world.publish_counted(roles=roles, categories=said)
    assert (await world.fetch()).state == "COMPLETED"
    world.agree(prohibited=limit("bylag:dataCategory", "isAnyOf", [health]))
    with pytest.raises(Denied, match="PROHIBITED"):
        await world.fetch()


async def test_the_recorded_question_holds_the_facts_and_a_leaf_holds_none(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("systemDevice", "eq", "urn:x:very-secret-server"))
    await world.fetch(declared=Declared(device="urn:x:very-secret-server"))
    for party in world.parties.values():
        assert b"very-secret-server" not in json.dumps(party.leaves()).encode()


@pytest.mark.parametrize(
    "hostile",
    [
        {"device": "urn:x:a\nallow := true"},
        {"device": "x"},
        {"device": "urn:x:" + "a" * 300},
        {"device": {"urn:x:a": []}},
        {"retention_ms": -1},
        {"retention_ms": 1.5},
        {"retention_ms": True},
        {"onward": ["urn:x:a"] * 40},
        {"onward": ["urn:x:a", "urn:x:a"]},
        {"onward": [PROFILE + "nobody"]},
        {"onward": "urn:x:a"},
        {"purpose": "https://w3id.org/dpv#Marketing"},
        {"location": "urn:x:\u202eevil"},
    ],
)
async def test_a_hostile_declaration_is_denied_and_nothing_else(
    world: FactWorld, monkeypatch: pytest.MonkeyPatch, hostile: dict[str, Any]
) -> None:
    world.publish_counted()
    world.agree(limit("dateTime", "gt", "2020-01-01T00:00:00Z"))
    content = {**Declared(device="urn:x:a").to_json(), **hostile}
    monkeypatch.setattr(Declared, "to_json", lambda _: content)
    with pytest.raises(BylagError) as refused:
        await world.fetch(declared=Declared(device="urn:x:a"))
    assert not isinstance(refused.value, Denied) or refused.value.reason == "BAD_DECLARATION"
    assert "commit" not in kinds(world.provider)


def test_a_time_that_no_engine_counts_is_no_declaration() -> None:
    with pytest.raises(BadField):
        Declared.read({**Declared().to_json(), "retention_ms": 2**53})


async def test_what_is_declared_beside_the_signature_counts_for_nothing(
    world: FactWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that the signed Request does not commit to is not the consumer's word."""
    world.publish_counted()
    world.agree(limit("systemDevice", "eq", "urn:x:server"))
    attempt = Fetching(world)
    said = Declared(device="urn:x:server").to_json()

    def beside(message: Any) -> Any:
        if getattr(message, "opening", None) is not None:
            message.opening["declared"] = said
        return message

    attempt.consumer_end.tamper = beside
    with pytest.raises(Denied, match="FACT_MISSING"):
        await attempt.start()
    attempt = Fetching(world)
    attempt.consumer_end.tamper = beside
    with pytest.raises(Denied, match="BAD_DECLARATION"):
        await attempt.start(declared=Declared(device="urn:x:phone"))


async def test_an_event_that_ended_denies_the_next_request(world: FactWorld) -> None:
    world.publish_counted()
    world.agree(limit("event", "eq", FLOOD))
    world.event(FLOOD)
    assert (await world.fetch()).state == "COMPLETED"
    world.event_ends(FLOOD)
    with pytest.raises(Denied, match="FACT_MISSING"):
        await world.fetch()
    said = [leaf for leaf in world.provider.leaves() if leaf["type"] == "attestation"]
    assert [leaf["code"] for leaf in said] == [events.BEGAN, events.ENDED]
    assert FLOOD not in json.dumps(said)


async def test_an_event_that_ends_stops_what_runs(world: FactWorld) -> None:
    """A question that was put while it was under way is put anew, and no lease outlives it."""
    world.publish(TABLE_ROWS)
    world.agree(limit("event", "eq", FLOOD))
    world.event(FLOOD)
    attempt = Following(world)
    following = attempt.start()
    await attempt.opened()
    world.event_ends(FLOOD)
    world.append(lines(("district", "kwh"), ("west", 6)))
    with pytest.raises(BylagError):
        await following
    assert attempt.received() == TABLE_ROWS
    cut = [leaf["code"] for leaf in world.provider.leaves() if leaf["type"] == "cut"]
    assert cut == ["FACT_MISSING"]


async def test_a_subscription_ends_when_its_time_of_use_is_used_up(world: FactWorld) -> None:
    world.publish(TABLE_ROWS)
    world.agree(limit("meteredTime", "lteq", "PT1H"))
    attempt = Following(world)
    following = attempt.start()
    await attempt.opened()
    pass_time(world, 3600)
    world.append(lines(("district", "kwh"), ("west", 6)))
    with pytest.raises(BylagError):
        await following
    assert attempt.received() == TABLE_ROWS
    cut = [leaf["code"] for leaf in world.provider.leaves() if leaf["type"] == "cut"]
    assert cut == ["METERED_TIME_USED_UP"]

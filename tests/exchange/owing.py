"""Two parties with duties: real policy, real rulebook, real tasks at both sides, a post carried by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlmodel import col, select

from connector.contract.agreement import Agreement
from connector.contract.duties import Duties
from connector.contract.duty_states import StoredDutyStates
from connector.contract.liability import Role
from connector.contract.messages import Body, Message, compose
from connector.contract.opening import NONE_BESIDE
from connector.contract.states import Stamp, first_envelope
from connector.contract.terms import Price
from connector.exchange.ruling import LeasedRulings
from connector.identity.directory import Directory
from connector.policy.lease import LeasedEngine
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.store import outbox
from connector.store.tables import DutyTaskRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.document import SignedDocument, header_of
from ledger.names import NegotiationId, ParticipantId
from tests.engine import shared_engine
from tests.exchange.settling import PER_RECORD, SettlingWorld, Side, _Surroundings
from tests.exchange.world import AGREEMENT, CONSUMER, PROVIDER, SPACE, Party, Rule
from tests.identity.world import Space
from tests.security.dealing import Outcome, deal

DAY = 86_400_000
GRACE = 600_000


def document(**parts: Any) -> JSONObject:
    """A policy: a permission to use, with what it asks in return."""
    duty = parts.pop("duty", [])
    return {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        "permission": [{"action": "use", "duty": duty}],
        **parts,
    }


def within(duration: str) -> list[JSONObject]:
    """A duty's constraint: to be done within this time."""
    return [{"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": duration}]


def owed(name: str, action: Any, **more: Any) -> JSONObject:
    return {"@id": f"urn:x:{name}", "action": action, **more}


AMOUNT = {"leftOperand": "payAmount", "operator": "eq", "rightOperand": "500", "unit": "urn:iso:4217:SEK"}
PAY = owed("pay", {"rdf:value": {"@id": "compensate"}, "refinement": [AMOUNT]})
DELETE = owed("delete", "delete", constraint=within("P30D"))
CONSENT = owed("consent", "obtainConsent")


@dataclass
class Owing(Side):
    """What one party owes, is owed, and decides."""

    duties: Duties

    def take(self, transaction: Transaction, peer: ParticipantId, notice: outbox.Notice) -> None:
        if header_of(notice.document.jws).kind not in self.duties.kinds:
            super().take(transaction, peer, notice)
        elif outbox.take(transaction, peer, notice.number):
            self.duties.take(transaction, peer, notice.document, notice.opening)

    def tasks(self, **such: Any) -> list[DutyTaskRow]:
        """All tasks, in the order in which they arose; ``such`` narrows them."""
        with self.party.database.read() as session:
            rows = session.exec(
                select(DutyTaskRow).order_by(col(DutyTaskRow.arisen), col(DutyTaskRow.id))
            ).all()
        return [row for row in rows if all(getattr(row, name) == value for name, value in such.items())]

    def task(self, duty: str, **such: Any) -> DutyTaskRow:
        """The one task of a duty."""
        (row,) = self.tasks(duty=f"urn:x:{duty}", **such)
        return row

    def states(self) -> dict[str, str]:
        return {row.duty.removeprefix("urn:x:"): row.state for row in self.tasks()}

    def report(self, duty: str, **said: Any) -> None:
        task = self.task(duty, report=None).id
        beside = said.pop("beside", {})
        self.do(lambda tx: self.duties.report(tx, task, beside, **said).id)

    def answer(self, duty: str, code: str) -> None:
        task = self.task(duty).id
        self.do(lambda tx: self.duties.answer(tx, task, code, {}).id)

    def sweep(self) -> int:
        return int(self.do(self.duties.tasks.overdue))

    def told(self) -> list[tuple[Any, ...]]:
        """What the ledger says of duties, but for who heard and who said it."""
        return sorted(
            (leaf["duty"], leaf["code"], leaf.get("document", {}).get("digest", ""), leaf.get("until", 0))
            for leaf in self.party.leaves()
            if leaf["type"] == "duty"
        )


class OwingWorld(SettlingWorld):
    """A world whose agreement asks for something in return. What is owed once is owed from the start."""

    def __init__(self, folder: Path, policy: JSONObject, *, frames: int = 3) -> None:
        self.policy: NormalPolicy = normalise(policy)
        (folder / "space").mkdir()
        self.members = Space(folder / "space")
        self.listed = self.members.join(PROVIDER)
        self.engine = shared_engine()
        super().__init__(folder, price=PER_RECORD, frames=frames)
        self.terms = replace(
            self.terms,
            policy=self.policy.content,
            policy_digest=self.policy.digest,
            contract=self.agreement.digest,
        )
        now = self.provider.ambient.now()
        for side in (self.giver, self.taker):
            side.do(lambda tx, each=side: each.duties.tasks.agreed(tx, AGREEMENT, now))

    def _agreement(self, price: Price) -> Agreement:
        made = super()._agreement(price)
        terms = replace(
            made.terms,
            policy=self.policy.content,
            policy_digest=self.policy.digest,
            purpose=Rule().purpose,
        )
        return replace(made, terms=terms)

    def _side(self, party: Party) -> Owing:
        duties = Duties(self._speaker(party))
        leased = LeasedEngine(self.engine, party.ambient)
        rulings = LeasedRulings(
            lambda: leased,
            lambda: Directory(self.listed.trust),
            duties=StoredDutyStates(party.database, party.writer),
        )
        party.ground = replace(party.ground, policy=rulings, duties=duties.tasks)
        side = super()._side(party)
        return Owing(party, side.settlements, side.late, duties)

    def fresh(self) -> LeasedRulings:
        """The provider's policy, with no lease and no question kept."""
        party, leased = self.provider, LeasedEngine(self.engine, self.provider.ambient)
        states = StoredDutyStates(party.database, party.writer)
        return LeasedRulings(lambda: leased, lambda: Directory(self.listed.trust), duties=states)

    @property
    def giver(self) -> Owing:
        """The provider."""
        side = self.sides[PROVIDER]
        assert isinstance(side, Owing)
        return side

    @property
    def taker(self) -> Owing:
        """The consumer."""
        side = self.sides[CONSUMER]
        assert isinstance(side, Owing)
        return side

    @property
    def both(self) -> tuple[Owing, Owing]:
        return self.giver, self.taker

    def refused_notice(self, giver: Side, taker: Side, document: SignedDocument) -> None:
        assert isinstance(giver, Owing)
        giver.do(lambda tx: giver.duties.not_taken(tx, taker.did, document.digest))

    def sweep(self) -> None:
        """Both look for what is overdue, and hear of it."""
        for side in self.both:
            side.sweep()
        self.carry()

    async def exchange(self) -> Outcome:
        """The consumer asks for the data, and gets it or a denial."""
        outcome = await deal(self)
        self.carry()
        return outcome

    def says(self, did: ParticipantId, body: Body, **envelope: Any) -> Message:
        """A message as ``did`` would sign it, with whatever a liar puts in its place."""
        side = self.giver if did == PROVIDER else self.taker
        role = Role.PROVIDER if did == PROVIDER else Role.CONSUMER
        stamp = Stamp(_Surroundings().list_reference(), 1, None, side.party.ambient.now(), NONE_BESIDE)
        made = first_envelope(
            role,
            NegotiationId("forged"),
            space=SPACE,
            sender=did,
            recipient=CONSUMER if did == PROVIDER else PROVIDER,
            stamp=stamp,
        )
        return compose(replace(made, **envelope), body, self.keys[did])

    def hand(self, to: Owing, message: Message, opening: JSONObject | None = None) -> None:
        """Hand a message over, as the post does for whoever signed in."""
        peer = CONSUMER if to is self.giver else PROVIDER
        to.do(lambda tx: to.duties.take(tx, peer, message.document, opening or {}))

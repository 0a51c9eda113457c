"""Rulings on requests: the policy room's question and answer, as an exchange asks them.

Rules that hold here: the question holds everything the rulebook may look at, each fact from the
source that the coverage table names; the recorded input is exactly what the engine read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from connector.exchange.events import Events
from connector.exchange.ground import Asked, Ruling, Terms
from connector.exchange.payments import paid
from connector.exchange.request_facts import NOTHING_KNOWN, RequestFacts
from connector.identity import syntax
from connector.identity.directory import Directory
from connector.identity.organisation import Kind
from connector.policy.facts import Facts, Named, Quantity
from connector.policy.input import (
    RELEASE_ACTION,
    AgreementFacts,
    CounterName,
    MembershipFacts,
    Recipient,
    Standing,
)
from connector.policy.lease import Answer, LeasedEngine, Session
from connector.policy.local import JoinedDecision
from connector.policy.places import wider_places
from connector.policy.reading import read_policy
from connector.policy.vocabulary import PROFILE
from connector.store.database import Database
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.names import ParticipantId, VersionDigest

PERMITTED: Final = "PERMITTED"


@dataclass(slots=True)
class Question:
    """A question prepared once; the last ruling is kept with the lease it stands under."""

    put: Callable[[], Session]
    session: Session
    changes: int
    last: tuple[object, Ruling] | None = field(default=None)

    @property
    def counters(self) -> tuple[str, ...]:
        """The counters whose values a decision needs."""
        return self.session.counters


class Attested(Protocol):
    """What this side itself holds and attests, read when a question is prepared."""

    @property
    def changes(self) -> int:
        """Another number when what is attested has changed: then a question is put anew."""

    def events(self) -> Collection[str]:
        """The events that are under way (``events``)."""

    def paid(self, terms: Terms) -> Quantity | None:
        """What was paid so far under an agreement (``payments``)."""


class NothingAttested:
    """No event is attested, and no payment is known."""

    changes = 0

    def events(self) -> Collection[str]:
        return ()

    def paid(self, terms: Terms) -> Quantity | None:  # noqa: ARG002
        return None


class StoredAttested:
    """What the store has."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    @property
    def changes(self) -> int:
        return self._events.changes

    def events(self) -> Collection[str]:
        return self._events.under_way()

    def paid(self, terms: Terms) -> Quantity | None:
        return paid(self._database, terms.agreement, terms.currency)


NOTHING_ATTESTED: Final = NothingAttested()


class LeasedRulings:
    """Asks the engine under the agreement's policy, with leases (``connector.policy.lease``)."""

    def __init__(
        self,
        engine: Callable[[], LeasedEngine],
        directory: Callable[[], Directory],
        area: tuple[str, ...] | None = None,
        *,
        attested: Attested = NOTHING_ATTESTED,
    ) -> None:
        """``area``: the countries where data may be received and processed without a ground; None: any."""
        self._engine = engine
        self._directory = directory
        self._area = area
        self._attested = attested

    def ask(
        self,
        terms: Terms,
        purpose: str,
        asking: RequestFacts = NOTHING_KNOWN,
        *,
        action: str = RELEASE_ACTION,
    ) -> Question:
        """Prepare a question."""

        def put() -> Session:
            return self._put(terms, purpose, asking, action)

        changes = self._attested.changes  # before it is read: what changes in between is noticed
        return Question(put, put(), changes)

    def _put(self, terms: Terms, purpose: str, asking: RequestFacts, action: str) -> Session:
        trust = self._directory().trust
        policy = read_policy(terms.policy).agreed(
            name=f"urn:bylag:agreement:{terms.agreement}",
            assigner=terms.provider,
            assignee=terms.consumer,
            target=terms.dataset,
        )
        standing = Standing(
            action=action,
            purpose=purpose,
            dataset=terms.dataset,
            recipient=Recipient(terms.consumer, terms.consumer_unit, self._attributes(terms.consumer)),
            policy=policy,
            agreement=AgreementFacts(terms.agreement, terms.contract, terms.purpose, terms.legal_basis),
            membership=MembershipFacts(trust.number, trust.digest),
            version=None if asking.version is None else VersionDigest(asking.version),
            facts=self._facts(terms, asking),
        )
        return self._engine().open(standing)

    def _put_anew(self, asked: Asked) -> Question:
        """The question, put anew where what this side attests has changed since."""
        question = _question(asked)
        if question.changes != (changes := self._attested.changes):
            question.session, question.changes = question.put(), changes
        return question

    def decide(self, asked: Asked, counts: Mapping[str, int]) -> Ruling:
        """The ruling now; the same object while its lease holds. May block for the engine's time limit."""
        question = self._put_anew(asked)
        return _kept(question, self._engine().decide(question.session, _values(question, counts)))

    async def rule(self, asked: Asked, counts: Mapping[str, int]) -> Ruling:
        """Like :meth:`decide`, on an event loop."""
        question = self._put_anew(asked)
        return _kept(question, await self._engine().ask(question.session, _values(question, counts)))

    def _facts(self, terms: Terms, asking: RequestFacts) -> Facts:
        """What is known of the request, what the agreement says, and what the list and this side attest."""
        named: dict[str, Named] = asking.named()
        measured = asking.measured()
        if events := self._attested.events():
            named["event"] = dict.fromkeys(events, ())
        if (paid := self._attested.paid(terms)) is not None:
            measured["payAmount"] = paid
        if terms.secrecy_ground is not None:
            named["bylag:secrecyGround"] = {terms.secrecy_ground: ()}
        if terms.places:
            named["bylag:processingPlace"] = {place: wider_places(place) for place in terms.places}
        return Facts(
            began=terms.began,
            area=self._area,
            transfer=terms.transfer_ground,
            collections=self._collections(terms.consumer),
            named=named,
            measured=measured,
        )

    def _collections(self, recipient: ParticipantId) -> dict[str, tuple[str, ...]]:
        """The collections that the list attests: one for each kind of organisation, as far as it matters."""
        entry = None if syntax.is_handle(recipient) else self._directory().trust.find(recipient)
        return {
            PROFILE + kind.value: (recipient,) if entry is not None and entry.kind is kind else ()
            for kind in Kind
        }

    def _attributes(self, recipient: ParticipantId) -> dict[str, JSON]:
        """What the membership list attests of a recipient; a person has no attributes."""
        if syntax.is_handle(recipient):
            return {}
        entry = self._directory().trust.find(recipient)
        if entry is None:
            return {}
        attested = entry.attributes
        return {"kind": entry.kind.value, "country": attested.country, "industry": attested.industry}


def _question(asked: Asked) -> Question:
    if not isinstance(asked, Question):
        raise TypeError("ask for the question first")
    return asked


def _values(question: Question, counts: Mapping[str, int]) -> dict[CounterName, int]:
    # A counter that is missing stays missing: the engine denies for want of it, and leases nothing.
    return {name: counts[name] for name in question.session.counters if name in counts}


def _kept(question: Question, answer: Answer) -> Ruling:
    """The ruling of an answer: the same object as before while its lease holds."""
    mark = answer.lease or answer
    if question.last is not None and question.last[0] is mark:
        return question.last[1]
    ruling = _ruling(question.session, answer)
    question.last = (mark, ruling)
    return ruling


def _ruling(session: Session, answer: Answer) -> Ruling:
    decision = answer.decision

    def recorded() -> tuple[JSONObject, JSONObject]:
        question = decode_object(session.standing.written(answer.moving), max_bytes=1 << 22)
        return question, decision.to_json()

    return Ruling(
        allow=decision.allow,
        code=PERMITTED if decision.allow else decision.reasons[0].code,
        rulebook=decision.revision,
        mask=decision.column_mask,
        row_filter=decision.row_filter,
        counters=decision.counters,
        valid_until=decision.valid_until,
        recorded=recorded,
        local_rules=decision.local_rules if isinstance(decision, JoinedDecision) else None,
    )

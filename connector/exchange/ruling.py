"""Rulings on requests: the policy room's question and answer, as an exchange asks them.

Rules that hold here:

* The question holds everything the rulebook may look at, each fact from the source that the coverage
  table names; the recorded input is exactly what the engine read.
* What stands in a question stands for as long as it is true: when the duties of its agreement, the
  membership list or what this side attests have changed, it is put anew before it is asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from connector.contract.duty_states import DutyStates, NoDuties
from connector.exchange.attested import NOTHING_ATTESTED, Attested
from connector.exchange.ground import Asked, Ruling, Terms
from connector.exchange.request_facts import NOTHING_KNOWN, RequestFacts
from connector.identity import syntax
from connector.identity.directory import Directory
from connector.identity.organisation import Kind
from connector.policy.facts import DutyState, Facts, Named
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
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.names import AgreementId, ParticipantId, VersionDigest

PERMITTED: Final = "PERMITTED"


class Stamp(NamedTuple):
    """What a question's standing facts were read of."""

    list: str
    """The membership list's digest."""
    duties: int
    """How often the agreement's duties had changed."""
    attested: int
    """How often what this side attests had changed."""


@dataclass(slots=True)
class Footing:
    """What a ruling rests on. The same ruling may come to rest on newer facts that say the same."""

    agreement: AgreementId
    stamp: Stamp


@dataclass(slots=True)
class Question:
    """A question prepared once; the last ruling is kept with the lease it stands under."""

    terms: Terms
    purpose: str
    asking: RequestFacts
    action: str
    session: Session
    stamp: Stamp
    last: tuple[object, Ruling] | None = field(default=None)

    @property
    def counters(self) -> tuple[str, ...]:
        """The counters whose values a decision needs."""
        return self.session.counters


class LeasedRulings:
    """Asks the engine under the agreement's policy, with leases (``connector.policy.lease``)."""

    def __init__(
        self,
        engine: Callable[[], LeasedEngine],
        directory: Callable[[], Directory],
        area: tuple[str, ...] | None = None,
        *,
        duties: DutyStates | None = None,
        attested: Attested = NOTHING_ATTESTED,
    ) -> None:
        """``area``: the countries where data may be received and processed without a ground; None: any.

        ``duties``: the states of tracked duties; None where none is tracked.
        """
        self._duties = duties if duties is not None else NoDuties()
        self._attested = attested
        self._engine = engine
        self._directory = directory
        self._area = area

    def ask(
        self,
        terms: Terms,
        purpose: str,
        asking: RequestFacts = NOTHING_KNOWN,
        *,
        action: str = RELEASE_ACTION,
    ) -> Question:
        """Prepare a question."""
        session, stamp = self._open(terms, purpose, asking, action, None)
        return Question(terms, purpose, asking, action, session, stamp)

    def decide(
        self, asked: Asked, counts: Mapping[str, int], transaction: Transaction | None = None
    ) -> Ruling:
        """The ruling now; the same object while its lease holds. May block for the engine's time limit.

        With a ``transaction`` it rests on the duties as that sees them, the jobs before it included.
        """
        question = _question(asked)
        session, stamp = self._put_anew(question, transaction)
        return _kept(question, session, stamp, self._engine().decide(session, _values(session, counts)))

    async def rule(self, asked: Asked, counts: Mapping[str, int]) -> Ruling:
        """Like :meth:`decide`, on an event loop."""
        question = _question(asked)
        session, stamp = self._put_anew(question, None)
        return _kept(question, session, stamp, await self._engine().ask(session, _values(session, counts)))

    def is_current(self, ruling: Ruling, transaction: Transaction) -> bool:
        """Whether a ruling of this object rests on duties and list as this transaction sees them."""
        footing = ruling.footing
        return isinstance(footing, Footing) and footing.stamp == self._stamp(footing.agreement, transaction)

    def _put_anew(self, question: Question, transaction: Transaction | None) -> tuple[Session, Stamp]:
        """The question as things are now: put anew where it was put otherwise."""
        if question.stamp == self._stamp(question.terms.agreement, transaction):
            return question.session, question.stamp
        opened = self._open(question.terms, question.purpose, question.asking, question.action, transaction)
        if transaction is None:  # what a transaction sees may yet be undone: it is not kept
            question.session, question.stamp = opened
        return opened

    def _stamp(self, agreement: AgreementId, transaction: Transaction | None) -> Stamp:
        changes = (
            self._duties.changes(agreement)
            if transaction is None
            else self._duties.changes_in(transaction, agreement)
        )
        return Stamp(self._directory().trust.digest, changes, self._attested.changes)

    def _open(
        self,
        terms: Terms,
        purpose: str,
        asking: RequestFacts,
        action: str,
        transaction: Transaction | None,
    ) -> tuple[Session, Stamp]:
        attested = self._attested.changes  # before it is read: what changes in between is noticed
        trust = self._directory().trust
        number, digest = trust.number, trust.digest
        known = self._duties.read(terms.agreement, transaction)
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
            membership=MembershipFacts(number, digest),
            version=None if asking.version is None else VersionDigest(asking.version),
            facts=self._facts(terms, asking, known.states),
        )
        return self._engine().open(standing), Stamp(digest, known.changes, attested)

    def _facts(self, terms: Terms, asking: RequestFacts, duties: Mapping[str, DutyState]) -> Facts:
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
            duties=duties,
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


def _values(session: Session, counts: Mapping[str, int]) -> dict[CounterName, int]:
    # A counter that is missing stays missing: the engine denies for want of it, and leases nothing.
    return {name: counts[name] for name in session.counters if name in counts}


def _kept(question: Question, session: Session, stamp: Stamp, answer: Answer) -> Ruling:
    """The ruling of an answer: the same object as before while its lease holds."""
    mark = answer.lease or answer
    if question.last is not None and question.last[0] is mark:
        ruling = question.last[1]
        if isinstance(ruling.footing, Footing):
            ruling.footing.stamp = stamp  # the same lease: the same whole question
        return ruling
    ruling = _ruling(session, answer, Footing(question.terms.agreement, stamp))
    question.last = (mark, ruling)
    return ruling


def _ruling(session: Session, answer: Answer, footing: Footing) -> Ruling:
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
        footing=footing,
    )

"""Negotiations and agreements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from sqlmodel import col, select

from connector.catalog.dataset import Entry, dataset_id
from connector.catalog.listing import decode_entry
from connector.catalog.stored import StoredCatalog
from connector.contract.agreement import decode_agreement
from connector.contract.desk import Standing
from connector.contract.errors import NoSuchAgreement
from connector.contract.liability import Role
from connector.contract.messages import TERMINATION_CODES
from connector.contract.offer import Offer, read_offer
from connector.contract.states import State
from connector.contract.terms import Period
from connector.control.contract_terms import given_contract_terms
from connector.control.operation import Asked, operation
from connector.control.operations.catalog import NoOffer
from connector.control.price import given_price, require_ground
from connector.control.purpose import purpose
from connector.policy.offered import check_purpose, for_purpose
from connector.policy.parse import normalise
from connector.policy.reading import read_policy
from connector.store.tables import AgreementRow
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import AgreementId, Milliseconds, NegotiationId, ParticipantId, UnitId

WAIT_SECONDS: Final = 20
DAY_MS: Final = 24 * 3600 * 1000
_SETTLED: Final = (State.FINALIZED, State.TERMINATED)


class NotThere(BylagError):
    """What was waited for did not come."""

    code = "NOT_THERE"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "See with `bylag doctor` whether the peer can be reached, and wait longer."


class SameTerms(BylagError):
    """A counter-offer that changes nothing."""

    code = "SAME_TERMS"
    default_next_step = "Name another purpose, period, policy or price, or approve what lies on the table."


@operation("negotiate")
async def negotiate(asked: Asked) -> JSON:
    """Ask a provider for an agreement on an offer as published, and wait for what a rule decides."""
    fields = asked.arguments
    provider = asked.running.node.trust.organisation(ParticipantId(fields.text("provider"))).did
    dataset, offer_id = fields.text("dataset"), fields.maybe_text("offer")
    unit, beside = _unit(fields), _beside(fields)
    seconds = fields.maybe_integer("wait", most=3600)
    fields.finish()
    running = asked.running
    running.lines.keep(provider)
    entry = decode_entry(await running.node.client.dataset(provider, dataset), provider)
    offer = _chosen(entry, offer_id)
    asked.report("asking for the agreement", 0, None)
    standing = await running.node.desk.ask(provider, offer.proposal, unit=unit, beside=beside)
    await running.until(
        lambda: running.node.desk.get(standing.id).negotiation.state in _SETTLED,
        WAIT_SECONDS if seconds is None else seconds,
    )
    return described(running.node.desk.get(standing.id))


@operation("offer-to")
async def offer_to(asked: Asked) -> JSON:
    """Offer one of the own datasets to somebody who did not ask, under its published offer."""
    fields = asked.arguments
    consumer, name = ParticipantId(fields.text("consumer")), dataset_id(fields.text("dataset"))
    offer_id, beside = fields.maybe_text("offer"), _beside(fields)
    fields.finish()
    running = asked.running
    entry = StoredCatalog(running.node.database, running.node.snapshots).entry(name)
    offer = _chosen(entry, offer_id)
    standing = await running.node.desk.offer(consumer, offer.proposal, unit=offer.unit, beside=beside)
    running.lines.keep(consumer)
    return described(standing)


@operation("negotiations")
async def negotiations(asked: Asked) -> JSON:
    """All negotiations, the newest change first."""
    asked.arguments.finish()
    return [described(standing) for standing in asked.running.node.desk.all()]


@operation("negotiation")
async def negotiation(asked: Asked) -> JSON:
    """One negotiation, with the terms on the table and what was said."""
    found = asked.running.node.desk.get(_negotiation(asked.arguments))
    asked.arguments.finish()
    return {**described(found), "terms": found.negotiation.proposal.members()}


@operation("await-negotiation")
async def await_negotiation(asked: Asked) -> JSON:
    """Wait until a negotiation, one in particular or any, is in a state; then as it stands.

    Without a state: until it is over, or waits for this side; any is then any that waits for a peer now.
    """
    fields = asked.arguments
    named = fields.maybe_text("negotiation")
    states = [state.value for state in State]
    state = State(fields.choice("state", states)) if fields.has("state") else None
    seconds = fields.integer("wait", most=3600)
    fields.finish()
    desk = asked.running.node.desk

    waiting = {each.id for each in desk.all() if not _is_there(each, None)} if state is None else set()

    def found() -> Standing | None:
        candidates = [desk.get(NegotiationId(named))] if named is not None else desk.all()
        if named is None and waiting:
            candidates = [each for each in candidates if each.id in waiting]
        return next((each for each in candidates if _is_there(each, state)), None)

    asked.running.call_peers()
    await asked.running.until(lambda: found() is not None, seconds)
    standing = found()
    if standing is None:
        now = f"it is {desk.get(NegotiationId(named)).negotiation.state.value}" if named else "none is there"
        raise NotThere(f"{now} after {seconds} s")
    return described(standing)


def _is_there(standing: Standing, state: State | None) -> bool:
    if state is not None:
        return standing.negotiation.state is state
    return standing.negotiation.state.waits_for is not standing.role.other


@operation("approve")
async def approve(asked: Asked) -> JSON:
    """A person says yes to what lies on the table."""
    fields = asked.arguments
    number, unit, beside = _negotiation(fields), _unit(fields), _beside(fields)
    fields.finish()
    running = asked.running
    standing = running.node.desk.get(number)
    if standing.role is Role.PROVIDER:
        require_ground(running.node.config, standing.negotiation.proposal.terms.price)
    unit = unit or _offered_by(asked, standing)
    standing = await running.node.desk.approve(number, unit=unit, beside=beside)
    running.lines.keep(standing.peer)
    await running.until(lambda: running.node.desk.get(number).negotiation.state in _SETTLED, WAIT_SECONDS)
    return described(running.node.desk.get(number))


@operation("counter")
async def counter(asked: Asked) -> JSON:
    """Put other terms on the table: another purpose, period, policy, price or contract."""
    fields = asked.arguments
    number, unit, beside = _negotiation(fields), _unit(fields), _beside(fields)
    named, days = fields.maybe_text("purpose"), fields.maybe_integer("days", least=1, most=36_500)
    policy = fields.any("policy") if fields.has("policy") else None
    price, contract = given_price(fields), given_contract_terms(fields)
    fields.finish()
    node = asked.running.node
    standing = node.desk.get(number)
    before = standing.negotiation.proposal
    terms = before.terms
    if named is not None:
        normal = for_purpose(read_policy(terms.policy), terms.purpose, purpose(named))
        terms = replace(terms, purpose=purpose(named), policy=normal.content, policy_digest=normal.digest)
    if days is not None:
        now = node.ambient.now()
        terms = replace(terms, period=Period(now, Milliseconds(now + days * DAY_MS)))
    if policy is not None:
        if not isinstance(policy, dict):
            raise fields.wrong("policy", "must be an object")
        normal = normalise(policy)
        terms = replace(terms, policy=normal.content, policy_digest=normal.digest)
    if price is not None:
        terms = replace(terms, price=price)
    if contract is not None:
        terms = contract.within(terms)
    if named is not None or policy is not None:
        check_purpose(read_policy(terms.policy), terms.purpose)
    if standing.role is Role.PROVIDER:
        require_ground(node.config, terms.price)
    if terms == before.terms:
        raise SameTerms("these are the terms that lie on the table", field="terms")
    unit = unit or _offered_by(asked, standing)
    said = await node.desk.counter(number, replace(before, terms=terms), unit=unit, beside=beside)
    asked.running.lines.keep(said.peer)
    return described(said)


@operation("terminate-negotiation")
async def terminate_negotiation(asked: Asked) -> JSON:
    """End a negotiation with a reason code, and words that both see."""
    fields = asked.arguments
    number, code, beside = _negotiation(fields), _code(fields), _beside(fields)
    fields.finish()
    standing = await asked.running.node.desk.terminate(number, code, beside=beside)
    asked.running.lines.keep(standing.peer)
    return described(standing)


@operation("agreements")
async def agreements(asked: Asked) -> JSON:
    """All agreements, the newest first."""
    asked.arguments.finish()
    with asked.running.node.database.read() as session:
        rows = session.exec(select(AgreementRow).order_by(col(AgreementRow.begun).desc())).all()
    return [_summary(row) for row in rows]


@operation("agreement")
async def agreement(asked: Asked) -> JSON:
    """One agreement: the signed document and its state."""
    number = AgreementId(asked.arguments.text("agreement"))
    asked.arguments.finish()
    with asked.running.node.database.read() as session:
        row = session.get(AgreementRow, number)
    if row is None:
        raise NoSuchAgreement("no such agreement", field="agreement")
    document = decode_agreement(row.payload)
    return {
        **_summary(row),
        "document": document.content(),
        "digest": document.digest,
        "signatures": {"provider": row.provider_jws, "consumer": row.consumer_jws},
    }


@operation("terminate-agreement")
async def terminate_agreement(asked: Asked) -> JSON:
    """End an agreement in force, with a reason code and words that both see."""
    fields = asked.arguments
    number, code, beside = AgreementId(fields.text("agreement")), _code(fields), _beside(fields)
    fields.finish()
    node = asked.running.node
    with node.database.read() as session:
        row = session.get(AgreementRow, number)
    if row is None:
        raise NoSuchAgreement("no such agreement", field="agreement")
    asked.running.lines.keep(ParticipantId(row.peer))
    await node.desk.end_agreement(number, code, beside=beside)
    with node.database.read() as session:
        return _summary(session.get_one(AgreementRow, number))


def described(standing: Standing) -> JSONObject:
    """A negotiation as a command prints it."""
    negotiation = standing.negotiation
    said: list[JSON] = []
    for entry, words in zip(negotiation.history, standing.words, strict=False):
        said.append(
            {
                "by": entry.role.value,
                "message": entry.message.body.kind,
                "time": entry.message.envelope.time,
                **dict(words),
            }
        )
    return {
        "negotiation": standing.id,
        "role": standing.role.value,
        "peer": standing.peer,
        "state": negotiation.state.value,
        "waits_for": _waits_for(standing),
        "dataset": negotiation.proposal.dataset,
        "offer": negotiation.proposal.offer,
        "purpose": negotiation.proposal.terms.purpose,
        "agreement": negotiation.agreement.id if negotiation.agreement else None,
        "termination": negotiation.termination[1] if negotiation.termination else None,
        "messages": said,
    }


def _waits_for(standing: Standing) -> ParticipantId | None:
    """Who has to say something next; None at the end."""
    role = standing.negotiation.state.waits_for
    return standing.negotiation.participant(role) if role is not None else None


def _chosen(entry: Entry, offer_id: str | None) -> Offer:
    for summary in entry.offers:
        if offer_id in (None, summary.id):
            return read_offer(summary.document)
    raise NoOffer("the dataset has no such offer", field="offer")


def _summary(row: AgreementRow) -> JSONObject:
    return {
        "agreement": row.id,
        "role": row.role,
        "peer": row.peer,
        "dataset": row.dataset,
        "state": row.state,
        "begun": row.begun,
        "ended": row.ended,
        "code": row.end_code,
    }


def _offered_by(asked: Asked, standing: Standing) -> UnitId | None:
    """The unit that made the offer, where this side did."""
    if standing.role is not Role.PROVIDER:
        return None
    offer = asked.running.node.offer(standing.negotiation.proposal)
    return offer.unit if offer is not None else None


def _negotiation(fields: Fields) -> NegotiationId:
    return NegotiationId(fields.text("negotiation"))


def _unit(fields: Fields) -> UnitId | None:
    unit = fields.maybe_text("unit")
    return UnitId(unit) if unit is not None else None


def _code(fields: Fields) -> str:
    return fields.choice("code", TERMINATION_CODES)


def _beside(fields: Fields) -> Mapping[str, str]:
    """Who acts by hand, under which mandate, and in which words; each may be left out."""
    found = {name: fields.maybe_text(name, limit=2000) for name in ("words", "actor", "mandate")}
    return {name: text for name, text in found.items() if text is not None}

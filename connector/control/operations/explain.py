"""Why a request would be, or was, allowed or denied: explained by the rules that decide in this home.

Rules that hold here: an agreement's question is made as an exchange makes it, with the counters of the
ledger and the facts of the list; what is supposed stands over that. Nothing is recorded, nothing used up.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from connector.audit.replay import recorded
from connector.contract.errors import NoSuchAgreement
from connector.control.operation import Asked, operation
from connector.exchange import counters
from connector.exchange.ground import Terms
from connector.exchange.ruling import Question
from connector.identity.organisation import Kind
from connector.node import Node
from connector.policy.chosen import embedded_engine
from connector.policy.errors import MalformedPolicy
from connector.policy.explain import Explanation, explain
from connector.policy.explained import explained_json
from connector.policy.input import RELEASE_ACTION, Moving, counters_of
from connector.policy.lease import Session
from connector.policy.normal import NormalPolicy
from connector.policy.parse import normalise
from connector.policy.purposes import purpose_iri
from connector.policy.reading import read_policy
from connector.policy.rulebook import Rulebook
from connector.policy.supposed import (
    SOME_DATASET,
    SOME_RECIPIENT,
    at,
    bound,
    edited,
    first_purpose,
    rebound,
    supposing,
)
from connector.policy.vocabulary import DPV, action_name
from connector.policy.wording import DEFAULT_LANGUAGE, SENTENCES
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.fields import Fields
from ledger.names import AgreementId, DatasetId, ParticipantId

_MAX_QUESTION: Final = 1 << 22


@operation("explain")
async def explain_request(asked: Asked) -> JSON:
    """Explain a record's question, an agreement's, or one under a policy; with what is supposed of it."""
    fields, node = asked.arguments, asked.running.node
    index, agreement = fields.maybe_integer("record"), fields.maybe_text("agreement")
    document, said = _object(fields, "policy"), _object(fields, "request") or {}
    language = fields.choice("language", SENTENCES) if fields.has("language") else DEFAULT_LANGUAGE
    fields.finish()
    given = None if document is None else normalise(document)
    if index is not None:
        with node.database.read_sqlite() as connection:
            found = recorded(connection, node.chest, index)
        question = decode_object(found.question, max_bytes=_MAX_QUESTION)
    else:
        question = _question(node, agreement, given, said)
    if given is not None:
        question = _under(question, given)
    policy = read_policy(question["policy"])
    question = supposing(question, policy, Fields(said, "request"), [kind.value for kind in Kind])
    done = await asyncio.to_thread(_explained, node, question)
    return explained_json(done, language)


def _object(fields: Fields, name: str) -> JSONObject | None:
    value = fields.any(name) if fields.has(name) else None
    if value is not None and not isinstance(value, dict):
        raise fields.wrong(name, "must be an object")
    return value


def _explained(node: Node, question: JSONObject) -> Explanation:
    engine = embedded_engine(Rulebook.packaged(), node.local_rules)
    try:
        return explain(question, engine)
    finally:
        engine.close()


def _question(node: Node, agreement: str | None, policy: NormalPolicy | None, said: JSONObject) -> JSONObject:
    """What an exchange would ask now, under the agreement or under one that is made of the policy."""
    if agreement is not None:
        terms = node.agreements.terms(AgreementId(agreement))
        if terms is None:
            raise NoSuchAgreement("no such agreement", field="agreement")
    elif policy is not None:
        terms = _terms(node, policy, said)
    else:
        raise MalformedPolicy("nothing was named to be explained", next_step="Name a policy's FILE.")
    did = at(said, ("recipient", "did"))
    asker = ParticipantId(did.partition("#")[0]) if isinstance(did, str) else terms.consumer
    asked = node.rulings.ask(
        replace(terms, consumer=asker), _purpose(said, terms.purpose), action=_action(said)
    )
    values = counters.values(node.database, terms.agreement, asked.counters, node.ambient.now())
    question = _written(asked, values, node)
    if asker == terms.consumer:
        return question
    # Of whoever asks the list says what it says; the agreement stays that with the consumer.
    theirs = edited(question, [(("policy", "assignee", "id"), terms.consumer)])
    return rebound(question, read_policy(theirs["policy"]), values)


def _written(asked: Question, values: dict[str, int], node: Node) -> JSONObject:
    session: Session = asked.session
    known = {name: values[name] for name in session.counters if name in values}
    written = session.standing.written(Moving(node.ambient.now(), known))
    return decode_object(written, max_bytes=_MAX_QUESTION)


def _terms(node: Node, policy: NormalPolicy, said: JSONObject) -> Terms:
    """An agreement that nobody made: this participant provides, the request's recipient asks."""
    did = at(said, ("recipient", "did"))
    assignee = policy.assignee.id if policy.assignee is not None else None
    recipient, _, _unit = str(did or assignee or SOME_RECIPIENT).partition("#")
    dataset = said.get("dataset") or (policy.target.id if policy.target is not None else None)
    target = DatasetId(str(dataset or SOME_DATASET))
    open_to_all = normalise({"@type": "Offer", "permission": [{"action": "use"}]})
    return Terms(
        agreement=AgreementId("supposed"),
        provider=node.me,
        consumer=ParticipantId(recipient),
        provider_unit=None,
        consumer_unit=None,
        dataset=target,
        purpose=first_purpose(policy) or DPV + "Purpose",
        policy=open_to_all.content,
        policy_digest=open_to_all.digest,
        contract="0" * 64,
        windows=1,
        ack_seconds=1,
        active=True,
        state="active",
        provider_log="",
        consumer_log="",
        began=node.ambient.now(),
    )


def _under(question: JSONObject, given: NormalPolicy) -> JSONObject:
    """The question under another policy; a counter goes on where the policy has the same permission."""
    assigner = at(question, ("policy", "assigner", "id"))
    did, dataset = at(question, ("request", "recipient", "did")), at(question, ("request", "dataset"))
    policy = bound(given, str(assigner), str(did), str(dataset))
    known = at(question, ("facts", "counters"))
    values = known if isinstance(known, dict) else {}
    counted = {str(name): values.get(name, 0) for name in counters_of(policy)}
    return rebound(
        question, policy, {name: value for name, value in counted.items() if isinstance(value, int)}
    )


def _purpose(said: JSONObject, default: str) -> str:
    given = said.get("purpose")
    if not isinstance(given, str):
        return default
    return purpose_iri(given) or purpose_iri("dpv:" + given) or given


def _action(said: JSONObject) -> str:
    given = said.get("action")
    return (action_name(given) or RELEASE_ACTION) if isinstance(given, str) else RELEASE_ACTION

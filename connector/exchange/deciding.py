"""Putting a request to the policy: what is known of it, the answer, and the record of that.

Rules that hold here:

* Only a ruling whose ``allow`` is exactly true grants anything; any other is :class:`DeniedByPolicy`, and
  recorded with the denial (invariant 2: deny unless shown otherwise).
* What was declared when an exchange began binds to its end, and decides each later use.
* What is not known of a request is left out of its facts: the policy takes it for unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from connector.audit.scope import Scope
from connector.exchange import counters
from connector.exchange.declared import NOTHING, Declared
from connector.exchange.ground import Asked, Denied, Ground, Ruling, Snapshot, Terms
from connector.exchange.messages import Request
from connector.exchange.request_facts import RequestFacts
from connector.store.tables import ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSONObject, decode_object, encode
from ledger.names import LeafHash


class DeniedByPolicy(Denied):
    """The policy said no; the ruling is recorded with the denial."""

    def __init__(self, ruling: Ruling) -> None:
        super().__init__(ruling.code)
        self.ruling = ruling


async def decide(
    ground: Ground, terms: Terms, purpose: str, asking: RequestFacts
) -> tuple[Asked, Mapping[str, int], Ruling]:
    """Step 5: the question, the counter values it was decided at, and the ruling.

    Raises :class:`DeniedByPolicy` unless ``allow`` is exactly true.
    """
    asked = ground.policy.ask(terms, purpose, asking)
    counts = counters.values(ground.database, terms.agreement, asked.counters, ground.ambient.now())
    ruling = await ground.policy.rule(asked, counts)
    if ruling.allow is not True:
        raise DeniedByPolicy(ruling)
    return asked, counts, ruling


async def request_facts(
    terms: Terms, snapshot: Snapshot, request: Request, selection: JSONObject | None, declared: Declared
) -> RequestFacts:
    """What is known of a request before it is decided. Raises ``Denied`` for a selection that cannot be.

    A session's questions come later, and of a subscription nobody knows how much is still to come: there
    size and share are not known. Rows are counted only where the policy compares the share.
    """
    known = RequestFacts(
        mode=request.mode,
        version=snapshot.digest,
        about=snapshot.about,
        media_type=snapshot.media_type(selection, ()),
        declared=declared,
    )
    if request.mode != "transfer" or request.cursor:
        return known
    share = None
    if selection is None or b'"percentage"' in encode(terms.policy):
        share = await asyncio.to_thread(snapshot.share, selection)
    return replace(known, size=snapshot.size(selection, mask=(), row_filter=None), share=share)


def declared_in(row: ExchangeRow) -> Declared:
    """What the consumer declared when it began an exchange: it binds to the end, and each later use."""
    return Declared.read(decode_object(row.declared)) if row.declared else NOTHING


def record_decision(
    transaction: Transaction, ground: Ground, scope: Scope, terms: Terms, ruling: Ruling
) -> LeafHash:
    """Record a ruling that allows; what leaves, or is used, under it cites the record's hash."""
    question, result = ruling.recorded()
    recorded = ground.recorder.record_decision(
        transaction,
        scope,
        recorded_input=question,
        result=result,
        members={
            "policy": terms.policy_digest,
            **ruling.rules,
            "contract": terms.contract,
            "code": ruling.code,
            "until": ruling.valid_until,
        },
    )
    return recorded.hash

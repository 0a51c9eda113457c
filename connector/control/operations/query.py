"""Asking a table a few questions, without fetching it.

Rules that hold here:

* All questions of one call are asked in one session, under one Request, Offer and Accept.
* What comes is used at once, so it is decided and recorded as a use like that of a delivery, and
  handed out only after that (DESIGN.md, "The inbox"). Nothing of it is kept.
* A question that is denied ends the call; what was answered before it was received, and is recorded as
  such, and is not handed out.
"""

from __future__ import annotations

import asyncio

from connector.control.operation import Asked, operation
from connector.control.operations.exchange import (
    channel_to,
    delivery_of,
    described,
    given_declaration,
    shown,
    terms_of,
)
from connector.control.purpose import purpose
from connector.exchange.asking import AskingSession
from connector.exchange.channel import Channel
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.ground import Terms
from connector.exchange.use import record_use
from connector.exchange.wish import Wish, new_exchange
from connector.store.tables import ExchangeRow
from ledger.canonical import JSON, JSONObject
from ledger.names import AgreementId, DatasetId, ExchangeId

MOST_QUESTIONS = 1_000


@operation("query")
async def query(asked: Asked) -> JSON:
    """Ask a table questions under an agreement; their answers, in the order of the questions.

    Arguments: ``agreement``; ``selections``, 1 to 1,000 of them, each as in ``fetch``; ``purpose``
    (the agreement's), ``version`` (the newest) and ``declared``.
    """
    fields = asked.arguments
    agreement, named = AgreementId(fields.text("agreement")), fields.maybe_text("purpose")
    version = fields.maybe_digest("version")
    given = fields.items("selections", limit=MOST_QUESTIONS)
    selections = [each for each in given if isinstance(each, dict)]
    if not selections or len(selections) != len(given):
        raise fields.wrong("selections", "must be at least one object")
    declared = given_declaration(fields)
    fields.finish()
    terms = terms_of(asked, agreement)
    wanted = purpose(named) if named is not None else terms.purpose
    wish = Wish(DatasetId(terms.dataset), wanted, mode="query", version=version, declared=declared)
    node = asked.running.node
    exchange = new_exchange(node.ground)
    async with channel_to(asked, terms, exchange) as channel:
        answers = await _answers(asked, terms, exchange, channel, wish, selections)
    await record_use(node.ground, exchange, wanted, taken_out=False)
    with node.database.read() as session:
        row = session.get_one(ExchangeRow, exchange)
    texts: list[JSON] = [shown(iter((answer,))) for answer in answers]
    return {**described(row), "answers": texts}


async def _answers(
    asked: Asked,
    terms: Terms,
    exchange: ExchangeId,
    channel: Channel,
    wish: Wish,
    selections: list[JSONObject],
) -> list[bytes]:
    ground = asked.running.node.ground
    opening = ConsumerExchange(ground, channel, terms, delivery_of(asked, exchange), exchange=exchange)
    conversation, digest = await opening.open_session(wish)
    session = AskingSession(ground, channel, conversation, digest, 0)
    try:
        answers = await asyncio.gather(
            *(session.ask(selection) for selection in selections), return_exceptions=True
        )
        await session.finish()
    finally:
        await session.close()
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    if failed:
        raise failed[0]
    return [answer for answer in answers if isinstance(answer, bytes)]

"""Subscribing: new rows of an append-only table into the inbox as they come, and ending that."""

from __future__ import annotations

import asyncio

from sqlmodel import col, select

from connector.catalog.listing import decode_entry
from connector.control.operation import Asked, operation
from connector.control.operations.exchange import (
    OtherMode,
    channel_to,
    delivery_of,
    described,
    given_declaration,
    terms_of,
)
from connector.control.purpose import purpose
from connector.exchange.following import Bounds, FollowingSubscription
from connector.exchange.ground import Terms
from connector.exchange.use import NoSuchDelivery
from connector.exchange.wish import Wish, new_exchange
from connector.store.tables import ExchangeRow
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import AgreementId, DatasetId, ExchangeId, ParticipantId

LONGEST_SECONDS = 366 * 24 * 3600


class NotOpen(BylagError):
    """No subscription of that exchange is open in this connector."""

    code = "NOT_OPEN"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look at the exchanges with `bylag deliveries`; one that broke can be gone on with."


@operation("subscribe")
async def subscribe(asked: Asked) -> JSON:
    """Follow a table's new rows into the inbox until a bound is reached; or go on with a subscription.

    Arguments: ``agreement``, or ``exchange`` to go on; ``rows`` or ``seconds`` or both, the bounds;
    with ``agreement`` also ``version`` (the newest, as the provider's catalogue has it), ``cursor``
    (where the newest subscription to that version stands, else 0), ``selection``, ``purpose`` and
    ``declared``.
    """
    fields = asked.arguments
    bounds = _bounds(fields)
    if fields.has("exchange"):
        row = _subscription(asked, ExchangeId(fields.text("exchange", limit=64)))
        fields.finish()
        terms = terms_of(asked, AgreementId(row.agreement))
        return await _follow(asked, terms, ExchangeId(row.id), bounds, None)
    agreement, named = AgreementId(fields.text("agreement")), fields.maybe_text("purpose")
    version, cursor = fields.maybe_digest("version"), fields.maybe_integer("cursor")
    selection, declared = _selection(fields), given_declaration(fields)
    fields.finish()
    terms = terms_of(asked, agreement)
    version = version or await _newest(asked, terms)
    wish = Wish(
        DatasetId(terms.dataset),
        purpose(named) if named is not None else terms.purpose,
        mode="subscribe",
        version=version,
        cursor=_reached(asked, agreement, version) if cursor is None else cursor,
        selection=selection,
        declared=declared,
    )
    return await _follow(asked, terms, new_exchange(asked.running.node.ground), bounds, wish)


@operation("unsubscribe")
async def unsubscribe(asked: Asked) -> JSON:
    """Ask for the end of a subscription that is open in this connector, at either side."""
    exchange = ExchangeId(asked.arguments.text("exchange", limit=64))
    asked.arguments.finish()
    if not asked.running.node.ground.growth.end(exchange):
        raise NotOpen("no such subscription is open here", field="exchange")
    return {"exchange": exchange, "ending": True}


async def _follow(
    asked: Asked, terms: Terms, exchange: ExchangeId, bounds: Bounds, wish: Wish | None
) -> JSON:
    node = asked.running.node
    async with channel_to(asked, terms, exchange) as channel:
        subscription = FollowingSubscription(
            node.ground,
            channel,
            terms,
            delivery_of(asked, exchange),
            exchange=exchange,
            bounds=bounds,
            progress=lambda rows, _size, _of: asked.report(f"following {terms.dataset}", rows, bounds.rows),
        )
        row = await (subscription.resume() if wish is None else subscription.fetch(wish))
    gaps: list[JSON] = [gap.to_json() for gap in subscription.gaps]
    result: JSONObject = {**described(row), "position": row.position, "gaps": gaps}
    return result


def _bounds(fields: Fields) -> Bounds:
    rows = fields.maybe_integer("rows", least=1)
    seconds = fields.maybe_integer("seconds", least=1, most=LONGEST_SECONDS)
    if rows is None and seconds is None:
        raise fields.wrong("rows", "say how many rows, or how many seconds, at most")
    return Bounds(rows, seconds)


def _selection(fields: Fields) -> JSONObject | None:
    value = fields.any("selection") if fields.has("selection") else None
    if value is not None and not isinstance(value, dict):
        raise fields.wrong("selection", "must be an object")
    return value


def _subscription(asked: Asked, exchange: ExchangeId) -> ExchangeRow:
    with asked.running.node.database.read() as session:
        row = session.get(ExchangeRow, exchange)
    if row is None or row.role != "consumer":
        raise NoSuchDelivery("no such exchange", field="exchange")
    if row.mode != "subscribe":
        raise OtherMode("this exchange is not a subscription", field="exchange")
    return row


async def _newest(asked: Asked, terms: Terms) -> str:
    """The version that the provider's catalogue has as the newest."""
    publisher = ParticipantId(terms.provider)
    page = await asked.running.node.client.dataset(publisher, terms.dataset)
    entry = await asyncio.to_thread(decode_entry, page, publisher)
    return entry.newest.digest


def _reached(asked: Asked, agreement: AgreementId, version: str) -> int:
    """How far earlier subscriptions to a version got."""
    with asked.running.node.database.read() as session:
        positions = session.exec(
            select(ExchangeRow.position)
            .where(ExchangeRow.agreement == agreement, ExchangeRow.role == "consumer")
            .where(ExchangeRow.mode == "subscribe", ExchangeRow.dataset_version == version)
            .where(ExchangeRow.window > 0)
            .order_by(col(ExchangeRow.position).desc())
        )
        return positions.first() or 0

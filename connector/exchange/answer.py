"""Where a stream begins: the first message decides what kind of exchange it is."""

from __future__ import annotations

from connector.exchange.admission import Admitted, Refused, admit
from connector.exchange.answering import AnsweringSession
from connector.exchange.channel import Channel, Signed
from connector.exchange.feeding import FeedingSubscription
from connector.exchange.ground import Ground
from connector.exchange.provider import ProviderExchange
from ledger.names import ParticipantId


async def provide(ground: Ground, channel: Channel, first: Signed) -> Admitted | Refused:
    """Answer a consumer's stream, from its first message to the last signature.

    Returns what was decided. Raises a :class:`~ledger.errors.BylagError` when the exchange was
    interrupted or the other side broke the protocol.
    """
    decided = await admit(ground, ParticipantId(channel.peer), first)
    if isinstance(decided, Refused):
        await channel.send(decided.denial)
        return decided
    await channel.send(decided.offer)
    if decided.request.mode == "query":
        await AnsweringSession(ground, channel, decided).run()
    elif decided.request.mode == "subscribe":
        await FeedingSubscription(ground, channel, decided).run()
    else:
        await ProviderExchange(ground, channel, decided).run()
    return decided

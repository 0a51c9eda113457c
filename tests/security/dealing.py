"""A transfer in which one side may lie: what it says is changed, and signed again with its own key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.exchange.answer import provide
from connector.exchange.channel import Signed
from connector.exchange.consumer import ConsumerExchange, Progress
from connector.exchange.inbox import Delivery
from connector.exchange.wish import Wish, new_exchange
from ledger.document import header_of, sign
from ledger.errors import BylagError
from ledger.names import ExchangeId, ParticipantId
from tests.exchange.world import DATASET, Pipe, Rule, World, pipe

KEY = AESGCM(b"k" * 32)
Tamper = Callable[[Any], Any]


@dataclass
class Outcome:
    """What came of a transfer: its id, what each side raised, and what the provider sent."""

    exchange: ExchangeId
    consumer: BylagError | None
    provider: BylagError | None
    sent: list[Any]


async def deal(
    world: World,
    *,
    provider_says: Tamper | None = None,
    consumer_says: Tamper | None = None,
    resume: ExchangeId | None = None,
    ends: tuple[Pipe, Pipe] | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """One attempt at a transfer, or with ``resume`` the next attempt of that exchange.

    ``ends`` are the provider's and the consumer's end of the pipe, where a test needs to hold them.
    """
    provider_end, consumer_end = ends or pipe()
    outcome = Outcome(resume or new_exchange(world.consumer.ground), None, None, [])

    def from_provider(message: Any) -> Any:
        message = provider_says(message) if provider_says else message
        outcome.sent.append(message)
        return message

    provider_end.tamper = from_provider
    consumer_end.tamper = consumer_says or consumer_end.tamper
    delivery = Delivery(world.folder / "inbox", outcome.exchange, KEY, world.consumer.ambient)
    consumer = ConsumerExchange(
        world.consumer.ground,
        consumer_end,
        world.terms,
        delivery,
        exchange=outcome.exchange,
        progress=progress,
    )

    async def answer() -> None:
        try:
            await provide(world.provider.ground, provider_end, await provider_end.first())
        except BylagError as error:
            outcome.provider = error
        finally:
            await provider_end.outgoing.put(None)

    answering = asyncio.create_task(answer())
    try:
        await (consumer.resume() if resume else consumer.fetch(Wish(DATASET, Rule().purpose)))
    except BylagError as error:
        outcome.consumer = error
    finally:
        await consumer_end.outgoing.put(None)
        await answering
    return outcome


def kind_of(message: Any) -> str | None:
    """The type of a signed message; None for anything else."""
    return header_of(message.document.jws).kind if isinstance(message, Signed) else None


def lying(world: World, did: ParticipantId, kind: str, **other: Any) -> Tamper:
    """Change members of every message of a kind, signed again by ``did`` as if it had meant that."""

    def tamper(message: Any) -> Any:
        if kind_of(message) != kind:
            return message
        content = message.document.content()
        assert set(other) <= set(content)
        changed = {name: value(content[name]) if callable(value) else value for name, value in other.items()}
        return Signed(sign({**content, **changed}, world.keys[did]), message.opening)

    return tamper

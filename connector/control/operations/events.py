"""Attesting events: that one has begun, and that it has ended."""

from __future__ import annotations

from connector.control.operation import Asked, operation
from connector.exchange import events as attested
from connector.exchange.events import event_name
from ledger.canonical import JSON


@operation("events")
async def events(asked: Asked) -> JSON:
    """The events that are under way."""
    asked.arguments.finish()
    return _under_way(asked)


@operation("event-begin")
async def begin(asked: Asked) -> JSON:
    """Record that an event has begun."""
    name = event_name(asked.arguments)
    asked.arguments.finish()
    node = asked.running.node
    await node.writer.write(
        lambda transaction: attested.begin(transaction, node.recorder, name, node.ambient)
    )
    node.events.changed()
    return _under_way(asked)


@operation("event-end")
async def end(asked: Asked) -> JSON:
    """Record that an event has ended."""
    name = event_name(asked.arguments)
    asked.arguments.finish()
    node = asked.running.node
    await node.writer.write(lambda transaction: attested.end(transaction, node.recorder, name, node.ambient))
    node.events.changed()
    return _under_way(asked)


def _under_way(asked: Asked) -> JSON:
    found = asked.running.node.events.under_way()
    return [{"event": name, "began": began} for name, began in found.items()]

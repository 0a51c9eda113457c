"""Audit: decisions, evaluated again under the rules that their records name."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector.audit.replay import recorded, replay
from connector.control.operation import Asked, operation
from connector.policy.chosen import embedded_engine
from connector.policy.engine import Engine
from connector.policy.stock import stock_engine
from ledger.canonical import JSON, decode


@operation("replay")
async def replay_record(asked: Asked) -> JSON:
    """Evaluate a recorded decision again, here or with a stock OPA, and compare the whole answer."""
    index = asked.arguments.integer("record")
    opa = asked.arguments.maybe_text("opa", limit=4096)
    asked.arguments.finish()
    node = asked.running.node
    with node.database.read_sqlite() as connection:
        found = recorded(connection, node.chest, index)

    def engine(rulebook: str, local: str | None) -> Engine:
        core = node.kept_rulebooks.rulebook(rulebook)
        own = None if local is None else node.kept_rulebooks.local(local)
        return stock_engine(Path(opa), core, own) if opa else embedded_engine(core, own)

    done = await asyncio.to_thread(replay, found, engine)
    return {
        "record": index,
        "decision": found.decision,
        "engine": "stock" if opa else "embedded",
        "rulebook": found.rulebook,
        "local_rules": found.local_rules,
        "same": done.same,
        "recorded": found.result,
        "replayed": done.answer,
        "question": decode(found.question, max_bytes=1 << 22),
    }

"""What if another policy had decided: asked over this home's ledger, with progress."""

from __future__ import annotations

import asyncio

from connector.audit.what_if import Range, what_if
from connector.control.operation import Asked, operation
from connector.node import Node
from connector.policy.chosen import embedded_engine
from connector.policy.engine import Engine
from connector.policy.errors import RulebookNotKept
from connector.policy.parse import normalise
from connector.policy.rulebook import Rulebook
from ledger.canonical import JSON
from ledger.fields import Fields
from ledger.names import Milliseconds


@operation("what-if")
async def ask_what_if(asked: Asked) -> JSON:
    """Run a changed policy over the ledger's past accesses, and list those that would differ."""
    fields, node = asked.arguments, asked.running.node
    document = fields.any("policy")
    within = Range(
        dataset=fields.maybe_text("dataset"),
        agreement=fields.maybe_text("agreement"),
        since=_moment(fields, "since"),
        until=_moment(fields, "until"),
    )
    fields.finish()
    if not isinstance(document, dict):
        raise fields.wrong("policy", "must be an object")
    policy = normalise(document)
    loop = asyncio.get_running_loop()

    def progress(done: int, total: int) -> None:
        loop.call_soon_threadsafe(asked.report, "records", done, total)

    def go() -> JSON:
        engines = _Engines(node)
        try:
            with node.database.read_sqlite() as connection:
                found = what_if(connection, node.chest, policy, within, engines.rules, progress)
        finally:
            engines.close()
        return {"policy": policy.digest, **found.to_json()}

    return await asyncio.to_thread(go)


class _Engines:
    """An engine for each rulebook that records name; the active one where theirs is not kept."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._known: dict[tuple[str, str | None], tuple[Engine, bool]] = {}

    def rules(self, rulebook: str, local: str | None) -> tuple[Engine, bool]:
        """The engine, and whether the rules that were named are kept. Raises ``EngineUnavailable``."""
        known = self._known.get((rulebook, local))
        if known is None:
            known = self._known[rulebook, local] = self._load(rulebook, local)
        return known

    def close(self) -> None:
        """Let go of all engines."""
        for engine, _ in self._known.values():
            engine.close()

    def _load(self, rulebook: str, local: str | None) -> tuple[Engine, bool]:
        kept = self._node.kept_rulebooks
        try:
            core = kept.rulebook(rulebook)
            return embedded_engine(core, None if local is None else kept.local(local)), True
        except RulebookNotKept:
            return embedded_engine(Rulebook.packaged(), self._node.local_rules), False


def _moment(fields: Fields, name: str) -> Milliseconds | None:
    given = fields.maybe_integer(name)
    return None if given is None else Milliseconds(given)

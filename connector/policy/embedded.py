"""The embedded engine: the rulebook, compiled to WebAssembly by OPA itself, inside this process.

Rules that hold here:

* The module can do nothing but compute: it imports no builtin from Python, sees no clock, file or network.
* Each question has a time limit and each instance a memory limit. An instance that failed is thrown away.
* Any failure is a denial, and says in the log which kind of failure, never what was asked.
* ``opapywasm`` (and wasmtime below it: some 35 MB) is imported when an engine is made, not before.

Why this engine: docs/decisions/0003-embedded-engine.md.
"""

from __future__ import annotations

from connector.policy.decision import Decision, decision_from, failure
from connector.policy.engine import Condition, Unanswered
from connector.policy.input import DecisionInput
from connector.policy.rulebook import ENTRYPOINT, TRACE_ENTRYPOINT, Rulebook
from connector.policy.wasm import INSTANCES, MEMORY_LIMIT_PAGES, TIME_LIMIT_SECONDS, Module
from ledger.canonical import JSON, MalformedJson
from ledger.names import RulebookDigest


class EmbeddedEngine:
    """Decides in this process. Start-up compiles the module: some 150 ms, once."""

    def __init__(
        self,
        rulebook: Rulebook | None = None,
        *,
        time_limit: float = TIME_LIMIT_SECONDS,
        memory_pages: int = MEMORY_LIMIT_PAGES,
        instances: int = INSTANCES,
    ) -> None:
        """Load ``rulebook``, or the packaged one. Raises ``EngineUnavailable`` or ``RulebookDamaged``."""
        self._rulebook = rulebook or Rulebook.packaged()
        self._is_closed = False
        self._module = Module(
            self._rulebook,
            ENTRYPOINT,
            time_limit=time_limit,
            memory_pages=memory_pages,
            instances=instances,
        )
        self._policy = self._module.policy

    @property
    def revision(self) -> RulebookDigest:
        return self._rulebook.revision

    def decide(self, question: DecisionInput) -> Decision:
        try:
            written = question.encoded
        except MalformedJson as error:
            return failure(self.revision, error.code)
        return self.replay(written)

    async def ask(self, question: DecisionInput) -> Decision:
        # Half a millisecond in this process: another thread would cost as much again.
        return self.decide(question)

    def trace(self, question: bytes) -> JSON:
        return self._module.evaluate(question, TRACE_ENTRYPOINT)

    def replay(self, recorded: bytes) -> Decision:
        try:
            return decision_from(self._module.evaluate(recorded), self.revision)
        except Unanswered as error:
            return failure(self.revision, error.code)

    async def look(self) -> Condition:
        if self._is_closed:
            return Condition("embedded", False, "closed")
        return Condition("embedded", True, "decides in this process")

    def close(self) -> None:
        self._is_closed = True
        self._module.close()

"""The embedded engine: the rulebook, compiled to WebAssembly by OPA itself, inside this process.

Rules that hold here:

* The module can do nothing but compute: it imports no builtin from Python, sees no clock, file or network.
* Each question has a time limit and each instance a memory limit. An instance that failed is thrown away.
* Any failure is a denial, and says in the log which kind of failure, never what was asked.
* ``opapywasm`` (and wasmtime below it: some 35 MB) is imported when an engine is made, not before.

Why this engine: docs/decisions/0003-embedded-engine.md.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from connector.policy.decision import Decision, decision_from, failure
from connector.policy.engine import Condition
from connector.policy.errors import EngineUnavailable
from connector.policy.input import DecisionInput
from connector.policy.rulebook import ENTRYPOINT, MAX_QUESTION_BYTES, Rulebook
from ledger.canonical import MalformedJson
from ledger.names import RulebookDigest

if TYPE_CHECKING:
    from opapywasm import OpaWasmPolicy

TIME_LIMIT_SECONDS: Final = 1.0
"""For one question. A usual one takes half a millisecond, one with 2,000 constraints some thirty."""

MEMORY_LIMIT_PAGES: Final = 1024
"""For one instance, in pages of 64 KiB: 64 MiB. A usual question needs less than one."""

INSTANCES: Final = 2
"""Questions decided at the same time; a further one waits, within the time limit."""

_MAX_ANSWER_BYTES: Final = 1 << 20

_log = logging.getLogger(__name__)


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
        try:
            from opapywasm import OpaWasmError, OpaWasmPolicy, PolicyConfig  # noqa: PLC0415 - 35 MB, see above
            from wasmtime import Trap, WasmtimeError  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable("opa-py-wasm is not installed") from error
        self._failures = (OpaWasmError, WasmtimeError, Trap, MemoryError)
        config = PolicyConfig(
            pool_size=instances,
            default_entrypoint=ENTRYPOINT,
            borrow_timeout_seconds=time_limit,
            max_input_bytes=MAX_QUESTION_BYTES,
            max_data_bytes=MAX_QUESTION_BYTES,
            max_result_bytes=_MAX_ANSWER_BYTES,
            max_cstring_scan_bytes=_MAX_ANSWER_BYTES,
            parse_raw_json_input=False,  # our own encoder wrote it; the module parses it anyway
            max_memory_pages=memory_pages,
            eval_timeout_seconds=time_limit,
        )
        try:
            self._policy: OpaWasmPolicy = OpaWasmPolicy.from_wasm_bytes(self._rulebook.wasm, config)
            self._policy.set_data(self._rulebook.data)
        except self._failures as error:
            raise EngineUnavailable("the rulebook's WebAssembly could not be loaded") from error
        if self._policy.builtins:
            raise EngineUnavailable("the rulebook asks for builtins outside the sandbox")
        _give_memory_back()

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

    def replay(self, recorded: bytes) -> Decision:
        try:
            answer = self._policy.evaluate(recorded)
        except self._failures as error:
            _log.warning("the policy engine failed: %s", type(error).__name__)
            return failure(self.revision, type(error).__name__)
        return decision_from(answer, self.revision)  # type: ignore[arg-type]  # UNDEFINED is no dict: denied

    async def look(self) -> Condition:
        if self._is_closed:
            return Condition("embedded", False, "closed")
        return Condition("embedded", True, "decides in this process")

    def close(self) -> None:
        self._is_closed = True
        self._policy.close()


def _give_memory_back() -> None:
    """Compiling frees some nine megabytes that glibc keeps unless it is asked for them."""
    import ctypes  # noqa: PLC0415 - wasmtime has loaded it, and nothing else needs it

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # malloc_trim(3); other C libraries have none
    if trim is not None:
        trim(0)

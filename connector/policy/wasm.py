"""One WebAssembly module that OPA compiled, in a sandbox with limits on time and memory.

Rules that hold here: the module imports no builtin from Python; an instance that failed is thrown away;
whatever goes wrong is :class:`~connector.policy.engine.Unanswered`, and the log says which kind of failure.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, cast

from connector.policy.engine import Unanswered
from connector.policy.errors import EngineUnavailable
from connector.policy.rulebook import MAX_QUESTION_BYTES, Rulebook
from connector.store.memory import give_memory_back
from ledger.canonical import JSON

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


class Module:
    """A rulebook's WebAssembly, loaded. Safe to call from several threads."""

    policy: OpaWasmPolicy

    def __init__(
        self,
        rulebook: Rulebook,
        entrypoint: str,
        *,
        time_limit: float = TIME_LIMIT_SECONDS,
        memory_pages: int = MEMORY_LIMIT_PAGES,
        instances: int = INSTANCES,
    ) -> None:
        """Load the module. Raises :class:`EngineUnavailable`."""
        try:
            from opapywasm import OpaWasmError, OpaWasmPolicy, PolicyConfig  # noqa: PLC0415 - 35 MB
            from wasmtime import Trap, WasmtimeError  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable("opa-py-wasm is not installed") from error
        self._failures = (OpaWasmError, WasmtimeError, Trap, MemoryError)
        config = PolicyConfig(
            pool_size=instances,
            default_entrypoint=entrypoint,
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
            self.policy = OpaWasmPolicy.from_wasm_bytes(rulebook.wasm, config)
            self.policy.set_data(rulebook.data)
        except self._failures as error:
            raise EngineUnavailable("the rulebook's WebAssembly could not be loaded") from error
        if self.policy.builtins:
            raise EngineUnavailable("the rulebook asks for builtins outside the sandbox")
        give_memory_back()  # compiling frees some nine megabytes

    def evaluate(self, question: bytes, entrypoint: str | None = None) -> JSON:
        """What the entry point, or another, says; "undefined" is no JSON. Raises ``Unanswered``."""
        try:
            return cast("JSON", self.policy.evaluate(question, entrypoint))
        except self._failures as error:
            _log.warning("the policy engine failed: %s", type(error).__name__)
            raise Unanswered(type(error).__name__) from error

    def close(self) -> None:
        """Let go of it; every later question is unanswered."""
        self.policy.close()

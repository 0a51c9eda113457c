"""A stock OPA binary as the engine: for whoever doubts a decision and has an OPA of their own.

Rules that hold here: the rulebook is handed over as a plain bundle, without our WebAssembly; `opa eval`
is run once a question, with a time limit, and sees the question on its standard input alone.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Final

from connector.policy.archive import pack
from connector.policy.decision import Decision, decision_from, failure
from connector.policy.engine import Condition, Engine, Unanswered
from connector.policy.errors import EngineUnavailable
from connector.policy.input import DecisionInput
from connector.policy.local import LOCAL_ENTRYPOINT, JoinedEngine, LocalRules
from connector.policy.rulebook import ENTRYPOINT, TRACE_ENTRYPOINT, WASM, Rulebook
from ledger.canonical import JSON, MalformedJson, decode
from ledger.names import RulebookDigest

TIME_LIMIT_SECONDS: Final = 60
_MAX_ANSWER_BYTES: Final = 1 << 20


class StockEngine:
    """Evaluates one rulebook with an ``opa`` binary."""

    def __init__(self, opa: Path, rulebook: Rulebook) -> None:
        """``opa`` is the binary. Raises :class:`EngineUnavailable` if there is none."""
        if not opa.is_file():
            raise EngineUnavailable("there is no opa binary of that name", next_step="Give its whole path.")
        self._opa = opa
        self._rulebook = rulebook

    @property
    def revision(self) -> RulebookDigest:
        return self._rulebook.revision

    def decide(self, question: DecisionInput) -> Decision:
        return self.replay(question.encoded)

    async def ask(self, question: DecisionInput) -> Decision:
        return self.decide(question)

    def replay(self, recorded: bytes) -> Decision:
        try:
            answer = evaluated(self._opa, self._rulebook, ENTRYPOINT, recorded)
        except Unanswered as error:
            return failure(self.revision, error.code)
        return decision_from(answer, self.revision)

    def trace(self, question: bytes) -> JSON:
        return evaluated(self._opa, self._rulebook, TRACE_ENTRYPOINT, question)

    async def look(self) -> Condition:
        return Condition("stock", True, "runs an opa binary for each question")

    def close(self) -> None:
        """There is nothing to let go of."""


class StockLocal:
    """Local rules, evaluated with an ``opa`` binary."""

    def __init__(self, opa: Path, rules: LocalRules) -> None:
        self._opa = opa
        self._rules = rules

    def evaluate(self, question: bytes) -> JSON:
        return evaluated(self._opa, self._rules.rulebook, LOCAL_ENTRYPOINT, question)

    async def evaluated(self, question: bytes) -> JSON:
        return self.evaluate(question)

    def close(self) -> None:
        """There is nothing to let go of."""


def stock_engine(opa: Path, rulebook: Rulebook, local: LocalRules | None) -> Engine:
    """An engine of a stock OPA binary. Raises :class:`EngineUnavailable`."""
    core = StockEngine(opa, rulebook)
    return core if local is None else JoinedEngine(core, local, StockLocal(opa, local))


def evaluated(opa: Path, rulebook: Rulebook, entrypoint: str, question: bytes) -> JSON:
    """What OPA says of a question. Raises ``Unanswered``."""
    query = "data." + entrypoint.replace("/", ".")
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "rulebook.tar.gz"
        bundle.write_bytes(pack({name: data for name, data in rulebook.files.items() if name != WASM}))
        options = ("--bundle", bundle, "--strict-builtin-errors", "--format=raw", "--stdin-input")
        try:
            done = subprocess.run(  # noqa: S603 - the binary that the caller named
                [opa, "eval", *options, query],
                input=question,
                capture_output=True,
                timeout=TIME_LIMIT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unanswered(type(error).__name__) from error
    if done.returncode != 0:
        raise Unanswered("opa-failed")
    try:
        return decode(done.stdout, max_bytes=_MAX_ANSWER_BYTES)
    except MalformedJson as error:
        raise Unanswered("answer-shape") from error

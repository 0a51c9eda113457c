"""What an engine is: the rulebook, and something that evaluates it.

An engine is stateless and gives the same answer to the same question, whichever engine it is. It never
raises for a question: whatever goes wrong inside is a denial (``ENGINE_ERROR``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from connector.policy.decision import Decision
from connector.policy.input import DecisionInput
from ledger.canonical import JSON
from ledger.names import RulebookDigest


class Unanswered(Exception):
    """A question to an engine has no answer. ``code`` is short and holds nothing that was asked."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Condition:
    """How an engine is. One that does not decide denies everything."""

    kind: str
    """``embedded`` or ``server``."""
    decides: bool
    found: str
    do: str = ""


class Engine(Protocol):
    """Decides questions under one rulebook. Safe to call from several threads."""

    @property
    def revision(self) -> RulebookDigest:
        """The digest of the rulebook that decides, as each record names it."""

    def decide(self, question: DecisionInput) -> Decision:
        """Decide; a denial for whatever goes wrong. Returns within the engine's time limit.

        May block that long: an event loop awaits :meth:`ask`.
        """

    async def ask(self, question: DecisionInput) -> Decision:
        """The same, without holding the event loop up while an engine elsewhere thinks."""

    def replay(self, recorded: bytes) -> Decision:
        """Decide a recorded question again, from its canonical JSON."""

    def trace(self, question: bytes) -> JSON:
        """The rulebook's own account of its answer (policies/trace.rego); may block as :meth:`decide` does.

        Local rules have no part in it. Raises :class:`Unanswered`, also under a rulebook that gives none.
        """

    async def look(self) -> Condition:
        """Whether it decides now; an engine elsewhere is asked, within its time limit."""

    def close(self) -> None:
        """Let go of memory and threads; every later question is denied."""

"""A participant's own rules: Rego in the package ``local``, which can only take away.

Rules that hold here:

* Their entry point is ``local.deny``, a set of codes. What is in it denies; nothing in it allows. The
  answer joins both: the core allows, and local rules do not deny. Where the core denies they are not asked.
* They have a digest of their own, made like the rulebook's, and every decision names both.
* They are numbered: a signature has no order, so a bundle with a lower number than one that was loaded
  before is refused, as one that is unsigned or altered is.
* Local rules that may read a moving field (now, counters, nonce) are not leased: their answer holds at its
  moment alone. Which fields they can read is found in their source, before they are compiled: every
  ``input`` in it must be followed by the name of a standing member, or they count as reading all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.archive import pack
from connector.policy.bundle import LOCAL_SCOPE, open_bundle
from connector.policy.decision import Decision, Reason, failure
from connector.policy.engine import Condition, Engine, Unanswered
from connector.policy.errors import BundleRefused, RulebookDamaged
from connector.policy.input import DecisionInput
from connector.policy.rulebook import MANIFEST, Rulebook
from connector.policy.server import ServerEngine
from connector.policy.wasm import Module
from ledger.canonical import JSON, JSONObject, MalformedJson, decode_object
from ledger.names import Milliseconds, RulebookDigest

LOCAL_ENTRYPOINT: Final = "local/deny"
LOCAL_RULE: Final = "LOCAL_RULE"
"""The reason's code when a local rule denies; its parameter ``code`` is the rule's own."""

MAX_CODES: Final = 32
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_STANDING: Final = re.compile(
    r"input\.(?:(?:agreement|consent|membership|policy|type|version)\b|request\.(?!nonce\b)[a-z_]+\b)"
)
_INPUT: Final = re.compile(r"\binput\b")


@dataclass(frozen=True)
class LocalRules:
    """One version of a participant's own rules."""

    rulebook: Rulebook
    number: int
    reads_moving: bool

    @property
    def revision(self) -> RulebookDigest:
        """The digest of what they say."""
        return self.rulebook.revision

    @classmethod
    def open(cls, bundle: bytes, keys: Mapping[str, ec.EllipticCurvePublicKey], newest: int) -> LocalRules:
        """Check who signed a bundle, and that it is not older than number ``newest``.

        Raises :class:`BundleRefused`.
        """
        open_bundle(bundle, keys, LOCAL_SCOPE)
        rules = cls.read(bundle)
        if rules.number < newest:
            raise BundleRefused(
                f"the local rules are number {rules.number}; number {newest} was loaded before"
            )
        return rules

    @classmethod
    def read(cls, bundle: bytes) -> LocalRules:
        """Read a bundle and check it against its own digests alone. Raises :class:`BundleRefused`."""
        try:
            rulebook = Rulebook.read(bundle)
            manifest = decode_object(rulebook.files[MANIFEST])
        except (RulebookDamaged, MalformedJson) as error:
            raise BundleRefused(error.message) from error
        metadata = manifest.get("metadata")
        number = metadata.get("number") if isinstance(metadata, dict) else None
        moving = metadata.get("reads_moving") if isinstance(metadata, dict) else None
        if manifest.get("roots") != ["local"] or not isinstance(number, int) or not isinstance(moving, bool):
            raise BundleRefused("the bundle holds something else than local rules")
        return cls(rulebook, number, moving)

    def packed(self) -> bytes:
        """The bundle without a signature, as it is kept for a replay."""
        return pack(self.rulebook.files)


@dataclass(frozen=True, slots=True)
class JoinedDecision(Decision):
    """A decision that local rules had a part in."""

    local_rules: str = ""

    def to_json(self) -> JSONObject:
        return {**Decision.to_json(self), "local_rules": self.local_rules}


class LocalEvaluator(Protocol):
    """Something that evaluates local rules. Both raise ``Unanswered``."""

    def evaluate(self, question: bytes) -> JSON:
        """What ``local.deny`` says; may block."""

    async def evaluated(self, question: bytes) -> JSON:
        """The same, on an event loop."""

    def close(self) -> None: ...


class JoinedEngine:
    """The core's engine and the participant's own rules: the core allows, and they do not deny."""

    def __init__(self, core: Engine, rules: LocalRules, evaluator: LocalEvaluator) -> None:
        self._core = core
        self._rules = rules
        self._evaluator = evaluator

    @property
    def revision(self) -> RulebookDigest:
        return self._core.revision

    @property
    def local_rules(self) -> RulebookDigest:
        """The digest of the local rules."""
        return self._rules.revision

    def decide(self, question: DecisionInput) -> Decision:
        core = self._core.decide(question)
        if not core.allow:
            return self._joined(core)
        return self._with_local(core, lambda: self._evaluator.evaluate(question.encoded), question.moving.now)

    def replay(self, recorded: bytes) -> Decision:
        core = self._core.replay(recorded)
        if not core.allow:
            return self._joined(core)
        return self._with_local(core, lambda: self._evaluator.evaluate(recorded), _now(recorded))

    def trace(self, question: bytes) -> JSON:
        return self._core.trace(question)

    async def ask(self, question: DecisionInput) -> Decision:
        core = await self._core.ask(question)
        if not core.allow:
            return self._joined(core)
        try:
            answer = await self._evaluator.evaluated(question.encoded)
        except Unanswered as error:
            return self._failed(error)
        return self._with_local(core, lambda: answer, question.moving.now)

    async def look(self) -> Condition:
        core = await self._core.look()
        if not core.decides:
            return core
        try:
            denials(await self._evaluator.evaluated(b"{}"))
        except Unanswered as error:
            return replace(core, decides=False, found=f"the local rules give no answer: {error.code}")
        return core

    def close(self) -> None:
        self._evaluator.close()
        self._core.close()

    def _with_local(self, core: Decision, answer: Callable[[], JSON], now: Milliseconds | None) -> Decision:
        try:
            codes = denials(answer())
        except Unanswered as error:
            return self._failed(error)
        until = now if self._rules.reads_moving else core.valid_until
        if not codes:
            return self._joined(core, until)
        reasons = tuple(Reason(LOCAL_RULE, None, {"code": code}) for code in codes)
        return JoinedDecision(
            allow=False,
            revision=core.revision,
            reasons=reasons,
            valid_until=until,
            depends_on=core.depends_on,
            local_rules=self.local_rules,
        )

    def _failed(self, error: Unanswered) -> Decision:
        return self._joined(failure(self.revision, f"local-{error.code}"))

    def _joined(self, core: Decision, until: Milliseconds | None = None) -> Decision:
        return JoinedDecision(
            allow=core.allow,
            revision=core.revision,
            reasons=core.reasons,
            obligations=core.obligations,
            row_filter=core.row_filter,
            column_mask=core.column_mask,
            counters=core.counters,
            valid_until=core.valid_until if until is None else until,
            depends_on=core.depends_on,
            local_rules=self.local_rules,
        )


def denials(answer: JSON) -> tuple[str, ...]:
    """The codes of an answer, sorted: engines list a set in different orders. Raises ``Unanswered``."""
    if not isinstance(answer, list) or len(answer) > MAX_CODES:
        raise Unanswered("answer-shape")
    codes = sorted(code for code in answer if isinstance(code, str) and _CODE.fullmatch(code))
    if len(codes) != len(answer):
        raise Unanswered("answer-code")
    return tuple(codes)


def reads_moving(sources: Mapping[str, bytes]) -> bool:
    """Whether rules may read a moving field: an ``input`` anywhere that is not plainly another's name."""
    for source in sources.values():
        code = source.decode("utf-8", "replace")
        if any(_STANDING.match(code, found.start()) is None for found in _INPUT.finditer(code)):
            return True
    return False


class EmbeddedLocal:
    """Local rules in this process."""

    def __init__(self, rules: LocalRules) -> None:
        """Load them. Raises ``EngineUnavailable``."""
        self._module = Module(rules.rulebook, LOCAL_ENTRYPOINT)

    def evaluate(self, question: bytes) -> JSON:
        return self._module.evaluate(question)

    async def evaluated(self, question: bytes) -> JSON:
        return self._module.evaluate(question)

    def close(self) -> None:
        self._module.close()


class ServerLocal:
    """Local rules in the OPA server that has the core's too."""

    def __init__(self, server: ServerEngine, rules: LocalRules) -> None:
        self._server = server
        self._rules = rules

    def evaluate(self, question: bytes) -> JSON:
        return self._server.evaluate(question, LOCAL_ENTRYPOINT, self._rules.revision)

    async def evaluated(self, question: bytes) -> JSON:
        return await self._server.evaluated(question, LOCAL_ENTRYPOINT, self._rules.revision)

    def close(self) -> None:
        """The engine hangs up."""


def _now(recorded: bytes) -> Milliseconds | None:
    facts = decode_object(recorded, max_bytes=1 << 22).get("facts")
    now = facts.get("now") if isinstance(facts, dict) else None
    return Milliseconds(now) if isinstance(now, int) else None

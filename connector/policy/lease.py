"""Leased decisions: the same question under the same rules has the same answer, for a bounded while.

Rules that hold here:

* The key is the digest of the whole question without its moving fields, and of the rules that answer it.
* What moves is bounded by the answer itself: ``valid_until`` bounds the clock, ``depends_on`` the counters.
  So a leased answer equals the one that the engine would give now; a property test shows it.
* A lease ends by the wall clock or the monotonic clock, whichever comes first. Any backward step of the
  wall clock ends all of them.
* A change of the agreement or its consents ends the leases of that agreement; a new membership list or
  rulebook ends all. A decision that was on its way when something ended is not leased.
* A denial is leased like a permission. An engine's failure is never leased.
* A lease reserves nothing: ``Decision.counters`` are reserved by the writer for every single release.

A hit costs a few microseconds. What was handed out is bounded in number; the oldest go first.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple

from connector.policy.decision import Decision
from connector.policy.engine import Engine
from connector.policy.input import CounterName, LeaseKey, Moving, Standing, counters_of
from ledger.ambient import Ambient
from ledger.names import AgreementId, LeafIndex, Milliseconds

LONGEST_MILLISECONDS: Final = 60_000
"""How long a decision is leased at most."""

CAPACITY: Final = 4096

_CLOCK_SLACK_MILLISECONDS: Final = 250
"""How far the wall clock may fall behind the monotonic one between two looks: slewing, not a step."""

_NO_COUNTERS: Final[Mapping[CounterName, int]] = MappingProxyType({})


@dataclass(slots=True, eq=False)
class Lease:
    """A decision that may be used again until it ends.

    ``cited`` is the leaf of the decision's record, once there is one: a release under the lease cites it
    together with the values at use. Whoever records the decision sets it.
    """

    decision: Decision
    agreement: AgreementId
    granted: Milliseconds
    ends: Milliseconds
    ends_monotonic: float
    cited: LeafIndex | None = None


class Answer(NamedTuple):
    """A decision, the values it was used at, and the lease it stands under.

    ``fresh`` is whether the engine was asked just now; ``lease`` is None when it cannot be leased.
    """

    decision: Decision
    moving: Moving
    lease: Lease | None
    fresh: bool


class Session(NamedTuple):
    """A standing question with its key and its counters, found once. Good under the rules of that time."""

    standing: Standing
    key: LeaseKey
    counters: tuple[CounterName, ...]


class _Look(NamedTuple):
    """What was found before an engine is asked: the answer under a lease, or how to ask for one."""

    engine: Engine
    moving: Moving
    monotonic: float
    generation: int
    answer: Answer | None


class LeasedEngine:
    """An engine whose decisions are leased. Safe to call from several threads."""

    def __init__(
        self,
        engine: Engine,
        ambient: Ambient,
        *,
        longest: int = LONGEST_MILLISECONDS,
        capacity: int = CAPACITY,
    ) -> None:
        """Lease decisions for at most ``longest`` milliseconds, at most ``capacity`` at a time."""
        self._engine = engine
        self._ambient = ambient
        self._longest = longest
        self._capacity = capacity
        self._leases: dict[LeaseKey, Lease] = {}
        self._guard = threading.Lock()
        self._generation = 0
        self._last_now = ambient.now()
        self._last_monotonic = ambient.monotonic()

    def __len__(self) -> int:
        return len(self._leases)

    def open(self, standing: Standing) -> Session:
        """Prepare a standing question, for a session or an exchange."""
        return Session(standing, standing.lease_key(self._engine.revision), counters_of(standing.policy))

    def decide(
        self, session: Session, counters: Mapping[CounterName, int] = _NO_COUNTERS, nonce: str | None = None
    ) -> Answer:
        """The answer now, from a lease if one holds, or else from the engine, which may take a while.

        ``counters`` are the uses so far of each of ``counters_of(policy)``; the clock is read here.
        """
        look = self._look(session, counters, nonce)
        if look.answer is not None:
            return look.answer
        return self._take(session, look, look.engine.decide(session.standing.at(look.moving)))

    async def ask(
        self, session: Session, counters: Mapping[CounterName, int] = _NO_COUNTERS, nonce: str | None = None
    ) -> Answer:
        """The same, on an event loop: an engine elsewhere does not hold it up."""
        look = self._look(session, counters, nonce)
        if look.answer is not None:
            return look.answer
        return self._take(session, look, await look.engine.ask(session.standing.at(look.moving)))

    def switch(self, engine: Engine) -> None:
        """Go on with another engine or rulebook. Every lease ends; open sessions again for new keys."""
        with self._guard:
            self._engine = engine
            self._end_all()

    def end_agreement(self, agreement: AgreementId) -> None:
        """End the leases of one agreement: it ended or changed, or a consent under it did."""
        with self._guard:
            self._generation += 1
            self._leases = {k: lease for k, lease in self._leases.items() if lease.agreement != agreement}

    def end_all(self) -> None:
        """End every lease: there is another membership list or rulebook, or the clock stepped back."""
        with self._guard:
            self._end_all()

    def _end_all(self) -> None:
        self._generation += 1
        self._leases.clear()

    def _read_clocks(self) -> tuple[Milliseconds, float]:
        now, monotonic = self._ambient.now(), self._ambient.monotonic()
        passed = (monotonic - self._last_monotonic) * 1000
        if now < self._last_now or now - self._last_now < passed - _CLOCK_SLACK_MILLISECONDS:
            self._end_all()
        self._last_now, self._last_monotonic = now, monotonic
        return now, monotonic

    def _look(self, session: Session, counters: Mapping[CounterName, int], nonce: str | None) -> _Look:
        with self._guard:
            now, monotonic = self._read_clocks()
            lease = self._leases.get(session.key)
            engine, generation = self._engine, self._generation
        moving = Moving(now, counters, nonce)
        held = lease is not None and _holds(lease, moving, monotonic)
        answer = Answer(lease.decision, moving, lease, fresh=False) if lease is not None and held else None
        return _Look(engine, moving, monotonic, generation, answer)

    def _take(self, session: Session, look: _Look, decision: Decision) -> Answer:
        lease = self._grant(session, look.moving, look.monotonic, decision, look.generation)
        return Answer(decision, look.moving, lease, fresh=True)

    def _grant(
        self, session: Session, moving: Moving, monotonic: float, decision: Decision, generation: int
    ) -> Lease | None:
        ends = moving.now + self._longest
        if decision.valid_until is not None:
            ends = min(ends, decision.valid_until)
        lease = Lease(
            decision=decision,
            agreement=session.standing.agreement.id,
            granted=moving.now,
            ends=Milliseconds(ends),
            ends_monotonic=monotonic + (ends - moving.now) / 1000,
        )
        if decision.failed or not _holds(lease, moving, monotonic):
            return None
        if any(name not in moving.counters for name in session.counters):
            return None  # denied for want of a fact that may be there next time
        with self._guard:
            if generation != self._generation:
                return None
            self._leases.pop(session.key, None)
            while len(self._leases) >= self._capacity:
                del self._leases[next(iter(self._leases))]
            self._leases[session.key] = lease
        return lease


def _holds(lease: Lease, moving: Moving, monotonic: float) -> bool:
    return (
        lease.granted <= moving.now < lease.ends
        and monotonic < lease.ends_monotonic
        and all(bound.holds(moving.counters) for bound in lease.decision.depends_on)
    )

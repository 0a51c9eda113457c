"""Where custody of the data stands in an exchange, from what was signed.

Rules that hold here (LEDGER.md section 3):

* Custody passes to the consumer up to the frame that its signed Ack names, and by nothing else. The
  digest in it runs over all that came before, so an Ack reaches back over earlier windows too.
* What was rejected, cut off or declared discarded by the consumer's Resume stays with the provider.
* Silence proves nothing. For T after a Commit its window is *pending*; after that, or once either
  party disputes it, it is *undetermined*, until an Ack, Reject, Cut or Resume settles it.
* A dispute is one party's word: it unsettles what was not acknowledged, and undoes no signed Ack.
* Whoever may hold data is told of withdrawals and breaches: every window that was committed to has
  the consumer as a possible holder, whatever the custody line says.
* Frames and windows count from 1; an Ack of frame 0 says that no frame of the window was stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from connector.contract.errors import ContradictoryFacts
from connector.contract.liability import Role
from ledger.names import Milliseconds


@dataclass(frozen=True, slots=True)
class Committed:
    """The provider's signed Commit of a window, with ``frames`` frames."""

    attempt: int
    window: int
    frames: int
    at: Milliseconds


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The consumer's signed Ack: stored and synced up to ``frame``, with every window before it."""

    attempt: int
    window: int
    frame: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The consumer's signed Reject: ``frame`` is not what was committed to; nothing from it on was kept."""

    attempt: int
    window: int
    frame: int


@dataclass(frozen=True, slots=True)
class CutOff:
    """The provider's signed Cut: nothing after ``frame`` of this window left, and no later window."""

    attempt: int
    window: int
    frame: int


@dataclass(frozen=True, slots=True)
class Discarded:
    """The consumer's signed Resume of ``attempt``: whatever earlier attempts left unacknowledged is gone."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Disputed:
    """Either party's signed dispute of a window."""

    attempt: int
    window: int


@dataclass(frozen=True, slots=True)
class Received:
    """The consumer's signed Receipt: the exchange is over, its totals are what was acknowledged."""


Fact: TypeAlias = Committed | Acknowledged | Rejected | CutOff | Discarded | Disputed | Received


class Holder(StrEnum):
    """Who has custody of some frames."""

    CONSUMER = "consumer"
    PROVIDER = "provider"
    PENDING = "pending"
    """With the provider for now: sent less than T ago, not yet answered."""
    UNDETERMINED = "undetermined"


@dataclass(frozen=True, slots=True)
class Span:
    """Frames ``first`` to ``last`` of one window, both included, with one holder and the reason."""

    attempt: int
    window: int
    first: int
    last: int
    holder: Holder
    reason: str


@dataclass(frozen=True, slots=True)
class Custody:
    """The liability line of one exchange."""

    spans: tuple[Span, ...]
    possible_holder: tuple[tuple[int, int], ...]
    """(attempt, window) in which the consumer is treated as a possible holder for protective messages."""
    receipted: bool
    """Whether the consumer signed a Receipt over the whole exchange."""

    @property
    def determined(self) -> bool:
        """Whether no frame's custody is undetermined."""
        return all(span.holder is not Holder.UNDETERMINED for span in self.spans)

    @property
    def line(self) -> tuple[int, int, int] | None:
        """(attempt, window, frame) up to which the consumer has custody; None before the first Ack."""
        held = [span for span in self.spans if span.holder is Holder.CONSUMER]
        return (held[-1].attempt, held[-1].window, held[-1].last) if held else None

    def answers(self, attempt: int, window: int, frame: int) -> Role | None:
        """Who had custody of a frame; None where that is undetermined or the frame was never committed to."""
        for span in self.spans:
            if (span.attempt, span.window) == (attempt, window) and span.first <= frame <= span.last:
                if span.holder is Holder.UNDETERMINED:
                    return None
                return Role.CONSUMER if span.holder is Holder.CONSUMER else Role.PROVIDER
        return None


@dataclass(slots=True)
class _Window:
    frames: int
    at: Milliseconds
    acknowledged: int = 0
    rejected: int | None = None
    cut: int | None = None
    disputed: bool = False

    @property
    def most(self) -> int:
        """The last frame that can still be acknowledged."""
        rejected = self.frames if self.rejected is None else self.rejected - 1
        return min(rejected, self.frames if self.cut is None else self.cut)


@dataclass(slots=True)
class _Windows:
    found: dict[tuple[int, int], _Window] = field(default_factory=dict)
    resumed: int = 0
    receipted: bool = False
    ended: set[int] = field(default_factory=set)
    """Attempts that a Cut ended."""

    def of(self, fact: Acknowledged | Rejected | Disputed) -> _Window:
        window = self.found.get((fact.attempt, fact.window))
        if window is None:
            raise ContradictoryFacts("a window is answered that was never committed to", field="window")
        return window

    def require_open(self, attempt: int) -> None:
        if attempt in self.ended:
            raise ContradictoryFacts("a Cut had ended the attempt", field="attempt")


def custody(facts: Iterable[Fact], *, now: Milliseconds, acknowledge_seconds: int) -> Custody:
    """The custody line at ``now``, from the facts of one exchange in the order of the log.

    ``acknowledge_seconds`` is T of the agreement. Does not check signatures or digests: a fact is
    what a verified message said. Raises :class:`~connector.contract.errors.ContradictoryFacts`.
    """
    windows = _Windows()
    for fact in facts:
        _take(windows, fact)
    spans: list[Span] = []
    for (attempt, number), window in sorted(windows.found.items()):
        overdue = now - window.at > acknowledge_seconds * 1000
        discarded = attempt < windows.resumed
        spans += _spans(attempt, number, window, overdue=overdue, discarded=discarded)
    return Custody(tuple(spans), tuple(sorted(windows.found)), windows.receipted)


def _take(windows: _Windows, fact: Fact) -> None:
    match fact:
        case Committed():
            if (fact.attempt, fact.window) in windows.found:
                raise ContradictoryFacts("two Commits for one window prove equivocation", field="window")
            windows.require_open(fact.attempt)
            windows.found[fact.attempt, fact.window] = _Window(fact.frames, fact.at)
        case Acknowledged():
            _acknowledge(windows, fact)
        case Rejected():
            window = windows.of(fact)
            _require_frame(fact.frame, window.acknowledged + 1, window.most)
            window.rejected = fact.frame
        case CutOff():
            _cut(windows, fact)
        case Discarded():
            windows.resumed = max(windows.resumed, fact.attempt)
        case Disputed():
            windows.of(fact).disputed = True
        case Received():
            windows.receipted = True


def _acknowledge(windows: _Windows, fact: Acknowledged) -> None:
    windows.of(fact)
    for (attempt, number), window in windows.found.items():
        if attempt == fact.attempt and number <= fact.window:
            frame = fact.frame if number == fact.window else window.frames
            _require_frame(frame, window.acknowledged, window.most)
            window.acknowledged = frame


def _cut(windows: _Windows, fact: CutOff) -> None:
    windows.require_open(fact.attempt)
    windows.ended.add(fact.attempt)
    for (attempt, number), window in windows.found.items():
        if attempt != fact.attempt or number < fact.window:
            continue
        frame = fact.frame if number == fact.window else 0
        _require_frame(frame, window.acknowledged, window.frames)
        window.cut = frame


def _require_frame(frame: int, least: int, most: int) -> None:
    if not least <= frame <= most:
        raise ContradictoryFacts("a frame is answered that cannot be in its window", field="frame")


def _spans(attempt: int, number: int, window: _Window, *, overdue: bool, discarded: bool) -> Sequence[Span]:
    edges = [(window.acknowledged, (Holder.CONSUMER, "ACKNOWLEDGED"))]
    if window.rejected is not None:
        edges.append((window.frames, (Holder.PROVIDER, "REJECTED")))
    elif discarded:
        edges.append((window.frames, (Holder.PROVIDER, "DISCARDED")))
    else:
        if window.cut is None or window.cut > window.acknowledged:
            edges.append((window.frames if window.cut is None else window.cut, _open(window, overdue)))
        if window.cut is not None:
            edges.append((window.frames, (Holder.PROVIDER, "CUT")))
    spans, last = [], 0
    for edge, (holder, reason) in edges:
        if edge > last:
            spans.append(Span(attempt, number, last + 1, edge, holder, reason))
            last = edge
    return spans


def _open(window: _Window, overdue: bool) -> tuple[Holder, str]:
    if window.disputed:
        return Holder.UNDETERMINED, "DISPUTED"
    return (Holder.UNDETERMINED, "SILENCE") if overdue else (Holder.PENDING, "SENT")

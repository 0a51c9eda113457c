"""How long data is used: the exchanges that are open under each agreement, and for how long they have been.

Rules that hold here:

* The provider measures, by the monotonic clock, from the Accept until the exchange ends or breaks off. Two
  that are open at once count twice. Parts of a millisecond are kept for the next look.
* What is taken here is added to the agreement's counters of time in the writer's transaction
  (``counters``). Where that transaction is undone, nothing was taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from ledger.names import AgreementId, ExchangeId


@dataclass(slots=True)
class _Running:
    names: tuple[str, ...]
    """The counters that its time is added to: those of the permission that it runs under."""
    since: float

    def passed(self, at: float) -> int:
        return max(0, int((at - self.since) * 1000))


class Meters:
    """The exchanges that are open, each with the moment up to which its time was taken. Thread-safe."""

    def __init__(self) -> None:
        self._open: dict[AgreementId, dict[ExchangeId, _Running]] = {}
        self._lock = Lock()

    def begin(self, agreement: AgreementId, exchange: ExchangeId, names: Iterable[str], at: float) -> None:
        """An exchange was accepted ``at`` a moment of the monotonic clock: its time runs."""
        names = tuple(names)
        if names:
            with self._lock:
                self._open.setdefault(agreement, {})[exchange] = _Running(names, at)

    @contextmanager
    def taking(
        self, agreement: AgreementId, exchange: ExchangeId, names: Iterable[str], at: float
    ) -> Iterator[Mapping[str, int]]:
        """The milliseconds since the last taking of all exchanges under an agreement, by counter.

        From now on the time of ``exchange`` is added to the counters ``names``. On an error all stays.
        """
        with self._lock:
            running = self._open.get(agreement, {})
            passed = {each: meter.passed(at) for each, meter in running.items()}
            yield _by_name((running[each], milliseconds) for each, milliseconds in passed.items())
            for each, milliseconds in passed.items():
                running[each].since += milliseconds / 1000
            if exchange in running:
                running[exchange].names = tuple(names)

    def end(self, agreement: AgreementId, exchange: ExchangeId, at: float) -> Mapping[str, int]:
        """The exchange ended or broke off: the milliseconds since its last taking, by counter."""
        with self._lock:
            running = self._open.get(agreement, {})
            meter = running.pop(exchange, None)
            if not running:
                self._open.pop(agreement, None)
            return {} if meter is None else _by_name([(meter, meter.passed(at))])


def _by_name(passed: Iterable[tuple[_Running, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for meter, milliseconds in passed:
        total.update(dict.fromkeys(meter.names, milliseconds))
    return total

"""One attempt at a time: two that receive the same exchange would write over each other's parts.

Rules that hold here: this process alone works on a home, so it is enough to know what it has under
way itself. The provider's side needs none of this: there a later attempt ends the one before
(``connector.exchange.admission.require_latest``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import BylagError, ErrorKind
from ledger.names import ExchangeId


class AttemptUnderWay(BylagError):
    """An exchange is being received already."""

    code = "ATTEMPT_UNDER_WAY"
    kind = ErrorKind.CONFLICT
    default_next_step = "Wait until it has ended; `bylag deliveries` shows how far it came."


class Attempts:
    """The exchanges that this process is receiving."""

    def __init__(self) -> None:
        self._under_way: set[ExchangeId] = set()

    @contextmanager
    def alone(self, exchange: ExchangeId) -> Iterator[None]:
        """Receive an exchange while the block runs. Raises :class:`AttemptUnderWay`."""
        if exchange in self._under_way:
            raise AttemptUnderWay("this exchange is being received", field="exchange")
        self._under_way.add(exchange)
        try:
            yield
        finally:
            self._under_way.discard(exchange)

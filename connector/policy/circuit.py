"""A circuit that opens when a server is gone, so that nobody waits for it in vain.

Rules that hold here:

* After :data:`FAILURES` failures in a row the circuit is open: nothing is asked, all is denied at once.
* After :data:`PAUSE_SECONDS` one question is let through; its answer closes the circuit, its failure
  opens it for as long again.
"""

from __future__ import annotations

import threading
from typing import Final

from ledger.ambient import Ambient

FAILURES: Final = 3
PAUSE_SECONDS: Final = 5.0


class Circuit:
    """Counts failures. Safe to use from several threads."""

    def __init__(self, ambient: Ambient) -> None:
        self._ambient = ambient
        self._guard = threading.Lock()
        self._failures = 0
        self._again = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the server counts as gone."""
        return self._failures >= FAILURES

    def lets_through(self) -> bool:
        """Whether a question may be asked now; while the circuit is open, one each pause."""
        with self._guard:
            if not self.is_open:
                return True
            now = self._ambient.monotonic()
            if now < self._again:
                return False
            self._again = now + PAUSE_SECONDS
            return True

    def answered(self) -> None:
        """The server gave an answer."""
        with self._guard:
            self._failures = 0

    def failed(self) -> None:
        """The server gave none."""
        with self._guard:
            self._failures += 1
            self._again = self._ambient.monotonic() + PAUSE_SECONDS

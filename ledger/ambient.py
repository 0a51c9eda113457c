"""The one door through which time, randomness and fresh ids come in.

Nothing else in the house calls ``time``, ``os.urandom`` or ``uuid``: a test that holds an
``Ambient`` holds the clock and the dice. Order and periods go by :meth:`Ambient.now`,
durations by :meth:`Ambient.monotonic`, which never steps back.
"""

from __future__ import annotations

import os
import time
from typing import Protocol

from ledger.names import Milliseconds


class Ambient(Protocol):
    """Where time and randomness come from."""

    def now(self) -> Milliseconds:
        """Wall-clock milliseconds since the Unix epoch; may step either way."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never steps back."""

    def random(self, size: int) -> bytes:
        """``size`` bytes that nobody can guess."""


class SystemAmbient:
    """The operating system's clock and random generator."""

    def now(self) -> Milliseconds:
        return Milliseconds(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        return time.monotonic()

    def random(self, size: int) -> bytes:
        return os.urandom(size)


class HeldAmbient:
    """A clock and dice that a test holds: time moves only when told, bytes follow from a seed."""

    def __init__(self, now: int = 1_767_225_600_000, seed: int = 1) -> None:
        import random

        self._now = now
        self._monotonic = 0.0
        self._dice = random.Random(seed)

    def now(self) -> Milliseconds:
        return Milliseconds(self._now)

    def monotonic(self) -> float:
        return self._monotonic

    def random(self, size: int) -> bytes:
        return self._dice.randbytes(size)

    def advance(self, milliseconds: int) -> None:
        """Let time pass: both clocks move forward."""
        self._now += milliseconds
        self._monotonic += milliseconds / 1000

    def step(self, milliseconds: int) -> None:
        """Set the wall clock forward or back, as an operator or NTP would; durations do not notice."""
        self._now += milliseconds


def fresh_id(ambient: Ambient) -> str:
    """An opaque id of 128 random bits, as 32 hexadecimal digits."""
    return ambient.random(16).hex()

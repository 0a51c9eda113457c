"""Rows that came and were not sent yet: the window of a subscription while it fills.

Rules that hold here (LEDGER.md section 3, "Subscribe"): a window closes at 8 MiB, or one second
after its first row. What several appends brought is joined into frames of at most 1 MiB, which end
at a row's end like the pieces they are made of. What does not fit waits in the table, for the next
window.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from connector.exchange.messages import MAX_FRAME_BYTES, MAX_WINDOW_BYTES
from connector.exchange.windows import Piece

WINDOW_SECONDS: Final = 1.0


@dataclass(slots=True)
class Joined:
    """Pieces that follow one another, as one."""

    parts: list[bytes | memoryview] = field(repr=False)
    size: int
    rows: int
    position: int
    people: list[str] | None = field(repr=False)

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    @property
    def subjects(self) -> list[str] | None:
        """Whom the rows are about."""
        return self.people

    def join(self, piece: Piece) -> None:
        """Put a piece behind."""
        self.parts.append(piece.data)
        self.size += len(piece.data)
        self.rows += piece.rows
        self.position = piece.position
        if self.people is not None:
            self.people.extend(piece.subjects or ())


class Gathering:
    """The rows from a position on, up to a window's worth of them."""

    def __init__(self, start: int) -> None:
        self.next = start
        """Source position to read on from."""
        self.frames: list[Joined] = []
        self.is_full = False
        self._size = 0
        self._first: float | None = None

    def take(self, pieces: Iterable[Piece], until: int, now: float) -> None:
        """Take what fits of the pieces from :attr:`next` up to position ``until``; ``now`` is monotonic."""
        for piece in pieces:
            if self._size + len(piece.data) > MAX_WINDOW_BYTES:
                self.is_full = True
                return
            self._add(piece)
            self._first = now if self._first is None else self._first
        # A position after the beginning says that the header has left, and so it must have.
        if self.next or self.frames:
            self.next = until

    def seconds_left(self, now: float) -> float | None:
        """How long the window may still stay open; None before its first row."""
        if self._first is None:
            return None
        return 0.0 if self.is_full else max(0.0, self._first + WINDOW_SECONDS - now)

    def _add(self, piece: Piece) -> None:
        self._size += len(piece.data)
        last = self.frames[-1] if self.frames else None
        if last is not None and last.size + len(piece.data) <= MAX_FRAME_BYTES:
            last.join(piece)
        else:
            people = None if piece.subjects is None else list(piece.subjects)
            self.frames.append(Joined([piece.data], len(piece.data), piece.rows, piece.position, people))
        self.next = piece.position

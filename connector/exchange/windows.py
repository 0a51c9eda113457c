"""Cutting a dataset version into windows.

A window is produced in full, at most 8 MiB, before its Commit is signed: its frames, their running
digests under the window's fresh key, and where in the source the next window starts. Reading and
hashing happen on a thread; the next window is made while the current one is on its way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.exchange.digest import FrameKey, RunningDigest, after_frame, fresh_key
from connector.exchange.labels import WindowLabels, root_of
from connector.exchange.messages import MAX_FRAME_BYTES, MAX_WINDOW_BYTES
from ledger.ambient import Ambient


class Piece(Protocol):
    """What a source yields: at most 1 MiB, ending at a row's end in tables (``connector.source``)."""

    @property
    def data(self) -> bytes | memoryview: ...

    @property
    def rows(self) -> int: ...

    @property
    def position(self) -> int: ...

    @property
    def subjects(self) -> Sequence[str] | None:
        """Whom the rows are about, one entry a row in order; None for data about nobody."""


class Labelling(Protocol):
    """Gives a window of rows about people its labels (``connector.exchange.labels``)."""

    def window(self, number: int, key: FrameKey, frames: Sequence[Sequence[str]]) -> WindowLabels:
        """From the subjects of each frame's rows."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window ready to be committed to."""

    number: int
    key: FrameKey
    start_digest: RunningDigest
    """D before the window's first frame."""
    start_position: int
    frames: tuple[bytes | memoryview, ...]
    digests: tuple[RunningDigest, ...]
    frame_rows: tuple[int, ...]
    frame_positions: tuple[int, ...]
    labelled: WindowLabels | None = None
    """The labels first seen in it; None for data about nobody."""

    @property
    def labels(self) -> str | None:
        """Root over them, hexadecimal."""
        return root_of(self.labelled)

    @property
    def rows(self) -> int:
        return sum(self.frame_rows)

    @property
    def size(self) -> int:
        """Bytes of all frames."""
        return sum(len(frame) for frame in self.frames)

    @property
    def position(self) -> int:
        """Source position after the window."""
        return self.frame_positions[-1] if self.frames else self.start_position

    @property
    def digest(self) -> RunningDigest:
        """D after the window's last frame."""
        return self.digests[-1] if self.digests else self.start_digest


class WindowMaker:
    """Makes an exchange's windows one after another, from where the last Ack stands."""

    def __init__(
        self,
        pieces: Iterator[Piece],
        *,
        digest: RunningDigest,
        number: int,
        position: int,
        ambient: Ambient,
        window_bytes: int = MAX_WINDOW_BYTES,
        labels: Labelling | None = None,
    ) -> None:
        self._pieces = pieces
        self._digest = digest
        self._number = number
        self._position = position
        self._made = False
        self._ambient = ambient
        self._window_bytes = window_bytes
        self._labels = labels
        self._held: Piece | None = None

    def next(self) -> Window | None:
        """The next window, or None when the source is exhausted. Blocks; call it on a thread.

        An empty source gives one window without frames, so that there is something to sign.
        """
        taken = self._take()
        if not taken and self._made:
            return None
        self._made = True
        key = fresh_key(self._ambient)
        start_digest, start_position = self._digest, self._position
        digests = []
        for piece in taken:
            self._digest = after_frame(self._digest, key, piece.data)
            digests.append(self._digest)
        self._number += 1
        self._position = taken[-1].position if taken else self._position
        return Window(
            number=self._number,
            key=key,
            start_digest=start_digest,
            start_position=start_position,
            frames=tuple(piece.data for piece in taken),
            digests=tuple(digests),
            frame_rows=tuple(piece.rows for piece in taken),
            frame_positions=tuple(piece.position for piece in taken),
            labelled=self._label(key, taken),
        )

    def _label(self, key: FrameKey, taken: list[Piece]) -> WindowLabels | None:
        if self._labels is None:
            return None
        return self._labels.window(self._number, key, [_subjects(piece) for piece in taken])

    def _take(self) -> list[Piece]:
        taken: list[Piece] = []
        size = 0
        while (piece := self._held or next(self._pieces, None)) is not None:
            if len(piece.data) > MAX_FRAME_BYTES:
                raise ValueError("a source yielded a piece beyond 1 MiB")
            if taken and size + len(piece.data) > self._window_bytes:
                self._held = piece
                break
            self._held = None
            taken.append(piece)
            size += len(piece.data)
        return taken


def _subjects(piece: Piece) -> Sequence[str]:
    """Whom each row is about. A row about people without a subject is no row that may leave."""
    if piece.subjects is None or len(piece.subjects) != piece.rows:
        raise ValueError("a source yielded rows about people without saying whom each is about")
    return piece.subjects

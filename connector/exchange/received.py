"""The labels in rows that were received: the consumer computes the sets itself.

Rules that hold here (LEDGER.md section 2): every row about people carries its label in the transport
column; the set over them is what a Commit, Cut or End must have said, or it is rejected. Whatever
cannot be read as such rows is no set at all, and equal to none.
"""

from __future__ import annotations

import asyncio
import csv
import re
from collections.abc import Iterable, Sequence
from typing import Final

from connector.exchange.digest import FrameKey
from connector.exchange.labels import AllLabels, LabelSets, WindowLabels, people_member, root_of, store
from connector.exchange.messages import Commit, Cut
from connector.source.delimited import Delimited
from connector.source.jsonlines import MEDIA_TYPE as JSON_LINES
from connector.source.jsonlines import read_object
from connector.source.manifest import CSV
from connector.source.schema import LABEL_COLUMN
from connector.store.writer import Transaction
from ledger.canonical import JSONObject
from ledger.errors import BylagError, ErrorKind

_LABEL: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


class NoLabels(BylagError):
    """Rows about people came without their labels, or in a form in which nobody can look for them."""

    code = "NO_LABELS"
    kind = ErrorKind.CONFLICT
    default_next_step = "Both logs hold what was sent. Ask the provider, or end the agreement with a reason."


class Received:
    """The labels of one exchange at the consumer, in one attempt. For data about nobody it has none."""

    def __init__(
        self, media_type: str = "", acknowledged: Iterable[bytes] | None = None, *, header: bool = False
    ) -> None:
        """``acknowledged``: labels in windows acknowledged before; None for data about nobody.

        ``header``: the first frame of a CSV table begins with one. Raises :class:`NoLabels`.
        """
        if acknowledged is not None and media_type not in (CSV, JSON_LINES):
            raise NoLabels("rows about people come as CSV or JSON Lines", field="media_type")
        self._sets = None if acknowledged is None else LabelSets(acknowledged)
        self._media_type = media_type
        self._header = header and media_type == CSV
        self._frames: list[list[bytes]] = []
        self._is_broken = False
        self._unsigned: dict[int, WindowLabels] = {}

    async def frames(self, data: Iterable[bytes | memoryview]) -> None:
        """The frames of the window that is coming, or its first ones."""
        if self._sets is not None:
            self._frames.extend(await asyncio.to_thread(lambda: [self._read(bytes(each)) for each in data]))

    async def agrees(self, said: Commit | Cut, key: FrameKey) -> bool:
        """Whether the frames since the last window hold the set that was said, a label in each row."""
        root = said.labels if isinstance(said, Commit) else said.window_labels
        if self._sets is None:
            return root is None
        frames, self._frames = self._frames, []
        found = await asyncio.to_thread(self._sets.window, said.window, key, frames)
        self._unsigned[said.window] = found
        return (found.root, sum(map(len, frames))) == (root, said.rows) and not self._is_broken

    def is_last(self, cut: Cut) -> bool:
        """Whether a Cut behind a whole window says that window's set."""
        last = None if self._sets is None else self._sets.get(cut.window)
        return cut.window_labels == root_of(last)

    async def everything(self, number: int) -> AllLabels | None:
        """All labels up to a window of this attempt."""
        last = None if self._sets is None else self._sets.get(number)
        if self._sets is None or last is None:
            return None
        return await asyncio.to_thread(self._sets.everything, last)

    def sign(self, transaction: Transaction, place: tuple[str, int], part: str, number: int) -> JSONObject:
        """Keep a window's set in the transaction that signs for it; what its record says of people."""
        found = self._unsigned.get(number)
        store(transaction, place, part, found, acknowledged=True)
        return people_member(found)

    def settle(self, number: int) -> None:
        """What was signed for a window is durable."""
        self._unsigned.pop(number, None)
        if self._sets is not None:
            self._sets.settle(number)

    def _read(self, data: bytes) -> list[bytes]:
        header, self._header = self._header, False
        try:
            return labels_in(data, self._media_type, header=header)
        except NoLabels:
            # Told at the window's end: first the bytes are compared with what was committed to.
            self._is_broken = True
            return []


def labels_in(data: bytes, media_type: str, *, header: bool) -> list[bytes]:
    """The label of each row in a frame, in order. Raises :class:`NoLabels`."""
    found = _last_cells(data, header=header) if media_type == CSV else _members(data)
    if not all(isinstance(label, str) and _LABEL.fullmatch(label) for label in found):
        raise NoLabels("a row carries no label of 16 bytes")
    return [bytes.fromhex(str(label)) for label in found]


def _last_cells(data: bytes, *, header: bool) -> Sequence[object]:
    try:
        rows = Delimited().parse(data)
    except (csv.Error, UnicodeDecodeError) as error:
        raise NoLabels("a frame is not CSV") from error
    if header and (not rows or rows.pop(0)[-1] != LABEL_COLUMN):
        raise NoLabels("the header does not end with the labels' column")
    return [cells[-1] for cells in rows]


def _members(data: bytes) -> Sequence[object]:
    try:
        lines = data.decode().split("\n")
    except UnicodeDecodeError as error:
        raise NoLabels("a frame is not JSON Lines") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(read_object(line, number, f"line {number}").get(LABEL_COLUMN))
            except BylagError as error:
                raise NoLabels("a frame is not JSON Lines") from error
    return found

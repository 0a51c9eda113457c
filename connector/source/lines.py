"""A file as lines of text, read once, in bounded memory, with the place of everything known.

Rules that hold here:

* UTF-8, with or without a byte-order mark; ``\\n``, ``\\r\\n`` and ``\\r`` end a line. Nothing is
  changed: the lines' bytes, put together, are the file.
* A NUL byte, a byte that is not UTF-8, and a row beyond :data:`MAX_ROW_BYTES` are refused where
  they stand, before more of the file is read: an endless line never fills the memory.
* Compressed files are recognised by their first bytes and refused; nothing is ever unpacked.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Callable, Iterator
from typing import Final

from connector.source.errors import (
    BadRow,
    PublishCancelled,
    RowTooLarge,
    SourceChanged,
    SourceEmpty,
    SourcePacked,
    WrongEncoding,
)

MAX_PIECE_BYTES: Final = 1 << 20
"""A frame of an exchange is at most 1 MiB, and in tables ends at a row's end."""
MAX_ROW_BYTES: Final = MAX_PIECE_BYTES
BLOCK_BYTES: Final = 1 << 20

_PACKED: Final = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip (or a spreadsheet)",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet or document",
}


class Watch:
    """How whoever started a long piece of work follows it, and stops it.

    ``progress(stage, done, total)`` is called about once a mebibyte; ``cancelled()`` is asked as
    often, and when it says yes the work ends with
    :class:`~connector.source.errors.PublishCancelled` and nothing is kept.
    """

    def __init__(
        self,
        progress: Callable[[str, int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> None:
        self._progress = progress
        self._cancelled = cancelled

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled is not None and self._cancelled()

    def tick(self, stage: str, done: int, total: int) -> None:
        """Report, and stop if asked to."""
        if self.is_cancelled:
            raise PublishCancelled(f"cancelled at stage {stage!r}")
        if self._progress is not None:
            self._progress(stage, done, total)


class Lines:
    """The lines of the bytes from ``start`` to ``stop`` of an open file.

    Iterating hands out one line at a time. ``offset`` is the file position after the line last
    handed out, ``number`` its number from 1. Whoever assembles rows sets ``row`` (the number of the
    row being read, 0 for the header) and ``row_start``, so that errors can name the place.
    """

    def __init__(self, descriptor: int, start: int, stop: int, watch: Watch, stage: str) -> None:
        if start == 0 and os.pread(descriptor, len(codecs.BOM_UTF8), 0) == codecs.BOM_UTF8:
            start = len(codecs.BOM_UTF8)  # part of the file's bytes, and of no line
        self._descriptor = descriptor
        self._start = start
        self._stop = stop
        self._watch = watch
        self._stage = stage
        self._nul_seen = False
        self.offset = start
        self.number = 0
        self.row = 0
        self.row_start = start

    def place(self) -> str:
        """Where reading stands, for a message."""
        return f"row {self.row} (line {self.number})" if self.row else "the header"

    def __iter__(self) -> Iterator[str]:
        for line in self._raw():
            self.offset += len(line)
            self.number += 1
            if self.offset - self.row_start > MAX_ROW_BYTES:
                raise self._too_large()
            if self._nul_seen and b"\x00" in line:
                raise BadRow(f"{self.place()} holds a NUL byte", field=f"rows[{self.row}]")
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                raise WrongEncoding(
                    f"{self.place()} holds a byte that is not UTF-8", field=f"rows[{self.row}]"
                ) from error

    def _raw(self) -> Iterator[bytes]:
        position, carry = self._start, b""
        while position < self._stop:
            block = os.pread(self._descriptor, min(BLOCK_BYTES, self._stop - position), position)
            if not block:
                raise SourceChanged("the file became shorter while it was read")
            self._nul_seen = self._nul_seen or b"\x00" in block
            position += len(block)
            lines = (carry + block).splitlines(keepends=True)
            # The last line may go on in the next block; so may a line break, after its "\r".
            carry = lines.pop() if lines and position < self._stop else b""
            yield from lines
            if len(carry) > MAX_ROW_BYTES:
                raise self._too_large()
            self._watch.tick(self._stage, position, self._stop)

    def _too_large(self) -> RowTooLarge:
        return RowTooLarge(f"{self.place()} is larger than {MAX_ROW_BYTES} bytes", field=f"rows[{self.row}]")


class EndlessLine:
    """Refuses, while a file is copied, a line so long that the copying need not be finished."""

    def __init__(self) -> None:
        self._since = 0
        self._breaks = 0

    def __call__(self, block: bytes) -> None:
        last = max(block.rfind(b"\n"), block.rfind(b"\r"))
        self._since = self._since + len(block) if last < 0 else len(block) - last - 1
        self._breaks += block.count(b"\n")
        if self._since > MAX_ROW_BYTES:
            raise RowTooLarge(
                f"line {self._breaks + 1} is larger than {MAX_ROW_BYTES} bytes",
                field=f"lines[{self._breaks + 1}]",
            )


def check_beginning(head: bytes) -> None:
    """Refuse what the first bytes show to be no text: empty, compressed, UTF-16, binary."""
    if not head:
        raise SourceEmpty("the file is empty")
    for magic, name in _PACKED.items():
        if head.startswith(magic):
            raise SourcePacked(f"the file is packed as {name}")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)):
        raise WrongEncoding("the file begins with a UTF-16 or UTF-32 byte-order mark", field="rows[0]")
    if b"\x00" in head:
        raise WrongEncoding("the file holds NUL bytes: it is binary, or UTF-16", field="rows[0]")
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise SourceEmpty("the file holds nothing but blank lines")
    if len(head) > MAX_ROW_BYTES and b"\n" not in head and b"\r" not in head:
        raise RowTooLarge(f"the first line is larger than {MAX_ROW_BYTES} bytes", field="rows[0]")

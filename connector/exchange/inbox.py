"""The inbox: what was received, sealed under a key per delivery.

Rules that hold here:

* A delivery is a folder with one *part* for each window: frames in order, each sealed with
  an AEAD under the delivery's key, bound to exchange, window and place. Parts can be removed
  or rewritten one by one; destroying the key removes all of them at once.
* A part counts when its window was acknowledged. What lies beyond the last Ack is discarded before
  an exchange goes on.
* :meth:`Delivery.sync` returns when the part and its name are on the disk; only then is an Ack signed.
* Data leaves by :func:`read_frames`, and only ``connector.exchange.use`` calls it.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from cryptography.exceptions import InvalidTag

from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import ExchangeId

_LENGTH: Final = struct.Struct(">I")
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_BEFORE: Final = _LENGTH.size + _NONCE_BYTES
_LARGEST_SEALED: Final = (1 << 20) + 64


class InboxFull(BylagError):
    """The disk cannot hold what arrives; nothing of it was acknowledged."""

    code = "INBOX_FULL"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Make room on the disk, then go on: `bylag fetch --resume EXCHANGE`."


class DamagedDelivery(BylagError):
    """A part of a delivery is missing or does not open under the delivery's key."""

    code = "DAMAGED_DELIVERY"
    kind = ErrorKind.DAMAGED
    default_next_step = "Restore the inbox from a backup, or fetch the dataset again."


class Cipher(Protocol):
    """An AEAD under a delivery's key: nonces of 12 bytes, tags of 16 (``ledger.side.KeyChest``)."""

    def encrypt_into(
        self, nonce: bytes, data: bytes | memoryview, associated_data: bytes | None, buf: memoryview
    ) -> int: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class Delivery:
    """One delivery being received."""

    def __init__(self, folder: Path, exchange: ExchangeId, cipher: Cipher, ambient: Ambient) -> None:
        self._folder = folder / exchange
        self._exchange = exchange
        self._cipher = cipher
        self._ambient = ambient
        self._part: BinaryIO | None = None
        self._window = 0
        self._frame = 0
        self._sealed = memoryview(bytearray(_LENGTH.size + _LARGEST_SEALED))
        """Where each frame is sealed in turn."""

    def begin(self, window: int) -> None:
        """Start the part for ``window``, replacing what an earlier attempt left there."""
        with _full_disk_named():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._part = _part(self._folder, window).open("wb")
        self._window = window
        self._frame = 0

    def store(self, frame: bytes | memoryview) -> None:
        """Seal a frame of at most 1 MiB and write it behind the ones before. Raises :class:`InboxFull`."""
        part = self._open_part()
        self._frame += 1
        nonce = self._ambient.random(_NONCE_BYTES)
        sealed = self._sealed[: _BEFORE + len(frame) + _TAG_BYTES]
        _LENGTH.pack_into(sealed, 0, len(sealed) - _LENGTH.size)
        sealed[_LENGTH.size : _BEFORE] = nonce
        bound = _bound(self._exchange, self._window, self._frame)
        self._cipher.encrypt_into(nonce, frame, bound, sealed[_BEFORE:])
        with _full_disk_named():
            part.write(sealed)

    def finish(self) -> BinaryIO:
        """End the part and hand its file to :func:`sync`, so that the next part can begin meanwhile."""
        part = self._open_part()
        self._part = None
        return part

    def abandon(self) -> None:
        """Close a part that will not be finished."""
        if self._part is not None:
            self._part.close()
            self._part = None

    def discard_after(self, window: int) -> None:
        """Remove every part beyond ``window``: frames that were never acknowledged."""
        for path in sorted(self._folder.glob("*.part")):
            if int(path.stem) > window:
                path.unlink()

    def _open_part(self) -> BinaryIO:
        if self._part is None:
            raise DamagedDelivery("no part of this delivery is open")
        return self._part


def sync(part: BinaryIO) -> None:
    """Close a finished part once it and its name are on the disk. Raises :class:`InboxFull`."""
    with _full_disk_named(), part:
        part.flush()
        os.fdatasync(part.fileno())
        folder = os.open(Path(part.name).parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def read_frames(
    folder: Path, exchange: ExchangeId, cipher: Cipher, windows: Iterator[int]
) -> Iterator[bytes]:
    """The frames of a delivery's windows, in order, opened. Raises :class:`DamagedDelivery`."""
    for window in windows:
        path = _part(folder / exchange, window)
        try:
            part = path.open("rb")
        except FileNotFoundError as error:
            raise DamagedDelivery(f"window {window} of this delivery is missing") from error
        with part:
            yield from _open_part(part, cipher, exchange, window)


def _open_part(part: BinaryIO, cipher: Cipher, exchange: str, window: int) -> Iterator[bytes]:
    frame = 0
    while head := part.read(_LENGTH.size):
        frame += 1
        if len(head) != _LENGTH.size:
            raise DamagedDelivery(f"window {window} ends inside a frame")
        length = _LENGTH.unpack(head)[0]
        sealed = part.read(length) if length <= _LARGEST_SEALED else b""
        if len(sealed) != length:
            raise DamagedDelivery(f"window {window} ends inside a frame")
        try:
            yield cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(exchange, window, frame)
            )
        except InvalidTag as error:
            raise DamagedDelivery(f"frame {frame} of window {window} does not open") from error


def _part(folder: Path, window: int) -> Path:
    return folder / f"{window:08d}.part"


def _bound(exchange: str, window: int, frame: int) -> bytes:
    return f"bylag/inbox/v1 {exchange} {window} {frame}".encode()


class _full_disk_named:  # noqa: N801  # reads as a phrase in a with statement
    """Turn a disk that is full into :class:`InboxFull`."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InboxFull("the disk is full") from error

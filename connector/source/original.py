"""The owner's file: opened with care, and copied once, so that it may change afterwards.

Rules that hold here:

* Only a regular file is opened: no folder, no device, no pipe, and no symbolic link, which could
  come to point elsewhere between two looks. Opening never waits.
* A version is a copy, sharing blocks with the original where the file system can (a *reflink*).
  Never a hard link: a program that writes into the file in place would change the version.
* The file's identity, size and times are compared before and after: a file that changed while it
  was read is refused.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from connector.source.errors import SnapshotNotWritten, SourceChanged, SourceEmpty, SourceUnreadable
from connector.source.lines import BLOCK_BYTES, Watch

_FICLONE: Final = 0x40049409
"""ioctl request of linux/fs.h: make one file share another's blocks, copied on write."""
_NO_REFLINK: Final = frozenset(
    {errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM, errno.EBADF}
)


class Original:
    """An open file of the owner's, and how it looked when it was opened."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._before = _look(descriptor)
        self.size = self._before[1]

    def head(self) -> bytes:
        """The first bytes: one more than a row may have, as far as there are so many."""
        return os.pread(self.descriptor, BLOCK_BYTES + 1, 0)

    def check_unchanged(self) -> None:
        """Raise :class:`~connector.source.errors.SourceChanged` if anything wrote to it since."""
        if _look(self.descriptor) != self._before:
            raise SourceChanged("the file changed while it was being read")

    def copy_to(self, target: Path, watch: Watch, inspect: Callable[[bytes], None] | None = None) -> str:
        """Make a durable copy, and return the copy's SHA-256 in hexadecimal.

        The digest is of what was copied, read once where the copy has to be written and from the
        copy itself where it shares the original's blocks. ``inspect`` sees every block and may
        refuse the file by raising.
        """
        copy = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            source = copy if _reflink(self.descriptor, copy) else self.descriptor
            digest, position = hashlib.sha256(), 0
            # Up to the size it had: a file that grows as fast as it is read would never end.
            while block := os.pread(source, min(BLOCK_BYTES, self.size - position), position):
                if inspect is not None:
                    inspect(block)
                digest.update(block)
                if source != copy:
                    write_all(copy, block)
                position += len(block)
                watch.tick("copy", position, self.size)
            self.check_unchanged()
            os.fsync(copy)
        finally:
            os.close(copy)
        if position != self.size:
            raise SourceChanged("the file's size changed while it was being read")
        return digest.hexdigest()


@contextmanager
def open_original(path: Path) -> Iterator[Original]:
    """Open a file to publish from. Raises :class:`~connector.source.errors.SourceUnreadable`."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        problem = "is a symbolic link" if error.errno == errno.ELOOP else (error.strerror or "unreadable")
        raise SourceUnreadable(f"cannot open the file: {problem}", field="file") from error
    except ValueError as error:
        raise SourceUnreadable("the file's name holds a NUL byte", field="file") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SourceUnreadable("this is not a regular file", field="file")
        original = Original(descriptor)
        if not original.size:
            raise SourceEmpty("the file is empty", field="file")
        yield original
    finally:
        os.close(descriptor)


@contextmanager
def writing() -> Iterator[None]:
    """Turn the operating system's refusal to write into this room's error."""
    try:
        yield
    except OSError as error:
        raise SnapshotNotWritten(f"cannot write the version: {error.strerror}") from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte; a short write is gone on from."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: created, renamed and removed files."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _look(descriptor: int) -> tuple[int, int, int, int]:
    found = os.fstat(descriptor)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _reflink(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError as error:
        if error.errno in _NO_REFLINK:
            return False
        raise
    return True

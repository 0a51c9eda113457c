"""OPA bundles as archives: a gzipped tar of single files, read with limits and written reproducibly.

Rules that hold here: the same files give the same bytes (sorted, fixed times and owners, one
compression level); what is read holds single files alone, bounded in number and in bytes.
"""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from typing import Final

from connector.policy.errors import RulebookDamaged

MAX_BUNDLE_BYTES: Final = 16 << 20
MAX_FILES: Final = 256


def pack(files: Mapping[str, bytes]) -> bytes:
    """An archive of ``files``, by path without the leading slash."""
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(files[name]))
    return gzip.compress(tarred.getvalue(), compresslevel=9, mtime=0)


def unpack(bundle: bytes) -> dict[str, bytes]:
    """The files of an archive, by path without the leading slash. Raises :class:`RulebookDamaged`."""
    contents: dict[str, bytes] = {}
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(bundle)) as unzipped:
            raw = unzipped.read(MAX_BUNDLE_BYTES + 1)
        if len(raw) > MAX_BUNDLE_BYTES:
            raise RulebookDamaged(f"the rulebook has more than {MAX_BUNDLE_BYTES} bytes")
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            for member in archive:
                taken = archive.extractfile(member) if member.isreg() else None
                name = member.name.removeprefix("/")
                if taken is None or name in contents or len(contents) == MAX_FILES:
                    raise RulebookDamaged("the rulebook holds something else than single files")
                contents[name] = taken.read()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise RulebookDamaged("the rulebook is not a gzipped tar") from error
    return contents

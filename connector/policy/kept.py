"""The rulebooks that decided, kept by digest as long as their records, so that a replay finds them.

Rules that hold here: a rulebook is kept before it decides; one that is kept is never written again; what
is read is checked against the digest it is called by. The number of the newest local rules is known here
too, so that older ones are not taken again.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from connector.policy.archive import pack
from connector.policy.errors import BundleRefused, RulebookDamaged, RulebookNotKept
from connector.policy.local import LocalRules
from connector.policy.rulebook import Rulebook

_LOCAL: Final = re.compile(r"local-(\d{1,9})-([0-9a-f]{64})\.tar\.gz")


class KeptRulebooks:
    """A folder of rulebooks, the owner's alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)

    def keep(self, rulebook: Rulebook) -> None:
        """Keep the core's rules."""
        self._write(f"core-{rulebook.revision}.tar.gz", pack(rulebook.files))

    def keep_local(self, rules: LocalRules) -> None:
        """Keep a participant's own rules."""
        self._write(f"local-{rules.number:09d}-{rules.revision}.tar.gz", rules.packed())

    def newest_local(self) -> int:
        """The number of the newest local rules that were loaded; 0 for none."""
        found = (_LOCAL.fullmatch(path.name) for path in self._folder.iterdir())
        return max((int(each[1]) for each in found if each is not None), default=0)

    def rulebook(self, digest: str) -> Rulebook:
        """The core's rules of a digest. Raises :class:`RulebookNotKept`."""
        packaged = Rulebook.packaged()
        if packaged.revision == digest:
            return packaged
        try:
            rulebook = Rulebook.read((self._folder / f"core-{digest}.tar.gz").read_bytes())
        except (OSError, RulebookDamaged) as error:
            raise RulebookNotKept(f"rulebook {digest[:12]} is not kept here, or is damaged") from error
        return _called(rulebook, digest)

    def local(self, digest: str) -> LocalRules:
        """The local rules of a digest. Raises :class:`RulebookNotKept`."""
        for path in sorted(self._folder.iterdir()):
            found = _LOCAL.fullmatch(path.name)
            if found is not None and found[2] == digest:
                try:
                    rules = LocalRules.read(path.read_bytes())
                except (OSError, BundleRefused) as error:
                    raise RulebookNotKept(f"local rules {digest[:12]} are damaged") from error
                _called(rules.rulebook, digest)
                return rules
        raise RulebookNotKept(f"local rules {digest[:12]} are not kept here")

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        if path.exists():
            return
        scratch = path.with_suffix(".new")
        with scratch.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _called(rulebook: Rulebook, digest: str) -> Rulebook:
    if rulebook.revision != digest:
        raise RulebookNotKept(f"what is kept as rulebook {digest[:12]} is another one")
    return rulebook

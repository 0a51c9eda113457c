"""A mutant: the code without one control.

Rules that hold here:

* A mutant names its row by the row's threat, word for word (docs/security.md). A row may have several:
  one for each part of its control. Each alone must make a test of the row fail.
* Where two places stand guard over the same thing, both are taken out at once, in one mutant: either
  alone would hide that the other is gone.
* Each text is found in its file exactly once (``test_table``), so that no mutant can go stale unseen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """A control taken out: in ``file``, each first text replaced by its second."""

    threat: str
    file: str
    edits: tuple[tuple[str, str], ...]


def taken_out(file: str, threat: str, *edits: tuple[str, str]) -> Mutant:
    """The mutant of a row, as the tables write it."""
    return Mutant(threat, file, edits)

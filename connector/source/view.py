"""What of a dataset version a decision lets be seen.

Rules that hold here:

* The mask and the row filter are applied *before* the asker's predicate, order and limit. A hidden
  column cannot be selected, compared or sorted by: it is as unknown as one that never was.
* A mask that names a column which is not there is refused: what was to be hidden must be.
* Data about people leaves as rows that each carry a label, never as a file and never verbatim. The
  subject column itself stays hidden unless it is granted.
* Rows of people who are not among ``subjects`` are not there: "no such person", "no consent" and
  "no row" look the same. Membership is asked row by row, as each row is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from connector.source.errors import NotReleasable, SourceError
from connector.source.schema import Schema
from connector.source.selection import Condition
from ledger.errors import ErrorKind

Labels: TypeAlias = Callable[[Sequence[str]], Sequence[str]]
"""From subject ids, as they stand in the table, to labels of 16 bytes in hexadecimal, in order."""

_LABEL = re.compile(r"[0-9a-f]{32}")


class BadLabel(SourceError):
    """Whoever gives labels gave too few, or something that is none."""

    code = "BAD_LABEL"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Run `bylag doctor`; nothing about people is released until labels can be made."


@dataclass(frozen=True, slots=True)
class View:
    """The part of a version that may be seen, and what rows about people carry."""

    about_people: bool = False
    """What the catalogue says of the dataset. A table with a subject column is treated so in any case."""
    mask: frozenset[str] = frozenset()
    row_filter: tuple[Condition, ...] = ()
    """Conditions set by the decision; they may be on hidden columns."""
    subjects: Container[str] | None = None
    """Whose rows may be seen; None where the decision does not go by person."""
    labels: Labels | None = None
    subject_granted: bool = False

    def hidden(self, schema: Schema) -> frozenset[str]:
        """The columns that must not be seen. Raises for a mask that does not fit the table."""
        for name in self.mask:
            schema.index(name)
        subject = schema.subject
        if subject is None or self.subject_granted:
            return self.mask
        return self.mask | {subject.name}

    def visible(self, schema: Schema) -> Schema:
        """The schema as the asker may know it."""
        return schema.without(self.hidden(schema))

    def check_people(self, schema: Schema) -> None:
        """Raise :class:`~connector.source.errors.NotReleasable` for rows that could not be found again."""
        if schema.subject is None:
            if self.about_people:
                raise NotReleasable("the table is about people, and no column says whom a row is about")
            if self.subjects is not None:
                raise NotReleasable("only some people's rows may be seen, and no column says whose they are")
        elif self.labels is None:
            raise NotReleasable(
                "the table's rows are about people, and none can be released without its label",
                next_step="Release it through an exchange, which gives each person's rows a label.",
            )


EVERYTHING: Final = View()
"""For data about nobody, under a decision that hides nothing."""


def label_rows(subjects: Sequence[str], labels: Labels) -> Sequence[str]:
    """A label for each subject id. Raises :class:`BadLabel` unless each is 16 bytes in hexadecimal."""
    given = labels(subjects)
    if len(given) != len(subjects) or not all(_LABEL.fullmatch(label) for label in given):
        raise BadLabel("labels are missing or not 16 bytes in hexadecimal")
    return given

"""Words and names beside a signed message: committed to inside, shown outside, erasable.

Rules that hold here (LEDGER.md section 3, "Nothing erasable inside signed bytes"):

* A message's signed bytes hold only a commitment for each of :data:`PLACES`, or null. What opens
  them travels in the unsigned opening, and lies in a side row at both ends.
* An opening is checked against the commitments when it arrives. It may be missing, in part or
  whole: the message still counts, and shows "details erased".
* Words of a termination are for both sides to read; who acted, and under which mandate, is recorded
  whenever a person and not a rule did it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from ledger.ambient import Ambient
from ledger.canonical import JSONObject
from ledger.commitment import BadOpening, Opening, fresh, opens, read_opening
from ledger.errors import BylagError
from ledger.fields import Fields

PLACES: Final[Mapping[str, int]] = {"words": 2000, "actor": 200, "mandate": 500}
"""What may be said beside a message, with the most characters it may have."""

_INVISIBLE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


class BadWords(BylagError):
    """Words beside a message are too long, empty, or hold characters that mislead a reader."""

    code = "BAD_WORDS"
    default_next_step = "Write plain text without control or direction-changing characters."


@dataclass(frozen=True, slots=True)
class Commitments:
    """What stands inside the signed bytes: hexadecimal commitments, or None."""

    words: str | None = None
    actor: str | None = None
    mandate: str | None = None

    def members(self) -> JSONObject:
        return {"words": self.words, "actor": self.actor, "mandate": self.mandate}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        commitments = cls(
            fields.maybe_digest("words"), fields.maybe_digest("actor"), fields.maybe_digest("mandate")
        )
        fields.finish()
        return commitments


NONE_BESIDE: Final = Commitments()


def commit_beside(ambient: Ambient, beside: Mapping[str, str]) -> tuple[Commitments, JSONObject]:
    """Commit to words by place; the second value is the opening that travels beside the message.

    ``beside`` maps some of :data:`PLACES` to text. Raises :class:`BadWords`.
    """
    made: dict[str, Opening] = {}
    for place, text in beside.items():
        _check_words(place, text)
        made[place] = fresh(place, text.encode(), ambient)
    commitments = {place: opening.commitment for place, opening in made.items()}
    return Commitments(**commitments), {place: opening.to_json() for place, opening in made.items()}


def read_beside(commitments: Commitments, opening: JSONObject) -> dict[str, str]:
    """The words that an opening shows, by place, each checked against its commitment.

    What is not shown is simply not in the result. Raises :class:`~ledger.commitment.BadOpening` for
    an opening that fits no commitment, :class:`BadWords` for words that may not be shown.
    """
    committed = commitments.members()
    shown: dict[str, str] = {}
    for place, value in opening.items():
        commitment = committed.get(place)
        if not isinstance(commitment, str):
            raise BadOpening("nothing was committed to under this name", field=place[:32])
        found = read_opening(place, value)
        if not opens(found, commitment):
            raise BadOpening("does not open the commitment in the signed message", field=place)
        shown[place] = _words(place, found.value)
    return shown


def _words(place: str, value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise BadWords("is not UTF-8", field=place) from error
    _check_words(place, text)
    return text


def _check_words(place: str, text: str) -> None:
    longest = PLACES.get(place)
    if longest is None:
        raise BadWords(f"words stand under one of {', '.join(PLACES)}", field=place[:32])
    words_of(text, place, longest)


def words_of(text: str, place: str, longest: int) -> None:
    """Require plain words of at most ``longest`` characters. Raises :class:`BadWords`."""
    if not 0 < len(text) <= longest:
        raise BadWords(f"must have 1 to {longest} characters", field=place)
    if _INVISIBLE.search(text):
        raise BadWords("holds a control or invisible character", field=place)

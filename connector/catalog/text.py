"""Words for people, from people: titles, descriptions, keywords, names.

Rules that hold here:

* They are outside input, and end in terminals, web pages and signed documents: no control, no
  invisible and no direction-changing character, in Unicode's composed form (NFC), with a limit.
* A word that mixes Latin with Cyrillic or Cherokee letters imitates another word, and no more than
  three marks stand on one letter.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from ledger.fields import Fields

MAX_TITLE: Final = 200
MAX_DESCRIPTION: Final = 4000
MAX_KEYWORD: Final = 60

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_LOOKALIKES: Final = ("CYRILLIC", "CHEROKEE")
_WORD = re.compile(r"\w+")
_MARKS: Final = 3


def tidy(text: str) -> str:
    """What somebody typed, composed and without surrounding space; for our own user's input only."""
    return unicodedata.normalize("NFC", text).strip()


def words(fields: Fields, name: str, *, limit: int, lines: bool = False) -> str:
    """A text for people; ``lines`` allows line breaks. Raises :class:`~ledger.fields.BadField`."""
    value = fields.any(name)
    if not isinstance(value, str) or not value.strip():
        raise fields.wrong(name, "must be a non-empty text")
    if len(value) > limit:
        raise fields.wrong(name, f"has {len(value)} characters, the limit is {limit}")
    problem = problem_with(value, lines=lines)
    if problem is not None:
        raise fields.wrong(name, problem)
    return value


def problem_with(text: str, *, lines: bool = False) -> str | None:
    """What is wrong with a text, or None."""
    shown = text.replace("\n", " ") if lines else text
    if any(unicodedata.category(character) in _UNSEEN for character in shown):
        return "holds a control, invisible or direction-changing character"
    if text != text.strip():
        return "begins or ends with white space"
    if not unicodedata.is_normalized("NFC", text):
        return "is not in Unicode's composed form (NFC)"
    if _piles_marks(text):
        return f"puts more than {_MARKS} marks on one letter"
    if any(_mixes_scripts(word) for word in _WORD.findall(text)):
        return "mixes letters of different scripts in one word"
    return None


def _piles_marks(text: str) -> bool:
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run > _MARKS:
            return True
    return False


def _mixes_scripts(word: str) -> bool:
    if word.isascii():
        return False
    scripts = {unicodedata.name(letter, "").split(" ", 1)[0] for letter in word if letter.isalpha()}
    return "LATIN" in scripts and not scripts.isdisjoint(_LOOKALIKES)

"""National personal numbers: recognised by their date and, where there is one, their check digit.

Sources: Skatteverket SKV 704 (Sweden: personnummer and samordningsnummer, Luhn); CPR-kontoret,
"Personnummeret i CPR" (Denmark: modulus 11, not kept by every number given out since 2007);
Skatteetaten (Norway: two control digits, modulus 11); Digi- ja väestötietovirasto (Finland:
modulus 31); Þjóðskrá (Iceland: modulus 11).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Final

_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9]{8}|[0-9]{6})[-+A-FU-Y]?[0-9]{3}[0-9A-Y][0-9]?(?![0-9A-Za-z])"
)
_SEPARATOR = re.compile(r"[-+A-FU-Y]")
_CPR_WEIGHTS: Final = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_KENNITALA_WEIGHTS: Final = (3, 2, 7, 6, 5, 4, 3, 2, 1)
_NORWEGIAN_FIRST: Final = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)
_NORWEGIAN_SECOND: Final = (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_FINNISH_CHECK: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def personal_numbers(text: str) -> list[tuple[str, bool]]:
    """The countries of what looks like personal numbers in a text, each with whether it is certain.

    Certain means: a check digit fits, and a separator stands where people write one. Digits alone
    may be any number.
    """
    found: list[tuple[str, bool]] = []
    for match in _CANDIDATE.finditer(text.upper()):
        written = match.group()
        separated = _SEPARATOR.search(written[:-1]) is not None
        found += [(country, separated) for country, fits in _CHECKS.items() if fits(written)]
        if separated and not found and _danish_shape(written):
            found.append(("DK", False))
    return found


def is_swedish(written: str) -> bool:
    """``[YY]YYMMDD[-+]NNNC``; the day is 60 higher in a samordningsnummer. Luhn over the last ten."""
    digits = _digits(written, "-+")
    if len(digits) == 12 and digits[:2] in ("18", "19", "20"):
        digits = digits[2:]
    if len(digits) != 10:
        return False
    day = int(digits[4:6])
    if not _is_day(int(digits[:2]), int(digits[2:4]), day - 60 if day > 60 else day):
        return False
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(digits)]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def is_danish(written: str) -> bool:
    """``DDMMYY[-]SSSC`` with a control digit that fits; newer numbers may have none."""
    return _danish_shape(written) and _weighted(_digits(written, "-"), _CPR_WEIGHTS) == 0


def is_norwegian(written: str) -> bool:
    """``DDMMYYIIICC``; the day is 40 higher in a D-number."""
    digits = _digits(written, "")
    if len(digits) != 11:
        return False
    day = int(digits[:2])
    if not _is_day(int(digits[4:6]), int(digits[2:4]), day - 40 if day > 40 else day):
        return False
    return _weighted(digits[:10], _NORWEGIAN_FIRST) == 0 and _weighted(digits, _NORWEGIAN_SECOND) == 0


def is_finnish(written: str) -> bool:
    """``DDMMYYcNNNX`` where c tells the century and X is the remainder by 31."""
    if len(written) != 11 or not re.fullmatch(r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]", written):
        return False
    if not _is_day(int(written[4:6]), int(written[2:4]), int(written[:2])):
        return False
    return written[10] == _FINNISH_CHECK[int(written[:6] + written[7:10]) % 31]


def is_icelandic(written: str) -> bool:
    """``DDMMYY[-]RRCÖ`` with its control digit; Ö is the century's."""
    digits = _digits(written, "-")
    if len(digits) != 10 or digits[9] not in "089":
        return False
    is_day = _is_day(int(digits[4:6]), int(digits[2:4]), int(digits[:2]))
    return is_day and _weighted(digits[:9], _KENNITALA_WEIGHTS) == 0


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {
    "SE": is_swedish,
    "DK": is_danish,
    "NO": is_norwegian,
    "FI": is_finnish,
    "IS": is_icelandic,
}


def _danish_shape(written: str) -> bool:
    digits = _digits(written, "-")
    return len(digits) == 10 and _is_day(int(digits[4:6]), int(digits[2:4]), int(digits[:2]))


def _digits(written: str, separators: str) -> str:
    """The digits, if there is nothing else but one separator before the last four."""
    if len(written) > 5 and written[-5] in separators:
        written = written[:-5] + written[-4:]
    return written if written.isascii() and written.isdigit() else ""


def _is_day(year: int, month: int, day: int) -> bool:
    try:
        date(2000 + year, month, day)
    except ValueError:
        return day == 29 and month == 2 and year == 0
    return True


def _weighted(digits: str, weights: tuple[int, ...]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11

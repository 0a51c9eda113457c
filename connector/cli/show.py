"""Printing: plain text for people, JSON for programs.

Rules that hold here:

* A result goes to standard output, everything else to standard error.
* Colours and the like appear on terminals only, and not where ``NO_COLOR`` is set
  (https://no-color.org).
* What a peer, a file or a person wrote is shown with control, invisible and direction-changing
  characters escaped: nothing that is printed can drive the terminal or pass for something else.
* Times are RFC 3339 UTC for people, integer milliseconds in JSON.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import IO, Final

import click

from ledger.canonical import JSON

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_NONE: Final = "–"


def write_json(value: JSON) -> None:
    """The result for a program: one JSON value, indented, and nothing else."""
    click.echo(json_text(value))


def json_text(value: JSON) -> str:
    """JSON as a program and a person can read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def write(text: str = "") -> None:
    """A line for people, on standard output."""
    click.echo(text, color=has_colour(sys.stdout))


def note(text: str) -> None:
    """A line beside the result, on standard error."""
    click.echo(text, err=True, color=has_colour(sys.stderr))


def write_error(text: str, *, bold: bool = False) -> None:
    """A line about what went wrong, on standard error."""
    shown = click.style(text, fg="red", bold=True) if bold else text
    click.echo(shown, err=True, color=has_colour(sys.stderr))


def has_colour(stream: IO[str]) -> bool:
    """Whether colours may go to this stream."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def clean(value: object, *, lines: bool = False) -> str:
    """A text with whatever cannot be seen escaped; ``lines`` leaves line breaks and tabs."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character, lines) for character in text)


def pairs(rows: Iterable[tuple[str, object]]) -> None:
    """Names and values in two columns; what is None is a dash."""
    shown = [(name, _cell(value)) for name, value in rows]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        write(f"{click.style(name.ljust(width), dim=True)}  {value}".rstrip())


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows in aligned columns under headings; numbers to the right; ``empty`` where there are none."""
    cells = [[_cell(value) for value in row] for row in rows]
    if not cells:
        write(empty)
        return
    numeric = [all(_is_number(row[place]) for row in cells) for place in range(len(headings))]
    widths = [
        max(_width(headings[place]), *(_width(row[place]) for row in cells)) for place in range(len(headings))
    ]
    lines = [headings, *cells]
    for number, line in enumerate(lines):
        padded = (_pad(text, widths[place], right=numeric[place]) for place, text in enumerate(line))
        text = "  ".join(padded).rstrip()
        write(click.style(text, bold=True) if number == 0 else text)


def time(milliseconds: JSON) -> str:
    """Milliseconds since 1970 as RFC 3339 UTC; a dash for None."""
    if not isinstance(milliseconds, int):
        return _NONE
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return str(milliseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def size(octets: JSON) -> str:
    """A number of bytes, in the unit that reads best."""
    if not isinstance(octets, int):
        return _NONE
    amount, unit = float(octets), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{octets} B" if unit == "B" else f"{amount:.1f} {unit}"


def short(iri: JSON) -> str:
    """A purpose's or term's name without the vocabulary that it stands in."""
    text = str(iri) if iri is not None else _NONE
    return text.rsplit("#", 1)[-1] if "#" in text else text


def good(text: str) -> str:
    """Marked as well."""
    return click.style(text, fg="green")


def bad(text: str) -> str:
    """Marked as not well."""
    return click.style(text, fg="red")


def warn(text: str) -> str:
    """Marked as worth a look."""
    return click.style(text, fg="yellow")


def _visible(character: str, lines: bool) -> str:
    if lines and character in "\n\t":
        return character
    if unicodedata.category(character) not in _UNSEEN:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _cell(value: object) -> str:
    if value is None or value == "":
        return _NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Styled):
        return value
    return clean(value)


class Styled(str):
    """Text that this program made itself and that may hold colours."""

    __slots__ = ()


def _is_number(text: str) -> bool:
    return text == _NONE or text.replace(",", "").isdigit()


def _width(text: str) -> int:
    plain = click.unstyle(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in plain
    )


def _pad(text: str, width: int, *, right: bool) -> str:
    missing = " " * (width - _width(text))
    return missing + text if right else text + missing

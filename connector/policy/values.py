"""Right operands and identifiers: what is written in a policy, as what the rulebook compares.

Rules that hold here:

* A moment is xsd:dateTime with an offset and becomes integer milliseconds. A date alone, or a time
  without an offset, names no moment and is refused. Seconds may be left out, as in the Dataspace
  Protocol's own examples.
* A duration is days, hours, minutes, seconds; years and months have no fixed length.
* Numbers are whole, from 0 to 2^53 - 1, written as JSON integers or as decimal strings.
* A string is NFC and printable: no control, formatting or right-to-left character, bounded length.

Each function raises :class:`~connector.policy.errors.MalformedPolicy` naming the place.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.policy.errors import MalformedPolicy, PolicyRefused
from connector.policy.places import PLACE
from connector.policy.purposes import purpose_iri
from connector.policy.vocabulary import PLACES, PROFILE, RATE_WINDOWS, XSD, Datatype
from ledger.canonical import JSON, LARGEST_INTEGER

MAX_IDENTIFIER_CHARACTERS: Final = 512
MAX_TEXT_CHARACTERS: Final = 2048
LATEST_MOMENT: Final = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write."""

XSD_TYPES: Final = {
    Datatype.DATE_TIME: ("dateTime", "dateTimeStamp"),
    Datatype.DURATION: ("duration", "dayTimeDuration"),
    Datatype.INTEGER: ("integer", "int", "long", "nonNegativeInteger", "positiveInteger"),
    Datatype.IRI: ("anyURI",),
    Datatype.TEXT: ("string",),
}
"""The XML Schema types a literal may state for each datatype; the first is what we print."""

_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_DURATION = re.compile(
    r"P(?:(\d{1,9})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})(?:\.(\d{1,3}))?S)?)?", re.ASCII
)
_WHOLE = re.compile(r"0|[1-9]\d{0,15}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def literal(value: JSON, datatype: Datatype, path: str) -> int | str:
    """One right operand of ``datatype``, as the normal form holds it."""
    match datatype:
        case Datatype.DATE_TIME:
            return moment(_string(value, path, "2027-01-31T00:00:00Z"), path)
        case Datatype.DURATION:
            return duration(_string(value, path, "P30D"), path)
        case Datatype.INTEGER:
            return whole(value, path)
        case Datatype.IRI:
            return identifier(value, path)
        case Datatype.TEXT:
            return text(value, path)


def written(value: int | str, datatype: Datatype) -> str:
    """A normal form's value as it stands in ODRL: the inverse of :func:`literal`."""
    match datatype:
        case Datatype.DATE_TIME:
            return written_moment(int(value))
        case Datatype.DURATION:
            return _written_duration(int(value))
        case _:
            return str(value)


def moment(written: str, path: str) -> int:
    """Milliseconds since 1970-01-01T00:00:00Z of an xsd:dateTime with an offset."""
    match = _MOMENT.fullmatch(written)
    if match is None:
        raise MalformedPolicy(
            "not a date and time with an offset",
            field=path,
            next_step="Write it like 2027-01-31T00:00:00Z; a date alone or a local time names no moment.",
        )
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    second, fraction, sign, offset_hours, offset_minutes = match.groups()[5:]
    digits = (fraction or "").ljust(9, "0")
    try:
        local = datetime(year, month, day, hour, minute, int(second or 0), tzinfo=UTC)
    except ValueError as error:
        raise MalformedPolicy("no such date or time", field=path) from error
    offset = (int(offset_hours or 0) * 60 + int(offset_minutes or 0)) * 60_000
    if digits[3:] != "000000" or int(offset_minutes or 0) > 59 or offset > 14 * 3_600_000:
        raise MalformedPolicy("finer than a millisecond, or an impossible offset", field=path)
    milliseconds = (local - _EPOCH) // timedelta(milliseconds=1) + int(digits[:3])
    milliseconds += offset if sign == "-" else -offset
    if not 0 <= milliseconds <= LATEST_MOMENT:
        raise MalformedPolicy("the moment lies before 1970 or after 9999", field=path)
    return milliseconds


def written_moment(milliseconds: int) -> str:
    """RFC 3339 in UTC, with milliseconds only where there are any."""
    seconds, rest = divmod(milliseconds, 1000)
    stamp = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{rest:03d}Z" if rest else f"{stamp}Z"


def duration(written: str, path: str) -> int:
    """Milliseconds of an xsd:duration of days, hours, minutes and seconds."""
    match = _DURATION.fullmatch(written)
    if match is None or not any(match.groups()):
        raise MalformedPolicy(
            "not a duration of days, hours, minutes or seconds",
            field=path,
            next_step="Write it like P30D or PT12H; years and months have no fixed length.",
        )
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[:4])
    thousandths = int((match.group(5) or "").ljust(3, "0"))
    return whole((((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + thousandths, path)


def whole(value: JSON, path: str) -> int:
    """A whole number from 0 to 2^53 - 1."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_INTEGER:
        raise MalformedPolicy("not a whole number from 0 to 2^53 - 1", field=path)
    return value


def purpose(value: JSON, path: str) -> str:
    """One DPV purpose's IRI."""
    iri = purpose_iri(identifier(value, path))
    if iri is None:
        raise MalformedPolicy(
            "not a purpose of the Data Privacy Vocabulary",
            field=path,
            next_step="Use a purpose such as https://w3id.org/dpv#ScientificResearch.",
        )
    return iri


def operand_value(value: JSON, left: str, operator: str, datatype: Datatype, path: str) -> int | str:
    """One value that the left operand ``left`` is compared with by ``operator``."""
    if left == "purpose":
        return purpose(value, path)
    plain = literal(value, datatype, path)
    if left in PLACES and not _is_place(str(plain), operator):
        raise MalformedPolicy(
            "not a country's ISO 3166 code",
            field=path,
            next_step="Write it like SE, EU or EEA. With isPartOf an area may stand here, by its IRI.",
        )
    return plain


def check_unit(left: str, unit: str | None, path: str) -> None:
    """Refuse a unit that the left operand does not have, or lacks.

    Raises :class:`MalformedPolicy` for money without a currency, :class:`PolicyRefused` for the rest.
    """
    if left == "payAmount" and unit is None:
        raise MalformedPolicy("an amount of money names its currency as its unit", field=path)
    if left == "bylag:rate" and unit is not None and unit.removeprefix(PROFILE) not in RATE_WINDOWS:
        windows = ", ".join(f"bylag:{name}" for name in RATE_WINDOWS)
        raise PolicyRefused("unit", path, f"Use one of {windows}.")
    if unit is not None and left not in ("payAmount", "bylag:rate"):
        raise PolicyRefused("unit", path, "State the limit in the unit it is counted in.")


def identifier(value: JSON, path: str) -> str:
    """An opaque identifier or IRI: printable, no spaces."""
    name = _printable(value, path, MAX_IDENTIFIER_CHARACTERS)
    if not name or any(character.isspace() for character in name) or name.startswith("_:"):
        raise MalformedPolicy(
            "not an identifier",
            field=path,
            next_step="Write a non-empty identifier without spaces; blank nodes have no name to sign.",
        )
    return name


def text(value: JSON, path: str) -> str:
    """A line of printable text."""
    return _printable(value, path, MAX_TEXT_CHARACTERS)


def states_type(iri: str, datatype: Datatype) -> bool:
    """Whether a literal's stated type fits ``datatype``."""
    return iri in {XSD + name for name in XSD_TYPES[datatype]}


def _is_place(written: str, operator: str) -> bool:
    return bool(PLACE.fullmatch(written)) or (operator == "isPartOf" and ":" in written)


def _string(value: JSON, path: str, example: str) -> str:
    if not isinstance(value, str):
        raise MalformedPolicy("not a string", field=path, next_step=f"Write it like {example}.")
    return value


def _printable(value: JSON, path: str, limit: int) -> str:
    if not isinstance(value, str):
        raise MalformedPolicy("not a string", field=path)
    if len(value) > limit:
        raise MalformedPolicy(f"longer than {limit} characters", field=path)
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise MalformedPolicy("holds a control, formatting or private character", field=path)
    if not unicodedata.is_normalized("NFC", value):
        raise MalformedPolicy("not in Unicode normal form C", field=path)
    return value


def _written_duration(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    days, seconds = divmod(seconds, 86_400)
    clock = f"T{seconds}{f'.{rest:03d}' if rest else ''}S" if seconds or rest else ""
    return f"P{days}D{clock}" if days or not clock else f"P{clock}"

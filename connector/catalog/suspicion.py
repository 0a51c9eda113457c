"""Before a table is published: which columns look as if they told of people.

Rules that hold here:

* A finding is a warning with a reason, never a verdict. The owner says what each column named is:
  ``subject`` (whom a row is about), ``personal``, or ``not-personal``; until then the table is not
  published. A column that nothing points to may be declared too.
* Looked at are the columns' names, in English, Swedish and Danish, and a sample of their values. A
  table may still be about people when nothing here says so: the owner answers for that.
* Findings name columns and reasons, and hold no value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.catalog.given_names import GIVEN_NAMES
from connector.catalog.personal_numbers import personal_numbers
from connector.source.schema import Column, ColumnType, Role, Schema
from ledger.errors import BylagError

CERTAIN_HITS: Final = 1
CHANCE_SHARE: Final = 0.03
"""Of random ten-digit numbers about one in a hundred passes for somebody's personal number."""
SHAPE_SHARE: Final = 0.2
"""The share of values from which names, telephone numbers and addresses are taken for such."""


class Kind(StrEnum):
    """What a column looks like."""

    PERSONAL_NUMBER = "personal number"
    BIRTH_DATE = "date of birth"
    NAME = "name"
    EMAIL = "e-mail address"
    PHONE = "telephone number"
    ADDRESS = "address"
    COORDINATES = "coordinates"


class Evidence(StrEnum):
    """Where it shows."""

    NAME = "the column's name"
    VALUES = "its values"


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason to ask the owner about a column."""

    column: str
    kind: Kind
    evidence: Evidence

    def __str__(self) -> str:
        return f"{self.column!r} ({self.kind.value}, from {self.evidence.value})"


class Undeclared(BylagError):
    """Columns look personal, and the owner has not said what they are."""

    code = "UNDECLARED_COLUMNS"
    default_next_step = "Say of each what it is: --column NAME=subject, NAME=personal or NAME=not-personal."

    def __init__(self, findings: Sequence[Finding]) -> None:
        named = ", ".join(str(finding) for finding in findings[:10])
        super().__init__(f"columns look personal: {named}", field=findings[0].column)
        self.findings = tuple(findings)


def look(schema: Schema, sample: Mapping[str, Sequence[str]]) -> tuple[Finding, ...]:
    """What points to people, column by column; at most one finding for a kind and a column.

    ``sample`` holds some different values of each column, in text (``Draft.sample``).
    """
    findings: list[Finding] = []
    for column in schema.columns:
        by_name = _kinds_of_name(column.name)
        findings += [Finding(column.name, kind, Evidence.NAME) for kind in Kind if kind in by_name]
        by_value = _kinds_of_values(column, sample.get(column.name, ()))
        findings += [
            Finding(column.name, kind, Evidence.VALUES) for kind in Kind if kind in by_value - by_name
        ]
    return tuple(findings)


def check_declared(findings: Sequence[Finding], roles: Mapping[str, Role]) -> None:
    """Raise :class:`Undeclared` unless every column that was found has been declared."""
    missing = [finding for finding in findings if finding.column not in roles]
    if missing:
        raise Undeclared(missing)


_PARTS = re.compile(r"[A-ZÅÄÖÆØ]?[a-zåäöæøéü]+|[A-ZÅÄÖÆØ]+(?![a-zåäöæøéü])|[0-9]+")

_NAME_WORDS: Final[dict[Kind, frozenset[str]]] = {
    Kind.PERSONAL_NUMBER: frozenset(
        """personnummer personnr persnr pnr personid samordningsnummer ssn nationalid cpr cprnr cprnummer
        fodselsnummer fødselsnummer hetu henkilotunnus henkilötunnus kennitala nin socialsecurity
        socialsecuritynumber personalnumber""".split()
    ),
    Kind.BIRTH_DATE: frozenset(
        """birthdate birthday dateofbirth dob birthyear födelsedatum fodelsedatum födelsedag födelseår
        fødselsdato fodselsdato fødselsdag fødselsår""".split()
    ),
    Kind.NAME: frozenset(
        """name namn navn firstname lastname surname fullname givenname familyname middlename maidenname
        förnamn fornamn efternamn mellannamn tilltalsnamn fornavn efternavn mellemnavn personname personnamn
        contactname kontaktperson customername kundnamn kundenavn ownername owner ägare ejer applicant sökande
        ansøger patient elev elevnamn elevnavn""".split()
    ),
    Kind.EMAIL: frozenset("email mail epost mejl mailadress mailadresse emailaddress epostadress".split()),
    Kind.PHONE: frozenset(
        """phone phonenumber telephone mobile mobilephone cellphone tel tele telefon telefonnummer telefonnr
        tlf tlfnr mobil mobilnummer mobilnr mobiltelefon""".split()
    ),
    Kind.ADDRESS: frozenset(
        """address adress adresse street streetname streetaddress homeaddress postaladdress gata gatuadress
        gatunamn gatunummer bostadsadress hemadress postadress besöksadress vej vejnavn vejnr gade gadenavn
        bopæl bopælsadresse boligadresse husnummer husnr housenumber apartment lägenhetsnummer
        fastighetsbeteckning""".split()
    ),
    Kind.COORDINATES: frozenset(
        """lat latitude lon lng long longitude latlon latlng coordinate coordinates koordinat koordinater
        koordinatx koordinaty xkoordinat ykoordinat breddgrad längdgrad breddegrad længdegrad easting northing
        geom geometry geolocation wkt""".split()
    ),
}
_BROAD: Final = frozenset(
    {"name", "namn", "navn", "owner", "patient", "elev", "long", "tel", "mail", "gata", "vej", "gade"}
)
"""Words that say something only when they are the whole name: not ``street_name``, ``owner_type``."""

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}")
_PHONE = re.compile(r"(?:\+[1-9]|00[1-9]|0[1-9]|\([0-9])[0-9 ()/.-]{5,18}[0-9]")
_STREET = re.compile(
    r"\w(?:gatan|gata|vägen|väg|gränd|stigen|torget|allén|backen|plan|vej|vejen|gade|gaden|stræde|allé|vænget)"
    r" +[0-9]{1,4}(?![0-9])"
    r"|[0-9]{1,5} (?:\w+ ){1,4}"
    r"(?:street|st|avenue|ave|road|rd|lane|ln|drive|dr|boulevard|blvd|court|ct|way)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"(?:POINT ?Z? ?\(.{3,60}\)|-?[0-9]{1,3}\.[0-9]{4,}[,; ] ?-?[0-9]{1,3}\.[0-9]{4,})", re.IGNORECASE
)


def _kinds_of_name(name: str) -> set[Kind]:
    parts = [part.lower() for part in _PARTS.findall(name)]
    while parts and parts[-1].isdigit():
        parts.pop()  # address1, tel2
    runs = ["".join(parts[place : place + size]) for size in (1, 2, 3) for place in range(len(parts))]
    words = {word for word in runs if word not in _BROAD} | {"".join(parts)}
    return {kind for kind, known in _NAME_WORDS.items() if words & known}


def _kinds_of_values(column: Column, values: Sequence[str]) -> set[Kind]:
    if not values or column.type in (ColumnType.BOOLEAN, ColumnType.DATE, ColumnType.DATE_TIME):
        return set()
    found: set[Kind] = set()
    if _holds_personal_numbers(values):
        found.add(Kind.PERSONAL_NUMBER)
    if column.type in (ColumnType.INTEGER, ColumnType.NUMBER):
        return found
    if any(_EMAIL.search(value) for value in values):
        found.add(Kind.EMAIL)
    for kind, looks in _SHAPES.items():
        if sum(looks(value) for value in values) >= max(1, SHAPE_SHARE * len(values)):
            found.add(kind)
    return found


def _holds_personal_numbers(values: Sequence[str]) -> bool:
    certain = possible = 0
    for value in values:
        numbers = personal_numbers(value)
        certain += any(is_certain for _, is_certain in numbers)
        possible += bool(numbers)
    return certain >= CERTAIN_HITS or possible >= max(1, CHANCE_SHARE * len(values))


def _is_name(value: str) -> bool:
    parts = value.replace(",", " ").split()
    return 1 <= len(parts) <= 5 and any(part.casefold() in GIVEN_NAMES for part in (parts[0], parts[-1]))


_SHAPES: Final[dict[Kind, Callable[[str], bool]]] = {
    Kind.NAME: _is_name,
    Kind.PHONE: lambda value: _PHONE.fullmatch(value.strip()) is not None,
    Kind.ADDRESS: lambda value: _STREET.search(value) is not None,
    Kind.COORDINATES: lambda value: _PLACE.search(value) is not None,
}

"""What a name, a did, an endpoint and an id may look like.

Rules that hold here:

* A *complaint* is a sentence that says what is wrong with a text, or None. It never repeats the
  text: that could be what breaks the screen it is shown on.
* A name that people read has one spelling (Unicode NFC) and no character that cannot be seen, that
  turns the direction of text, or that passes for another (UTS #39's tricks, as far as the standard
  library's tables reach: invisible characters, odd spaces, letters of two scripts in one word,
  letters in disguise such as full-width ones).
* The characters are those of Unicode 3.2, the one table that every Python carries unchanged (RFC
  3454 stands on it): a list that one participant reads, every participant reads.
* A did is ``did:web`` (W3C CCG), in lower case, a domain and never an address. It is a name:
  nothing is resolved.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from unicodedata import ucd_3_2_0 as unicode

from ledger.errors import BylagError
from ledger.names import DataSpaceId, ParticipantId, UnitId

MAX_NAME: Final = 200
MAX_DID: Final = 243
"""What a leaf has room for (``ledger.leaf``)."""
MAX_ENDPOINT: Final = 262
"""A domain name has at most 253 characters (RFC 1035 section 2.3.4), a port five."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TOP_LABEL = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_PORT = r"[1-9][0-9]{0,4}"
_DID = re.compile(
    rf"did:web:(?P<domain>(?:{_LABEL}\.)+{_TOP_LABEL}|localhost)(?:%3A(?P<port>{_PORT}))?"
    r"(?P<path>(?::[A-Za-z0-9._-]{1,64})*)"
)
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_TOP_LABEL}")
_UNIT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SPACE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?")
_HANDLE = re.compile(r"guest:[0-9a-f]{32}")

_REFUSED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Me"})
# Blank or invisible though their categories are letters, marks or symbols
# (Default_Ignorable_Code_Point, and the empty braille cell).
_INVISIBLE = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u2800\u3164\uffa0"
) | frozenset(map(chr, range(0xFE00, 0xFE10)))
_LOOKALIKE_SCRIPTS = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
_ORDINALS = frozenset("ªº")
_MAX_MARKS = 2


class MalformedName(BylagError):
    """A did, id or name does not have the form it must have."""

    code = "MALFORMED_NAME"
    default_next_step = "Correct the name; docs/reference describes what each may look like."


def participant_id(text: str) -> ParticipantId:
    """``text`` as an organisation's did. Raises :class:`MalformedName`."""
    _require(did_complaint(text), "did")
    return ParticipantId(text)


def unit_id(text: str) -> UnitId:
    """``text`` as a unit's id. Raises :class:`MalformedName`."""
    _require(unit_complaint(text), "unit")
    return UnitId(text)


def data_space_id(text: str) -> DataSpaceId:
    """``text`` as a data space's name. Raises :class:`MalformedName`."""
    _require(space_complaint(text), "space")
    return DataSpaceId(text)


def is_handle(text: str) -> bool:
    """Whether ``text`` is a guest's handle rather than an organisation's did."""
    return _HANDLE.fullmatch(text) is not None


def name_complaint(text: str) -> str | None:
    """What is wrong with a name that people read."""
    if not 1 <= len(text) <= MAX_NAME:
        return f"a name has 1 to {MAX_NAME} characters"
    for character in text:
        category = unicode.category(character)
        if category in _REFUSED_CATEGORIES or character in _INVISIBLE:
            return f"U+{ord(character):04X} is a control, invisible or unassigned character"
        if category == "Zs" and character != " ":
            return f"U+{ord(character):04X} looks like a space and is none; use U+0020"
    if text != " ".join(text.split()):
        return "spaces stand alone, and between words only"
    if unicode.normalize("NFC", text) != text:
        return "the name is not in Unicode normalisation form C"
    return _disguise_complaint(text)


def _disguise_complaint(text: str) -> str | None:
    scripts: set[str] = set()
    marks = 0
    for position, character in enumerate(text):
        category = unicode.category(character)
        marks = marks + 1 if category.startswith("M") else 0
        if marks > _MAX_MARKS or (marks and position == 0):
            return "combining marks are stacked, or stand without a letter"
        if marks:
            continue
        if not category.startswith("L"):
            scripts = set()
            continue
        if unicode.normalize("NFKC", character) != character and character not in _ORDINALS:
            return f"U+{ord(character):04X} is another letter in disguise"
        scripts.add(unicode.name(character, "").split(" ")[0])
        if len(scripts & _LOOKALIKE_SCRIPTS) > 1:
            return "one word mixes letters of scripts that look alike"
    return None


def did_complaint(text: str) -> str | None:
    """What is wrong with an organisation's did (did:web method specification, section 3.1)."""
    match = _DID.fullmatch(text) if len(text) <= MAX_DID else None
    if match is None:
        return "not did:web:<domain>[%3A<port>][:<path>…] in lower case, with a domain and no address"
    if match["port"] is not None and int(match["port"]) > 65535:
        return "the did's port lies above 65535"
    if any(set(segment) <= {"."} for segment in match["path"].split(":")[1:]):
        return "a path segment of dots alone would climb out of its folder"
    return None


def endpoint_complaint(text: str) -> str | None:
    """What is wrong with an endpoint, ``host:port``, the host a domain, IPv4, or [IPv6]."""
    host, colon, port = text.rpartition(":")
    if len(text) > MAX_ENDPOINT or not colon or not re.fullmatch(_PORT, port) or int(port) > 65535:
        return "not host:port with a port from 1 to 65535"
    if _HOST.fullmatch(host):
        return None
    try:
        if host.startswith("[") and host.endswith("]"):
            spelling = f"[{ipaddress.IPv6Address(host[1:-1])}]"
        else:
            spelling = str(ipaddress.IPv4Address(host))
    except ValueError:
        return "the host is no domain in lower case, IPv4 address or [IPv6 address]"
    return None if spelling == host else "the address is not in its usual spelling"


def unit_complaint(text: str) -> str | None:
    """What is wrong with a unit's id."""
    return None if _UNIT.fullmatch(text) else "not 1 to 63 of a-z, 0-9 and inner hyphens"


def space_complaint(text: str) -> str | None:
    """What is wrong with a data space's name."""
    return None if _SPACE.fullmatch(text) else "not 1 to 128 of a-z, 0-9 and inner dots or hyphens"


def handle_complaint(text: str) -> str | None:
    """What is wrong with a guest's handle."""
    return None if _HANDLE.fullmatch(text) else "not guest:<32 hexadecimal digits>"


def _require(complaint: str | None, field: str) -> None:
    if complaint is not None:
        raise MalformedName(complaint, field=field)

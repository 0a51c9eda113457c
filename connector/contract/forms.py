"""The shapes of single values in contract documents: ids, IRIs, codes, places, languages.

Rules that hold here: a value that may later stand in a leaf has the leaf's alphabet
(``ledger.leaf``); a dataset's id can never be read as a path; a person can only be given by a
handle, which has no room for a name.
"""

from __future__ import annotations

import re
from typing import Final

from ledger.canonical import JSON, JSONObject
from ledger.fields import Fields
from ledger.names import DatasetId, NegotiationId, ParticipantId, Thumbprint

IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#%~=-]{0,127}", re.ASCII)
DATASET: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", re.ASCII)
PROCESS_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#%~=-]{0,199}", re.ASCII)
"""A consumerPid or providerPid: opaque to everybody but its maker."""
ORGANISATION: Final = re.compile(r"did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,235}", re.ASCII)
HANDLE: Final = re.compile(r"guest:[0-9a-f]{32}", re.ASCII)
"""A citizen at one controller: 128 random bits, so that a name cannot stand in its place."""
IRI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}:[A-Za-z0-9._:/#?&%~=+-]{1,224}", re.ASCII)
THUMBPRINT: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
ORIGIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/%~-]{0,255}", re.ASCII)
VERIFIER_KEY: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._:/%~-]{0,255}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}", re.ASCII
)
SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{1,512}\.\.[A-Za-z0-9_-]{86}", re.ASCII)
"""A detached JWS with an Ed25519 signature, ``<protected>..<signature>``."""
PLACE: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?|EEA", re.ASCII)
"""ISO 3166-1 or 3166-2, or EU or EEA."""
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)
"""BCP 47, as far as a contract needs it."""
CURRENCY: Final = re.compile(r"[A-Z]{3}", re.ASCII)
"""ISO 4217."""
LAW: Final = re.compile(r"[A-Z]{2}", re.ASCII)
KIND: Final = re.compile(r"[a-z][a-z-]{0,31}", re.ASCII)

LARGEST_AMOUNT: Final = 10**12
"""In minor units; leaves room for a sum over a year below 2^53."""


def identifier(fields: Fields, name: str) -> str:
    """An id that may stand in a leaf."""
    return fields.text(name, limit=128, pattern=IDENTIFIER)


def dataset(fields: Fields, name: str) -> DatasetId:
    """A dataset's id at its provider: no slash, no two dots in a row."""
    return DatasetId(fields.text(name, limit=100, pattern=DATASET))


def process_id(fields: Fields, name: str) -> NegotiationId:
    """A consumerPid or providerPid."""
    return NegotiationId(fields.text(name, limit=200, pattern=PROCESS_ID))


def maybe_process_id(fields: Fields, name: str) -> NegotiationId | None:
    """A process id, or None while the other side's is not known."""
    return process_id(fields, name) if fields.has(name) else None


def organisation(fields: Fields, name: str) -> ParticipantId:
    """An organisation's ``did:web``."""
    return ParticipantId(fields.text(name, limit=256, pattern=ORGANISATION))


def participant(fields: Fields, name: str) -> ParticipantId:
    """An organisation's did or a citizen's handle."""
    value = fields.text(name, limit=256)
    if ORGANISATION.fullmatch(value) is None and HANDLE.fullmatch(value) is None:
        raise fields.wrong(name, "must be an organisation's did:web or a citizen's handle")
    return ParticipantId(value)


def is_organisation(party: ParticipantId) -> bool:
    """Whether a party is on the membership list, rather than a citizen given by handle."""
    return party.startswith("did:")


def maybe_unit(fields: Fields, name: str) -> str | None:
    """A unit of a participant, or None for the participant as a whole."""
    return identifier(fields, name) if fields.has(name) else None


def iri(fields: Fields, name: str) -> str:
    """An absolute IRI in ASCII."""
    return fields.text(name, limit=256, pattern=IRI)


def maybe_iri(fields: Fields, name: str) -> str | None:
    """An absolute IRI in ASCII, or None."""
    return iri(fields, name) if fields.has(name) else None


def thumbprint(fields: Fields, name: str) -> Thumbprint:
    """A key's RFC 7638 thumbprint."""
    return Thumbprint(fields.text(name, limit=43, pattern=THUMBPRINT))


def texts(fields: Fields, name: str, *, limit: int, pattern: re.Pattern[str]) -> tuple[str, ...]:
    """A list of different strings in ascending order, each of one shape: one set, one spelling."""
    values = fields.texts(name, limit=limit)
    for number, value in enumerate(values):
        if pattern.fullmatch(value) is None:
            raise fields.wrong(f"{name}[{number}]", f"must match {pattern.pattern}")
    if list(values) != sorted(set(values)):
        raise fields.wrong(name, "must be in ascending order, each entry once")
    return values


def one_spelling(given: JSONObject, read: JSONObject) -> None:
    """Refuse a document that says the same as another with other bytes, such as null left out.

    Raises :class:`~ledger.fields.BadField` naming the first member that differs.
    """
    found = _difference(given, read, "")
    if found is not None:
        raise Fields({}).wrong(found, "is not written as this document is written: put null where nothing is")


def _difference(given: JSON, read: JSON, path: str) -> str | None:
    if isinstance(given, dict) and isinstance(read, dict):
        for name in sorted(given.keys() | read.keys()):
            below = f"{path}.{name}" if path else name
            if name not in given or name not in read:
                return below
            found = _difference(given[name], read[name], below)
            if found is not None:
                return found
        return None
    return None if given == read else path

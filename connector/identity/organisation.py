"""An organisation as the membership list describes it: names, units, keys, status.

Rules that hold here:

* Every member of the schema is always there; what does not apply is null.
* A key's time is ``[not_before, not_after)``; ``compromised_since`` cuts it short, whenever it was
  learnt. Ends are the registrar's statements; nothing here reads a clock.
* Whether a *signature* counts is asked of an interval (LEDGER.md, "Keys in time"): the signer's own
  clock decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final

from connector.identity import forms, syntax
from connector.identity.certificate import CLOCK_SKEW, MAX_ANCHOR, BadCertificate, read_anchor
from connector.identity.public import Job, MalformedKey, PublicKey, from_text, thumbprint, to_text
from ledger.canonical import JSONObject
from ledger.document import to_base64url
from ledger.fields import Fields
from ledger.names import Milliseconds, ParticipantId, Thumbprint, UnitId

MAX_UNITS: Final = 256
MAX_KEYS: Final = 256
MAX_ENDPOINTS: Final = 8


class Kind(StrEnum):
    """What sort of organisation it is, as the registrar attests it."""

    MUNICIPALITY = "municipality"
    REGION = "region"
    AUTHORITY = "authority"
    COMPANY = "company"
    ASSOCIATION = "association"
    RESEARCH = "research"
    OTHER = "other"


class Status(StrEnum):
    """Where an organisation stands in the data space."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    """For a time; protective messages only."""
    REMOVED = "removed"
    """No longer a member. It stays on the list, so that its past signatures can be read."""


class KeyState(Enum):
    """What a key is worth at one moment."""

    NOT_YET = "not-yet"
    VALID = "valid"
    ENDED = "ended"
    COMPROMISED = "compromised"


class Weight(Enum):
    """What a signature is worth whose time is only known to lie in an interval."""

    COUNTS = "counts"
    UNDETERMINED = "undetermined"
    DOES_NOT_COUNT = "does-not-count"


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A public key that the list pins for one job, with its time."""

    job: Job
    public: PublicKey
    not_before: Milliseconds
    not_after: Milliseconds | None = None
    compromised_since: Milliseconds | None = None
    anchor: bytes | None = None
    """For TLS the anchor certificate in DER, otherwise None."""

    @property
    def thumbprint(self) -> Thumbprint:
        """The key's RFC 7638 thumbprint."""
        return thumbprint(self.public)

    @property
    def end(self) -> Milliseconds | None:
        """When it ended or will end: the earlier of ``not_after`` and ``compromised_since``."""
        ends = [time for time in (self.not_after, self.compromised_since) if time is not None]
        return min(ends, default=None)

    def state(self, at: Milliseconds) -> KeyState:
        """What the key is worth at one moment."""
        if self.compromised_since is not None and at >= self.compromised_since:
            return KeyState.COMPROMISED
        if at < self.not_before:
            return KeyState.NOT_YET
        return KeyState.ENDED if self.not_after is not None and at >= self.not_after else KeyState.VALID

    def is_live(self, now: Milliseconds) -> bool:
        """Whether the key is valid now, by a clock that may lag the registrar's by five minutes."""
        state = self.state(now)
        begins_soon = state is KeyState.NOT_YET and self.not_before - now <= CLOCK_SKEW
        return state is KeyState.VALID or begins_soon

    def weight(self, earliest: Milliseconds, latest: Milliseconds | None) -> Weight:
        """What a signature made between two times is worth; ``latest`` None is "not bounded yet".

        It counts when the upper end lies before the key's end; when the interval straddles that
        end, nobody can tell (LEDGER.md section 2, "Keys in time").
        """
        if latest is not None and latest < self.not_before:
            return Weight.DOES_NOT_COUNT
        if self.end is None or (latest is not None and latest < self.end):
            return Weight.COUNTS
        return Weight.UNDETERMINED if earliest < self.end else Weight.DOES_NOT_COUNT

    def content(self) -> JSONObject:
        """As JSON."""
        return {
            "use": self.job.value,
            "thumbprint": self.thumbprint,
            "public": to_text(self.public),
            "not_before": self.not_before,
            "not_after": self.not_after,
            "compromised_since": self.compromised_since,
            "anchor": None if self.anchor is None else to_base64url(self.anchor),
        }


@dataclass(frozen=True, slots=True)
class Unit:
    """A committee or division; a controller of its own."""

    id: UnitId
    name: str

    def content(self) -> JSONObject:
        """As JSON."""
        return {"id": self.id, "name": self.name}


@dataclass(frozen=True, slots=True)
class Attributes:
    """Facts that the registrar attests and that policies may ask for (POLICY.md, "attested")."""

    country: str | None = None
    """ISO 3166-1 alpha-2."""
    industry: str | None = None
    """A code or IRI of the classification that the data space agreed on, such as NACE ``D35.14``."""


@dataclass(frozen=True, slots=True)
class Organisation:
    """One entry of the list."""

    did: ParticipantId
    kind: Kind
    name: str
    units: tuple[Unit, ...] = ()
    keys: tuple[ListedKey, ...] = ()
    endpoints: tuple[str, ...] = ()
    status: Status = Status.ACTIVE
    successor: ParticipantId | None = None
    attributes: Attributes = Attributes()

    def keys_for(self, job: Job) -> Iterator[ListedKey]:
        """Its keys for one job, whatever their state."""
        return (key for key in self.keys if key.job is job)

    def find_key(self, kid: Thumbprint) -> ListedKey | None:
        """Its key of that name."""
        return next((key for key in self.keys if key.thumbprint == kid), None)

    def handshake_keys(self, now: Milliseconds) -> tuple[ListedKey, ...]:
        """The TLS keys by which it may be met now.

        They are its valid ones or, when all have ended, the last that ended uncompromised: then the
        entry has expired, and the protective lane stays open (LEDGER.md section 3).
        """
        keys = tuple(self.keys_for(Job.TLS))
        if valid := tuple(key for key in keys if key.is_live(now)):
            return valid
        ended = [key for key in keys if key.state(now) is KeyState.ENDED]
        return tuple(sorted(ended, key=lambda key: key.not_after or 0)[-1:])

    def content(self) -> JSONObject:
        """As JSON."""
        return {
            "did": self.did,
            "kind": self.kind.value,
            "name": self.name,
            "units": [unit.content() for unit in self.units],
            "keys": [key.content() for key in self.keys],
            "endpoints": list(self.endpoints),
            "status": self.status.value,
            "successor": self.successor,
            "attributes": {"country": self.attributes.country, "industry": self.attributes.industry},
        }


def read_organisation(fields: Fields) -> Organisation:
    """Read an entry. Raises :class:`~ledger.fields.BadField`."""
    did = ParticipantId(forms.text(fields, "did", syntax.did_complaint))
    successor = forms.maybe_text(fields, "successor", syntax.did_complaint)
    entry = Organisation(
        did=did,
        kind=forms.choice(fields, "kind", Kind),
        name=forms.text(fields, "name", syntax.name_complaint),
        units=read_units(fields),
        keys=tuple(read_key(key, did) for key in fields.objects("keys", limit=MAX_KEYS)),
        endpoints=read_endpoints(fields),
        status=forms.choice(fields, "status", Status),
        successor=None if successor is None else ParticipantId(successor),
        attributes=_read_attributes(fields.object("attributes")),
    )
    fields.finish()
    return entry


def read_units(fields: Fields) -> tuple[Unit, ...]:
    """Read the member ``units``: ids differ within one organisation."""
    units: list[Unit] = []
    for item in fields.objects("units", limit=MAX_UNITS):
        unit = Unit(
            UnitId(forms.text(item, "id", syntax.unit_complaint)),
            forms.text(item, "name", syntax.name_complaint),
        )
        item.finish()
        if any(other.id == unit.id for other in units):
            raise item.wrong("id", "two units have this id")
        units.append(unit)
    return tuple(units)


def read_endpoints(fields: Fields) -> tuple[str, ...]:
    """Read the member ``endpoints``."""
    return forms.texts(fields, "endpoints", syntax.endpoint_complaint, limit=MAX_ENDPOINTS)


def read_key(fields: Fields, did: ParticipantId) -> ListedKey:
    """Read a key of organisation ``did``; a TLS key with its anchor, which is checked."""
    job = forms.choice(fields, "use", Job)
    try:
        public = from_text(fields.text("public"), job)
    except MalformedKey as error:
        raise fields.wrong("public", error.message) from error
    if forms.thumbprint(fields, "thumbprint") != thumbprint(public):
        raise fields.wrong("thumbprint", "is not the key's thumbprint")
    key = ListedKey(
        job,
        public,
        forms.time(fields, "not_before"),
        forms.maybe_time(fields, "not_after"),
        forms.maybe_time(fields, "compromised_since"),
        _read_anchor(fields, public, did) if job is Job.TLS else None,
    )
    if key.anchor is None:
        fields.constant("anchor", None)  # no other key has one
    fields.finish()
    if key.not_after is not None and key.not_after <= key.not_before:
        raise fields.wrong("not_after", "lies before the key begins")
    return key


def _read_anchor(fields: Fields, public: PublicKey, did: ParticipantId) -> bytes:
    der = forms.base64url(fields, "anchor", limit=MAX_ANCHOR)
    try:
        read_anchor(der, did, thumbprint(public))
    except BadCertificate as error:
        raise fields.wrong("anchor", error.message) from error
    return der


def _read_attributes(fields: Fields) -> Attributes:
    attributes = Attributes(
        country=forms.maybe_text(fields, "country", _country_complaint),
        industry=forms.maybe_text(fields, "industry", _industry_complaint),
    )
    fields.finish()
    return attributes


def _country_complaint(text: str) -> str | None:
    return None if re.fullmatch(r"[A-Z]{2}", text, re.ASCII) else "is no ISO 3166 code"


def _industry_complaint(text: str) -> str | None:
    sound = 1 <= len(text) <= 128 and text.isascii() and text.isprintable() and " " not in text
    return None if sound else "is not 1 to 128 ASCII characters without spaces"

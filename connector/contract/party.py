"""A party to an agreement: who, for which unit, in which role under data protection law, with which keys.

Rules that hold here: an organisation is given by its did; a citizen by the handle that their controller
gave them, never by name. The keys named here are the ones that the agreement's signatures and the
party's log must show. A log is called after its party's did, a citizen's by a random name: so nobody's
log can be taken for another's, and a citizen's says nothing of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from connector.contract import forms
from ledger.canonical import JSONObject
from ledger.fields import Fields
from ledger.names import Origin, ParticipantId, Thumbprint, UnitId


class ProtectionRole(StrEnum):
    """What a party is for the data, under GDPR articles 4, 26 and 28."""

    CONTROLLER = "controller"
    JOINT_CONTROLLER = "joint-controller"
    PROCESSOR = "processor"


@dataclass(frozen=True, slots=True)
class PartyLog:
    """A party's log: its origin and its key, a C2SP verifier key named after the origin."""

    origin: Origin
    key: str

    def members(self) -> JSONObject:
        return {"origin": self.origin, "key": self.key}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        origin = fields.text("origin", limit=256, pattern=forms.ORIGIN)
        key = fields.text("key", limit=320, pattern=forms.VERIFIER_KEY)
        if key.split("+")[0] != origin:
            raise fields.wrong("key", "must be named after the log's origin")
        fields.finish()
        return cls(Origin(origin), key)


@dataclass(frozen=True, slots=True)
class Party:
    """One of the two parties."""

    id: ParticipantId
    unit: UnitId | None
    role: ProtectionRole
    key: Thumbprint
    """The key that signs the agreement for this party."""
    log: PartyLog

    @property
    def is_citizen(self) -> bool:
        """Whether the party is a person, given by handle."""
        return not forms.is_organisation(self.id)

    def members(self) -> JSONObject:
        return {
            "id": self.id,
            "unit": self.unit,
            "role": self.role.value,
            "key": self.key,
            "log": self.log.members(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read a party. Raises :class:`~ledger.fields.BadField` naming the member."""
        unit = forms.maybe_unit(fields, "unit")
        party = cls(
            id=forms.participant(fields, "id"),
            unit=None if unit is None else UnitId(unit),
            role=ProtectionRole(fields.choice("role", [role.value for role in ProtectionRole])),
            key=forms.thumbprint(fields, "key"),
            log=PartyLog.read(fields.object("log")),
        )
        if not _is_called_after(party.log.origin, party.id):
            raise fields.wrong("log.origin", "must be called after the party, a citizen's by a random name")
        if party.is_citizen and party.unit is not None:
            raise fields.wrong("unit", "is null for a citizen")
        fields.finish()
        return party


def _is_called_after(origin: Origin, party: ParticipantId) -> bool:
    if forms.is_organisation(party):
        name = re.escape(party.removeprefix("did:web:").replace(":", "/"))
    else:
        name = "guest/[0-9a-f]{32}"
    return re.fullmatch(f"{name}/log(/[1-9][0-9]{{0,8}})?", origin) is not None

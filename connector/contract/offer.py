"""An offer: what a provider publishes for a dataset, and who gets it without being asked about.

Rules that hold here:

* An offer is a closed document with a type and a version; what it proposes is a
  :class:`~connector.contract.terms.Proposal`, word for word what an agreement will fix.
* Approval is by hand unless the offer says otherwise, and a rule only ever approves the offer as
  published: a counter-offer goes to a person.
* A rule approves active members of the list. A citizen is on no list and is approved by hand.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Self

from connector.contract import forms
from connector.contract.terms import Proposal, Terms, VersionRule
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.fields import Fields
from ledger.names import DatasetId, Milliseconds, OfferId, ParticipantId, UnitId

TYPE: Final = "published-offer"
VERSION: Final = 1
MAX_BYTES: Final = 128 << 10
MAX_LISTED: Final = 500


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who asks, as the membership list has it at that time."""

    id: ParticipantId
    kind: str | None
    """Such as ``municipality``; None for a citizen."""
    active: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """How a request for the offer as published is approved."""

    any_member: bool = False
    kinds: tuple[str, ...] = ()
    members_listed: tuple[ParticipantId, ...] = ()

    @property
    def by_hand(self) -> bool:
        """Whether a person decides on every request."""
        return not (self.any_member or self.kinds or self.members_listed)

    def grants(self, applicant: Applicant) -> bool:
        """Whether the rule approves this applicant by itself."""
        if not applicant.active or not forms.is_organisation(applicant.id):
            return False
        return self.any_member or applicant.kind in self.kinds or applicant.id in self.members_listed

    def members(self) -> JSONObject:
        return {
            "by": "hand" if self.by_hand else "rule",
            "any_member": self.any_member,
            "kinds": list[JSON](self.kinds),
            "listed": list[JSON](self.members_listed),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        by = fields.choice("by", ("hand", "rule"))
        approval = cls(
            any_member=fields.boolean("any_member"),
            kinds=forms.texts(fields, "kinds", limit=32, pattern=forms.KIND),
            members_listed=tuple(
                ParticipantId(did)
                for did in forms.texts(fields, "listed", limit=MAX_LISTED, pattern=forms.ORGANISATION)
            ),
        )
        if approval.by_hand != (by == "hand"):
            raise fields.wrong("by", "is hand exactly where no rule approves anybody")
        fields.finish()
        return approval


BY_HAND: Final = Approval()


@dataclass(frozen=True, slots=True)
class Offer:
    """A published offer. ``until`` is when it stops being open, in milliseconds; None: until withdrawn."""

    id: OfferId
    provider: ParticipantId
    unit: UnitId | None
    dataset: DatasetId
    versions: VersionRule
    terms: Terms
    approval: Approval
    until: Milliseconds | None

    @property
    def proposal(self) -> Proposal:
        """What the offer proposes, as it goes into a negotiation."""
        return Proposal(self.id, self.dataset, self.versions, self.terms)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the document's canonical form."""
        return hashlib.sha256(encode(self.content())).hexdigest()

    def approves(self, applicant: Applicant, proposal: Proposal, at: Milliseconds) -> bool:
        """Whether ``proposal`` is approved without a person: the offer as published, open, by its rule."""
        is_open = self.until is None or at < self.until
        return is_open and proposal.digest == self.proposal.digest and self.approval.grants(applicant)

    def content(self) -> JSONObject:
        """The document."""
        return {
            "type": TYPE,
            "version": VERSION,
            "id": self.id,
            "provider": self.provider,
            "unit": self.unit,
            "dataset": self.dataset,
            "versions": self.versions.members(),
            "terms": self.terms.members(),
            "approval": self.approval.members(),
            "until": self.until,
        }


def read_offer(content: JSONObject) -> Offer:
    """Read an offer. Raises :class:`~ledger.fields.BadField` naming the member."""
    fields = Fields(content)
    fields.constant("type", TYPE)
    fields.constant("version", VERSION)
    until = fields.maybe_integer("until")
    unit = forms.maybe_unit(fields, "unit")
    offer = Offer(
        id=OfferId(forms.identifier(fields, "id")),
        provider=forms.participant(fields, "provider"),
        unit=None if unit is None else UnitId(unit),
        dataset=forms.dataset(fields, "dataset"),
        versions=VersionRule.read(fields.object("versions")),
        terms=Terms.read(fields.object("terms")),
        approval=Approval.read(fields.object("approval")),
        until=None if until is None else Milliseconds(until),
    )
    fields.finish()
    forms.one_spelling(content, offer.content())
    return offer


def decode_offer(data: bytes) -> Offer:
    """Read an offer from bytes: strict JSON in any order, at most 128 KiB.

    Raises :class:`~ledger.canonical.MalformedJson` or :class:`~ledger.fields.BadField`.
    """
    return read_offer(decode_object(data, max_bytes=MAX_BYTES))

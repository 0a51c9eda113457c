"""The whole question: everything a decision rests on, in one JSON document with every field always there.

Rules that hold here:

* Engines differ on missing fields, so none is ever missing: what does not apply is null.
* The *moving* fields are enumerated (:data:`MOVING`): now, counters, nonce. Everything else *stands* for a
  session and makes up the lease key. What the rulebook says about a moving field it bounds in its answer.
* Times and counts are integers. Parsing and verifying happened before: the rulebook sees facts.
* Written canonically, so that its digest can be recorded and the decision replayed. Where people stand in
  it, they stand as random handles, one for each record: the caller puts them there.

Example::

    standing = Standing(
        action="read", purpose="https://w3id.org/dpv#ScientificResearch", dataset=dataset,
        recipient=Recipient(did), policy=agreement_policy, agreement=AgreementFacts(id, digest, purpose),
        membership=MembershipFacts(number, list_digest),
    )
    question = standing.at(Moving(now=ambient.now(), counters={"count:permission-…": 3}))
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple, NewType

from connector.policy.facts import NOTHING_MORE, Facts, Named, written_facts
from connector.policy.legal_bases import wider_bases
from connector.policy.normal import NormalPolicy, Rule, leaves_of
from connector.policy.places import wider_places
from connector.policy.purposes import purpose_iri
from connector.policy.vocabulary import PROFILE, RESERVED_OPERANDS, action_name, local_name
from ledger.canonical import JSON, JSONObject, encode
from ledger.names import (
    AgreementId,
    DatasetId,
    ExchangeId,
    Milliseconds,
    ParticipantId,
    UnitId,
    VersionDigest,
)

VERSION: Final = 1
MOVING: Final = (("facts", "now"), ("facts", "counters"), ("request", "nonce"))
"""The moving fields, as paths. Every other field is part of the lease key."""

RELEASE_ACTION: Final = "read"
"""What a provider decides when it releases data: the consumer obtains data from the asset (ODRL ``read``)."""

LeaseKey = NewType("LeaseKey", bytes)
"""SHA-256 of a question without its moving fields, together with the rulebook it is asked of."""

CounterName = NewType("CounterName", str)
"""A counter of one agreement, named by what it counts and the rule whose uses those are.

``count:RULE`` uses so far; ``rate:UNIT:RULE`` uses in the window that holds now; ``last:RULE`` when it was
last used, in milliseconds, 0 for never; ``metered:RULE`` milliseconds of metered use.
"""

COUNTED_UNIT: Final = PROFILE + "use"
"""What one count is: one use or release that is granted and recorded (ODRL ``unitOfCount``)."""

CONFIGURED_AREA: Final = PROFILE + "area"
"""The area of the configuration, as a policy can name it (``spatial isPartOf bylag:area``)."""

NO_OBJECTION: Final = PROFILE + "noObjection"
"""As an ``event``: whoever recorded it attests that no objection of those whom the data is about stands."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who asks. ``attributes`` are what the membership list attests: kind, country, and so on."""

    did: ParticipantId
    unit: UnitId | None = None
    attributes: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """What the agreement says beside its policy. ``purpose`` is a DPV IRI; None binds no purpose."""

    id: AgreementId
    digest: str
    purpose: str | None
    legal_basis: str | None = None


@dataclass(frozen=True, slots=True)
class MembershipFacts:
    """The membership list that the recipient's attributes come from."""

    number: int
    digest: str


class Moving(NamedTuple):
    """The moving fields of one request. ``counters`` has a value for each of :func:`counters_of`."""

    now: Milliseconds
    counters: Mapping[CounterName, int] = MappingProxyType({})
    nonce: str | None = None


@dataclass(frozen=True)
class Standing:
    """All of a question that does not move: build it once for a session, and ask it many times.

    ``action`` may be any spelling of an ODRL action, ``purpose`` any of a DPV purpose; what is unknown
    stays as it is and is denied. ``consent_epoch`` is None where no consent is involved.
    """

    action: str
    purpose: str | None
    dataset: DatasetId
    recipient: Recipient
    policy: NormalPolicy
    agreement: AgreementFacts
    membership: MembershipFacts
    version: VersionDigest | None = None
    exchange: ExchangeId | None = None
    consent_epoch: int | None = None
    facts: Facts = NOTHING_MORE

    def at(self, moving: Moving) -> DecisionInput:
        """The whole question at one moment."""
        return DecisionInput(self, moving)

    def lease_key(self, revision: str) -> LeaseKey:
        """The key of leases on this question under the rules ``revision``. Costs some 50 µs: keep it."""
        return LeaseKey(hashlib.sha256(self._written(None, None, None) + revision.encode()).digest())

    def written(self, moving: Moving) -> bytes:
        """The question at one moment, in canonical JSON."""
        return self._written(
            moving.now, {str(name): uses for name, uses in moving.counters.items()}, moving.nonce
        )

    @cached_property
    def _parts(self) -> tuple[bytes, ...]:
        """What stands before the counters, between them and the clock, up to the nonce, and after it."""
        before: JSONObject = {
            "agreement": {
                "digest": self.agreement.digest,
                "id": self.agreement.id,
                "legal_basis": self.agreement.legal_basis,
                "purpose": self.agreement.purpose,
            },
            "consent": None if self.consent_epoch is None else {"epoch": self.consent_epoch},
        }
        membership: JSONObject = {"digest": self.membership.digest, "number": self.membership.number}
        asked: JSONObject = {
            "action": action_name(self.action) or self.action,
            "dataset": self.dataset,
            "exchange": self.exchange,
        }
        by: JSONObject = {
            "purpose": self.purpose and (purpose_iri(self.purpose) or self.purpose),
            "recipient": {
                "attributes": dict(self.recipient.attributes),
                "did": self.recipient.did,
                "unit": self.recipient.unit,
            },
            "version": self.version,
        }
        facts = written_facts(self.facts, self.policy, self._known())
        first, middle, last = (
            encode({name: facts[name] for name in names})
            for names in (("area", "began", "collections"), ("duties",), ("transfer", "values"))
        )
        between = (encode(membership), b',"policy":', self.policy.encoded, b',"request":', encode(asked)[:-1])
        return (
            encode(before)[:-1] + b',"facts":' + first[:-1] + b',"counters":',
            b"," + middle[1:-1] + b',"now":',
            b"," + last[1:] + b',"membership":' + b"".join(between) + b',"nonce":',
            b"," + encode(by)[1:] + b',"type":"decision-input","version":%d}' % VERSION,
        )

    def _known(self) -> dict[str, Named]:
        """The named facts that follow from the question's other fields; these cannot be stated otherwise."""
        attested = self.recipient.attributes
        known: dict[str, Named] = {"unitOfCount": {COUNTED_UNIT: ()}}
        if self.version is not None:
            known["version"] = {self.version: ()}
        if self.agreement.legal_basis is not None:
            basis = self.agreement.legal_basis
            known["bylag:legalBasis"] = {basis: wider_bases(basis)}
        if isinstance(industry := attested.get("industry"), str):
            known["industry"] = {industry: ()}
        if isinstance(country := attested.get("country"), str):
            known["spatial"] = {country: self._areas(country)}
        return known

    def _areas(self, country: str) -> tuple[str, ...]:
        configured = self.facts.area is not None and country in self.facts.area
        return (*wider_places(country), *((CONFIGURED_AREA,) if configured else ()))

    def _written(self, now: int | None, counters: JSON, nonce: str | None) -> bytes:
        # RFC 8785 section 3.2.3: members stand sorted by name, at the top, in the facts and in the request.
        to_counters, to_now, to_nonce, after = self._parts
        return b"".join((to_counters, encode(counters), to_now, encode(now), to_nonce, encode(nonce), after))


@dataclass(frozen=True)
class DecisionInput:
    """One question at one moment: what an engine decides, and what is recorded to decide it again."""

    standing: Standing
    moving: Moving

    @cached_property
    def encoded(self) -> bytes:
        """Canonical JSON, the bytes that an engine reads."""
        return self.standing.written(self.moving)

    @cached_property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of :attr:`encoded`."""
        return hashlib.sha256(self.encoded).hexdigest()


def counters_of(policy: NormalPolicy) -> tuple[CounterName, ...]:
    """The counters whose values a question about ``policy`` must hold, 0 where nothing was counted yet."""
    return tuple(name for rule in policy.rules for name in _counters_of(rule))


def _counters_of(rule: Rule) -> list[CounterName]:
    if rule.kind != "permission" or rule.constraint is None:
        return []
    names = {
        counter_name(leaf.left, leaf.unit, rule.id)
        for leaf in leaves_of(rule.constraint)
        if leaf.left in RESERVED_OPERANDS
    }
    return sorted(names)


def counter_name(left: str, unit: str | None, rule: str) -> CounterName:
    """The counter of one counted operand in a permission; ``unit`` is a rate's window."""
    match left:
        case "count":
            return CounterName(f"count:{rule}")
        case "timeInterval":
            return CounterName(f"last:{rule}")
        case "meteredTime":
            return CounterName(f"metered:{rule}")
        case _:
            window = "day" if unit is None else local_name(unit).removeprefix("bylag:")
            return CounterName(f"rate:{window}:{rule}")

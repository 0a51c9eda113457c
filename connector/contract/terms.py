"""The terms that an offer proposes, a negotiation changes and an agreement fixes.

Rules that hold here:

* Terms are a closed set of members, each always there; what does not apply is null. The same terms
  have one spelling, so that two proposals are equal exactly when their digests are.
* The policy is its normal form as plain JSON, and the digest beside it must fit: what a policy means
  is the policy room's to say.
* The prose contract stands in by digest, and ``precedence`` names every document and the policy
  exactly once: which text prevails is never left open.
* Amounts are integers in minor units; times are integer milliseconds UTC.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from connector.contract import forms
from connector.contract.liability import LiabilityTerms
from ledger.canonical import JSON, JSONObject, encode
from ledger.fields import Fields
from ledger.names import DatasetId, Milliseconds, OfferId, PolicyDigest, VersionDigest

MAX_POLICY_BYTES: Final = 64 << 10
MAX_POLICY_DEPTH: Final = 20
MAX_PROSE_DOCUMENTS: Final = 16
MAX_PLACES: Final = 32
MAX_WINDOWS: Final = 64
POLICY: Final = "policy"
"""How the policy is named among the documents in ``precedence``."""

BASES: Final = ("record", "byte", "request", "flat", "free")
"""What a price counts."""

_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,60}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """From ``begin`` up to, not including, ``end``; an ``end`` of None runs until terminated."""

    begin: Milliseconds
    end: Milliseconds | None

    def holds(self, at: Milliseconds) -> bool:
        """Whether ``at`` lies in the period, by the provider's clock."""
        return self.begin <= at and (self.end is None or at < self.end)

    def members(self) -> JSONObject:
        return {"begin": self.begin, "end": self.end}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        begin, end = fields.integer("begin"), fields.maybe_integer("end")
        if end is not None and end <= begin:
            raise fields.wrong("end", "must lie after the beginning")
        fields.finish()
        return cls(Milliseconds(begin), None if end is None else Milliseconds(end))


@dataclass(frozen=True, slots=True)
class Price:
    """``amount`` minor units of ``currency`` for every started ``per`` records, bytes or requests."""

    basis: str
    """``record``, ``byte``, ``request``, ``flat`` or ``free``."""
    amount: int
    currency: str | None
    per: int
    legal_ground: str | None = None
    """The provision that allows the price, an IRI: what a public body may charge is for law to say."""

    def members(self) -> JSONObject:
        return {
            "basis": self.basis,
            "amount": self.amount,
            "currency": self.currency,
            "per": self.per,
            "legal_ground": self.legal_ground,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        basis = fields.choice("basis", BASES)
        amount = fields.integer("amount", most=forms.LARGEST_AMOUNT)
        currency = fields.text("currency", pattern=forms.CURRENCY) if fields.has("currency") else None
        per = fields.integer("per", least=1, most=forms.LARGEST_AMOUNT)
        legal_ground = forms.maybe_iri(fields, "legal_ground")
        if basis == "free" and (amount, currency) != (0, None):
            raise fields.wrong("amount", "is 0 without a currency where the data is free")
        if basis == "free" and legal_ground is not None:
            raise fields.wrong("legal_ground", "is null where nothing is charged")
        if basis != "free" and currency is None:
            raise fields.wrong("currency", "is missing")
        if basis in {"free", "flat"} and per != 1:
            raise fields.wrong("per", "is 1 where nothing is counted")
        fields.finish()
        return cls(basis, amount, currency, per, legal_ground)


FREE: Final = Price("free", 0, None, 1)


@dataclass(frozen=True, slots=True)
class ProseDocument:
    """A contract or annex in words, by the digest of its bytes."""

    digest: str
    kind: str
    """``contract`` or ``annex``."""
    title: str
    language: str
    media_type: str

    def members(self) -> JSONObject:
        return {
            "digest": self.digest,
            "kind": self.kind,
            "title": self.title,
            "language": self.language,
            "media_type": self.media_type,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        document = cls(
            digest=fields.digest("digest"),
            kind=fields.choice("kind", ("contract", "annex")),
            title=fields.text("title", limit=200),
            language=fields.text("language", limit=35, pattern=forms.LANGUAGE),
            media_type=fields.text("media_type", limit=121, pattern=_MEDIA_TYPE),
        )
        fields.finish()
        return document


@dataclass(frozen=True, slots=True)
class Prose:
    """The documents in words, and what prevails over what where they and the policy disagree."""

    documents: tuple[ProseDocument, ...]
    precedence: tuple[str, ...]
    """Digests of the documents and ``policy``, what prevails first."""

    def members(self) -> JSONObject:
        return {
            "documents": [document.members() for document in self.documents],
            "precedence": list[JSON](self.precedence),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        documents = tuple(
            ProseDocument.read(each) for each in fields.objects("documents", limit=MAX_PROSE_DOCUMENTS)
        )
        precedence = fields.texts("precedence", limit=MAX_PROSE_DOCUMENTS + 1, text_limit=64)
        named = [POLICY, *(document.digest for document in documents)]
        if len(set(named)) != len(named):
            raise fields.wrong("documents", "names one document twice")
        if sorted(precedence) != sorted(named):
            raise fields.wrong("precedence", "must name the policy and every document exactly once")
        fields.finish()
        return cls(documents, precedence)


NO_PROSE: Final = Prose((), (POLICY,))


@dataclass(frozen=True, slots=True)
class References:
    """The parties' own file numbers: the case and the procurement that an agreement belongs to."""

    case: str | None = None
    procurement: str | None = None

    def members(self) -> JSONObject:
        return {"case": self.case, "procurement": self.procurement}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        references = cls(fields.maybe_text("case", limit=100), fields.maybe_text("procurement", limit=100))
        fields.finish()
        return references


@dataclass(frozen=True, slots=True)
class Terms:
    """What is agreed about a dataset, apart from who agrees."""

    policy: JSONObject
    policy_digest: PolicyDigest
    purpose: str
    """One DPV IRI; a request names this one or a narrower."""
    legal_basis: str | None
    """An IRI; None for data that is not about people."""
    secrecy_ground: str | None
    """An IRI: what lifts secrecy, a fact of its own beside the legal basis."""
    liability: LiabilityTerms
    period: Period
    price: Price
    places: tuple[str, ...]
    """Where the data may be processed: ISO 3166 codes, EU or EEA, in ascending order."""
    transfer_ground: str | None
    """An IRI: why processing outside the configured area is allowed, where a place lies outside."""
    windows: int
    """W: how many windows may be unacknowledged, over all exchanges of the agreement."""
    acknowledge_seconds: int
    """T: seconds without Ack or Reject after which a window is disputed."""
    prose: Prose
    references: References

    def members(self) -> JSONObject:
        return {
            "policy": self.policy,
            "policy_digest": self.policy_digest,
            "purpose": self.purpose,
            "legal_basis": self.legal_basis,
            "secrecy_ground": self.secrecy_ground,
            "liability": self.liability.members(),
            "period": self.period.members(),
            "price": self.price.members(),
            "places": list[JSON](self.places),
            "transfer_ground": self.transfer_ground,
            "windows": self.windows,
            "acknowledge_seconds": self.acknowledge_seconds,
            "prose": self.prose.members(),
            "references": self.references.members(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read an object of terms. Raises :class:`~ledger.fields.BadField` naming the member."""
        policy, digest = _read_policy(fields)
        terms = cls(
            policy=policy,
            policy_digest=digest,
            purpose=forms.iri(fields, "purpose"),
            legal_basis=forms.maybe_iri(fields, "legal_basis"),
            secrecy_ground=forms.maybe_iri(fields, "secrecy_ground"),
            liability=LiabilityTerms.read(fields.object("liability")),
            period=Period.read(fields.object("period")),
            price=Price.read(fields.object("price")),
            places=forms.texts(fields, "places", limit=MAX_PLACES, pattern=forms.PLACE),
            transfer_ground=forms.maybe_iri(fields, "transfer_ground"),
            windows=fields.integer("windows", least=1, most=MAX_WINDOWS),
            acknowledge_seconds=fields.integer("acknowledge_seconds", least=1, most=3600),
            prose=Prose.read(fields.object("prose")),
            references=References.read(fields.object("references")),
        )
        if not terms.places:
            raise fields.wrong("places", "must name at least one place of processing")
        fields.finish()
        return terms


@dataclass(frozen=True, slots=True)
class VersionRule:
    """Which versions of the dataset are meant."""

    rule: str
    """``any``: every version of the period; ``current``: the newest only; ``pinned``: the one named."""
    version: VersionDigest | None = None

    def permits(self, asked: str, newest: str) -> bool:
        """Whether a version may be asked for, ``newest`` being the provider's newest now; digests."""
        if self.rule == "pinned":
            return asked == self.version
        return self.rule == "any" or asked == newest

    def members(self) -> JSONObject:
        return {"rule": self.rule, "version": self.version}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        rule = fields.choice("rule", ("any", "current", "pinned"))
        version = fields.maybe_digest("version")
        if (rule == "pinned") != (version is not None):
            raise fields.wrong("version", "is named exactly where the rule is pinned")
        fields.finish()
        return cls(rule, None if version is None else VersionDigest(version))


ANY_VERSION: Final = VersionRule("any")


@dataclass(frozen=True, slots=True)
class Proposal:
    """What lies on the table in a negotiation: terms for a dataset, on the ground of an offer."""

    offer: OfferId
    dataset: DatasetId
    versions: VersionRule
    terms: Terms

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the canonical form; equal proposals have equal digests."""
        return hashlib.sha256(encode(self.members())).hexdigest()

    def members(self) -> JSONObject:
        return {
            "offer": self.offer,
            "dataset": self.dataset,
            "versions": self.versions.members(),
            "terms": self.terms.members(),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read a proposal. Raises :class:`~ledger.fields.BadField` naming the member."""
        proposal = cls(
            offer=OfferId(forms.identifier(fields, "offer")),
            dataset=forms.dataset(fields, "dataset"),
            versions=VersionRule.read(fields.object("versions")),
            terms=Terms.read(fields.object("terms")),
        )
        fields.finish()
        return proposal


def policy_digest(policy: JSONObject) -> PolicyDigest:
    """A policy's name: hexadecimal SHA-256 of its normal form in canonical JSON."""
    return PolicyDigest(hashlib.sha256(encode(policy)).hexdigest())


def _read_policy(fields: Fields) -> tuple[JSONObject, PolicyDigest]:
    policy = fields.any("policy")
    if not isinstance(policy, dict):
        raise fields.wrong("policy", "must be an object: a policy's normal form")
    if _deeper_than(policy, MAX_POLICY_DEPTH):
        raise fields.wrong("policy", f"nests deeper than {MAX_POLICY_DEPTH} levels")
    size = len(encode(policy))
    if size > MAX_POLICY_BYTES:
        raise fields.wrong("policy", f"has {size} bytes, the limit is {MAX_POLICY_BYTES}")
    digest = fields.digest("policy_digest")
    if digest != policy_digest(policy):
        raise fields.wrong("policy_digest", "is not the digest of the policy beside it")
    return policy, PolicyDigest(digest)


def _deeper_than(value: JSON, levels: int) -> bool:
    layer: list[JSON] = [value]
    for _ in range(levels + 1):
        below: list[JSON] = []
        for item in layer:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return False
        layer = below
    return True

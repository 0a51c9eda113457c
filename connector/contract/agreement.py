"""The agreement: the bytes that both parties sign.

Rules that hold here:

* An agreement is a closed document, type ``agreement``, version 1, in canonical JSON; both parties
  make a detached JWS over the same bytes, each with the key that the document names for it.
* It says everything that the parties could later disagree about: who, for which unit and in which
  role, under which membership list, about which dataset, on which terms, under which rulebook, and
  whose logs and witnesses bear it out.
* ``sign_by`` is the last moment, by the provider's clock, at which the second signature counts.
* A citizen stands in it by handle. The whole document then lies in that citizen's side row.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.contract import forms
from connector.contract.errors import UnknownKey
from connector.contract.keys import KeyDirectory, verify_by
from connector.contract.liability import Role
from connector.contract.party import Party, ProtectionRole
from connector.contract.terms import Proposal, Terms, VersionRule
from ledger.canonical import JSONObject, decode_canonical, encode
from ledger.document import SignedDocument, header_of, sign_payload
from ledger.fields import Fields
from ledger.names import (
    AgreementId,
    DatasetId,
    DataSpaceId,
    Milliseconds,
    NegotiationId,
    OfferId,
    RulebookDigest,
)

TYPE: Final = "agreement"
VERSION: Final = 1
MAX_BYTES: Final = 128 << 10
MAX_WITNESS_POLICY: Final = 8192
_POLICY_LINE = re.compile(r"(log|witness|group|quorum) [\x21-\x7e ]{1,800}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListReference:
    """The membership list that a message or agreement was made under."""

    number: int
    hash: str

    def members(self) -> JSONObject:
        return {"number": self.number, "hash": self.hash}

    @classmethod
    def read(cls, fields: Fields) -> Self:
        reference = cls(fields.integer("number", least=1), fields.digest("hash"))
        fields.finish()
        return reference


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both parties sign."""

    space: DataSpaceId
    id: AgreementId
    consumer_pid: NegotiationId
    provider_pid: NegotiationId
    list: ListReference
    provider: Party
    consumer: Party
    offer: OfferId
    dataset: DatasetId
    versions: VersionRule
    terms: Terms
    rulebook: RulebookDigest
    witness_policy: str
    """C2SP tlog-policy, a line each, with its one quorum line last; ``quorum none`` while there is none."""
    nonce: str
    """32 random bytes in hexadecimal: two agreements never have the same bytes."""
    made: Milliseconds
    sign_by: Milliseconds

    @property
    def payload(self) -> bytes:
        """The signed bytes."""
        return encode(self.content())

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the signed bytes: the contract's digest in leaves."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def proposal(self) -> Proposal:
        """The proposal that this agreement fixes."""
        return Proposal(self.offer, self.dataset, self.versions, self.terms)

    def party(self, role: Role) -> Party:
        """The provider or the consumer."""
        return self.provider if role is Role.PROVIDER else self.consumer

    def content(self) -> JSONObject:
        """The document."""
        return {
            "type": TYPE,
            "version": VERSION,
            "space": self.space,
            "id": self.id,
            "consumer_pid": self.consumer_pid,
            "provider_pid": self.provider_pid,
            "list": self.list.members(),
            "provider": self.provider.members(),
            "consumer": self.consumer.members(),
            "offer": self.offer,
            "dataset": self.dataset,
            "versions": self.versions.members(),
            "terms": self.terms.members(),
            "rulebook": self.rulebook,
            "witness_policy": self.witness_policy,
            "nonce": self.nonce,
            "made": self.made,
            "sign_by": self.sign_by,
        }


def read_agreement(fields: Fields) -> Agreement:
    """Read an agreement. Raises :class:`~ledger.fields.BadField` naming the member."""
    fields.constant("type", TYPE)
    fields.constant("version", VERSION)
    agreement = Agreement(
        space=DataSpaceId(forms.identifier(fields, "space")),
        id=AgreementId(forms.identifier(fields, "id")),
        consumer_pid=forms.process_id(fields, "consumer_pid"),
        provider_pid=forms.process_id(fields, "provider_pid"),
        list=ListReference.read(fields.object("list")),
        provider=Party.read(fields.object("provider")),
        consumer=Party.read(fields.object("consumer")),
        offer=OfferId(forms.identifier(fields, "offer")),
        dataset=forms.dataset(fields, "dataset"),
        versions=VersionRule.read(fields.object("versions")),
        terms=Terms.read(fields.object("terms")),
        rulebook=RulebookDigest(fields.digest("rulebook")),
        witness_policy=_read_witness_policy(fields),
        nonce=fields.digest("nonce"),
        made=Milliseconds(fields.integer("made")),
        sign_by=Milliseconds(fields.integer("sign_by")),
    )
    if agreement.sign_by <= agreement.made:
        raise fields.wrong("sign_by", "must lie after the making")
    _check_parties(fields, agreement.provider, agreement.consumer)
    fields.finish()
    return agreement


def decode_agreement(payload: bytes) -> Agreement:
    """Read an agreement from its signed bytes, which must be its own canonical form.

    Raises :class:`~ledger.canonical.MalformedJson` or :class:`~ledger.fields.BadField`.
    """
    content = decode_canonical(payload, max_bytes=MAX_BYTES)
    agreement = read_agreement(Fields(content))
    forms.one_spelling(content, agreement.content())
    return agreement


def sign_agreement(agreement: Agreement, key: Ed25519PrivateKey) -> str:
    """One party's detached JWS over the agreement's bytes."""
    return sign_payload(agreement.payload, TYPE, key)


def verify_agreement(
    agreement: Agreement, role: Role, jws: str, keys: KeyDirectory, at: Milliseconds
) -> None:
    """Verify one party's signature over the agreement.

    Steps: (1) the header names the key that the agreement names for that party; (2) the directory
    says that it is that party's key and was valid at ``at``; (3) the signature fits the bytes. Does
    not check ``sign_by``.

    Raises ``UnknownKey``, ``KeyNotValid`` or :class:`~ledger.document.BadSignature`.
    """
    party = agreement.party(role)
    if header_of(jws).kid != party.key:
        raise UnknownKey(f"not the key that the agreement names for its {role.value}", field="kid")
    document = SignedDocument(agreement.payload, jws)
    verify_by(keys, party.id, document, TYPE, at=at, max_bytes=MAX_BYTES)


def _check_parties(fields: Fields, provider: Party, consumer: Party) -> None:
    if provider.id == consumer.id and provider.unit == consumer.unit:
        raise fields.wrong("consumer", "must be another party than the provider, or another unit of it")
    if provider.id != consumer.id and provider.key == consumer.key:
        raise fields.wrong("consumer.key", "must be another key than the provider's")
    joint = {party.role is ProtectionRole.JOINT_CONTROLLER for party in (provider, consumer)}
    if len(joint) != 1:
        raise fields.wrong("consumer.role", "is joint-controller exactly where the provider's is too")
    if provider.role is consumer.role is ProtectionRole.PROCESSOR:
        raise fields.wrong("consumer.role", "cannot be processor on both sides: one must be a controller")


def _read_witness_policy(fields: Fields) -> str:
    value = fields.any("witness_policy")
    if not isinstance(value, str) or not value or len(value) > MAX_WITNESS_POLICY:
        raise fields.wrong("witness_policy", f"must be a text of 1 to {MAX_WITNESS_POLICY} characters")
    lines = value.split("\n")
    if lines.pop() != "" or any(_POLICY_LINE.fullmatch(line) is None for line in lines):
        raise fields.wrong("witness_policy", "must be lines of a tlog-policy, each ended by a line feed")
    if [line.startswith("quorum ") for line in lines] != [False] * (len(lines) - 1) + [True]:
        raise fields.wrong("witness_policy", "must have one quorum line, and that last")
    return value

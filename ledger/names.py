"""Names that must never be mixed up, each with a type of its own.

They live at the bottom of the house because leaves name all of them. A value gets its type
where it is checked, at an edge; everything behind the edge trusts the type.
"""

from __future__ import annotations

from typing import NewType

ParticipantId = NewType("ParticipantId", str)
"""An organisation's ``did:web:…``, or a citizen's handle at one controller (never on the list)."""

UnitId = NewType("UnitId", str)
"""A committee or division inside a participant; unique within that participant only."""

DataSpaceId = NewType("DataSpaceId", str)
"""The data space's own name, fixed by the registrar in list number 1."""

DatasetId = NewType("DatasetId", str)
"""A dataset at its provider."""

VersionDigest = NewType("VersionDigest", str)
"""A dataset version's name: hexadecimal SHA-256 over its content and schema."""

OfferId = NewType("OfferId", str)
NegotiationId = NewType("NegotiationId", str)
AgreementId = NewType("AgreementId", str)
ExchangeId = NewType("ExchangeId", str)

Thumbprint = NewType("Thumbprint", str)
"""A public key's name: RFC 7638 JWK thumbprint, SHA-256, base64url without padding."""

Origin = NewType("Origin", str)
"""A log's name: a scheme-less URL without spaces or ``+`` (C2SP tlog-checkpoint)."""

LeafHash = NewType("LeafHash", bytes)
"""SHA-256(0x00 ‖ entry), 32 bytes (RFC 6962 section 2.1)."""

LeafIndex = NewType("LeafIndex", int)
"""A leaf's position in its log, from 0."""

TreeSize = NewType("TreeSize", int)
"""A number of leaves."""

RootHash = NewType("RootHash", bytes)
"""The Merkle tree head over a number of leaves, 32 bytes."""

MessageHash = NewType("MessageHash", str)
"""Hexadecimal SHA-256 of a signed message's compact JWS with its payload put back."""

Milliseconds = NewType("Milliseconds", int)
"""Wall-clock time: milliseconds since 1970-01-01T00:00:00Z."""

PolicyDigest = NewType("PolicyDigest", str)
"""Hexadecimal SHA-256 of a policy's normal form in canonical JSON."""

RulebookDigest = NewType("RulebookDigest", str)
"""The rulebook's revision: hexadecimal SHA-256 over its files (policies/)."""

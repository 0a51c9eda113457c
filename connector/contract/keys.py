"""Whose key signed, and whether it counted then: what the contract room asks of identity.

A directory knows every key that the membership lists and the credentials of citizens ever held, with
the times at which each was valid. It answers for a party and a key together, so that a key of one
party never passes as another's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.contract.errors import KeyNotValid, UnknownKey
from ledger.document import SignedDocument, header_of, verify
from ledger.names import Milliseconds, ParticipantId, Thumbprint


@dataclass(frozen=True, slots=True)
class FoundKey:
    """A party's key, and whether it was valid at the time asked about."""

    public: Ed25519PublicKey
    valid: bool


class KeyDirectory(Protocol):
    """Looks up the keys of organisations and citizens at a time."""

    def key(self, did: ParticipantId, kid: Thumbprint, at: Milliseconds) -> FoundKey | None:
        """The key that ``did`` (or a citizen's handle) holds under ``kid``; None if it holds none such."""


def key_of(keys: KeyDirectory, party: ParticipantId, kid: Thumbprint, at: Milliseconds) -> Ed25519PublicKey:
    """The party's key, valid at ``at``. Raises ``UnknownKey`` or ``KeyNotValid``."""
    found = keys.key(party, kid, at)
    if found is None:
        raise UnknownKey("the key is not the sender's", field="kid")
    if not found.valid:
        raise KeyNotValid("the key was not valid at that time", field="kid")
    return found.public


def verify_by(
    keys: KeyDirectory,
    party: ParticipantId,
    document: SignedDocument,
    kind: str,
    *,
    at: Milliseconds,
    max_bytes: int,
) -> None:
    """Verify that ``party`` signed ``document`` as a ``kind`` with a key that was valid at ``at``.

    Raises ``BadSignature``, ``UnknownKey``, ``KeyNotValid`` or ``MalformedJson``.
    """
    public = key_of(keys, party, header_of(document.jws).kid, at)
    verify(document, kind, public, max_bytes=max_bytes)

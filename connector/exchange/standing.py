"""Whether a peer may exchange anything now, and by which key it speaks: the list, asked at each use."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from connector.contract.keys import FoundKey
from connector.exchange.ground import Denied
from connector.identity import syntax
from connector.identity.directory import Directory
from connector.identity.public import Job, thumbprint
from connector.identity.trust import KeyNotValid
from ledger.ambient import Ambient
from ledger.errors import BylagError
from ledger.names import Milliseconds, ParticipantId, Thumbprint
from ledger.note import COSIGNATURE, VerifierKey


class ListStanding:
    """The membership list in force, as an exchange and a negotiation ask it."""

    def __init__(self, directory: Callable[[], Directory], ambient: Ambient) -> None:
        self._directory = directory
        self._ambient = ambient

    @property
    def list_number(self) -> int:
        """Number of the list held."""
        return self._directory().trust.number

    @property
    def list_hash(self) -> str:
        """Its hash, hexadecimal."""
        return self._directory().trust.digest

    def key(self, participant: ParticipantId, kid: str) -> Ed25519PublicKey:
        """A signing key that counts now. Raises :class:`~connector.identity.trust.KeyNotValid`."""
        return self._directory().verification_key(participant, Thumbprint(kid), Job.SIGN, self._ambient.now())

    def require_active(self, participant: ParticipantId) -> None:
        """Raise :class:`~connector.exchange.ground.Denied` unless the list is in force and the
        participant in good standing."""
        try:
            self._directory().require_active(participant, self._ambient.now())
        except BylagError as error:
            raise Denied(error.code, str(error)) from error

    def require_log_key(self, participant: ParticipantId, key: VerifierKey) -> None:
        """Require that the list, or a guest's credential, names the key of their log now.

        Raises :class:`~connector.identity.trust.KeyNotValid`.
        """
        kid = thumbprint(Ed25519PublicKey.from_public_bytes(key.public))
        self._directory().verification_key(participant, kid, Job.LOG, self._ambient.now())

    def witness_key(self, participant: ParticipantId, log_name: str) -> VerifierKey:
        """The key by which a participant cosigns: the newest that the list, or a credential, has for them.

        Raises :class:`~connector.identity.trust.KeyNotValid`.
        """
        public = self._directory().witness_key(participant, self._ambient.now())
        return VerifierKey(f"{log_name}/witness", COSIGNATURE, public.public_bytes_raw())

    def is_person(self, participant: ParticipantId) -> bool:
        """Whether it is a guest's handle."""
        return syntax.is_handle(participant)


class ListedKeys:
    """The contract room's directory of keys: every key of the list and of the guest book, at a time."""

    def __init__(self, directory: Callable[[], Directory]) -> None:
        self._directory = directory

    def key(self, did: ParticipantId, kid: Thumbprint, at: Milliseconds) -> FoundKey | None:
        """The key, and whether it was valid at ``at``; None if the party holds none such."""
        directory = self._directory()
        try:
            return FoundKey(directory.verification_key(did, kid, Job.SIGN, at), valid=True)
        except KeyNotValid:
            if syntax.is_handle(did):
                return None
        try:
            public = directory.trust.key(did, kid, Job.SIGN).public
        except KeyNotValid:
            return None
        return FoundKey(public, valid=False) if isinstance(public, Ed25519PublicKey) else None

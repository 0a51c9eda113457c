"""Cosignatures: somebody else saw this checkpoint, at this time, and it continued what they saw before.

Rules that hold here (C2SP tlog-cosignature v1.0.1, type 0x04):

* The signature is a big-endian u64 of POSIX seconds ‖ Ed25519 over
  ``cosignature/v1\\ntime <seconds>\\n`` and the whole text of the checkpoint.
* A cosigner's key is used for nothing else: what is signed does not hold the cosigner's name.
* Whether a cosigner *may* sign is for its caller: only what continues the checkpoint of that log
  which it signed last (``ledger.tree.check_consistency``), stored before the answer leaves.
"""

from __future__ import annotations

import struct
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.names import Milliseconds
from ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Verifier,
    MalformedNote,
    Signature,
    Verifier,
    VerifierKey,
    check_name,
    ed25519_accepts,
)

_TIME_BYTES: Final = 8
_LATEST: Final = 2**63 - 1


class CosignatureVerifier:
    """Checks timestamped Ed25519 cosignatures (type 0x04)."""

    def __init__(self, key: VerifierKey) -> None:
        if key.type != COSIGNATURE:
            raise MalformedNote(f"signature type {key.type:#04x} is not a cosignature", field=key.name)
        self._key = key
        self._public = Ed25519PublicKey.from_public_bytes(key.public)

    @property
    def key(self) -> VerifierKey:
        return self._key

    def accepts(self, text: str, signature: bytes) -> bool:
        if len(signature) != _TIME_BYTES + 64:
            return False
        seconds = _seconds(signature)
        return seconds <= _LATEST and ed25519_accepts(
            self._public, _message(seconds, text), signature[_TIME_BYTES:]
        )


class Cosigner:
    """A cosigner's key: signs others' checkpoints as ``name``."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        check_name(name)
        self._private = private
        self.key = VerifierKey(name, COSIGNATURE, private.public_key().public_bytes_raw())

    def sign(self, text: str, now: Milliseconds) -> Signature:
        """One cosignature line over a checkpoint's text, with the second that ``now`` lies in."""
        seconds = now // 1000
        value = struct.pack(">Q", seconds) + self._private.sign(_message(seconds, text))
        return Signature(self.key.name, self.key.key_id, value)


def cosigned_at(signature: Signature) -> Milliseconds:
    """When a cosignature was made, by the cosigner's clock. Verify it first."""
    return Milliseconds(_seconds(signature.value) * 1000)


def verifier_for(key: VerifierKey) -> Verifier:
    """The verifier for a key's signature type. Raises for types that are not checked yet."""
    if key.type == ED25519:
        return Ed25519Verifier(key)
    if key.type == COSIGNATURE:
        return CosignatureVerifier(key)
    raise MalformedNote(f"signatures of type {key.type:#04x} cannot be checked yet", field=key.name)


def _seconds(signature: bytes) -> int:
    seconds: int = struct.unpack(">Q", signature[:_TIME_BYTES])[0]
    return seconds


def _message(seconds: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()

"""Checkpoints: what a log signs about its tree.

Rules that hold here (C2SP tlog-checkpoint v1.0.0):

* The text is ``<origin>\\n<size, decimal>\\n<base64 root>\\n``. Extension lines, which monitors
  cannot audit, are not written and not accepted.
* The origin is a scheme-less URL without spaces or ``+``, and the log's key has it as its name.
* A log never signs two checkpoints of which one is not the other's beginning. Whoever holds two
  such notes holds a proof against the log.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from ledger.names import Origin, RootHash, TreeSize
from ledger.note import (
    ED25519,
    Ed25519Verifier,
    MalformedNote,
    Note,
    Signer,
    VerifierKey,
    from_base64,
    parse,
    sign,
    verify,
)
from ledger.tree import EMPTY_ROOT, HASH_BYTES

_ORIGIN: Final = re.compile(r"[^\s+\x00-\x1f]{1,255}")
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")


class MalformedCheckpoint(MalformedNote):
    """A note's text is not a checkpoint."""

    code = "MALFORMED_CHECKPOINT"
    default_next_step = "Ask the log for its checkpoint again, byte for byte as it signed it."


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's name, its size and its root."""

    origin: Origin
    size: TreeSize
    root: RootHash

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the note that carries it."""

    checkpoint: Checkpoint
    note: Note


def parse_text(text: str) -> Checkpoint:
    """Read a checkpoint's text. Raises :class:`MalformedCheckpoint`."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise MalformedCheckpoint("a checkpoint is three lines: origin, size, root")
    origin, size, root = lines[:3]
    if not _ORIGIN.fullmatch(origin):
        raise MalformedCheckpoint("the origin is empty, too long, or holds a space or a plus", field="origin")
    if not _SIZE.fullmatch(size):
        raise MalformedCheckpoint("the size is not a decimal number", field="size")
    try:
        root_hash = from_base64(root)
    except MalformedNote as error:
        raise MalformedCheckpoint("the root is not base64", field="root") from error
    if len(root_hash) != HASH_BYTES:
        raise MalformedCheckpoint("the root is not a SHA-256 hash", field="root")
    if int(size) == 0 and root_hash != EMPTY_ROOT:
        raise MalformedCheckpoint("an empty tree has another root", field="root")
    return Checkpoint(Origin(origin), TreeSize(int(size)), RootHash(root_hash))


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> SignedCheckpoint:
    """Sign ``checkpoint``; the signer's name is the origin.

    Does not check that it is consistent with earlier ones: ``ledger.publish`` does.
    """
    if signer.key.name != checkpoint.origin:
        raise MalformedCheckpoint("the log's key is not named for its origin", field="origin")
    return SignedCheckpoint(checkpoint, sign(checkpoint.text, signer))


def open_checkpoint(data: bytes, key: VerifierKey) -> SignedCheckpoint:
    """Read a checkpoint and verify the log's own signature.

    Checks no cosignature (``ledger.trust`` does) and no consistency. Raises
    :class:`~ledger.note.MalformedNote`, :class:`~ledger.note.UnverifiedNote`.
    """
    if key.type != ED25519:
        raise MalformedNote("a log's key is an Ed25519 note key", field=key.name)
    note = parse(data)
    verify(note, [Ed25519Verifier(key)])
    checkpoint = parse_text(note.text)
    if checkpoint.origin != key.name:
        raise MalformedCheckpoint("the checkpoint is of another log than the key", field="origin")
    return SignedCheckpoint(checkpoint, note)

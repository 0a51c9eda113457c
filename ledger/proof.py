"""A proof in one file: this entry stands in that log, checkable offline.

Rules that hold here (C2SP tlog-proof v1):

* Lines: ``c2sp.org/tlog-proof@v1``; ``extra <base64>`` if there is any; ``index <n>``; the hashes
  of the inclusion proof in base64, the leaf's sibling first; an empty line; the checkpoint verbatim.
* ``extra`` is not authenticated: nobody trusts it for anything.
* The file is worth what its checkpoint is worth: :func:`verify` asks the reader's trust policy.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.checkpoint import parse_text
from ledger.errors import BylagError
from ledger.note import MAX_NOTE_BYTES, MalformedNote, Note, from_base64, parse
from ledger.tree import HASH_BYTES, check_inclusion, leaf_hash
from ledger.trust import Policy, Verdict

HEADER: Final = "c2sp.org/tlog-proof@v1"
SUFFIX: Final = ".tlog-proof"
MAX_HASHES: Final = 64
MAX_EXTRA_BYTES: Final = 64 << 10
MAX_PROOF_BYTES: Final = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES

_INDEX: Final = re.compile(r"index (0|[1-9][0-9]{0,18})")


class MalformedProof(BylagError):
    """The bytes are not a tlog-proof."""

    code = "MALFORMED_PROOF"
    default_next_step = "Ask for the .tlog-proof file again, byte for byte as it was made."


@dataclass(frozen=True, slots=True)
class Proof:
    """An inclusion proof with the checkpoint it leads to. Reading one verifies nothing."""

    index: int
    hashes: tuple[bytes, ...]
    note: Note
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        lines = [HEADER]
        if self.extra is not None:
            lines.append(f"extra {base64.b64encode(self.extra).decode()}")
        lines.append(f"index {self.index}")
        lines += [base64.b64encode(each).decode() for each in self.hashes]
        return ("\n".join(lines) + "\n\n").encode() + bytes(self.note)


def make(index: int, hashes: Sequence[bytes], note: Note, extra: bytes | None = None) -> Proof:
    """A proof for the leaf at ``index`` from its inclusion proof under the note's checkpoint."""
    return Proof(index, tuple(hashes), note, extra)


def parse_proof(data: bytes) -> Proof:
    """Read a proof. Raises :class:`MalformedProof` or :class:`~ledger.note.MalformedNote`."""
    if len(data) > MAX_PROOF_BYTES:
        raise MalformedProof(f"the proof has {len(data)} bytes, the limit is {MAX_PROOF_BYTES}")
    head, separator, note = data.partition(b"\n\n")
    if not separator:
        raise MalformedProof("the proof has no empty line before its checkpoint")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise MalformedProof("the proof's lines are not ASCII") from error
    if lines.pop(0) != HEADER:
        raise MalformedProof(f"the first line is not {HEADER}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "), "extra")
        if len(extra) > MAX_EXTRA_BYTES:
            raise MalformedProof(f"extra data is limited to {MAX_EXTRA_BYTES} bytes", field="extra")
    index = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if index is None:
        raise MalformedProof("the proof has no index line", field="index")
    hashes = tuple(_decode(line, "hash") for line in lines)
    if len(hashes) > MAX_HASHES or any(len(each) != HASH_BYTES for each in hashes):
        raise MalformedProof(f"a proof has at most {MAX_HASHES} hashes of {HASH_BYTES} bytes", field="hash")
    return Proof(int(index[1]), hashes, parse(note), extra)


def verify(proof: Proof, entry: bytes, policy: Policy) -> Verdict:
    """Check that ``entry`` stands in a log that ``policy`` trusts.

    Steps: (1) the checkpoint is signed by a log of the policy and cosigned by its quorum; (2) the
    entry's leaf hash leads, through the proof, to the checkpoint's root. Does not look into the entry.

    Raises :class:`~ledger.note.UnverifiedNote`, ``ledger.trust.NoQuorum`` or
    :class:`~ledger.tree.BadProof`.
    """
    verdict = policy.check(proof.note)
    checkpoint = parse_text(proof.note.text)
    check_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return verdict


def _decode(text: str, field: str) -> bytes:
    try:
        return from_base64(text)
    except MalformedNote as error:
        raise MalformedProof("not base64", field=field) from error

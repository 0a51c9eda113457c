"""Mutants for settlement: what is billed, once, and what both sides sign."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

SETTLEMENTS: Final = "connector/contract/settlements.py"
SPEAKER: Final = "connector/contract/speaker.py"

WHAT_IS_CHARGED: Final = (
    taken_out(
        SETTLEMENTS,
        "One side bills what the other never confirmed",
        (
            '" WHERE agreement = ? AND time < ? AND ack IS NOT NULL AND held = 1 AND statement IS NULL"',
            '" WHERE agreement = ? AND time < ? AND statement IS NULL"',
        ),
        ("            ack=MessageHash(ack),\n", "            ack=MessageHash(ack or commit),\n"),
    ),
    taken_out(
        SETTLEMENTS,
        "One side writes a statement that the other signs unread",
        ('        return "DIFFERS" if body.statement != own else None\n', "        return None\n"),
    ),
    taken_out(
        SETTLEMENTS,
        "One side writes a statement that the other signs unread",
        ("        document = SignedDocument(payload, body.signature)\n", "        return\n"),
        (
            "        now = self._speaker.ambient.now()\n        verify_by(self._speaker.keys, held.peer, document, TYPE, at=now, max_bytes=MAX_BYTES)\n",
            "",
        ),
    ),
    taken_out(
        SPEAKER,
        "A settlement in another's name, or for another agreement",
        ("        if held.peer != peer:\n", "        if False:\n"),
    ),
    taken_out(
        SPEAKER,
        "A settlement in another's name, or for another agreement",
        (
            "        if (contract, envelope.space) != (held.agreement.digest, self.space):\n",
            "        if False:\n",
        ),
    ),
    taken_out(
        SETTLEMENTS,
        "A period is billed twice",
        ("        if _settled_over(transaction, agreement, span):\n", "        if False:\n"),
    ),
    taken_out(
        SETTLEMENTS,
        "A line is billed twice",
        (
            "            [(row.digest, *line.place) for line in lines_in(row.statement)],\n",
            "            [],\n",
        ),
    ),
    taken_out(
        SETTLEMENTS,
        "Two statements that overlap are both countersigned",
        ("        if _open(transaction, agreement) is not None:\n", "        if False:\n"),
    ),
    taken_out(
        SETTLEMENTS,
        "Two statements that overlap are both countersigned",
        ("        if waiting is not None:  # also where", "        if False:  # also where"),
    ),
    taken_out(
        SETTLEMENTS,
        "A period is cut into many, each rounded up",
        ("            and span.until - span.begin >= LEAST_BY_RULE_MS\n", ""),
    ),
    taken_out(
        SETTLEMENTS,
        "What came meanwhile is signed unseen",
        (
            '        if row is not None and row.state == "received" and row.digest != digest_of(payload):\n',
            "        if False:\n",
        ),
    ),
)

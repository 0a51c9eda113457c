"""Proof that the registrar signed two histories of one data space.

Rules that hold here:

* Two different lists of one number, both sufficiently signed, cannot come about by accident: a
  registrar's folder signs one list a number. Nor can a list that follows another than the one held.
* The proof is two signed files. Whoever has the chain up to them checks it by offering both to a
  :class:`~connector.identity.trust.TrustStore`: the second raises :class:`Equivocation`.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.identity import forms
from connector.identity.membership import LARGEST_NUMBER, MAX_LIST, MalformedList
from connector.identity.signed import MultiSigned, multi_signed
from ledger.canonical import encode
from ledger.errors import BylagError, ErrorKind


class Equivocation(BylagError):
    """The registrar signed two histories; ``proof`` holds both."""

    code = "EQUIVOCATION"
    kind = ErrorKind.DAMAGED
    default_next_step = (
        "Keep the proof, show it to the other members, and settle with the registrar which one holds."
    )

    def __init__(self, proof: EquivocationProof) -> None:
        super().__init__(f"the registrar signed two histories, which part at list {proof.number}")
        self.proof = proof


@dataclass(frozen=True, slots=True)
class EquivocationProof:
    """Two lists that the registrar signed and that cannot both be: anyone with the chain can check.

    Either both have number ``number``, or ``offered`` is the next one and names another hash for
    list ``number`` than ``held`` has.
    """

    number: int
    held: MultiSigned
    offered: MultiSigned

    def to_bytes(self) -> bytes:
        """The proof as a file."""
        return encode(
            {
                "type": "equivocation",
                "version": 1,
                "number": self.number,
                "held": self.held.content(),
                "offered": self.offered.content(),
            }
        )


def read_proof(data: bytes) -> EquivocationProof:
    """Read a proof's file; verifies nothing. Raises :class:`~connector.identity.membership.MalformedList`."""
    with forms.reading(MalformedList):
        fields = forms.file_object(data, max_bytes=2 * MAX_LIST)
        fields.constant("type", "equivocation")
        fields.constant("version", 1)
        proof = EquivocationProof(
            fields.integer("number", least=1, most=LARGEST_NUMBER),
            multi_signed(fields.object("held"), max_bytes=MAX_LIST),
            multi_signed(fields.object("offered"), max_bytes=MAX_LIST),
        )
        fields.finish()
        return proof

"""What an agreement says beside its policy: liability, the contract in words, the parties' file numbers.

Rules that hold here: nothing is made up. What is not given is left to the law, to no contract in words and to
no file number; what is given is read as strictly as a peer's would be.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from connector.contract.liability import LiabilityTerms
from connector.contract.terms import NO_PROSE, Prose, References, Terms
from ledger.fields import Fields


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """Liability terms, documents in words by digest, and references."""

    liability: LiabilityTerms
    prose: Prose
    references: References

    def within(self, terms: Terms) -> Terms:
        """The terms with these in the place of theirs."""
        return replace(terms, liability=self.liability, prose=self.prose, references=self.references)


NOTHING_BESIDE: Final = ContractTerms(LiabilityTerms({}), NO_PROSE, References())


def given_contract_terms(fields: Fields) -> ContractTerms | None:
    """Those among a command's arguments; None where none are given. Raises ``BadField``."""
    if not fields.has("contract_terms"):
        return None
    given = fields.object("contract_terms")
    terms = ContractTerms(
        LiabilityTerms.read(given.object("liability")),
        Prose.read(given.object("prose")),
        References.read(given.object("references")),
    )
    given.finish()
    return terms

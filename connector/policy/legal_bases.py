"""The legal bases of the W3C Data Privacy Vocabulary, each with the wider ones it belongs to.

Source: DPV 2.3 (https://w3id.org/dpv, module ``legal_basis``). A basis of another vocabulary, such as an
article of a law by its own IRI, is compared as it is written: nothing wider is known of it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from connector.policy.hierarchy import closed, dpv_parents, wider
from connector.policy.vocabulary import DPV, expand

_PARENTS: Final = """
Consent: LegalBasis
Contract: LegalBasis
ContractPerformance: Contract
DataTransferLegalBasis: LegalBasis
EnterIntoContract: Contract
LegalBasis:
LegalObligation: LegalBasis
LegitimateInterest: LegalBasis
LegitimateInterestOfController: LegitimateInterest
LegitimateInterestOfDataSubject: LegitimateInterest
LegitimateInterestOfThirdParty: LegitimateInterest
OfficialAuthorityOfController: LegalBasis
PublicInterest: LegalBasis
VitalInterest: LegalBasis
VitalInterestOfDataSubject: VitalInterestOfNaturalPerson
VitalInterestOfNaturalPerson: VitalInterest
"""


def parents() -> dict[str, tuple[str, ...]]:
    """Each legal basis and its parents, by IRI."""
    return dpv_parents(_PARENTS)


@cache
def closure() -> dict[str, frozenset[str]]:
    """Each legal basis with itself and every one it belongs to."""
    return closed(parents())


def basis_iri(text: str) -> str:
    """A legal basis' IRI for a name of DPV; what is no such name stays as it is."""
    return DPV + text if DPV + text in closure() else expand(text)


def wider_bases(basis: str) -> tuple[str, ...]:
    """What a legal basis lies in, without itself."""
    return wider(basis, closure())

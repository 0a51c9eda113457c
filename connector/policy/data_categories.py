"""The categories of data of the W3C Data Privacy Vocabulary, each with the wider ones it belongs to.

Source: DPV 2.3 (https://w3id.org/dpv, module ``personal_data``). A category of another vocabulary, such as
one of DPV's extension for personal data, is compared as it is written: nothing wider is known of it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from connector.policy.hierarchy import closed, dpv_parents, wider
from connector.policy.vocabulary import DPV, expand

NOT_PERSONAL: Final = DPV + "NonPersonalData"
_IRI: Final = re.compile(r"(?:https?|urn):[!-~]{1,500}", re.ASCII)
_PARENTS: Final = """
AnonymisedData: NonPersonalData
CollectedData: Data
CollectedPersonalData: CollectedData PersonalData
CommerciallyConfidentialData: ConfidentialData
ConfidentialData: Data
ContextuallyAnonymisedData: PseudonymisedData
Data:
DerivedData: Data
DerivedPersonalData: DerivedData PersonalData
GeneratedData: Data
GeneratedPersonalData: PersonalData
IdentifyingPersonalData: PersonalData
IncorrectData: Data
InferredData: DerivedData
InferredPersonalData: DerivedPersonalData InferredData
IntellectualPropertyData: ConfidentialData
NonPersonalData: Data
ObservedData: CollectedData
ObservedPersonalData: CollectedPersonalData ObservedData
PersonalData: Data
ProfessionalConfidentialData: ConfidentialData
ProvidedData: CollectedData
ProvidedPersonalData: CollectedPersonalData ProvidedData
PseudonymisedData: PersonalData
SensitiveData: Data
SensitiveNonPersonalData: SensitiveData
SensitivePersonalData: PersonalData SensitiveData
SpecialCategoryPersonalData: SensitivePersonalData
StatisticallyConfidentialData: ConfidentialData
SyntheticData: GeneratedData
UncategorisedData: Data
UnstructuredData: Data
UnverifiedData: Data
VerifiedData: Data
"""


def parents() -> dict[str, tuple[str, ...]]:
    """Each category and its parents, by IRI."""
    return dpv_parents(_PARENTS)


@cache
def closure() -> dict[str, frozenset[str]]:
    """Each category with itself and every one it belongs to."""
    return closed(parents())


def wider_categories(category: str) -> tuple[str, ...]:
    """What a category lies in, without itself."""
    return wider(category, closure())


def category_iri(text: str) -> str | None:
    """A category's IRI for a name of DPV, a ``dpv:`` name, or the IRI of another vocabulary; else None.

    What claims to be DPV's and is not among its categories is none.
    """
    iri = expand(text)
    if iri in closure() or DPV + text in closure():
        return iri if iri in closure() else DPV + text
    return iri if _IRI.fullmatch(iri) and not iri.startswith(DPV) else None

"""A purpose as somebody types it: a DPV term by name, with or without prefix, or its IRI."""

from __future__ import annotations

from connector.policy.purposes import purpose_iri
from ledger.errors import BylagError


class BadPurpose(BylagError):
    """A purpose that is no term of the Data Privacy Vocabulary."""

    code = "BAD_PURPOSE"
    default_next_step = "Name a DPV purpose, such as AcademicResearch or PublicBenefit."


def purpose(text: str) -> str:
    """The purpose's IRI. Raises :class:`BadPurpose`."""
    found = purpose_iri(text) or purpose_iri(f"dpv:{text}")
    if found is None:
        raise BadPurpose("the Data Privacy Vocabulary has no such purpose", field="purpose")
    return found

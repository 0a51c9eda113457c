"""Who must have signed a document of an export, by what its own bytes say.

Rules that hold here:

* An agreement is signed by the two parties that it names, and by nobody else.
* A settlement statement is signed by the parties of the agreement whose bytes it names. Where that
  agreement was not handed over, whose statement it is stays open.
* One participant may be both parties, for two of its units: then it has signed twice.
* Any other document says by itself whose it is; one signature of somebody on the list is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ledger.canonical import JSONObject

AGREEMENT_KIND: Final = "agreement"
STATEMENT_KIND: Final = "settlement-statement"

Parties = tuple[str, str]


def parties_of_agreement(content: JSONObject) -> Parties | None:
    """The provider and the consumer of an agreement; None for one that does not name both."""
    provider, consumer = (_id(content.get(role)) for role in ("provider", "consumer"))
    return None if provider is None or consumer is None else (provider, consumer)


def parties_of_statement(content: JSONObject, agreements: Mapping[str, Parties]) -> Parties | None:
    """The parties of a statement, from the ``agreements`` by digest; None where its own is not among them."""
    contract = content.get("contract")
    return agreements.get(contract) if isinstance(contract, str) else None


def complaint(parties: Parties, signers: frozenset[str], unknown: int) -> str | None:
    """What is wrong with who signed; ``unknown`` signatures are by keys that are not on the list."""
    strangers = sorted(signers - set(parties))
    if strangers:
        return f"{strangers[0]} signed it, and is none of its parties"
    missing = len(set(parties) - signers)
    if missing > unknown:
        return f"{len(signers)} of its parties signed it, {len(set(parties))} must"
    return None


def _id(party: object) -> str | None:
    named = party.get("id") if isinstance(party, dict) else None
    return named if isinstance(named, str) else None

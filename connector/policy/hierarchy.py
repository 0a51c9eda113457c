"""Hierarchies of terms: each term with the wider ones that it belongs to.

Source: modules of the W3C Data Privacy Vocabulary 2.3 (https://w3id.org/dpv), as facts: term and parents,
nothing else. A term may have several parents.
"""

from __future__ import annotations

from collections.abc import Mapping

from connector.policy.vocabulary import DPV


def dpv_parents(table: str) -> dict[str, tuple[str, ...]]:
    """Each term's IRI and the IRIs of its parents, from lines like ``Narrower: Wider Another``."""
    found: dict[str, tuple[str, ...]] = {}
    for line in table.split("\n"):
        name, colon, wider = line.partition(":")
        if colon:
            found[DPV + name] = tuple(DPV + parent for parent in wider.split())
    return found


def closed(direct: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    """Each term with itself and every term it belongs to, however far up."""

    def upwards(term: str) -> frozenset[str]:
        return frozenset({term}).union(*(upwards(parent) for parent in direct[term]))

    return {term: upwards(term) for term in direct}


def wider(term: str, closure: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """What ``term`` lies in, without itself, sorted; nothing for a term that the vocabulary does not know."""
    return tuple(sorted(closure.get(term, frozenset()) - {term}))

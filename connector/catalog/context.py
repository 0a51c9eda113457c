"""The JSON-LD context of a catalogue, written out, so that nobody has to fetch one to read it.

Terms and their IRIs are those of DCAT 3 (W3C Recommendation, 22 August 2024), DCAT-AP 3.0, ODRL 2.2
(its JSON-LD context) and SPDX. A policy has a context of its own, scoped to ``hasPolicy``, since ODRL
and DCAT use some words differently.
"""

from __future__ import annotations

from typing import Final

from ledger.canonical import JSONObject

PREFIXES: Final[JSONObject] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "cc": "http://creativecommons.org/ns#",
    "dpv": "https://w3id.org/dpv#",
}

_ODRL_TERMS: Final = ("action", "leftOperand", "operator", "conflict")
"""ODRL members whose plain strings are words of its vocabulary."""
_ODRL_LINKS: Final = (
    "target assigner assignee source profile inheritFrom output unit rightOperandReference".split()
)
"""ODRL members whose plain strings are IRIs."""

POLICY: Final[JSONObject] = {
    "@vocab": "http://www.w3.org/ns/odrl/2/",
    "uid": "@id",
    "andSequence": {"@id": "odrl:andSequence", "@container": "@list"},
    "timestamp": {"@id": "odrl:timestamp", "@type": "xsd:dateTime"},
    **{name: {"@id": f"odrl:{name}", "@type": "@vocab"} for name in _ODRL_TERMS},
    **{name: {"@id": f"odrl:{name}", "@type": "@id"} for name in _ODRL_LINKS},
}

_LINKS: Final = {
    "dataset": "dcat:dataset",
    "service": "dcat:service",
    "servesDataset": "dcat:servesDataset",
    "distribution": "dcat:distribution",
    "accessURL": "dcat:accessURL",
    "accessService": "dcat:accessService",
    "endpointURL": "dcat:endpointURL",
    "mediaType": "dcat:mediaType",
    "theme": "dcat:theme",
    "themeTaxonomy": "dcat:themeTaxonomy",
    "hasVersion": "dcat:hasVersion",
    "isVersionOf": "dcat:isVersionOf",
    "publisher": "dcterms:publisher",
    "language": "dcterms:language",
    "license": "dcterms:license",
    "accessRights": "dcterms:accessRights",
    "conformsTo": "dcterms:conformsTo",
    "format": "dcterms:format",
    "spatial": "dcterms:spatial",
    "temporal": "dcterms:temporal",
    "checksum": "spdx:checksum",
    "algorithm": "spdx:algorithm",
}
_LITERALS: Final = {
    "title": "dcterms:title",
    "description": "dcterms:description",
    "identifier": "dcterms:identifier",
    "keyword": "dcat:keyword",
    "version": "dcat:version",
    "name": "foaf:name",
}
_TYPED: Final = {
    "issued": ("dcterms:issued", "xsd:dateTime"),
    "modified": ("dcterms:modified", "xsd:dateTime"),
    "startDate": ("dcat:startDate", "xsd:date"),
    "endDate": ("dcat:endDate", "xsd:date"),
    "byteSize": ("dcat:byteSize", "xsd:nonNegativeInteger"),
    "checksumValue": ("spdx:checksumValue", "xsd:hexBinary"),
}

CONTEXT: Final[JSONObject] = {
    **PREFIXES,
    **_LITERALS,
    **{name: {"@id": iri, "@type": "@id"} for name, iri in _LINKS.items()},
    **{name: {"@id": iri, "@type": kind} for name, (iri, kind) in _TYPED.items()},
    "hasPolicy": {"@id": "odrl:hasPolicy", "@type": "@id", "@context": POLICY},
}

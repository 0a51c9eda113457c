"""A catalogue as DCAT 3 / DCAT-AP 3 in JSON-LD: what open-data portals and other data spaces read.

Rules that hold here:

* A dataset's IRI is a DID URL of its publisher, so that it has the same name wherever it is read. Each
  version is a dataset of its own (``dcat:hasVersion``) with one distribution: its bytes as published.
* Offers stand with the dataset as ODRL (``odrl:hasPolicy``), never with a distribution: what may be
  done does not depend on the file's form.
* Sizes are written as strings, as RDF literals are.
* Codes are the EU Publications Office's authority tables (language, data-theme, access-right,
  file-type) and IANA's media types, as DCAT-AP 3.0 section 10 asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from connector.catalog.context import CONTEXT
from connector.catalog.dataset import Dataset, DatasetVersion, Entry
from connector.source.manifest import CSV, PARQUET, Manifest
from ledger.canonical import JSON, JSONObject
from ledger.names import Milliseconds, OfferId, ParticipantId

AUTHORITY: Final = "http://publications.europa.eu/resource/authority"
MEDIA_TYPES: Final = "https://www.iana.org/assignments/media-types"
_SHA256: Final = "http://spdx.org/rdf/terms#checksumAlgorithm_sha256"
_LANGUAGES: Final = {
    "bg": "BUL", "cs": "CES", "da": "DAN", "de": "DEU", "el": "ELL", "en": "ENG", "es": "SPA", "et": "EST",
    "fi": "FIN", "fo": "FAO", "fr": "FRA", "ga": "GLE", "hr": "HRV", "hu": "HUN", "is": "ISL", "it": "ITA",
    "lt": "LIT", "lv": "LAV", "mt": "MLT", "nb": "NOB", "nl": "NLD", "nn": "NNO", "no": "NOR", "pl": "POL",
    "pt": "POR", "ro": "RON", "se": "SME", "sk": "SLK", "sl": "SLV", "sv": "SWE", "uk": "UKR",
}  # fmt: skip
"""ISO 639-1 to the authority table's codes."""
_FILE_TYPES: Final = {CSV: "CSV", PARQUET: "PARQUET", "application/json": "JSON", "application/pdf": "PDF"}


def catalogue(
    publisher: ParticipantId,
    name: str,
    entries: Iterable[Entry],
    *,
    language: str = "en",
    endpoint: str | None = None,
    policies: Mapping[OfferId, JSONObject] | None = None,
) -> JSONObject:
    """A participant's catalogue as one JSON-LD document.

    ``name`` is the participant's. ``endpoint`` is the URL that its connector answers at; a
    participant without one is reached otherwise, and its datasets' own IRIs stand in for it.
    ``policies`` has each offer's policy as an ODRL document; an offer without one is left out.
    """
    listed = list(entries)
    document: JSONObject = {
        "@context": CONTEXT,
        "@id": f"{publisher}/catalogue",
        "@type": "dcat:Catalog",
        "title": _said(name, language),
        "description": _said(f"Datasets that {name} offers in a data space.", language),
        "publisher": {"@id": publisher, "@type": "foaf:Agent", "name": name},
        "themeTaxonomy": f"{AUTHORITY}/data-theme",
        "dataset": [_dataset(entry, endpoint, policies or {}) for entry in listed],
    }
    if language in _LANGUAGES:
        document["language"] = _language(language)
    if endpoint is not None:
        document["service"] = {
            "@id": f"{publisher}/connector",
            "@type": "dcat:DataService",
            "title": _said(f"Connector of {name}", language),
            "endpointURL": endpoint,
            "servesDataset": [dataset_iri(entry.dataset) for entry in listed],
        }
    return document


def _dataset(entry: Entry, endpoint: str | None, policies: Mapping[OfferId, JSONObject]) -> JSONObject:
    dataset, newest = entry.dataset, entry.newest
    node: JSONObject = {
        "@id": dataset_iri(dataset),
        "@type": "dcat:Dataset",
        "title": _said(dataset.title, dataset.language),
        "description": _said(dataset.description, dataset.language),
        "identifier": dataset.id,
        "publisher": dataset.publisher,
        "accessRights": f"{AUTHORITY}/access-right/{'NON_PUBLIC' if dataset.about_people else 'RESTRICTED'}",
        "issued": _moment(entry.versions[0].published),
        "modified": _moment(newest.published),
        "version": newest.digest,
        "distribution": _distribution_iri(dataset, newest),
        "hasVersion": [_version(dataset, version, endpoint) for version in entry.versions],
    }
    if dataset.keywords:
        node["keyword"] = [_said(keyword, dataset.language) for keyword in dataset.keywords]
    if dataset.themes:
        node["theme"] = [f"{AUTHORITY}/data-theme/{theme}" for theme in dataset.themes]
    if dataset.language in _LANGUAGES:
        node["language"] = _language(dataset.language)
    if dataset.spatial is not None:
        node["spatial"] = {"@id": dataset.spatial, "@type": "dcterms:Location"}
    if dataset.begins is not None or dataset.ends is not None:
        node["temporal"] = _period(dataset)
    node |= _conforms(newest.manifest)
    offers: list[JSON] = [
        _offer(dataset, offer.id, policies[offer.id]) for offer in entry.offers if offer.id in policies
    ]
    if offers:
        node["hasPolicy"] = offers
    return node


def _version(dataset: Dataset, version: DatasetVersion, endpoint: str | None) -> JSONObject:
    return {
        "@id": f"{dataset_iri(dataset)}/versions/{version.digest}",
        "@type": "dcat:Dataset",
        "title": _said(f"{dataset.title} ({version.number})", dataset.language),
        "description": _said(dataset.description, dataset.language),
        "version": version.digest,
        "issued": _moment(version.published),
        "isVersionOf": dataset_iri(dataset),
        "distribution": _distribution(dataset, version, endpoint),
        **_conforms(version.manifest),
    }


def _distribution(dataset: Dataset, version: DatasetVersion, endpoint: str | None) -> JSONObject:
    manifest = version.manifest
    node: JSONObject = {
        "@id": _distribution_iri(dataset, version),
        "@type": "dcat:Distribution",
        "accessURL": endpoint or dataset_iri(dataset),
        "mediaType": f"{MEDIA_TYPES}/{manifest.media_type}",
        "byteSize": str(manifest.size),
        "checksum": {
            "@type": "spdx:Checksum",
            "algorithm": _SHA256,
            "checksumValue": manifest.content,
        },
        "issued": _moment(version.published),
    }
    if manifest.media_type in _FILE_TYPES:
        node["format"] = f"{AUTHORITY}/file-type/{_FILE_TYPES[manifest.media_type]}"
    if dataset.licence is not None:
        node["license"] = dataset.licence
    if endpoint is not None:
        node["accessService"] = f"{dataset.publisher}/connector"
    return node


def _conforms(manifest: Manifest) -> JSONObject:
    reference = None if manifest.schema is None else manifest.schema.reference
    return {} if reference is None else {"conformsTo": {"@id": reference.id, "@type": "dcterms:Standard"}}


def _period(dataset: Dataset) -> JSONObject:
    node: JSONObject = {"@type": "dcterms:PeriodOfTime"}
    if dataset.begins is not None:
        node["startDate"] = dataset.begins.isoformat()
    if dataset.ends is not None:
        node["endDate"] = dataset.ends.isoformat()
    return node


def _offer(dataset: Dataset, offer: OfferId, policy: JSONObject) -> JSONObject:
    """The policy as an offer of this dataset: ODRL 2.2 section 2.1.2 asks for assigner and target."""
    node = _with_target({name: value for name, value in policy.items() if name != "@context"}, dataset)
    for kind in ("permission", "prohibition", "obligation"):
        rules = node.get(kind)
        if isinstance(rules, list):
            node[kind] = [_with_target(rule, dataset) if isinstance(rule, dict) else rule for rule in rules]
    return {
        "target": dataset_iri(dataset),
        "assigner": dataset.publisher,
        **node,
        "@id": f"{dataset_iri(dataset)}/offers/{quote(offer, safe='')}",
        "@type": "Offer",
    }


def _with_target(node: JSONObject, dataset: Dataset) -> JSONObject:
    """Within a connector a dataset's id is enough; outside, the target is its IRI."""
    return {**node, "target": dataset_iri(dataset)} if node.get("target") == dataset.id else dict(node)


def dataset_iri(dataset: Dataset) -> str:
    """A dataset's name, wherever it is read: a DID URL of its publisher."""
    return f"{dataset.publisher}/datasets/{dataset.id}"


def _distribution_iri(dataset: Dataset, version: DatasetVersion) -> str:
    return f"{dataset_iri(dataset)}/versions/{version.digest}/content"


def _said(text: str, language: str) -> JSONObject:
    return {"@value": text, "@language": language}


def _language(language: str) -> str:
    return f"{AUTHORITY}/language/{_LANGUAGES[language]}"


def _moment(at: Milliseconds) -> str:
    """RFC 3339, UTC, to the second."""
    return datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

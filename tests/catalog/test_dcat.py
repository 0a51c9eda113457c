"""The catalogue as DCAT: it passes the DCAT-AP 3 shapes, and says what the dataset says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rdflib import Graph, Literal, Namespace, URIRef
from rdflib.compare import isomorphic

from connector.catalog.dataset import Entry
from connector.catalog.dcat import catalogue
from connector.policy.parse import normalise
from connector.policy.printing import as_odrl
from ledger.canonical import JSONObject, decode_object, encode
from ledger.names import OfferId
from tests.catalog.shop import MOST, PUBLISHER, least, most

DCAT = Namespace("http://www.w3.org/ns/dcat#")
DCTERMS = Namespace("http://purl.org/dc/terms/")
FOAF = Namespace("http://xmlns.com/foaf/0.1/")
RDF = Namespace("http://www.w3.org/1999/02/22-rdf-syntax-ns#")
XSD = Namespace("http://www.w3.org/2001/XMLSchema#")
ODRL = Namespace("http://www.w3.org/ns/odrl/2/")
SPDX = Namespace("http://spdx.org/rdf/terms#")
EU = "http://publications.europa.eu/resource/authority/"
ENDPOINT = "grpcs://connector.aarhus.example:7443"
DATASET = URIRef(f"{PUBLISHER}/datasets/{MOST.id}")

POLICY: JSONObject = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "@id": "urn:x:policy",
    "target": MOST.id,
    "permission": [
        {
            "action": "use",
            "constraint": [
                {
                    "leftOperand": "purpose",
                    "operator": "eq",
                    "rightOperand": {"@id": "https://w3id.org/dpv#ResearchAndDevelopment"},
                }
            ],
        }
    ],
    "prohibition": [{"action": "distribute"}],
}


def document(*entries: Entry, endpoint: str | None = None) -> JSONObject:
    policies = {OfferId("open-to-members"): POLICY}
    return catalogue(
        PUBLISHER, "Aarhus Kommune", entries, language="da", endpoint=endpoint, policies=policies
    )


def graph(content: JSONObject) -> Graph:
    found = Graph()
    found.parse(data=json.dumps(content), format="json-ld")
    return found


CASES = {
    "no dataset": ((), None),
    "the least": ((least(),), None),
    "everything": ((most(),), ENDPOINT),
    "both": ((least(), most()), ENDPOINT),
}


@pytest.mark.parametrize("case", CASES)
def test_a_catalogue_passes_the_dcat_ap_shapes(test_data: Path, case: str) -> None:
    pyshacl = pytest.importorskip("pyshacl")
    entries, endpoint = CASES[case]
    shapes = Graph().parse(test_data / "dcat-ap" / "shapes.ttl")
    conforms, _, report = pyshacl.validate(graph(document(*entries, endpoint=endpoint)), shacl_graph=shapes)
    assert conforms, report


@pytest.mark.parametrize(
    ("removed", "shape"),
    [("title", "dct:title"), ("accessURL", "accessURL"), ("publisher", "publisher")],
)
def test_the_shapes_would_notice(test_data: Path, removed: str, shape: str) -> None:
    pyshacl = pytest.importorskip("pyshacl")
    content = json.loads(json.dumps(document(most(), endpoint=ENDPOINT)))
    target = content if removed == "publisher" else content["dataset"][0]
    (target["hasVersion"][0]["distribution"] if removed == "accessURL" else target).pop(removed)
    shapes = Graph().parse(test_data / "dcat-ap" / "shapes.ttl")
    conforms, _, _ = pyshacl.validate(graph(content), shacl_graph=shapes)
    assert not conforms, shape


def test_it_says_what_the_dataset_says() -> None:
    found = graph(document(most(), endpoint=ENDPOINT))
    entry = most()
    assert (DATASET, RDF.type, DCAT.Dataset) in found
    assert (DATASET, DCTERMS["title"], Literal(MOST.title, lang="da")) in found
    assert (DATASET, DCTERMS.publisher, URIRef(PUBLISHER)) in found
    assert (URIRef(PUBLISHER), FOAF.name, Literal("Aarhus Kommune")) in found
    assert (DATASET, DCTERMS.language, URIRef(EU + "language/DAN")) in found
    assert (DATASET, DCTERMS.accessRights, URIRef(EU + "access-right/NON_PUBLIC")) in found
    assert {str(theme) for theme in found.objects(DATASET, DCAT.theme)} == {
        EU + "data-theme/ENER",
        EU + "data-theme/SOCI",
    }
    assert {str(word) for word in found.objects(DATASET, DCAT.keyword)} == set(MOST.keywords)
    assert (DATASET, DCTERMS.issued, Literal("2026-01-01T00:00:00Z", datatype=XSD.dateTime)) in found
    assert len([*found.objects(DATASET, DCAT.hasVersion)]) == 2
    (newest,) = found.objects(DATASET, DCAT.distribution)
    assert str(newest) == f"{DATASET}/versions/{entry.newest.digest}/content"
    assert (newest, DCAT.accessURL, URIRef(ENDPOINT)) in found
    assert (newest, DCAT.byteSize, Literal("7116028", datatype=XSD.nonNegativeInteger)) in found
    assert (newest, DCTERMS.license, URIRef(str(MOST.licence))) in found
    (checksum,) = found.objects(newest, SPDX.checksum)
    assert (checksum, SPDX.checksumValue, Literal("12" * 32, datatype=XSD.hexBinary)) in found
    (period,) = found.objects(DATASET, DCTERMS.temporal)
    assert (period, DCAT.endDate, Literal("2017-07-31", datatype=XSD.date)) in found
    services = [*found.subjects(RDF.type, DCAT.DataService)]
    assert [*found.objects(services[0], DCAT.endpointURL)] == [URIRef(ENDPOINT)]


def test_offers_are_odrl_and_stand_with_the_dataset() -> None:
    found = graph(document(most()))
    (policy,) = found.objects(DATASET, ODRL.hasPolicy)
    assert policy == URIRef(f"{DATASET}/offers/open-to-members")
    assert (policy, RDF.type, ODRL.Offer) in found
    assert (policy, ODRL.target, DATASET) in found
    assert (policy, ODRL.assigner, URIRef(PUBLISHER)) in found
    (permission,) = found.objects(policy, ODRL.permission)
    assert (permission, ODRL.action, ODRL.use) in found
    (constraint,) = found.objects(permission, ODRL.constraint)
    assert (constraint, ODRL.leftOperand, ODRL.purpose) in found
    assert (constraint, ODRL.operator, ODRL.eq) in found
    purpose = URIRef("https://w3id.org/dpv#ResearchAndDevelopment")
    assert (constraint, ODRL.rightOperand, purpose) in found
    (prohibition,) = found.objects(policy, ODRL.prohibition)
    assert (prohibition, ODRL.action, ODRL.distribute) in found


def test_a_policy_reads_the_same_from_its_normal_form() -> None:
    policy = {**POLICY, "prohibition": []}
    normal = as_odrl(normalise(policy))
    first = graph(catalogue(PUBLISHER, "A", [most()], policies={OfferId("open-to-members"): policy}))
    second = graph(catalogue(PUBLISHER, "A", [most()], policies={OfferId("open-to-members"): normal}))
    constraint = f"<{ODRL.leftOperand}> <{ODRL.purpose}>"
    for each in (first, second):
        assert constraint in each.serialize(format="nt")
        assert f"<{ODRL.action}> <{ODRL.use}>" in each.serialize(format="nt")


def test_nothing_has_to_be_fetched_to_read_it() -> None:
    content = document(most(), endpoint=ENDPOINT)
    assert isinstance(content["@context"], dict)
    text = json.dumps(content)
    assert text.count('"@context"') == 2  # its own, and the policy's inside it
    assert decode_object(encode(content), max_bytes=1 << 20) == content
    assert isomorphic(graph(content), graph(json.loads(text)))


def test_a_version_says_which_model_it_follows() -> None:
    found = graph(document(most()))
    models = {str(model) for model in found.objects(None, DCTERMS.conformsTo)}
    assert models == {"https://example.org/models/SmartMeteringObservation/schema.json"}

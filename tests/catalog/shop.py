"""Datasets for this room's tests: one that says as little as may be said, one that says everything."""

from __future__ import annotations

from datetime import date
from typing import Any

from connector.catalog.dataset import Dataset, DatasetVersion, Entry, OfferSummary
from connector.source.manifest import Form, Manifest
from connector.source.schema import Column, ColumnType, Role, Schema, SchemaReference
from ledger.names import DatasetId, Milliseconds, OfferId, ParticipantId, UnitId

PUBLISHER = ParticipantId("did:web:aarhus.example")

LEAST = Dataset(
    id=DatasetId("parking"),
    publisher=PUBLISHER,
    unit=UnitId("traffic"),
    title="Parking",
    description="Free places, garage by garage.",
    language="en",
    licence=None,
    form=Form.FILE,
    about_people=False,
)
EVERYTHING: dict[str, Any] = {
    "id": DatasetId("hourly-energy_2.v1"),
    "publisher": PUBLISHER,
    "unit": UnitId("energy:metering"),
    "title": "Husholdningers elforbrug, time for time",
    "description": "Målt forbrug.\n\nKilde: kommunens målere; priser i €.",
    "language": "da",
    "licence": "https://creativecommons.org/licenses/by/4.0/",
    "form": Form.TABLE,
    "about_people": True,
    "keywords": ("el", "forbrug", "målere"),
    "themes": ("ENER", "SOCI"),
    "spatial": "http://publications.europa.eu/resource/authority/country/DNK",
    "begins": date(2016, 8, 1),
    "ends": date(2017, 7, 31),
}
MOST = Dataset(**EVERYTHING)

FILE = Manifest(Form.FILE, "application/pdf", "ab" * 32, 4711)


def table(content: str = "cd") -> Manifest:
    """A table about people."""
    schema = Schema(
        (
            Column("household", ColumnType.STRING, False, Role.SUBJECT),
            Column("kWh", ColumnType.NUMBER, True, Role.PERSONAL),
        ),
        SchemaReference("https://example.org/models/SmartMeteringObservation/schema.json", "ef" * 32),
    )
    return Manifest(
        Form.TABLE, "text/csv", content * 32, 7_116_028, 148_920, schema, ",", header=True, append_only=True
    )


def offer(name: str, dataset: Dataset) -> OfferSummary:
    """An offer whose document is only carried."""
    return OfferSummary(OfferId(name), {"id": name, "dataset": dataset.id, "terms": {"purpose": "dpv:x"}})


def least() -> Entry:
    """The least that can be said."""
    return Entry(LEAST, (DatasetVersion(1, FILE, Milliseconds(1_767_225_600_000)),))


def most() -> Entry:
    """Everything that can be said."""
    return Entry(
        MOST,
        (
            DatasetVersion(1, table(), Milliseconds(1_767_225_600_000)),
            DatasetVersion(2, table("12"), Milliseconds(1_767_312_000_000)),
        ),
        (offer("open-to-members", MOST), offer("research/2026", MOST)),
    )

"""Datasets, their versions and the offers they are under."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class DatasetRow(SQLModel, table=True):
    """A published dataset; ``description`` is its canonical JSON (``connector.catalog``)."""

    __tablename__ = "dataset"

    id: str = Field(primary_key=True)
    unit: str
    about_people: bool
    description: bytes
    published: int


class VersionRow(SQLModel, table=True):
    """One version of a dataset; its description lies with its snapshot, under the digest."""

    __tablename__ = "dataset_version"

    dataset: str = Field(primary_key=True, foreign_key="dataset.id")
    number: int = Field(primary_key=True)
    """From 1; the newest has the highest."""
    digest: str = Field(index=True)
    published: int


class OfferRow(SQLModel, table=True):
    """An offer for a dataset; ``document`` is its canonical JSON (``connector.contract``)."""

    __tablename__ = "offer"

    id: str = Field(primary_key=True)
    dataset: str = Field(foreign_key="dataset.id", index=True)
    document: bytes
    active: bool
    published: int

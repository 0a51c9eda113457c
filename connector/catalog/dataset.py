"""A dataset, its versions and its offers, as values.

Rules that hold here:

* A dataset's id is lower-case letters, digits, dots, dashes and underscores, begins and ends with a
  letter or digit, and has no two dots in a row: it can stand in a path, a URL and a leaf.
* A dataset about people is a table whose subject column is declared; it is never a plain file. A
  table in which a column is declared personal is about people.
* A version's name is recomputed from its description whenever it is read.
* An offer is carried along as it was published and is not interpreted here (``connector.contract``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final, Self, TypedDict

from connector.catalog.text import MAX_DESCRIPTION, MAX_KEYWORD, MAX_TITLE, words
from connector.source.manifest import Form, Manifest
from connector.source.schema import Role
from ledger.canonical import JSON, JSONObject, encode
from ledger.errors import BylagError
from ledger.fields import BadField, Fields
from ledger.names import DatasetId, Milliseconds, OfferId, ParticipantId, UnitId, VersionDigest

VERSION: Final = 1
MAX_KEYWORDS: Final = 40
MAX_THEMES: Final = 13
MAX_VERSIONS: Final = 1000
MAX_OFFERS: Final = 50
MAX_OFFER_BYTES: Final = 128 << 10

DATASET_ID: Final = re.compile(r"(?!.*\.\.)[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?", re.ASCII)
PUBLISHER: Final = re.compile(r"did:web:[A-Za-z0-9][A-Za-z0-9._:%-]{0,230}", re.ASCII)
UNIT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#%~=-]{0,127}", re.ASCII)
OFFER: Final = UNIT
LANGUAGE: Final = re.compile(r"[a-z]{2,3}", re.ASCII)
WEB_ADDRESS: Final = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9.:-]{0,253}(?:/[!-;=?-Z_a-z~]{0,400})?", re.ASCII
)
THEMES: Final = "AGRI ECON EDUC ENER ENVI GOVE HEAL INTR JUST OP_DATPRO REGI SOCI TECH TRAN".split()
"""The EU's data-theme codes (Publications Office authority table data-theme)."""
LICENCES: Final = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/",
    "CC-BY-SA-4.0": "https://creativecommons.org/licenses/by-sa/4.0/",
    "CC-BY-NC-4.0": "https://creativecommons.org/licenses/by-nc/4.0/",
    "MIT": "https://opensource.org/license/mit",
    "ODbL-1.0": "https://opendatacommons.org/licenses/odbl/1-0/",
    "ODC-BY-1.0": "https://opendatacommons.org/licenses/by/1-0/",
}


class NotPublishable(BylagError):
    """The dataset as described cannot be published."""

    code = "NOT_PUBLISHABLE"
    default_next_step = (
        "Declare the columns (subject, personal, not-personal) and say whether it is about people."
    )


@dataclass(frozen=True, slots=True)
class Dataset:
    """What stays the same from version to version."""

    id: DatasetId
    publisher: ParticipantId
    unit: UnitId
    title: str
    description: str
    language: str
    """Of title, description and keywords: ISO 639, such as ``sv``."""
    licence: str | None
    """A web address; None where the agreement alone says what may be done."""
    form: Form
    about_people: bool
    keywords: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    """EU data-theme codes, such as ``ENER``."""
    spatial: str | None = None
    """The web address of the place that it covers."""
    begins: date | None = None
    """The first day that it covers."""
    ends: date | None = None
    """The last day that it covers."""

    def __post_init__(self) -> None:
        """Hold every value to the same rules as one read from a peer."""
        _read(Fields(self.to_json()))

    def to_json(self) -> JSONObject:
        """The closed JSON form; what is not said is null."""
        return {
            "type": "dataset",
            "version": VERSION,
            "id": self.id,
            "publisher": self.publisher,
            "unit": self.unit,
            "title": self.title,
            "description": self.description,
            "language": self.language,
            "licence": self.licence,
            "form": self.form.value,
            "about_people": self.about_people,
            "keywords": list[JSON](self.keywords),
            "themes": list[JSON](self.themes),
            "spatial": self.spatial,
            "begins": None if self.begins is None else self.begins.isoformat(),
            "ends": None if self.ends is None else self.ends.isoformat(),
        }

    @classmethod
    def from_json(cls, content: JSONObject) -> Self:
        """Read one. Raises :class:`~ledger.fields.BadField`."""
        return cls.from_fields(Fields(content))

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one that stands inside something else."""
        return cls(**_read(fields))

    def check(self, manifest: Manifest) -> None:
        """Raise :class:`NotPublishable` unless a version's description fits this dataset."""
        if manifest.form is not self.form:
            raise NotPublishable(
                f"the dataset is published as a {self.form.value}, this version is a {manifest.form.value}",
                next_step="Publish it under another id.",
                field="form",
            )
        if manifest.schema is None:
            return
        roles = {column.role for column in manifest.schema.columns}
        if self.about_people and Role.SUBJECT not in roles:
            raise NotPublishable("a dataset about people needs a column that says whom a row is about")
        if not self.about_people and roles & {Role.SUBJECT, Role.PERSONAL}:
            raise NotPublishable("a dataset with personal columns is about people", field="about_people")


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """One version, numbered from 1 within its dataset."""

    number: int
    manifest: Manifest
    published: Milliseconds

    @property
    def digest(self) -> VersionDigest:
        """The version's name."""
        return self.manifest.digest

    def to_json(self) -> JSONObject:
        return {
            "number": self.number,
            "digest": self.digest,
            "published": self.published,
            "manifest": self.manifest.to_json(),
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one; its name must be the digest of its description."""
        version = cls(
            number=fields.integer("number", least=1, most=1_000_000_000),
            manifest=Manifest.from_fields(fields.object("manifest")),
            published=Milliseconds(fields.integer("published")),
        )
        if fields.digest("digest") != version.digest:
            raise fields.wrong("digest", "is not the digest of the manifest beside it")
        fields.finish()
        return version


@dataclass(frozen=True, slots=True)
class OfferSummary:
    """An offer that the dataset is under: its id, and the document as it was published."""

    id: OfferId
    document: JSONObject
    """``connector.contract`` reads it; here it is only carried, bounded, and hashed."""

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of the document's canonical form."""
        return hashlib.sha256(encode(self.document)).hexdigest()

    def to_json(self) -> JSONObject:
        return {"id": self.id, "document": self.document}

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one. What the document says is checked by whoever reads it."""
        id_ = OfferId(fields.text("id", limit=128, pattern=OFFER))
        document = fields.any("document")
        if not isinstance(document, dict):
            raise fields.wrong("document", "must be an object")
        if len(encode(document)) > MAX_OFFER_BYTES:
            raise fields.wrong("document", f"is larger than {MAX_OFFER_BYTES} bytes")
        if document.get("id") != id_:
            raise fields.wrong("document", "is another offer's")
        fields.finish()
        return cls(id_, document)


@dataclass(frozen=True, slots=True)
class Entry:
    """One dataset as a catalogue shows it: its versions, oldest first, and its open offers."""

    dataset: Dataset
    versions: tuple[DatasetVersion, ...]
    offers: tuple[OfferSummary, ...] = ()

    @property
    def newest(self) -> DatasetVersion:
        """The version that is offered unless another is asked for."""
        return self.versions[-1]

    def to_json(self) -> JSONObject:
        return {
            "dataset": self.dataset.to_json(),
            "versions": [version.to_json() for version in self.versions],
            "offers": [offer.to_json() for offer in self.offers],
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read one. Raises :class:`~ledger.fields.BadField`, :class:`NotPublishable` or a ``BadHeader``."""
        entry = cls(
            dataset=Dataset.from_fields(fields.object("dataset")),
            versions=tuple(
                DatasetVersion.from_fields(each) for each in fields.objects("versions", limit=MAX_VERSIONS)
            ),
            offers=tuple(
                OfferSummary.from_fields(each) for each in fields.objects("offers", limit=MAX_OFFERS)
            ),
        )
        fields.finish()
        if not entry.versions:
            raise fields.wrong("versions", "must not be empty")
        if not _ascending([version.number for version in entry.versions]):
            raise fields.wrong("versions", "must be in ascending order, each number once")
        if len({offer.id for offer in entry.offers}) < len(entry.offers):
            raise fields.wrong("offers", "names an offer twice")
        for version in entry.versions:
            entry.dataset.check(version.manifest)
        return entry


def dataset_id(text: str) -> DatasetId:
    """A dataset's id as somebody typed it. Raises :class:`~ledger.fields.BadField`."""
    if not DATASET_ID.fullmatch(text):
        raise BadField(
            "a dataset's id has 1 to 100 of a-z, 0-9, dots, dashes and underscores, begins and ends with a "
            "letter or digit, and has no two dots in a row",
            field="id",
            next_step="Name another id, such as parking-2024.",
        )
    return DatasetId(text)


def licence_address(text: str) -> str:
    """A licence's web address, for its short name (SPDX) or itself. Raises ``BadField``."""
    return LICENCES.get(text) or Fields({"licence": text}).text("licence", limit=500, pattern=WEB_ADDRESS)


class _Values(TypedDict):
    id: DatasetId
    publisher: ParticipantId
    unit: UnitId
    title: str
    description: str
    language: str
    licence: str | None
    form: Form
    about_people: bool
    keywords: tuple[str, ...]
    themes: tuple[str, ...]
    spatial: str | None
    begins: date | None
    ends: date | None


def _read(fields: Fields) -> _Values:
    fields.constant("type", "dataset")
    fields.constant("version", VERSION)
    values: _Values = {
        "id": DatasetId(fields.text("id", limit=100, pattern=DATASET_ID)),
        "publisher": ParticipantId(fields.text("publisher", limit=240, pattern=PUBLISHER)),
        "unit": UnitId(fields.text("unit", limit=128, pattern=UNIT)),
        "title": words(fields, "title", limit=MAX_TITLE),
        "description": words(fields, "description", limit=MAX_DESCRIPTION, lines=True),
        "language": fields.text("language", limit=3, pattern=LANGUAGE),
        "licence": _maybe_web_address(fields, "licence"),
        "form": Form(fields.choice("form", [form.value for form in Form])),
        "about_people": fields.boolean("about_people"),
        "keywords": _keywords(fields),
        "themes": _themes(fields),
        "spatial": _maybe_web_address(fields, "spatial"),
        "begins": _day(fields, "begins"),
        "ends": _day(fields, "ends"),
    }
    fields.finish()
    if values["about_people"] and values["form"] is Form.FILE:
        raise fields.wrong("about_people", "data about people is never published as a plain file")
    begins, ends = values["begins"], values["ends"]
    if begins is not None and ends is not None and ends < begins:
        raise fields.wrong("ends", "lies before its beginning")
    return values


def _maybe_web_address(fields: Fields, name: str) -> str | None:
    return fields.text(name, limit=500, pattern=WEB_ADDRESS) if fields.has(name) else None


def _keywords(fields: Fields) -> tuple[str, ...]:
    given = fields.items("keywords", limit=MAX_KEYWORDS)
    found = tuple(words(Fields({"keywords": each}), "keywords", limit=MAX_KEYWORD) for each in given)
    if len(set(found)) < len(found):
        raise fields.wrong("keywords", "names a keyword twice")
    return found


def _themes(fields: Fields) -> tuple[str, ...]:
    found = fields.texts("themes", limit=MAX_THEMES, text_limit=20)
    if not set(found) <= set(THEMES) or len(set(found)) < len(found):
        raise fields.wrong("themes", f"must be different ones of {', '.join(THEMES)}")
    return found


def _day(fields: Fields, name: str) -> date | None:
    if not fields.has(name):
        return None
    text = fields.text(name, limit=10)
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise fields.wrong(name, "must be a day, such as 2024-12-31") from error
    if found.isoformat() != text:
        raise fields.wrong(name, "must be a day, such as 2024-12-31")
    return found


def _ascending(numbers: Sequence[int]) -> bool:
    return all(low < high for low, high in pairwise(numbers))

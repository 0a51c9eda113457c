"""What the provider says of a dataset version, as a policy compares it; it travels with the signed Offer.

Rules that hold here:

* The provider measures it, or states it when it publishes: product and themes, language, media type, the
  categories of data in the columns, the smallest group of rows (k).
* It stands in the schema beside the Offer, whose digest the Offer signs. So the consumer decides each later
  use by the same facts, and the provider answers for them.
* What was not said is None, and then unknown to the policy. The categories of a version about people are
  known when every column that tells of a person has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from connector.catalog.dataset import Dataset
from connector.catalog.dcat import AUTHORITY, MEDIA_TYPES, dataset_iri
from connector.policy.data_categories import NOT_PERSONAL
from connector.source.manifest import MEDIA_TYPE_PATTERN, Manifest
from connector.source.schema import MAX_COLUMNS, Role
from ledger.canonical import JSON, JSONObject
from ledger.fields import Fields

MEMBER: Final = "about"
"""The member of the schema beside an Offer in which it stands."""
MOST_KINDS: Final = 16


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """What is said of one version; None where nothing is."""

    product: str | None = None
    """The dataset's IRI, as the catalogue has it (ODRL ``product``)."""
    kinds: tuple[str, ...] = ()
    """The themes that it lies in, IRIs of the EU's data-theme table."""
    language: str | None = None
    """ISO 639, such as ``sv``."""
    media_type: str | None = None
    """Of the version as it was published."""
    categories: tuple[str, ...] | None = None
    """The categories of data in it, IRIs; None: not all of them are known."""
    group: int | None = None
    """How many rows at least agree in the columns by which the owner tells them apart (k)."""

    @classmethod
    def of(cls, dataset: Dataset, manifest: Manifest) -> Self:
        """What is said of a version that is published here."""
        return cls(
            product=dataset_iri(dataset),
            kinds=tuple(f"{AUTHORITY}/data-theme/{theme}" for theme in dataset.themes),
            language=dataset.language,
            media_type=manifest.media_type,
            categories=_categories(dataset, manifest),
            group=None if manifest.groups is None else manifest.groups.smallest,
        )

    def to_json(self) -> JSONObject:
        """The closed form that travels with the Offer."""
        return {
            "product": self.product,
            "kinds": list[JSON](self.kinds),
            "language": self.language,
            "media_type": self.media_type,
            "categories": None if self.categories is None else list[JSON](self.categories),
            "group": self.group,
        }

    @classmethod
    def of_schema(cls, schema: JSONObject) -> Self:
        """What stands in the schema beside an Offer. Raises :class:`~ledger.fields.BadField`."""
        fields = Fields(schema).maybe_object(MEMBER)
        if fields is None:
            return cls()
        found = cls(
            product=fields.maybe_text("product", limit=400),
            kinds=fields.texts("kinds", limit=MOST_KINDS, text_limit=200),
            language=fields.maybe_text("language", limit=3),
            media_type=fields.text("media_type", limit=130, pattern=MEDIA_TYPE_PATTERN)
            if fields.has("media_type")
            else None,
            categories=fields.texts("categories", limit=MAX_COLUMNS, text_limit=500)
            if fields.has("categories")
            else None,
            group=fields.maybe_integer("group"),
        )
        fields.finish()
        return found

    @property
    def media(self) -> tuple[str, str] | None:
        """The media type's IRI in IANA's registry, and that of the top-level type it lies in."""
        if self.media_type is None:
            return None
        return f"{MEDIA_TYPES}/{self.media_type}", f"{MEDIA_TYPES}/{self.media_type.partition('/')[0]}"


UNKNOWN: Final = VersionFacts()


def _categories(dataset: Dataset, manifest: Manifest) -> tuple[str, ...] | None:
    columns = () if manifest.schema is None else manifest.schema.columns
    said = {column.category for column in columns if column.category is not None}
    if not dataset.about_people:
        return tuple(sorted(said)) or (NOT_PERSONAL,)
    personal = (column for column in columns if column.role in (Role.SUBJECT, Role.PERSONAL))
    return tuple(sorted(said)) if all(column.category is not None for column in personal) else None

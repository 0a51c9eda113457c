"""The catalogue as the store keeps it: rows in, entries out, and the page that peers see."""

from __future__ import annotations

from sqlmodel import Session, col, select

from connector.catalog.dataset import Dataset, DatasetVersion, Entry, OfferSummary
from connector.catalog.listing import encode_entry, encode_page, page
from connector.source.folder import SnapshotFolder
from connector.store.database import Database
from connector.store.tables import DatasetRow, OfferRow, VersionRow
from connector.store.writer import Transaction
from ledger.canonical import decode_object, encode
from ledger.errors import BylagError, ErrorKind
from ledger.names import DatasetId, Milliseconds, OfferId, VersionDigest


class NoSuchDataset(BylagError):
    """This participant publishes no dataset of that id."""

    code = "NO_SUCH_DATASET"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List what is published with `bylag catalog`."


class StoredCatalog:
    """Everything this participant publishes."""

    def __init__(self, database: Database, folder: SnapshotFolder) -> None:
        self._database = database
        self._folder = folder

    def entries(self) -> list[Entry]:
        """Every dataset with its versions and open offers, by id."""
        with self._database.read() as session:
            rows = session.exec(select(DatasetRow).order_by(DatasetRow.id)).all()
            return [self._entry(session, row) for row in rows]

    def entry(self, dataset: DatasetId) -> Entry:
        """One dataset. Raises :class:`NoSuchDataset`."""
        with self._database.read() as session:
            row = session.get(DatasetRow, dataset)
            if row is None:
                raise NoSuchDataset("no such dataset", field="dataset")
            return self._entry(session, row)

    def page(self, query: str, size: int, token: str) -> tuple[bytes, str]:
        """A page of the catalogue as peers get it, and where the next begins."""
        found, following = page(self.entries(), query, size, token)
        return encode_page(found), following

    def one(self, dataset: str) -> bytes | None:
        """One dataset as peers get it; None if there is none such."""
        try:
            return encode_entry(self.entry(DatasetId(dataset)))
        except NoSuchDataset:
            return None

    def _entry(self, session: Session, row: DatasetRow) -> Entry:
        versions = session.exec(
            select(VersionRow).where(VersionRow.dataset == row.id).order_by(col(VersionRow.number))
        ).all()
        offers = session.exec(
            select(OfferRow).where(OfferRow.dataset == row.id, col(OfferRow.active)).order_by(OfferRow.id)
        ).all()
        return Entry(
            dataset=Dataset.from_json(decode_object(row.description)),
            versions=tuple(
                DatasetVersion(
                    each.number,
                    self._folder.manifest(VersionDigest(each.digest)),
                    Milliseconds(each.published),
                )
                for each in versions
            ),
            offers=tuple(OfferSummary(OfferId(each.id), decode_object(each.document)) for each in offers),
        )


def put_version(transaction: Transaction, dataset: Dataset, digest: VersionDigest, now: Milliseconds) -> int:
    """Store a dataset with a version of it, as the newest; the version's number.

    A version that is the newest already keeps its number.
    """
    session = transaction.session
    row = session.get(DatasetRow, dataset.id)
    if row is None:
        row = DatasetRow(
            id=dataset.id,
            unit=dataset.unit,
            about_people=dataset.about_people,
            description=b"",
            published=now,
        )
        session.add(row)
    row.unit, row.about_people = dataset.unit, dataset.about_people
    row.description = encode(dataset.to_json())
    session.flush()
    newest = session.exec(
        select(VersionRow)
        .where(VersionRow.dataset == dataset.id)
        .order_by(col(VersionRow.number).desc())
        .limit(1)
    ).first()
    if newest is not None and newest.digest == digest:
        return newest.number
    number = newest.number + 1 if newest is not None else 1
    session.add(VersionRow(dataset=dataset.id, number=number, digest=digest, published=now))
    return number


def put_offer(
    transaction: Transaction, dataset: DatasetId, offer: OfferId, document: bytes, now: Milliseconds
) -> None:
    """Store an open offer for a dataset."""
    transaction.session.add(
        OfferRow(id=offer, dataset=dataset, document=document, active=True, published=now)
    )

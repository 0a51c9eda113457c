"""A world whose provider has real tables on a real shelf, and a subscription with both sides running."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from connector.catalog.dataset import Dataset
from connector.exchange.answer import provide
from connector.exchange.consumer import ConsumerExchange
from connector.exchange.following import Bounds, FollowingSubscription
from connector.exchange.ground import Terms
from connector.exchange.inbox import Delivery, read_frames
from connector.exchange.shelf import StoredShelf
from connector.exchange.wish import Wish, new_exchange
from connector.source.draft import TableOptions
from connector.source.folder import SnapshotFolder
from connector.source.manifest import Form
from connector.source.schema import Role
from connector.store.tables import DatasetRow, ExchangeRow, VersionRow
from ledger.canonical import encode
from ledger.errors import BylagError
from ledger.names import ExchangeId, UnitId, VersionDigest
from tests.exchange.world import AGREEMENT, DATASET, PROVIDER, Party, Rule, World, pipe

KEY = AESGCM(b"k" * 32)


class TableWorld(World):
    """What both share, and the provider's tables."""

    def __init__(self, folder: Path, **terms: int) -> None:
        super().__init__(folder, **terms)
        self.shelf_folder = folder / "snapshots"
        self.snapshots = SnapshotFolder(self.shelf_folder, self.provider.ambient)
        shelf = StoredShelf(self.provider.database, self.snapshots)
        self.provider.ground = replace(self.provider.ground, shelf=shelf)
        self.version = VersionDigest("")
        self._files = 0

    def file(self, content: bytes, name: str = "table.csv") -> Path:
        """A file of the provider's, fresh each time."""
        self._files += 1
        path = self.folder / f"{self._files}-{name}"
        path.write_bytes(content)
        return path

    def publish(
        self,
        content: bytes,
        *,
        roles: dict[str, Role] | None = None,
        append_only: bool = True,
        name: str = "table.csv",
    ) -> str:
        """Publish a table as the dataset's newest version."""
        options = TableOptions(append_only=append_only)
        with self.snapshots.draft_table(self.file(content, name), options) as draft:
            digest = draft.publish(roles or {})
        return self.put(digest, about_people=bool(roles))

    def publish_file(self, content: bytes, *, about_people: bool = False) -> str:
        """Publish a plain file."""
        with self.snapshots.draft_file(self.file(content, "file.bin")) as draft:
            return self.put(draft.publish(), about_people=about_people)

    def described(self, about_people: bool) -> Dataset:
        """What the catalogue says of the dataset, in the form of its newest version."""
        return Dataset(
            id=DATASET,
            publisher=PROVIDER,
            unit=UnitId("main"),
            title="Numbers",
            description="Numbers",
            language="sv",
            licence=None,
            form=Form.TABLE,
            about_people=about_people,
            themes=("ENER",),
        )

    def put(self, digest: VersionDigest, *, about_people: bool) -> VersionDigest:
        def record(transaction: Any) -> None:
            session = transaction.session
            if session.get(DatasetRow, DATASET) is None:
                row = DatasetRow(id=DATASET, unit="", about_people=about_people, description=b"", published=0)
                session.add(row)
                session.flush()
            session.get_one(DatasetRow, DATASET).description = encode(self.described(about_people).to_json())
            number = transaction.sqlite.execute("SELECT count(*) FROM dataset_version").fetchone()[0] + 1
            session.add(VersionRow(dataset=DATASET, number=number, digest=digest, published=0))

        self.provider.writer.submit(record).result()
        before, self.version = self.version, digest
        if before:
            self.provider.ground.growth.grew(before)
        return digest

    def append(self, content: bytes, name: str = "more.csv") -> None:
        """Add rows to the newest version, and wake whoever follows it."""
        self.snapshots.append(self.version, self.file(content, name))
        self.provider.ground.growth.grew(self.version)

    def stored_rows(self) -> bytes:
        """The newest version's bytes, as they lie in its folder."""
        return (self.shelf_folder / self.version / "rows").read_bytes()


class Following:
    """One attempt at a subscription, both sides running; use it as a context."""

    def __init__(self, world: TableWorld, exchange: ExchangeId | None = None) -> None:
        self.world = world
        self.provider_end, self.consumer_end = pipe()
        self.exchange = exchange or new_exchange(world.consumer.ground)
        self.provider_result: object = None

    def start(
        self,
        *,
        version: str | None = None,
        cursor: int = 0,
        selection: Any = None,
        bounds: Bounds = Bounds(),  # noqa: B008
        resume: bool = False,
    ) -> asyncio.Task[ExchangeRow]:
        """Both sides as tasks; the consumer's is returned."""
        world = self.world
        self.consumer = FollowingSubscription(
            world.consumer.ground,
            self.consumer_end,
            agreed(world),
            self.delivery(),
            exchange=self.exchange,
            bounds=bounds,
        )
        wish = Wish(
            DATASET,
            Rule().purpose,
            mode="subscribe",
            version=version or world.version or None,
            cursor=cursor,
            selection=selection,
        )
        return asyncio.create_task(self._run(self.consumer, wish, resume=resume))

    async def _run(self, consumer: ConsumerExchange, wish: Wish, *, resume: bool) -> ExchangeRow:
        provider = asyncio.create_task(self._provide())
        try:
            return await (consumer.resume() if resume else consumer.fetch(wish))
        finally:
            await self.consumer_end.outgoing.put(None)
            (self.provider_result,) = await asyncio.gather(provider, return_exceptions=True)
            if isinstance(self.provider_result, BaseException) and not isinstance(
                self.provider_result, BylagError
            ):
                raise self.provider_result

    async def _provide(self) -> object:
        first = await self.provider_end.first()
        try:
            return await provide(self.world.provider.ground, self.provider_end, first)
        finally:
            await self.provider_end.outgoing.put(None)

    def delivery(self) -> Delivery:
        return Delivery(self.world.consumer.folder / "inbox", self.exchange, KEY, self.world.consumer.ambient)

    async def acknowledged(self, rows: int, party: Party | None = None) -> ExchangeRow:
        """Wait until so many rows are acknowledged at a side (the provider unless said)."""
        async with asyncio.timeout(10):
            while (row := stored(party or self.world.provider, self.exchange)) is None or row.rows < rows:
                await committed(party or self.world.provider)
        return row

    async def opened(self) -> ExchangeRow:
        """Wait until the first window is acknowledged."""
        async with asyncio.timeout(10):
            while (row := stored(self.world.provider, self.exchange)) is None or row.window < 1:
                await committed(self.world.provider)
        return row

    def end(self, party: Party | None = None) -> None:
        """A side asks for the end (the consumer unless said)."""
        assert (party or self.world.consumer).ground.growth.end(self.exchange)

    def received(self) -> bytes:
        row = stored(self.world.consumer, self.exchange)
        folder = self.world.consumer.folder / "inbox"
        windows = iter(range(1, row.window + 1)) if row else iter(())
        return b"".join(read_frames(folder, self.exchange, KEY, windows))


class Fetching(Following):
    """One attempt at a transfer of a table."""

    def start(
        self, *, selection: Any = None, resume: bool = False, **named: Any
    ) -> asyncio.Task[ExchangeRow]:
        world = self.world
        consumer = ConsumerExchange(
            world.consumer.ground,
            self.consumer_end,
            agreed(world),
            self.delivery(),
            exchange=self.exchange,
        )
        wish = Wish(DATASET, Rule().purpose, selection=selection, **named)
        return asyncio.create_task(self._run(consumer, wish, resume=resume))


def agreed(world: World) -> Terms:
    """The agreement, as the consumer holds it now."""
    terms = world.consumer.terms(AGREEMENT)
    assert terms is not None
    return terms


async def committed(party: Party) -> None:
    """Wait until everything that was given to a party's writer by now is durable, and let others run."""
    await party.writer.write(lambda _: None)
    await asyncio.sleep(0)


def stored(party: Party, exchange: str) -> ExchangeRow | None:
    with party.database.read() as session:
        row = session.get(ExchangeRow, exchange)
        return None if row is None else ExchangeRow.model_validate(row.model_dump())


def held(party: Party, exchange: str) -> ExchangeRow:
    """The exchange at a side that has it."""
    row = stored(party, exchange)
    assert row is not None
    return row


def kinds(party: Party) -> list[str]:
    """The types of a party's leaves, after the two that every log begins with."""
    return [leaf["type"] for leaf in party.leaves()][2:]


def outstanding(world: World) -> int:
    """How many windows of the agreement wait for a signature."""
    with world.provider.database.read_sqlite() as connection:
        return int(
            connection.execute(
                "SELECT count(*) FROM exchange_window WHERE state IN ('open', 'disputed', 'rejected')"
            ).fetchone()[0]
        )


def lines(*rows: Sequence[object]) -> bytes:
    """Rows as CSV."""
    return b"".join(",".join(map(str, row)).encode() + b"\n" for row in rows)

"""Fetching, resuming, and using what was received."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sqlmodel import col, select

from connector.contract.errors import NoSuchAgreement
from connector.contract.opening import PLACES as BESIDE
from connector.control.operation import Asked, operation
from connector.control.purpose import purpose
from connector.exchange.channel import Channel
from connector.exchange.consumer import ConsumerExchange, Progress
from connector.exchange.declared import NOTHING, Declared
from connector.exchange.discard import discard
from connector.exchange.ground import Terms
from connector.exchange.inbox import Delivery
from connector.exchange.newest import NewestList
from connector.exchange.use import Discarded, NoSuchDelivery, use
from connector.exchange.wish import Wish, new_exchange
from connector.peer.status import RemoteError
from connector.source.original import writing
from connector.store.tables import DeliveryRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import JSON, JSONObject, decode_object
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import AgreementId, DatasetId, ExchangeId, ParticipantId

SHOW_BYTES = 1 << 20


class OutputExists(BylagError):
    """The file to write to is there already."""

    code = "OUTPUT_EXISTS"
    kind = ErrorKind.CONFLICT
    default_next_step = "Name another file, or move this one away."


class OtherMode(BylagError):
    """An exchange is gone on with as what it was begun as."""

    code = "OTHER_MODE"
    kind = ErrorKind.CONFLICT
    default_next_step = "Go on with a subscription by `subscribe`, with a transfer by `fetch --resume`."


class CannotShow(BylagError):
    """A delivery that is too large for a result, or no text."""

    code = "CANNOT_SHOW"
    default_next_step = "Write it to a file with --out."


@operation("fetch")
async def fetch(asked: Asked) -> JSON:
    """Fetch a dataset under an agreement into the inbox."""
    fields = asked.arguments
    agreement = AgreementId(fields.text("agreement"))
    named, version = fields.maybe_text("purpose"), fields.maybe_digest("version")
    selection = fields.maybe_object("selection")
    wanted = _raw(fields, "selection") if selection is not None else None
    declared = given_declaration(fields)
    fields.finish()
    terms = terms_of(asked, agreement)
    exchange = new_exchange(asked.running.node.ground)
    wish = Wish(
        DatasetId(terms.dataset),
        purpose(named) if named is not None else terms.purpose,
        version=version,
        selection=wanted,
        declared=declared,
    )
    running = asked.running
    async with channel_to(asked, terms, exchange) as channel:
        consumer = ConsumerExchange(
            running.node.ground,
            channel,
            terms,
            delivery_of(asked, exchange),
            exchange=exchange,
            progress=_progress(asked, terms),
        )
        row = await consumer.fetch(wish)
    return described(row)


@operation("resume")
async def resume(asked: Asked) -> JSON:
    """Go on with an exchange that broke, from the last acknowledged window."""
    exchange = ExchangeId(asked.arguments.text("exchange"))
    asked.arguments.finish()
    node = asked.running.node
    with node.database.read() as session:
        row = session.get(ExchangeRow, exchange)
    if row is None or row.role != "consumer":
        raise NoSuchDelivery("no such exchange", field="exchange")
    _require_kept(asked, exchange)
    if row.mode == "subscribe":
        raise OtherMode("this exchange is a subscription", field="exchange")
    terms = terms_of(asked, AgreementId(row.agreement))
    async with channel_to(asked, terms, exchange) as channel:
        consumer = ConsumerExchange(
            node.ground,
            channel,
            terms,
            delivery_of(asked, exchange),
            exchange=exchange,
            progress=_progress(asked, terms),
        )
        return described(await consumer.resume())


@operation("deliveries")
async def deliveries(asked: Asked) -> JSON:
    """What was received, the newest first."""
    asked.arguments.finish()
    with asked.running.node.database.read() as session:
        rows = session.exec(
            select(ExchangeRow, DeliveryRow)
            .join(DeliveryRow, col(DeliveryRow.exchange) == col(ExchangeRow.id))
            .where(ExchangeRow.mode != "query")  # its answers were handed out, and are not kept
            .order_by(col(ExchangeRow.started).desc())
        ).all()
    return [
        {**described(row), "media_type": delivery.media_type, "discarded": delivery.discarded}
        for row, delivery in rows
    ]


@operation("discard")
async def discard_delivery(asked: Asked) -> JSON:
    """Discard a delivery; duties to delete it are reported to the provider, as attested."""
    fields = asked.arguments
    exchange = ExchangeId(fields.text("delivery"))
    beside = {name: text for name in BESIDE if (text := fields.maybe_text(name, limit=2000)) is not None}
    fields.finish()
    node = asked.running.node
    with node.database.read() as session:
        row = session.get(ExchangeRow, exchange)
    if row is None or row.role != "consumer" or row.mode == "query":
        raise NoSuchDelivery("no such delivery", field="delivery")

    def report(transaction: Transaction, task: str) -> None:
        node.duties.report(transaction, task, beside)

    asked.running.lines.keep(ParticipantId(row.peer))
    tasks = await discard(node.ground, node.home.inbox, node.chest, exchange, report)
    return {"delivery": exchange, "discarded": True, "reported": list[JSON](tasks)}


@operation("use")
async def use_delivery(asked: Asked) -> JSON:
    """Use a delivery for a purpose: into a file, or, if it is small, into the result."""
    fields = asked.arguments
    exchange, wanted = ExchangeId(fields.text("delivery")), purpose(fields.text("purpose"))
    out = fields.maybe_text("out", limit=4096)
    fields.finish()
    if out is not None:
        _require_new(Path(out))
    node = asked.running.node
    with node.database.read() as session:
        row = session.get(ExchangeRow, exchange)
    if row is None or row.role != "consumer" or row.mode == "query":
        raise NoSuchDelivery("no such delivery", field="delivery")
    if not row.window:
        raise NoSuchDelivery("nothing of it has been received", field="delivery")
    if out is None and row.size > SHOW_BYTES:
        raise CannotShow(f"the delivery has {row.size} bytes, too many to show", field="out")
    delivery = _require_kept(asked, exchange)
    cipher = node.held_cipher(exchange)
    granted = await use(node.ground, node.home.inbox, cipher, exchange, wanted, taken_out=out is not None)
    result: JSONObject = {
        "delivery": exchange,
        "purpose": wanted,
        "media_type": granted.media_type,
        "rows": granted.rows,
        "bytes": granted.size,
        "complete": delivery is not None and delivery.complete,
        "mode": row.mode,
        "state": row.state,
    }
    if out is None:
        return {**result, "text": shown(granted.frames)}
    await _write_out(Path(out), granted.frames, asked, granted.size)
    return {**result, "out": out}


def _require_kept(asked: Asked, exchange: ExchangeId) -> DeliveryRow | None:
    with asked.running.node.database.read() as session:
        delivery = session.get(DeliveryRow, exchange)
    if delivery is not None and delivery.discarded is not None:
        raise Discarded("the delivery was discarded", field="delivery")
    return delivery


def _require_new(out: Path) -> None:
    if out.exists():
        raise OutputExists("the output file exists", field="out")


def described(row: ExchangeRow) -> JSONObject:
    """An exchange as a command prints it."""
    return {
        "exchange": row.id,
        "agreement": row.agreement,
        "peer": row.peer,
        "role": row.role,
        "mode": row.mode,
        "state": row.state,
        "dataset": row.dataset,
        "version": row.dataset_version,
        "purpose": row.purpose,
        "declared": decode_object(row.declared) if row.declared else None,
        "windows": row.window,
        "rows": row.rows,
        "bytes": row.size,
        "digest": row.digest,
        "attempt": row.attempt,
        "code": row.code,
    }


def terms_of(asked: Asked, agreement: AgreementId) -> Terms:
    """The agreement's terms, where this participant is the consumer. Raises ``NoSuchAgreement``."""
    terms = asked.running.node.agreements.terms(agreement)
    if terms is None or terms.consumer != asked.running.node.me:
        raise NoSuchAgreement("no such agreement as a consumer", field="agreement")
    asked.running.lines.keep(terms.provider)
    return terms


@asynccontextmanager
async def channel_to(asked: Asked, terms: Terms, exchange: ExchangeId) -> AsyncIterator[Channel]:
    """A stream to the provider: called, or waited for where the list names no endpoint for it."""
    node = asked.running.node
    if node.client.endpoints(terms.provider) or asked.running.server is None:
        try:
            async with node.client.exchange(terms.provider) as called:
                yield NewestList(node.ground, called)
        except RemoteError:
            # The provider may have hung up because of a list that this side has not seen.
            with suppress(RemoteError):
                await asked.running.lines.catch_up(terms.provider)
            raise
        return

    async def announce() -> None:
        await node.writer.write(
            lambda transaction: node.collecting.announce(transaction, terms.provider, exchange)
        )
        asked.report("waiting for the provider to come", 0, None)

    async with node.waiting.channel(terms.provider, exchange, announce) as channel:
        yield channel


def delivery_of(asked: Asked, exchange: ExchangeId) -> Delivery:
    """Where an exchange's windows are stored."""
    node = asked.running.node
    return Delivery(node.home.inbox, exchange, node.delivery_cipher(exchange), node.ambient)


def _progress(asked: Asked, terms: Terms) -> Progress:
    return lambda _rows, size, of: asked.report(f"receiving {terms.dataset}", size, of)


def given_declaration(fields: Fields) -> Declared:
    """What is declared beside the purpose. Raises :class:`~ledger.fields.BadField`."""
    return Declared.read(_raw(fields, "declared")) if fields.maybe_object("declared") is not None else NOTHING


def _raw(fields: Fields, name: str) -> JSONObject:
    value = fields.any(name)
    return value if isinstance(value, dict) else {}


def shown(frames: Iterator[bytes]) -> str:
    """Data as a result shows it. Raises :class:`CannotShow` for what is no text."""
    try:
        return b"".join(frames).decode()
    except UnicodeDecodeError as error:
        raise CannotShow("the delivery is no text", field="out") from error


async def _write_out(path: Path, frames: Iterator[bytes], asked: Asked, size: int) -> None:
    """Write a file on a thread: opening a large delivery must hold up nobody's stream."""
    loop = asyncio.get_running_loop()

    def wrote(done: int) -> None:
        loop.call_soon_threadsafe(asked.report, "writing", done, size)

    await asyncio.to_thread(_write, path, frames, wrote)


def _write(path: Path, frames: Iterator[bytes], wrote: Callable[[int], None]) -> None:
    """Write beside the place, then give it its name: an output is whole or not there.

    The owner's alone, also in a folder where others may write: no link is followed, nothing replaced.
    """
    beside = path.with_name(f".{path.name}.part")
    with writing():
        beside.unlink(missing_ok=True)  # what a crash left behind
        opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(opened, "wb") as out:
                done = 0
                for frame in frames:
                    out.write(frame)
                    done += len(frame)
                    wrote(done)
                out.flush()
                os.fsync(out.fileno())
            os.link(beside, path)  # unlike a rename, never replaces what is there
        except FileExistsError as error:
            raise OutputExists("the output file exists", field="out") from error
        finally:
            beside.unlink()

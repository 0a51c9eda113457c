"""The use of what was received: decided by the agreement's policy, recorded, and only then handed out.

Rules that hold here (DESIGN.md, "The inbox"; invariant 1):

* Each use names a purpose. The same policy that let the data in decides, at this side, again, by the
  facts that the provider signed with its Offer and by what was declared in the Request.
* The record is durable before the first byte is opened. What is written to a file outside is
  recorded as beyond the connector's control.
* What was discarded is not used again.
* Only windows that were acknowledged are used; an agreement that ended allows no new use. Nor does
  one that is barred, or a clock that was set back behind the last record.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connector.audit.scope import Scope
from connector.exchange import counters
from connector.exchange.deciding import declared_in, record_decision
from connector.exchange.ground import Denied, Ground, Ruling, Terms
from connector.exchange.guards import require_active, require_current
from connector.exchange.inbox import Cipher, read_frames
from connector.exchange.request_facts import RequestFacts
from connector.exchange.version_facts import VersionFacts
from connector.store.tables import DeliveryRow, ExchangeRow
from connector.store.writer import Transaction
from ledger.canonical import decode_object
from ledger.errors import BylagError, ErrorKind
from ledger.names import AgreementId, ExchangeId

SHOWN: Final = "SHOWN"
TAKEN_OUT: Final = "TAKEN_OUT"
"""The code of a use whose bytes left for a file: what happens there is beyond the connector's control."""


class NoSuchDelivery(BylagError):
    """Nothing was received under that id."""

    code = "NO_SUCH_DELIVERY"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List what was received with `bylag deliveries`."


class Discarded(NoSuchDelivery):
    """The delivery was discarded: its key is destroyed, and nothing opens it."""

    code = "DISCARDED"
    default_next_step = "Fetch the dataset again, if the agreement still allows it."


@dataclass(frozen=True, slots=True)
class Granted:
    """A use that was decided and recorded: its bytes may now be opened."""

    media_type: str
    rows: int
    size: int
    frames: Iterator[bytes]


async def use(
    ground: Ground, inbox: Path, cipher: Cipher, exchange: ExchangeId, purpose: str, *, taken_out: bool
) -> Granted:
    """Decide and record one use of a delivery. Raises ``Denied``, recorded, or :class:`NoSuchDelivery`."""
    row, delivery = await record_use(ground, exchange, purpose, taken_out=taken_out)
    frames = read_frames(inbox, exchange, cipher, iter(range(1, row.window + 1)))
    return Granted(delivery.media_type, row.rows, row.size, frames)


async def record_use(
    ground: Ground, exchange: ExchangeId, purpose: str, *, taken_out: bool
) -> tuple[ExchangeRow, DeliveryRow]:
    """Decide and record one use of what an exchange brought; after that it may be handed out.

    Raises ``Denied``, recorded, or :class:`NoSuchDelivery`.
    """
    with ground.database.read() as session:
        row, delivery = session.get(ExchangeRow, exchange), session.get(DeliveryRow, exchange)
    if row is None or delivery is None or row.role != "consumer":
        raise NoSuchDelivery("no such delivery", field="delivery")
    if delivery.discarded is not None:
        raise Discarded("the delivery was discarded", field="delivery")
    terms = ground.agreements.terms(AgreementId(row.agreement))
    if terms is None:
        raise NoSuchDelivery("the delivery's agreement is not here", field="delivery")
    scope = Scope(
        counterpart=ground.counterpart(terms, terms.provider),
        unit=terms.consumer_unit,
        agreement=terms.agreement,
        exchange=exchange,
    )
    try:
        ruling = await _rule(ground, terms, purpose, _facts(row, delivery))
        code = TAKEN_OUT if taken_out else SHOWN
        await ground.writer.write(
            lambda transaction: _record(transaction, ground, terms, scope, ruling, row, purpose, code)
        )
    except Denied as denied:
        reason = denied.reason
        await ground.writer.write(
            lambda transaction: ground.recorder.record(
                transaction, "denial", scope, members={"code": reason, "purpose": purpose}
            )
        )
        raise
    return row, delivery


def _facts(row: ExchangeRow, delivery: DeliveryRow) -> RequestFacts:
    """What the provider signed of the version, what was declared, and how much came."""
    return RequestFacts(
        mode=row.mode,
        version=row.dataset_version,
        about=VersionFacts.of_schema(decode_object(delivery.table_schema)),
        media_type=delivery.media_type,
        size=row.size,
        share=100 if row.mode == "transfer" and not row.selection else None,
        declared=declared_in(row),
    )


async def _rule(ground: Ground, terms: Terms, purpose: str, asking: RequestFacts) -> Ruling:
    if not terms.active:
        raise Denied("AGREEMENT_ENDED")
    asked = ground.policy.ask(terms, purpose, asking)
    metered = counters.values(ground.database, terms.agreement, asked.counters, ground.ambient.now())
    # How long it is used after the hand-over, nobody meters.
    counts = {name: value for name, value in metered.items() if not name.startswith(counters.METERED)}
    ruling = await ground.policy.rule(asked, counts)
    if ruling.allow is not True:
        raise Denied(ruling.code)
    return ruling


def _record(
    transaction: Transaction,
    ground: Ground,
    terms: Terms,
    scope: Scope,
    ruling: Ruling,
    row: ExchangeRow,
    purpose: str,
    code: str,
) -> None:
    if ground.recorder.clock_is_behind(transaction):
        raise Denied("CLOCK_BEHIND", "the clock stands behind the last record")
    require_active(transaction, terms.agreement)
    if transaction.session.get_one(DeliveryRow, row.id).discarded is not None:
        raise Denied("DISCARDED", "the delivery was discarded")
    require_current(transaction, ground, ruling)
    if (barred := ground.bars.code(terms.agreement)) is not None:
        raise Denied(barred)
    counters.reserve(transaction, terms.agreement, ruling.counters, ground.ambient.now())
    decision = record_decision(transaction, ground, scope, terms, ruling)
    ground.recorder.record(
        transaction,
        "use",
        scope,
        members={
            "code": code,
            "purpose": purpose,
            "decision": decision.hex(),
            "dataset": terms.dataset,
            "dataset_version": row.dataset_version,
            "rows": row.rows,
            "bytes": row.size,
            "digest": row.digest,
        },
    )

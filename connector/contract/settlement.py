"""A settlement statement: what was delivered under an agreement in a period, line by line, and its price.

Rules that hold here:

* A *line* is one acknowledged window. It cites the Commit that the provider signed, the Cut that ended
  it early if one did, and the Ack that the consumer signed: messages that both hold.
* A line belongs to the period that holds the provider's signed Commit time. One whose period was
  settled before both held its Ack is a *late* line of the next statement, and is marked so.
* Lines stand in one order and a statement has one spelling: from equal lines both sides make equal
  bytes. What the bytes are does not depend on who makes them.
* The amount is that of the agreement's price over the statement's totals; a flat price is due once a
  statement, and statements of one agreement never overlap.
* Nothing here knows a person: parties are named by the agreement alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from connector.contract import forms
from connector.contract.agreement import Agreement
from connector.contract.metering import Usage, charge
from connector.contract.terms import Price
from ledger.canonical import JSON, JSONObject, decode_object, encode
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import AgreementId, DataSpaceId, ExchangeId, MessageHash, Milliseconds

TYPE: Final = "settlement-statement"
VERSION: Final = 1
MAX_BYTES: Final = 7 << 19
"""Of a statement: it lies in a side row of at most 4 MiB, beside two signatures."""
MAX_LINES: Final = 10_000
MAX_AMOUNT: Final = 10**15 - 1
"""In minor units: what a leaf can hold."""


class TooMuchToSettle(BylagError):
    """A statement would have more lines, or a larger amount, than one may have."""

    code = "TOO_MUCH_TO_SETTLE"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Settle a shorter period first, then the rest."


@dataclass(frozen=True, slots=True)
class Line:
    """One acknowledged window."""

    time: Milliseconds
    """When the provider signed the Commit."""
    exchange: ExchangeId
    attempt: int
    window: int
    commit: MessageHash
    cut: MessageHash | None
    ack: MessageHash
    rows: int
    bytes: int
    requests: int

    @property
    def place(self) -> tuple[str, int, int]:
        """Which window: exchange, attempt, number."""
        return self.exchange, self.attempt, self.window

    def members(self, begin: Milliseconds) -> JSONObject:
        """The line in a statement from ``begin`` on."""
        return {
            "time": self.time,
            "exchange": self.exchange,
            "attempt": self.attempt,
            "window": self.window,
            "commit": self.commit,
            "cut": self.cut,
            "ack": self.ack,
            "rows": self.rows,
            "bytes": self.bytes,
            "requests": self.requests,
            "late": self.time < begin,
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read a line. Raises :class:`~ledger.fields.BadField`."""
        cut = fields.maybe_digest("cut")
        line = cls(
            time=Milliseconds(fields.integer("time")),
            exchange=ExchangeId(forms.identifier(fields, "exchange")),
            attempt=fields.integer("attempt", least=1),
            window=fields.integer("window", least=1),
            commit=MessageHash(fields.digest("commit")),
            cut=None if cut is None else MessageHash(cut),
            ack=MessageHash(fields.digest("ack")),
            rows=fields.integer("rows"),
            bytes=fields.integer("bytes"),
            requests=fields.integer("requests"),
        )
        fields.boolean("late")
        fields.finish()
        return line


@dataclass(frozen=True, slots=True)
class Span:
    """A period that is settled: from ``begin`` up to, not including, ``until``."""

    begin: Milliseconds
    until: Milliseconds

    def overlaps(self, other: Span) -> bool:
        """Whether some moment lies in both."""
        return self.begin < other.until and other.begin < self.until


@dataclass(frozen=True, slots=True)
class Statement:
    """What both sides sign."""

    space: DataSpaceId
    agreement: AgreementId
    contract: str
    """The digest of the agreement's signed bytes: it names the parties and the price."""
    span: Span
    price: Price
    lines: tuple[Line, ...]

    @property
    def usage(self) -> Usage:
        """The totals."""
        return Usage(
            records=sum(line.rows for line in self.lines),
            bytes=sum(line.bytes for line in self.lines),
            requests=sum(line.requests for line in self.lines),
        )

    @property
    def amount(self) -> int:
        """What is due, in minor units. Raises :class:`TooMuchToSettle`."""
        amount = charge(self.price, self.usage).amount
        if amount > MAX_AMOUNT:
            raise TooMuchToSettle("the amount is larger than a record can hold", field="amount")
        return amount

    def totals(self) -> JSONObject:
        """What people compare first."""
        usage = self.usage
        return {
            "lines": len(self.lines),
            "records": usage.records,
            "bytes": usage.bytes,
            "requests": usage.requests,
            "amount": self.amount,
            "currency": self.price.currency,
        }

    def content(self) -> JSONObject:
        """The document."""
        return {
            "type": TYPE,
            "version": VERSION,
            "space": self.space,
            "agreement": self.agreement,
            "contract": self.contract,
            "from": self.span.begin,
            "until": self.span.until,
            "price": self.price.members(),
            "lines": [line.members(self.span.begin) for line in self.lines],
            "totals": self.totals(),
        }

    def encoded(self) -> bytes:
        """The canonical bytes that are signed. Raises :class:`TooMuchToSettle`."""
        if len(self.lines) > MAX_LINES:
            raise TooMuchToSettle(f"{len(self.lines)} windows, the limit is {MAX_LINES}", field="lines")
        payload = encode(self.content())
        if len(payload) > MAX_BYTES:
            raise TooMuchToSettle(f"{len(payload)} bytes, the limit is {MAX_BYTES}", field="lines")
        return payload


def statement(agreement: Agreement, span: Span, lines: Iterable[Line]) -> Statement:
    """The statement of ``span`` over ``lines``, in any order: those not settled before, up to its end."""
    return Statement(
        space=agreement.space,
        agreement=agreement.id,
        contract=agreement.digest,
        span=span,
        price=agreement.terms.price,
        lines=tuple(sorted(lines, key=lambda line: (line.time, *line.place))),
    )


def digest_of(payload: bytes) -> str:
    """A statement's name: hexadecimal SHA-256 of its canonical bytes."""
    return hashlib.sha256(payload).hexdigest()


def lines_in(payload: bytes) -> tuple[Line, ...]:
    """The lines of a statement that this side made, from its stored bytes."""
    return read_lines(decode_object(payload, max_bytes=MAX_BYTES))


def read_lines(document: JSONObject) -> tuple[Line, ...]:
    """The lines of a statement. Raises :class:`~ledger.fields.BadField`."""
    return tuple(Line.read(each) for each in Fields(document).objects("lines", limit=MAX_LINES))


@dataclass(frozen=True, slots=True)
class Difference:
    """A window that two statements do not say the same of; None: it does not stand there."""

    place: tuple[str, int, int]
    here: Line | None
    there: Line | None

    def members(self) -> JSONObject:
        """What differs, member by member."""
        exchange, attempt, window = self.place
        return {
            "exchange": exchange,
            "attempt": attempt,
            "window": window,
            "only": "here" if self.there is None else "there" if self.here is None else None,
            "differs": list[JSON](self._differing()),
        }

    def _differing(self) -> list[str]:
        if self.here is None or self.there is None:
            return []
        mine, theirs = (line.members(Milliseconds(0)) for line in (self.here, self.there))
        return sorted(name for name in mine if mine[name] != theirs[name])


def differences(here: Iterable[Line], there: Iterable[Line]) -> list[Difference]:
    """The windows in which two statements differ, in the order of their places."""
    mine, theirs = ({line.place: line for line in lines} for lines in (here, there))
    places = sorted(mine.keys() | theirs.keys())
    found = [Difference(place, mine.get(place), theirs.get(place)) for place in places]
    return [each for each in found if each.here != each.there]

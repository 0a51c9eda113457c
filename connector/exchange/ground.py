"""What an exchange stands on: the parts of the connector it needs, as it needs them.

Each is a Protocol that ``connector.node`` fills, or a value. Nothing here knows the wire, the
policy engine or the membership list's form.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.audit.notary import Notary
from connector.audit.people import People
from connector.audit.recorder import Recorder
from connector.audit.scope import Counterpart
from connector.contract.terms import ANY_VERSION, VersionRule
from connector.exchange import denials
from connector.exchange.attempts import Attempts
from connector.exchange.floods import Floods
from connector.exchange.growth import Growth
from connector.exchange.meters import Meters
from connector.exchange.request_facts import NOTHING_KNOWN, RequestFacts
from connector.exchange.version_facts import VersionFacts
from connector.exchange.windows import Piece
from connector.policy.decision import CounterGuard
from connector.source.view import Labels
from connector.store.database import Database
from connector.store.writer import Transaction, Writer
from ledger.ambient import Ambient
from ledger.canonical import JSONObject
from ledger.errors import BylagError, ErrorKind
from ledger.names import (
    AgreementId,
    DatasetId,
    DataSpaceId,
    ExchangeId,
    Milliseconds,
    ParticipantId,
    UnitId,
)
from ledger.note import VerifierKey


class Denied(BylagError):
    """The connector's no: a code that stands in the record and goes to the other side."""

    code = "DENIED"
    kind = ErrorKind.DENIED
    default_next_step = denials.ANY

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(message or f"denied: {reason}", next_step=denials.next_step(reason))
        self.reason = reason
        """The reason code, upper case."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an exchange needs to know of an agreement in force."""

    agreement: AgreementId
    provider: ParticipantId
    consumer: ParticipantId
    provider_unit: UnitId | None
    consumer_unit: UnitId | None
    dataset: DatasetId
    purpose: str
    policy: JSONObject
    policy_digest: str
    contract: str
    """Hexadecimal SHA-256 of the agreement's signed bytes."""
    windows: int
    """W."""
    ack_seconds: int
    """T."""
    active: bool
    state: str
    provider_log: str
    """The key of the provider's log, as a C2SP verifier key."""
    consumer_log: str
    until: Milliseconds | None = None
    """When the agreement's period ends; None: when it is terminated."""
    began: Milliseconds | None = None
    """When the agreement's period began."""
    legal_basis: str | None = None
    secrecy_ground: str | None = None
    places: tuple[str, ...] = ()
    """Where the data may be processed, as agreed: ISO 3166 codes, EU or EEA."""
    currency: str | None = None
    """In which the agreement's price is, ISO 4217; None where nothing is paid."""
    transfer_ground: str | None = None
    """Why processing outside the configured area is allowed."""
    versions: VersionRule = ANY_VERSION
    """Which versions of the dataset may be asked for."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """What the policy says to a request, now."""

    allow: bool
    code: str
    """``PERMITTED``, or the first reason code of a denial."""
    rulebook: str
    mask: tuple[str, ...]
    """Columns that must not be seen."""
    row_filter: JSONObject | None
    counters: tuple[CounterGuard, ...]
    """Counters that the release must reserve."""
    valid_until: Milliseconds | None
    recorded: Callable[[], tuple[JSONObject, JSONObject]]
    """Gives the input and the whole decision, as the record keeps them for a replay."""
    local_rules: str | None = None
    """The digest of the participant's own rules that were asked too."""
    footing: object = None
    """What the policy keeps of what it rests on: for :meth:`Policy.is_current`."""

    @property
    def rules(self) -> JSONObject:
        """The rules that decided, as leaves name them."""
        local: JSONObject = {} if self.local_rules is None else {"local_rules": self.local_rules}
        return {"rulebook": self.rulebook, **local}


class Asked(Protocol):
    """A request under an agreement, ready to be decided as often as need be."""

    @property
    def counters(self) -> tuple[str, ...]:
        """The counters whose values a decision needs."""


class Policy(Protocol):
    """Decides requests. Decisions are leased inside: asking again costs microseconds.

    The same ruling comes back as the same object; another object is another decision, to be recorded.
    """

    def ask(self, terms: Terms, purpose: str, asking: RequestFacts = NOTHING_KNOWN) -> Asked:
        """Prepare a question; ``asking`` is what is known of the request beside the agreement."""

    async def rule(self, asked: Asked, counts: Mapping[str, int]) -> Ruling:
        """The ruling now. Never raises for what the engine does: an engine's error is a denial."""

    def decide(
        self, asked: Asked, counts: Mapping[str, int], transaction: Transaction | None = None
    ) -> Ruling:
        """The same where nothing can be awaited: in the writer's transaction, on what that sees.

        It finds the lease of a :meth:`rule` just before; only where that ended in between does it wait
        for the engine.
        """

    def is_current(self, ruling: Ruling, transaction: Transaction) -> bool:
        """Whether a ruling still rests on what this transaction sees: duties and membership list."""


class ArisingDuties(Protocol):
    """What is owed with each exchange."""

    def begun(
        self,
        transaction: Transaction,
        agreement: AgreementId,
        exchange: ExchangeId,
        purpose: str,
        at: Milliseconds,
    ) -> None:
        """An exchange was accepted, by a message signed at ``at``; told once, with its record."""


class NothingArises:
    """Where no duty is tracked."""

    def begun(
        self,
        _transaction: Transaction,
        _agreement: AgreementId,
        _exchange: ExchangeId,
        _purpose: str,
        _at: Milliseconds,
    ) -> None: ...


class Standing(Protocol):
    """The membership list in force, and what it says of a peer."""

    @property
    def list_number(self) -> int: ...

    @property
    def list_hash(self) -> str: ...

    def key(self, participant: ParticipantId, kid: str) -> Ed25519PublicKey:
        """A signing key that counts now. Raises a :class:`~ledger.errors.BylagError` if it does not."""

    def require_active(self, participant: ParticipantId) -> None:
        """Raise :class:`Denied` unless the list is in force and the participant in good standing."""

    def require_log_key(self, participant: ParticipantId, key: VerifierKey) -> None:
        """Raise a :class:`~ledger.errors.BylagError` unless this is a key of the participant's log now."""

    def witness_key(self, participant: ParticipantId, log_name: str) -> VerifierKey:
        """The key by which a participant cosigns others' checkpoints."""

    def is_person(self, participant: ParticipantId) -> bool: ...


class Snapshot(Protocol):
    """A dataset version as an exchange reads it (``connector.exchange.shelf``)."""

    @property
    def digest(self) -> str: ...

    @property
    def labelled(self) -> bool:
        """Whether its rows are about people, and leave with a label each."""

    @property
    def about(self) -> VersionFacts:
        """What the provider says of it, as a policy compares it."""

    def share(self, selection: JSONObject | None) -> int | None:
        """How much of its rows a selection gives, in whole per cent; None: not known. Blocks."""

    def end(self) -> int:
        """The position after everything that is there now. Blocks."""

    def check(
        self,
        mode: str,
        selection: JSONObject | None,
        position: int,
        *,
        mask: tuple[str, ...],
        row_filter: JSONObject | None,
    ) -> None:
        """Raise :class:`Denied` for what cannot be released so, in this mode, before anything is offered."""

    def schema(self, mask: tuple[str, ...]) -> JSONObject:
        """What the consumer may know of its form, and what is said of it (``about``)."""

    def media_type(self, selection: JSONObject | None, mask: tuple[str, ...]) -> str: ...

    def size(
        self, selection: JSONObject | None, *, mask: tuple[str, ...], row_filter: JSONObject | None
    ) -> int | None:
        """How many bytes leave in all, where that is known beforehand."""

    def pieces(
        self,
        selection: JSONObject | None,
        position: int,
        *,
        mask: tuple[str, ...],
        row_filter: JSONObject | None,
        until: int | None = None,
        labels: Labels | None = None,
    ) -> Iterator[Piece]:
        """Pieces from ``position`` up to ``until``; what cannot be released is :class:`Denied` at once.

        ``labels`` gives rows about people their labels. A result without any row has no piece there.
        """

    def lookup(
        self, selection: JSONObject, *, mask: tuple[str, ...], row_filter: JSONObject | None
    ) -> tuple[bytes, int]:
        """Rows and their number, for a query session; bounded."""


class Shelf(Protocol):
    """Where dataset versions stand."""

    def snapshot(self, dataset: DatasetId, version: str | None) -> Snapshot:
        """A version, or the newest. Raises a :class:`~ledger.errors.BylagError` if there is none."""


class Agreements(Protocol):
    """Agreements by id."""

    def terms(self, agreement: AgreementId) -> Terms | None: ...


class Lists(Protocol):
    """Learns newer membership lists from those who name them."""

    async def compare(self, peer: ParticipantId, number: int, digest: str) -> None:
        """Make sure that this side holds the newer of the two lists, fetching theirs if need be.

        Raises :class:`Denied` with ``LIST_MISMATCH`` when that cannot be done.
        """


class Barred(asyncio.Event):
    """Whether an agreement is barred: set at once, in whatever thread that was; whoever waits is woken."""

    def __init__(self, code: Callable[[], str | None]) -> None:
        super().__init__()
        self._code = code
        self._loop = asyncio.get_running_loop()

    def is_set(self) -> bool:
        return self._code() is not None

    def wake(self) -> None:
        """Wake who waits, on their own loop: a bar may be set on the writer's thread."""
        with suppress(RuntimeError):  # that loop has ended
            self._loop.call_soon_threadsafe(self.set)


class Bars:
    """Agreements that must release nothing more, in memory, from the moment that was received.

    A bar is set before the record of what set it is durable and is never lifted while the process
    runs; after a restart the agreement's stored state says the same. It may be set on any thread.
    """

    def __init__(self) -> None:
        self._everything: str | None = None
        self._codes: dict[str, str] = {}
        self._watchers: dict[Barred, str] = {}

    def bar(self, agreement: str, code: str) -> None:
        """Stop every release under ``agreement`` now."""
        self._codes.setdefault(agreement, code)
        for watcher, watched in tuple(self._watchers.items()):
            if watched == agreement:
                watcher.wake()

    def stop(self, code: str) -> None:
        """Stop every release under every agreement now: something is wrong with this side itself."""
        self._everything = code
        for watcher in tuple(self._watchers):
            watcher.wake()

    def code(self, agreement: str) -> str | None:
        """Why nothing may leave under ``agreement``, or None."""
        return self._everything or self._codes.get(agreement)

    @contextmanager
    def watch(self, agreement: str) -> Iterator[Barred]:
        """An event that is set when the agreement is barred."""
        watcher = Barred(lambda: self.code(agreement))
        self._watchers[watcher] = agreement
        if watcher.is_set():
            watcher.set()
        try:
            yield watcher
        finally:
            del self._watchers[watcher]


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything one side of an exchange stands on."""

    me: ParticipantId
    space: DataSpaceId
    signing_key: Callable[[], Ed25519PrivateKey]
    """The key that signs now: another one from the moment that a list names the next."""
    ambient: Ambient
    writer: Writer
    database: Database
    recorder: Recorder
    standing: Standing
    agreements: Agreements
    policy: Policy
    shelf: Shelf
    notary: Notary
    lists: Lists
    people: People
    bars: Bars = field(default_factory=Bars)
    duties: ArisingDuties = field(default_factory=NothingArises)
    growth: Growth = field(default_factory=Growth)
    meters: Meters = field(default_factory=Meters)
    attempts: Attempts = field(default_factory=Attempts)
    floods: Floods = field(default_factory=Floods)

    def counterpart(self, terms: Terms, peer: ParticipantId) -> Counterpart:
        """The other party of an agreement, as records name it."""
        unit = terms.consumer_unit if peer == terms.consumer else terms.provider_unit
        return Counterpart(peer, is_person=self.standing.is_person(peer), unit=unit)

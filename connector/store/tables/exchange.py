"""Exchanges, their windows, the nonces seen, and what was received."""

from __future__ import annotations

from sqlmodel import Field, Index, SQLModel


class ExchangeRow(SQLModel, table=True):
    """An exchange as this side sees it, with all that a resume needs."""

    __tablename__ = "exchange"

    id: str = Field(primary_key=True)
    agreement: str = Field(index=True)
    peer: str
    role: str
    """``consumer`` or ``provider``: this side's."""
    mode: str
    """``transfer``, ``query`` or ``subscribe``."""
    state: str
    """Of the Dataspace Protocol's transfer process: REQUESTED, STARTED, SUSPENDED, COMPLETED, TERMINATED."""
    dataset: str
    dataset_version: str
    purpose: str
    selection: bytes
    """Canonical JSON; empty for the whole dataset."""
    declared: bytes = b""
    """What the consumer declared beside the purpose, canonical JSON; empty for nothing."""
    attempt: int
    """The attempt that is under way or was last."""
    window: int
    """Number of the last acknowledged window, 0 before the first."""
    position: int
    """Source position after the last acknowledged frame."""
    frames: int
    """Frames acknowledged in the exchange, of all windows."""
    rows: int
    size: int
    digest: str
    """D after the last acknowledged frame, hexadecimal; empty before attempt 1's Accept."""
    sent: str | None = None
    """Hash of this side's own last signed message in the exchange: the next one's ``prev``."""
    seen: str | None = None
    """Hash of the last signed message received."""
    accept: bytes
    """The signed Accept of attempt 1, stored form; empty before it."""
    last_ack: bytes
    """The last signed Ack, stored form; empty before the first."""
    started: int
    changed: int
    code: str | None = None
    """Why it ended, when it was terminated or denied."""


class WindowRow(SQLModel, table=True):
    """A window that was committed to. While ``state`` is ``open`` it counts in the budget."""

    __tablename__ = "exchange_window"
    # What is not acknowledged is asked for with each new window, and is few among all that ever were.
    __table_args__ = (Index("exchange_window_by_state", "state", "agreement", "exchange", "position"),)

    exchange: str = Field(primary_key=True, foreign_key="exchange.id")
    attempt: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    agreement: str
    state: str
    """``open``, ``acknowledged``, ``rejected``, ``void`` or ``disputed``."""
    message: str
    """Hash of the signed Commit."""
    position: int
    """Source position after the window's last frame."""
    layout: bytes
    """Canonical JSON: for each frame [D after it, its rows, its bytes, source position after it]."""
    committed: int


class LabelTreeRow(SQLModel, table=True):
    """A set of labels that was signed, as its padded prefix tree: proofs outlive the padding's key."""

    __tablename__ = "label_tree"

    exchange: str = Field(primary_key=True, foreign_key="exchange.id")
    attempt: int = Field(primary_key=True)
    window: int = Field(primary_key=True)
    """The window, or for ``all`` the last one that the set covers."""
    part: str = Field(primary_key=True)
    """Of a Commit (``window``), of a Cut (``cut``), or of the whole exchange (``all``)."""
    root: str
    labels: bytes
    """The labels themselves, without padding, 16 bytes each; empty for ``all``."""
    nodes: bytes
    """``ledger.prefix.PrefixTree.to_bytes``."""
    acknowledged: bool
    """Whether the consumer signed for the window."""


class NonceRow(SQLModel, table=True):
    """(peer, nonce) of a Request or Resume: each is accepted once."""

    __tablename__ = "nonce"

    peer: str = Field(primary_key=True)
    nonce: str = Field(primary_key=True)
    deadline: int


class DeliveryRow(SQLModel, table=True):
    """What an exchange brought into the inbox; its key lies in the chest of side keys."""

    __tablename__ = "delivery"

    exchange: str = Field(primary_key=True, foreign_key="exchange.id")
    media_type: str
    table_schema: bytes
    complete: bool
    received: int
    discarded: int | None = None
    """When it was given up: its key is destroyed and its files are removed."""


class CounterRow(SQLModel, table=True):
    """How often something was granted under an agreement: reserved in the transaction that records it."""

    __tablename__ = "counter"

    agreement: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: int

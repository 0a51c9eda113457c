"""What each peer must still learn, and how far each got."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class NoticeRow(SQLModel, table=True):
    """A numbered notice for one peer, kept until its cursor has passed it."""

    __tablename__ = "outbox_notice"

    peer: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    document: bytes
    """The signed notice, file form, with its opening."""
    made: int


class PeerRow(SQLModel, table=True):
    """What this side knows of a peer's log and outbox."""

    __tablename__ = "peer"

    id: str = Field(primary_key=True)
    received: int = 0
    """Number of the last notice of theirs that is durable here."""
    delivered: int = 0
    """Number of the last notice of ours that they acknowledged."""
    numbered: int = 0
    """Number of the last notice made for them."""
    origin: str | None = None
    """Their log's origin, as first seen in a signed message."""
    cosigned_size: int = 0
    cosigned_root: str | None = None
    cosigned_note: str | None = None
    """The last checkpoint of theirs that we cosigned, whole."""

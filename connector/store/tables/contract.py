"""Negotiations and the agreements that came of them."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class NegotiationRow(SQLModel, table=True):
    """A contract negotiation as this side sees it; ``document`` is its whole state, canonical JSON."""

    __tablename__ = "negotiation"

    id: str = Field(primary_key=True)
    """This side's id; the other side's is ``peer_id``."""
    peer: str = Field(index=True)
    peer_id: str
    role: str
    """``consumer`` or ``provider``: this side's."""
    state: str
    dataset: str
    document: bytes
    changed: int


class AgreementRow(SQLModel, table=True):
    """An agreement with both signatures over the same bytes."""

    __tablename__ = "agreement"

    id: str = Field(primary_key=True)
    peer: str = Field(index=True)
    role: str
    """``consumer`` or ``provider``: this side's."""
    unit: str
    peer_unit: str
    dataset: str
    payload: bytes
    provider_jws: str
    consumer_jws: str
    acknowledgement: bytes
    """The provider's FINALIZED event, file form: it acknowledged the second signature."""
    state: str
    """``active``, ``terminated`` or ``expired``."""
    windows: int
    """W: how many windows may be unacknowledged, over all exchanges."""
    policy_digest: str
    list_number: int
    begun: int
    ended: int | None = None
    end_code: str | None = None
    duty_changes: int = 0
    """How often its duties have changed: what was decided at another number is decided anew."""

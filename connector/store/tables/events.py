"""Events that this participant attests to be under way."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class EventRow(SQLModel, table=True):
    """An event that has begun and not ended; the ledger has both acts."""

    __tablename__ = "event"

    name: str = Field(primary_key=True)
    """An IRI."""
    began: int

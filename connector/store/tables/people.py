"""Whom this participant has rows about. Erasable; nothing here says who they are without a key."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class PersonRow(SQLModel, table=True):
    """A person as one controller (a unit of this participant) knows them (``connector.audit.people``)."""

    __tablename__ = "person"

    mark: bytes = Field(primary_key=True)
    """HMAC of controller and subject id under the index's secret: only for finding the row."""
    handle: str = Field(unique=True)
    """Random; names the person's key in the key chest, and whose a side row is."""
    nonce: bytes
    box: bytes
    """Subject id, controller and the secret k, sealed under the person's own key."""


class PersonIndexRow(SQLModel, table=True):
    """The secret under which persons are found, sealed. One row; another one after each erasure."""

    __tablename__ = "person_index"

    holder: str = Field(primary_key=True)
    """Names the key in the key chest that opens ``box``."""
    nonce: bytes
    box: bytes

"""Membership lists as they were accepted, and the names of the log's chains about people."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class ListRow(SQLModel, table=True):
    """A membership list that was accepted; all are kept, for signatures made under them."""

    __tablename__ = "membership_list"

    number: int = Field(primary_key=True)
    digest: str
    document: bytes
    """The list's file form, with its signatures."""
    accepted: int
    """Milliseconds."""


class ListConflictRow(SQLModel, table=True):
    """Two lists of one number: kept as proof against the registrar; while one is here, all stops."""

    __tablename__ = "membership_conflict"

    number: int = Field(primary_key=True)
    first: bytes
    second: bytes
    noticed: int


class PersonChainRow(SQLModel, table=True):
    """Under which random name the log chains what concerns a person; erased with them."""

    __tablename__ = "person_chain"

    person: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    name: str = Field(unique=True)

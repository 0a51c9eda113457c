"""The guests this participant vouches for, and every credential that was ever given.

All of it is personal data: nothing here leaves but to that guest, or beside their own records; all
rows of a handle go when that guest is erased.
"""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class GuestRow(SQLModel, table=True):
    """A citizen or sole trader whom this participant vouches for; at a guest's own home, the guest."""

    __tablename__ = "guest"

    handle: str = Field(primary_key=True)
    status: str
    """``active`` or ``ended``."""


class GuestCredentialRow(SQLModel, table=True):
    """A credential that was given. None is replaced: a signature made under it is verified by it."""

    __tablename__ = "guest_credential"

    handle: str = Field(primary_key=True, foreign_key="guest.handle")
    number: int = Field(primary_key=True)
    """From 1, in the order in which they were given; the highest is in use."""
    tls_thumbprint: str = Field(index=True)
    sign_thumbprint: str = Field(index=True)
    document: bytes
    """The signed credential, whole."""
    not_after: int

"""What windows count for, and the statements that two parties signed over them."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class MeteredWindowRow(SQLModel, table=True):
    """What a window counts for, at the provider from its Commit on, at the consumer from its Ack on."""

    __tablename__ = "metered_window"

    exchange: str = Field(primary_key=True, foreign_key="exchange.id")
    attempt: int = Field(primary_key=True)
    number: int = Field(primary_key=True)
    agreement: str = Field(index=True)
    peer: str
    time: int
    """When the provider signed the Commit, by its clock."""
    message: str
    """Hash of the signed Commit."""
    cut: str | None = None
    """Hash of the signed Cut that ended the window early, if one did."""
    frames: int
    """How many frames there are to acknowledge: the Commit's, or the Cut's."""
    rows: int
    size: int
    requests: int
    reached: int = 0
    """Frames that were acknowledged."""
    ack: str | None = None
    """Hash of the first signed Ack that reaches the last frame."""
    signed: int = 0
    """When the Ack was signed (consumer) or taken (provider), by this side's clock."""
    held: bool = Field(index=True)
    """Whether both sides hold the Ack: the provider has it, or showed the consumer that it has."""
    document: bytes = b""
    """Consumer: the signed Ack, stored form, until it is held."""
    notice: int | None = None
    """Consumer: the notice of the outbox by which the Ack went once more."""
    refused: bool = False
    """Consumer: whether the provider refused the Ack when it came by the outbox."""
    statement: str | None = None
    """Digest of the settlement statement that both signed and that bills it."""


class SettlementRow(SQLModel, table=True):
    """A settlement statement as far as it has come."""

    __tablename__ = "settlement"

    agreement: str = Field(primary_key=True, foreign_key="agreement.id")
    begin: int = Field(primary_key=True)
    until: int = Field(primary_key=True)
    state: str
    """``signed`` by this side alone, ``received`` and equal to this side's own, ``settled``, ``refused``."""
    digest: str
    statement: bytes
    """The statement's canonical bytes, as this side computed them."""
    lines: int
    amount: int
    currency: str | None = None
    mine: str | None = None
    """This side's signature, a detached JWS."""
    theirs: str | None = None
    said: str | None = None
    """Hash of this side's last message about it."""
    their_digest: str | None = None
    """Of the statement that the other side has instead, where it said so."""
    their_totals: bytes = b""
    code: str | None = None
    """Why it was refused."""
    changed: int

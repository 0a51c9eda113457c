"""How an exchange's messages travel: what goes over a channel, and nothing of how.

``connector.peer`` makes a channel of a gRPC stream; tests make one of two queues. Unsigned messages
are those that the signed ones vouch for later, or that prove nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from ledger.canonical import JSONObject
from ledger.document import SignedDocument


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of the dataset, at most 1 MiB."""

    data: bytes | memoryview


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed message with what travels beside it and may be erased."""

    document: SignedDocument
    opening: JSONObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collect:
    """A provider that dialled comes for a Request that waits."""

    exchange: str
    attempt: int


@dataclass(frozen=True, slots=True)
class WindowOpen:
    """A window of a query session begins; its key comes before its first answer."""

    window: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Question:
    """A few rows are asked for; ``selection`` is canonical JSON."""

    id: int
    selection: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows, or a denial's code."""

    id: int
    window: int
    n: int
    digest: bytes
    rows: bytes
    denial: str = ""


@dataclass(frozen=True, slots=True)
class CheckpointShown:
    """A checkpoint to cosign, with the proof that it extends what was cosigned last."""

    note: str
    old_size: int
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class CheckpointCosigned:
    """The cosigned note, or the size that was cosigned last when ``old_size`` was another."""

    note: str
    known_size: int = 0


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A sign of life."""

    time: int


Message = (
    Frame
    | Signed
    | Collect
    | WindowOpen
    | Question
    | Answer
    | CheckpointShown
    | CheckpointCosigned
    | Heartbeat
)


class Channel(Protocol):
    """One stream to one authenticated peer."""

    @property
    def peer(self) -> str:
        """The participant at the other end, as the transport authenticated it."""

    async def send(self, message: Message) -> None:
        """Hand one message to the transport; returns when it was taken. Raises ``ChannelClosed``."""

    async def receive(self) -> Message | None:
        """The next message, or None when the other side has finished sending."""

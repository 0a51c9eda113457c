"""The outbox stream: a cursor counts when the peer itself signed it, for this participant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import SQLModel

from connector.identity.directory import Directory
from connector.peer.convert import to_signed
from connector.peer.post import Post, WrongCursor
from connector.store import outbox
from connector.store.database import Database
from connector.store.outbox import NoticeGap
from connector.store.writer import Writer
from connector.v1 import participant_pb2 as wire
from ledger.ambient import SystemAmbient
from ledger.document import BadSignature, header_of, sign
from ledger.names import DataSpaceId, Milliseconds, ParticipantId

ME, PEER = ParticipantId("did:web:me.example"), ParticipantId("did:web:peer.example")
SPACE = DataSpaceId("security.test")


class Side:
    """One participant's post, and a peer that says what a test lets it say; its own directory."""

    class trust:  # noqa: N801  # what the directory calls its list
        number = 1

    def __init__(self, folder: Path) -> None:
        self.mine, self.theirs = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.database = Database(folder / "bylag.db")
        SQLModel.metadata.create_all(self.database.engine)
        self.writer = Writer(self.database)
        self.post = Post(
            me=ME,
            space=SPACE,
            key=lambda: self.mine,
            ambient=SystemAmbient(),
            writer=self.writer,
            database=self.database,
            directory=lambda: cast("Directory", self),  # what a post asks of one
        )

    def verification_key(self, party: str, kid: str, job: str, at: int) -> Any:
        assert party == PEER
        return self.theirs.public_key()

    async def hears(self, message: wire.CarryMessage) -> None:
        """Let this side hear ``message`` and then the end of the stream."""
        waiting = iter((message,))

        async def read() -> wire.CarryMessage | None:
            return next(waiting, None)

        async def write(message: wire.CarryMessage) -> None:
            pass

        await self.post.carry(PEER, read, write)

    def cursor(self, number: int, key: Ed25519PrivateKey | None = None, **other: Any) -> wire.CarryMessage:
        content = {
            "type": "cursor",
            "version": 1,
            "space": SPACE,
            "sender": PEER,
            "recipient": ME,
            "number": number,
            "list": 1,
            "time": 1,
            **other,
        }
        document = to_signed(sign(content, key or self.theirs))
        return wire.CarryMessage(cursor=wire.Cursor(number=number, document=document))

    def put(self) -> None:
        document = sign({"type": "note", "version": 1}, self.mine)
        self.writer.submit(
            lambda transaction: outbox.put(transaction, PEER, document, {}, Milliseconds(1))
        ).result()

    def waiting(self) -> list[str]:
        with self.database.read() as session:
            return [header_of(each.document.jws).kind for each in outbox.waiting(session, PEER, 0, 10)]

    def close(self) -> None:
        self.writer.close()
        self.database.close()


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    side = Side(tmp_path)
    yield side
    side.close()


async def test_nothing_is_forgotten_on_a_cursor_that_the_peer_did_not_sign_for_us(side: Side) -> None:
    side.put()
    somebody = Ed25519PrivateKey.generate()
    for forged, error in (
        (side.cursor(1, somebody), BadSignature),
        (side.cursor(1, recipient="did:web:else.example"), WrongCursor),
        (side.cursor(1, sender="did:web:else.example"), WrongCursor),
        (side.cursor(1, space="another.space"), WrongCursor),
        (side.cursor(2), NoticeGap),
    ):
        with pytest.raises(error):
            await side.hears(forged)
        assert side.waiting() == ["note"]
    await side.hears(side.cursor(1))
    assert side.waiting() == []

"""The outboxes of two participants over one line or two: once, in order, and never stuck."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import SQLModel

from connector.identity.directory import Directory
from connector.identity.trust import KeyNotValid
from connector.peer import post as post_module
from connector.peer.convert import to_signed
from connector.peer.post import REFUSED, LineSilent, Post
from connector.store import outbox
from connector.store.database import Database, StoreUnavailable
from connector.store.outbox import NoticeTooLarge
from connector.store.writer import Transaction, Writer
from connector.v1 import participant_pb2 as wire
from ledger.ambient import SystemAmbient
from ledger.canonical import JSONObject
from ledger.document import SignedDocument, header_of, sign, thumbprint
from ledger.errors import BylagError, ErrorKind
from ledger.names import DataSpaceId, Milliseconds, ParticipantId

SPACE = DataSpaceId("post.test")
ONE, TWO = ParticipantId("did:web:one.example"), ParticipantId("did:web:two.example")
KEYS = {ONE: Ed25519PrivateKey.generate(), TWO: Ed25519PrivateKey.generate()}


class Refused(BylagError):
    code = "NOT_WANTED"
    kind = ErrorKind.CONFLICT


class Side:
    """One participant: a store, an outbox, and what it took."""

    def __init__(self, folder: Path, me: ParticipantId) -> None:
        self.trust = SimpleNamespace(number=1)  # what the directory calls its list
        self.path, self.me, self.peer = folder / f"{me[8:11]}.db", me, TWO if me == ONE else ONE
        self.taken: list[int] = []
        self.unknown: set[str] = set()
        """Keys that the list does not name yet."""
        self.act: Callable[[int], None] = lambda _number: None
        database = Database(self.path)
        SQLModel.metadata.create_all(database.engine)
        database.close()
        self.start()

    def start(self) -> None:
        """As at the start of a process, on whatever lies on the disk."""
        self.database = Database(self.path)
        self.writer = Writer(self.database)
        self.post = Post(
            me=self.me,
            space=SPACE,
            key=lambda: KEYS[self.me],
            ambient=SystemAmbient(),
            writer=self.writer,
            database=self.database,
            directory=lambda: cast("Directory", self),  # what a post asks of one
        )
        self.post.take_with({"note"}, self._take)

    def stop(self) -> None:
        self.writer.close()
        self.database.close()

    def verification_key(self, party: ParticipantId, kid: str, job: str, at: int) -> Any:
        if kid in self.unknown:
            raise KeyNotValid("the list names no such key")
        return KEYS[party].public_key()

    def put(self, text: int) -> None:
        document = sign({"type": "note", "version": 1, "text": text}, KEYS[self.me])
        put = lambda tx: outbox.put(tx, self.peer, document, {}, Milliseconds(1))  # noqa: E731
        self.writer.submit(put).result()
        self.post.wake()

    def waiting(self) -> list[str]:
        with self.database.read() as session:
            return [header_of(each.document.jws).kind for each in outbox.waiting(session, self.peer, 0, 1000)]

    def _take(
        self, _transaction: Transaction, _peer: str, document: SignedDocument, _opening: JSONObject
    ) -> None:
        number = document.content()["text"]
        assert isinstance(number, int)
        self.act(number)
        self.taken.append(number)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[Side, Side]]:
    one, two = Side(tmp_path, ONE), Side(tmp_path, TWO)
    yield one, two
    one.stop()
    two.stop()


class Line:
    """A line between two posts; it can be cut, and can swallow what one side sends."""

    def __init__(self, one: Side, two: Side) -> None:
        self.up: asyncio.Queue[Any] = asyncio.Queue()
        self.down: asyncio.Queue[Any] = asyncio.Queue()
        self.swallow: Callable[[wire.CarryMessage], bool] = lambda _message: False

        async def to_two(message: wire.CarryMessage) -> None:
            await self.up.put(message)

        async def to_one(message: wire.CarryMessage) -> None:
            if not self.swallow(message):
                await self.down.put(message)

        self.ends = [
            asyncio.create_task(one.post.carry(TWO, self.down.get, to_two)),
            asyncio.create_task(two.post.carry(ONE, self.up.get, to_one)),
        ]

    async def cut(self) -> list[Any]:
        """Cut the line, and say what its two ends raised."""
        self.up.put_nowait(None)
        self.down.put_nowait(None)
        return await asyncio.gather(*self.ends, return_exceptions=True)


@asynccontextmanager
async def line(one: Side, two: Side) -> AsyncIterator[Line]:
    opened = Line(one, two)
    try:
        yield opened
    finally:
        await opened.cut()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


async def test_both_outboxes_travel_on_one_line_in_order(sides: tuple[Side, Side]) -> None:
    one, two = sides
    for number in range(40):
        one.put(number)
        two.put(100 + number)
    async with line(one, two):
        await until(lambda: len(one.taken) == len(two.taken) == 40)
        await until(lambda: one.waiting() == two.waiting() == [])
        one.put(40)
        await until(lambda: two.taken[-1] == 40)
    assert two.taken == list(range(41))
    assert one.taken == list(range(100, 140))


async def test_whoever_waits_hears_when_the_other_side_has_a_notice(sides: tuple[Side, Side]) -> None:
    one, two = sides
    left: list[list[str]] = []
    one.post.on_taken(lambda _peer: left.append(one.waiting()))
    one.put(1)
    async with line(one, two):
        await until(lambda: [] in left)
    assert two.taken == [1]


async def test_when_both_sides_dial_each_notice_is_still_taken_once(sides: tuple[Side, Side]) -> None:
    one, two = sides
    async with line(one, two), line(two, one):
        for number in range(60):
            one.put(number)
            two.put(number)
            await asyncio.sleep(0)
        await until(lambda: one.waiting() == two.waiting() == [])
    assert one.taken == two.taken == list(range(60))


async def test_what_was_taken_and_not_acknowledged_is_sent_again_and_ignored(
    sides: tuple[Side, Side],
) -> None:
    one, two = sides
    one.put(1)
    async with line(one, two) as broken:
        broken.swallow = lambda message: message.cursor.number > 0
        await until(lambda: two.taken == [1])
    assert one.waiting() == ["note"]
    async with line(one, two):
        await until(lambda: one.waiting() == [])
    assert two.taken == [1]


@pytest.mark.parametrize("restarted", ["one", "two"])
async def test_a_restart_of_either_side_loses_and_doubles_nothing(
    sides: tuple[Side, Side], restarted: str
) -> None:
    one, two = sides
    again = one if restarted == "one" else two
    for number in range(5):
        one.put(number)
    async with line(one, two):
        await until(lambda: len(two.taken) >= 2)
    again.stop()
    again.start()
    one.put(5)
    async with line(one, two):
        await until(lambda: one.waiting() == [])
    assert two.taken == list(range(6))


@pytest.mark.parametrize(
    ("error", "reason"), [(Refused("not wanted"), "NOT_WANTED"), (KeyError("personal"), "INTERNAL")]
)
async def test_a_notice_that_cannot_be_taken_holds_nothing_up_and_its_sender_is_told(
    sides: tuple[Side, Side], error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = sides
    caplog.set_level(logging.INFO)

    def refuse(number: int) -> None:
        if number == 1:
            raise error

    two.act = refuse
    for number in range(3):
        one.put(number)
    async with line(one, two):
        await until(lambda: one.waiting() == [] and two.waiting() == [])
    assert two.taken == [0, 2]
    told = [record for record in caplog.records if record.message == "a peer refused a notice"]
    assert [vars(record)["reason"] for record in told] == [reason]


def raw(payload: bytes, jws: str, opening: bytes = b"") -> wire.SignedDocument:
    return wire.SignedDocument(payload=payload, jws=jws, opening=opening)


@pytest.mark.parametrize(
    "document",
    [
        raw(b"", ""),
        raw(b"{}", "not a signature"),
        raw(b"{}", "..."),
        raw(b"\xff" * 100, "e30..e30"),
        raw(b"{}", "e30..e30", b"{not json"),
        raw(b"{}", "x" * 100_000),
    ],
    ids=["empty", "no-jws", "dots", "no-json", "opening", "long"],
)
async def test_a_notice_that_cannot_even_be_read_is_refused_like_any_other(
    sides: tuple[Side, Side], document: wire.SignedDocument
) -> None:
    one, _ = sides
    messages = iter(
        [
            wire.CarryMessage(notice=wire.Notice(number=1, document=document)),
            wire.CarryMessage(
                notice=wire.Notice(
                    number=2,
                    document=to_signed(sign({"type": "note", "version": 1, "text": 7}, KEYS[TWO])),
                )
            ),
        ]
    )

    async def read() -> Any:
        return next(messages, None)

    async def write(_message: Any) -> None: ...

    await one.post.carry(TWO, read, write)
    assert one.taken == [7]
    assert one.waiting() == [REFUSED]


async def test_a_refusal_that_is_refused_is_not_answered(sides: tuple[Side, Side]) -> None:
    one, two = sides
    forged = sign({"type": REFUSED, "version": 1}, Ed25519PrivateKey.generate())
    two.writer.submit(lambda tx: outbox.put(tx, ONE, forged, {}, Milliseconds(1))).result()
    async with line(one, two):
        await until(lambda: two.waiting() == [])
    assert one.waiting() == []


async def test_a_peer_that_only_sends_nonsense_does_not_fill_the_disk(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_module, "LARGEST_BACKLOG", 5)
    one, _ = sides
    nonsense = to_signed(sign({"type": "nonsense", "version": 1}, KEYS[TWO]))
    numbers = iter(range(1, 21))

    async def read() -> Any:
        number = next(numbers, None)
        return number and wire.CarryMessage(notice=wire.Notice(number=number, document=nonsense))

    async def write(_message: Any) -> None: ...

    await one.post.carry(TWO, read, write)
    assert one.waiting() == [REFUSED] * 5


async def test_a_notice_that_cannot_be_written_now_is_kept_and_taken_later(sides: tuple[Side, Side]) -> None:
    one, two = sides
    failing = True

    def full(_number: int) -> None:
        if failing:
            raise StoreUnavailable("the disk is full")

    two.act = full
    one.put(1)
    opened = Line(one, two)
    with pytest.raises(StoreUnavailable):
        await asyncio.wait_for(asyncio.shield(opened.ends[1]), 5)
    await opened.cut()
    assert one.waiting() == ["note"]
    failing = False
    async with line(one, two):
        await until(lambda: one.waiting() == [])
    assert two.taken == [1]


async def test_a_cursor_by_a_key_that_only_a_newer_list_names_acknowledges_nothing_and_is_answered(
    sides: tuple[Side, Side],
) -> None:
    """Its sender learns from the answer which list to hand on; a line that broke would never bring it."""
    one, two = sides
    two.put(1)
    two.unknown.add(thumbprint(KEYS[ONE].public_key()))
    newer = SimpleNamespace(number=2)
    one.trust = newer
    asked: list[int] = []
    one.post.on_list_named(lambda _transaction, _peer, number: asked.append(number))
    async with line(one, two) as opened:
        await until(lambda: len(asked) > 1 and one.taken == [1])
        assert two.waiting() == ["note"], "what it acknowledged does not count"
        assert not any(end.done() for end in opened.ends)
        two.unknown.clear()
        two.post.show_cursors()
        one.post.show_cursors()
        await until(lambda: two.waiting() == [])
    one.trust = SimpleNamespace(number=1)
    two.unknown.add(thumbprint(KEYS[ONE].public_key()))
    async with line(one, two) as opened:
        await until(opened.ends[1].done)
        assert isinstance(opened.ends[1].exception(), KeyNotValid)


async def test_a_line_on_which_nothing_is_heard_ends_by_name(
    sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(post_module, "IDLE_SECONDS", 0.05)
    one, _ = sides

    async def read() -> Any:
        await asyncio.Event().wait()

    async def write(_message: Any) -> None: ...

    with pytest.raises(LineSilent):
        await one.post.carry(TWO, read, write)


def test_a_notice_that_no_message_could_hold_is_never_put(sides: tuple[Side, Side]) -> None:
    """It could not be sent, and everything after it would wait for it for ever."""
    one, _ = sides
    document = sign({"type": "note", "version": 1, "text": 1}, KEYS[ONE])
    opening: JSONObject = {"words": "x" * (2 << 20)}
    put = one.writer.submit(lambda tx: outbox.put(tx, TWO, document, opening, Milliseconds(1)))
    with pytest.raises(NoticeTooLarge):
        put.result()
    assert one.waiting() == []

"""No sequence of messages moves a transfer where the standard, the budget or a bar does not let it go.

A real provider and a real consumer, with their stores and logs, and a network that repeats, reorders,
loses and alters. Beside them stands a consumer who signs whatever it likes with the consumer's own key.
What must hold is checked after every step, and most of it by what was seen to leave, not by what the
connector says of itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sqlite3
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from connector.exchange import provider
from connector.exchange.channel import Frame, Message, Signed
from connector.exchange.disputes import Disputes
from connector.exchange.inbox import read_frames
from connector.exchange.late import LateSignatures
from connector.exchange.windows import WindowMaker
from connector.exchange.wish import new_exchange
from connector.store import outbox
from connector.store.tables import ExchangeRow
from ledger.canonical import JSONObject, decode_object
from ledger.document import SignedDocument, from_base64url, from_json, sign, to_base64url
from ledger.errors import BylagError
from ledger.names import ExchangeId, ParticipantId
from tests.exchange.network import KEY, Inline, Line, Network
from tests.exchange.world import AGREEMENT, CONSUMER, PROVIDER, SPACE, World
from tests.security.dealing import kind_of

DIAGRAM = """
    NEW       REQUESTED
    REQUESTED STARTED TERMINATED
    STARTED   SUSPENDED COMPLETED TERMINATED
    SUSPENDED STARTED TERMINATED
"""
"""DSP 2025-1, section 9.1.3, without its names of messages; written down apart from the code."""

ALLOWED = {
    (before, after)
    for before, *following in map(str.split, DIAGRAM.strip().splitlines())
    for after in following
} | {("NEW", "STARTED")}  # the provider records a Request together with its Offer

W, FRAMES_A_WINDOW, PIECES, PIECE_BYTES = 2, 2, 9, 90
MANY = st.integers(0, 10_000)
SIDES = st.sampled_from([PROVIDER, CONSUMER])
SELDOM = st.integers(0, 3).map(lambda drawn: drawn == 3)
"""What ends much of a run, and would otherwise come before anything else has happened."""


class Transferring(RuleBasedStateMachine):
    """Exchanges under one agreement."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        made = WindowMaker.__init__.__kwdefaults__
        assert made is not None
        self.patch.setitem(made, "window_bytes", FRAMES_A_WINDOW * PIECE_BYTES)
        # What waits for the clock waits for ever: a step is over when nobody can do more by himself.
        self.patch.setattr(provider, "ROOM_SECONDS", 3600)
        self.patch.setattr(provider, "CUT_GRACE_SECONDS", 0)
        self.world = World(Path(self.folder.name), windows=W, ack_seconds=1)
        self.world.dataset.count, self.world.dataset.piece_size = PIECES, PIECE_BYTES
        self.network = Network(self.world, self.see)
        self.network.count_jobs(self.patch)
        self.runner = asyncio.Runner()
        self.exchanges: list[ExchangeId] = []
        self.ended = False
        self.bar_after: int | None = None
        self.broken: list[str] = []
        """What was seen that must not be."""
        self.left: defaultdict[str, set[int]] = defaultdict(set)
        """The pieces of the dataset that left, by exchange."""
        self.digests: defaultdict[str, dict[str, int]] = defaultdict(dict)
        """D after so many pieces, computed here from what left, by exchange."""
        self.windows: dict[Line, tuple[Any, bytes, int, bytes]] = {}
        """Of each line's last Commit: what it says, its key, how many frames followed, D after them."""
        self.acks: list[SignedDocument] = []
        for party in self.world.parties.values():
            _watch_states(party.folder / "bylag.db")

    def teardown(self) -> None:
        async def close() -> None:
            await self.network.kill(PROVIDER, CONSUMER)

        self.runner.run(close())
        self.runner.close()
        self.world.close()
        self.patch.undo()
        self.folder.cleanup()

    # --- what may happen -----------------------------------------------------------------------------

    @initialize(bar_after=st.none() | st.integers(0, 5))
    def begin(self, bar_after: int | None) -> None:
        """There is an exchange, and in many runs an end of the agreement that will come upon it."""
        self.ask()
        self.bar_after = bar_after

    @precondition(lambda self: len(self.exchanges) < 3)
    @rule()
    def ask(self) -> None:
        exchange = new_exchange(self.world.consumer.ground)
        self.exchanges.append(exchange)
        self._do(lambda: self.network.fetch(exchange, resume=False))

    @precondition(lambda self: self.exchanges)
    @rule(which=MANY, killed=st.booleans())
    def resume(self, which: int, killed: bool) -> None:
        """The consumer goes on; with ``killed`` its process was, and the provider has not noticed."""

        async def again() -> None:
            if killed:
                await self.network.kill(CONSUMER)
            self.network.fetch(_pick(self.exchanges, which), resume=True)

        self._do(again)

    @precondition(lambda self: self.network.lines)
    @rule(which=MANY, sender=SIDES, times=st.integers(1, 6))
    def deliver(self, which: int, sender: ParticipantId, times: int) -> None:
        for _ in range(times):
            self._do(lambda: self._line(which).deliver(sender))

    @precondition(lambda self: self.network.lines)
    @rule(which=MANY, rounds=st.integers(1, 12))
    def play(self, which: int, rounds: int) -> None:
        """What is in flight on a line arrives, and what it brings about, for a while."""
        line = self._line(which)
        for _ in range(rounds):
            for sender in (CONSUMER, PROVIDER):
                self._do(partial(line.deliver, sender))

    @precondition(lambda self: self.network.lines)
    @rule(
        which=MANY,
        sender=SIDES,
        how=st.sampled_from(["lose", "repeat", "swap", "stale", "foreign"]),
        old=MANY,
    )
    def disturb(self, which: int, sender: ParticipantId, how: str, old: int) -> None:
        """The network at its worst; every message is still one that its sender made."""
        line = self._line(which)
        flight = line.flight[sender]
        if how in {"lose", "repeat", "swap"} and not flight:
            return
        if how == "lose":
            flight.pop(0)
        elif how == "repeat":
            flight.insert(0, flight[0])
        elif how == "swap":
            flight[:2] = reversed(flight[:2])
        elif said := (line if how == "stale" else self._line(old)).said[sender]:
            flight.insert(0, _pick(said, old))

    @precondition(lambda self: self.network.lines)
    @rule(which=MANY, sender=SIDES, member=MANY, value=MANY)
    def alter(self, which: int, sender: ParticipantId, member: int, value: int) -> None:
        """A side says something else than it meant, and signs it; or a frame has another byte."""
        line = self._line(which)
        flight = line.flight[sender]
        if not flight or flight[0] is None:
            return
        first = flight[0]
        if isinstance(first, Frame):
            flight[0] = Frame(bytes(first.data[:-1]) + b"X")
        elif isinstance(first, Signed):
            content = first.document.content()
            name = _pick(sorted(set(content) - {"type"}), member)
            content[name] = _other(content[name], value)
            flight[0] = Signed(sign(content, self.world.keys[sender]), first.opening)

    @precondition(lambda self: self.network.lines)
    @rule(
        which=MANY,
        kind=st.sampled_from(["accept", "ack", "ack", "reject", "receipt", "cut", "end", "resume"]),
        at=MANY,
        frame=st.integers(0, FRAMES_A_WINDOW + 1),
        true=st.booleans(),
    )
    def say_anything(self, which: int, kind: str, at: int, frame: int, true: bool) -> None:
        """The consumer's key signs a message in its right place, whatever it says."""
        line = self._line(which)
        body = self._body(line, kind, at, frame, true=true)
        if body is None or not line.heard[PROVIDER]:
            return
        before = line.heard[PROVIDER][-1].document
        attempt: Any = before.content()["attempt"]
        message = Signed(self._sign(line, kind, body, attempt=attempt, prev=before.digest))
        self.acks += [message.document] if kind in {"ack", "reject"} else []
        line.flight[CONSUMER].insert(0, message)
        self._do(lambda: line.deliver(CONSUMER))

    @precondition(lambda self: self.exchanges)
    @rule(which=MANY, attempt=st.integers(-1, 3), place=MANY, accepted=st.booleans())
    def dial_anew(self, which: int, attempt: int, place: int, accepted: bool) -> None:
        """The consumer's key signs a Resume of any place in any attempt, on a line of its own."""
        exchange = _pick(self.exchanges, which)
        row = self._row(PROVIDER, exchange)
        if row is None:
            return
        spot = _pick([*self.digests[exchange], row.digest or "00" * 32], place)
        window = _pick([row.window, row.window, row.window + 1, 0], place)
        body = self._resume(window, row.digest if accepted and row.digest else spot)
        line = self._dial(exchange)
        document = self._sign(line, "resume", body, attempt=max(1, row.attempt + attempt), prev=None)
        opening: JSONObject = {"accept": decode_object(row.accept)} if row.accept and accepted else {}
        line.said[CONSUMER].append(message := Signed(document, opening))
        line.flight[CONSUMER].append(message)
        self._do(lambda: line.deliver(CONSUMER))

    @precondition(lambda self: self.acks)
    @rule(which=MANY)
    def post(self, which: int) -> None:
        """An Ack or Reject that was signed at any time comes by the outbox, and perhaps comes again."""
        self._post(_pick(self.acks, which))

    @rule()
    def post_what_waits(self) -> None:
        """What the consumer's outbox holds arrives, in order."""
        with self.world.consumer.database.read() as session:
            notices = outbox.waiting(session, PROVIDER, 0, 100)
        for notice in notices:
            self._post(notice.document)

    @rule()
    def time_passes(self) -> None:
        for party in self.world.parties.values():
            party.ambient.step(1_000)
        self._do(lambda: Disputes(self.world.provider.ground).sweep())

    @rule(after=st.integers(0, 4), at_once=st.booleans(), really=SELDOM)
    def end_the_agreement(self, after: int, at_once: bool, really: bool) -> None:
        """At once, or when the provider has handed over so many more frames."""
        if at_once and not really:
            return
        if at_once or self.ended:
            self._end()
        else:
            self.bar_after = after

    @precondition(lambda self: self.network.lines)
    @rule(which=MANY, takes=st.booleans())
    def stall(self, which: int, takes: bool) -> None:
        """The provider's transport takes no more frames, or takes them again."""
        gate = self._line(which).ends[PROVIDER].takes
        self._do(gate.set if takes else gate.clear)

    @precondition(lambda self: self.network.lines)
    @rule(which=MANY, really=SELDOM)
    def hang_up(self, which: int, really: bool) -> None:
        if not really:
            return

        def both() -> None:
            for end in self._line(which).ends.values():
                end.incoming.put_nowait(None)

        self._do(both)

    @rule(side=SIDES, really=SELDOM)
    def restart(self, side: ParticipantId, really: bool) -> None:
        """kill -9, and the same home opened again."""
        if not really:
            return
        party = self.world.parties[side]

        async def killed() -> None:
            await self.network.kill(side)
            party.close()
            party.open_again()
            if self.ended and side == PROVIDER:
                party.end_agreement()

        self._do(killed)

    # --- what must hold ------------------------------------------------------------------------------

    @invariant()
    def nothing_was_seen_that_must_not_be(self) -> None:
        assert self.broken == []
        assert self.network.unforeseen == []

    @invariant()
    def states_move_as_the_standard_says(self) -> None:
        for party in self.world.parties.values():
            with sqlite3.connect(party.folder / "bylag.db") as connection:
                moved = set(connection.execute("SELECT before, after FROM moved"))
            connection.close()
            assert moved <= ALLOWED, (party.did, moved - ALLOWED)

    @invariant()
    def the_provider_counts_what_the_consumer_signed_and_counts_it_once(self) -> None:
        acked: defaultdict[str, int] = defaultdict(int)
        for leaf in self.world.provider.leaves():
            if leaf["type"] == "ack":
                acked[leaf["exchange"]] += leaf["rows"]
        for exchange in self.exchanges:
            row = self._row(PROVIDER, exchange)
            if row is None or not row.accept:
                continue
            accept = from_json(decode_object(row.accept))
            known = {accept.digest: 0, **self.digests[exchange]}
            assert known.get(row.digest) == row.position, "custody of what never left"
            assert (row.frames, row.size) == (row.position, row.position * PIECE_BYTES)
            assert row.rows == acked[exchange] == row.position * (PIECE_BYTES // 9)
            if row.last_ack:
                said = self._signed_by_the_consumer(from_json(decode_object(row.last_ack)))
                assert (said["window"], said["digest"]) == (row.window, row.digest)
            else:
                assert row.digest == accept.digest

    @invariant()
    def completed_means_all_of_it_and_two_signatures_over_the_same_totals(self) -> None:
        for exchange in self.exchanges:
            row = self._row(PROVIDER, exchange)
            if row is None or row.state != "COMPLETED":
                continue
            assert row.position == PIECES
            totals = {"windows": row.window, "rows": row.rows, "bytes": row.size, "digest": row.digest}
            lines = [line for line in self.network.lines if line.exchange == exchange]
            heard = [
                each.document for line in lines for each in line.heard[PROVIDER] if kind_of(each) == "receipt"
            ]
            said = [
                each.document.content()
                for line in lines
                for each in line.said[PROVIDER]
                if kind_of(each) == "end"
            ]
            assert any(totals.items() <= self._signed_by_the_consumer(each).items() for each in heard)
            assert any(totals.items() <= end.items() for end in said)

    @invariant()
    def the_consumer_signed_for_nothing_that_it_does_not_have(self) -> None:
        for exchange in self.exchanges:
            row = self._row(CONSUMER, exchange)
            if row is None or row.size == 0:
                continue
            windows = iter(range(1, row.window + 1))
            frames = list(read_frames(self.world.consumer.folder / "inbox", exchange, KEY, windows))
            assert sum(map(len, frames)) == row.size
            numbers = [int(frame[:8]) for frame in frames]
            assert numbers == list(range(len(frames)))

    # --- how -----------------------------------------------------------------------------------------

    def see(self, line: Line, did: str, message: Message) -> None:
        """A side hands a message to the transport: what must be true at that moment."""
        if isinstance(message, Signed):
            line.said[did].append(message)
            if kind_of(message) in {"ack", "reject"}:
                self.acks.append(message.document)
            if kind_of(message) == "commit":
                self._see_commit(line, message)
        if isinstance(message, Frame):
            self._see_frame(line, bytes(message.data))

    def _see_commit(self, line: Line, message: Signed) -> None:
        durable = {leaf.get("message") for leaf in self.world.provider.leaves() if leaf["type"] == "commit"}
        if message.document.digest not in durable:
            self.broken.append("a Commit left before its record was durable")
        row = self._row(PROVIDER, line.exchange)
        assert row is not None
        before = self.windows[line][3] if line in self.windows else bytes.fromhex(row.digest)
        key = bytes.fromhex(str(message.opening["key"]))
        self.windows[line] = (message.document.content(), key, 0, before)

    def _see_frame(self, line: Line, data: bytes) -> None:
        if self.ended:
            self.broken.append("a frame left after the bar")
        if line not in self.windows:
            self.broken.append("a frame left before any Commit")
            return
        commit, key, count, before = self.windows[line]
        after = hashlib.sha256(before + hmac.digest(key, data, "sha256")).digest()
        if count >= len(commit["digests"]) or commit["digests"][count] != after.hex():
            self.broken.append("a frame left that its Commit does not name")
        self.windows[line] = (commit, key, count + 1, after)
        piece = int(data[:8])
        self.left[line.exchange].add(piece)
        self.digests[line.exchange][after.hex()] = piece + 1
        if self._exposed() > W * FRAMES_A_WINDOW:
            self.broken.append("more is on its way than the budget allows")
        if self.bar_after is not None:
            self.bar_after -= 1
            if self.bar_after < 0:
                self._end()

    def _exposed(self) -> int:
        """How many pieces of the dataset were seen to leave, and nobody signed for them."""
        exposed = 0
        for exchange, left in self.left.items():
            row = self._row(PROVIDER, exchange)
            assert row is not None
            exposed += sum(piece >= row.position for piece in left)
        return exposed

    def _end(self) -> None:
        self.ended, self.bar_after = True, None
        self.world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
        self.world.provider.end_agreement()

    def _do(self, action: Any) -> None:
        async def act() -> None:
            asyncio.get_running_loop().set_default_executor(INLINE)
            done = action()
            if asyncio.iscoroutine(done):
                await done
            await self.network.settle()

        self.runner.run(act())

    def _post(self, document: SignedDocument) -> None:
        late = LateSignatures(self.world.provider.ground)

        async def take() -> None:
            with suppress(BylagError):  # its sender is told: tests/peer/test_post.py
                await self.world.provider.writer.write(lambda tx: late.take(tx, CONSUMER, document, {}))

        self._do(take)

    def _body(self, line: Line, kind: str, at: int, frame: int, *, true: bool) -> dict[str, Any] | None:
        """What a message of a kind may say; not ``true``: about something else than what happened."""
        row = self._row(PROVIDER, line.exchange)
        if row is None:
            return None
        offers = [each.document.digest for each in line.said[PROVIDER] if kind_of(each) == "offer"]
        commits = [each.document.content() for each in line.said[PROVIDER] if kind_of(each) == "commit"]
        reached = row.digest or "00" * 32
        if kind == "accept":
            return {"offer": offers[-1] if offers and true else "11" * 32}
        if kind in {"receipt", "end"}:
            rows = row.rows if true else row.rows + 1
            totals = {"windows": row.window, "rows": rows, "bytes": row.size}
            return {**totals, "digest": reached, "labels": None}
        if kind == "resume":
            return self._resume(row.window, reached)
        if not commits:
            return None
        commit: Any = _pick(commits[-2:], at)
        digests = [reached, *commit["digests"]]
        digest = digests[min(frame, len(digests) - 1)] if true else _pick([*self._known(line), "22" * 32], at)
        place = {"window": commit["window"], "frame": frame}
        if kind == "ack":
            return {**place, "digest": digest}
        if kind == "reject":
            return {**place, "frame": max(frame, 1), "expected": digest, "code": "OTHER_BYTES"}
        cut = {"rows": 1, "bytes": 1, "window_labels": None, "labels": None, "position": 1, "code": "ENDED"}
        return {**place, "digest": digest, **cut}

    def _resume(self, window: int, digest: str) -> dict[str, Any]:
        ambient = self.world.consumer.ambient
        place = {"ack": None, "window": window, "frame": 0, "digest": digest}
        return {**place, "nonce": ambient.random(32).hex(), "deadline": ambient.now() + 60_000}

    def _known(self, line: Line) -> list[str]:
        return list(self.digests[line.exchange])

    def _sign(
        self, line: Line, kind: str, body: dict[str, Any], *, attempt: int, prev: str | None
    ) -> SignedDocument:
        envelope: JSONObject = {
            "type": kind,
            "version": 1,
            "space": SPACE,
            "sender": CONSUMER,
            "recipient": PROVIDER,
            "exchange": line.exchange,
            "attempt": attempt,
            "agreement": AGREEMENT,
            "prev": prev,
            "seen": None,
            "aseq": 1,
            "list": {"number": 1, "hash": "ab" * 32},
            "head": None,
            "time": self.world.consumer.ambient.now(),
        }
        return sign({**envelope, **body}, self.world.keys[CONSUMER])

    def _signed_by_the_consumer(self, document: SignedDocument) -> dict[str, Any]:
        """By the library alone, not through anything that is tested here."""
        protected, _, signature = document.jws.split(".")
        signed = f"{protected}.{to_base64url(document.payload)}".encode()
        self.world.keys[CONSUMER].public_key().verify(from_base64url(signature), signed)
        return document.content()

    def _dial(self, exchange: ExchangeId) -> Line:
        self._do(lambda: self.network.dial(exchange))
        return self.network.lines[-1]

    def _line(self, which: int) -> Line:
        return _pick(self.network.lines[::-1], which)

    def _row(self, did: ParticipantId, exchange: str) -> ExchangeRow | None:
        with self.world.parties[did].database.read() as session:
            return session.get(ExchangeRow, exchange)


INLINE = Inline()


Value = TypeVar("Value")


def _pick(values: Sequence[Value], which: int) -> Value:
    return values[which % len(values)]


def _other(value: Any, seed: int) -> Any:
    """Another value of the same kind."""
    if isinstance(value, int):
        return _pick([value + 1, max(0, value - 1), 0, 1 << 40], seed)
    if isinstance(value, str) and len(value) == 64:
        return hashlib.sha256(value.encode()).hexdigest()
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, list):
        return value[:-1] if seed % 2 else [*value, *value[-1:]]
    return None if value is not None else "33" * 32


def _watch_states(path: Path) -> None:
    """Have the database note every move of an exchange's state, also those that another follows at once."""
    with sqlite3.connect(path) as connection:
        connection.executescript(
            """
            CREATE TABLE moved (before TEXT, after TEXT);
            CREATE TRIGGER begun AFTER INSERT ON exchange
                BEGIN INSERT INTO moved VALUES ('NEW', new.state); END;
            CREATE TRIGGER moving AFTER UPDATE OF state ON exchange WHEN old.state <> new.state
                BEGIN INSERT INTO moved VALUES (old.state, new.state); END;
            """
        )
    connection.close()


def _run(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Transferring,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_no_sequence_of_messages_moves_a_transfer_where_it_may_not_go() -> None:
    _run(examples=20, steps=25)


@pytest.mark.torture
@pytest.mark.timeout(3600)
def test_no_long_sequence_of_messages_does_either() -> None:
    _run(examples=1000, steps=60)

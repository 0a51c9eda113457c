"""A subscription: new rows as they come, signed for in windows, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.exchange import following as following_module
from connector.exchange import gathering
from connector.exchange.channel import Frame, Signed
from connector.exchange.conversation import OutOfTurn
from connector.exchange.following import Bounds, Gap
from connector.exchange.ground import Denied
from connector.exchange.provider import Interrupted
from connector.exchange.use import use
from ledger.document import header_of
from ledger.errors import BylagError
from ledger.names import ExchangeId, VersionDigest
from tests.exchange.tables import KEY, Following, TableWorld, held, kinds, lines, outstanding, stored
from tests.exchange.world import AGREEMENT, DATASET, PROVIDER, Rule
from tests.security.dealing import lying

HEAD = b"meter,kwh\n"
FIRST = HEAD + lines(("a", 1), ("b", 2))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TableWorld]:
    monkeypatch.setattr(gathering, "WINDOW_SECONDS", 0.05)
    world = TableWorld(tmp_path)
    world.publish(FIRST)
    yield world
    world.close()


def kind_of(message: Any) -> str | None:
    return header_of(message.document.jws).kind if isinstance(message, Signed) else None


async def test_rows_arrive_as_they_are_appended_and_both_logs_tell_it(world: TableWorld) -> None:
    following = Following(world)
    running = following.start(bounds=Bounds(rows=5))
    await following.acknowledged(2)
    world.append(HEAD + lines(("c", 3)))
    await following.acknowledged(3)
    world.append(HEAD + lines(("d", 4), ("e", 5)))
    row = await running
    assert (row.state, row.rows) == ("COMPLETED", 5)
    assert following.received() == world.stored_rows()
    assert following.consumer.gaps == []
    windows = row.window
    ends = ["end", "receipt", "seal", "seal"]
    assert kinds(world.consumer) == ["request", "accept", *["ack"] * windows, *ends]
    told = kinds(world.provider)
    assert told[:3] == ["decision", "offer", "accept"]
    assert told[-4:] == ends
    assert sorted(told[3:-4]) == ["ack"] * windows + ["commit"] * windows
    assert held(world.provider, following.exchange).state == "COMPLETED"


async def test_where_nothing_is_yet_the_first_window_has_no_frames(world: TableWorld) -> None:
    following = Following(world)
    running = following.start(cursor=3, bounds=Bounds(rows=1))
    opened = await following.opened()
    assert (opened.window, opened.rows, opened.position) == (1, 0, 3)
    world.append(HEAD + lines(("c", 3)))
    row = await running
    assert (row.window, row.rows, row.position) == (2, 1, 4)
    assert following.received() == b"c,3\n"


async def test_what_comes_within_a_windows_time_is_one_window(
    world: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Following(world)
    running = following.start(bounds=Bounds(rows=5))
    await following.acknowledged(2)
    monkeypatch.setattr(gathering, "WINDOW_SECONDS", 0.5)
    for row in (("c", 3), ("d", 4), ("e", 5)):
        world.append(HEAD + lines(row))
        await asyncio.sleep(0)
    done = await running
    assert (done.window, done.rows) == (2, 5)


async def test_much_at_once_leaves_in_full_windows_without_waiting(
    world: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "WINDOW_SECONDS", 60.0)
    following = Following(world)
    running = following.start(bounds=Bounds(rows=3))
    await following.acknowledged(2)
    world.append(HEAD + lines(*(("m" * 900_000, number) for number in range(20))))
    row = await running
    commits = [leaf for leaf in world.provider.leaves() if leaf["type"] == "commit"]
    assert row.window >= 2
    assert max(leaf["bytes"] for leaf in commits) <= 8 << 20
    assert commits[1]["bytes"] > 7 << 20


async def test_what_was_acknowledged_can_be_used_while_the_subscription_goes_on(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2, world.consumer)
    inbox = world.consumer.folder / "inbox"
    granted = await use(
        world.consumer.ground, inbox, KEY, following.exchange, Rule().purpose, taken_out=False
    )
    assert b"".join(granted.frames) == FIRST
    following.end()
    await running


async def test_the_consumers_end_is_answered_by_a_receipt_of_the_same_totals(world: TableWorld) -> None:
    following = Following(world)
    said: list[str | None] = []

    def note(message: Any) -> Any:
        said.append(kind_of(message))
        return message

    following.provider_end.tamper = note
    running = following.start()
    await following.acknowledged(2)
    following.end()
    row = await running
    assert row.state == "COMPLETED"
    assert (said.count("receipt"), said.count("end")) == (1, 0)
    ends = [leaf for leaf in world.provider.leaves() if leaf["type"] == "end"]
    assert [(leaf["rows"], "counterpart" in leaf) for leaf in ends] == [(2, True)]
    assert outstanding(world) == 0


async def test_an_end_that_crosses_a_window_gives_way_to_the_providers_over_more(world: TableWorld) -> None:
    following = Following(world)
    commits = 0

    def end_at_the_second(message: Any) -> Any:
        nonlocal commits
        if kind_of(message) == "commit":
            commits += 1
            if commits == 2:
                following.end()
        return message

    following.provider_end.tamper = end_at_the_second
    running = following.start()
    await following.acknowledged(2)
    world.append(HEAD + lines(("c", 3)))
    row = await running
    assert (row.state, row.rows) == ("COMPLETED", 3)
    assert held(world.provider, following.exchange).state == "COMPLETED"
    assert outstanding(world) == 0
    ends = [leaf for leaf in world.provider.leaves() if leaf["type"] == "end"]
    assert {leaf["rows"] for leaf in ends} <= {2, 3}
    receipts = [leaf["rows"] for leaf in world.consumer.leaves() if leaf["type"] == "receipt"]
    assert receipts == [3]


async def test_the_provider_ends_it_when_a_newer_version_takes_the_place(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2)
    world.append(HEAD + lines(("c", 3)))
    old = world.stored_rows()
    world.publish(HEAD + lines(("z", 0)))
    row = await running
    assert (row.state, row.rows) == ("COMPLETED", 3)
    assert following.received() == old
    assert kinds(world.consumer).count("end") == 0


async def test_either_operator_can_end_it(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2)
    following.end(world.provider)
    assert (await running).state == "COMPLETED"


async def test_a_bar_cuts_it_between_two_windows_and_the_consumer_signs_for_that(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2)
    world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
    with pytest.raises(Denied) as denied:
        await running
    assert denied.value.reason == "AGREEMENT_TERMINATED"
    ours, theirs = stored(world.provider, following.exchange), stored(world.consumer, following.exchange)
    assert ours is not None
    assert theirs is not None
    assert (ours.state, theirs.state) == ("TERMINATED", "TERMINATED")
    assert (ours.rows, ours.size, ours.digest) == (theirs.rows, theirs.size, theirs.digest)
    assert theirs.rows == 2
    assert following.received() == FIRST
    assert kinds(world.provider)[-2:] == ["cut", "ack"]
    assert kinds(world.consumer)[-1] == "cut"
    assert not isinstance(following.provider_result, BaseException)
    assert outstanding(world) == 0


async def test_a_bar_in_the_middle_of_a_window_cuts_it_at_the_frame_last_taken(world: TableWorld) -> None:
    following = Following(world)
    frames = 0

    def bar_at_the_fourth(message: Any) -> Any:
        nonlocal frames
        if isinstance(message, Frame):
            frames += 1
            if frames == 4:
                world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
        return message

    following.provider_end.tamper = bar_at_the_fourth
    running = following.start()
    await following.acknowledged(2)
    world.append(HEAD + lines(*(("m" * 900_000, number) for number in range(7))))
    with pytest.raises(Denied):
        await running
    assert world.stored_rows().startswith(following.received())
    assert held(world.consumer, following.exchange).rows == 2 + 3
    assert held(world.provider, following.exchange).rows == 2 + 3


async def test_rows_that_the_policy_no_longer_permits_cut_it(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2)
    ruling = world.rule.rulings[Rule().purpose]
    world.rule.rulings[Rule().purpose] = replace(ruling, allow=False, code="PERIOD_OVER")
    world.append(HEAD + lines(("c", 3)))
    with pytest.raises(Denied) as denied:
        await running
    assert denied.value.reason == "PERIOD_OVER"
    assert following.received() == FIRST


async def test_rows_under_another_view_than_the_offers_are_not_sent(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2)
    ruling = world.rule.rulings[Rule().purpose]
    world.rule.rulings[Rule().purpose] = replace(ruling, mask=("kwh",))
    world.append(HEAD + lines(("c", 3)))
    with pytest.raises(Denied) as denied:
        await running
    assert denied.value.reason == "DECISION_CHANGED"
    assert following.received() == FIRST


async def test_a_broken_stream_goes_on_from_the_last_ack(world: TableWorld) -> None:
    following = Following(world)
    running = following.start()
    await following.acknowledged(2)
    following.consumer_end.hang_up()
    with pytest.raises(BylagError):
        await running
    assert held(world.provider, following.exchange).state == "SUSPENDED"
    world.append(HEAD + lines(("c", 3)))
    second = Following(world, following.exchange)
    running = second.start(resume=True, bounds=Bounds(rows=2))
    await second.acknowledged(3)
    world.append(HEAD + lines(("d", 4)))
    row = await running
    assert (row.state, row.attempt, row.rows) == ("COMPLETED", 2, 4)
    assert second.received() == world.stored_rows()
    assert held(world.provider, following.exchange).digest == row.digest
    assert outstanding(world) == 0


async def test_rows_that_no_window_holds_are_reported_as_a_gap(
    world: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    following = Following(world)
    running = following.start(bounds=Bounds(rows=3))
    await following.acknowledged(2)
    snapshot = world.provider.ground.shelf.snapshot(DATASET, None)
    pieces = snapshot.pieces

    def without_the_third(selection: Any, position: int, **named: Any) -> Any:
        return pieces(selection, max(position, 4), **named)

    monkeypatch.setattr(snapshot, "pieces", without_the_third)
    world.append(HEAD + lines(("c", 3), ("d", 4)))
    await running
    assert following.consumer.gaps == [Gap(window=2, position=3, rows=1)]


async def test_rows_that_were_not_asked_for_are_no_gap(world: TableWorld) -> None:
    following = Following(world)
    selection = {"where": [{"column": "kwh", "op": "gt", "value": 1}]}
    running = following.start(bounds=Bounds(rows=2), selection=selection)
    await following.acknowledged(1)
    world.append(HEAD + lines(("c", 0)))
    world.append(HEAD + lines(("d", 4)))
    row = await running
    assert following.consumer.gaps == []
    assert (row.rows, row.position) == (2, 5)
    assert following.received() == b"meter,kwh\r\nb,2\r\nd,4\r\n"


@pytest.mark.parametrize("position", [1, 2, 0])
async def test_a_position_that_is_not_behind_its_rows_is_refused(world: TableWorld, position: int) -> None:
    following = Following(world)
    following.provider_end.tamper = lying(world, PROVIDER, "commit", position=position)
    with pytest.raises(OutOfTurn) as refused:
        await following.start()
    assert refused.value.field == "position"
    assert "ack" not in kinds(world.consumer)


async def test_the_deadline_bounds_the_opening_and_not_the_stream(world: TableWorld) -> None:
    following = Following(world)
    running = following.start(bounds=Bounds(rows=3))
    await following.acknowledged(2)
    for party in world.parties.values():
        party.ambient.step(20 * 60_000)
    world.append(HEAD + lines(("c", 3)))
    assert (await running).rows == 3


async def test_a_provider_that_opens_nothing_is_given_up(
    world: TableWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_module, "OPENING_SECONDS", 0.2)
    attempt = Following(world)
    attempt.provider_end.tamper = lambda message: (
        None if isinstance(message, Frame) or kind_of(message) == "commit" else message
    )
    with pytest.raises(Interrupted):
        await attempt.start()


async def test_no_window_is_opened_after_the_deadline_when_the_budget_is_used_up(world: TableWorld) -> None:
    """What an earlier exchange left unsigned counts, until its Ack comes."""
    for number in range(4):
        attempt = Following(world)
        attempt.consumer_end.tamper = lambda message: None if kind_of(message) == "ack" else message
        running = attempt.start()
        while kinds(world.provider).count("commit") < number + 1:
            await asyncio.sleep(0)
        attempt.consumer_end.hang_up()
        with pytest.raises(BylagError):
            await running
    assert outstanding(world) == 4
    late = Following(world)
    running = late.start()
    while "accept" not in kinds(world.provider)[-1:]:
        await asyncio.sleep(0)
    world.provider.ambient.step(61_000)
    with pytest.raises(BylagError):
        await running
    assert isinstance(late.provider_result, Interrupted)
    assert kinds(world.provider).count("commit") == 4


async def test_a_withheld_ack_holds_back_more_than_w_windows(world: TableWorld) -> None:
    following = Following(world)
    following.consumer_end.tamper = lambda message: None if kind_of(message) == "ack" else message
    running = following.start()
    for number in range(3, 12):
        while kinds(world.provider).count("commit") < min(number - 2, 4):
            await asyncio.sleep(0)
        world.append(HEAD + lines((f"m{number}", number)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(running), 0.5)
    assert kinds(world.provider).count("commit") == 4
    following.consumer_end.hang_up()
    with pytest.raises(BylagError):
        await running


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"cursor": 99}, "BAD_POSITION"),
        ({"selection": {"order": [{"column": "kwh"}]}}, "BAD_SELECTION"),
        ({"selection": {"limit": 3}}, "BAD_SELECTION"),
        ({"selection": {"columns": ["nothing"]}}, "BAD_SELECTION"),
    ],
)
async def test_what_cannot_be_followed_is_denied_by_name(
    world: TableWorld, asked: dict[str, Any], code: str
) -> None:
    attempt = Following(world)
    with pytest.raises(Denied) as denied:
        await attempt.start(**asked)
    assert denied.value.reason == code
    assert kinds(world.provider) == ["denial"]


async def test_a_table_that_does_not_grow_is_not_followed(world: TableWorld) -> None:
    world.publish(HEAD + lines(("q", 9)), append_only=False)
    with pytest.raises(Denied) as denied:
        await Following(world).start()
    assert denied.value.reason == "NOT_APPEND_ONLY"


async def test_a_subscription_names_its_version(world: TableWorld) -> None:
    world.version = VersionDigest("")
    with pytest.raises(Denied) as denied:
        await Following(world).start()
    assert denied.value.reason == "VERSION_NOT_NAMED"


async def test_what_is_asked_to_end_and_is_not_there_is_said(world: TableWorld) -> None:
    assert world.consumer.ground.growth.end(ExchangeId("no-such-exchange")) is False

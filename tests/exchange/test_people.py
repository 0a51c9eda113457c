"""Rows about people: each carries a label, both sides sign who was in, and nothing tells who that is."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import hmac
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.audit.scope import Scope
from connector.exchange import gathering, labels
from connector.exchange.channel import Frame, Signed
from connector.exchange.consumer import WrongBytes
from connector.exchange.conversation import OutOfTurn
from connector.exchange.digest import FrameKey
from connector.exchange.following import Bounds
from connector.exchange.ground import Denied
from connector.exchange.messages import Commit
from connector.exchange.received import NoLabels, Received, labels_in
from connector.source.schema import LABEL_COLUMN, Role
from ledger import side
from ledger.document import header_of
from ledger.errors import BylagError
from ledger.names import UnitId
from ledger.prefix import PAD_EXCHANGE, check, member_label, padded_root
from tests.exchange.tables import Fetching, Following, TableWorld, held, kinds, lines
from tests.exchange.world import AGREEMENT, PROVIDER, Party
from tests.security.dealing import lying

HEAD = b"pid,town,income\n"
PEOPLE = ("19121212-1212", "19850505-1234", "20010101-7777", "19700707-0007", "19990909-4321")
ROLES = {"pid": Role.SUBJECT}
WIDE = "x" * 900_000


def table(*people: str, wide: bool = False) -> bytes:
    return HEAD + lines(*((who, WIDE if wide else "Malmo", 100 + at) for at, who in enumerate(people)))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TableWorld]:
    monkeypatch.setattr(gathering, "WINDOW_SECONDS", 0.05)
    world = TableWorld(tmp_path)
    yield world
    world.close()


def kind_of(message: Any) -> str | None:
    return header_of(message.document.jws).kind if isinstance(message, Signed) else None


def label(world: TableWorld, exchange: str, subject: str) -> bytes:
    """The label as the rule makes it, from the secret that the provider keeps."""
    person = world.provider.ground.people.find(None, [subject])[subject]
    return hmac.new(person.secret, b"bylag/member/v1" + exchange.encode(), hashlib.sha256).digest()[:16]


def rows(data: bytes) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(data.decode(), newline=""))]


def leaves(party: Party, kind: str) -> list[dict[str, Any]]:
    return [leaf for leaf in party.leaves() if leaf["type"] == kind]


def keys_of(attempt: Fetching | Following) -> list[bytes]:
    """Keeps each window's key as it is sent."""
    kept: list[bytes] = []

    def keep(message: Any) -> Any:
        if kind_of(message) == "commit":
            kept.append(bytes.fromhex(message.opening["key"]))
        return message

    attempt.provider_end.tamper = keep
    return kept


async def test_each_row_carries_its_persons_label_and_both_sign_the_set(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:3], PEOPLE[0]), roles=ROLES)
    attempt = Fetching(world)
    keys = keys_of(attempt)
    row = await attempt.start()
    assert (row.state, row.rows) == ("COMPLETED", 4)
    found = rows(attempt.received())
    assert list(found[0]) == ["town", "income", LABEL_COLUMN]
    expected = [label(world, attempt.exchange, who) for who in (*PEOPLE[:3], PEOPLE[0])]
    assert [bytes.fromhex(each[LABEL_COLUMN]) for each in found] == expected
    window = padded_root(set(expected), keys[0]).hex()
    everything = padded_root(set(expected), keys[-1], PAD_EXCHANGE).hex()
    for party in (world.provider, world.consumer):
        signed = leaves(party, "commit") or leaves(party, "ack")
        assert [(leaf["labels"], leaf["people"]) for leaf in signed] == [(window, 4)]
        assert [leaf["labels"] for leaf in leaves(party, "receipt")] == [everything]


async def test_a_set_has_what_is_first_seen_in_its_window(world: TableWorld) -> None:
    order = [PEOPLE[at % 5] for at in (0, 1, 0, 1, 0, 1, 0, 1, 0, 2, 0, 3)]
    world.publish(table(*order, wide=True), roles=ROLES)
    attempt = Fetching(world)
    keys = keys_of(attempt)
    row = await attempt.start()
    assert row.window == 2
    sets = [{label(world, attempt.exchange, PEOPLE[at]) for at in which} for which in ((0, 1), (2, 3))]
    for party, kind in ((world.provider, "commit"), (world.consumer, "ack")):
        roots = [leaf["labels"] for leaf in leaves(party, kind)]
        assert roots == [padded_root(members, key).hex() for members, key in zip(sets, keys, strict=True)]
        end = leaves(party, "receipt")[0]
        assert end["labels"] == padded_root(sets[0] | sets[1], keys[-1], PAD_EXCHANGE).hex()
    assert [leaf["people"] for leaf in leaves(world.provider, "commit")] == [2, 2]
    assert leaves(world.provider, "end")[0]["people"] == 4


async def test_in_and_not_in_are_proved_under_the_signed_root_at_either_side(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:3]), roles=ROLES)
    attempt = Fetching(world)
    await attempt.start()
    present = label(world, attempt.exchange, PEOPLE[0])
    absent = label(world, attempt.exchange, PEOPLE[4])
    for party, kind in ((world.provider, "commit"), (world.consumer, "ack")):
        with party.database.read_sqlite() as connection:
            for part, signed in (("window", leaves(party, kind)[0]), ("all", leaves(party, "receipt")[0])):
                for whose, expected in ((present, b""), (absent, None)):
                    root, proof = labels.proof(connection, (attempt.exchange, 1, 1), whose, part)
                    assert root == signed["labels"]
                    assert check(bytes.fromhex(root), whose, proof) == expected
            with pytest.raises(labels.NoSuchSet):
                labels.proof(connection, (attempt.exchange, 1, 2), present)


async def test_labels_of_one_person_in_two_exchanges_have_nothing_in_common(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:2]), roles=ROLES)
    first, second = Fetching(world), Fetching(world)
    await first.start()
    await second.start()
    ours = {each[LABEL_COLUMN] for each in rows(first.received())}
    theirs = {each[LABEL_COLUMN] for each in rows(second.received())}
    assert len(ours | theirs) == 4


async def test_data_about_nobody_has_the_root_null(world: TableWorld) -> None:
    world.publish(b"meter,kwh\na,1\n")
    await Fetching(world).start()
    assert [leaf["labels"] for leaf in leaves(world.provider, "commit")] == [None]
    assert [leaf["labels"] for leaf in leaves(world.provider, "end")] == [None]
    assert "people" not in leaves(world.provider, "commit")[0]


async def test_an_empty_result_is_one_commit_without_frames_over_nobody(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:2]), roles=ROLES)
    attempt = Fetching(world)
    keys = keys_of(attempt)
    row = await attempt.start(selection={"where": [{"column": "town", "op": "eq", "value": "Nowhere"}]})
    assert (row.state, row.window, row.rows) == ("COMPLETED", 1, 0)
    assert attempt.received() == b""
    commit = leaves(world.provider, "commit")[0]
    assert (commit["labels"], commit["people"]) == (padded_root(set(), keys[0]).hex(), 0)


async def test_each_person_has_one_side_row_for_an_exchange_under_a_key_of_their_own(
    world: TableWorld,
) -> None:
    order = [PEOPLE[at % 5] for at in (0, 1, 0, 1, 0, 1, 0, 1, 0, 2, 0, 3)]
    world.publish(table(*order, wide=True), roles=ROLES)
    attempt = Fetching(world)
    await attempt.start()
    persons = world.provider.ground.people.find(None, PEOPLE)
    with world.provider.database.read_sqlite() as connection:
        counts = dict(
            connection.execute(
                "SELECT holder, count(*) FROM side_row WHERE holder <> 'shared' GROUP BY holder"
            ).fetchall()
        )
        assert counts == {persons[who].handle: 1 for who in PEOPLE[:4]}
        for who in PEOPLE[:4]:
            ((index, content),) = side.rows_of(connection, world.provider.chest, persons[who].handle)
            leaf = world.provider.leaves()[index]
            assert leaf["type"] == "commit"
            assert leaf["window"] == (1 if who in PEOPLE[:2] else 2)
            assert content["label"] == member_label(persons[who].secret, attempt.exchange).hex()
            assert content["exchange"] == attempt.exchange
    assert len({person.secret for person in persons.values()}) == 5


async def test_no_id_stands_readable_in_the_store_or_beside_it(world: TableWorld) -> None:
    """People go by random handles: neither a row, nor an index, nor a key is named after anybody."""
    world.publish(table(*PEOPLE), roles=ROLES)
    await Fetching(world).start()
    lies = b"".join(path.read_bytes() for path in sorted(world.provider.folder.glob("*.db*")))
    assert len(world.provider.ground.people.find(None, PEOPLE)) == len(PEOPLE)
    assert [who for who in PEOPLE if who.encode() in lies] == []


async def test_a_resume_tells_nobody_twice_and_counts_only_what_was_acknowledged_as_seen(
    world: TableWorld,
) -> None:
    order = [PEOPLE[at % 5] for at in (0, 1, 0, 1, 0, 1, 0, 1, 0, 2, 0, 3)]
    world.publish(table(*order, wide=True), roles=ROLES)
    attempt = Fetching(world)
    windows = 0

    def hang_up_behind_the_first(message: Any) -> Any:
        if kind_of(message) == "ack":
            asyncio.get_running_loop().call_soon(attempt.consumer_end.hang_up)
        return message

    def lose_the_seconds_frames(message: Any) -> Any:
        nonlocal windows
        windows += kind_of(message) == "commit"
        return None if isinstance(message, Frame) and windows == 2 else message

    attempt.consumer_end.tamper = hang_up_behind_the_first
    attempt.provider_end.tamper = lose_the_seconds_frames
    with pytest.raises(BylagError):
        await attempt.start()
    assert held(world.consumer, attempt.exchange).window == 1
    second = Fetching(world, attempt.exchange)
    keys = keys_of(second)
    row = await second.start(resume=True)
    assert (row.state, row.window, row.attempt) == ("COMPLETED", 2, 2)
    fresh = {label(world, attempt.exchange, PEOPLE[at]) for at in (2, 3)}
    again = leaves(world.provider, "commit")[-1]
    assert (again["attempt"], again["labels"]) == (2, padded_root(fresh, keys[0]).hex())
    with world.provider.database.read_sqlite() as connection:
        told = connection.execute("SELECT count(*) FROM side_row WHERE holder <> 'shared'").fetchone()[0]
        assert told == 4
        kept = {row[:3] for row in connection.execute("SELECT attempt, window, part FROM label_tree")}
        assert {(1, 1, "window"), (1, 2, "window"), (2, 2, "window"), (2, 2, "all")} <= kept
    assert len(rows(second.received())) == 12


async def test_a_cut_has_the_sets_of_what_left_and_the_consumer_signs_for_them(world: TableWorld) -> None:
    world.publish(table(*PEOPLE, wide=True), roles=ROLES)
    attempt = Fetching(world)
    frames = 0
    keys: list[bytes] = []
    cuts: list[dict[str, Any]] = []

    def bar_at_the_third(message: Any) -> Any:
        nonlocal frames
        if kind_of(message) == "commit":
            keys.append(bytes.fromhex(message.opening["key"]))
        if kind_of(message) == "cut":
            cuts.append(message.document.content())
        if isinstance(message, Frame):
            frames += 1
            if frames == 3:
                world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
        return message

    attempt.provider_end.tamper = bar_at_the_third
    with pytest.raises(Denied):
        await attempt.start()
    left = {label(world, attempt.exchange, who) for who in PEOPLE[:3]}
    assert cuts[0]["window_labels"] == padded_root(left, keys[0]).hex()
    assert cuts[0]["labels"] == padded_root(left, keys[0], PAD_EXCHANGE).hex()
    assert leaves(world.consumer, "cut")[0]["labels"] == cuts[0]["labels"]
    assert leaves(world.consumer, "cut")[0]["people"] == 4
    with world.provider.database.read_sqlite() as connection:
        assert labels.acknowledged_labels(connection, attempt.exchange) == left
        parts = {part for (part,) in connection.execute("SELECT part FROM label_tree")}
    assert parts == {"window", "cut", "all"}


@pytest.mark.parametrize("kind", ["commit", "end"])
async def test_a_provider_that_signs_another_set_is_found_out(world: TableWorld, kind: str) -> None:
    world.publish(table(*PEOPLE[:3]), roles=ROLES)
    attempt = Fetching(world)
    attempt.provider_end.tamper = lying(world, PROVIDER, kind, labels="9" * 64)
    if kind == "end":
        with pytest.raises(OutOfTurn):
            await attempt.start()
        assert "receipt" not in kinds(world.consumer)
        return
    with pytest.raises(WrongBytes):
        await attempt.start()
    assert [leaf["code"] for leaf in leaves(world.consumer, "reject")] == ["OTHER_LABELS"]
    assert "ack" not in kinds(world.consumer)


@pytest.mark.parametrize("member", ["labels", "window_labels"])
async def test_a_cut_over_another_set_is_rejected(world: TableWorld, member: str) -> None:
    world.publish(table(*PEOPLE, wide=True), roles=ROLES)
    attempt = Fetching(world)
    lie = lying(world, PROVIDER, "cut", **{member: "9" * 64})

    def bar_and_lie(message: Any) -> Any:
        if isinstance(message, Frame):
            world.provider.ground.bars.bar(AGREEMENT, "AGREEMENT_TERMINATED")
        return lie(message)

    attempt.provider_end.tamper = bar_and_lie
    with pytest.raises(WrongBytes):
        await attempt.start()
    assert [leaf["code"] for leaf in leaves(world.consumer, "reject")] == ["OTHER_LABELS"]
    assert "cut" not in kinds(world.consumer)


async def test_a_set_for_data_that_was_offered_without_labels_is_refused(world: TableWorld) -> None:
    world.publish(b"meter,kwh\na,1\n")
    attempt = Fetching(world)
    attempt.provider_end.tamper = lying(world, PROVIDER, "commit", labels="9" * 64)
    with pytest.raises(WrongBytes):
        await attempt.start()
    assert [leaf["code"] for leaf in leaves(world.consumer, "reject")] == ["OTHER_LABELS"]


async def test_labels_left_out_of_a_commit_are_missed(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:3]), roles=ROLES)
    attempt = Fetching(world)
    attempt.provider_end.tamper = lying(world, PROVIDER, "commit", labels=None)
    with pytest.raises(WrongBytes):
        await attempt.start()
    assert "ack" not in kinds(world.consumer)


async def test_a_row_that_is_counted_and_has_no_label_is_missed(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:3]), roles=ROLES)
    attempt = Fetching(world)
    attempt.provider_end.tamper = lying(world, PROVIDER, "commit", rows=4)
    with pytest.raises(WrongBytes):
        await attempt.start()
    assert [leaf["code"] for leaf in leaves(world.consumer, "reject")] == ["OTHER_LABELS"]


async def test_a_frame_that_cannot_be_read_agrees_with_no_set() -> None:
    key = FrameKey(b"k" * 32)
    row = b"Lund," + b"ab" * 16 + b"\r\n"
    root = padded_root({bytes.fromhex("ab" * 16)}, key).hex()
    said = Commit(1, "", (), "", 1, 0, root, 2)
    for frames, agrees in (([row], True), ([row, b"Lund,nobody\r\n"], False), ([b"Lund,nobody\r\n"], False)):
        received = Received("text/csv", ())
        await received.frames(frames)
        assert await received.agrees(said, key) is agrees
    with pytest.raises(NoLabels):
        Received("application/pdf", ())


async def test_a_subscription_to_rows_about_people_carries_labels_too(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:2]), roles=ROLES)
    attempt = Following(world)
    keys = keys_of(attempt)
    running = attempt.start(bounds=Bounds(rows=4))
    await attempt.acknowledged(2)
    world.append(table(PEOPLE[0], PEOPLE[2]))
    row = await running
    assert (row.state, row.rows) == ("COMPLETED", 4)
    sets = [{label(world, attempt.exchange, PEOPLE[at]) for at in which} for which in ((0, 1), (2,))]
    roots = [leaf["labels"] for leaf in leaves(world.consumer, "ack")]
    assert roots == [padded_root(members, key).hex() for members, key in zip(sets, keys, strict=True)]
    everything = padded_root(sets[0] | sets[1], keys[-1], PAD_EXCHANGE).hex()
    assert leaves(world.provider, "receipt")[0]["labels"] == everything
    assert leaves(world.consumer, "receipt")[0]["labels"] == everything


async def test_a_subscription_to_people_who_are_still_to_come_begins_with_the_header(
    world: TableWorld,
) -> None:
    world.publish(table(*PEOPLE[:2]), roles=ROLES)
    attempt = Following(world)
    selection = {"where": [{"column": "income", "op": "gteq", "value": 500}]}
    running = attempt.start(bounds=Bounds(rows=1), selection=selection)
    opened = await attempt.opened()
    assert (opened.rows, opened.position) == (0, 0)
    world.append(HEAD + lines((PEOPLE[3], "Lund", 900)))
    await running
    assert [row["town"] for row in rows(attempt.received())] == ["Lund"]


async def test_json_lines_carry_the_label_as_a_member(world: TableWorld) -> None:
    content = b'{"pid": 17, "town": "Lund"}\n{"pid": 18, "town": "Malmo"}\n'
    world.publish(content, roles=ROLES, name="people.jsonl")
    attempt = Fetching(world)
    row = await attempt.start()
    assert row.state == "COMPLETED"
    found = [json.loads(line) for line in attempt.received().splitlines()]
    assert [set(each) for each in found] == [{"town", LABEL_COLUMN}] * 2
    assert [bytes.fromhex(each[LABEL_COLUMN]) for each in found] == [
        label(world, attempt.exchange, who) for who in ("17", "18")
    ]


async def test_rows_about_people_are_not_answered_in_a_query_session(world: TableWorld) -> None:
    world.publish(table(*PEOPLE[:2]), roles=ROLES)
    with pytest.raises(Denied) as denied:
        await Fetching(world).start(mode="query")
    assert denied.value.reason == "QUERY_ABOUT_PEOPLE"
    assert kinds(world.provider) == ["denial"]


async def test_a_file_about_people_is_not_released(world: TableWorld) -> None:
    world.publish_file(b"%PDF: a list of names", about_people=True)
    with pytest.raises(Denied) as denied:
        await Fetching(world).start()
    assert denied.value.reason == "NOT_RELEASABLE"
    assert kinds(world.provider) == ["denial"]


async def test_a_table_about_people_that_does_not_say_whom_is_not_released(world: TableWorld) -> None:
    digest = world.publish(table(*PEOPLE[:2]))
    world.provider.writer.submit(
        lambda transaction: transaction.sqlite.execute("UPDATE dataset SET about_people = 1")
    ).result()
    assert digest
    with pytest.raises(Denied) as denied:
        await Fetching(world).start()
    assert denied.value.reason == "NOT_RELEASABLE"


@pytest.mark.parametrize(
    "asked",
    [
        {"columns": ["pid"]},
        {"where": [{"column": "pid", "op": "eq", "value": PEOPLE[0]}]},
        {"order": [{"column": "pid"}]},
        {"columns": [LABEL_COLUMN]},
    ],
)
async def test_nobody_is_looked_up_by_their_id(world: TableWorld, asked: Any) -> None:
    world.publish(table(*PEOPLE[:2]), roles=ROLES)
    with pytest.raises(Denied) as denied:
        await Fetching(world).start(selection=asked)
    assert denied.value.reason == "BAD_SELECTION"
    assert PEOPLE[0] not in str(denied.value)


async def test_nothing_personal_stands_in_a_leaf_a_log_line_an_error_or_a_shared_row(
    world: TableWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.publish(table(*PEOPLE, wide=True), roles=ROLES)
    attempt = Fetching(world)
    frames = 0

    def break_off(message: Any) -> Any:
        nonlocal frames
        frames += isinstance(message, Frame)
        if frames == 3:
            attempt.consumer_end.hang_up()
        return message

    attempt.provider_end.tamper = break_off
    with pytest.raises(BylagError) as broken:
        await attempt.start()
    await Fetching(world, attempt.exchange).start(resume=True)
    following = Following(world)
    running = following.start(bounds=Bounds(rows=6))
    await following.acknowledged(5)
    world.append(table(PEOPLE[0]))
    await running
    persons = world.provider.ground.people.find(None, PEOPLE)
    personal = [*PEOPLE, *(person.handle for person in persons.values())]
    personal += [person.secret.hex() for person in persons.values()]
    told = caplog.text + str(broken.value) + repr(broken.value) + repr(persons)
    for party in world.parties.values():
        told += json.dumps(party.leaves())
        with party.database.read_sqlite() as connection:
            for _, row in side.rows_of(connection, party.chest, side.SHARED):
                told += json.dumps(row)
    told = told.replace(repr(persons), "")
    assert [each for each in personal if each in told] == []
    with world.consumer.database.read_sqlite() as connection:
        holders = {holder for (holder,) in connection.execute("SELECT holder FROM side_row")}
    assert holders == {side.SHARED}


async def test_what_is_sent_to_the_consumer_holds_no_id_and_no_handle(world: TableWorld) -> None:
    world.publish(table(*PEOPLE), roles=ROLES)
    attempt = Fetching(world)
    sent: list[bytes] = []

    def keep(message: Any) -> Any:
        if isinstance(message, Frame):
            sent.append(bytes(message.data))
        elif isinstance(message, Signed):
            sent.append(message.document.payload + json.dumps(message.opening).encode())
        return message

    attempt.provider_end.tamper = keep
    await attempt.start()
    persons = world.provider.ground.people.find(None, PEOPLE)
    said = b"".join(sent)
    for who in PEOPLE:
        assert who.encode() not in said
        assert persons[who].handle.encode() not in said
        assert persons[who].secret.hex().encode() not in said


async def test_after_an_erasure_nothing_finds_the_person_and_every_proof_still_holds(
    world: TableWorld,
) -> None:
    world.publish(table(*PEOPLE[:3]), roles=ROLES)
    attempt = Fetching(world)
    await attempt.start()
    provider = world.provider
    erased, kept = PEOPLE[0], PEOPLE[1]
    person = provider.ground.people.find(None, [erased])[erased]
    its_label = member_label(person.secret, attempt.exchange)
    before = [leaf for leaf in provider.leaves() if leaf["type"] == "commit"]

    def erase(transaction: Any) -> str | None:
        provider.ground.people.forget(transaction, person.handle)
        return provider.ground.people.renew_index(transaction)

    assert _opens(provider, erased, person.secret)
    old = provider.writer.submit(erase).result()
    assert old is not None
    for holder in (person.handle, old):
        provider.chest.destroy(holder)
    provider.chest.rewrap(b"v" * 32)
    with provider.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    assert not _opens(provider, erased, person.secret)
    assert _opens(provider, kept, provider.ground.people.find(None, [kept])[kept].secret)
    for path in provider.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert person.secret not in data
            assert person.handle.encode() not in data
            assert erased.encode() not in data
    with provider.database.read_sqlite() as reading:
        root, proof = labels.proof(reading, (attempt.exchange, 1, 1), its_label)
    assert root == before[0]["labels"]
    assert check(bytes.fromhex(root), its_label, proof) == b""
    again = provider.ground.people.find(None, [erased])[erased]
    assert again.handle != person.handle
    assert again.secret != person.secret


def _opens(party: Party, subject: str, secret: bytes) -> bool:
    """Whether trying an id finds a mark in the person table, with every key that the chest has now."""
    with party.database.read_sqlite() as connection:
        marks = {mark for (mark,) in connection.execute("SELECT mark FROM person")}
        holder, nonce, box = connection.execute("SELECT holder, nonce, box FROM person_index").fetchone()
    index = party.chest.existing(holder).decrypt(nonce, box, b"bylag/person-index/v1 " + holder.encode())
    tried = b"bylag/person-index/v1 " + (0).to_bytes(4, "big") + subject.encode()
    return hmac.digest(index, tried, "sha256") in marks


async def test_whoever_was_erased_meanwhile_gets_no_new_key_with_a_record(world: TableWorld) -> None:
    provider = world.provider
    person = provider.ground.people.find(None, PEOPLE[:1])[PEOPLE[0]]
    provider.chest.destroy(person.handle)

    def record(transaction: Any) -> None:
        provider.ground.recorder.record(
            transaction, "notice", Scope(), people={person.handle: {"label": "00"}}
        )

    with pytest.raises(side.KeyErased):
        provider.writer.submit(record).result()
    with pytest.raises(side.KeyErased):
        provider.chest.existing(person.handle)


async def test_one_id_at_two_controllers_is_two_persons(world: TableWorld) -> None:
    people = world.provider.ground.people
    found = [
        await asyncio.to_thread(people.find, unit, PEOPLE[:1])
        for unit in (None, UnitId("school"), UnitId("care"), UnitId("school"))
    ]
    handles = [each[PEOPLE[0]].handle for each in found]
    assert len(set(handles)) == 3
    assert handles[1] == handles[3]


async def test_many_people_at_once_are_each_given_one_place(world: TableWorld) -> None:
    many = [f"{number:08d}" for number in range(5000)]
    first = await asyncio.to_thread(world.provider.ground.people.find, None, many + many)
    second = await asyncio.to_thread(world.provider.ground.people.find, None, reversed(many))
    assert first == second
    assert len({person.handle for person in first.values()}) == 5000


def test_a_leaf_says_how_many_people_only_as_a_power_of_two() -> None:
    assert [labels.bucket(number) for number in (0, 1, 2, 3, 5, 64, 65, 1000)] == [
        0,
        1,
        2,
        4,
        8,
        64,
        128,
        1024,
    ]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (b"a,b\r\n", "text/csv"),
        (b"a," + b"A" * 32 + b"\r\n", "text/csv"),
        (b'a,"' + b"a" * 32, "text/csv"),
        (b"\xff," + b"a" * 32, "text/csv"),
        (b"town,other\r\n", "text/csv"),
        (b"{}\n", "application/x-ndjson"),
        (b'{"bylag_label": 5}\n', "application/x-ndjson"),
        (
            b'{"bylag_label": "' + b"a" * 32 + b'", "bylag_label": "' + b"b" * 32 + b'"}\n',
            "application/x-ndjson",
        ),
        (b"[1]\n", "application/x-ndjson"),
        (b"\xff\n", "application/x-ndjson"),
    ],
)
def test_rows_without_a_label_each_are_not_taken_for_labelled(data: bytes, media_type: str) -> None:
    with pytest.raises(NoLabels):
        labels_in(data, media_type, header=data.startswith(b"town"))


def test_labels_are_read_whatever_else_a_row_holds() -> None:
    one, two = "ab" * 16, "cd" * 16
    data = f'town,{LABEL_COLUMN}\r\n"a, ""b""\nc",{one}\r\n,{two}\r\n'.encode()
    assert labels_in(data, "text/csv", header=True) == [bytes.fromhex(one), bytes.fromhex(two)]

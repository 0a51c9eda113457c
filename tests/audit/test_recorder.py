"""Records: what stands in a leaf, what opens it, and the chains that they make, whatever fails meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.audit.scope import Counterpart, Scope
from connector.store.tables import CounterRow, PeerRow
from connector.store.writer import Transaction
from ledger import log
from ledger.ambient import HeldAmbient
from ledger.canonical import JSONObject, encode
from ledger.commitment import opens, read_opening
from ledger.document import sign
from ledger.errors import BylagError
from ledger.fsck import check_all
from ledger.leaf import InvalidLeaf
from ledger.names import AgreementId, ExchangeId, NegotiationId, UnitId
from tests.audit.house import CITY, COMPANY, PERSON, House

AGREEMENT = AgreementId("agreement-7")
MESSAGE = sign({"type": "note", "version": 1, "text": "said"}, Ed25519PrivateKey.generate())
ANSWER = sign({"type": "note", "version": 1, "text": "heard"}, Ed25519PrivateKey.generate())
WITH_COMPANY = Scope(
    Counterpart(COMPANY, unit=UnitId("sales")), UnitId("energy"), AGREEMENT, exchange=ExchangeId("exchange-7")
)
WITH_PERSON = Scope(
    Counterpart(PERSON, is_person=True),
    UnitId("energy"),
    AgreementId("agreement-of-a-person"),
    NegotiationId("negotiation-of-a-person"),
    ExchangeId("exchange-of-a-person"),
    1,
)


class Undone(BylagError):
    code = "UNDONE"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path / "city")
    yield house
    house.stop()


def recorded(house: House, scope: Scope, kind: str = "access", **named: Any) -> dict[str, Any]:
    house.do(lambda tx: house.recorder.record(tx, kind, scope, **named))
    return house.leaves()[-1]


# --- what stands in it ----------------------------------------------------------------------


def test_with_an_organisation_a_leaf_names_it_and_keeps_the_messages_whole_beside(house: House) -> None:
    leaf = recorded(house, WITH_COMPANY, said=MESSAGE, heard=ANSWER, side_row={"words": "free text"})
    assert (leaf["by"], leaf["with"], leaf["with_unit"]) == ({"org": CITY}, {"org": COMPANY}, "sales")
    assert (leaf["agreement"], leaf["exchange"], leaf["unit"]) == (AGREEMENT, "exchange-7", "energy")
    assert leaf["message"] == MESSAGE.digest
    assert leaf["counterpart"]["message"] == ANSWER.digest
    row = house.rows()[2]
    assert (row["said"]["jws"], row["heard"]["jws"], row["words"]) == (MESSAGE.jws, ANSWER.jws, "free text")
    assert "free text" not in str(leaf)


def test_with_a_person_everything_that_leads_to_them_is_committed_to_and_the_row_is_theirs(
    house: House,
) -> None:
    leaf = recorded(
        house,
        WITH_PERSON,
        said=MESSAGE,
        heard=ANSWER,
        members={
            "code": "PERMITTED",
            "contract": "ab" * 32,
            "refers": "cd" * 32,
            "peer_head": {"origin": "guest/log", "size": 3, "root": "ef" * 32},
        },
    )
    for secret in (
        PERSON,
        PERSON[6:],
        "agreement-of-a-person",
        "negotiation-of-a-person",
        "exchange-of-a-person",
        MESSAGE.digest,
        ANSWER.digest,
        ANSWER.jws.rpartition(".")[2],
        "ab" * 32,
        "cd" * 32,
        "guest/log",
    ):
        assert secret not in str(leaf)
    assert house.rows() == {}
    openings = house.rows(PERSON)[2]["openings"]
    assert set(openings) == {
        "with", "agreement", "negotiation", "exchange", "message", "counterpart", "contract", "refers",
        "peer_head",
    }  # fmt: skip


def test_each_commitment_opens_to_what_was_left_out_of_the_leaf(house: House) -> None:
    recorded(house, WITH_PERSON, said=MESSAGE)
    leaf = recorded(house, WITH_PERSON, said=MESSAGE)
    openings = house.rows(PERSON)[3]["openings"]
    expected: JSONObject = {
        "with": {"org": PERSON},
        "agreement": "agreement-of-a-person",
        "message": MESSAGE.digest,
        "aprev": house.entries()[2].hash.hex(),
    }
    for name, value in openings.items():
        opening = read_opening(name, value)
        assert opens(opening, leaf[name]["commitment"])
        if name in expected:
            assert opening.value == encode(expected[name])
    assert expected.keys() <= openings.keys()


def test_the_same_event_twice_gives_commitments_that_have_nothing_in_common(house: House) -> None:
    first, second = (recorded(house, WITH_PERSON, said=MESSAGE) for _ in range(2))
    for name in ("with", "agreement", "message", "exchange"):
        assert first[name] != second[name]


def test_a_persons_own_log_has_its_writer_as_one_commitment_throughout(tmp_path: Path) -> None:
    house = House(tmp_path / "person", PERSON, is_person=True)
    try:
        house.note(2)
        house.restart()
        house.note()
        leaves = house.leaves()
        assert len({str(leaf["by"]) for leaf in leaves}) == 1
        assert set(leaves[0]["by"]) == {"commitment"}
        assert PERSON[6:] not in str(leaves[1:])
        opening = read_opening("by", house.rows()[0]["openings"]["by"])
        assert opens(opening, leaves[0]["by"]["commitment"])
    finally:
        house.stop()


def test_a_decision_commits_to_its_input_and_keeps_it_beside(house: House) -> None:
    question: JSONObject = {"now": 1, "who": "a random handle"}
    result: JSONObject = {"allow": True}
    house.do(
        lambda tx: house.recorder.record_decision(
            tx, WITH_COMPANY, recorded_input=question, result=result, members={"code": "PERMITTED"}
        )
    )
    leaf, row = house.leaves()[-1], house.rows()[2]
    assert (row["input"], row["result"]) == (question, result)
    opening = read_opening("input", row["openings"]["input"])
    assert opening.value == encode(question)
    assert opens(opening, leaf["input"]["commitment"])
    assert "random handle" not in str(leaf)


def test_what_may_not_stand_in_a_leaf_is_refused_and_nothing_of_it_is_kept(house: House) -> None:
    for members in ({"code": "free text, with a name"}, {"name": "Anna"}, {"purpose": "x" * 3000}):
        with pytest.raises(InvalidLeaf):
            recorded(house, WITH_COMPANY, members=members, side_row={"words": "beside"})
    assert len(house.leaves()) == 2
    assert house.rows() == {}


# --- chains --------------------------------------------------------------------------------


SCOPES = (
    Scope(),
    Scope(Counterpart(COMPANY)),
    WITH_COMPANY,
    WITH_PERSON,
    Scope(Counterpart(PERSON, is_person=True)),
)


def test_chains_have_no_gap_when_many_jobs_run_at_once_and_some_fail_anywhere(house: House) -> None:
    """Each job records twice and touches the store in one of three ways; every third is undone."""
    dice = HeldAmbient(seed=7)
    promised: list[tuple[int, int]] = []

    def job(number: int) -> Any:
        scope, how, fails = SCOPES[number % len(SCOPES)], dice.random(1)[0] % 4, number % 3 == 0

        def run(transaction: Transaction) -> tuple[int, int]:
            number_promised = house.recorder.next_record(transaction, scope)
            first = house.recorder.record(transaction, "access", scope, members={"code": "FIRST"})
            if how == 1:
                transaction.session.add(PeerRow(id=f"did:web:m{number}.example"))
            elif how == 2:
                transaction.sqlite.execute(
                    "INSERT INTO counter (agreement, name, value) VALUES (?, 'count', 1)", (str(number),)
                )
            second = house.recorder.record(
                transaction, "access", scope, members={"code": "SECOND"}, side_row={"number": number}
            )
            assert second.aseq == first.aseq + 1
            if fails:
                if how == 3:
                    house.recorder.record(transaction, "access", scope, members={"code": "no code"})
                raise Undone("undone")
            return number_promised, first.aseq

        return run

    def submit(numbers: range) -> None:
        futures = [house.writer.submit(job(number)) for number in numbers]
        for future in futures:
            try:
                promised.append(future.result())
            except (Undone, InvalidLeaf):
                continue

    threads = [threading.Thread(target=submit, args=(range(at, at + 60),)) for at in range(0, 300, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = sum(1 for number in range(300) if number % 3)
    assert len(promised) == kept
    assert all(said == stood for said, stood in promised)
    assert len(house.leaves()) == 2 + 2 * kept
    house.notary.publish(seal=True)
    with house.database.read_sqlite() as connection:
        assert list(check_all(connection, house.notary.store, house.notary.key)) == []
        chains = dict(log.chains(connection))
        assert sum(head.aseq for head in chains.values()) == len(house.leaves())
        assert PERSON not in str(chains)
        peers = connection.execute("SELECT count(*) FROM peer").fetchone()[0]
        counted = connection.execute("SELECT count(*) FROM counter").fetchone()[0]
    assert 0 < peers + counted <= kept
    rows = house.rows() | house.rows(PERSON)
    assert sorted(row["number"] for row in rows.values() if "number" in row) == [
        number for number in range(300) if number % 3
    ]


def test_a_record_and_the_state_it_records_come_or_go_together(house: House) -> None:
    def half(transaction: Transaction) -> None:
        transaction.session.add(CounterRow(agreement=AGREEMENT, name="count", value=1))
        house.recorder.record(transaction, "access", WITH_COMPANY, members={"code": "FIRST"})
        raise Undone("undone")

    with pytest.raises(Undone):
        house.do(half)
    with house.database.read() as session:
        assert session.get(CounterRow, (AGREEMENT, "count")) is None
    assert len(house.leaves()) == 2
    assert recorded(house, WITH_COMPANY)["aseq"] == 1


def test_a_restart_goes_on_in_every_chain(house: House) -> None:
    for _ in range(2):
        for scope in SCOPES:
            recorded(house, scope)
        house.restart()
    numbers = [leaf["aseq"] for leaf in house.leaves()]
    assert numbers == [1, 2, 3, *[1] * 4, 4, *[2] * 4]


# --- the clock --------------------------------------------------------------------------------


def behind(house: House) -> bool:
    return bool(house.do(house.recorder.clock_is_behind))


def test_a_clock_set_back_behind_the_last_record_is_noticed_until_it_caught_up(house: House) -> None:
    house.note()
    assert not behind(house)
    house.ambient.step(-60_000)
    assert behind(house)
    house.restart()
    assert behind(house)
    house.ambient.advance(60_000)
    assert not behind(house)


def test_records_made_while_the_clock_stands_behind_do_not_hide_it_from_a_restart(house: House) -> None:
    """Denials and Acks are recorded all the same, with the time that the clock shows."""
    house.note()
    house.ambient.step(-60_000)
    house.note(5)
    assert behind(house)
    house.restart()
    assert behind(house)


def test_an_empty_log_is_never_behind(tmp_path: Path) -> None:
    house = House(tmp_path / "new", begun=False)
    try:
        assert not behind(house)
    finally:
        house.stop()

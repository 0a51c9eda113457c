"""A citizen, as a guest of their municipality: gets what anybody may get, and stands in nobody's log."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import BylagError
from tests.e2e.space import Participant, compared, points, reason
from tests.e2e.town import Town


@pytest.fixture(scope="module", autouse=True)
def _benches(town: Town) -> None:
    """Open data, for which a person at the municipality approves each agreement."""
    town.strandby.publish("benches", town.table, approval="hand")


def test_a_citizen_asks_is_approved_by_hand_fetches_uses_and_ends_it(town: Town, tmp_path: Path) -> None:
    municipality, citizen = town.strandby, town.citizen
    asked = citizen.ask(
        "negotiate", provider=municipality.did, dataset="benches", wait=0, words="For my walk with the dog."
    )
    waiting = municipality.ask("await-negotiation", state="REQUESTED", wait=20)
    assert waiting["peer"] == citizen.did
    municipality.ask(
        "approve",
        negotiation=waiting["negotiation"],
        actor="Clerk at the parks office",
        mandate="Delegation order, section 9",
        words="Enjoy the shade.",
    )
    agreed = citizen.ask("await-negotiation", negotiation=asked["negotiation"], state="FINALIZED", wait=20)
    assert "Enjoy the shade." in {message.get("words") for message in agreed["messages"]}

    fetched = citizen.ask("fetch", agreement=agreed["agreement"])
    assert (fetched["state"], fetched["rows"]) == ("COMPLETED", 2_000)
    assert citizen.use(fetched["exchange"], tmp_path / "benches.csv") == town.table.read_bytes()
    with pytest.raises(BylagError) as denied:
        citizen.ask("fetch", agreement=agreed["agreement"], purpose="Marketing")
    assert reason(denied.value) == "PURPOSE_BEYOND_AGREEMENT"

    citizen.ask(
        "terminate-agreement", agreement=agreed["agreement"], code="OTHER", words="The dog has moved away."
    )
    municipality.until("agreement", lambda held: held["state"] == "terminated", agreement=agreed["agreement"])
    judged = town.space.verify(municipality, citizen, about=citizen)
    assert points(judged) == [], "nothing is undetermined"
    assert compared(judged)["facts"]["exchanges"] >= 1
    assert citizen.types(fetched["exchange"]).count("seal") == 2
    cosigned_each_other(municipality, citizen)
    # To everybody else the same records say nothing of them, and are closed.
    others = points(town.space.verify(municipality))
    assert len(others) == 1
    assert "their chains are closed" in others[0]


def test_a_citizen_whom_nobody_vouches_for_any_more_gets_nothing_and_may_still_end_it(town: Town) -> None:
    municipality = town.strandby
    guest = town.space.add_guest("Resident 4712", municipality)
    guest.start()
    asked = guest.ask("negotiate", provider=municipality.did, dataset="benches", wait=0)
    waiting = municipality.ask("await-negotiation", state="REQUESTED", wait=20)
    municipality.ask("approve", negotiation=waiting["negotiation"])
    agreed = guest.ask("await-negotiation", negotiation=asked["negotiation"], state="FINALIZED", wait=20)
    agreement = agreed["agreement"]
    assert guest.ask("fetch", agreement=agreement)["state"] == "COMPLETED"
    municipality.ask("end-guest", handle=guest.did)
    with pytest.raises(BylagError) as denied:
        guest.ask("fetch", agreement=agreement)
    assert reason(denied.value) == "NOT_ACTIVE"
    guest.ask("terminate-agreement", agreement=agreement, code="OTHER", words="I was sent away.")
    municipality.until("agreement", lambda held: held["state"] == "terminated", agreement=agreement)


def cosigned_each_other(municipality: Participant, citizen: Participant) -> None:
    """Each cosigned the other's checkpoint, and nothing of the citizen's stands where others see it."""
    origin = str(citizen.leaves()[0]["origin"])
    ((size, note),) = rows(municipality, "SELECT size, note FROM cosigned WHERE holder = ?", citizen.did)
    assert note.startswith(origin.encode())
    assert (size,) in rows(citizen, "SELECT size FROM cosignature")
    cosigners = rows(municipality, "SELECT DISTINCT name FROM cosignature WHERE holder = ?", citizen.did)
    assert cosigners == [(f"{origin}/witness",)]
    shown = [path.read_bytes() for path in municipality.home.log.rglob("*") if path.is_file()]
    assert shown
    assert not any(origin.encode() in each for each in shown)


def rows(participant: Participant, query: str, *values: str) -> list[tuple[Any, ...]]:
    """What stands in a participant's database now."""
    connection = sqlite3.connect(f"file:{participant.home.database}?mode=ro", uri=True)
    try:
        return connection.execute(query, values).fetchall()
    finally:
        connection.close()

"""A citizen, as a guest of their municipality: gets what anybody may get, and stands in nobody's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import BylagError
from tests.e2e.space import reason
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
    town.space.verify(municipality, citizen)


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

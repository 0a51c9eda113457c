"""A citizen, as a guest of their municipality: gets what anybody may get, and stands in nobody's log."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import BylagError
from tests.e2e.space import reason, until
from tests.e2e.town import Town


def test_a_citizen_asks_is_approved_by_hand_fetches_uses_and_ends_it(town: Town, tmp_path: Path) -> None:
    municipality, citizen = town.strandby, town.citizen
    municipality.publish("benches", town.table, approval="hand")
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
        words="Enjoy the benches.",
    )
    agreed = citizen.ask("await-negotiation", negotiation=asked["negotiation"], state="FINALIZED", wait=20)
    assert "Enjoy the benches." in {message.get("words") for message in agreed["messages"]}

    fetched = citizen.ask("fetch", agreement=agreed["agreement"])
    assert (fetched["state"], fetched["rows"]) == ("COMPLETED", 2_000)
    assert citizen.use(fetched["exchange"], tmp_path / "benches.csv") == town.table.read_bytes()
    with pytest.raises(BylagError) as denied:
        citizen.ask("fetch", agreement=agreed["agreement"], purpose="Marketing")
    assert reason(denied.value) == "PURPOSE_NOT_PERMITTED"

    citizen.ask(
        "terminate-agreement", agreement=agreed["agreement"], code="OTHER", words="The dog has moved away."
    )
    municipality.until("agreement", lambda held: held["state"] == "terminated", agreement=agreed["agreement"])
    town.space.verify(municipality, citizen)


def test_a_citizen_whom_nobody_vouches_for_any_more_gets_nothing(town: Town) -> None:
    municipality = town.strandby
    guest = town.space.add_guest("Resident 4712", municipality)
    guest.start()
    agreement = guest.agree(municipality, "squares")
    assert guest.ask("fetch", agreement=agreement)["state"] == "COMPLETED"
    municipality.ask("end-guest", handle=guest.did)
    with pytest.raises(BylagError) as denied:
        guest.ask("fetch", agreement=agreement)
    assert reason(denied.value) == "NOT_ACTIVE"
    # what protects them still gets through: the end of the agreement
    guest.ask("terminate-agreement", agreement=agreement, code="OTHER", words="I was sent away.")
    until(
        lambda: municipality.ask("agreement", agreement=agreement)["state"],
        lambda state: state == "terminated",
    )

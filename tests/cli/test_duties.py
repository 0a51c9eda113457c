"""Duties with the command alone: consent that comes first, a deletion that is attested, a remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.cli import wording
from connector.control.operations import duties as operations
from tests.cli.conftest import ALFA, Space

PAY = {"leftOperand": "payAmount", "operator": "eq", "rightOperand": 500, "unit": "urn:iso:4217:SEK"}
POLICY = {
    "@context": "http://www.w3.org/ns/odrl.jsonld",
    "@type": "Offer",
    "permission": [
        {
            "action": "use",
            "duty": [
                {"@id": "urn:x:consent", "action": "obtainConsent"},
                {
                    "@id": "urn:x:delete",
                    "action": "delete",
                    "constraint": [{"leftOperand": "elapsedTime", "operator": "lteq", "rightOperand": "P5D"}],
                },
            ],
        }
    ],
    "prohibition": [
        {
            "@id": "urn:x:sale",
            "action": "sell",
            "remedy": [
                {
                    "@id": "urn:x:fine",
                    "action": {"rdf:value": {"@id": "compensate"}, "refinement": [PAY]},
                }
            ],
        }
    ],
}


@pytest.fixture(scope="module")
def owing(space: Space) -> str:
    """An agreement whose policy asks for consent before, and for deletion after, each fetch."""
    (space.folder / "owing.json").write_text(json.dumps(POLICY))
    table = space.folder / "hours.csv"
    table.write_text("hour\n1\n2\n")
    space.bylag("publish", str(table), "--home", "alfa", "-d", "hours", "--policy", "owing.json")
    return str(space.bylag.json("negotiate", ALFA, "hours", "--home", "beta")["agreement"])


def owed(space: Space, home: str, uid: str, *options: str) -> Any:
    (found,) = [
        each for each in space.bylag.json("duties", "list", "--home", home, *options) if each["uid"] == uid
    ]
    return found


def test_consent_comes_first_is_reported_rejected_and_accepted(space: Space, owing: str) -> None:
    here, there = (owed(space, home, "urn:x:consent", "--open") for home in ("alfa", "beta"))
    assert (here["duty"], here["state"], here["mine"]) == (there["duty"], "pending", False)
    assert there["mine"]
    space.bylag("fetch", owing, "--home", "beta", status=None).refused("DUTY_COMES_FIRST", 3)
    reported = space.bylag.json(
        "duties", "done", there["duty"], "--home", "beta", "--reference", "register entry 12"
    )
    assert reported["state"] == "reported"
    space.bylag("duties", "done", there["duty"], "--home", "beta", status=None).refused("CANNOT_REPORT", 1)
    rejected = space.bylag(
        "duties", "reject", there["duty"], "--home", "alfa", "--code", "NO_EVIDENCE", "--words", "Of whom?"
    )
    assert "open" in rejected.out
    space.bylag("duties", "done", there["duty"], "--home", "beta")
    accepted = space.bylag.json("duties", "accept", there["duty"], "--home", "alfa")
    assert (accepted["state"], accepted["accepted"]) == ("fulfilled", True)


def test_a_deletion_is_attested_and_nothing_opens_the_delivery_again(space: Space, owing: str) -> None:
    fetched = space.bylag.json("fetch", owing, "--home", "beta")
    delivery, purpose = fetched["exchange"], fetched["purpose"]
    assert owed(space, "alfa", "urn:x:delete")["exchange"] == delivery
    assert "due soon" in space.bylag("duties", "list", "--open", "--home", "beta").out
    assert space.bylag.json("status", "--home", "beta")["duties"] == {"overdue": 0, "soon": 1}
    assert "due within a week" in space.bylag("doctor", "--home", "beta", status=None).out
    assert space.bylag("use", delivery, "--purpose", purpose, "--home", "beta").out == "hour\n1\n2\n"
    gone = space.bylag.json("discard", delivery, "--home", "beta")
    assert len(gone["reported"]) == 1
    again = space.bylag("use", delivery, "--purpose", purpose, "--home", "beta", status=None)
    again.refused("DISCARDED", again.status)
    again = space.bylag("discard", delivery, "--home", "beta", status=None)
    again.refused("DISCARDED", again.status)
    space.bylag("fetch", "--resume", delivery, "--home", "beta", status=None).refused(
        "DISCARDED", again.status
    )
    assert "discarded" in space.bylag("deliveries", "--home", "beta").out
    assert "attested by the other side" in space.bylag("duties", "list", "--home", "alfa").out
    assert owed(space, "alfa", "urn:x:delete")["attested"]


def test_what_was_infringed_brings_its_remedy(space: Space, owing: str) -> None:
    wrong = space.bylag("duties", "infringed", owing, "urn:x:other", "--home", "alfa", status=None)
    wrong.refused("ILLEGAL_MOVE", wrong.status)
    space.bylag("duties", "infringed", owing, "urn:x:sale", "--home", "alfa", "--words", "Seen on 3 July.")
    fine = owed(space, "beta", "urn:x:fine")
    assert (fine["kind"], fine["mine"], fine["state"]) == ("remedy", True, "pending")
    little = space.bylag("duties", "done", fine["duty"], "--amount", "499", "--home", "beta", status=None)
    little.refused("NOT_ENOUGH", little.status)
    paid = space.bylag.json("duties", "done", fine["duty"], "--amount", "500", "--home", "beta")
    assert (paid["state"], paid["amount"]) == ("reported", 500)


def test_the_ledger_tells_of_duties_in_words_and_verifies(space: Space, owing: str) -> None:
    told = space.bylag("ledger", "show", "--agreement", owing, "--last", "200", "--home", "alfa").out
    for words in ("a duty arose", "a duty was reported as done", "a report of a duty was accepted"):
        assert words in told
    for home in ("alfa", "beta"):
        assert space.bylag.json("ledger", "verify", "--home", home)["wrong"] == []


def test_a_decision_with_duties_is_replayed_to_the_same_answer(space: Space, owing: str) -> None:
    records = space.bylag.json("ledger", "show", "--agreement", owing, "--last", "200", "--home", "alfa")
    decided = [record for record in records if record["leaf"]["type"] in ("decision", "denial")]
    assert {record["leaf"]["code"] for record in decided} >= {"PERMITTED", "DUTY_COMES_FIRST"}
    for record in decided:
        replayed = space.bylag.json("audit", "replay", str(record["index"]), "--home", "alfa")
        assert replayed["same"] is True, replayed


def test_the_codes_offered_are_those_that_can_be_sent() -> None:
    assert wording.REJECTIONS == operations.REJECTIONS

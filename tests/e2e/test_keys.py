"""Keys rotated while every connector runs: used once a list names them, known to whoever meets them."""

from __future__ import annotations

from typing import Any

import pytest

from connector.identity import change
from connector.identity.enrolment import read_rotation
from ledger.document import from_base64url
from tests.e2e.space import Participant, Space


@pytest.fixture
def space(make_space: Any) -> Space:
    """A provider with a small table, a consumer that takes calls, and one that does not."""
    space: Space = make_space()
    provider = space.add("Rotby", "municipality")
    consumers = space.add("Fast"), space.add("Quiet", inbound=False)
    space.hand_out()
    space.start(provider, *consumers)
    table = space.folder / "table.csv"
    table.write_text("number\n1\n2\n")
    provider.publish("numbers", table)
    return space


def rotate(participant: Participant, use: str, **changed: Any) -> tuple[str, change.Change]:
    """Make the next key, and the change that lists it; gives the key's name too."""
    asked = participant.ask("rotate-key", use=use)
    return asked["key"], change.rotate(read_rotation(from_base64url(asked["request"])), **changed)


def takes_into_use(participant: Participant, use: str, key: str) -> None:
    wanted = {"use": use, "which": "current", "thumbprint": key}
    participant.until("keys", lambda keys: any(wanted.items() <= each.items() for each in keys))


def test_a_signing_key_is_used_once_a_list_names_it_also_with_peers_who_lack_that_list(space: Space) -> None:
    """Whoever meets an unknown key fetches the list that its holder names, before anything is decided."""
    provider, fast, quiet = space.participants
    agreements = {consumer.name: consumer.agree(provider, "numbers") for consumer in (fast, quiet)}
    for holder in (provider, fast, quiet):
        consumers = (fast, quiet) if holder is provider else (holder,)
        key, rotation = rotate(holder, "sign")
        space.publish_list(rotation, holder)
        takes_into_use(holder, "sign", key)
        for consumer in consumers:
            fetched = consumer.insist("fetch", agreement=agreements[consumer.name])
            assert fetched["state"] == "COMPLETED"
            assert consumer.types(fetched["exchange"]).count("seal") == 2
        provider.until("members", lambda held: held["number"] == space.registrar.current.number)
    assert quiet.agree(provider, "numbers")
    space.verify(provider, fast)
    space.verify(provider, quiet)


def test_a_guest_is_let_in_after_their_controller_changed_the_key_that_issued_their_certificate(
    space: Space,
) -> None:
    provider, *_ = space.participants
    guest = space.add_guest("Resident 4713", provider)
    guest.start()
    asked = guest.ask("negotiate", provider=provider.did, dataset="numbers", wait=0)
    waiting = provider.ask("await-negotiation", state="REQUESTED", wait=20)
    provider.ask("approve", negotiation=waiting["negotiation"])
    agreed = guest.ask("await-negotiation", negotiation=asked["negotiation"], state="FINALIZED", wait=20)
    key, rotation = rotate(provider, "tls", overlap=0)
    space.publish_list(rotation, guest, provider)
    takes_into_use(provider, "tls", key)
    fetched = guest.insist("fetch", agreement=agreed["agreement"])
    assert fetched["state"] == "COMPLETED"
    assert guest.types(fetched["exchange"]).count("seal") == 2


def test_a_key_that_ended_was_replaced_without_a_restart(space: Space) -> None:
    """The old key is good no longer, from this list on: who still used it would be refused."""
    provider, fast, _ = space.participants
    agreement = fast.agree(provider, "numbers")
    for use in ("sign", "tls", "witness"):
        for holder in (provider, fast):
            key, rotation = rotate(holder, use, overlap=0)
            space.publish_list(rotation, provider, fast)
            takes_into_use(holder, use, key)
            fetched = fast.insist("fetch", agreement=agreement)
            assert fetched["state"] == "COMPLETED"
            assert fast.types(fetched["exchange"]).count("seal") == 2
    space.verify(provider, fast)

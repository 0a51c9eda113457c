"""Membership lists between processes: newer ones travel, expired ones stop, two of one number too."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connector.identity import change
from connector.identity.registrar import Registrar
from ledger.ambient import SystemAmbient
from ledger.document import to_base64url
from ledger.errors import BylagError
from ledger.names import AgreementId
from tests.e2e.space import Participant, Space, reason, until
from tests.e2e.wire import member

STOPPED = {"NOT_ACTIVE", "LIST_EXPIRED", "LIST_MISMATCH", "EQUIVOCATION"}
"""How it is told that the list held stops everything: at the gate, in a Denial, or at home."""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A provider with a small table, a consumer that takes calls, and one that does not."""
    space = Space(tmp_path_factory.mktemp("lists") / "space")
    try:
        yield populated(space)
    finally:
        space.end()


def populated(space: Space) -> Space:
    provider, open_one, closed_one = (
        space.add("Holmby", "municipality"),
        space.add("Open"),
        space.add("Closed", inbound=False),
    )
    space.hand_out()
    space.start(provider, open_one, closed_one)
    table = space.folder / "table.csv"
    table.write_text("number\n1\n2\n")
    provider.publish("numbers", table)
    return space


def test_a_newer_list_travels_over_a_line_that_is_open_whoever_opened_it(space: Space) -> None:
    provider, open_one, closed_one = space.participants
    for first, second in ((closed_one, provider), (provider, closed_one), (open_one, provider)):
        open_one.agree(provider, "numbers")
        closed_one.agree(provider, "numbers")
        newest = space.publish_list(change.renew(), first)
        second.until("members", lambda held: held["number"] == newest)  # noqa: B023  # asked within the turn


async def test_a_newer_list_that_a_request_names_is_fetched_before_anything_is_decided(
    space: Space, open_agreement: AgreementId
) -> None:
    provider, consumer, _ = space.participants
    async with member(consumer) as caller:
        await caller.serve()
        space.registrar.publish(change.renew())
        await caller.ask("update-list", file=space.newest_list())
        newest = space.registrar.current.number
        assert (await asyncio.to_thread(provider.ask, "members"))["number"] == newest - 1
        assert (await caller.fetch(open_agreement)).state == "COMPLETED"
    assert (await asyncio.to_thread(provider.ask, "members"))["number"] == newest
    offer = [leaf for leaf in provider.leaves() if leaf["type"] == "offer"][-1]
    taken = [leaf for leaf in provider.leaves() if leaf["type"] == "list"][-1]
    assert taken["list"]["number"] == newest
    assert taken["time"] <= offer["time"]


@pytest.fixture
def open_agreement(space: Space) -> Iterator[AgreementId]:
    """An agreement of the consumer that takes calls, whose process stands still meanwhile."""
    provider, consumer, _ = space.participants
    agreement = consumer.agree(provider, "numbers")
    consumer.kill()
    yield AgreementId(agreement)
    consumer.start()


def test_a_data_space_whose_list_expired_denies_until_it_is_renewed(space: Space) -> None:
    provider, consumer, _ = space.participants
    agreement = consumer.agree(provider, "numbers")
    assert consumer.ask("fetch", agreement=agreement)["state"] == "COMPLETED"
    space.publish_list(change.renew(), provider, consumer, lifetime=1_000)
    until(lambda: refusal(consumer, "fetch", agreement=agreement), lambda why: why in STOPPED)
    assert refused_for_good(consumer, agreement)
    releases = provider.leaves()[-1]["time"]
    (listed,) = [each for each in consumer.ask("doctor")["checks"] if each["check"] == "membership list"]
    assert listed["ok"] is False
    assert listed["do"]

    space.publish_list(change.renew(), provider, consumer)
    assert consumer.ask("fetch", agreement=agreement)["state"] == "COMPLETED"
    assert provider.leaves()[-1]["time"] > releases
    space.verify(provider, consumer)


def test_two_lists_of_one_number_stop_whoever_sees_both_also_after_a_restart(
    make_space: Callable[[], Space],
) -> None:
    space = populated(make_space())
    provider, consumer, other = space.participants
    agreement = consumer.agree(provider, "numbers")
    others = other.agree(provider, "numbers")
    forged = forked(space)
    space.publish_list(change.renew(), provider)
    consumer.ask("update-list", file=forged)
    assert provider.ask("members")["number"] == consumer.ask("members")["number"]
    assert provider.ask("members")["hash"] != consumer.ask("members")["hash"]

    until(lambda: refusal(consumer, "fetch", agreement=agreement), lambda why: why in STOPPED)
    until(lambda: contested(provider), bool)
    # whoever holds the provider's list is denied too: the provider has seen both
    other.ask("update-list", file=space.newest_list())
    assert refused_for_good(other, others)
    # and the consumer has seen both when it compares its list with the provider's
    assert refusal(consumer, "update-list", peer=provider.did) == "EQUIVOCATION"
    assert contested(consumer)

    provider.kill()
    provider.start()
    assert contested(provider)
    until(lambda: refusal(other, "fetch", agreement=others), lambda why: why != "UNAVAILABLE")
    assert refused_for_good(other, others)
    assert not [leaf for leaf in provider.leaves() if leaf["type"] in {"offer", "commit"}]


def forked(space: Space) -> str:
    """Another list of the number that comes next, signed with the registrar's good keys."""
    copy = space.folder / "registrar-copy"
    shutil.copytree(space.registrar.folder, copy)
    registrar = Registrar.open(copy, SystemAmbient())
    registrar.publish(change.renew(), lifetime=5 * 24 * 3_600_000)
    return to_base64url(registrar.answer.to_bytes())


def contested(participant: Participant) -> bool:
    checks = participant.ask("doctor")["checks"]
    (listed,) = [each for each in checks if each["check"] == "membership list"]
    return not listed["ok"]


def refusal(participant: Participant, operation: str, **arguments: Any) -> str | None:
    """The code of the refusal; None when it was not refused."""
    try:
        participant.ask(operation, **arguments)
    except BylagError as error:
        return reason(error)
    return None


def refused_for_good(participant: Participant, agreement: str) -> bool:
    """Whether nothing comes of a fetch, however often it is tried."""
    return all(refusal(participant, "fetch", agreement=agreement) is not None for _ in range(5))

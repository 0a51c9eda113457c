"""Transfers between processes that go well, and the ends that people put to them."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connector.exchange.channel import Message, Signed
from connector.peer.client import RemoteError
from ledger.ambient import SystemAmbient
from ledger.errors import BylagError
from tests.e2e.space import ROOT, Participant, beside, compared, findings, reason, until
from tests.e2e.town import WINDOW, WINDOWS, Town
from tests.e2e.wire import is_a, member


def test_two_consumers_at_once_each_get_the_whole_file_and_both_can_prove_it(
    town: Town, tmp_path: Path
) -> None:
    consumers = (town.voltlinje, town.nordvik)

    def fetch(consumer: Participant) -> bytes:
        agreement = consumer.agree(town.strandby, "film")
        done = consumer.ask("fetch", agreement=agreement)
        assert (done["state"], done["windows"]) == ("COMPLETED", WINDOWS)
        return consumer.use(done["exchange"], tmp_path / f"{consumer.name}.bin")

    with ThreadPoolExecutor(len(consumers)) as threads:
        received = list(threads.map(fetch, consumers))
    assert received == [town.film.read_bytes()] * 2
    for consumer in consumers:
        compared(town.space.verify(town.strandby, consumer))


def test_a_consumer_without_an_inbound_port_negotiates_fetches_and_hears_of_the_end(town: Town) -> None:
    provider, consumer = town.strandby, town.nordvik
    agreement = consumer.agree(provider, "squares")
    assert consumer.ask("status")["port"] is None
    assert consumer.ask("fetch", agreement=agreement)["rows"] == 2_000
    provider.ask(
        "terminate-agreement", agreement=agreement, code="BREACH", words="The data was seen elsewhere."
    )
    ended = consumer.until("agreement", lambda held: held["state"] == "terminated", agreement=agreement)
    assert ended["code"] == "BREACH"
    with pytest.raises(BylagError) as denied:
        consumer.ask("fetch", agreement=agreement)
    assert reason(denied.value) in {"AGREEMENT_ENDED", "AGREEMENT_TERMINATED"}
    for party in (provider, consumer):
        (leaf,) = [each for each in party.leaves() if is_termination_of(each, agreement)]
        assert leaf["code"] == "BREACH"


@pytest.mark.parametrize("who", ["provider", "consumer"])
def test_an_agreement_that_either_side_ends_in_mid_transfer_cuts_the_transfer(town: Town, who: str) -> None:
    provider, consumer = town.strandby, town.voltlinje
    ending = provider if who == "provider" else consumer
    agreement = consumer.agree(provider, "film")

    def end_after_two_windows(size: int) -> None:
        if size == 2 * WINDOW:
            beside(lambda: ending.ask("terminate-agreement", agreement=agreement, code="NO_LONGER_NEEDED"))

    with pytest.raises(BylagError) as cut:
        consumer.ask("fetch", end_after_two_windows, agreement=agreement)
    assert reason(cut.value) == "AGREEMENT_TERMINATED"
    (delivery,) = [each for each in consumer.ask("deliveries") if each["agreement"] == agreement]
    assert delivery["state"] == "TERMINATED"
    assert 2 * WINDOW <= delivery["bytes"] < WINDOWS * WINDOW
    for party in (provider, consumer):
        until(lambda: party.types(delivery["exchange"]), lambda types: "cut" in types)  # noqa: B023
        assert "receipt" not in party.types(delivery["exchange"])
    with pytest.raises(BylagError):
        consumer.ask("resume", exchange=delivery["exchange"])
    assert findings(town.space.verify(provider, consumer), delivery["exchange"]) == []


async def test_a_request_that_was_recorded_and_is_sent_again_is_refused(town: Town) -> None:
    async with member(town.tester) as tester:
        agreement = await tester.agree(town.strandby, "squares")
        recorded: list[Signed] = []

        def record(message: Message) -> Message:
            if isinstance(message, Signed):
                recorded.append(message)
            return message

        assert (await tester.fetch(agreement, sending=record)).state == "COMPLETED"
        request = recorded[0]
        before = len(town.strandby.leaves())

        def replay(message: Message) -> Message:
            return request if is_a("request", message) else message

        with pytest.raises(RemoteError) as refused:
            await tester.fetch(agreement, sending=replay)
        assert reason(refused.value) == "REPLAYED"
        assert len(town.strandby.leaves()) == before


@pytest.mark.parametrize("off", [-6 * 60_000, 6 * 60_000], ids=["behind", "ahead"])
async def test_a_request_whose_clock_is_six_minutes_off_is_denied_and_recorded(town: Town, off: int) -> None:
    async with member(town.tester) as tester:
        agreement = await tester.agree(town.strandby, "squares")

        def sign_at_another_time(message: Message) -> Message:
            if not (isinstance(message, Signed) and is_a("request", message)):
                return message
            then = SystemAmbient().now() + off
            return tester.signed_anew(message, time=then, deadline=then + 60_000)

        with pytest.raises(BylagError):
            await tester.fetch(agreement, sending=sign_at_another_time)
    last = town.strandby.leaves()[-1]
    assert (last["type"], last["code"]) == ("denial", "CLOCK_SKEW")


def test_a_provider_whose_clock_stands_before_its_last_record_grants_nothing_until_it_caught_up(
    town: Town,
) -> None:
    provider, consumer = town.liar, town.voltlinje
    clock = provider.home.folder / "clock"
    clock.write_text("30000")
    agreement = consumer.agree(provider, "photo")
    clock.write_text("0")
    (found,) = [each for each in provider.ask("doctor")["checks"] if each["check"] == "clock"]
    assert not found["ok"]
    for start_anew in (False, True):
        if start_anew:  # the last record is then a denial, made while the clock stood behind
            provider.kill()
            provider.start()
            consumer.insist("update-list", peer=provider.did)
        with pytest.raises(BylagError) as denied:
            consumer.ask("fetch", agreement=agreement)
        assert reason(denied.value) == "CLOCK_BEHIND"
        last = provider.leaves()[-1]
        assert (last["type"], last["code"]) == ("denial", "CLOCK_BEHIND")
    clock.write_text("40000")
    assert consumer.ask("fetch", agreement=agreement)["state"] == "COMPLETED"


def test_a_second_process_on_the_same_home_is_refused_and_the_first_goes_on(town: Town) -> None:
    command = [sys.executable, "-m", "connector.cli", "serve", "--home", str(town.voltlinje.home.folder)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert second.returncode == 1
    assert "HOME_IN_USE" in second.stderr
    assert "Traceback" not in second.stderr
    assert town.voltlinje.ask("status")["serving"] is True


def is_termination_of(leaf: dict[str, object], agreement: str) -> bool:
    return leaf["type"] == "termination" and leaf.get("agreement") == agreement

"""kill -9 in mid-transfer: nothing is lost, nothing is told twice, and what goes on is the same file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import BylagError
from tests.e2e.space import Participant, compared
from tests.e2e.town import WINDOW, WINDOWS, Town

Running = Callable[[Participant], Participant]


@pytest.mark.parametrize("victim", ["provider", "consumer"])
def test_a_transfer_whose_provider_or_consumer_is_killed_goes_on_and_gives_the_same_file(
    town: Town, running: Running, tmp_path: Path, victim: str
) -> None:
    provider, consumer = town.strandby, town.voltlinje
    killed = running(provider if victim == "provider" else consumer)
    agreement = consumer.agree(provider, "film")

    def kill_after_two_windows(size: int) -> None:
        if size >= 2 * WINDOW and killed.process is not None:
            killed.kill()

    with pytest.raises(BylagError):
        consumer.ask("fetch", kill_after_two_windows, agreement=agreement)
    assert killed.process is None
    killed.start()
    consumer.insist("update-list", peer=provider.did)

    (delivery,) = [each for each in consumer.ask("deliveries") if each["agreement"] == agreement]
    assert delivery["state"] in {"STARTED", "SUSPENDED"}
    assert 2 <= delivery["windows"] < WINDOWS
    part = {"delivery": delivery["exchange"], "purpose": "PublicBenefit", "out": str(tmp_path / "part.bin")}
    assert not consumer.ask("use", **part)["complete"]
    done_again: list[int] = []
    went_on = consumer.ask("resume", done_again.append, exchange=delivery["exchange"])
    assert went_on["state"] == "COMPLETED"
    assert went_on["attempt"] == 2
    assert done_again[0] > delivery["bytes"] >= 2 * WINDOW
    out = consumer.use(delivery["exchange"], tmp_path / "film.bin")
    assert out == town.film.read_bytes()

    provider_says, consumer_says = provider.types(delivery["exchange"]), consumer.types(delivery["exchange"])
    assert provider_says.count("resume") == 1
    assert provider_says.count("receipt") == consumer_says.count("receipt") == 1
    assert consumer_says.count("ack") == went_on["windows"] == WINDOWS
    compared(town.space.verify(provider, consumer))

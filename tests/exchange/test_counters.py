"""What each use changes, reserved where it is recorded: of two requests for the last use, one gets it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from connector.exchange import counters
from connector.exchange.ground import Denied
from connector.policy.decision import CounterGuard, GuardKind
from connector.policy.input import CounterName
from connector.store.database import Database
from connector.store.migrate import migrate
from connector.store.writer import Writer
from ledger.names import AgreementId, Milliseconds

AGREEMENT = AgreementId("agreement-1")
OTHER = AgreementId("agreement-2")
NOON = Milliseconds(1_767_268_800_000)
MINUTE = 60_000


class Counters:
    """A database of counters, with one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = Database(folder / "bylag.db")
        migrate(self.database)
        self.writer = Writer(self.database)

    def close(self) -> None:
        self.writer.close()
        self.database.close()

    def begin(self, *guards: CounterGuard, now: int = NOON) -> Future[None]:
        return self.writer.submit(
            lambda transaction: counters.reserve(transaction, AGREEMENT, guards, Milliseconds(now))
        )

    def reserve(self, *guards: CounterGuard, now: int = NOON) -> None:
        self.begin(*guards, now=now).result()

    def values(self, *names: str, now: int = NOON) -> dict[str, int]:
        return counters.values(self.database, AGREEMENT, names, Milliseconds(now))


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Counters]:
    made = Counters(tmp_path)
    yield made
    made.close()


def guard(name: str, limit: int, kind: GuardKind = "use") -> CounterGuard:
    return CounterGuard(CounterName(name), limit, kind)


def windowed(start: int, limit: int) -> CounterGuard:
    return CounterGuard(CounterName("rate:minute:r"), limit, "use", Milliseconds(start))


LAST_ONES = {
    "use": guard("count:r", 1),
    "use of a window": windowed(NOON, 1),
    "use for a while": guard("last:r", MINUTE, "spacing"),
}


@pytest.mark.parametrize("what", LAST_ONES)
def test_of_two_requests_at_once_one_gets_the_last(kept: Counters, what: str) -> None:
    results = [one.exception() for one in [kept.begin(LAST_ONES[what]), kept.begin(LAST_ONES[what])]]
    assert [type(result) for result in results] == [type(None), Denied]


def test_what_was_reserved_holds_across_a_restart(kept: Counters) -> None:
    kept.reserve(guard("count:r", 2), guard("last:r", MINUTE, "spacing"))
    kept.close()
    again = Counters(kept.folder)
    assert again.values("count:r", "last:r") == {"count:r": 1, "last:r": NOON}
    with pytest.raises(Denied):
        again.reserve(guard("last:r", MINUTE, "spacing"), now=NOON + 1)
    again.close()
    kept.__init__(kept.folder)  # type: ignore[misc]  # the fixture closes it


def test_two_uses_lie_as_far_apart_as_agreed(kept: Counters) -> None:
    apart = guard("last:r", MINUTE, "spacing")
    kept.reserve(apart)
    with pytest.raises(Denied) as denied:
        kept.reserve(apart, now=NOON + MINUTE - 1)
    assert denied.value.reason == "TOO_SOON"
    kept.reserve(apart, now=NOON + MINUTE)
    assert kept.values("last:r") == {"last:r": NOON + MINUTE}


def test_a_rate_begins_anew_with_each_window(kept: Counters) -> None:
    kept.reserve(windowed(NOON, 1))
    assert kept.values("rate:minute:r", now=NOON + MINUTE - 1) == {"rate:minute:r": 1}
    with pytest.raises(Denied):
        kept.reserve(windowed(NOON, 1))
    assert kept.values("rate:minute:r", now=NOON + MINUTE) == {"rate:minute:r": 0}
    kept.reserve(windowed(NOON + MINUTE, 1), now=NOON + MINUTE)


def test_a_use_that_was_decided_in_the_window_before_counts_there(kept: Counters) -> None:
    kept.reserve(windowed(NOON, 1), now=NOON + MINUTE)
    assert kept.values("rate:minute:r", now=NOON + MINUTE) == {"rate:minute:r": 0}


def test_windows_that_ended_leave_no_rows_behind(kept: Counters) -> None:
    for step in range(5):
        kept.reserve(windowed(NOON + step * MINUTE, 9), guard("count:r", 9))
    with kept.database.read_sqlite() as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM counter ORDER BY name")]
    assert names == ["count:r", f"rate:minute:r:{NOON + 4 * MINUTE}"]


def test_time_is_used_up_at_its_limit_and_no_earlier(kept: Counters) -> None:
    assert kept.values("metered:r") == {"metered:r": 0}
    kept.writer.submit(lambda transaction: counters.add(transaction, AGREEMENT, "metered:r", 999)).result()
    assert kept.values("metered:r") == {"metered:r": 999}
    kept.reserve(guard("metered:r", 1000, "room"))
    kept.writer.submit(lambda transaction: counters.add(transaction, AGREEMENT, "metered:r", 1)).result()
    with pytest.raises(Denied):
        kept.reserve(guard("metered:r", 1000, "room"))


def test_what_one_guard_refuses_leaves_the_others_as_they_were(kept: Counters) -> None:
    kept.reserve(guard("count:r", 1))
    with pytest.raises(Denied):
        kept.reserve(guard("count:s", 5), guard("count:r", 1))
    assert kept.values("count:s") == {"count:s": 0}


def test_counters_belong_to_one_agreement(kept: Counters) -> None:
    kept.reserve(guard("count:r", 1))
    assert counters.values(kept.database, OTHER, ["count:r"], NOON) == {"count:r": 0}

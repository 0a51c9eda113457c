"""A bar holds from the moment it is set, in whatever thread that was, and wakes whoever waits for it."""

from __future__ import annotations

import asyncio
import threading

from connector.exchange.ground import Bars


async def test_a_bar_set_on_the_writers_thread_wakes_a_loop_that_sleeps() -> None:
    """A termination is taken in the writer's job; the stream that it cuts may be waiting for nothing else."""
    bars = Bars()
    loop = asyncio.get_running_loop()
    with bars.watch("agreement-1") as barred:
        assert not barred.is_set()
        began = loop.time()
        threading.Timer(0.1, bars.bar, ("agreement-1", "AGREEMENT_TERMINATED")).start()
        await asyncio.wait_for(barred.wait(), 3)
        assert loop.time() - began < 1
        assert barred.is_set()


async def test_a_bar_is_seen_at_once_by_whoever_looks_before_a_frame_leaves() -> None:
    """Without giving the loop a turn: between the look and the hand-over there is no await."""
    bars = Bars()
    with bars.watch("agreement-1") as barred, bars.watch("agreement-2") as other:
        thread = threading.Thread(target=bars.bar, args=("agreement-1", "AGREEMENT_TERMINATED"))
        thread.start()
        thread.join()
        assert barred.is_set()
        assert not other.is_set()
        bars.stop("ROLLED_BACK")
        assert other.is_set()
    assert (bars.code("agreement-1"), bars.code("agreement-3")) == ("ROLLED_BACK", "ROLLED_BACK")


async def test_whoever_comes_after_a_bar_finds_it_and_nothing_is_kept_of_who_left() -> None:
    bars = Bars()
    bars.bar("agreement-1", "FIRST")
    bars.bar("agreement-1", "SECOND")
    with bars.watch("agreement-1") as barred:
        assert barred.is_set()
        await asyncio.wait_for(barred.wait(), 1)
        assert bars.code("agreement-1") == "FIRST"
    assert bars._watchers == {}


async def test_a_bar_for_a_loop_that_has_ended_does_no_harm() -> None:
    bars = Bars()

    def elsewhere() -> None:
        async def watch() -> None:
            bars.watch("agreement-1").__enter__()

        asyncio.run(watch())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    bars.bar("agreement-1", "AGREEMENT_TERMINATED")
    assert bars.code("agreement-1") == "AGREEMENT_TERMINATED"

"""The load on a contestant: so many callers at once, each calling again as soon as it was answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

WARM_UP = 0.15
"""Part of the time that is not counted."""


async def closed_loop(
    call: Callable[[], Awaitable[object]], concurrency: int, seconds: float
) -> dict[str, float]:
    """Call for ``seconds``; the rate, and the median and 99th percentile of how long a call took."""
    clock = time.perf_counter
    begun = clock()
    counted_from, ends = begun + WARM_UP * seconds, begun + seconds
    took: list[float] = []

    async def caller() -> None:
        while (start := clock()) < ends:
            await call()
            done = clock()
            if start >= counted_from:
                took.append(done - start)

    await asyncio.gather(*(caller() for _ in range(concurrency)))
    elapsed = clock() - counted_from
    hundredths = statistics.quantiles(took, n=100, method="inclusive")
    return {"rate": len(took) / elapsed, "p50": hundredths[49], "p99": hundredths[98], "calls": len(took)}

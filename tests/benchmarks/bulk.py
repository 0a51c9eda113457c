"""Row: a transfer of one large file against a raw-frame gRPC stream and a TLS socket.

The transfer is the whole of it: request, offer, acceptance, windows committed to, sealed into the
inbox, synced, signed for, and the receipt.
"""

from __future__ import annotations

from functools import partial

from tests.benchmarks.measure import Goal, Sample
from tests.benchmarks.parties import Parties
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings
from tests.benchmarks.space import FILE

GRPC_GOAL, TLS_GOAL = Goal(0.8), Goal(0.6)


def measure(settings: Settings, parties: Parties) -> list[Row]:
    """The rows of this part of the table."""
    path = parties.publish_file(settings.file_bytes)
    agreement = parties.asker.ask("negotiate", dataset=FILE)["agreement"]
    carrier = parties.carrier(path)

    def fetch() -> Sample:
        done = parties.asker.ask("fetch", agreement=agreement)
        if done["bytes"] != settings.file_bytes:
            raise ValueError("the file did not arrive whole")
        return {"rate": done["bytes"] / done["seconds"] / 1e6}

    fetch()
    found = settings.contest().run(
        f"transfer of {settings.file_bytes >> 20} MiB",
        {
            "transfer": fetch,
            "grpc": partial(carrier.ask, "grpc"),
            "tls": partial(carrier.ask, "tls"),
            "again": partial(carrier.ask, "tls"),
        },
    )
    what = f"transfer of {settings.file_bytes >> 20} MiB"
    return [
        Row(
            "bulk",
            title,
            "MB/s",
            found.spread(mine, "rate"),
            against,
            found.spread(theirs, "rate"),
            found.ratio(mine, theirs, "rate"),
            goal,
        )
        for title, mine, theirs, against, goal in (
            (what, "transfer", "grpc", "raw gRPC stream", GRPC_GOAL),
            (what, "transfer", "tls", "TLS socket", TLS_GOAL),
            ("A/A: TLS socket", "again", "tls", "the same", None),
        )
    ]

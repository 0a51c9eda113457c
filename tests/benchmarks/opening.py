"""Row: from asking for an agreement to the first byte of the data.

Beside it stands a bare stream on which as many signed messages go to and fro: each signed and
committed by its sender before it is sent, verified and committed by its receiver before it is answered.
"""

from __future__ import annotations

from tests.benchmarks.measure import Sample
from tests.benchmarks.parties import Parties
from tests.benchmarks.report import Row
from tests.benchmarks.settings import Settings
from tests.benchmarks.space import TABLE

MESSAGES = 8
"""Contract request, agreement, verification, confirmation; request, offer, accept, commit."""
MESSAGE_BYTES = 1200


def measure(settings: Settings, parties: Parties) -> list[Row]:
    """The row of this part of the table."""
    parties.publish_table(settings.keys)

    def ours() -> Sample:
        negotiated = parties.asker.ask("negotiate", dataset=TABLE)
        fetched = parties.asker.ask("fetch", agreement=negotiated["agreement"])
        return {"seconds": negotiated["seconds"] + fetched["first_byte"]}

    def bare() -> Sample:
        return parties.echo_client.ask("converse", messages=MESSAGES, size=MESSAGE_BYTES)

    ours()
    bare()
    found = settings.contest().run("negotiate to first byte", {"ours": ours, "bare": bare, "again": bare})
    sealed = f"{MESSAGES} sealed messages"
    return [
        Row(
            "opening",
            title,
            "ms",
            found.spread(mine, "seconds"),
            against,
            found.spread("bare", "seconds"),
            found.ratio(mine, "bare", "seconds"),
        )
        for title, mine, against in (
            ("negotiate to first byte", "ours", f"{sealed}, bare"),
            (f"A/A: {sealed}, bare", "again", "the same"),
        )
    ]

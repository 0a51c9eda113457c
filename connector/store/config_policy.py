"""What policies are decided with, as `connector.toml` says it: the table `[policy]`.

Rules that hold here: without an area there are no bounds; an area that is named holds at least one country.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ledger.fields import Fields

MOST_PLACES: Final = 260
_PLACE: Final = re.compile(r"[A-Z]{2}|EEA", re.ASCII)


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What is set beside the policies themselves."""

    area: tuple[str, ...] = ()
    """Where data may be received and processed without a ground: ISO 3166, EU, EEA; empty: anywhere."""


def read_policy_settings(fields: Fields) -> PolicySettings:
    """Read the table `[policy]`. Raises :class:`~ledger.fields.BadField`."""
    area = fields.texts("area", limit=MOST_PLACES, text_limit=3) if fields.has("area") else ()
    if fields.has("area") and not area:
        raise fields.wrong("area", "name at least one country, or leave it out for no bounds")
    if wrong := [place for place in area if _PLACE.fullmatch(place) is None]:
        raise fields.wrong("area", f"{wrong[0]!r} is no ISO 3166 code such as SE, nor EU or EEA")
    fields.finish()
    return PolicySettings(area)

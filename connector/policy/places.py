"""Countries by their ISO 3166 codes, and the two groups of them that a policy or the settings can name.

Source: the members of the European Union (Treaty on European Union, article 52, as it stands), and with
Iceland, Liechtenstein and Norway those of the European Economic Area.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

PLACE: Final = re.compile(r"[A-Z]{2}|EEA", re.ASCII)
"""A country, ``EU`` or ``EEA``."""
EU: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
)
GROUPS: Final = {"EU": EU, "EEA": EU | {"IS", "LI", "NO"}}


def wider_places(place: str) -> tuple[str, ...]:
    """What a place lies in: a part of a country (``SE-AB``) in it, a country in groups, EU in EEA."""
    country = place.partition("-")[0]
    members = GROUPS.get(country, frozenset({country}))
    groups = tuple(name for name, group in GROUPS.items() if name != place and members <= group)
    return groups if country == place else (country, *groups)


def area_of(named: Iterable[str]) -> tuple[str, ...]:
    """The countries of an area, sorted, with each group that lies in it whole."""
    places = frozenset(named)
    countries = places.union(*(GROUPS.get(name, frozenset()) for name in places)) - GROUPS.keys()
    return tuple(sorted(countries | {name for name, group in GROUPS.items() if group <= countries}))

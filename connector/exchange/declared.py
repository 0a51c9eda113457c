"""What a consumer declares in its signed Request, beside the purpose: where the data goes, how long it stays.

Rules that hold here:

* The signed Request commits to it; the values travel beside it, in the opening, and are kept with both
  sides' records. Nothing here may name a person's device in a leaf.
* It is a closed object with every member always there; what is not declared is null, and then unknown to
  the policy. To hand data on to nobody is said (an empty list), not left out.
* It binds the exchange from its first window to the last, every resume, and each later use of what came.
  Whether it is true, the consumer answers for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from connector.policy.vocabulary import PROFILE
from ledger.canonical import JSON, LARGEST_INTEGER, JSONObject
from ledger.fields import Fields

MOST_RECIPIENTS: Final = 32
NOBODY: Final = PROFILE + "nobody"
"""How a policy names it that data is handed on to nobody (``bylag:onwardTransfer eq bylag:nobody``)."""

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}:[A-Za-z0-9._:/#?&%~=+@-]{1,224}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Declared:
    """What was declared; None where nothing was said."""

    device: str | None = None
    """The device that the data is for, an IRI (ODRL ``systemDevice``)."""
    location: str | None = None
    """The place on a network that the data is for, an IRI (ODRL ``virtualLocation``)."""
    retention: int | None = None
    """How long the data is kept, in milliseconds (``bylag:retentionPeriod``)."""
    onward: tuple[str, ...] | None = None
    """Whom it is handed on to, dids or other IRIs; empty: nobody (``bylag:onwardTransfer``)."""

    def to_json(self) -> JSONObject:
        """The closed form that is committed to."""
        return {
            "device": self.device,
            "location": self.location,
            "retention_ms": self.retention,
            "onward": None if self.onward is None else list[JSON](self.onward),
        }

    @classmethod
    def read(cls, content: JSONObject) -> Self:
        """Read one from outside. Raises :class:`~ledger.fields.BadField`."""
        fields = Fields(content, "declared")
        declared = cls(
            device=_name(fields, "device"),
            location=_name(fields, "location"),
            retention=fields.maybe_integer("retention_ms", most=LARGEST_INTEGER),
            onward=_onward(fields),
        )
        fields.finish()
        return declared

    @property
    def recipients(self) -> tuple[str, ...] | None:
        """Whom it is handed on to as a policy names them; ``bylag:nobody`` for nobody."""
        return None if self.onward is None else self.onward or (NOBODY,)


NOTHING: Final = Declared()


def _name(fields: Fields, name: str) -> str | None:
    return fields.text(name, limit=256, pattern=_NAME) if fields.has(name) else None


def _onward(fields: Fields) -> tuple[str, ...] | None:
    if not fields.has("onward"):
        return None
    found = fields.texts("onward", limit=MOST_RECIPIENTS, text_limit=256)
    if any(_NAME.fullmatch(each) is None or each == NOBODY for each in found):
        raise fields.wrong("onward", "must be dids or other IRIs; an empty list says: to nobody")
    if len(set(found)) < len(found):
        raise fields.wrong("onward", "names a recipient twice")
    return found

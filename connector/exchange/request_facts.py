"""What is known of one request, beside the agreement: what a policy's question is filled with.

Rules that hold here:

* *Measured* by the side that decides: how the data travels, which version, in which form, how many bytes and
  what share of the version would leave. What is not known beforehand is None, and unknown to the policy.
* *Declared* in the consumer's signed Request, and bound for the whole exchange (``declared``).
* A later use of what came is asked with the facts of the exchange that brought it, as the provider signed
  them (``version_facts``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connector.exchange.declared import NOTHING, Declared
from connector.exchange.version_facts import UNKNOWN, VersionFacts
from connector.policy.data_categories import wider_categories
from connector.policy.facts import Named, Quantity
from connector.policy.vocabulary import PROFILE

CHANNELS: Final = {
    "transfer": PROFILE + "transfer",
    "query": PROFILE + "query",
    "subscribe": PROFILE + "subscription",
}
"""How data is delivered (ODRL ``deliveryChannel``), by the mode of the exchange."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What is known of one request; None where nothing is."""

    mode: str | None = None
    """``transfer``, ``query`` or ``subscribe``."""
    version: str | None = None
    """The digest of the dataset version."""
    about: VersionFacts = UNKNOWN
    media_type: str | None = None
    """Of what would leave: a table in part is written in another form than the whole."""
    size: int | None = None
    """Bytes that would leave."""
    share: int | None = None
    """How much of the version's rows would leave, in whole per cent, rounded up."""
    declared: Declared = NOTHING

    def named(self) -> dict[str, Named]:
        """The facts that are compared by name, by left operand."""
        about, declared = self.about, self.declared
        found: dict[str, Named] = {}
        if self.mode in CHANNELS:
            found["deliveryChannel"] = {CHANNELS[self.mode]: ()}
        if self.media_type is not None:
            found["fileFormat"] = {self.media_type: ()}
        if about.media is not None:
            media, wider = about.media
            found["media"] = {media: (wider,)}
        if about.language is not None:
            found["language"] = {about.language: ()}
        if about.product is not None:
            found["product"] = {about.product: about.kinds}
        if about.categories is not None:
            found["bylag:dataCategory"] = {each: wider_categories(each) for each in about.categories}
        if declared.device is not None:
            found["systemDevice"] = {declared.device: ()}
        if declared.location is not None:
            found["virtualLocation"] = {declared.location: ()}
        if declared.recipients is not None:
            found["bylag:onwardTransfer"] = dict.fromkeys(declared.recipients, ())
        return found

    def measured(self) -> dict[str, Quantity]:
        """The facts that are compared with one number, by left operand."""
        found = {
            "absoluteSize": self.size,
            "percentage": self.share,
            "bylag:aggregationLevel": self.about.group,
            "bylag:retentionPeriod": self.declared.retention,
        }
        return {name: Quantity(value) for name, value in found.items() if value is not None}


NOTHING_KNOWN: Final = RequestFacts()

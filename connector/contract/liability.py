"""Who answers for what: the terms that parties may agree on, and the steps of an exchange.

Rules that hold here:

* The vocabulary of liability terms is closed (:data:`VOCABULARY`). An unknown term is refused when
  it is read, never carried along unread. A term that is left out leaves that matter to the law.
* What each step of an exchange shifts from one party to the other stands once, as data
  (:data:`STEPS`): LEDGER.md section 3. Audit reads it, and so does the documentation.
* This says who *answered for what under the agreement*. It is evidence, not a judgment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self

from connector.contract.forms import CURRENCY, LARGEST_AMOUNT, LAW
from ledger.canonical import JSON, JSONObject
from ledger.fields import Fields


class Role(StrEnum):
    """The two sides of a negotiation, an agreement and an exchange (DSP 2025-1)."""

    CONSUMER = "consumer"
    PROVIDER = "provider"

    @property
    def other(self) -> Role:
        """The side across the table."""
        return Role.PROVIDER if self is Role.CONSUMER else Role.CONSUMER


@dataclass(frozen=True, slots=True)
class TermMeaning:
    """One term of the vocabulary: whom it binds, what it says, and how its value is read."""

    binds: tuple[Role, ...]
    meaning: str
    read: Callable[[Fields, str], JSON]


def _choice(*choices: str) -> Callable[[Fields, str], JSON]:
    return lambda fields, name: fields.choice(name, choices)


def _between(least: int, most: int) -> Callable[[Fields, str], JSON]:
    return lambda fields, name: fields.integer(name, least=least, most=most)


def _money(fields: Fields, name: str) -> JSON:
    money = fields.object(name)
    amount = money.integer("amount", most=LARGEST_AMOUNT)
    currency = money.text("currency", pattern=CURRENCY)
    money.finish()
    return {"amount": amount, "currency": currency}


def _law(fields: Fields, name: str) -> JSON:
    return fields.text(name, limit=2, pattern=LAW)


def _exclusions(fields: Fields, name: str) -> JSON:
    values = fields.texts(name, limit=len(CAP_EXCLUSIONS), text_limit=32)
    if list(values) != [known for known in CAP_EXCLUSIONS if known in values] or not values:
        raise fields.wrong(name, f"must name some of {', '.join(CAP_EXCLUSIONS)}, in that order")
    return list[JSON](values)


CAP_EXCLUSIONS: Final = ("confidentiality", "gross-negligence", "intent", "personal-data")

_BOTH: Final = (Role.CONSUMER, Role.PROVIDER)
_CONSUMER: Final = (Role.CONSUMER,)
_PROVIDER: Final = (Role.PROVIDER,)

VOCABULARY: Final[Mapping[str, TermMeaning]] = MappingProxyType({
    "accuracy": TermMeaning(
        _PROVIDER,
        "how far the provider answers for the data being right, beyond being what was committed to",
        _choice("as-is", "best-effort", "warranted"),
    ),
    "breach-notice-hours": TermMeaning(
        _BOTH,
        "hours within which a party tells the other of a breach that touches the data",
        _between(1, 168),
    ),
    "cap": TermMeaning(
        _BOTH,
        "the most that either party owes the other under the agreement, in minor units",
        _money,
    ),
    "cap-excludes": TermMeaning(_BOTH, "what the cap does not limit", _exclusions),
    "deletion-days": TermMeaning(
        _CONSUMER,
        "days after the agreement's end within which what was received is deleted and that is attested",
        _between(0, 3650),
    ),
    "dispute-days": TermMeaning(
        _BOTH,
        "days after an acknowledgement within which either party may still dispute the window",
        _between(1, 365),
    ),
    "forum": TermMeaning(_BOTH, "who settles what the parties cannot", _choice("arbitration", "court")),
    "joint-controllers": TermMeaning(
        _BOTH,
        "how joint controllers answer between themselves (GDPR article 26)",
        _choice("each-own-part", "joint-and-several"),
    ),
    "law": TermMeaning(_BOTH, "the law that governs the agreement, ISO 3166-1", _law),
    "onward-recipients": TermMeaning(
        _CONSUMER,
        "who answers for recipients to whom the consumer hands the data on, where the policy allows it",
        _choice("consumer", "each-recipient"),
    ),
    "person-contact": TermMeaning(
        _BOTH,
        "which party a person turns to about the data",
        _choice("consumer", "provider", "either"),
    ),
    "undetermined-loss": TermMeaning(
        _BOTH,
        "who bears a loss in a window whose custody is undetermined",
        _choice("consumer", "provider", "shared"),
    ),
})  # fmt: skip
"""Every liability term that an agreement may hold."""


@dataclass(frozen=True, slots=True)
class LiabilityTerms:
    """The liability terms of an offer or agreement: values by name from :data:`VOCABULARY`."""

    values: Mapping[str, JSON]

    def members(self) -> JSONObject:
        """As they stand in a document."""
        return dict(self.values)

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read an object of terms. Raises :class:`~ledger.fields.BadField` naming the term."""
        values = {name: term.read(fields, name) for name, term in VOCABULARY.items() if fields.has(name)}
        fields.finish()
        if "cap-excludes" in values and "cap" not in values:
            raise fields.wrong("cap-excludes", "says what a cap does not limit, and there is no cap")
        return cls(MappingProxyType(values))


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an exchange: what is signed, who must have it on disk first, and what then shifts."""

    number: int
    messages: tuple[str, ...]
    signers: tuple[Role, ...]
    durable_before: tuple[Role, ...]
    answers: tuple[Role, ...]
    """Who answers for something more from here on."""
    answers_for: str


STEPS: Final = (
    Step(
        1,
        ("request",),
        _CONSUMER,
        _CONSUMER,
        _CONSUMER,
        "lawfulness of asking, truth of the purpose and of what else is declared",
    ),
    Step(
        2,
        ("offer", "denial"),
        _PROVIDER,
        _PROVIDER,
        _PROVIDER,
        "agreement, ground and consents were checked; this is the right data",
    ),
    Step(3, ("accept",), _CONSUMER, _BOTH, _CONSUMER, "bound to the terms"),
    Step(4, ("commit",), _PROVIDER, _PROVIDER, _PROVIDER, "integrity up to this window"),
    Step(
        5,
        ("ack", "reject"),
        _CONSUMER,
        _CONSUMER,
        _CONSUMER,
        "custody up to the acknowledged frame",
    ),
    Step(
        6,
        ("end", "receipt"),
        (Role.PROVIDER, Role.CONSUMER),
        _BOTH,
        _CONSUMER,
        "full custody, and the limits of use",
    ),
    Step(
        7,
        ("seal",),
        _BOTH,
        _BOTH,
        _BOTH,
        "neither can deny it later, even with a rewritten log",
    ),
)
"""LEDGER.md section 3, the table of the exchange, in order."""


def step_of(message: str) -> Step | None:
    """The step that a signed message of an exchange belongs to; None for cut, resume and the like."""
    return next((step for step in STEPS if message in step.messages), None)

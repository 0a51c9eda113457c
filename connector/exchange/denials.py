"""What whoever was denied can do about it, by the reason's code.

Rules that hold here: a step is one that works for a consumer, at whose side most denials are read; it says
nothing of the data, nor of anybody but who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ANY: Final = (
    "`bylag policy explain --agreement AGREEMENT` says what the policy asks for, and what would change the"
    " answer; `bylag ledger show` has the record."
)
_ENDED: Final = "See why with `bylag agreement show AGREEMENT`; `bylag negotiate` asks for another."
_COLUMNS: Final = "Look at its columns with `bylag dataset DATASET --peer DID`, and ask again."
_ANEW: Final = "Fetch anew: `bylag fetch AGREEMENT`."
_CLOCK: Final = "See with `bylag doctor`, at both sides, whose clock is wrong."
_AGAIN: Final = "Ask again."

NEXT_STEPS: Final[Mapping[str, str]] = {
    "AGREEMENT_ENDED": _ENDED,
    "AGREEMENT_TERMINATED": _ENDED,
    "BAD_SELECTION": _COLUMNS,
    "CLOCK_BEHIND": _CLOCK,
    "CLOCK_SKEW": _CLOCK,
    "DECISION_CHANGED": _AGAIN,
    "DISCARDED": _ANEW,
    "EXCHANGE_ENDED": _ANEW,
    "LIST_MISMATCH": "Fetch the newer list: `bylag members update --peer DID`.",
    "NOT_A_TABLE": "It is a plain file: fetch it whole, with `bylag fetch AGREEMENT`.",
    "NOT_APPEND_ONLY": "Its rows do not come one by one: fetch it with `bylag fetch AGREEMENT`.",
    "NOT_RESUMABLE": _ANEW,
    "NO_SUCH_EXCHANGE": _ANEW,
    "NO_SUCH_VERSION": "List its versions with `bylag dataset DATASET --peer DID`.",
    "OFFER_EXPIRED": _AGAIN,
    "OTHER_VERSION": "Fetch without --version: `bylag agreement show AGREEMENT` says which are meant.",
    "PURPOSE_BEYOND_AGREEMENT": (
        "Ask for the agreed purpose or a narrower one; `bylag agreement show AGREEMENT` names it."
    ),
}
"""By code; :data:`ANY` for every other, those of the rulebook above all."""


def next_step(reason: str) -> str:
    """What to do about a denial with this code."""
    return NEXT_STEPS.get(reason, ANY)

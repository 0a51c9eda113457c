"""The transfer process of an exchange, as both sides keep it: the one place where its state changes.

Rules that hold here:

* Each change is a step of the standard's machine (:mod:`connector.contract.transfer`); any other raises
  ``IllegalMove``, and the transaction that tried it changes nothing.
* It is made in the transaction that records the message which brings it: a Request begins, an Offer starts
  (after a Request, and again after a Resume), a Receipt completes, a Cut or a Denial terminates.
* A line that breaks brings no message. Each side suspends what was under way, and the consumer ends what the
  provider has not answered: there is nothing to go on with.
* A denied Resume leaves the exchange suspended, unless its code is one of :data:`NOTHING_TO_RESUME`: a clock
  that is wrong today, or a limit that was reached, bars an attempt and not the exchange.
"""

from __future__ import annotations

from typing import Final

from connector.contract.liability import Role
from connector.contract.transfer import TransferState, TransferStep, next_state
from connector.store.tables import ExchangeRow

NOTHING_TO_RESUME: Final = frozenset(
    {
        "AGREEMENT_ENDED",
        "AGREEMENT_TERMINATED",
        "EXCHANGE_ENDED",
        "NO_AGREEMENT",
        "NO_SUCH_EXCHANGE",
        "NOT_RESUMABLE",
    }
)
"""Reasons of a denied Resume after which no other one can be granted."""

REQUESTED: Final = next_state(None, Role.CONSUMER, TransferStep.REQUEST).value
"""The state in which a consumer's exchange begins."""
OFFERED: Final = next_state(TransferState.REQUESTED, Role.PROVIDER, TransferStep.START).value
"""The state in which a provider's begins: its Offer is recorded with it."""


def is_over(row: ExchangeRow) -> bool:
    """Whether nothing can follow."""
    return TransferState(row.state).is_final


def is_running(row: ExchangeRow) -> bool:
    """Whether an attempt is under way."""
    return TransferState(row.state) is TransferState.STARTED


def start(row: ExchangeRow) -> None:
    """The provider's Offer, recorded at either side. An attempt that it replaces was broken off."""
    if is_running(row):
        suspend(row, Role.CONSUMER)
    _move(row, Role.PROVIDER, TransferStep.START)
    row.code = None


def suspend(row: ExchangeRow, by: Role) -> None:
    """An attempt is over, and the exchange is not."""
    _move(row, by, TransferStep.SUSPEND)


def complete(row: ExchangeRow) -> None:
    """The consumer's Receipt, or in a subscription the provider's."""
    _move(row, Role.CONSUMER, TransferStep.COMPLETE)


def terminate(row: ExchangeRow, by: Role, code: str) -> None:
    """The exchange is over before its end, and why."""
    _move(row, by, TransferStep.TERMINATE)
    row.code = code


def deny(row: ExchangeRow, code: str) -> None:
    """Consumer: the provider denied the Request, or a Resume."""
    if TransferState(row.state) is TransferState.SUSPENDED and code not in NOTHING_TO_RESUME:
        row.code = code
        return
    terminate(row, Role.PROVIDER, code)


def _move(row: ExchangeRow, sender: Role, step: TransferStep) -> None:
    row.state = next_state(TransferState(row.state), sender, step).value

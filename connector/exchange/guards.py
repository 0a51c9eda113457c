"""What must still be so in the transaction that lets something out: the guards of every grant.

Rules that hold here:

* A guard is asked in the transaction that records what it guards, so that nothing can change in between.
* Each raises :class:`~connector.exchange.ground.Denied` with the code that is recorded, and sent; only an
  attempt that was overtaken is ``OutOfTurn``: its stream has nobody to answer.
"""

from __future__ import annotations

from connector.exchange.conversation import Conversation, OutOfTurn
from connector.exchange.ground import Denied, Ground, Ruling, Terms
from connector.store.writer import Transaction
from ledger.names import Milliseconds


def require_grantable(transaction: Transaction, ground: Ground, terms: Terms) -> None:
    """The guards of every grant, in the transaction that records it. Raises ``Denied``.

    The consumer is in good standing under a list in force, the clock does not stand behind the last
    record, the agreement is active in the store and its period not over, and nothing bars it in memory.
    """
    ground.standing.require_active(terms.consumer)
    if ground.recorder.clock_is_behind(transaction):
        raise Denied("CLOCK_BEHIND", "the clock stands behind the last record")
    require_active(transaction, terms.agreement)
    if terms.until is not None and ground.ambient.now() >= terms.until:
        raise Denied("AGREEMENT_ENDED")
    if (code := ground.bars.code(terms.agreement)) is not None:
        raise Denied(code)


def require_current(transaction: Transaction, ground: Ground, ruling: Ruling) -> None:
    """A guard of an earlier ruling: nothing that it rests on has changed. Raises ``Denied``."""
    if not ground.policy.is_current(ruling, transaction):
        raise Denied("DECISION_CHANGED", "a duty or the membership list has changed; ask again")


def require_open_offer(transaction: Transaction, ground: Ground, terms: Terms, expires: Milliseconds) -> None:
    """The guards of an Accept: the Offer still stands, the agreement is active. Raises ``Denied``."""
    if ground.ambient.now() >= expires:
        raise Denied("OFFER_EXPIRED", "the Accept came after the Offer's end")
    require_active(transaction, terms.agreement)


def require_latest(transaction: Transaction, conversation: Conversation) -> None:
    """A guard of all that an attempt changes: no later one has begun. Raises ``OutOfTurn``."""
    query = "SELECT attempt FROM exchange WHERE id = ?"
    if transaction.sqlite.execute(query, (conversation.exchange,)).fetchone() != (conversation.attempt,):
        raise OutOfTurn("a later attempt of this exchange has begun", field="attempt")


def require_active(transaction: Transaction, agreement: str) -> None:
    """A guard: the agreement is still active in the store. Raises ``Denied``."""
    row = transaction.first("SELECT state FROM agreement WHERE id = ?", agreement)
    if row is None or row[0] != "active":
        raise Denied("AGREEMENT_ENDED")

"""Nonces: a Request or Resume counts once (LEDGER.md section 3).

Rules that hold here: (peer, nonce) is spent in the transaction that records what came of it, granted
or denied. It is kept until its request could not be granted any more: a deadline lies at most ten
minutes ahead of the time at which a request is granted, and a signed time at most five behind it.
"""

from __future__ import annotations

from typing import Final

from connector.store.tables import NonceRow
from connector.store.writer import Transaction
from ledger.errors import BylagError, ErrorKind
from ledger.names import Milliseconds

LONGEST_KEPT_MS: Final = 20 * 60 * 1000
"""A deadline further away was denied; nobody makes this side remember its nonce for ever."""


class Replayed(BylagError):
    """A Request or Resume whose nonce was used before."""

    code = "REPLAYED"
    kind = ErrorKind.CONFLICT
    default_next_step = "Make a new request; each has a nonce of its own."


def spend(transaction: Transaction, peer: str, nonce: str, deadline: Milliseconds, now: Milliseconds) -> None:
    """Use a nonce up. Raises :class:`Replayed`."""
    if transaction.session.get(NonceRow, (peer, nonce)) is not None:
        raise Replayed("this nonce was used before", field="nonce")
    kept = min(deadline, now + LONGEST_KEPT_MS)
    transaction.session.add(NonceRow(peer=peer, nonce=nonce, deadline=kept))


def forget(transaction: Transaction, now: Milliseconds) -> int:
    """Forget nonces whose requests cannot be granted any more; how many there were."""
    return transaction.sqlite.execute("DELETE FROM nonce WHERE deadline < ?", (now,)).rowcount

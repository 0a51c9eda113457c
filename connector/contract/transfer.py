"""The transfer process's state machine (DSP 2025-1, section 9), as a function of values.

    (nothing) ─REQUEST─► REQUESTED ─START─► STARTED ─COMPLETE─► COMPLETED
                                            │     ▲
                                    SUSPEND ▼     │ START
                                          SUSPENDED              TERMINATED ◄── TERMINATE

Rules that hold here:

* :data:`TRANSITIONS` is the whole machine; what is not in it is
  :class:`~connector.contract.errors.IllegalMove`, and a refused move changes nothing.
* The first start is the provider's. After a suspension either side may start again; that moves the
  process and grants nothing: each window is decided and recorded on its own.
* A move is what one signed message of an exchange does (:data:`MOVES_OF`); its name is that
  message's hash. The same message again changes nothing and is no error.
* An exchange's id stands for both of the standard's: consumerPid, which its maker chose, and
  providerPid, by which the provider answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final

from connector.contract.errors import IllegalMove, NotThisNegotiation
from connector.contract.liability import Role
from ledger.names import AgreementId, MessageHash


class TransferState(StrEnum):
    """The states of a transfer process (DSP 2025-1, section 9.1.2)."""

    REQUESTED = "REQUESTED"
    STARTED = "STARTED"
    SUSPENDED = "SUSPENDED"
    COMPLETED = "COMPLETED"
    TERMINATED = "TERMINATED"

    @property
    def is_final(self) -> bool:
        """Whether no message can follow."""
        return self in {TransferState.COMPLETED, TransferState.TERMINATED}


class TransferStep(Enum):
    """What a message does in the state machine, by its name in DSP 2025-1."""

    REQUEST = "TransferRequestMessage"
    START = "TransferStartMessage"
    SUSPEND = "TransferSuspensionMessage"
    COMPLETE = "TransferCompletionMessage"
    TERMINATE = "TransferTerminationMessage"


_BOTH: Final = (Role.CONSUMER, Role.PROVIDER)
_RUNNING: Final = (TransferState.REQUESTED, TransferState.STARTED, TransferState.SUSPENDED)

TRANSITIONS: Final[Mapping[tuple[TransferState | None, Role, TransferStep], TransferState]] = (
    MappingProxyType({
        (None, Role.CONSUMER, TransferStep.REQUEST): TransferState.REQUESTED,
        (TransferState.REQUESTED, Role.PROVIDER, TransferStep.START): TransferState.STARTED,
        **{(TransferState.SUSPENDED, role, TransferStep.START): TransferState.STARTED for role in _BOTH},
        **{(TransferState.STARTED, role, TransferStep.SUSPEND): TransferState.SUSPENDED for role in _BOTH},
        **{(TransferState.STARTED, role, TransferStep.COMPLETE): TransferState.COMPLETED for role in _BOTH},
        **{
            (state, role, TransferStep.TERMINATE): TransferState.TERMINATED
            for state in _RUNNING
            for role in _BOTH
        },
    })
)  # fmt: skip
"""DSP 2025-1, section 9.1.3, the state machine's diagram."""

MOVES_OF: Final[Mapping[str, TransferStep]] = MappingProxyType({
    "request": TransferStep.REQUEST,
    "offer": TransferStep.START,
    "cut": TransferStep.SUSPEND,
    "receipt": TransferStep.COMPLETE,
    "denial": TransferStep.TERMINATE,
})  # fmt: skip
"""What an exchange's own signed messages do: the provider's Offer makes the data available, to a Request
and again to a Resume; a Cut ends the attempt, not the exchange; the consumer's Receipt completes it."""


@dataclass(frozen=True, slots=True)
class Move:
    """What a signed message does to a transfer process."""

    step: TransferStep
    message: MessageHash
    consumer_pid: str
    provider_pid: str | None
    """None while the consumer does not know it."""
    agreement: AgreementId
    code: str | None = None
    """Why, for a suspension or termination; the words travel beside the message."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer process as one side knows it."""

    consumer_pid: str
    provider_pid: str | None
    agreement: AgreementId
    state: TransferState
    code: str | None
    """Why it was last suspended or terminated."""
    taken: tuple[MessageHash, ...]


def advance_transfer(transfer: Transfer | None, sender_role: Role, move: Move) -> Transfer:
    """The transfer process after ``move``. Does not verify the message: the exchange has.

    Raises :class:`~connector.contract.errors.IllegalMove` or ``NotThisNegotiation``.
    """
    if transfer is not None:
        if move.message in transfer.taken:
            return transfer
        _check_belongs(transfer, move)
    state = transfer.state if transfer is not None else None
    following = TRANSITIONS.get((state, sender_role, move.step))
    if following is None:
        here = f"in {state.value}" if state is not None else "first"
        raise IllegalMove(f"the {sender_role.value} cannot send a {move.step.value} {here}", field="type")
    if transfer is None:
        return Transfer(
            move.consumer_pid, move.provider_pid, move.agreement, following, move.code, (move.message,)
        )
    return replace(
        transfer,
        provider_pid=move.provider_pid or transfer.provider_pid,
        state=following,
        code=move.code,
        taken=(*transfer.taken, move.message),
    )


def _check_belongs(transfer: Transfer, move: Move) -> None:
    if move.consumer_pid != transfer.consumer_pid:
        raise NotThisNegotiation("the move is of another transfer process", field="consumer_pid")
    if move.agreement != transfer.agreement:
        raise NotThisNegotiation("the transfer process is under another agreement", field="agreement")
    if move.provider_pid is not None and transfer.provider_pid not in {None, move.provider_pid}:
        raise NotThisNegotiation("the provider had given another id", field="provider_pid")

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
* The exchange room applies it (:mod:`connector.exchange.process`), in the transaction of the message, or
  of what happened instead of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final

from connector.contract.errors import IllegalMove
from connector.contract.liability import Role


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


def next_state(state: TransferState | None, sender: Role, step: TransferStep) -> TransferState:
    """The state after a step; ``state`` is None before the first. Raises ``IllegalMove``."""
    following = TRANSITIONS.get((state, sender, step))
    if following is None:
        here = f"in {state.value}" if state is not None else "first"
        raise IllegalMove(f"the {sender.value} cannot send a {step.value} {here}", field="type")
    return following

"""The states of a contract negotiation, the table of its transitions, and a negotiation as a value.

Rules that hold here: the table is the whole machine; ``connector.contract.negotiation`` is the only
one who moves a negotiation from state to state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from connector.contract.agreement import Agreement, ListReference
from connector.contract.liability import Role
from connector.contract.messages import ContractTermination, Envelope, LogHead, Message, Step
from connector.contract.opening import NONE_BESIDE, Commitments
from connector.contract.party import Party
from connector.contract.terms import Proposal
from ledger.names import DataSpaceId, Milliseconds, NegotiationId, ParticipantId


class State(StrEnum):
    """The states of a contract negotiation (DSP 2025-1, section "Contract Negotiation Protocol", States)."""

    REQUESTED = "REQUESTED"
    OFFERED = "OFFERED"
    ACCEPTED = "ACCEPTED"
    AGREED = "AGREED"
    VERIFIED = "VERIFIED"
    FINALIZED = "FINALIZED"
    TERMINATED = "TERMINATED"

    @property
    def is_final(self) -> bool:
        """Whether no message can follow."""
        return self in {State.FINALIZED, State.TERMINATED}

    @property
    def waits_for(self) -> Role | None:
        """Whose message moves it on, other than a termination; None at its end."""
        if self.is_final:
            return None
        return Role.CONSUMER if self in {State.OFFERED, State.AGREED} else Role.PROVIDER


_OPEN: Final = (State.REQUESTED, State.OFFERED, State.ACCEPTED, State.AGREED)

TERMINATIONS: Final[Mapping[Role, tuple[State, ...]]] = MappingProxyType({
    Role.CONSUMER: _OPEN,
    Role.PROVIDER: (*_OPEN, State.VERIFIED),
})  # fmt: skip
"""In which states each side may terminate."""

TRANSITIONS: Final[Mapping[tuple[State | None, Role, Step], State]] = MappingProxyType({
    (None, Role.CONSUMER, Step.REQUEST): State.REQUESTED,
    (None, Role.PROVIDER, Step.OFFER): State.OFFERED,
    (State.REQUESTED, Role.PROVIDER, Step.OFFER): State.OFFERED,
    (State.REQUESTED, Role.PROVIDER, Step.AGREE): State.AGREED,
    (State.OFFERED, Role.CONSUMER, Step.REQUEST): State.REQUESTED,
    (State.OFFERED, Role.CONSUMER, Step.ACCEPT): State.ACCEPTED,
    (State.ACCEPTED, Role.PROVIDER, Step.AGREE): State.AGREED,
    (State.AGREED, Role.CONSUMER, Step.VERIFY): State.VERIFIED,
    (State.VERIFIED, Role.PROVIDER, Step.FINALIZE): State.FINALIZED,
    **{
        (state, role, Step.TERMINATE): State.TERMINATED
        for role, states in TERMINATIONS.items()
        for state in states
    },
})  # fmt: skip
"""DSP 2025-1, section "Contract Negotiation Protocol", the state machine's diagram."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message that moved the machine, and who sent it."""

    role: Role
    message: Message


@dataclass(frozen=True, slots=True)
class Negotiation:
    """A negotiation as one side knows it. Its ids are opaque to the side that did not make them."""

    space: DataSpaceId
    consumer: ParticipantId
    provider: ParticipantId
    consumer_pid: NegotiationId | None
    provider_pid: NegotiationId | None
    state: State
    proposal: Proposal
    """What lies on the table."""
    consumer_party: Party | None
    provider_party: Party | None
    agreement: Agreement | None
    provider_signature: str | None
    """The first signature, over the agreement's bytes."""
    consumer_signature: str | None
    """The second."""
    history: tuple[Entry, ...]

    def participant(self, role: Role) -> ParticipantId:
        """The provider or the consumer."""
        return self.provider if role is Role.PROVIDER else self.consumer

    def pid(self, role: Role) -> NegotiationId | None:
        """The id that a side gave to this negotiation, if it is known here."""
        return self.provider_pid if role is Role.PROVIDER else self.consumer_pid

    def last(self, role: Role) -> Message | None:
        """The last message that a side sent."""
        return next((entry.message for entry in reversed(self.history) if entry.role is role), None)

    def message(self, step: Step) -> Message | None:
        """The last message of a step."""
        return next(
            (entry.message for entry in reversed(self.history) if entry.message.body.step is step), None
        )

    @property
    def termination(self) -> tuple[Role, str] | None:
        """Who terminated, and the reason code."""
        ending = self.history[-1]
        body = ending.message.body
        return (ending.role, body.code) if isinstance(body, ContractTermination) else None

    def knows(self, message: Message) -> bool:
        """Whether this very message has been taken already: a redelivery."""
        return any(entry.message.digest == message.digest for entry in self.history)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a message says of the moment in which it is made."""

    list: ListReference
    aseq: int
    head: LogHead | None
    time: Milliseconds
    commitments: Commitments = NONE_BESIDE


def first_envelope(
    role: Role,
    pid: NegotiationId,
    *,
    space: DataSpaceId,
    sender: ParticipantId,
    recipient: ParticipantId,
    stamp: Stamp,
) -> Envelope:
    """The envelope of a message that begins a negotiation, under the sender's fresh id."""
    return Envelope(
        space=space,
        sender=sender,
        recipient=recipient,
        consumer_pid=pid if role is Role.CONSUMER else None,
        provider_pid=pid if role is Role.PROVIDER else None,
        prev=None,
        seen=None,
        list=stamp.list,
        aseq=stamp.aseq,
        head=stamp.head,
        time=stamp.time,
        commitments=stamp.commitments,
    )


def next_envelope(negotiation: Negotiation, role: Role, stamp: Stamp) -> Envelope:
    """The envelope of the next message that ``role`` sends."""
    last, heard = negotiation.last(role), negotiation.last(role.other)
    return Envelope(
        space=negotiation.space,
        sender=negotiation.participant(role),
        recipient=negotiation.participant(role.other),
        consumer_pid=negotiation.consumer_pid,
        provider_pid=negotiation.provider_pid,
        prev=last.digest if last else None,
        seen=heard.digest if heard else None,
        list=stamp.list,
        aseq=stamp.aseq,
        head=stamp.head,
        time=stamp.time,
        commitments=stamp.commitments,
    )

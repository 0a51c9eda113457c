"""The end of an agreement in force, by either party's word.

Rules that hold here: either party may end an agreement, alone and with a reason code; the words
travel beside. The message names the agreement's bytes, so it cannot be turned against another. A
termination is a protective message: it counts from a member who was removed meanwhile, as long as
the key was theirs and valid when ``at`` is; which moment that is, the caller knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.contract.agreement import Agreement
from connector.contract.errors import AgreementDiffers, ForgedSender, IllegalMove
from connector.contract.keys import KeyDirectory, verify_by
from connector.contract.liability import Role
from connector.contract.messages import MAX_BYTES, AgreementTermination, Message
from ledger.names import Milliseconds


@dataclass(frozen=True, slots=True)
class Ending:
    """Who ends an agreement, why, and when."""

    by: Role
    code: str
    ends: Milliseconds


def ending_of(
    agreement: Agreement, sender_role: Role, message: Message, *, keys: KeyDirectory, at: Milliseconds
) -> Ending:
    """What an ``agreement-termination`` from ``sender_role`` says, verified.

    The role tells the two units of one participant apart; for others it follows from the sender.
    Does not check that the agreement is in force, nor ``prev``, ``seen`` and ``aseq``.

    Raises ``IllegalMove``, ``AgreementDiffers``, ``ForgedSender``, ``UnknownKey``, ``KeyNotValid`` or
    :class:`~ledger.document.BadSignature`.
    """
    body, envelope = message.body, message.envelope
    if not isinstance(body, AgreementTermination):
        raise IllegalMove("this message ends no agreement", field="type")
    if (body.agreement, body.contract, envelope.space) != (agreement.id, agreement.digest, agreement.space):
        raise AgreementDiffers("ends another agreement", field="contract")
    if envelope.sender != agreement.party(sender_role).id:
        raise ForgedSender(f"the sender is not the agreement's {sender_role.value}", field="sender")
    if envelope.recipient != agreement.party(sender_role.other).id:
        raise ForgedSender("the recipient is not the other party", field="recipient")
    verify_by(keys, envelope.sender, message.document, body.kind, at=at, max_bytes=MAX_BYTES)
    return Ending(sender_role, body.code, max(body.ends, envelope.time))

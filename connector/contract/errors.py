"""What can be wrong with a contract message beyond its form, each with its own type.

None of these changes any state: whoever raises one has kept nothing of the message.
"""

from __future__ import annotations

from ledger.document import SignedDocument
from ledger.errors import BylagError, ErrorKind


class ContractError(BylagError):
    """Base of what the contract room refuses."""

    code = "CONTRACT"
    kind = ErrorKind.CONFLICT
    default_next_step = "Look at the negotiation's state with `bylag negotiation show`."


class IllegalMove(ContractError):
    """The state machine has no such transition for this sender."""

    code = "ILLEGAL_MOVE"
    default_next_step = "Look at the state first; DSP 2025-1 says which message may follow in it."


class OutOfOrder(ContractError):
    """The message does not follow the sender's last, or answers something older than the last received."""

    code = "OUT_OF_ORDER"
    default_next_step = "Deliver the messages that came before, then this one again."


class ConflictingMessage(ContractError):
    """The sender signed two different messages for one step: each proves the other a breach."""

    code = "CONFLICTING_MESSAGE"
    default_next_step = "Keep both messages: together they prove that the sender contradicted itself."

    def __init__(self, first: SignedDocument, second: SignedDocument) -> None:
        super().__init__("another message was already signed for this step", field="prev")
        self.first = first
        self.second = second


class TooManyRounds(ContractError):
    """The negotiation has had as many messages as one may have."""

    code = "TOO_MANY_ROUNDS"
    kind = ErrorKind.EXHAUSTED
    default_next_step = "Terminate this negotiation and begin a new one."


class NotThisNegotiation(ContractError):
    """The ids, the data space or the dataset are those of another negotiation."""

    code = "NOT_THIS_NEGOTIATION"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Send the ids that the other side gave; each negotiation has its own."


class ForgedSender(ContractError):
    """The message names another sender or recipient than the parties of this negotiation."""

    code = "FORGED_SENDER"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Sign with your own key, in your own name."


class UnknownKey(ContractError):
    """The signing key is not the named party's."""

    code = "UNKNOWN_KEY"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Sign with a key that the membership list names, or have the list renewed."


class KeyNotValid(ContractError):
    """The key is the party's, but was not valid at that time."""

    code = "KEY_NOT_VALID"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Sign with a key that is valid now; if there is none, ask the registrar for one."


class AgreementDiffers(ContractError):
    """The agreement is not what was on the table, or the messages speak of different agreements."""

    code = "AGREEMENT_DIFFERS"
    default_next_step = "Compare the agreement with the last proposal; sign only what was negotiated."


class NoSuchAgreement(BylagError):
    """This participant has no agreement of that id."""

    code = "NO_SUCH_AGREEMENT"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "List them with `bylag agreement list`."


class SignByPassed(ContractError):
    """A signature came after the agreement's ``sign_by``."""

    code = "SIGN_BY_PASSED"
    default_next_step = "Begin a new negotiation, with a later sign_by."


class NotAcknowledged(ContractError):
    """The first signer has not acknowledged this second signature."""

    code = "NOT_ACKNOWLEDGED"
    default_next_step = "Wait for the provider's FINALIZED message; without it the agreement does not count."


class ContradictoryFacts(ContractError):
    """The facts of an exchange cannot all be true."""

    code = "CONTRADICTORY_FACTS"
    kind = ErrorKind.DAMAGED
    default_next_step = "Keep the signed messages: one of them was made against the protocol."

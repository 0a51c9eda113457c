"""Writes the golden files: the canonical form of every document of the contract room, signed.

Run ``python -m tests.contract.make_golden`` from the repository's root after a change of format that
is meant; a change that is not meant shows as a failing ``test_golden.py``. A golden file that changes
means that documents signed before it can no longer be read: then the version goes up.
"""

from __future__ import annotations

from pathlib import Path

from connector.contract.messages import (
    AgreementTermination,
    ContractTermination,
    DutyAnswered,
    DutyReported,
    Infringed,
    Message,
    SettlementRefused,
    SettlementSigned,
    Step,
    compose,
)
from connector.contract.opening import commit_beside
from connector.contract.settlement import TYPE, Line, Span, digest_of, statement
from connector.contract.states import next_envelope
from ledger.ambient import HeldAmbient
from ledger.canonical import encode
from ledger.document import sign_payload
from ledger.names import AgreementId, ExchangeId, MessageHash, Milliseconds
from tests.contract.world import DAY, KEYS, NOW, C, P, World, offer


def _hash(number: int) -> MessageHash:
    return MessageHash(f"{number:064x}")


LINES = (
    Line(Milliseconds(NOW + 5), ExchangeId("e2"), 1, 1, _hash(1), None, _hash(2), 1000, 8000, 1),
    Line(Milliseconds(NOW - 5), ExchangeId("e1"), 2, 3, _hash(3), _hash(4), _hash(5), 1, 70, 0),
)
FOLDER = Path(__file__).parent / "golden"


def documents() -> dict[str, bytes]:
    """Every golden file by name: payloads as they are signed, and the compact JWS beside each message."""
    world = World()
    messages: dict[str, Message] = {}
    for name, role, step in (
        ("contract-request", C, Step.REQUEST),
        ("contract-offer", P, Step.OFFER),
        ("contract-event-accepted", C, Step.ACCEPT),
        ("contract-agreement", P, Step.AGREE),
        ("contract-verification", C, Step.VERIFY),
        ("contract-event-finalized", P, Step.FINALIZE),
    ):
        messages[name] = world.make(role, world.body(step))
        world.deliver(role, messages[name])
    assert world.negotiation is not None
    commitments, _ = commit_beside(HeldAmbient(), {"words": "Enough.", "actor": "A. Person"})
    envelope = next_envelope(world.negotiation, C, world.stamp(commitments))
    ending = AgreementTermination(AgreementId("agreement-1"), world.agreed.digest, "LEGAL_OBLIGATION", NOW)
    messages["agreement-termination"] = compose(envelope, ending, KEYS[C])
    messages["contract-termination"] = compose(envelope, ContractTermination("NO_LONGER_NEEDED"), KEYS[C])
    made = statement(world.agreed, Span(NOW, Milliseconds(NOW + DAY)), LINES)
    payload = made.encoded()
    place = (world.agreed.id, world.agreed.digest, made.span.begin, made.span.until)
    signed = SettlementSigned(*place, digest_of(payload), sign_payload(payload, TYPE, KEYS[C]))
    messages["settlement"] = compose(envelope, signed, KEYS[C])
    refused = SettlementRefused(
        *place, digest_of(payload), "DIFFERS", "5e" * 32,
        lines=1, records=1000, bytes=8000, requests=1, amount=25,
    )  # fmt: skip
    messages["settlement-refusal"] = compose(envelope, refused, KEYS[C])
    duty = (world.agreed.id, world.agreed.digest, "urn:x:pay", "7a" * 32)
    report = DutyReported(*duty, number=1, late=False, amount=50_000, evidence="3b" * 32)
    messages["duty-report"] = compose(envelope, report, KEYS[C])
    answer = DutyAnswered(*duty, messages["duty-report"].digest, "NOT_ENOUGH")
    messages["duty-answer"] = compose(world.make(P, world.body(Step.FINALIZE)).envelope, answer, KEYS[P])
    said = Infringed(world.agreed.id, world.agreed.digest, "urn:x:no-selling")
    messages["infringement"] = compose(messages["duty-answer"].envelope, said, KEYS[P])
    files = {
        "published-offer.json": encode(offer().content()),
        "agreement.json": world.agreed.payload,
        "settlement-statement.json": payload,
    }
    for name, message in messages.items():
        files[f"{name}.json"] = message.document.payload
        files[f"{name}.jws"] = message.document.jws.encode() + b"\n"
    return files


def main() -> None:
    """Write every golden file anew."""
    for path in FOLDER.iterdir():
        path.unlink()
    for name, data in documents().items():
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()

"""Writes the golden files: the canonical form of every document of the contract room, signed.

Run ``python -m tests.contract.make_golden`` from the repository's root after a change of format that
is meant; a change that is not meant shows as a failing ``test_golden.py``. A golden file that changes
means that documents signed before it can no longer be read: then the version goes up.
"""

from __future__ import annotations

from pathlib import Path

from connector.contract.messages import AgreementTermination, ContractTermination, Message, Step, compose
from connector.contract.opening import commit_beside
from connector.contract.states import next_envelope
from ledger.ambient import HeldAmbient
from ledger.canonical import encode
from ledger.names import AgreementId
from tests.contract.world import KEYS, NOW, C, P, World, offer

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
    files = {"published-offer.json": encode(offer().content()), "agreement.json": world.agreed.payload}
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

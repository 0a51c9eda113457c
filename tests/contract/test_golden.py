"""The signed bytes are what they were: a golden file for every document of the contract room."""

from __future__ import annotations

import hashlib

import pytest

from connector.contract.agreement import decode_agreement
from connector.contract.keys import verify_by
from connector.contract.messages import KINDS, MAX_BYTES, read_message
from connector.contract.offer import decode_offer
from ledger.canonical import encode
from ledger.document import SignedDocument
from tests.contract.make_golden import FOLDER, documents
from tests.contract.world import CONSUMER, NOW, PROVIDER, directory

NAMES = sorted(documents())


def test_the_folder_holds_exactly_the_golden_files() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_still_written_as_it_was(name: str) -> None:
    assert documents()[name] == (FOLDER / name).read_bytes(), "run tests/contract/make_golden.py if meant"


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".jws")])
def test_a_message_of_then_is_still_read_and_verifies(name: str) -> None:
    message = read_message(_message(name))
    sender = PROVIDER if message.envelope.sender == PROVIDER else CONSUMER
    verify_by(directory(), sender, message.document, message.body.kind, at=NOW, max_bytes=MAX_BYTES)
    assert name.startswith(message.body.kind)
    assert message.digest == hashlib.sha256(message.document.compact).hexdigest()


def test_every_kind_of_message_has_a_golden_file() -> None:
    kinds = {read_message(_message(name)).body.kind for name in NAMES if name.endswith(".jws")}
    assert kinds == KINDS


def test_the_unsigned_documents_of_then_are_still_read() -> None:
    agreement = (FOLDER / "agreement.json").read_bytes()
    assert decode_agreement(agreement).payload == agreement
    published = (FOLDER / "published-offer.json").read_bytes()
    assert encode(decode_offer(published).content()) == published


def _message(name: str) -> SignedDocument:
    payload = (FOLDER / name).with_suffix(".json").read_bytes()
    return SignedDocument(payload, (FOLDER / name).read_text().strip())

"""What all logs of all end-to-end runs hold of the citizens in them: nothing. Runs after all others."""

from __future__ import annotations

import re

import pytest

from ledger.leaf import read
from tests.e2e.keep import KEPT, Kept
from tests.e2e.town import Town

WORD = re.compile(r"[^\W_]{4,}")


@pytest.fixture(scope="module")
def kept(town: Town) -> Kept:
    """Everything that was written; the shared data space ends for it."""
    if not any(participant.words for participant in town.space.participants):
        pytest.skip("nobody said anything: run it with the other end-to-end tests")
    town.space.end()
    return KEPT


def test_a_citizen_took_part_and_many_leaves_were_written(kept: Kept) -> None:
    assert kept.citizens
    assert all(len(of_one) > 8 for of_one in kept.citizens.values()), "handle, name, keys and signatures"
    assert all(len(of_one) > 8 for of_one in kept.theirs.values())
    kinds = {read(entry).kind for _, entry in kept.entries}
    assert {"negotiation", "agreement", "offer", "commit", "ack", "receipt", "denial", "use"} <= kinds
    assert len(kept.words) > 5


def test_no_leaf_holds_a_citizens_handle_key_signature_or_name(kept: Kept) -> None:
    found = [
        (whose, secret)
        for whose, entry in kept.entries
        for secrets in kept.citizens.values()
        for secret in secrets
        if secret.encode() in entry and not is_own_log_key(whose, entry)
    ]
    assert found == []


def test_no_other_log_holds_what_leads_to_a_citizen(kept: Kept) -> None:
    found = [
        (whose, secret)
        for citizen, secrets in kept.theirs.items()
        for whose, entry in kept.entries
        if whose != citizen
        for secret in secrets
        if secret.encode() in entry
    ]
    assert found == []


def test_no_leaf_holds_free_text(kept: Kept) -> None:
    said = {word.lower() for words in kept.words for word in WORD.findall(words)}
    for whose, entry in kept.entries:
        leaf = read(entry)
        assert leaf.known, whose
        assert b" " not in entry
        assert not said & {word.lower() for word in WORD.findall(" ".join(texts(leaf.members)))}, entry


def texts(value: object) -> list[str]:
    """Every string in a leaf."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [value] if isinstance(value, str) else []


def is_own_log_key(whose: str, entry: bytes) -> bool:
    """Each log's second leaf names the key by which it is verified; a citizen's own log too."""
    return whose.startswith("guest:") and read(entry).kind == "key"

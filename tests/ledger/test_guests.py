"""A person's keys, known from their controller's credentials: what verifies by them, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import side
from ledger.canonical import JSON, JSONObject, encode
from ledger.commitment import fresh_json
from ledger.document import sign, to_base64url
from ledger.folder import LIST_KIND, Document
from ledger.guests import CREDENTIAL_KIND
from ledger.leaf import agreement_chain
from ledger.names import LeafIndex
from ledger.report import Report, Severity
from ledger.side import SHARED
from tests.ledger.home import SPACE, Home
from tests.ledger.story import AGREEMENT, Story
from tests.ledger.test_verify import check, found

HANDLE = "guest:00000000000000000000000000004711"
FIRST_KEY = Ed25519PrivateKey.from_private_bytes(b"g" * 32)
SECOND_KEY = Ed25519PrivateKey.from_private_bytes(b"h" * 32)
LOG_KEY = Ed25519PrivateKey.from_private_bytes(b"i" * 32)
YEAR = 365 * 24 * 3600 * 1000


def raw(key: Ed25519PrivateKey) -> str:
    return to_base64url(key.public_key().public_bytes_raw())


def credential(story: Story, key: Ed25519PrivateKey, issued: int, **changed: JSON) -> Document:
    content: JSONObject = {
        "type": CREDENTIAL_KIND,
        "version": 1,
        "space": SPACE,
        "controller": story.provider.did,
        "handle": HANDLE,
        "keys": {"sign": raw(key), "log": raw(LOG_KEY)},
        "issued": issued,
        "expires": issued + YEAR,
        **changed,
    }
    signed = sign(content, story.provider.sign_key)
    return Document(signed.payload, (signed.jws,))


def heard_from_guest(home: Home, key: Ed25519PrivateKey) -> None:
    """A message of the guest, as their controller's log holds it: all of it in the guest's own row."""
    message = sign({"type": "request", "version": 1, "sender": HANDLE, "recipient": home.did}, key)
    values: dict[str, JSON] = {
        "with": {"org": HANDLE},
        "agreement": "guest-agreement",
        "counterpart": {"message": message.digest, "signature": message.jws.rpartition(".")[2]},
    }
    openings = {name: fresh_json(name, value, home.ambient) for name, value in values.items()}
    home.record(
        "request",
        side_row={
            "heard": side.signed_to_json(message),
            "openings": {name: each.to_json() for name, each in openings.items()},
        },
        holder=HANDLE,
        chain=f"person {home.ambient.random(4).hex()}",
        members={name: {"commitment": each.commitment} for name, each in openings.items()},
    )


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path)


def judged(story: Story, *credentials: Document, name: str = "with-guest") -> Report:
    lists = [(LIST_KIND, each) for each in story.lists]
    folder = story.export(
        story.provider,
        name,
        holders=[SHARED, HANDLE],
        documents=[*lists, *((CREDENTIAL_KIND, each) for each in credentials)],
    )
    return check(folder)


def open_points(report: Report) -> list[str]:
    return [each for each in found(report, Severity.OPEN) if each.startswith("6")]


def test_a_signature_under_an_earlier_credential_verifies_by_it(story: Story) -> None:
    began = story.provider.ambient.now()
    heard_from_guest(story.provider, FIRST_KEY)
    earlier, later = credential(story, FIRST_KEY, began), credential(story, SECOND_KEY, began + YEAR)
    both = judged(story, later, earlier)
    assert both.verified
    assert open_points(both) == []
    # The later credential alone does not answer for what was signed before it.
    alone = judged(story, later, name="later-alone")
    assert alone.verified
    assert len(open_points(alone)) == 1


def test_a_renewed_key_counts_for_each_time_it_was_vouched_for_and_not_between(story: Story) -> None:
    now = story.provider.ambient.now()
    heard_from_guest(story.provider, FIRST_KEY)
    before = credential(story, FIRST_KEY, now - 2 * YEAR)
    after = credential(story, FIRST_KEY, now + YEAR)
    assert "was not valid" in open_points(judged(story, before, after))[0]
    assert open_points(judged(story, before, after, credential(story, FIRST_KEY, now), name="three")) == []


def test_a_forged_message_of_a_guest_is_found(story: Story) -> None:
    home = story.provider
    message = sign({"type": "request", "version": 1}, FIRST_KEY)
    forged = side.signed_to_json(message)
    jws = str(forged["jws"])
    forged["jws"] = jws[:-4] + ("AAAA" if not jws.endswith("AAAA") else "BBBB")
    bad = side.signed_from_json(forged)
    counterpart: JSON = {"message": bad.digest, "signature": bad.jws.rpartition(".")[2]}
    openings = {
        "with": fresh_json("with", {"org": HANDLE}, home.ambient),
        "counterpart": fresh_json("counterpart", counterpart, home.ambient),
    }
    row: JSONObject = {"heard": forged, "openings": {name: each.to_json() for name, each in openings.items()}}
    home.record(
        "request",
        side_row=row,
        holder=HANDLE,
        chain="person x",
        members={name: {"commitment": each.commitment} for name, each in openings.items()},
    )
    assert any(
        each.startswith("6")
        for each in found(judged(story, credential(story, FIRST_KEY, home.ambient.now())))
    )


def test_a_credential_that_its_controller_did_not_give_is_found(story: Story) -> None:
    now = story.provider.ambient.now()
    other = story.consumer.sign_key
    content = credential(story, FIRST_KEY, now).signed()[0].content()
    forged = sign(content, other)
    stranger = sign(content, FIRST_KEY)
    given = credential(story, FIRST_KEY, now)
    cases = {
        "another-member": Document(forged.payload, (forged.jws,)),
        "itself": Document(stranger.payload, (stranger.jws,)),
        "altered": Document(encode({**content, "expires": now + 10**12}), given.signatures),
        "nobody": Document(forged.payload, ()),
        "no-keys": credential(story, FIRST_KEY, now, keys={}),
        "no-time": credential(story, FIRST_KEY, now, expires="never"),
        "a-member": credential(story, FIRST_KEY, now, handle=story.consumer.did),
        "another-version": credential(story, FIRST_KEY, now, version=2),
    }
    for name, document in cases.items():
        report = judged(story, document, name=name)
        assert any(each.startswith("5 documents/guest-credential") for each in found(report)), name


def test_a_head_ends_the_chain_of_a_guests_agreement(story: Story) -> None:
    home = story.provider
    heard_from_guest(home, FIRST_KEY)
    chain = home.connection.execute("SELECT chain FROM leaf ORDER BY idx DESC LIMIT 1").fetchone()[0]
    now = home.ambient.now()
    undetermined = found(judged(story, credential(story, FIRST_KEY, now)), Severity.OPEN)
    assert any(agreement_chain("guest-agreement") in each for each in undetermined)
    lists = [(LIST_KIND, each) for each in story.lists]
    folder = story.export(
        home, "headed", holders=[SHARED, HANDLE], documents=lists, agreements={chain: "guest-agreement"}
    )
    report = check(folder)
    assert report.verified
    assert not any(agreement_chain("guest-agreement") in each for each in found(report, Severity.OPEN))
    assert AGREEMENT not in str(found(report, Severity.OPEN))


class PersonsHome(Home):
    """A citizen's own ledger: its writer stands in it as a commitment, opened in the first row."""

    def _start(self) -> None:
        opening = fresh_json("by", {"org": HANDLE}, self.ambient)
        self.by = {"commitment": opening.commitment}
        super()._start()
        self.connection.execute("BEGIN")
        side.put(
            self.connection,
            self.chest,
            LeafIndex(0),
            SHARED,
            {"openings": {"by": opening.to_json()}},
            self.ambient,
        )
        self.connection.execute("COMMIT")


def test_a_persons_own_log_verifies_by_the_keys_their_controller_vouches_for(story: Story) -> None:
    home = PersonsHome(story.folder / "person", "anna")
    now = home.ambient.now()
    home.record(
        "request",
        said=home.sign_document({"type": "request", "version": 1, "sender": HANDLE}),
        agreement=AGREEMENT,
        exchange="e9",
        with_={"org": story.provider.did},
    )
    lists = [(LIST_KIND, each) for each in story.lists]
    keys: JSON = {"sign": raw(home.sign_key), "log": raw(home.log_key)}
    good = (CREDENTIAL_KIND, credential(story, FIRST_KEY, now, keys=keys))
    report = check(story.export(home, "own", documents=[*lists, good]))
    assert found(report) == []
    assert found(report, Severity.OPEN) == []
    bare = check(story.export(home, "bare", documents=lists))
    assert bare.verified
    assert {each[0] for each in found(bare, Severity.OPEN)} == {"1", "6", "7"}
    other: JSON = {"sign": raw(home.sign_key), "log": raw(FIRST_KEY)}
    wrong = (CREDENTIAL_KIND, credential(story, FIRST_KEY, now, keys=other))
    assert found(check(story.export(home, "wrong", documents=[*lists, wrong])))[0].startswith("1 ")

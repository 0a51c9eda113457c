"""Two participants under one registrar exchange data, and each keeps a ledger of it.

The messages have the envelope of an exchange (LEDGER.md section 3), with as much content as a verifier
looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import export, publish
from ledger.canonical import JSON, JSONObject, encode
from ledger.commitment import fresh_json
from ledger.document import SignedDocument, sign_payload, thumbprint, to_base64url
from ledger.export import Export
from ledger.folder import LIST_KIND, Document
from ledger.side import SHARED
from tests.ledger.home import SPACE, Home

REGISTRAR = [Ed25519PrivateKey.from_private_bytes(bytes([200 + number]) * 32) for number in range(3)]
AGREEMENT = "urn:uuid:00000000-0000-0000-0000-0000000000a1"
D = "ab" * 32


def registrar_content(threshold: int = 2) -> JSONObject:
    return {
        "threshold": threshold,
        "keys": [to_base64url(key.public_key().public_bytes_raw()) for key in REGISTRAR],
    }


def first_keys() -> bytes:
    return encode({"type": "registrar-keys", "version": 1, "space": SPACE, "registrar": registrar_content()})


def multi_signed(kind: str, content: JSONObject, keys: Sequence[Ed25519PrivateKey]) -> Document:
    payload = encode(content)
    return Document(payload, tuple(sign_payload(payload, kind, key) for key in keys))


def key_entry(key: Ed25519PrivateKey, use: str, **changed: JSON) -> JSONObject:
    entry: JSONObject = {
        "use": use,
        "thumbprint": thumbprint(key.public_key()),
        "public": to_base64url(key.public_key().public_bytes_raw()),
        "not_before": 0,
        "not_after": None,
        "compromised_since": None,
        "anchor": None,
    }
    return {**entry, **changed}


def membership_list(
    homes: Sequence[Home],
    number: int = 1,
    previous: str | None = None,
    signers: Sequence[Ed25519PrivateKey] = REGISTRAR[:2],
    key_changes: JSONObject | None = None,
) -> Document:
    changes = key_changes or {}
    content: JSONObject = {
        "type": LIST_KIND,
        "version": 1,
        "space": SPACE,
        "number": number,
        "previous": previous,
        "issued": 1,
        "expires": 2,
        "registrar": registrar_content(),
        "organisations": [
            {
                "did": home.did,
                "keys": [
                    key_entry(home.sign_key, "sign", **changes),
                    key_entry(home.log_key, "log"),
                ],
            }
            for home in homes
        ],
    }
    return multi_signed(LIST_KIND, content, signers)


class Story:
    """A provider, a consumer, and what passes between them."""

    def __init__(self, folder: Path) -> None:
        self.provider = Home(folder / "provider", "vaxby")
        self.consumer = Home(folder / "consumer", "kvarn")
        self.folder = folder
        first = membership_list([self.provider, self.consumer])
        self.lists = [first, membership_list([self.provider, self.consumer], 2, first.digest)]
        self.agreement = multi_signed(
            "agreement",
            {
                "type": "agreement",
                "version": 1,
                "id": AGREEMENT,
                "provider": {"id": self.provider.did},
                "consumer": {"id": self.consumer.did},
            },
            [self.provider.sign_key, self.consumer.sign_key],
        )

    def say(
        self, sender: Home, kind: str, exchange: str, *, lost: bool = False, **content: JSON
    ) -> SignedDocument:
        """One signed message: recorded by its sender, and by its recipient unless it is lost."""
        recipient = self.consumer if sender is self.provider else self.provider
        message = sender.sign_document(
            {
                "type": kind,
                "version": 1,
                "space": SPACE,
                "sender": sender.did,
                "recipient": recipient.did,
                "exchange": exchange,
                "attempt": 1,
                "agreement": AGREEMENT,
                "aseq": sender.next_aseq(AGREEMENT),
                "time": sender.ambient.now(),
                **content,
            }
        )
        self.write(sender, kind, exchange, said=message)
        if not lost:
            self.write(recipient, kind, exchange, heard=message)
        return message

    def write(
        self,
        home: Home,
        kind: str,
        exchange: str,
        said: SignedDocument | None = None,
        heard: SignedDocument | None = None,
    ) -> None:
        other = self.consumer if home is self.provider else self.provider
        details: JSONObject = {}
        if kind == "commit":
            details = {"window": 1, "digest": D, "frame_key": D, "labels": None}
        if kind == "ack":
            details = {"window": 1, "frame": 3, "digest": D}
        home.record(
            kind, said=said, heard=heard, agreement=AGREEMENT, exchange=exchange, attempt=1, members=details,
            with_={"org": other.did},
        )  # fmt: skip

    def exchange(self, name: str, *, lost_ack: bool = False) -> None:
        self.say(self.consumer, "request", name)
        self.say(self.provider, "offer", name)
        self.say(self.consumer, "accept", name)
        self.decide(name)
        self.say(self.provider, "commit", name)
        self.say(self.consumer, "ack", name, lost=lost_ack)

    def decide(self, exchange: str) -> None:
        """The provider's decision, whose input is committed to and opened in the shared row."""
        opening = fresh_json("input", {"purpose": "dpv:ServiceProvision"}, self.provider.ambient)
        self.provider.record(
            "decision", agreement=AGREEMENT, exchange=exchange, input={"commitment": opening.commitment},
            side_row={"openings": {"input": opening.to_json()}}, with_={"org": self.consumer.did},
        )  # fmt: skip

    def meet_citizen(self, handle: str = "5f2c9a") -> None:
        """Two records about a citizen of the provider: everything that leads to them is committed to."""
        home = self.provider
        before: bytes | None = None
        for kind in ("binding", "consent"):
            values: JSONObject = {"with": {"org": handle}, "agreement": f"guest-{handle}"}
            if before is not None:
                values["aprev"] = before.hex()
            openings = {name: fresh_json(name, value, home.ambient) for name, value in values.items()}
            members: JSONObject = {name: {"commitment": each.commitment} for name, each in openings.items()}
            row: JSONObject = {
                "openings": {name: each.to_json() for name, each in openings.items()},
                "name": "Anna Åberg",
            }
            chain = f"person {handle}"
            before = home.record(kind, side_row=row, holder=handle, chain=chain, members=members).hash

    def export(
        self,
        home: Home,
        name: str,
        *,
        holders: Sequence[str] = (SHARED,),
        documents: Sequence[tuple[str, Document]] | None = None,
        agreements: Mapping[str, str] | None = None,
    ) -> Path:
        """Publish what there is and hand it over."""
        home.publisher.publish(seal=True)
        assert home.publisher.last is not None
        if documents is None:
            documents = [*((LIST_KIND, each) for each in self.lists), ("agreement", self.agreement)]
        target = self.folder / name
        export.write(
            Export(
                connection=home.connection,
                tiles=home.store.read,
                note=publish.cosigned_note(home.connection, home.publisher.last.checkpoint.size),
                key=home.signer.key,
                sign_head=home.sign_document,
                chest=home.chest,
                holders=holders,
                documents=documents,
                agreements=agreements or {},
            ),
            target,
            home.ambient.now(),
        )
        return target

"""The cases: an edge, what came in, and the code of the one error that answers it.

Each case calls what stands at that edge with the real bytes. More cases of one edge, with the place
that each error names, stand with the room's own tests.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.catalog.dataset import dataset_id
from connector.catalog.listing import decode_entry, decode_page
from connector.contract.agreement import decode_agreement
from connector.contract.offer import decode_offer
from connector.exchange import messages
from connector.exchange.declared import Declared
from connector.identity.enrolment import read_admission, read_join
from connector.identity.membership import read_list, read_signed_list
from connector.identity.organisation import read_organisation
from connector.peer.convert import decode_message
from connector.policy.parse import normalise_bytes
from connector.source.folder import SnapshotFolder
from connector.source.selection import Selection
from connector.store.config import read_config
from ledger.ambient import SystemAmbient
from ledger.canonical import decode, decode_canonical, decode_object
from ledger.checkpoint import parse_text
from ledger.document import SignedDocument, header_of, to_base64url
from ledger.fields import Fields
from ledger.leaf import validate
from ledger.names import ParticipantId
from ledger.note import parse, parse_verifier_key
from ledger.proof import parse_proof
from ledger.trust import parse_policy

GOLDEN: Final = Path(__file__).parents[1] / "contract" / "golden"
PUBLISHER: Final = ParticipantId("did:web:city.example")
RIGHT_TO_LEFT: Final = "\u202e"
DECLARED: Final = Declared().to_json()


@dataclass(frozen=True)
class Case:
    """One wrong input. ``run`` gets a folder of its own."""

    edge: str
    what: str
    run: Callable[[Path], Any]
    code: str


def _file(name: str, content: bytes) -> Callable[[Path], Any]:
    """Publish a file with this content."""

    def run(folder: Path) -> Any:
        path = folder / name
        path.write_bytes(content)
        return SnapshotFolder(folder / "snapshots", SystemAmbient()).draft_table(path)

    return run


def _place(make: Callable[[Path], Path]) -> Callable[[Path], Any]:
    """Publish what ``make`` puts into the folder."""
    return lambda folder: SnapshotFolder(folder / "snapshots", SystemAmbient()).draft_table(make(folder))


def _endless_line(folder: Path) -> Path:
    path = folder / "line.csv"
    with path.open("wb") as file:
        file.write(b"a,b\n1,")
        file.write(b"x" * (2 << 20))
        # The rest is a hole: it is 1 GiB long, and whoever read it all would hold a gigabyte.
        file.truncate(1 << 30)
    return path


def _symlink(folder: Path) -> Path:
    link = folder / "link.csv"
    link.symlink_to("/dev/zero")
    return link


def _pipe(folder: Path) -> Path:
    path = folder / "pipe.csv"
    os.mkfifo(path)
    return path


def _agreement(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    """Read the golden agreement with something changed."""

    def run(_folder: Path) -> Any:
        content = json.loads((GOLDEN / "agreement.json").read_bytes())
        change(content)
        return decode_agreement(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())

    return run


def _policy(constraint: dict[str, Any]) -> Callable[[Path], Any]:
    document = {
        "@context": "http://www.w3.org/ns/odrl.jsonld",
        "@type": "Offer",
        "uid": "urn:uuid:1",
        "permission": [{"action": "use", "constraint": [constraint]}],
    }
    return lambda _: normalise_bytes(json.dumps(document).encode())


def _config(text: str) -> Callable[[Path], Any]:
    def run(folder: Path) -> Any:
        path = folder / "connector.toml"
        path.write_text(text)
        return read_config(path)

    return run


def _jws(header: dict[str, Any]) -> Callable[[Path], Any]:
    protected = to_base64url(json.dumps(header, separators=(",", ":")).encode())
    return lambda _: header_of(f"{protected}..{'A' * 86}")


def _organisation(**changes: Any) -> Callable[[Path], Any]:
    content: dict[str, Any] = {
        "did": "did:web:city.example",
        "kind": "municipality",
        "name": "City",
        "units": [],
        "keys": [],
        "endpoints": [],
        "status": "active",
        "successor": None,
        "attributes": {"country": None, "industry": None},
        **changes,
    }
    return lambda _: read_organisation(Fields(content))


HEADER: Final = {"alg": "EdDSA", "kid": "k", "typ": "bylag-request+jws"}

CASES: Final = (
    # JSON from anywhere
    Case("JSON", "bytes that are not UTF-8", lambda _: decode(b'{"a":"\xff"}'), "MALFORMED_JSON"),
    Case("JSON", "a byte-order mark", lambda _: decode(b"\xef\xbb\xbf{}"), "MALFORMED_JSON"),
    Case("JSON", "a duplicate key", lambda _: decode(b'{"a":1,"a":2}'), "MALFORMED_JSON"),
    Case("JSON", "a fraction", lambda _: decode(b"1.5"), "MALFORMED_JSON"),
    Case("JSON", "an integer of 2^53", lambda _: decode(b"9007199254740992"), "MALFORMED_JSON"),
    Case("JSON", "a number of a million digits", lambda _: decode(b"9" * 1_000_000), "MALFORMED_JSON"),
    Case("JSON", "NaN", lambda _: decode(b"NaN"), "MALFORMED_JSON"),
    Case("JSON", "100,000 nested lists", lambda _: decode(b"[" * 100_000), "MALFORMED_JSON"),
    Case("JSON", "a string that never ends", lambda _: decode(b'"' + b'\\"' * 200_000), "MALFORMED_JSON"),
    Case("JSON", "a lone surrogate", lambda _: decode(b'"\\ud800"'), "MALFORMED_JSON"),
    Case("JSON", "two megabytes", lambda _: decode(b" " * (2 << 20)), "MALFORMED_JSON"),
    Case("JSON", "a list where an object belongs", lambda _: decode_object(b"[]"), "MALFORMED_JSON"),
    Case("signed document", "another spelling of the same JSON", lambda _: decode_canonical(b'{"a": 1}'), "MALFORMED_JSON"),
    Case("signed document", "members in another order", lambda _: decode_canonical(b'{"b":1,"a":1}'), "MALFORMED_JSON"),
    Case("signature", "alg: none", _jws({**HEADER, "alg": "none"}), "BAD_SIGNATURE"),
    Case("signature", "alg: HS256", _jws({**HEADER, "alg": "HS256"}), "BAD_SIGNATURE"),
    Case("signature", "a key inside the header", _jws({**HEADER, "jwk": {}}), "BAD_SIGNATURE"),
    Case("signature", "a critical extension", _jws({**HEADER, "crit": ["b64"]}), "BAD_SIGNATURE"),
    Case("signature", "another kind of token", _jws({**HEADER, "typ": "JWT"}), "BAD_SIGNATURE"),
    Case("signature", "the payload left in", lambda _: header_of("a.b.c"), "BAD_SIGNATURE"),
    Case("signature", "100,000 characters", lambda _: header_of("a" * 100_000 + ".."), "BAD_SIGNATURE"),
    Case("signature", "no signature", lambda _: SignedDocument(b"{}", "").digest, "BAD_SIGNATURE"),
    # The membership list and enrolment
    Case("membership list", "not JSON", lambda _: read_list(b"list"), "MALFORMED_LIST"),
    Case("membership list", "an unknown member", lambda _: read_list(b'{"type":"membership-list","x":1}'), "MALFORMED_LIST"),
    Case("membership list", "another file", lambda _: read_signed_list(b'{"payload":7}'), "MALFORMED_LIST"),
    Case("membership list", "a right-to-left override in a name", _organisation(name=f"City{RIGHT_TO_LEFT}ytiC"), "BAD_FIELD"),
    Case("membership list", "a zero-width space in a name", _organisation(name="Ci\u200bty"), "BAD_FIELD"),
    Case("membership list", "a control character in a name", _organisation(name="Ci\x07ty"), "BAD_FIELD"),
    Case("membership list", "a name of 10,000 characters", _organisation(name="C" * 10_000), "BAD_FIELD"),
    Case("membership list", "a did with a path trick", _organisation(did="did:web:../../etc"), "BAD_FIELD"),
    Case("membership list", "an endpoint without a port", _organisation(endpoints=["city.example"]), "BAD_FIELD"),
    Case("membership list", "a kind that nobody knows", _organisation(kind="kingdom"), "BAD_FIELD"),
    Case("request to join", "random bytes", lambda _: read_join(bytes(range(256))), "MALFORMED_REQUEST"),
    Case("request to join", "another document", lambda _: read_join(b'{"type":"agreement"}'), "MALFORMED_REQUEST"),
    Case("answer to it", "no list", lambda _: read_admission(b'{"type":"admission","version":1,"lists":[]}'), "MALFORMED_LIST"),
    # Agreements and offers
    Case("agreement", "a dataset id that climbs folders", _agreement(lambda a: a.update(dataset="../../keys")), "BAD_FIELD"),
    Case("agreement", "a member too many", _agreement(lambda a: a.update(extra=1)), "BAD_FIELD"),
    Case("agreement", "a member too few", _agreement(lambda a: a.pop("nonce")), "BAD_FIELD"),
    Case("agreement", "another version", _agreement(lambda a: a.update(version=2)), "BAD_FIELD"),
    Case("agreement", "sign_by before it was made", _agreement(lambda a: a.update(sign_by=1)), "BAD_FIELD"),
    Case("agreement", "a policy digest that does not fit", _agreement(lambda a: a["terms"].update(policy_digest="0" * 64)), "BAD_FIELD"),
    Case("agreement", "both parties the same", _agreement(lambda a: a.update(consumer=a["provider"])), "BAD_FIELD"),
    Case("agreement", "a person's name where a handle belongs", _agreement(lambda a: a["consumer"].update(id="Anna Andersson")), "BAD_FIELD"),
    Case("offer", "an empty object", lambda _: decode_offer(b"{}"), "BAD_FIELD"),
    # Policies
    Case("policy", "a term that is not enforced", _policy({"leftOperand": "resolution", "operator": "eq", "rightOperand": "1"}), "POLICY_REFUSED"),
    Case("policy", "an operand that ODRL does not have", _policy({"leftOperand": "mood", "operator": "eq", "rightOperand": "good"}), "POLICY_REFUSED"),
    Case("policy", "an operator that ODRL does not have", _policy({"leftOperand": "purpose", "operator": "likes", "rightOperand": "x"}), "POLICY_REFUSED"),
    Case("policy", "no purpose of the vocabulary", _policy({"leftOperand": "purpose", "operator": "eq", "rightOperand": "fun"}), "MALFORMED_POLICY"),
    Case("policy", "a count of 2^53", _policy({"leftOperand": "count", "operator": "lteq", "rightOperand": 2**53}), "MALFORMED_JSON"),
    Case("policy", "a remote context", lambda _: normalise_bytes(b'{"@context":"https://evil.example/c","@type":"Set"}'), "POLICY_REFUSED"),
    Case("policy", "deep nesting", lambda _: normalise_bytes(b'{"a":' * 200 + b"1" + b"}" * 200), "MALFORMED_JSON"),
    # What peers send
    Case("exchange message", "random bytes", lambda _: decode_message(b"\xff\xff\xff\xff"), "MALFORMED_MESSAGE"),
    Case("exchange message", "nothing", lambda _: decode_message(b""), "MALFORMED_MESSAGE"),
    Case("exchange message", "an unknown type", lambda _: messages.read({"type": "gift", "version": 1}), "UNKNOWN_MESSAGE"),
    Case("exchange message", "no type", lambda _: messages.read({}), "BAD_FIELD"),
    Case("catalogue of a peer", "another publisher's dataset", lambda _: decode_page(b'[{"dataset":{}}]', PUBLISHER), "BAD_FIELD"),
    Case("catalogue of a peer", "a page of 10 MiB", lambda _: decode_page(b" " * (10 << 20), PUBLISHER), "MALFORMED_JSON"),
    Case("catalogue of a peer", "no object", lambda _: decode_entry(b"7", PUBLISHER), "MALFORMED_JSON"),
    Case("dataset id", "path traversal", lambda _: dataset_id("../../etc/passwd"), "BAD_FIELD"),
    Case("dataset id", "two dots inside", lambda _: dataset_id("a..b"), "BAD_FIELD"),
    Case("dataset id", "a slash", lambda _: dataset_id("a/b"), "BAD_FIELD"),
    Case("selection", "SQL as a column", lambda _: Selection.decode(b'{"columns":["a; DROP TABLE rows"],"x":1}'), "BAD_FIELD"),
    Case("selection", "an operator that is none", lambda _: Selection.decode(b'{"where":[{"column":"a","op":"or 1=1","value":1}]}'), "BAD_FIELD"),
    Case("selection", "a column twice", lambda _: Selection.decode(b'{"columns":["a","a"]}'), "BAD_FIELD"),
    Case("declaration", "a member that nobody declares", lambda _: Declared.read({**DECLARED, "owner": "urn:x:a"}), "BAD_FIELD"),
    Case("declaration", "rules in a device", lambda _: Declared.read({**DECLARED, "device": "urn:x:a\nallow := true"}), "BAD_FIELD"),
    Case("declaration", "a time beyond all numbers", lambda _: Declared.read({**DECLARED, "retention_ms": 2**53}), "BAD_FIELD"),
    Case("declaration", "a recipient twice", lambda _: Declared.read({**DECLARED, "onward": ["urn:x:a", "urn:x:a"]}), "BAD_FIELD"),
    # Files
    Case("table file", "UTF-16", _file("a.csv", "a,b\n1,2\n".encode("utf-16")), "WRONG_ENCODING"),
    Case("table file", "Latin-1", _file("a.csv", "ort\nMalmö\n".encode("latin-1")), "WRONG_ENCODING"),
    Case("table file", "a ragged row", _file("a.csv", b"a,b\n1,2\n3\n"), "BAD_ROW"),
    Case("table file", "a line of 1 GiB", _place(_endless_line), "ROW_TOO_LARGE"),
    Case("table file", "a NUL byte", _file("a.csv", b"a,b\n1,\x00\n"), "WRONG_ENCODING"),
    Case("table file", "nothing", _file("a.csv", b""), "SOURCE_EMPTY"),
    Case("table file", "a name twice in the header", _file("a.csv", b"a,a\n1,2\n"), "BAD_HEADER"),
    Case("table file", "a right-to-left override in a column's name", _file("a.csv", f"a,b{RIGHT_TO_LEFT}c\n1,2\n".encode()), "BAD_HEADER"),
    Case("table file", "gzip under a false name", _file("a.csv", gzip.compress(b"0" * (8 << 20))), "SOURCE_PACKED"),
    Case("table file", "a zip bomb", _file("a.csv", b"PK\x03\x04" + b"\x00" * 1000), "SOURCE_PACKED"),
    Case("table file", "a folder", _place(lambda folder: folder), "SOURCE_UNREADABLE"),
    Case("table file", "a link to a device", _place(_symlink), "SOURCE_UNREADABLE"),
    Case("table file", "a named pipe", _place(_pipe), "SOURCE_UNREADABLE"),
    Case("table file", "nothing there", _place(lambda folder: folder / "none.csv"), "SOURCE_UNREADABLE"),
    Case("JSON Lines file", "deep JSON", _file("a.jsonl", b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}\n"), "BAD_ROW"),
    Case("JSON Lines file", "a duplicate key", _file("a.jsonl", b'{"a":1,"a":2}\n'), "BAD_ROW"),
    Case("JSON Lines file", "a huge number", _file("a.jsonl", b'{"a":' + b"9" * 400 + b"}\n"), "BAD_ROW"),
    Case("JSON Lines file", "no object", _file("a.jsonl", b"[1]\n"), "BAD_ROW"),
    # Configuration
    Case("connector.toml", "not TOML", _config("space ="), "BAD_CONFIG"),
    Case("connector.toml", "a misspelt member", _config('space = "a"\nlisen = "b"\n'), "BAD_CONFIG"),
    Case("connector.toml", "an unknown form", _config('space = "a"\nform = "club"\n'), "BAD_CONFIG"),
    # The ledger's formats
    Case("leaf", "free text", lambda _: validate({"type": "denial", "words": "no"}), "INVALID_LEAF"),
    Case("leaf", "a person's name as a party", lambda _: validate({"by": {"org": "Anna"}}), "INVALID_LEAF"),
    Case("signed note", "no signature line", lambda _: parse(b"text\n"), "MALFORMED_NOTE"),
    Case("signed note", "a control character", lambda _: parse(b"te\x07xt\n\n"), "MALFORMED_NOTE"),
    Case("verifier key", "a wrong key id", lambda _: parse_verifier_key("example.com/foo+00000000+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"), "MALFORMED_NOTE"),
    Case("checkpoint", "an extension line", lambda _: parse_text("log.example\n1\n" + "A" * 43 + "=\nmore\n"), "MALFORMED_CHECKPOINT"),
    Case("tlog-proof", "another format", lambda _: parse_proof(b"c2sp.org/tlog-proof@v9\n"), "MALFORMED_PROOF"),
    Case("tlog-policy", "no quorum", lambda _: parse_policy(b"log a\n"), "MALFORMED_TRUST_POLICY"),
)  # fmt: skip

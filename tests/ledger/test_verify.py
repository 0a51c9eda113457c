"""An auditor with nothing but a folder: what verifies, and what any change of it gives away."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.canonical import JSON, JSONObject
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.document import SignedDocument, from_base64url, to_base64url
from ledger.export import ExportExists
from ledger.folder import Document, ExportFolder, MalformedExport
from ledger.members import Registrar, UntrustedList, follow, read_registrar
from ledger.names import Origin
from ledger.note import parse, parse_verifier_key
from ledger.report import Report, Severity
from ledger.side import SHARED, signed_from_json, signed_to_json
from ledger.signers import STATEMENT_KIND
from ledger.tiles import ENTRIES, decode_bundle
from ledger.tilestore import TileBuilder
from ledger.trust import parse_policy
from ledger.verify import verify_folder
from tests.ledger.home import Home
from tests.ledger.story import AGREEMENT, REGISTRAR, Story, first_keys, membership_list, multi_signed

FIRST = read_registrar(first_keys())
OTHER_MESSAGE: JSON = {"message": "cd" * 32, "signature": "A" * 86}


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    story = Story(tmp_path_factory.mktemp("story"))
    story.exchange("e1")
    story.meet_citizen()
    story.provider.append(300)
    story.exchange("e2")
    return story


@pytest.fixture(scope="module")
def original(story: Story) -> Path:
    return story.export(story.provider, "original")


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def check(folder: Path, registrar: Registrar | None = FIRST) -> Report:
    return verify_folder(ExportFolder(folder), registrar=registrar)[0]


def found(report: Report, severity: Severity = Severity.WRONG) -> list[str]:
    return [
        f"{step.number} {each.where}: {each.what}"
        for step in report.steps
        for each in step.findings
        if each.severity is severity
    ]


def test_an_untouched_export_is_verified(original: Path) -> None:
    report = check(original)
    assert found(report) == []
    assert report.verified
    assert report.facts["leaves"] == 2 + 6 + 2 + 300 + 6
    assert report.facts["writer"] == {"org": "did:web:vaxby.example"}
    assert [step.checked for step in report.steps] == [1, 316, 316, 314, 3, 12, 1]
    # The citizen's rows were not handed over: said, and not held against the log.
    assert found(report, Severity.OPEN) == [
        "4 2 leaves: their chains are closed: they are a person's and were not opened"
    ]


def test_with_the_citizens_rows_their_chain_is_verified_too(story: Story) -> None:
    folder = story.export(story.provider, "with-citizen", holders=[SHARED, "5f2c9a"])
    report = check(folder)
    assert report.verified
    assert [step.checked for step in report.steps][3] == 316
    assert not any(each.startswith("4") for each in found(report, Severity.OPEN))


def test_without_a_registrar_or_policy_the_report_says_what_is_taken_on_trust(original: Path) -> None:
    report = check(original, registrar=None)
    assert report.verified
    points = found(report, Severity.OPEN)
    assert any("the key comes from the export itself" in each for each in points)
    assert any("give the registrar's first keys" in each for each in points)


def test_a_trust_policy_takes_the_place_of_the_list(original: Path, story: Story) -> None:
    policy = parse_policy(f"log {story.provider.signer.key}\nquorum none\n".encode())
    report, _ = verify_folder(ExportFolder(original), policy=policy, registrar=FIRST)
    assert report.verified
    other = parse_policy(f"log {story.consumer.signer.key}\nquorum none\n".encode())
    report, _ = verify_folder(ExportFolder(original), policy=other, registrar=FIRST)
    assert found(report) == ["1 checkpoint: no known key signed this note"]


def test_an_export_is_its_owners_alone_until_they_hand_it_over(original: Path) -> None:
    """Opened side rows lie in it: what both sides said, to whoever can read them."""
    assert stat.S_IMODE(original.stat().st_mode) == 0o700


def test_no_person_can_be_found_in_an_export_without_their_rows(original: Path) -> None:
    for path in original.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in ("Anna", "5f2c9a"):
                assert secret.encode() not in data


def rewrite(folder: Path, change: Callable[[list[bytes]], None], *, tiles: bool = True) -> None:
    """Change entries, and put bundles, and if asked all tiles, in order again. The signature stays."""
    bundles = sorted((folder / "tile" / "entries").rglob("*"))
    entries: list[bytes] = []
    for path in (each for each in bundles if each.is_file()):
        width = int(path.name) if path.parent.suffix == ".p" else 256
        entries += decode_bundle(path.read_bytes(), width)
    change(entries)
    builder = TileBuilder({}, 0, [])
    made = [pair for entry in entries for pair in builder.add(entry)] + builder.partials()
    for tile, data in made:
        if tiles or tile.level == ENTRIES:
            path = folder / tile.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def edit_leaf(index: int, **members: JSON) -> Callable[[list[bytes]], None]:
    def change(entries: list[bytes]) -> None:
        leaf = {**json.loads(entries[index]), **members}
        entries[index] = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()

    return change


@pytest.mark.parametrize("tiles", [True, False], ids=["tiles made to fit", "tiles left"])
@pytest.mark.parametrize("index", [0, 3, 255, 256, 315])
def test_a_changed_leaf_is_found(copy: Path, index: int, tiles: bool) -> None:
    rewrite(copy, edit_leaf(index, time=1), tiles=tiles)
    report = check(copy)
    assert not report.verified
    assert "2 checkpoint: the entries hash to another root" in found(report)


def test_swapped_leaves_are_found(copy: Path) -> None:
    def swap(entries: list[bytes]) -> None:
        entries[20], entries[21] = entries[21], entries[20]

    rewrite(copy, swap)
    report = check(copy)
    assert "2 checkpoint: the entries hash to another root" in found(report)
    assert any(each.startswith("4 leaf 20: the numbers of its chain") for each in found(report))


@pytest.mark.parametrize("name", ["tile/0/000", "tile/0/001.p/60", "tile/1/000.p/1"])
def test_a_changed_or_missing_tile_is_found(copy: Path, name: str) -> None:
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(bytes(32) + data[32:])
    assert found(check(copy)) == [f"2 {name}: the tile is not what the entries give"]
    (copy / name).unlink()
    assert f"2 {name}: {name}: the export lacks this tile" in found(check(copy))


def test_a_missing_or_broken_bundle_is_found(copy: Path) -> None:
    path = copy / "tile" / "entries" / "000"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    assert "2 bundle 0: the bundle ends within its entries" in found(check(copy))
    path.unlink()
    assert "lacks this tile" in found(check(copy))[0]


def resign(folder: Path, home: Home, change: Callable[[list[bytes]], None]) -> None:
    """The log's own operator lies: changes entries and signs a new checkpoint over them."""
    entries: list[bytes] = []

    def change_and_keep(all_entries: list[bytes]) -> None:
        change(all_entries)
        entries.extend(all_entries)

    rewrite(folder, change_and_keep)
    builder = TileBuilder({}, 0, [])
    for entry in entries:
        builder.add(entry)
    checkpoint = Checkpoint(Origin(home.signer.key.name), builder.size, builder.root())
    (folder / "checkpoint").write_bytes(bytes(sign_checkpoint(checkpoint, home.signer).note))


def test_an_operator_who_rewrites_a_leaf_breaks_the_chain_the_opening_and_the_head(
    copy: Path, story: Story
) -> None:
    resign(copy, story.provider, edit_leaf(3, code="CHANGED"))
    report = check(copy)
    # The next leaf of the chain names the old hash, and the head is of another checkpoint.
    assert any(each.startswith("4 leaf 4: it does not name the leaf before it") for each in found(report))
    assert any("it is of another checkpoint" in each for each in found(report))


@pytest.mark.parametrize(
    ("index", "members", "expected"),
    [
        (0, {"origin": "other.example/log"}, "3 leaf 0: the log does not begin with the genesis"),
        (1, {"key": {"use": "log", "thumbprint": "k" * 43}}, "3 leaf 1: the second leaf does not name"),
        (5, {"by": {"org": "did:web:other.example"}}, "3 leaf 5: it has another writer or data space"),
        (5, {"space": "other"}, "3 leaf 5: it has another writer or data space"),
        (5, {"note": "free text"}, "3 leaf 5: note: no leaf has this member"),
        (20, {"aseq": 40}, "4 leaf 20: the numbers of its chain go from"),
        (20, {"aprev": "cd" * 32}, "4 leaf 20: it does not name the leaf before it"),
        (2, {"counterpart": OTHER_MESSAGE}, "6 leaf 2: the message heard is not the one"),
        (2, {"with": {"org": "did:web:other.example"}}, "6 leaf 2: the message heard has another sender"),
        (2, {"exchange": "e9"}, "6 leaf 2: the message heard has another exchange"),
        (5, {"input": {"commitment": "cd" * 32}}, "6 leaf 5: the opening of input does not open"),
        (5, {"input": "cd" * 32}, "6 leaf 5: nothing in the leaf is committed to as input"),
    ],
)  # fmt: skip
def test_what_an_operator_could_write_wrong_is_found_though_signed(
    copy: Path, story: Story, index: int, members: JSONObject, expected: str
) -> None:
    resign(copy, story.provider, edit_leaf(index, **members))
    assert any(each.startswith(expected) for each in found(check(copy))), found(check(copy))


def test_a_leaf_of_a_later_version_is_reported_and_still_followed(copy: Path, story: Story) -> None:
    resign(copy, story.provider, edit_leaf(315, type="telepathy", waves=7))
    report = check(copy)
    assert "3 leaf 315: its type telepathy is not known here; order and place were checked" in found(
        report, Severity.OPEN
    )
    assert not any(each.startswith("3") for each in found(report))


def edit_row(folder: Path, index: int, change: Callable[[JSONObject], None]) -> None:
    """Change one row that was handed over."""
    path = folder / "openings" / ("000.jsonl" if index < 256 else "001.jsonl")
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    row = next(line["row"] for line in lines if line["index"] == index)
    change(row)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def forge(name: str, home: Home, **content: JSON) -> Callable[[JSONObject], None]:
    """Another message in the place of the one that the row holds, signed by ``home``."""

    def change(row: JSONObject) -> None:
        message = {**signed_from_json(row[name]).content(), **content}
        row[name] = signed_to_json(home.sign_document(message))

    return change


def test_a_message_that_was_not_the_one_is_found(copy: Path, story: Story) -> None:
    edit_row(copy, 2, forge("heard", story.consumer, purpose="another"))
    assert found(check(copy)) == [
        "6 leaf 2: the message heard is not the one that the leaf names",
        "6 leaf 2: the message heard carries another signature than the leaf",
    ]


def test_a_message_signed_by_somebody_else_is_not_taken_for_the_counterparts(
    copy: Path, story: Story
) -> None:
    edit_row(copy, 2, forge("heard", story.provider))
    report = check(copy)
    assert "6 leaf 2: the message heard is not the one that the leaf names" in found(report)
    assert "6 leaf 2, message heard: its key is not on the list: a person's, or unknown" in found(
        report, Severity.OPEN
    )


def test_a_bad_signature_is_found_even_if_the_leaf_names_it(copy: Path, story: Story) -> None:
    """A provider invents the consumer's message: it cannot sign for the consumer."""
    bad: list[SignedDocument] = []

    def invent(row: JSONObject) -> None:
        real = signed_from_json(row["heard"])
        protected = real.jws.partition(".")[0]
        invented = SignedDocument(real.payload, f"{protected}..{to_base64url(bytes(64))}")
        bad.append(invented)
        row["heard"] = signed_to_json(invented)

    edit_row(copy, 2, invent)
    counterpart: JSON = {"message": bad[0].digest, "signature": to_base64url(bytes(64))}
    resign(copy, story.provider, edit_leaf(2, counterpart=counterpart))
    assert "6 leaf 2, message heard: the signature does not fit the bytes and the key" in found(check(copy))


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(openings=[]),
        lambda row: row.update(openings={"input": {}}),
        lambda row: row["openings"].update(other={"r": "A" * 43, "value": ""}),
        lambda row: row.update(heard={"payload": "{}"}),
        lambda row: row.update(heard={"payload": "not json", "jws": "a..b"}),
        lambda row: row.update(said={"payload": "{}", "jws": "no jws"}),
    ],
)
def test_a_row_that_opens_nothing_is_found(copy: Path, change: Callable[[JSONObject], None]) -> None:
    edit_row(copy, 5, change)
    report = check(copy)
    assert not report.verified
    assert all(each.startswith("6 leaf 5") for each in found(report))


@pytest.mark.parametrize(
    "line",
    [
        b"{}\n",
        b"[]\n",
        b"\xff\n",
        b'{"index":400,"holder":"shared","row":{}}\n',
        b'{"index":"2","holder":"shared","row":{}}\n',
        b'{"index":2,"holder":"shared","row":{}}' + b" " * 5_000_000,
    ],
)
def test_a_broken_line_of_openings_is_found(copy: Path, line: bytes) -> None:
    path = copy / "openings" / "000.jsonl"
    path.write_bytes(path.read_bytes() + line)
    report = check(copy)
    assert not report.verified
    assert all(each.startswith("6") for each in found(report))


def documents_of(copy: Path, kind: str) -> list[Path]:
    return sorted((copy / "documents" / kind).iterdir())


def put_document(copy: Path, kind: str, document: Document, name: str | None = None) -> None:
    folder = copy / "documents" / kind
    folder.mkdir(exist_ok=True)
    (folder / (name or f"{document.digest}.json")).write_text(json.dumps(document.to_json()))


def between(*parties: str) -> JSONObject:
    provider, consumer = parties
    named: JSONObject = {"provider": {"id": provider}, "consumer": {"id": consumer}}
    return {"type": "agreement", "version": 1, "id": "x", **named}


def test_an_agreement_needs_the_signatures_of_both_parties(copy: Path, story: Story) -> None:
    content = between(story.provider.did, story.consumer.did)
    for keys in ([story.provider.sign_key], [story.provider.sign_key] * 2):
        put_document(copy, "agreement", multi_signed("agreement", content, keys))
        assert "1 of its parties signed it, 2 must" in found(check(copy))[0]


def test_an_agreement_that_others_signed_in_a_partys_name_is_found(copy: Path, story: Story) -> None:
    content = between(story.provider.did, "did:web:elsewhere.example")
    keys = [story.provider.sign_key, story.consumer.sign_key]
    put_document(copy, "agreement", multi_signed("agreement", content, keys))
    (wrong,) = found(check(copy))
    assert f"{story.consumer.did} signed it, and is none of its parties" in wrong


def test_an_agreement_without_parties_is_found(copy: Path, story: Story) -> None:
    content: JSONObject = {"type": "agreement", "version": 1, "id": "x"}
    put_document(copy, "agreement", multi_signed("agreement", content, [story.provider.sign_key] * 2))
    assert "it does not name its two parties" in found(check(copy))[0]


def test_two_units_of_one_participant_sign_with_one_key(copy: Path, story: Story) -> None:
    content = between(story.provider.did, story.provider.did)
    put_document(copy, "agreement", multi_signed("agreement", content, [story.provider.sign_key] * 2))
    assert check(copy).verified


def statement(story: Story, **members: JSON) -> JSONObject:
    kept: JSONObject = {"type": STATEMENT_KIND, "version": 1, "contract": story.agreement.digest}
    return {**kept, **members}


def test_a_settlement_statement_is_signed_by_the_parties_of_its_agreement(copy: Path, story: Story) -> None:
    both = [story.provider.sign_key, story.consumer.sign_key]
    signed = multi_signed(STATEMENT_KIND, statement(story), both)
    put_document(copy, STATEMENT_KIND, signed)
    assert check(copy).verified
    changed = Document(signed.payload.replace(b'"version":1', b'"version":2'), signed.signatures)
    put_document(copy, STATEMENT_KIND, changed)
    assert any("the signature does not fit" in each for each in found(check(copy)))


def test_a_statement_that_one_party_signed_settles_nothing(copy: Path, story: Story) -> None:
    signed = multi_signed(STATEMENT_KIND, statement(story), [story.provider.sign_key])
    put_document(copy, STATEMENT_KIND, signed)
    assert "1 of its parties signed it, 2 must" in found(check(copy))[0]


def test_whose_statement_it_is_stays_open_without_its_agreement(copy: Path, story: Story) -> None:
    both = [story.provider.sign_key, story.consumer.sign_key]
    put_document(
        copy, STATEMENT_KIND, multi_signed(STATEMENT_KIND, statement(story, contract="0" * 64), both)
    )
    report = check(copy)
    assert any("its agreement was not handed over" in each for each in found(report, Severity.OPEN))


def test_a_changed_document_is_found(copy: Path, story: Story) -> None:
    agreement = story.agreement
    changed = Document(agreement.payload.replace(b"vaxby", b"vaxbx"), agreement.signatures)
    put_document(copy, "agreement", changed)
    assert any("the signature does not fit" in each for each in found(check(copy)))
    put_document(copy, "agreement", agreement, name="0000.json")
    assert any("the document's digest is not its name" in each for each in found(check(copy)))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[]",
        '{"payload":1,"signatures":[]}',
        '{"payload":"AA","signatures":[1]}',
        '{"payload":"A","signatures":[]}',
        '{"payload":"","signatures":' + json.dumps(["x"] * 99) + "}",
    ],
)
def test_what_is_not_a_document_is_found(copy: Path, content: str) -> None:
    (copy / "documents" / "agreement" / "x.json").write_text(content)
    assert any(each.startswith("5 documents/agreement") for each in found(check(copy)))


def test_a_chain_without_a_signed_head_has_an_undetermined_end(copy: Path) -> None:
    shutil.rmtree(copy / "documents" / "ledger-head")
    report = check(copy)
    assert report.verified
    assert (
        f"7 agreement {AGREEMENT}: no signed head was handed over: whether the chain goes on is undetermined"
        in found(report, Severity.OPEN)
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"aseq": 3}, "it does not end the chain where the log does"),
        ({"leaf": "cd" * 32}, "it does not end the chain where the log does"),
        ({"agreement": "other"}, "it is the head of a chain that the log does not have"),
        ({"size": 5}, "it is of another checkpoint"),
        ({"by": {"org": "did:web:other.example"}}, "it is of another writer or log"),
        ({"origin": "other.example/log"}, "it is of another writer or log"),
    ],
)
def test_a_head_that_does_not_fit_is_found(
    copy: Path, story: Story, members: JSONObject, expected: str
) -> None:
    path = documents_of(copy, "ledger-head")[0]
    content = json.loads(_payload(path))
    path.unlink()
    put_document(
        copy, "ledger-head", multi_signed("ledger-head", {**content, **members}, [story.provider.sign_key])
    )
    assert any(expected in each for each in found(check(copy)))


def test_a_head_that_somebody_else_signed_is_found(copy: Path, story: Story) -> None:
    path = documents_of(copy, "ledger-head")[0]
    content = json.loads(_payload(path))
    path.unlink()
    put_document(copy, "ledger-head", multi_signed("ledger-head", content, [story.consumer.sign_key]))
    assert any("it is not signed by the log's writer" in each for each in found(check(copy)))


def _payload(path: Path) -> bytes:
    return from_base64url(json.loads(path.read_bytes())["payload"])


def test_the_lists_lead_from_the_first_keys_to_the_newest(story: Story) -> None:
    members = follow(story.lists, FIRST)
    assert members is not None
    assert (members.number, members.trusted) == (2, True)
    assert follow(reversed(story.lists), FIRST) is not None
    assert follow([], FIRST) is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda homes, first: [membership_list(homes, signers=REGISTRAR[:1])],
        lambda homes, first: [membership_list(homes, signers=[REGISTRAR[0], REGISTRAR[0]])],
        lambda homes, first: [membership_list(homes, signers=[homes[0].sign_key, homes[1].sign_key])],
        lambda homes, first: [membership_list(homes, 2, first.digest)],
        lambda homes, first: [first, membership_list(homes, 2, "cd" * 32)],
        lambda homes, first: [first, membership_list(homes, 3, first.digest)],
        lambda homes, first: [first, first],
        lambda homes, first: [
            Document(first.payload.replace(b'"issued":1', b'"issued":0'), first.signatures)
        ],
        lambda homes, first: [Document(b"{}", ())],
        lambda homes, first: [Document(b"{ }", ())],
        lambda homes, first: [
            multi_signed("membership-list", {"type": "membership-list", "version": 1}, REGISTRAR)
        ],
    ],
)
def test_a_list_that_the_registrar_did_not_make_is_refused(
    story: Story, spoil: Callable[[list[Home], Document], list[Document]]
) -> None:
    lists = spoil([story.provider, story.consumer], story.lists[0])
    with pytest.raises(UntrustedList):
        follow(lists, FIRST)


def test_another_registrars_list_is_found_in_an_export(story: Story) -> None:
    lists = [membership_list([story.provider, story.consumer], signers=[story.provider.sign_key])]
    folder = story.export(story.provider, "own-list", documents=[("membership-list", each) for each in lists])
    assert "5 documents/membership-list: list 1: too few of the registrar's keys signed it" in found(
        check(folder)
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"not_after": 5}, "the key was not valid when the record was made"),
        ({"not_before": 10**14}, "the key was not valid when the record was made"),
        ({"compromised_since": 5}, "the key is reported compromised from before the record was made"),
    ],
)
def test_a_key_out_of_its_time_leaves_the_signature_open(
    story: Story, change: JSONObject, expected: str
) -> None:
    lists = [membership_list([story.provider, story.consumer], key_changes=change)]
    folder = story.export(
        story.provider, f"keys-{next(iter(change))}", documents=[("membership-list", each) for each in lists]
    )
    assert any(expected in each for each in found(check(folder), Severity.OPEN))


def test_a_log_key_that_the_list_does_not_name_is_found(story: Story) -> None:
    lists = [membership_list([story.consumer])]
    folder = story.export(story.provider, "unlisted", documents=[("membership-list", each) for each in lists])
    assert "does not name this key as one of the writer's log" in found(check(folder))[0]


def test_without_lists_no_signature_is_claimed_to_be_checked(story: Story) -> None:
    folder = story.export(story.provider, "no-lists", documents=[])
    report = check(folder)
    assert report.verified
    assert any("no signature can be checked" in each for each in found(report, Severity.OPEN))


def test_what_is_no_export_is_refused_by_name(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(MalformedExport):
        ExportFolder(tmp_path / "nothing")
    (copy / "export.json").write_text('{"type":"ledger-export","version":2}')
    with pytest.raises(MalformedExport, match="another version"):
        ExportFolder(copy)
    (copy / "export.json").write_text("{")
    with pytest.raises(MalformedExport):
        ExportFolder(copy)


@pytest.mark.parametrize("name", ["checkpoint", "log.vkey"])
@pytest.mark.parametrize("data", [b"", b"\xff", b"x" * 300_000, b"a+b+c"])
def test_a_broken_checkpoint_or_key_is_found(copy: Path, name: str, data: bytes) -> None:
    (copy / name).write_bytes(data)
    assert not check(copy).verified


def test_a_checkpoint_that_somebody_else_signed_is_found(copy: Path, story: Story) -> None:
    note = parse((copy / "checkpoint").read_bytes())
    forged = note.text.encode() + b"\n" + story.consumer.signer.sign(note.text).line.encode()
    (copy / "checkpoint").write_bytes(forged)
    assert found(check(copy)) == ["1 checkpoint: no known key signed this note"]
    (copy / "log.vkey").write_text(f"{story.consumer.signer.key}\n")
    assert not check(copy).verified


def test_an_export_is_written_whole_or_not_at_all(story: Story, original: Path) -> None:
    with pytest.raises(ExportExists):
        story.export(story.provider, "original")
    broken = Document(b"x", ())
    with pytest.raises(AttributeError):
        story.export(story.provider, "broken", documents=[("x", broken), ("y", None)])  # type: ignore[list-item]  # it is none
    assert not (story.folder / "broken").exists()


def test_the_report_shows_no_control_characters(copy: Path, story: Story) -> None:
    def escape(row: JSONObject) -> None:
        row["openings"] = {"\x1b[2J\u202e": {}}

    edit_row(copy, 5, escape)
    text = check(copy).text()
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_many_findings_are_counted_and_few_are_shown(copy: Path, story: Story) -> None:
    def spoil(entries: list[bytes]) -> None:
        for index in range(10, 200):
            edit_leaf(index, unit="spoilt")(entries)

    rewrite(copy, spoil)
    report = check(copy)
    step = report.steps[3]
    assert step.wrong_count > 150
    assert len(step.findings) <= 22
    assert "more" in report.text()


def test_the_report_names_witnesses_and_writer_in_words(original: Path) -> None:
    text = check(original).text()
    assert "witnesses: none" in text
    assert not set("{}[]") & set(text)


def test_every_part_of_an_export_has_a_use(original: Path) -> None:
    names = {path.relative_to(original).parts[0] for path in original.iterdir()}
    assert names == {"checkpoint", "log.vkey", "export.json", "tile", "openings", "documents"}
    assert parse_verifier_key((original / "log.vkey").read_text().strip()).name == "vaxby.example/log"

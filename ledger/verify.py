"""Verifying an export folder, by somebody who trusts nobody's server.

The steps, whose numbers stand again at the blocks that do them:

1. The checkpoint is signed by the log's key, and by the witnesses that the reader's trust policy
   asks for. Without a policy the key must be the writer's on a list that the registrar signed; with
   neither it is the folder's own, and the report says so.
2. Every entry is hashed again: the root over all of them is the checkpoint's, and the tiles are
   what the entries give. So no leaf was changed, left out, added or moved.
3. Every entry is a leaf of the closed schema, all of one writer in one data space; the first two
   say which log it is and name the key of step 1.
4. In every chain (agreement, counterpart, node) the numbers have no gap and each leaf names the hash
   of the one before.
5. The membership lists lead from the registrar's first keys (which the reader brings) to the newest;
   the other documents are what their file names say and are signed by keys on the list, or by those of
   a guest whose credential was handed over. An agreement, and a settlement statement, is signed by the
   two parties of the agreement (``ledger.signers``).
6. Each side row that was handed over opens its leaf's commitments; each signed message in one is the
   one that the leaf names, says what the leaf says, and carries a good signature (``ledger.opened``).
7. Each chain of an agreement ends in a head that the writer signed; without one its end is
   undetermined.

What this does not check: that what was recorded is true, that nothing happened off the record (the
counterpart's log, ``ledger.compare``, and witnesses bear on that), and the facts behind a decision.
Memory holds one bundle of 256 leaves and one head for each chain, not the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ledger.canonical import JSON, JSONObject, MalformedJson, decode_object
from ledger.checkpoint import Checkpoint, parse_text
from ledger.document import BadSignature, SignedDocument, verify
from ledger.errors import BylagError
from ledger.folder import HEAD_KIND, LIST_KIND, MAX_DOCUMENT_BYTES, Document, ExportFolder, Row
from ledger.guests import CREDENTIAL_KIND, UntrustedCredential, vouched_for
from ledger.leaf import InvalidLeaf, chain_of, read
from ledger.members import Members, Registrar, follow
from ledger.note import VerifierKey, parse
from ledger.opened import RowReader, Seen, did_of
from ledger.report import Report, Step
from ledger.signers import (
    AGREEMENT_KIND,
    STATEMENT_KIND,
    Parties,
    complaint,
    parties_of_agreement,
    parties_of_statement,
)
from ledger.tiles import ENTRIES, WIDTH, Tile, decode_bundle
from ledger.tilestore import TileBuilder
from ledger.tree import leaf_hash
from ledger.trust import Policy, trusting


@dataclass(frozen=True, slots=True)
class Ends:
    """Whose log it is, and the last number of each chain."""

    writer: str | None
    chains: dict[str, int]


def verify_folder(
    folder: ExportFolder,
    *,
    policy: Policy | None = None,
    registrar: Registrar | None = None,
    seen: Seen | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Report, Ends]:
    """Verify one export folder: all steps, each finding in the report.

    ``policy`` and ``registrar`` are what the reader trusts; ``seen`` is told of every signed message,
    for comparing logs; ``progress`` of leaves done and in all. What is wrong in the folder is in the
    report, never raised.
    """
    report = Report(folder.path.resolve().name)
    checkpoint_step = report.step(1, "checkpoint signed by the log")
    entries = _Entries(folder, report, progress)
    documents = _Documents(folder, report.step(5, "signed documents"), registrar)
    row_step = report.step(6, "openings and signed messages")
    head_step = report.step(7, "signed ends of the agreements' chains")

    signed = _check_checkpoint(folder, policy, report, checkpoint_step)
    if signed is None:
        return report, Ends(None, {})
    checkpoint, key = signed
    members = documents.follow_lists(report)
    documents.follow_credentials(members)
    rows = RowReader(row_step, members, seen)
    entries.check(checkpoint, key, rows, row_step)
    writer = did_of(entries.writer) or rows.writer
    if policy is None:
        _check_log_key(checkpoint_step, key, entries.writer, rows.writer, members)
    documents.check(members)
    _check_heads(head_step, documents, checkpoint, entries, writer)
    return report, Ends(writer, {chain: aseq for chain, (aseq, _) in entries.heads.items()})


def _check_checkpoint(
    folder: ExportFolder, policy: Policy | None, report: Report, step: Step
) -> tuple[Checkpoint, VerifierKey] | None:
    """(1) The signature of the log, and of the witnesses that the policy asks for."""
    try:
        named = folder.key()
        note = parse(folder.checkpoint())
        verdict = (policy if policy is not None else trusting(named)).check(note)
        checkpoint = parse_text(note.text)
    except BylagError as error:
        step.wrong("checkpoint", str(error))
        return None
    step.checked += 1
    report.facts.update(
        {
            "origin": checkpoint.origin,
            "leaves": checkpoint.size,
            "root": checkpoint.root.hex(),
            "key": str(verdict.log),
            "witnesses": list(verdict.witnesses),
        }
    )
    if verdict.log != named:
        step.wrong("log.vkey", "the folder names another key than the one that signed")
    return checkpoint, verdict.log


def _check_log_key(
    step: Step, key: VerifierKey, by: JSON, person: str | None, members: Members | None
) -> None:
    """(1) Without a policy, whose key it is must come from somewhere else than the folder."""
    if members is None or not members.trusted:
        step.open(key.name, "the key comes from the export itself: compare it, or give a trust policy")
    elif did_of(by) is None and not members.knows(person):
        step.open(key.name, "a person's log: no list names its key, compare it with what they were given")
    elif key.public not in members.log_keys(did_of(by) or person):
        named = "no credential names" if did_of(by) is None else "the membership list does not name"
        step.wrong(key.name, f"{named} this key as one of the writer's log")


class _Entries:
    """(2), (3), (4): the entries, one bundle of 256 at a time."""

    def __init__(
        self, folder: ExportFolder, report: Report, progress: Callable[[int, int], None] | None
    ) -> None:
        self._folder = folder
        self._facts = report.facts
        self._progress = progress
        self._tree = report.step(2, "entries hash to the checkpoint's root")
        self._leaves = report.step(3, "entries are leaves of one writer")
        self._chains = report.step(4, "chains without gaps")
        self._space: JSON = None
        self._closed = 0
        self.writer: JSON = None
        self.heads: dict[str, tuple[int, str]] = {}

    def check(self, checkpoint: Checkpoint, key: VerifierKey, rows: RowReader, row_step: Step) -> None:
        builder = TileBuilder({}, 0, [])
        size = checkpoint.size
        for number in range(-(-size // WIDTH)):
            width = min(WIDTH, size - number * WIDTH)
            try:
                entries = decode_bundle(self._folder.fetch(Tile(ENTRIES, number, width)), width)
            except BylagError as error:
                self._tree.wrong(f"bundle {number}", str(error))
                return
            handed_over = self._rows_by_leaf(number, row_step)
            for entry in entries:
                self._check_entry(builder.size, entry, handed_over.pop(builder.size, []), key, rows)
                self._compare_tiles(builder.add(entry))
            for index in handed_over:
                row_step.wrong(f"row of leaf {index}", "it lies with leaves it does not belong to")
            if self._progress is not None:
                self._progress(builder.size, size)
        self._compare_tiles(builder.partials())
        self._tree.checked = builder.size
        if builder.root() != checkpoint.root:  # (2)
            self._tree.wrong("checkpoint", "the entries hash to another root")
        if self._closed:
            self._chains.open(
                f"{self._closed} leaves", "their chains are closed: they are a person's and were not opened"
            )

    def _compare_tiles(self, tiles: list[tuple[Tile, bytes]]) -> None:
        for tile, data in tiles:
            if tile.level == ENTRIES:
                continue  # the entries themselves were read from it
            try:
                stored = self._folder.fetch(tile)
            except BylagError as error:
                self._tree.wrong(tile.path, str(error))
                continue
            if stored != data:
                self._tree.wrong(tile.path, "the tile is not what the entries give")

    def _rows_by_leaf(self, number: int, step: Step) -> dict[int, list[Row]]:
        try:
            rows = sorted(self._folder.rows(number), key=lambda row: row.index)
        except BylagError as error:
            step.wrong(f"openings of bundle {number}", str(error))
            return {}
        return {index: list(group) for index, group in groupby(rows, key=lambda row: row.index)}

    def _check_entry(
        self, index: int, entry: bytes, handed_over: Sequence[Row], key: VerifierKey, rows: RowReader
    ) -> None:
        where = f"leaf {index}"
        self._leaves.checked += 1
        try:
            leaf = read(entry)  # (3)
        except InvalidLeaf as error:
            self._leaves.wrong(where, str(error))
            return
        if not leaf.known:
            self._leaves.open(where, f"its type {leaf.kind} is not known here; order and place were checked")
        self._check_origin(index, leaf.members, key)
        self._follow_chain(where, rows.open(index, leaf.members, handed_over), leaf_hash(entry))

    def _check_origin(self, index: int, leaf: JSONObject, key: VerifierKey) -> None:
        """(3) Which log it is, and that one writer wrote it."""
        where = f"leaf {index}"
        if index == 0:
            self.writer, self._space = leaf["by"], leaf["space"]
            self._facts.update({"writer": leaf["by"], "space": leaf["space"]})
            if leaf["type"] != "genesis" or leaf.get("origin") != key.name:
                self._leaves.wrong(where, "the log does not begin with the genesis of its origin")
        if index == 1 and leaf.get("key") != {"use": "log", "verifier": str(key)}:
            self._leaves.wrong(where, "the second leaf does not name the key that signed the checkpoint")
        if leaf["by"] != self.writer or leaf["space"] != self._space:
            self._leaves.wrong(where, "it has another writer or data space than the first leaf")

    def _follow_chain(self, where: str, leaf: JSONObject, this: bytes) -> None:
        """(4) The next number, after the hash of the one before."""
        chain = chain_of(leaf)
        if chain is None:
            self._closed += 1
            return
        self._chains.checked += 1
        before, hash_before = self.heads.get(chain, (0, None))
        aseq = leaf["aseq"]
        if aseq != before + 1:
            self._chains.wrong(where, f"the numbers of its chain go from {before} to {aseq}")
        if isinstance(leaf["aprev"], dict):
            self._chains.open(where, "which leaf it follows is closed and was not opened")
        elif leaf["aprev"] != hash_before:
            self._chains.wrong(where, "it does not name the leaf before it in its chain")
        if isinstance(aseq, int):
            self.heads[chain] = (aseq, this.hex())


class _Documents:
    """(5): signed documents, whose keys come from the membership lists among them."""

    def __init__(self, folder: ExportFolder, step: Step, registrar: Registrar | None) -> None:
        self._folder = folder
        self._step = step
        self._registrar = registrar
        self._members: Members | None = None
        self._agreements: dict[str, Parties] = {}
        """The parties of each agreement that was handed over, by the digest of its bytes."""

    def follow_lists(self, report: Report) -> Members | None:
        """The members that the newest list names, None when no list can be used."""
        where = f"documents/{LIST_KIND}"
        try:
            lists = [document for _, document in self._folder.documents(LIST_KIND)]
            members = follow(lists, self._registrar)
        except BylagError as error:
            self._step.wrong(where, str(error))
            return None
        self._step.checked += len(lists)
        if members is None:
            self._step.open(where, "no membership list was handed over: no signature can be checked")
            return None
        report.facts["list"] = members.number
        if not members.trusted:
            self._step.open(where, "taken as they are: give the registrar's first keys to check who signed")
        return members

    def follow_credentials(self, members: Members | None) -> None:
        """Let ``members`` know the keys of guests whose credentials were handed over."""
        if members is None:
            return
        try:
            for name, document in self._folder.documents(CREDENTIAL_KIND):
                self._step.checked += 1
                if not document.signatures:
                    self._step.wrong(name, "nobody signed it")
                try:
                    for signed in document.signed():
                        members.add(vouched_for(signed, members))
                except UntrustedCredential as error:
                    self._step.wrong(name, str(error))
        except BylagError as error:
            self._step.wrong(f"documents/{CREDENTIAL_KIND}", str(error))

    def check(self, members: Members | None) -> None:
        """Names and signatures of every document but the lists, heads and credentials."""
        self._members = members
        for kind in self._folder.kinds():
            try:
                for name, document in self._folder.documents(kind):
                    if name != f"documents/{kind}/{document.digest}.json":
                        self._step.wrong(name, "the document's digest is not its name")
                    if kind not in {LIST_KIND, HEAD_KIND, CREDENTIAL_KIND}:
                        self._step.checked += 1
                        self._check_signers(name, kind, document)
            except BylagError as error:
                self._step.wrong(f"documents/{kind}", str(error))

    def heads(self, step: Step, writer: str | None) -> Iterator[tuple[str, JSONObject]]:
        """The heads that were handed over, with complaints about who signed them."""
        try:
            for name, document in self._folder.documents(HEAD_KIND):
                for signed in document.signed():
                    holder, complaint = self._holder(signed, HEAD_KIND)
                    if complaint is not None:
                        step.wrong(name, complaint)
                    elif self._members is not None and holder is None and not self._members.knows(writer):
                        step.open(name, "its key is not on the list: a person's, or unknown")
                    elif self._members is not None and holder != writer:
                        step.wrong(name, "it is not signed by the log's writer")
                    yield name, signed.content()
        except BylagError as error:
            step.wrong(f"documents/{HEAD_KIND}", str(error))

    def _check_signers(self, name: str, kind: str, document: Document) -> None:
        if self._members is None:
            return
        signers: set[str] = set()
        unknown = 0
        for signed in document.signed():
            holder, complaint = self._holder(signed, kind)
            if complaint is not None:
                self._step.wrong(name, complaint)
            elif holder is None:
                unknown += 1
            else:
                signers.add(holder)
        if kind in (AGREEMENT_KIND, STATEMENT_KIND):
            self._check_parties(name, kind, document, frozenset(signers), unknown)
        elif not signers and not unknown:
            self._step.wrong(name, "nobody signed it")
        if unknown:
            self._step.open(name, f"{unknown} of its signatures are by keys that are not on the list")

    def _check_parties(
        self, name: str, kind: str, document: Document, signers: frozenset[str], unknown: int
    ) -> None:
        content = decode_object(document.payload, max_bytes=MAX_DOCUMENT_BYTES)
        if kind == AGREEMENT_KIND:
            parties = parties_of_agreement(content)
            if parties is None:
                self._step.wrong(name, "it does not name its two parties")
                return
            self._agreements[document.digest] = parties
        elif (parties := parties_of_statement(content, self._agreements)) is None:
            self._step.open(name, "its agreement was not handed over: whose statement it is stays open")
            return
        if (wrong := complaint(parties, signers, unknown)) is not None:
            self._step.wrong(name, wrong)

    def _holder(self, signed: SignedDocument, kind: str) -> tuple[str | None, str | None]:
        """(who signed, what is wrong): both None when the key is not on the list."""
        try:
            key = self._members.by_thumbprint(signed.kid) if self._members is not None else None
            if key is not None:
                verify(signed, kind, key.public, max_bytes=MAX_DOCUMENT_BYTES)
        except (BadSignature, MalformedJson) as error:
            return None, str(error)
        return (None if key is None else key.did), None


def _check_heads(
    step: Step, documents: _Documents, checkpoint: Checkpoint, entries: _Entries, writer: str | None
) -> None:
    """(7) Where each agreement's chain ends, by the writer's signature."""
    unsigned = {chain for chain in entries.heads if chain.startswith("agreement ")}
    for name, content in documents.heads(step, writer):
        step.checked += 1
        chain = chain_of({"agreement": content.get("agreement")})
        end = entries.heads.get(chain or "")
        if end is None or chain is None:
            step.wrong(name, "it is the head of a chain that the log does not have")
            continue
        unsigned.discard(chain)
        if (content.get("aseq"), content.get("leaf")) != end:
            step.wrong(name, f"it does not end the chain where the log does, at {end[0]}")
        if content.get("by") != entries.writer or content.get("origin") != checkpoint.origin:
            step.wrong(name, "it is of another writer or log")
        if (content.get("size"), content.get("root")) != (checkpoint.size, checkpoint.root.hex()):
            step.wrong(name, "it is of another checkpoint")
    for chain in sorted(unsigned):
        step.open(chain, "no signed head was handed over: whether the chain goes on is undetermined")

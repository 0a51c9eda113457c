"""What arrives, and what the ledger says later: controls and the code without them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

ADMISSION = "connector/exchange/admission.py"
GUARDS = "connector/exchange/guards.py"
CONSUMER = "connector/exchange/consumer.py"
APPLICATION = "connector/exchange/application.py"
PROVIDER = "connector/exchange/provider.py"
CONVERSATION = "connector/exchange/conversation.py"

WHAT_ARRIVES: Final = (
    taken_out(
        CONSUMER,
        "Other bytes are sent than were committed to",
        ("if digest.hex() != commit.digests[number]:", "if False:"),
        ("if size != commit.bytes or self._digest.hex() != commit.digest:", "if size != commit.bytes:"),
    ),
    taken_out(
        "connector/exchange/asking.py",
        "The same for an answer in a query session",
        ("        if digest != answer.digest:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/exchange/budget.py",
        "A consumer takes and never signs",
        ("if outstanding(transaction.sqlite, agreement) >= limit:", "if False:"),
    ),
    taken_out(
        "connector/exchange/custody.py",
        "A consumer signs for something that was never sent",
        ("    if (passed[-1].digest if passed else before.digest) != ack.digest:\n", "    if False:\n"),
    ),
    taken_out(
        PROVIDER,
        "The totals at the end are not what was acknowledged",
        (
            "if not isinstance(body, Receipt) or body != Receipt(*self._totals()):",
            "if not isinstance(body, Receipt):",
        ),
    ),
    taken_out(
        CONSUMER,
        "The totals at the end are not what was acknowledged",
        ("        if end.members() != receipt.members():\n", "        if False:\n"),
    ),
    taken_out(
        ADMISSION,
        "A resume from another place skips or doubles data",
        ("        _require_same_place(stored, resume)\n", ""),
    ),
    taken_out(
        APPLICATION,
        "An offer is changed after the agreement",
        ("if offer.windows != self._terms.windows:", "if False:"),
    ),
    taken_out(
        APPLICATION,
        "An offer is changed after the agreement",
        ("if offer.expires <= self._ground.ambient.now():", "if False:"),
    ),
    taken_out(
        CONVERSATION,
        "A message is left out, repeated, or put in another place",
        ("if not self._first_of_attempt and envelope.prev != self.heard:", "if False:"),
    ),
    taken_out(
        CONVERSATION,
        "A message is left out, repeated, or put in another place",
        ("if envelope.seen is not None and envelope.seen not in self._said:", "if False:"),
    ),
    taken_out(
        "connector/catalog/listing.py",
        "A peer's catalogue lists what others publish",
        ("    if entry.dataset.publisher != publisher:\n", "    if False:\n"),
    ),
    taken_out(
        "connector/exchange/disputes.py",
        "The other side stays silent, to be told later that all arrived",
        ("if terms is not None and now - row.committed >= terms.ack_seconds * 1000:", "if False:"),
    ),
    taken_out(
        "connector/exchange/following.py",
        "Rows are left out of a subscription",
        ("if went > commit.rows and not self._is_partial:", "if False:"),
    ),
    taken_out(
        "connector/exchange/following.py",
        "Rows are left out of a subscription",
        ("if commit.position < self._position or went < commit.rows:", "if False:"),
    ),
    taken_out(
        PROVIDER,
        "A consumer signs for frames that a Cut held back",
        ("            custody.shorten(transaction, self._conversation.place, cut)\n", ""),
    ),
    taken_out(
        CONSUMER,
        "A Cut stands elsewhere than where the frames ended",
        ("if (body.window, body.frame, body.bytes, body.digest) != received:", "if False:"),
    ),
    taken_out(
        CONSUMER,
        "A window fills the disk, or holds what could never be read back",
        (
            "if len(frame.data) > MAX_FRAME_BYTES or size > commit.bytes:",
            "if len(frame.data) > MAX_FRAME_BYTES:",
        ),
    ),
    taken_out(
        CONSUMER,
        "A window fills the disk, or holds what could never be read back",
        ("if len(frame.data) > MAX_FRAME_BYTES or size > commit.bytes:", "if size > commit.bytes:"),
    ),
    taken_out(
        "connector/exchange/attempts.py",
        "Two commands receive one exchange and write over each other",
        ("        if exchange in self._under_way:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/exchange/waiting.py",
        "Somebody else comes for a Request that waits for its provider",
        (
            "place = (ParticipantId(channel.peer), ExchangeId(collect.exchange))",
            "place = next(each for each in self._waiting if each[1] == collect.exchange)",
        ),
    ),
)

WHAT_THE_LEDGER_SAYS_LATER: Final = (
    taken_out(
        "ledger/verify.py",
        "A leaf is changed, left out, added or moved",
        ("        if builder.root() != checkpoint.root:  # (2)\n", "        if False:\n"),
        ("            if stored != data:\n", "            if False:\n"),
    ),
    taken_out(
        "ledger/verify.py",
        "An operator rewrites the log and signs it again",
        ('        elif leaf["aprev"] != hash_before:\n', "        elif False:\n"),
    ),
    taken_out(
        "ledger/signers.py",
        "An agreement or a statement is shown that others signed in a party's name",
        ("    if strangers:\n", "    if False:\n"),
    ),
    taken_out(
        "ledger/signers.py",
        "An agreement or a statement is shown that others signed in a party's name",
        ("    if missing > unknown:\n", "    if False:\n"),
    ),
    taken_out(
        "connector/audit/notary.py",
        "A log that was rewritten asks for a cosignature",
        ("        self._check_extends(transaction.sqlite, checkpoint, consistency)\n", ""),
    ),
    taken_out(
        "ledger/compare.py",
        "A record is left out",
        ("            if aseq is not None and aseq <= end:\n", "            if False:\n"),
    ),
    taken_out(
        "ledger/schema.py",
        "A leaf is changed in the database",
        ("RAISE(ABORT, 'a leaf is never changed')", "1"),
    ),
    taken_out(
        "ledger/schema.py",
        "A leaf is changed in the database",
        ("RAISE(ABORT, 'a leaf is never removed')", "1"),
    ),
    taken_out(
        "ledger/publish.py",
        "A crash loses a record that was acknowledged, or shows a checkpoint too early",
        ("        self._store.sync()  # LEDGER.md section 4 (3): durable before the signature\n", ""),
        (
            "        self._save(signed)  # (4): durable before anybody sees it\n",
            "        self._save(signed)  # (4): durable before anybody sees it\n        self._store.sync()\n",
        ),
    ),
    taken_out(
        "ledger/publish.py",
        "The database is put back to an older state",
        ("    if log.size(connection) < checkpoint.size:\n", "    if False:\n"),
    ),
    taken_out(
        "ledger/publish.py",
        "The database is put back to an older state",
        ("    if [leaf_hash(entry) for entry in bundle] != edge.get(0, []):\n", "    if False:\n"),
        (
            "    if leaf_hash(log.entry(connection, checkpoint.size - 1).bytes) != newest:\n",
            "    if False:\n",
        ),
    ),
    taken_out(
        "ledger/tiles.py",
        "A forged entry with a tile that agrees with it",
        ("        if complete_root(hashes) != above:\n", "        if False:\n"),
    ),
    taken_out(
        "ledger/tiles.py",
        "A forged entry with a tile that agrees with it",
        ("        if root_of_edge(self._edge, size) != root:\n", "        if False:\n"),
    ),
    taken_out(
        "ledger/commitment.py",
        "Commitments are opened by trying out all ids",
        (
            "return Opening(field, ambient.random(OPENING_BYTES), value)",
            "return Opening(field, bytes(OPENING_BYTES), value)",
        ),
    ),
    taken_out(
        "connector/audit/notary.py",
        "The database is put back, and the tiles with it",
        ("        return size > log.size(self._connection)\n", "        return False\n"),
    ),
    taken_out(
        GUARDS,
        "A record is written with a time before the last one",
        ("    if ground.recorder.clock_is_behind(transaction):\n", "    if False:\n"),
    ),
)

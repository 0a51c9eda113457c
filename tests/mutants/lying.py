"""What lies on the disk, and bad input: controls and the code without them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

WHAT_LIES_ON_THE_DISK: Final = (
    taken_out(
        "connector/identity/keyfolder.py",
        "Others on the machine read keys",
        ("    if stat.S_IMODE(found.st_mode) & 0o077:\n", "    if False:\n"),
    ),
    taken_out(
        "connector/identity/keyfolder.py",
        "Others on the machine read keys",
        ("        if self._key is not None:\n            nonce", "        if False:\n            nonce"),
    ),
    taken_out(
        "connector/store/home.py",
        "Others on the machine read the home, or command the connector",
        ("if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:", "if False:"),
    ),
    taken_out(
        "connector/control/socket.py",
        "Others on the machine read the home, or command the connector",
        ("        home.control_socket.chmod(0o600)\n", "        home.control_socket.chmod(0o666)\n"),
    ),
    taken_out(
        "connector/store/home.py",
        "Two processes write one home",
        ("            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "            pass\n"),
    ),
    taken_out(
        "ledger/side.py",
        "Side rows are read from a stolen disk or backup",
        (
            "    box = chest.cipher(holder).encrypt(nonce, plain, _bound(index, holder))\n",
            "    box = plain\n",
        ),
    ),
    taken_out(
        "ledger/side.py",
        "Side rows are read from a stolen disk or backup",
        (".encrypt(nonce, plain, _bound(index, holder))", ".encrypt(nonce, plain, None)"),
        (".decrypt(nonce, box, _bound(index, holder))", ".decrypt(nonce, box, None)"),
    ),
    taken_out(
        "connector/exchange/inbox.py",
        "What was received is read from the disk",
        (
            "        self._cipher.encrypt_into(nonce, frame, bound, sealed[_BEFORE:])\n",
            "        sealed[_BEFORE : _BEFORE + len(frame)] = frame\n",
        ),
    ),
    taken_out(
        "connector/exchange/inbox.py",
        "What was received is read from the disk",
        (
            '    return f"bylag/inbox/v1 {exchange} {window} {frame}".encode()\n',
            '    return b"bylag/inbox/v1"\n',
        ),
    ),
    taken_out(
        "connector/control/operations/exchange.py",
        "What is taken out of the inbox is read by others, or written through their link",
        ("os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)", "os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)"),
    ),
    taken_out(
        "connector/control/operations/exchange.py",
        "What is taken out of the inbox is read by others, or written through their link",
        ("        beside.unlink(missing_ok=True)  # what a crash left behind\n", ""),
        ("os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)", "os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)"),
    ),
    taken_out(
        "connector/control/operations/exchange.py",
        "What is taken out of the inbox is read by others, or written through their link",
        (
            "            os.link(beside, path)  # unlike a rename, never replaces what is there\n",
            "            path.unlink(missing_ok=True)\n            os.link(beside, path)\n",
        ),
    ),
    taken_out(
        "ledger/export.py",
        "Others read an export before it is handed over",
        ("beside.mkdir(mode=OWNER_ONLY, parents=True)", "beside.mkdir(parents=True)"),
    ),
    taken_out(
        "connector/identity/stored_lists.py",
        "A stored membership list is changed on the disk",
        ("    if (link.number, link.digest) != (row.number, row.digest):\n", "    if False:\n"),
    ),
    taken_out(
        "connector/control/joining.py",
        "A crash while a home is made leaves keys that block it, or a home without keys",
        ("        if home.unfinished.exists():\n", "        if False:\n"),
    ),
    taken_out(
        "connector/control/joining.py",
        "A crash while a home is made leaves keys that block it, or a home without keys",
        ("        if home.unfinished.exists():\n", "        if True:\n"),
    ),
)

BAD_INPUT: Final = (
    taken_out(
        "connector/catalog/dataset.py",
        "A dataset's id climbs out of its folder",
        ("    if not DATASET_ID.fullmatch(text):\n", "    if False:\n"),
    ),
    taken_out(
        "connector/source/folder.py",
        "A dataset's id climbs out of its folder",
        ("        if not _DIGEST.fullmatch(digest):\n", "        if False:\n"),
    ),
    taken_out(
        "connector/source/selection.py",
        "A selection becomes SQL",
        (
            'return f"{name} {_COMPARISONS[self.op]} ?", wanted',
            "return f\"{name} {_COMPARISONS[self.op]} '{wanted[0]}'\", []",
        ),
    ),
    taken_out(
        "connector/source/lines.py",
        "An archive that unpacks without end, or a line without an end",
        ("        if head.startswith(magic):\n", "        if False:\n"),
    ),
    taken_out(
        "connector/source/lines.py",
        "An archive that unpacks without end, or a line without an end",
        ("        if self._since > MAX_ROW_BYTES:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/source/delimited.py",
        "An error quotes a person's data",
        ('cells, the header has {width}"', 'cells, the header has {width}: {cells}"'),
    ),
    taken_out(
        "connector/source/original.py",
        "A file changes while it is published",
        ("        if _look(self.descriptor) != self._before:\n", "        if False:\n"),
    ),
    taken_out(
        "ledger/report.py",
        "Text from a peer drives the terminal",
        ("Finding(Severity.WRONG, plain(where), plain(what))", "Finding(Severity.WRONG, where, what)"),
    ),
    taken_out(
        "connector/contract/opening.py",
        "Words beside a message mislead",
        ("    if _INVISIBLE.search(text):\n", "    if False:\n"),
    ),
    taken_out(
        "connector/contract/opening.py",
        "Words beside a message mislead",
        ("        if not opens(found, commitment):\n", "        if False:\n"),
    ),
    taken_out(
        "connector/peer/server.py",
        "A message or metadata of any size",
        (
            '    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),\n',
            '    ("grpc.max_receive_message_length", -1),\n',
        ),
    ),
    taken_out(
        "connector/peer/server.py",
        "A message or metadata of any size",
        ('("grpc.max_metadata_size", 16 << 10)', '("grpc.max_metadata_size", 16 << 20)'),
    ),
    taken_out(
        "connector/peer/status.py",
        "A peer's error drives the terminal or the log",
        ('character if character.isprintable() else " " for character in', "character for character in"),
    ),
    taken_out(
        "connector/peer/status.py",
        "A peer's error drives the terminal or the log",
        ("in words[:_LONGEST_TEXT])", "in words)"),
    ),
    taken_out(
        "connector/cli/show.py",
        "A hostile name or file name on the command line",
        ("    if unicodedata.category(character) not in _UNSEEN:\n", "    if True:\n"),
    ),
    taken_out(
        "connector/control/socket.py",
        "A program sends the control socket a line without an end",
        (
            "asyncio.start_unix_server(self._answer, path, limit=MAX_ASKED_BYTES)",
            "asyncio.start_unix_server(self._answer, path, limit=1 << 40)",
        ),
    ),
    taken_out(
        "connector/catalog/text.py",
        "Words in a peer's catalogue turn a screen's text around",
        (
            "    if any(unicodedata.category(character) in _UNSEEN for character in shown):\n",
            "    if False:\n",
        ),
    ),
)

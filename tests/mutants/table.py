"""For every row of the table of threats (docs/security.md): its control, and the code without it.

Rules that hold here:

* A mutant names its row by the row's threat, word for word. A row may have several: one for each part
  of its control. Each alone must make a test of the row fail.
* Where two places stand guard over the same thing, both are taken out at once, in one mutant: either
  alone would hide that the other is gone.
* Each text is found in its file exactly once (``test_table``), so that no mutant can go stale unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NOTHING_TO_TAKE_OUT: Final = frozenset({"A policy's author injects rules"})
"""Rows whose control is what the code does not do. The table says so."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A control taken out: in ``file``, each first text replaced by its second."""

    threat: str
    file: str
    edits: tuple[tuple[str, str], ...]


def _in(file: str, threat: str, *edits: tuple[str, str]) -> Mutant:
    return Mutant(threat, file, edits)


DIRECTORY = "connector/identity/directory.py"
GATE = "connector/peer/gate.py"
TRUST = "connector/identity/trust.py"
POST = "connector/peer/post.py"
NEGOTIATION = "connector/contract/negotiation.py"
ADMISSION = "connector/exchange/admission.py"
CONSUMER = "connector/exchange/consumer.py"
PROVIDER = "connector/exchange/provider.py"
CONVERSATION = "connector/exchange/conversation.py"
VIEW = "connector/source/view.py"
RECORDER = "connector/audit/recorder.py"

WHO_IS_CALLING: Final = (
    _in(
        DIRECTORY,
        "A stranger calls",
        (
            'raise UnknownPeer("the key that the peer showed is pinned by nobody")',
            "return self._member(*next(iter(self.trust._tls.values())), shown, now)",
        ),
    ),
    _in(
        DIRECTORY,
        "Somebody shows a certificate that has expired",
        ("if not shown.not_before <= now < shown.not_after:  # (1)", "if False:"),
    ),
    _in(
        "connector/identity/certificate.py",
        "A member issues itself a certificate in another member's name",
        (
            "permitted_subtrees=[x509.DNSName(server_name(member))]",
            'permitted_subtrees=[x509.DNSName("alt")]',
        ),
    ),
    _in(
        DIRECTORY,
        "The same, past a TLS library that does not look",
        ("if shown.names != (name,):", "if False:"),
    ),
    _in(
        "connector/peer/client.py",
        "Somebody else answers at a peer's address",
        (
            "root_certificates=trust.roots_for(peer, self._ambient.now()),",
            "root_certificates=trust.roots(self._ambient.now()),",
        ),
        (
            '("grpc.ssl_target_name_override", server_name(peer))',
            '("grpc.ssl_target_name_override", server_name(next(o.did for o in trust.current.organisations'
            " if endpoint in o.endpoints)))",
        ),
    ),
    _in(
        "connector/identity/organisation.py",
        "A stolen key is used",
        ("if self.compromised_since is not None and at >= self.compromised_since:", "if False:"),
    ),
    _in(
        GATE,
        "A call is added and nobody says who may make it",
        (
            'raise Unlisted("this call stands in no table")',
            'return RULES["/connector.v1.ParticipantService/Describe"]',
        ),
    ),
    _in(
        GATE,
        "A suspended or removed member goes on",
        ("if rule.standing is Standing.FULL and peer.standing is not Standing.FULL:", "if False:"),
    ),
    _in(
        GATE,
        "A call that is open already outlives its caller's removal",
        (
            "elif call.rule.standing is Standing.FULL and (call.peer.id in barred or self._is_limited(call)):",
            "elif False:",
        ),
    ),
    _in(
        GATE,
        "A stolen key keeps a line open on which protective messages come",
        ("if call.peer.tls in ended:", "if call.peer.tls in ended and call.rule.standing is Standing.FULL:"),
    ),
    _in(
        "connector/peer/allowance.py",
        "One peer's calls crowd out another's, or a withdrawal",
        ("if account.open >= OPEN_CALLS or account.left < 1:", "if account.left < 1:"),
    ),
    _in(
        "connector/peer/allowance.py",
        "One peer's calls crowd out another's, or a withdrawal",
        ("if account.open >= OPEN_CALLS or account.left < 1:", "if account.open >= OPEN_CALLS:"),
    ),
    _in(
        GATE,
        "An error tells a stranger how the inside looks",
        ('await _end(context, Unforeseen("the call failed"))', "raise"),
    ),
    _in(
        "connector/control/views.py",
        "A peer asks for records of an agreement that is not its own",
        ("if row is None or row.peer != peer:", "if row is None:"),
    ),
    _in(
        DIRECTORY,
        "A key's certificate expires while a connection is open",
        ("if not shown.not_before <= now < shown.not_after:  # (1)", "if False:"),
    ),
    _in(
        CONVERSATION,
        "A message in another's name on one's own connection",
        ("if envelope.sender != peer or envelope.recipient != ground.me:", "if False:"),
    ),
    _in(
        POST,
        "A line is held open by somebody who says nothing",
        ('raise LineSilent(f"nothing was heard for {IDLE_SECONDS:.0f} seconds") from error', "continue"),
    ),
    _in(
        "connector/peer/stream.py",
        "A line is held open by somebody who says nothing",
        ("if quiet >= IDLE_SECONDS and not self._queue.full():", "if False:"),
    ),
    _in(
        "connector/peer/lists.py",
        "A peer that is asked for lists or for its catalogue never comes to an end",
        ("            if self._trust().number == held:\n                return\n", ""),
    ),
    _in(
        "connector/peer/lines.py",
        "A peer that is asked for lists or for its catalogue never comes to an end",
        ("            if self._trust().number == held:\n                return\n", ""),
    ),
    _in(
        "connector/peer/client.py",
        "A peer that is asked for lists or for its catalogue never comes to an end",
        ("for _ in range(MOST_PAGES):", "while True:"),
    ),
    _in(
        "connector/node.py",
        "A key that ended goes on being used until the next start",
        ("        try:\n            self.adopt_keys()\n", "        try:\n            pass\n"),
    ),
    _in(
        "connector/exchange/newest.py",
        "A member that rotates its key is taken for a stranger by peers with an older list",
        ("                await self._learn(self._taken.document)\n", "                pass\n"),
    ),
    _in(
        "connector/identity/stored.py",
        "A guest's renewed credential makes what they signed before unverifiable",
        (
            "        return credential\n    session.add(\n",
            "        return credential\n    for row in held:\n        session.delete(row)\n"
            "    session.flush()\n    session.add(\n",
        ),
    ),
    _in(
        "ledger/guests.py",
        "A made-up credential lends a signature the look of a guest's",
        ("        verify(signed, CREDENTIAL_KIND, key.public)\n", "        pass\n"),
    ),
    _in(
        "connector/control/operations/ledger.py",
        "Whoever is shown an export sees guests in it",
        (
            "in credentials(session, person) if person is not None else ():\n",
            "in credentials(session, person):\n",
        ),
    ),
)

WHO_IS_A_MEMBER: Final = (
    _in(
        "connector/identity/membership.py",
        "A forged list",
        (
            "    before.require(signers)\n"
            "    entry.registrar.require(signers)  # on a change both; otherwise the same question twice\n",
            "",
        ),
    ),
    _in(
        TRUST,
        "A false registrar from the beginning",
        (
            "        # (1) Before the parser sees a byte, so that only a registrar's key can make it work.\n",
            "        if not self._links:\n"
            "            self.first = type(self.first)(self.first.space, read_list(signed.payload).registrar)\n",
        ),
    ),
    _in(
        TRUST,
        "An older list is shown again, in which a removed member still stands",
        (
            'raise ListRolledBack(f"list {entry.number} was offered, and list {self.number} is held")',
            "self._hold(entry)",
        ),
    ),
    _in(
        TRUST,
        "The registrar shows different people different lists",
        ("if digest_of(signed) != self._links[entry.number - 1].digest:  # (5)", "if False:"),
    ),
    _in(TRUST, "The registrar rewrites the past", ("check_succession(before, entry)  # (6)", "pass")),
    _in(
        TRUST,
        "A list is withheld so that a removal stays unknown",
        ("        if now >= entry.expires:\n", "        if False:\n"),
    ),
    _in(
        "connector/identity/request.py",
        "Somebody joins with keys that are another's",
        ("if not self._shown(key):", "if False:"),
    ),
    _in(
        "connector/identity/enrolment.py",
        "A thief of one key makes itself a new one",
        ('        self.request.require_shown(old.public, "replaces")\n', ""),
    ),
    _in(
        "connector/identity/enrolment.py",
        "A thief of one key makes itself a new one",
        (
            "        _require_signature_of(entry, self.request, now)\n        return old\n",
            "        return old\n",
        ),
    ),
    _in(
        "connector/identity/public.py",
        "A key that any signature fits",
        ("if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:", "if y >= _FIELD_PRIME:"),
    ),
    _in(
        "connector/identity/syntax.py",
        "A name that looks like another's, or turns a screen's text around",
        ("if category in _REFUSED_CATEGORIES or character in _INVISIBLE:", "if False:"),
    ),
    _in(
        "connector/identity/syntax.py",
        "A name that looks like another's, or turns a screen's text around",
        ("if len(scripts & _LOOKALIKE_SCRIPTS) > 1:", "if False:"),
    ),
    _in(
        "connector/identity/guest.py",
        "Two controllers find out that their guests are one person",
        ('ParticipantId(f"guest:{fresh_id(ambient)}")', 'ParticipantId("guest:" + "0" * 32)'),
    ),
    _in(
        "connector/identity/request.py",
        "A request to join is handed in again later, or in another data space",
        ("if not now - MAX_AGE <= self.created <= now + CLOCK_SKEW:", "if False:"),
    ),
    _in(
        "connector/identity/request.py",
        "A request to join is handed in again later, or in another data space",
        ("        if self.space != space:\n", "        if False:\n"),
    ),
    _in(
        "connector/identity/enrolment.py",
        "The answer to a request is another registrar's, or admits other keys",
        ("if fingerprint is not None and self.first.fingerprint != fingerprint:", "if False:"),
    ),
    _in(
        "connector/identity/enrolment.py",
        "The answer to a request is another registrar's, or admits other keys",
        ("            if entry.find_key(ring.thumbprint(job)) is None:\n", "            if False:\n"),
    ),
    _in(
        "connector/identity/registrar.py",
        "A registrar forks the data space by accident",
        ("if before is not None and digest_of(before) not in (digest_of(draft), instead_of):", "if False:"),
    ),
)

WHAT_WAS_SIGNED: Final = (
    _in(
        "ledger/document.py",
        "A signature under another algorithm, or none",
        ('if set(header) != {"alg", "kid", "typ"} or header["alg"] != "EdDSA":', "if False:"),
    ),
    _in(
        "ledger/document.py",
        "A byte is changed after signing",
        ("if not _EDDSA.verify(signed, key, from_base64url(signature)):", "if False:"),
    ),
    _in(
        "ledger/document.py",
        "A signature for one kind of document is shown as one for another",
        ("if header.kind != kind:", "if False:"),
    ),
    _in(
        "ledger/document.py",
        "A signature for one kind of document is shown as one for another",
        ('if content.get("type") != kind:', "if False:"),
    ),
    _in(
        "ledger/canonical.py",
        "Signed bytes that two readers read differently",
        ("if encode(value) != data:", "if False:"),
    ),
    _in(
        "ledger/canonical.py",
        "A huge or deep document exhausts the reader",
        ("    _check_depth(outside_strings, max_depth)\n", ""),
    ),
    _in(
        "ledger/canonical.py",
        "A huge or deep document exhausts the reader",
        ("    if len(data) > max_bytes:\n", "    if False:\n"),
    ),
    _in(
        "ledger/fields.py",
        "A member that nobody reads is signed along",
        ("        if unknown:\n", "        if False:\n"),
    ),
    _in(
        "connector/contract/force.py",
        "One party makes an agreement alone",
        (
            "    verify_agreement(agreement, Role.CONSUMER, verified.signature, keys, times.verification)\n",
            "",
        ),
    ),
    _in(
        "connector/contract/force.py",
        "One party makes an agreement alone",
        ("    verify_agreement(agreement, Role.PROVIDER, offered.signature, keys, times.agreement)\n", ""),
    ),
    _in(
        NEGOTIATION,
        "A signature comes too late and is counted anyway",
        ("if max(at, message.envelope.time) > moved.agreement.sign_by:", "if at > moved.agreement.sign_by:"),
    ),
    _in(
        NEGOTIATION,
        "A signature comes too late and is counted anyway",
        (
            "if max(at, message.envelope.time) > moved.agreement.sign_by:",
            "if message.envelope.time > moved.agreement.sign_by:",
        ),
    ),
    _in(
        NEGOTIATION,
        "Other terms are slipped into the agreement",
        ("        if agreed != expected:\n", "        if False:\n"),
    ),
    _in(
        NEGOTIATION,
        "A message that the state does not allow",
        (
            'raise IllegalMove(f"the {role.value} cannot send a {message.body.kind} {here}", field="type")',
            "return state or State.REQUESTED",
        ),
    ),
    _in(
        NEGOTIATION,
        "A message in another's name",
        (
            "    moved = _move(negotiation, sender_role, message)\n    _verify_sender(message, keys, at)\n",
            "    moved = _move(negotiation, sender_role, message)\n",
        ),
    ),
    _in(
        "connector/contract/desk.py",
        "A good message, delivered by somebody else",
        (
            "        if message.envelope.sender != peer:\n"
            '            raise NotThisNegotiation("the sender is not the peer who delivered this", field="sender")\n',
            "        peer = message.envelope.sender\n",
        ),
    ),
    _in(
        "connector/contract/offer.py",
        "A rule approves what nobody offered",
        ("is_open and proposal.digest == self.proposal.digest and", "is_open and"),
    ),
    _in(
        "connector/store/outbox.py",
        "Notices are lost, doubled or reordered",
        ("    if number <= row.received:\n        return False\n", ""),
        ("    if number != row.received + 1:\n", "    if False:\n"),
    ),
    _in(
        "connector/store/outbox.py",
        "Notices are lost, doubled or reordered",
        ("    if number != row.received + 1:\n", "    if False:\n"),
    ),
    _in(
        POST,
        "Notices are forgotten on a false word that they arrived",
        (
            'content = verify(signed.document, "cursor", self._peer_key(peer, signed.document))',
            "content = signed.document.content()",
        ),
    ),
    _in(
        POST,
        "Notices are forgotten on a false word that they arrived",
        (
            'if about != (peer, self._me, cursor.number) or fields.text("space") != self._space:',
            'if fields.text("space") != self._space:',
        ),
    ),
    _in(
        POST,
        "One bad notice holds up a withdrawal behind it",
        (
            "                raise\n            await self._turn_down(peer, notice, error)\n",
            "                raise\n            raise\n",
        ),
    ),
    _in(
        "connector/contract/desk.py",
        "A peer begins negotiations without end",
        ("            _require_few(transaction, peer)\n", "            pass\n"),
    ),
    _in(
        POST,
        "A peer sends nonsense, and what refuses it fills the disk",
        (
            "if kind == REFUSED or outbox.backlog(transaction, peer) >= LARGEST_BACKLOG:",
            "if kind == REFUSED:",
        ),
    ),
)

WHAT_MAY_LEAVE: Final = (
    _in(
        PROVIDER,
        "Data leaves and no record shows it",
        (
            "                    commit = await self._commit_when_there_is_room(window)\n",
            "                    await self._send_frames(window, barred)\n"
            "                    commit = await self._commit_when_there_is_room(window)\n",
        ),
    ),
    _in(
        "connector/store/writer.py",
        "A job is answered before it is on the disk",
        (
            '            sqlite.execute("COMMIT")\n',
            '            _answer(answers)\n            sqlite.execute("COMMIT")\n',
        ),
    ),
    _in(
        "connector/policy/coverage.py",
        "A policy's term is silently ignored",
        (
            '    if row.where is Where.REFUSED:\n        raise PolicyRefused(term, path, row.instead or "")\n',
            "",
        ),
    ),
    _in(
        ADMISSION,
        "A request for another purpose",
        (
            "    if ruling.allow is not True:\n        raise DeniedByPolicy(ruling)\n",
            "",
        ),
    ),
    _in(
        "policies/decision.rego", "A purpose wider than what was agreed", ("\trequest.within_agreement\n", "")
    ),
    _in(
        "connector/policy/decision.py",
        "The engine fails, hangs, or answers nonsense",
        ("    if not isinstance(allow, bool):\n", "    if False:\n"),
    ),
    _in(
        "connector/policy/embedded.py",
        "The engine fails, hangs, or answers nonsense",
        ("            return failure(self.revision, type(error).__name__)\n", "            raise\n"),
    ),
    _in(
        "connector/policy/lease.py",
        "A decision is used after the answer would have changed",
        ("        and all(bound.holds(moving.counters) for bound in lease.decision.depends_on)\n", ""),
    ),
    _in(
        "connector/policy/lease.py",
        "A decision is used after the answer would have changed",
        ("            ends = min(ends, decision.valid_until)\n", "            pass\n"),
    ),
    _in(
        "connector/policy/lease.py",
        "The clock is set back to stretch a period",
        (
            "if now < self._last_now or now - self._last_now <",
            "if now < self._last_now and now - self._last_now <",
        ),
    ),
    _in(
        "connector/policy/lease.py",
        "The clock is set back to stretch a period",
        (
            "if now < self._last_now or now - self._last_now < passed - _CLOCK_SLACK_MILLISECONDS:",
            "if False:",
        ),
    ),
    _in(
        "connector/exchange/counters.py",
        "Two requests for the last use",
        ("if granted.get(name, 0) >= limit:", "if False:"),
    ),
    _in(
        "connector/policy/rulebook.py",
        "The rules are tampered with",
        ('if manifest.get("revision") != revision:', "if False:"),
    ),
    _in(
        "connector/policy/rulebook.py",
        "The rules are tampered with",
        ('if metadata.get("wasm_sha256") != hashlib.sha256(wasm).hexdigest():', "if False:"),
    ),
    _in(
        ADMISSION,
        "A request under another's agreement",
        (
            "terms = known if known is not None and known.consumer == peer and known.provider == ground.me else None",
            "terms = known",
        ),
    ),
    _in(
        "connector/exchange/nonces.py",
        "An old request is sent again",
        (
            '        raise Replayed("this nonce was used before", field="nonce")\n',
            "        return\n",
        ),
    ),
    _in(
        ADMISSION,
        "An old request is sent again",
        ("if abs(now - envelope.time) > LARGEST_SKEW_MS:", "if False:"),
    ),
    _in(
        ADMISSION,
        "An old request is sent again",
        ("if not now < deadline <= now + LONGEST_DEADLINE_MS:", "if False:"),
    ),
    _in(
        PROVIDER,
        "Data goes on leaving after the agreement ended",
        ("    if barred.is_set():\n        return False\n", ""),
    ),
    _in(
        "connector/exchange/answering.py",
        "The same in a query session",
        (
            "        require_grantable(transaction, self._ground, self._terms)\n        if not window.places:\n",
            "        if not window.places:\n",
        ),
    ),
    _in(
        VIEW,
        "A hidden column is read by asking about it",
        (
            "            return self.mask\n        return self.mask | {subject.name}\n",
            "            return frozenset()\n        return frozenset({subject.name})\n",
        ),
    ),
    _in(
        "connector/source/rewrite.py",
        "A hidden column is read by asking about it",
        (
            "conditions_sql((*view.row_filter, *selection.where), schema)",
            "conditions_sql(selection.where, schema)",
        ),
    ),
    _in(
        "connector/exchange/use.py",
        "What was received is used for something else",
        ("    if ruling.allow is not True:\n        raise Denied(ruling.code)\n", ""),
    ),
    _in(
        "connector/exchange/use.py",
        "What was received is used for something else",
        (
            "        await ground.writer.write(\n"
            "            lambda transaction: _record(transaction, ground, terms, scope, ruling, row, purpose, code)\n"
            "        )\n",
            "",
        ),
    ),
    _in(
        ADMISSION,
        "An Accept is kept until it suits",
        ("if ground.ambient.now() >= admitted.expires:", "if False:"),
    ),
    _in(
        ADMISSION,
        "An attempt that was given up goes on beside the one that resumed it",
        ("fetchone() != (conversation.attempt,):", "fetchone() is None:"),
    ),
    _in(
        "connector/exchange/feeding.py",
        "In a subscription the policy comes to hide more than was offered",
        (
            "if ruling.allow is True and (ruling.mask, ruling.row_filter) != (offered.mask, offered.row_filter):",
            "if False:",
        ),
    ),
    _in(
        "connector/exchange/answering.py",
        "What was answered before the agreement's end leaves after it",
        ("                    self._require_unbarred()\n", "                    pass\n"),
    ),
    _in(
        PROVIDER,
        "What still comes on an overtaken attempt's stream moves the exchange",
        (
            "            require_latest(transaction, self._conversation)\n            require_open_offer",
            "            require_open_offer",
        ),
    ),
    _in(
        PROVIDER,
        "What still comes on an overtaken attempt's stream moves the exchange",
        (
            "        def record_receipt(transaction: Transaction) -> None:\n"
            "            require_latest(transaction, self._conversation)\n",
            "        def record_receipt(transaction: Transaction) -> None:\n",
        ),
    ),
    _in(
        ADMISSION,
        "A Resume brings an Accept of something else along",
        ("if isinstance(body, Accept) and not row.accept and body.offer != row.sent:", "if False:"),
    ),
    _in(
        "connector/exchange/floods.py",
        "Denials without end fill the log",
        ("        if minute.listed < LISTED:\n", "        if True:\n"),
    ),
    _in(
        ADMISSION,
        "A request brings megabytes beside it, to be kept for ever",
        ("    if len(encode(first.opening)) > MAX_OPENING_BYTES:\n", "    if False:\n"),
    ),
    _in(
        "connector/exchange/nonces.py",
        "Nonces are made to be remembered for ever",
        ("kept = min(deadline, now + LONGEST_KEPT_MS)", "kept = deadline"),
    ),
)

DATA_ABOUT_PEOPLE: Final = (
    _in(
        VIEW,
        "Data about people leaves as a file, or without labels",
        ("        elif self.labels is None:\n", "        elif False:\n"),
    ),
    _in(
        "connector/source/snapshot.py",
        "Data about people leaves as a file, or without labels",
        ("if view.about_people or view.subjects is not None or view.labels is not None:", "if False:"),
    ),
    _in(
        "connector/catalog/suspicion.py",
        "Personal data is published by mistake",
        ("    if missing:\n", "    if False:\n"),
    ),
    _in(
        RECORDER,
        "A person stands in a log for ever",
        (
            "        if scope.person is not None:\n            self._commit_personal(leaf, row)\n",
            "",
        ),
    ),
    _in(
        "ledger/leaf.py",
        "A person stands in a log for ever",
        (
            '            raise InvalidLeaf("this value cannot stand in a leaf", field=name)\n',
            "            continue\n",
        ),
    ),
    _in(
        "connector/exchange/received.py",
        "A provider sends rows about more people than it signs for",
        (
            "return (found.root, sum(map(len, frames))) == (root, said.rows) and not self._is_broken",
            "return True",
        ),
    ),
    _in(
        "ledger/prefix.py",
        "Two recipients find out that their rows are about one person",
        ("MEMBER + exchange.encode()", "MEMBER"),
    ),
    _in(VIEW, "Somebody is looked up by their id", ("return self.mask | {subject.name}", "return self.mask")),
    _in(
        "connector/exchange/shelf.py",
        "Somebody is found by asking many small questions",
        ("if self.labelled or self._about_people:", "if False:"),
    ),
    _in(
        "connector/audit/people.py",
        "A person's id gets into a leaf, a log line, an error or a row of others",
        ('PersonHandle(f"subject/{random(16).hex()}")', 'PersonHandle(f"subject/{subject}")'),
    ),
    _in(
        "connector/audit/people.py",
        "Somebody who was erased is found again by trying out all ids",
        ('        sqlite.execute("DELETE FROM person_index")\n', ""),
    ),
    _in(
        "ledger/publish.py",
        "Two exchanges of one citizen are linked by their log's name, key or cosignature",
        (" for line, holder in lines if holder in holders)", " for line, holder in lines)"),
    ),
)

WHAT_ARRIVES: Final = (
    _in(
        CONSUMER,
        "Other bytes are sent than were committed to",
        ("if digest.hex() != expected:", "if False:"),
        ("if size != commit.bytes or self._digest.hex() != commit.digest:", "if size != commit.bytes:"),
    ),
    _in(
        "connector/exchange/asking.py",
        "The same for an answer in a query session",
        ("        if digest != answer.digest:\n", "        if False:\n"),
    ),
    _in(
        "connector/exchange/budget.py",
        "A consumer takes and never signs",
        ("if outstanding(transaction.sqlite, agreement) >= limit:", "if False:"),
    ),
    _in(
        "connector/exchange/custody.py",
        "A consumer signs for something that was never sent",
        ("    if reached.digest != ack.digest:\n", "    if False:\n"),
    ),
    _in(
        PROVIDER,
        "The totals at the end are not what was acknowledged",
        (
            "if not isinstance(body, Receipt) or body != Receipt(*self._totals()):",
            "if not isinstance(body, Receipt):",
        ),
    ),
    _in(
        CONSUMER,
        "The totals at the end are not what was acknowledged",
        ("        if end.members() != receipt.members():\n", "        if False:\n"),
    ),
    _in(
        ADMISSION,
        "A resume from another place skips or doubles data",
        ("        _require_same_place(stored, resume)\n", ""),
    ),
    _in(
        CONSUMER,
        "An offer is changed after the agreement",
        ("if offer.windows != self._terms.windows:", "if False:"),
    ),
    _in(
        CONSUMER,
        "An offer is changed after the agreement",
        ("if offer.expires <= self._ground.ambient.now():", "if False:"),
    ),
    _in(
        CONVERSATION,
        "A message is left out, repeated, or put in another place",
        ("if not self._first_of_attempt and envelope.prev != self.heard:", "if False:"),
    ),
    _in(
        CONVERSATION,
        "A message is left out, repeated, or put in another place",
        ("if envelope.seen is not None and envelope.seen not in self._said:", "if False:"),
    ),
    _in(
        "connector/catalog/listing.py",
        "A peer's catalogue lists what others publish",
        ("    if entry.dataset.publisher != publisher:\n", "    if False:\n"),
    ),
    _in(
        "connector/exchange/disputes.py",
        "The other side stays silent, to be told later that all arrived",
        ("if terms is not None and now - row.committed >= terms.ack_seconds * 1000:", "if False:"),
    ),
    _in(
        "connector/exchange/following.py",
        "Rows are left out of a subscription",
        ("if went > commit.rows and not self._is_partial:", "if False:"),
    ),
    _in(
        "connector/exchange/following.py",
        "Rows are left out of a subscription",
        ("if commit.position < self._position or went < commit.rows:", "if False:"),
    ),
    _in(
        PROVIDER,
        "A consumer signs for frames that a Cut held back",
        ("            custody.shorten(transaction, self._place, cut)\n", ""),
    ),
    _in(
        CONSUMER,
        "A Cut stands elsewhere than where the frames ended",
        ("if (body.window, body.frame, body.bytes, body.digest) != received:", "if False:"),
    ),
    _in(
        CONSUMER,
        "A window fills the disk, or holds what could never be read back",
        (
            "if len(frame.data) > MAX_FRAME_BYTES or size > commit.bytes:",
            "if len(frame.data) > MAX_FRAME_BYTES:",
        ),
    ),
    _in(
        CONSUMER,
        "A window fills the disk, or holds what could never be read back",
        ("if len(frame.data) > MAX_FRAME_BYTES or size > commit.bytes:", "if size > commit.bytes:"),
    ),
    _in(
        "connector/exchange/attempts.py",
        "Two commands receive one exchange and write over each other",
        ("        if exchange in self._under_way:\n", "        if False:\n"),
    ),
    _in(
        "connector/exchange/waiting.py",
        "Somebody else comes for a Request that waits for its provider",
        (
            "place = (ParticipantId(channel.peer), ExchangeId(collect.exchange))",
            "place = next(each for each in self._waiting if each[1] == collect.exchange)",
        ),
    ),
)

WHAT_THE_LEDGER_SAYS_LATER: Final = (
    _in(
        "ledger/verify.py",
        "A leaf is changed, left out, added or moved",
        ("        if builder.root() != checkpoint.root:  # (2)\n", "        if False:\n"),
        ("            if stored != data:\n", "            if False:\n"),
    ),
    _in(
        "ledger/verify.py",
        "An operator rewrites the log and signs it again",
        ('        elif leaf["aprev"] != hash_before:\n', "        elif False:\n"),
    ),
    _in(
        "connector/audit/notary.py",
        "A log that was rewritten asks for a cosignature",
        ("        self._check_extends(transaction.sqlite, checkpoint, consistency)\n", ""),
    ),
    _in(
        "ledger/compare.py",
        "A record is left out",
        ("            if aseq is not None and aseq <= end:\n", "            if False:\n"),
    ),
    _in(
        "ledger/schema.py",
        "A leaf is changed in the database",
        ("RAISE(ABORT, 'a leaf is never changed')", "1"),
    ),
    _in(
        "ledger/schema.py",
        "A leaf is changed in the database",
        ("RAISE(ABORT, 'a leaf is never removed')", "1"),
    ),
    _in(
        "ledger/publish.py",
        "A crash loses a record that was acknowledged, or shows a checkpoint too early",
        ("        self._store.sync()  # LEDGER.md section 4 (3): durable before the signature\n", ""),
        (
            "        self._save(signed)  # (4): durable before anybody sees it\n",
            "        self._save(signed)  # (4): durable before anybody sees it\n        self._store.sync()\n",
        ),
    ),
    _in(
        "ledger/publish.py",
        "The database is put back to an older state",
        ("    if log.size(connection) < checkpoint.size:\n", "    if False:\n"),
    ),
    _in(
        "ledger/publish.py",
        "The database is put back to an older state",
        ("    if [leaf_hash(entry) for entry in bundle] != edge.get(0, []):\n", "    if False:\n"),
        (
            "    if leaf_hash(log.entry(connection, checkpoint.size - 1).bytes) != newest:\n",
            "    if False:\n",
        ),
    ),
    _in(
        "ledger/tiles.py",
        "A forged entry with a tile that agrees with it",
        ("        if complete_root(hashes) != above:\n", "        if False:\n"),
    ),
    _in(
        "ledger/tiles.py",
        "A forged entry with a tile that agrees with it",
        ("        if root_of_edge(self._edge, size) != root:\n", "        if False:\n"),
    ),
    _in(
        "ledger/commitment.py",
        "Commitments are opened by trying out all ids",
        (
            "return Opening(field, ambient.random(OPENING_BYTES), value)",
            "return Opening(field, bytes(OPENING_BYTES), value)",
        ),
    ),
    _in(
        "connector/audit/notary.py",
        "The database is put back, and the tiles with it",
        ("        return size > log.size(self._connection)\n", "        return False\n"),
    ),
    _in(
        ADMISSION,
        "A record is written with a time before the last one",
        ("    if ground.recorder.clock_is_behind(transaction):\n", "    if False:\n"),
    ),
)

WHAT_LIES_ON_THE_DISK: Final = (
    _in(
        "connector/identity/keyfolder.py",
        "Others on the machine read keys",
        ("    if stat.S_IMODE(found.st_mode) & 0o077:\n", "    if False:\n"),
    ),
    _in(
        "connector/identity/keyfolder.py",
        "Others on the machine read keys",
        ("        if self._key is not None:\n            nonce", "        if False:\n            nonce"),
    ),
    _in(
        "connector/store/home.py",
        "Others on the machine read the home, or command the connector",
        ("if stat.S_IMODE(self.folder.stat().st_mode) & 0o077:", "if False:"),
    ),
    _in(
        "connector/control/socket.py",
        "Others on the machine read the home, or command the connector",
        ("        home.control_socket.chmod(0o600)\n", "        home.control_socket.chmod(0o666)\n"),
    ),
    _in(
        "connector/store/home.py",
        "Two processes write one home",
        ("            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n", "            pass\n"),
    ),
    _in(
        "ledger/side.py",
        "Side rows are read from a stolen disk or backup",
        (
            "    box = chest.cipher(holder).encrypt(nonce, plain, _bound(index, holder))\n",
            "    box = plain\n",
        ),
    ),
    _in(
        "ledger/side.py",
        "Side rows are read from a stolen disk or backup",
        (".encrypt(nonce, plain, _bound(index, holder))", ".encrypt(nonce, plain, None)"),
        (".decrypt(nonce, box, _bound(index, holder))", ".decrypt(nonce, box, None)"),
    ),
    _in(
        "connector/exchange/inbox.py",
        "What was received is read from the disk",
        (
            "        sealed = self._cipher.encrypt(nonce, frame, _bound(self._exchange, self._window, self._frame))\n",
            "        sealed = frame\n",
        ),
    ),
    _in(
        "connector/exchange/inbox.py",
        "What was received is read from the disk",
        (
            '    return f"bylag/inbox/v1 {exchange} {window} {frame}".encode()\n',
            '    return b"bylag/inbox/v1"\n',
        ),
    ),
    _in(
        "connector/control/operations/exchange.py",
        "What is taken out of the inbox is read by others, or written through their link",
        ("os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)", "os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)"),
    ),
    _in(
        "connector/control/operations/exchange.py",
        "What is taken out of the inbox is read by others, or written through their link",
        ("        beside.unlink(missing_ok=True)  # what a crash left behind\n", ""),
        ("os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)", "os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)"),
    ),
    _in(
        "connector/control/operations/exchange.py",
        "What is taken out of the inbox is read by others, or written through their link",
        (
            "            os.link(beside, path)  # unlike a rename, never replaces what is there\n",
            "            path.unlink(missing_ok=True)\n            os.link(beside, path)\n",
        ),
    ),
    _in(
        "ledger/export.py",
        "Others read an export before it is handed over",
        ("beside.mkdir(mode=0o700, parents=True)", "beside.mkdir(parents=True)"),
    ),
    _in(
        "connector/node.py",
        "A stored membership list is changed on the disk",
        ("    if (link.number, link.digest) != (row.number, row.digest):\n", "    if False:\n"),
    ),
)

BAD_INPUT: Final = (
    _in(
        "connector/catalog/dataset.py",
        "A dataset's id climbs out of its folder",
        ("    if not DATASET_ID.fullmatch(text):\n", "    if False:\n"),
    ),
    _in(
        "connector/source/folder.py",
        "A dataset's id climbs out of its folder",
        ("        if not _DIGEST.fullmatch(digest):\n", "        if False:\n"),
    ),
    _in(
        "connector/source/selection.py",
        "A selection becomes SQL",
        (
            'return f"{name} {_COMPARISONS[self.op]} ?", wanted',
            "return f\"{name} {_COMPARISONS[self.op]} '{wanted[0]}'\", []",
        ),
    ),
    _in(
        "connector/source/lines.py",
        "An archive that unpacks without end, or a line without an end",
        ("        if head.startswith(magic):\n", "        if False:\n"),
    ),
    _in(
        "connector/source/lines.py",
        "An archive that unpacks without end, or a line without an end",
        ("        if self._since > MAX_ROW_BYTES:\n", "        if False:\n"),
    ),
    _in(
        "connector/source/delimited.py",
        "An error quotes a person's data",
        ('cells, the header has {width}"', 'cells, the header has {width}: {cells}"'),
    ),
    _in(
        "connector/source/original.py",
        "A file changes while it is published",
        ("        if _look(self.descriptor) != self._before:\n", "        if False:\n"),
    ),
    _in(
        "ledger/report.py",
        "Text from a peer drives the terminal",
        ("Finding(Severity.WRONG, plain(where), plain(what))", "Finding(Severity.WRONG, where, what)"),
    ),
    _in(
        "connector/contract/opening.py",
        "Words beside a message mislead",
        ("    if _INVISIBLE.search(text):\n", "    if False:\n"),
    ),
    _in(
        "connector/contract/opening.py",
        "Words beside a message mislead",
        ("        if not opens(found, commitment):\n", "        if False:\n"),
    ),
    _in(
        "connector/peer/server.py",
        "A message or metadata of any size",
        (
            '    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),\n',
            '    ("grpc.max_receive_message_length", -1),\n',
        ),
    ),
    _in(
        "connector/peer/server.py",
        "A message or metadata of any size",
        ('("grpc.max_metadata_size", 16 << 10)', '("grpc.max_metadata_size", 16 << 20)'),
    ),
    _in(
        "connector/peer/status.py",
        "A peer's error drives the terminal or the log",
        ('character if character.isprintable() else " " for character in', "character for character in"),
    ),
    _in(
        "connector/peer/status.py",
        "A peer's error drives the terminal or the log",
        ("in words[:_LONGEST_TEXT])", "in words)"),
    ),
    _in(
        "connector/cli/show.py",
        "A hostile name or file name on the command line",
        ("    if unicodedata.category(character) not in _UNSEEN:\n", "    if True:\n"),
    ),
    _in(
        "connector/control/socket.py",
        "A program sends the control socket a line without an end",
        (
            "asyncio.start_unix_server(self._answer, path, limit=MAX_ASKED_BYTES)",
            "asyncio.start_unix_server(self._answer, path, limit=1 << 40)",
        ),
    ),
    _in(
        "connector/catalog/text.py",
        "Words in a peer's catalogue turn a screen's text around",
        (
            "    if any(unicodedata.category(character) in _UNSEEN for character in shown):\n",
            "    if False:\n",
        ),
    ),
)

MUTANTS: Final = (
    *WHO_IS_CALLING,
    *WHO_IS_A_MEMBER,
    *WHAT_WAS_SIGNED,
    *WHAT_MAY_LEAVE,
    *DATA_ABOUT_PEOPLE,
    *WHAT_ARRIVES,
    *WHAT_THE_LEDGER_SAYS_LATER,
    *WHAT_LIES_ON_THE_DISK,
    *BAD_INPUT,
)

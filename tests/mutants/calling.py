"""Who is calling, and who is a member: controls and the code without them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

DIRECTORY = "connector/identity/directory.py"
GATE = "connector/peer/gate.py"
TRUST = "connector/identity/trust.py"
POST = "connector/peer/post.py"
CONVERSATION = "connector/exchange/conversation.py"

WHO_IS_CALLING: Final = (
    taken_out(
        DIRECTORY,
        "A stranger calls",
        (
            'raise UnknownPeer("the key that the peer showed is pinned by nobody")',
            "return self._member(*next(iter(self.trust._tls.values())), shown, now)",
        ),
    ),
    taken_out(
        DIRECTORY,
        "Somebody shows a certificate that has expired",
        ("if not shown.not_before <= now < shown.not_after:  # (1)", "if False:"),
    ),
    taken_out(
        "connector/identity/certificate.py",
        "A member issues itself a certificate in another member's name",
        (
            "permitted_subtrees=[x509.DNSName(server_name(member))]",
            'permitted_subtrees=[x509.DNSName("alt")]',
        ),
    ),
    taken_out(
        DIRECTORY,
        "The same, past a TLS library that does not look",
        ("if shown.names != (name,):", "if False:"),
    ),
    taken_out(
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
    taken_out(
        "connector/identity/organisation.py",
        "A stolen key is used",
        ("if self.compromised_since is not None and at >= self.compromised_since:", "if False:"),
    ),
    taken_out(
        GATE,
        "A call is added and nobody says who may make it",
        (
            'raise Unlisted("this call stands in no table")',
            'return RULES["/connector.v1.ParticipantService/Describe"]',
        ),
    ),
    taken_out(
        GATE,
        "A suspended or removed member goes on",
        ("if rule.standing is Standing.FULL and peer.standing is not Standing.FULL:", "if False:"),
    ),
    taken_out(
        GATE,
        "A call that is open already outlives its caller's removal",
        (
            "elif call.rule.standing is Standing.FULL and (call.peer.id in barred or self._is_limited(call)):",
            "elif False:",
        ),
    ),
    taken_out(
        GATE,
        "A stolen key keeps a line open on which protective messages come",
        ("if call.peer.tls in ended:", "if call.peer.tls in ended and call.rule.standing is Standing.FULL:"),
    ),
    taken_out(
        "connector/peer/allowance.py",
        "One peer's calls crowd out another's, or a withdrawal",
        ("if account.open >= OPEN_CALLS or account.left < 1:", "if account.left < 1:"),
    ),
    taken_out(
        "connector/peer/allowance.py",
        "One peer's calls crowd out another's, or a withdrawal",
        ("if account.open >= OPEN_CALLS or account.left < 1:", "if account.open >= OPEN_CALLS:"),
    ),
    taken_out(
        GATE,
        "An error tells a stranger how the inside looks",
        ('await _end(context, Unforeseen("the call failed"))', "raise"),
    ),
    taken_out(
        "connector/control/views.py",
        "A peer asks for records of an agreement that is not its own",
        ("if row is None or row.peer != peer:", "if row is None:"),
    ),
    taken_out(
        DIRECTORY,
        "A key's certificate expires while a connection is open",
        ("if not shown.not_before <= now < shown.not_after:  # (1)", "if False:"),
    ),
    taken_out(
        CONVERSATION,
        "A message in another's name on one's own connection",
        ("if envelope.sender != peer or envelope.recipient != ground.me:", "if False:"),
    ),
    taken_out(
        POST,
        "A line is held open by somebody who says nothing",
        ('raise LineSilent(f"nothing was heard for {IDLE_SECONDS:.0f} seconds") from error', "continue"),
    ),
    taken_out(
        "connector/peer/stream.py",
        "A line is held open by somebody who says nothing",
        ("if quiet >= IDLE_SECONDS and not self._queue.full():", "if False:"),
    ),
    taken_out(
        "connector/peer/lists.py",
        "A peer that is asked for lists or for its catalogue never comes to an end",
        ("            if self._trust().number == held:\n                return\n", ""),
    ),
    taken_out(
        "connector/peer/lines.py",
        "A peer that is asked for lists or for its catalogue never comes to an end",
        ("            if self._trust().number == held:\n                return\n", ""),
    ),
    taken_out(
        "connector/peer/client.py",
        "A peer that is asked for lists or for its catalogue never comes to an end",
        ("for _ in range(MOST_PAGES):", "while True:"),
    ),
    taken_out(
        "connector/node.py",
        "A key that ended goes on being used until the next start",
        ("        try:\n            self.adopt_keys()\n", "        try:\n            pass\n"),
    ),
    taken_out(
        "connector/exchange/newest.py",
        "A member that rotates its key is taken for a stranger by peers with an older list",
        ("                await self._learn(self._taken.document)\n", "                pass\n"),
    ),
    taken_out(
        "connector/identity/stored.py",
        "A guest's renewed credential makes what they signed before unverifiable",
        (
            "        return credential\n    session.add(\n",
            "        return credential\n    for row in held:\n        session.delete(row)\n"
            "    session.flush()\n    session.add(\n",
        ),
    ),
    taken_out(
        "connector/node.py",
        "A controller that rotates its TLS key locks its guests out",
        (" + self.trust.ended_anchors(self.me, now)\n", "\n"),
    ),
    taken_out(
        "connector/identity/trust.py",
        "A controller that rotates its TLS key locks its guests out",
        (
            "keys_for(Job.TLS) if key.state(now) is KeyState.ENDED)\n",
            "keys_for(Job.TLS) if not key.is_live(now))\n",
        ),
    ),
    taken_out(
        "connector/identity/guestbook.py",
        "A key that a guest replaced goes on counting beside the new one",
        ("    if replaced is None:\n", "    if True:\n"),
    ),
    taken_out(
        "ledger/guests.py",
        "A made-up credential lends a signature the look of a guest's",
        ("        verify(signed, CREDENTIAL_KIND, key.public)\n", "        pass\n"),
    ),
    taken_out(
        "connector/control/operations/ledger.py",
        "Whoever is shown an export sees guests in it",
        (
            "in credentials(session, person) if person is not None else ():\n",
            "in credentials(session, person):\n",
        ),
    ),
)

WHO_IS_A_MEMBER: Final = (
    taken_out(
        "connector/identity/membership.py",
        "A forged list",
        (
            "    before.require(signers)\n"
            "    entry.registrar.require(signers)  # on a change both; otherwise the same question twice\n",
            "",
        ),
    ),
    taken_out(
        TRUST,
        "A false registrar from the beginning",
        (
            "        # (1) Before the parser sees a byte, so that only a registrar's key can make it work.\n",
            "        if not self._links:\n"
            "            self.first = type(self.first)(self.first.space, read_list(signed.payload).registrar)\n",
        ),
    ),
    taken_out(
        TRUST,
        "An older list is shown again, in which a removed member still stands",
        (
            'raise ListRolledBack(f"list {entry.number} was offered, and list {self.number} is held")',
            "self._hold(entry)",
        ),
    ),
    taken_out(
        TRUST,
        "The registrar shows different people different lists",
        ("if digest_of(signed) != self._links[entry.number - 1].digest:  # (5)", "if False:"),
    ),
    taken_out(TRUST, "The registrar rewrites the past", ("check_succession(before, entry)  # (6)", "pass")),
    taken_out(
        TRUST,
        "A list is withheld so that a removal stays unknown",
        ("        if now >= entry.expires:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/identity/request.py",
        "Somebody joins with keys that are another's",
        ("if not self._shown(key):", "if False:"),
    ),
    taken_out(
        "connector/identity/enrolment.py",
        "A thief of one key makes itself a new one",
        ('        self.request.require_shown(old.public, "replaces")\n', ""),
    ),
    taken_out(
        "connector/identity/enrolment.py",
        "A thief of one key makes itself a new one",
        (
            "        _require_signature_of(entry, self.request, now)\n        return old\n",
            "        return old\n",
        ),
    ),
    taken_out(
        "connector/identity/public.py",
        "A key that any signature fits",
        ("if y >= _FIELD_PRIME or y in _SMALL_ORDER_Y:", "if y >= _FIELD_PRIME:"),
    ),
    taken_out(
        "connector/identity/syntax.py",
        "A name that looks like another's, or turns a screen's text around",
        ("if category in _REFUSED_CATEGORIES or character in _INVISIBLE:", "if False:"),
    ),
    taken_out(
        "connector/identity/syntax.py",
        "A name that looks like another's, or turns a screen's text around",
        ("if len(scripts & _LOOKALIKE_SCRIPTS) > 1:", "if False:"),
    ),
    taken_out(
        "connector/identity/guest.py",
        "Two controllers find out that their guests are one person",
        ('ParticipantId(f"guest:{fresh_id(ambient)}")', 'ParticipantId("guest:" + "0" * 32)'),
    ),
    taken_out(
        "connector/identity/request.py",
        "A request to join is handed in again later, or in another data space",
        ("if not now - MAX_AGE <= self.created <= now + CLOCK_SKEW:", "if False:"),
    ),
    taken_out(
        "connector/identity/request.py",
        "A request to join is handed in again later, or in another data space",
        ("        if self.space != space:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/identity/enrolment.py",
        "The answer to a request is another registrar's, or admits other keys",
        ("if fingerprint is not None and self.first.fingerprint != fingerprint:", "if False:"),
    ),
    taken_out(
        "connector/identity/enrolment.py",
        "The answer to a request is another registrar's, or admits other keys",
        ("            if entry.find_key(ring.thumbprint(job)) is None:\n", "            if False:\n"),
    ),
    taken_out(
        "connector/identity/registrar.py",
        "A registrar forks the data space by accident",
        ("if before is not None and digest_of(before) not in (digest_of(draft), instead_of):", "if False:"),
    ),
)

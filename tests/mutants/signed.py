"""What was signed: controls and the code without them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

POST = "connector/peer/post.py"
NEGOTIATION = "connector/contract/negotiation.py"
CONSUMER = "connector/exchange/consumer.py"
PROVIDER = "connector/exchange/provider.py"

WHAT_WAS_SIGNED: Final = (
    taken_out(
        "ledger/document.py",
        "A signature under another algorithm, or none",
        ('if set(header) != {"alg", "kid", "typ"} or header["alg"] != "EdDSA":', "if False:"),
    ),
    taken_out(
        "ledger/document.py",
        "A byte is changed after signing",
        ("if not _EDDSA.verify(signed, key, from_base64url(signature)):", "if False:"),
    ),
    taken_out(
        "ledger/document.py",
        "A signature for one kind of document is shown as one for another",
        ("if header.kind != kind:", "if False:"),
    ),
    taken_out(
        "ledger/document.py",
        "A signature for one kind of document is shown as one for another",
        ('if content.get("type") != kind:', "if False:"),
    ),
    taken_out(
        "ledger/canonical.py",
        "Signed bytes that two readers read differently",
        ("if encode(value) != data:", "if False:"),
    ),
    taken_out(
        "ledger/canonical.py",
        "A huge or deep document exhausts the reader",
        ("    _check_depth(outside_strings, max_depth)\n", ""),
    ),
    taken_out(
        "ledger/canonical.py",
        "A huge or deep document exhausts the reader",
        ("    if len(data) > max_bytes:\n", "    if False:\n"),
    ),
    taken_out(
        "ledger/fields.py",
        "A member that nobody reads is signed along",
        ("        if unknown:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/contract/agreements.py",
        "One party makes an agreement alone",
        ("        in_force(evidence, self._speaker.keys)  # what could", "        pass  # what could"),
    ),
    taken_out(
        "connector/contract/force.py",
        "One party makes an agreement alone",
        (
            "    verify_agreement(agreement, Role.CONSUMER, verified.signature, keys, times.verification)\n",
            "",
        ),
    ),
    taken_out(
        "connector/contract/force.py",
        "One party makes an agreement alone",
        ("    verify_agreement(agreement, Role.PROVIDER, offered.signature, keys, times.agreement)\n", ""),
    ),
    taken_out(
        NEGOTIATION,
        "A signature comes too late and is counted anyway",
        ("if max(at, message.envelope.time) > moved.agreement.sign_by:", "if at > moved.agreement.sign_by:"),
    ),
    taken_out(
        NEGOTIATION,
        "A signature comes too late and is counted anyway",
        (
            "if max(at, message.envelope.time) > moved.agreement.sign_by:",
            "if message.envelope.time > moved.agreement.sign_by:",
        ),
    ),
    taken_out(
        NEGOTIATION,
        "Other terms are slipped into the agreement",
        ("        if agreed != expected:\n", "        if False:\n"),
    ),
    taken_out(
        NEGOTIATION,
        "Terms are signed that nobody can enforce, or that bind somebody else",
        ("        _check_policy(moved)\n", "        pass\n"),
    ),
    taken_out(
        NEGOTIATION,
        "Terms are signed that nobody can enforce, or that bind somebody else",
        ("assignee=negotiation.consumer,", 'assignee=ParticipantId("did:web:third.example"),'),
    ),
    taken_out(
        NEGOTIATION,
        "A message that the state does not allow",
        (
            '        raise IllegalMove(\n            f"the {role.value} cannot send',
            "        return state or State.REQUESTED\n"
            '        raise IllegalMove(\n            f"the {role.value} cannot send',
        ),
    ),
    taken_out(
        NEGOTIATION,
        "A message in another's name",
        (
            "    moved = _move(negotiation, sender_role, message)\n    _verify_sender(message, keys, at)\n",
            "    moved = _move(negotiation, sender_role, message)\n",
        ),
    ),
    taken_out(
        "connector/contract/desk.py",
        "A good message, delivered by somebody else",
        (
            "        if message.envelope.sender != peer:\n"
            '            raise NotThisNegotiation("the sender is not the peer who delivered this", field="sender")\n',
            "        peer = message.envelope.sender\n",
        ),
    ),
    taken_out(
        "connector/contract/offer.py",
        "A rule approves what nobody offered",
        ("is_open and proposal.digest == self.proposal.digest and", "is_open and"),
    ),
    taken_out(
        "connector/store/outbox.py",
        "Notices are lost, doubled or reordered",
        ("    if number <= row.received:\n        return False\n", ""),
        ("    if number != row.received + 1:\n", "    if False:\n"),
    ),
    taken_out(
        "connector/store/outbox.py",
        "Notices are lost, doubled or reordered",
        ("    if number != row.received + 1:\n", "    if False:\n"),
    ),
    taken_out(
        POST,
        "Notices are forgotten on a false word that they arrived",
        (
            'content = verify(signed.document, "cursor", self._peer_key(peer, signed.document))',
            "content = signed.document.content()",
        ),
    ),
    taken_out(
        POST,
        "Notices are forgotten on a false word that they arrived",
        (
            'if about != (peer, self._me, cursor.number) or fields.text("space") != self._space:',
            'if fields.text("space") != self._space:',
        ),
    ),
    taken_out(
        POST,
        "One bad notice holds up a withdrawal behind it",
        (
            "                raise\n            await self._turn_down(peer, notice, error)\n",
            "                raise\n            raise\n",
        ),
    ),
    taken_out(
        "connector/contract/desk.py",
        "A peer begins negotiations without end",
        ("            _require_few(transaction, peer)\n", "            pass\n"),
    ),
    taken_out(
        POST,
        "A peer sends nonsense, and what refuses it fills the disk",
        (
            "if kind == REFUSED or outbox.backlog(transaction, peer) >= LARGEST_BACKLOG:",
            "if kind == REFUSED:",
        ),
    ),
)

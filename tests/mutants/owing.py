"""What is owed in return: controls and the code without them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

DUTY = "connector/policy/duty.py"
DUTIES = "connector/contract/duties.py"
SPEAKER = "connector/contract/speaker.py"
TASKS = "connector/contract/tasks.py"
RULING = "connector/exchange/ruling.py"
NOT_OWED = "A party reports a duty that it does not owe, or answers for its own"
FORGED = "A report of a duty is forged, or made for another agreement"

WHAT_IS_OWED: Final = (
    taken_out(
        DUTY,
        "A duty holds a condition that nobody tracks",
        ("        if leaf.operator not in _DUE[leaf.left]:\n", "        if False:\n"),
    ),
    taken_out(
        DUTY,
        "A duty holds a condition that nobody tracks",
        ('    if constraint.logic != "and":\n', "    if False:\n"),
    ),
    taken_out(
        DUTIES,
        NOT_OWED,
        (
            '        if row.owed_by == matter.role.value:\n            raise IllegalMove("the sender does not',
            '        if False:\n            raise IllegalMove("the sender does not',
        ),
    ),
    taken_out(
        DUTIES,
        NOT_OWED,
        (
            '        if row.owed_by != matter.role.value:\n            raise IllegalMove("whoever owes',
            '        if False:\n            raise IllegalMove("whoever owes',
        ),
    ),
    taken_out(
        DUTIES,
        NOT_OWED,
        (
            '            if matter.role is Role.PROVIDER:\n                raise IllegalMove("only the provider',
            '            if False:\n                raise IllegalMove("only the provider',
        ),
    ),
    taken_out(
        SPEAKER,
        FORGED,
        (
            "        verify_by(self.keys, peer, message.document, message.body.kind, at=now, max_bytes=MAX_BYTES)\n",
            "",
        ),
    ),
    taken_out(
        SPEAKER,
        FORGED,
        (
            "        if (contract, envelope.space) != (held.agreement.digest, self.space):\n",
            "        if False:\n",
        ),
    ),
    taken_out(
        DUTIES,
        "A report that was rejected is shown again",
        (" or body.number != row.reports + 1:\n", ":\n"),
    ),
    taken_out(
        TASKS,
        "Somebody says that they have paid",
        (
            "row.report is not None and (row.accepted or not matter.duties[row.duty].answered)",
            "row.report is not None",
        ),
    ),
    taken_out(
        DUTIES,
        "Somebody says that they have paid",
        (
            "        if duty.amount is not None and (amount is None or amount < duty.amount):\n",
            "        if False:\n",
        ),
    ),
    taken_out(
        TASKS,
        "A duty is not done, and the clock is set so that it is not due",
        (
            "        if row.late and not (done and self._made_good(transaction, row)):\n",
            "        if row.late and self._speaker.ambient.now() > (row.due or 0) and not done:\n",
        ),
        (
            "        rows = transaction.session.exec(query).all()\n",
            "        rows = transaction.session.exec(query).all()\n"
            "        for row in transaction.session.exec(select(DutyTaskRow).where(col(DutyTaskRow.late))):\n"
            "            self.refresh(transaction, self.matter(transaction, AgreementId(row.agreement)), row)\n",
        ),
    ),
    taken_out(
        "connector/contract/duty_states.py",
        "Whoever pays for a missed duty goes on without doing it",
        ('    if task.state == "fulfilled" and task.parent == "violated":\n', "    if False:\n"),
    ),
    taken_out(
        RULING,
        "Data leaves on duties, or under a list, that have changed since it was decided",
        (
            "        if question.stamp == self._stamp(question.terms.agreement, transaction):\n",
            "        if True:\n",
        ),
    ),
    taken_out(
        RULING,
        "Data leaves on duties, or under a list, that have changed since it was decided",
        (
            "        return isinstance(footing, Footing) and footing.stamp == self._stamp("
            "footing.agreement, transaction)\n",
            "        return isinstance(footing, Footing)\n",
        ),
    ),
    taken_out(
        "connector/exchange/use.py",
        "A delivery that was discarded is used again",
        (
            "    if delivery.discarded is not None:\n",
            "    if False:\n",
        ),
        (
            "    if transaction.session.get_one(DeliveryRow, row.id).discarded is not None:\n",
            "    if False:\n",
        ),
    ),
)

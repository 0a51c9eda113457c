"""What may leave, and data about people: controls and the code without them."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

ADMISSION = "connector/exchange/admission.py"
DECIDING = "connector/exchange/deciding.py"
GUARDS = "connector/exchange/guards.py"
PROVIDER = "connector/exchange/provider.py"
VIEW = "connector/source/view.py"
RECORDER = "connector/audit/recorder.py"

WHAT_MAY_LEAVE: Final = (
    taken_out(
        PROVIDER,
        "Data leaves and no record shows it",
        (
            "                    commit = await self._commit_when_there_is_room(window)\n",
            "                    await self._send_frames(window, barred)\n"
            "                    commit = await self._commit_when_there_is_room(window)\n",
        ),
    ),
    taken_out(
        "connector/store/writer.py",
        "A job is answered before it is on the disk",
        (
            '            sqlite.execute("COMMIT")\n',
            '            _answer(answers)\n            sqlite.execute("COMMIT")\n',
        ),
    ),
    taken_out(
        ADMISSION,
        "A version leaves that was not agreed",
        ("    _require_agreed_version(ground, terms, snapshot)\n", ""),
    ),
    taken_out(
        "connector/exchange/application.py",
        "A version leaves that was not agreed",
        ("if not self._terms.versions.permits(offer.version, newest=offer.version):", "if False:"),
    ),
    taken_out(
        ADMISSION,
        "A consumer declares something beside its signature, or denies later what it declared",
        (
            "    if commitment is None:\n        return None\n    content = opening.get(name)\n",
            "    if isinstance(opening.get(name), dict):\n        return opening[name]  # type: ignore[return-value]\n"
            "    if commitment is None:\n        return None\n    content = opening.get(name)\n",
        ),
    ),
    taken_out(
        "connector/exchange/use.py",
        "A consumer fetches under one declaration and uses under another",
        ("        declared=declared_in(row),\n", ""),
    ),
    taken_out(
        "connector/exchange/counters.py",
        "Time of use is stretched by several sessions, or by one that waits",
        ("        add_each(transaction, place, passed)\n", "        pass\n"),
    ),
    taken_out(
        "connector/source/draft.py",
        "A table is called aggregated and is not",
        (
            "            smallest = smallest_group(self._folder / INDEX_FILE, places)\n",
            "            smallest = manifest.rows or 0\n",
        ),
    ),
    taken_out(
        "connector/exchange/ruling.py",
        "Data goes to a country outside the area of the settings",
        ("            area=self._area,\n", ""),
    ),
    taken_out(
        "connector/exchange/ruling.py",
        "An exchange goes on after the event ended that it was allowed for",
        ("trust.digest, changes, self._attested.changes)", "trust.digest, changes, 0)"),
    ),
    taken_out(
        "connector/policy/coverage.py",
        "A policy's term is silently ignored",
        (
            '    if row.where is Where.REFUSED:\n        raise PolicyRefused(term, path, row.instead or "")\n',
            "",
        ),
    ),
    taken_out(
        DECIDING,
        "A request for another purpose",
        (
            "    if ruling.allow is not True:\n        raise DeniedByPolicy(ruling)\n",
            "",
        ),
    ),
    taken_out(
        "policies/decision.rego", "A purpose wider than what was agreed", ("\trequest.within_agreement\n", "")
    ),
    taken_out(
        "connector/policy/decision.py",
        "The engine fails, hangs, or answers nonsense",
        ("    if not isinstance(allow, bool):\n", "    if False:\n"),
    ),
    taken_out(
        "connector/policy/embedded.py",
        "The engine fails, hangs, or answers nonsense",
        (
            "            return failure(self.revision, error.code)\n\n    async def look",
            "            raise\n\n    async def look",
        ),
    ),
    taken_out(
        "connector/policy/lease.py",
        "A decision is used after the answer would have changed",
        ("        and all(bound.holds(moving.counters) for bound in lease.decision.depends_on)\n", ""),
    ),
    taken_out(
        "connector/policy/lease.py",
        "A decision is used after the answer would have changed",
        ("            ends = min(ends, decision.valid_until)\n", "            pass\n"),
    ),
    taken_out(
        "connector/policy/lease.py",
        "The clock is set back to stretch a period",
        (
            "if now < self._last_now or now - self._last_now <",
            "if now < self._last_now and now - self._last_now <",
        ),
    ),
    taken_out(
        "connector/policy/lease.py",
        "The clock is set back to stretch a period",
        (
            "if now < self._last_now or now - self._last_now < passed - _CLOCK_SLACK_MILLISECONDS:",
            "if False:",
        ),
    ),
    taken_out(
        "connector/exchange/counters.py",
        "Two requests for the last use",
        ("        elif value >= guard.limit:", "        elif False:"),
    ),
    taken_out(
        "connector/policy/rulebook.py",
        "The rules are tampered with",
        ('if manifest.get("revision") != revision:', "if False:"),
    ),
    taken_out(
        "connector/policy/rulebook.py",
        "The rules are tampered with",
        ('if metadata.get("wasm_sha256") != hashlib.sha256(wasm).hexdigest():', "if False:"),
    ),
    taken_out(
        ADMISSION,
        "A request under another's agreement",
        (
            "terms = known if known is not None and known.consumer == peer and known.provider == ground.me else None",
            "terms = known",
        ),
    ),
    taken_out(
        "connector/exchange/nonces.py",
        "An old request is sent again",
        (
            '        raise Replayed("this nonce was used before", field="nonce")\n',
            "        return\n",
        ),
    ),
    taken_out(
        ADMISSION,
        "An old request is sent again",
        ("if abs(now - envelope.time) > LARGEST_SKEW_MS:", "if False:"),
    ),
    taken_out(
        ADMISSION,
        "An old request is sent again",
        ("if not now < deadline <= now + LONGEST_DEADLINE_MS:", "if False:"),
    ),
    taken_out(
        PROVIDER,
        "Data goes on leaving after the agreement ended",
        ("    if barred.is_set():\n        return False\n", ""),
    ),
    taken_out(
        "connector/exchange/answering.py",
        "The same in a query session",
        (
            "        require_grantable(transaction, self._ground, self._terms)\n        if not window.places:\n",
            "        if not window.places:\n",
        ),
    ),
    taken_out(
        VIEW,
        "A hidden column is read by asking about it",
        (
            "            return self.mask\n        return self.mask | {subject.name}\n",
            "            return frozenset()\n        return frozenset({subject.name})\n",
        ),
    ),
    taken_out(
        "connector/source/rewrite.py",
        "A hidden column is read by asking about it",
        (
            "conditions_sql((*view.row_filter, *selection.where), schema)",
            "conditions_sql(selection.where, schema)",
        ),
    ),
    taken_out(
        "connector/exchange/use.py",
        "What was received is used for something else",
        ("    if ruling.allow is not True:\n        raise Denied(ruling.code)\n", ""),
    ),
    taken_out(
        "connector/exchange/use.py",
        "What was received is used for something else",
        (
            "        await ground.writer.write(\n"
            "            lambda transaction: _record(transaction, ground, terms, scope, ruling, row, purpose, code)\n"
            "        )\n",
            "",
        ),
    ),
    taken_out(
        GUARDS,
        "An Accept is kept until it suits",
        ("if ground.ambient.now() >= expires:", "if False:"),
    ),
    taken_out(
        GUARDS,
        "An attempt that was given up goes on beside the one that resumed it",
        ("fetchone() != (conversation.attempt,):", "fetchone() is None:"),
    ),
    taken_out(
        "connector/exchange/feeding.py",
        "In a subscription the policy comes to hide more than was offered",
        (
            "if ruling.allow is True and (ruling.mask, ruling.row_filter) != (offered.mask, offered.row_filter):",
            "if False:",
        ),
    ),
    taken_out(
        "connector/exchange/answering.py",
        "What was answered before the agreement's end leaves after it",
        ("                    self._require_unbarred()\n", "                    pass\n"),
    ),
    taken_out(
        PROVIDER,
        "What still comes on an overtaken attempt's stream moves the exchange",
        (
            "            require_latest(transaction, self._conversation)\n            require_open_offer",
            "            require_open_offer",
        ),
    ),
    taken_out(
        PROVIDER,
        "What still comes on an overtaken attempt's stream moves the exchange",
        (
            "        def record_receipt(transaction: Transaction) -> None:\n"
            "            require_latest(transaction, self._conversation)\n",
            "        def record_receipt(transaction: Transaction) -> None:\n",
        ),
    ),
    taken_out(
        ADMISSION,
        "A Resume brings an Accept of something else along",
        ("if isinstance(body, Accept) and not row.accept and body.offer != row.sent:", "if False:"),
    ),
    taken_out(
        "connector/exchange/floods.py",
        "Denials without end fill the log",
        ("        if minute.listed < LISTED:\n", "        if True:\n"),
    ),
    taken_out(
        ADMISSION,
        "A request brings megabytes beside it, to be kept for ever",
        ("    if len(encode(first.opening)) > MAX_OPENING_BYTES:\n", "    if False:\n"),
    ),
    taken_out(
        "connector/exchange/nonces.py",
        "Nonces are made to be remembered for ever",
        ("kept = min(deadline, now + LONGEST_KEPT_MS)", "kept = deadline"),
    ),
)

DATA_ABOUT_PEOPLE: Final = (
    taken_out(
        VIEW,
        "Data about people leaves as a file, or without labels",
        ("        elif self.labels is None:\n", "        elif False:\n"),
    ),
    taken_out(
        "connector/source/snapshot.py",
        "Data about people leaves as a file, or without labels",
        ("if view.about_people or view.subjects is not None or view.labels is not None:", "if False:"),
    ),
    taken_out(
        "connector/catalog/suspicion.py",
        "Personal data is published by mistake",
        ("    if missing:\n", "    if False:\n"),
    ),
    taken_out(
        RECORDER,
        "A person stands in a log for ever",
        (
            "        if scope.person is not None:\n            self._commit_personal(leaf, row)\n",
            "",
        ),
    ),
    taken_out(
        "ledger/leaf.py",
        "A person stands in a log for ever",
        (
            '            raise InvalidLeaf("this value cannot stand in a leaf", field=name)\n',
            "            continue\n",
        ),
    ),
    taken_out(
        "connector/exchange/received.py",
        "A provider sends rows about more people than it signs for",
        (
            "return (found.root, sum(map(len, frames))) == (root, said.rows) and not self._is_broken",
            "return True",
        ),
    ),
    taken_out(
        "ledger/prefix.py",
        "Two recipients find out that their rows are about one person",
        ("MEMBER + exchange.encode()", "MEMBER"),
    ),
    taken_out(
        VIEW, "Somebody is looked up by their id", ("return self.mask | {subject.name}", "return self.mask")
    ),
    taken_out(
        "connector/exchange/shelf.py",
        "Somebody is found by asking many small questions",
        ("if self.labelled or self._about_people:", "if False:"),
    ),
    taken_out(
        "connector/audit/people.py",
        "A person's id gets into a leaf, a log line, an error or a row of others",
        ('PersonHandle(f"subject/{random(16).hex()}")', 'PersonHandle(f"subject/{subject}")'),
    ),
    taken_out(
        "connector/audit/people.py",
        "Somebody who was erased is found again by trying out all ids",
        ('        sqlite.execute("DELETE FROM person_index")\n', ""),
    ),
    taken_out(
        "ledger/publish.py",
        "Two exchanges of one citizen are linked by their log's name, key or cosignature",
        (" for line, holder in lines if holder in holders)", " for line, holder in lines)"),
    ),
)

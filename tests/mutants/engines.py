"""Mutants for the engines that decide, the rules that they have, and the decisions that are looked at again."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import taken_out

WHO_DECIDES: Final = (
    taken_out(
        "connector/policy/server.py",
        "The OPA server is gone or does not answer in time",
        ("        async with asyncio.timeout(self._limit):\n", "        async with asyncio.timeout(None):\n"),
        ("                timeout=self._limit,\n", "                timeout=60,\n"),
        ("going.result(self._limit + _SLACK_SECONDS)", "going.result()"),
    ),
    taken_out(
        "connector/policy/server.py",
        "The OPA server is gone or does not answer in time",
        ("        if not self._circuit.lets_through():\n", "        if False:\n"),
    ),
    taken_out(
        "connector/policy/server.py",
        "The OPA server has older or other rules",
        ('    if expected not in revisions(response.get("provenance")):\n', "    if False:\n"),
    ),
    taken_out(
        "connector/policy/bundle.py",
        "The rules are changed on their way to OPA",
        (
            '    payload = {"files": _listed(signed), "scope": scope}\n',
            '    payload = {"files": _listed(signed)}\n',
        ),
    ),
    taken_out(
        "connector/policy/opa_config.py",
        "The rules are changed on their way to OPA",
        ('        "signing": {"keyid": kid, "scope": scope},\n', ""),
    ),
    taken_out(
        "connector/policy/local.py",
        "Somebody puts other or older local rules into the home",
        ("        if rules.number < newest:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/policy/local.py",
        "Somebody puts other or older local rules into the home",
        ("        open_bundle(bundle, keys, LOCAL_SCOPE)\n", ""),
    ),
    taken_out(
        "connector/policy/local_build.py",
        "A local rule allows, or looks outside",
        ('if not FORBIDDEN.match(each["name"])]', "]"),
    ),
    taken_out(
        "connector/policy/local_build.py",
        "A local rule allows, or looks outside",
        ('        if reference[:1] == ["data"] and reference[1:2] != ["local"]:\n', "        if False:\n"),
    ),
    taken_out(
        "connector/audit/replay.py",
        "A record claims another decision than the rules give",
        (
            '    if not opens(opening, str(committed.get("commitment"))) or opening.value != written:\n',
            "    if False:\n",
        ),
    ),
    taken_out(
        "connector/audit/replay.py",
        "A record claims another decision than the rules give",
        ("        return self.answer == self.recorded.result\n", "        return True\n"),
    ),
    taken_out(
        "connector/audit/what_if.py",
        "What was erased is made up when past accesses are tried under another policy",
        ("        if names and chain in self._unsure:\n", "        if False:\n"),
    ),
    taken_out(
        "connector/policy/explain.py",
        "An explanation names a change that would not help",
        (
            "        return then if then.allow is not self.allow and not then.failed else None\n",
            "        return then\n",
        ),
    ),
)

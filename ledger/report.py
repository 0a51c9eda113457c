"""What a verification says: findings, counted, in the order of its steps.

Rules that hold here:

* A finding is *wrong* (then the log is not verified) or *open*: something that this export does not
  let the reader decide, such as a message that was not handed over. Open is never taken as wrong,
  and never hidden.
* Texts are for a person who reads a terminal: whatever an export could put into one is shown
  without control characters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from ledger.canonical import JSON, JSONObject

_SHOWN: Final = 20
"""Findings of one kind kept in full; the others are counted."""


class Severity(StrEnum):
    """What a finding means for the verdict."""

    WRONG = "wrong"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where, and a sentence."""

    severity: Severity
    where: str
    what: str


@dataclass(slots=True)
class Step:
    """One numbered step: how many things it checked, and what it found."""

    number: int
    title: str
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    wrong_count: int = 0
    open_count: int = 0

    def wrong(self, where: str, what: str) -> None:
        """Something contradicts: the log is not verified."""
        self.wrong_count += 1
        self._keep(Finding(Severity.WRONG, plain(where), plain(what)), self.wrong_count)

    def open(self, where: str, what: str) -> None:
        """Something cannot be decided from what is here."""
        self.open_count += 1
        self._keep(Finding(Severity.OPEN, plain(where), plain(what)), self.open_count)

    def _keep(self, finding: Finding, count: int) -> None:
        if count <= _SHOWN:
            self.findings.append(finding)

    def to_json(self) -> JSONObject:
        return {
            "step": self.number,
            "title": self.title,
            "checked": self.checked,
            "wrong": self.wrong_count,
            "open": self.open_count,
            "findings": [
                {"severity": each.severity.value, "where": each.where, "what": each.what}
                for each in self.findings
            ],
        }

    def lines(self) -> list[str]:
        """As text, a line for the step and one for each finding kept."""
        mark = "✗" if self.wrong_count else "?" if self.open_count else "✓"
        lines = [f"  {mark} {self.number}. {self.title} ({self.checked} checked)"]
        lines += [f"      {each.severity.value}: {each.where}: {each.what}" for each in self.findings]
        left = self.wrong_count + self.open_count - len(self.findings)
        return [*lines, f"      … and {left} more"] if left else lines


@dataclass(slots=True)
class Report:
    """The verdict on one log, or on what two logs say about each other."""

    subject: str
    steps: list[Step] = field(default_factory=list)
    facts: JSONObject = field(default_factory=dict)

    @property
    def verified(self) -> bool:
        """Whether nothing was wrong. What is open is listed, not judged."""
        return not any(step.wrong_count for step in self.steps)

    @property
    def open_count(self) -> int:
        """How many things could not be decided."""
        return sum(step.open_count for step in self.steps)

    def step(self, number: int, title: str) -> Step:
        """Begin a step."""
        step = Step(number, title)
        self.steps.append(step)
        return step

    def to_json(self) -> JSONObject:
        return {
            "subject": self.subject,
            "verified": self.verified,
            "facts": self.facts,
            "steps": [step.to_json() for step in self.steps],
        }

    def text(self) -> str:
        """The report for a terminal."""
        facts = [f"    {name}: {_shown(value)}" for name, value in self.facts.items()]
        points = "1 point" if self.open_count == 1 else f"{self.open_count} points"
        open_points = f", {points} open" if self.open_count else ""
        verdict = ("verified" if self.verified else "NOT VERIFIED") + open_points
        lines = [line for step in self.steps for line in step.lines()]
        return "\n".join([f"{self.subject}: {verdict}", *facts, *lines])


def _shown(value: JSON) -> str:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return str(value)


def plain(text: str) -> str:
    """What a terminal can show: anything else (control, direction-changing) as a replacement."""
    return "".join(character if character.isprintable() else "�" for character in text)

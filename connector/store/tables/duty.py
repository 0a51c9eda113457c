"""Duties of agreements as tasks, at both sides."""

from __future__ import annotations

from sqlmodel import Field, Index, SQLModel


class DutyTaskRow(SQLModel, table=True):
    """A duty that arose: who owes it, until when, and how far it has come."""

    __tablename__ = "duty_task"
    # What is overdue is asked for again and again, and is little among all that ever was owed.
    __table_args__ = (Index("duty_task_by_due", "late", "report", "due"),)

    id: str = Field(primary_key=True)
    """Follows from agreement, duty and occasion: the same at both sides."""
    agreement: str = Field(index=True, foreign_key="agreement.id")
    duty: str
    """The duty's id in the policy."""
    rule: str
    kind: str
    """``duty``, ``obligation``, ``consequence`` or ``remedy``."""
    action: str
    owed_by: str
    """``consumer`` or ``provider``."""
    occasion: str
    """What it arose from: an exchange, an infringement (a message's hash), or the task that was not done
    in time; empty for the agreement itself."""
    exchange: str | None = None
    parent: str | None = Field(default=None, index=True)
    """The task that it is a consequence of."""
    arisen: int
    due: int | None = None
    state: str
    """``pending``, ``reported``, ``fulfilled`` or ``violated``."""
    late: bool = False
    """Whether it was not done in time."""
    reports: int = 0
    """How many reports of it there were."""
    report: str | None = None
    """Hash of the signed report that stands: not rejected."""
    reported: int | None = None
    accepted: bool = False
    amount: int | None = None
    """What was paid, in minor units, as reported."""
    code: str | None = None
    """How the last report was answered."""
    changed: int

"""What is about to expire, and how loudly to say so.

Rules that hold here:

* Warnings come 30, 7 and 1 days before anything expires, and when it has (DESIGN.md, "Enrolment").
* A key that another of its use outlives is being changed already: no warning for it.
* A warning applies when it lies inside the thing's life: a list that is made for 30 days is not
  about to expire on the day it is made; its first warning comes at 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from connector.identity.certificate import DAY
from connector.identity.membership import MembershipList
from connector.identity.organisation import KeyState, ListedKey, Organisation, Status
from connector.identity.public import Job
from ledger.names import Milliseconds, ParticipantId

WARNING_DAYS: Final = (1, 7, 30)


@dataclass(frozen=True, slots=True)
class Expiry:
    """A warning: ``what`` of ``whom`` ends at ``ends``, within ``days`` days (0: it has ended)."""

    what: str
    """``list``, ``key sign``, ``certificate``, ``credential``, …"""
    whom: str
    """A did, a handle, or the data space."""
    ends: Milliseconds
    days: int


def warning(
    what: str, whom: str, begins: Milliseconds, ends: Milliseconds | None, now: Milliseconds
) -> Expiry | None:
    """The warning that is due for something that lives from ``begins`` to ``ends``, or None."""
    if ends is None:
        return None
    if now >= ends:
        return Expiry(what, whom, ends, 0)
    for days in WARNING_DAYS:
        if ends - now <= days * DAY < ends - begins:
            return Expiry(what, whom, ends, days)
    return None


def list_warnings(entry: MembershipList, now: Milliseconds, did: ParticipantId | None = None) -> list[Expiry]:
    """Warnings for a list, and for the keys of ``did`` or of all active members."""
    found = [warning("list", entry.space, entry.issued, entry.expires, now)]
    for item in entry.organisations:
        if item.did == did or (did is None and item.status is Status.ACTIVE):
            found += [
                warning(f"key {key.job}", item.did, key.not_before, key.not_after, now)
                for key in item.keys
                if key.state(now) is KeyState.VALID and not _has_follower(item, key)
            ]
            found += [
                Expiry(f"key {job}", item.did, ended, 0) for job, ended in _without_valid_key(item, now)
            ]
    return [item for item in found if item is not None]


def _has_follower(entry: Organisation, key: ListedKey) -> bool:
    if key.not_after is None:
        return False
    return any(
        other.compromised_since is None and (other.not_after is None or other.not_after > key.not_after)
        for other in entry.keys_for(key.job)
    )


def _without_valid_key(entry: Organisation, now: Milliseconds) -> list[tuple[Job, Milliseconds]]:
    found = []
    for job in Job:
        ends = [key.end for key in entry.keys_for(job) if key.end is not None]
        if ends and not any(key.is_live(now) for key in entry.keys_for(job)):
            found.append((job, max(ends)))
    return found

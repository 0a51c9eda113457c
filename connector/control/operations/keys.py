"""This participant's own keys: which there are, and the next one for a use."""

from __future__ import annotations

from connector.control.joining import NotForGuests
from connector.control.operation import Asked, operation
from connector.identity.enrolment import rotate
from connector.identity.organisation import Organisation
from connector.identity.public import Job, PrivateKey, thumbprint
from ledger.canonical import JSON, JSONObject
from ledger.document import to_base64url
from ledger.names import Milliseconds

ROTATED = (Job.SIGN, Job.TLS, Job.WITNESS, Job.BUNDLE)
"""The log's own key is not among them: a log under another key is another log."""


@operation("keys")
async def keys(asked: Asked) -> JSON:
    """Each key held here, current and next, with its time by the membership list."""
    asked.arguments.finish()
    node = asked.running.node
    entry = None if node.config.is_guest else node.trust.organisation(node.me)
    now = node.ambient.now()
    found: list[JSON] = []
    for job in node.ring.jobs:
        for which, key in zip(("current", "next"), node.ring.usable(job), strict=False):
            found.append({"use": job.value, "which": which, **_listed(key, entry, now)})
    return found


@operation("rotate-key")
async def rotate_key(asked: Asked) -> JSON:
    """Make the next key for a use, or name the one that waits; gives the request to list it."""
    job = Job(asked.arguments.choice("use", [each.value for each in ROTATED]))
    asked.arguments.finish()
    node = asked.running.node
    if node.config.is_guest:
        raise NotForGuests("a guest's keys are on no list; ask to be vouched for with new ones")
    request = rotate(node.ring, job, node.space, node.me, node.ambient)
    return {
        "use": job.value,
        "key": thumbprint(node.ring.usable(job)[-1].public_key()),
        "replaces": node.ring.thumbprint(job),
        "request": to_base64url(request),
    }


def _listed(key: PrivateKey, entry: Organisation | None, now: Milliseconds) -> JSONObject:
    name = thumbprint(key.public_key())
    found = entry.find_key(name) if entry is not None else None
    if found is None:
        return {"thumbprint": name, "not_before": None, "not_after": None, "state": "not-listed"}
    return {
        "thumbprint": name,
        "not_before": found.not_before,
        "not_after": found.not_after,
        "state": found.state(now).value,
    }

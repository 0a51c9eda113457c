"""How this connector is: a short status, and a doctor that says what to do."""

from __future__ import annotations

import shutil
import socket
import stat
from typing import Final

from sqlmodel import func, select

from connector.audit.recorder import latest_time
from connector.control.operation import Asked, operation
from connector.control.operations.duties import counted
from connector.identity.certificate import read_leaf
from connector.identity.credential import read_credential
from connector.identity.expiry import Expiry, warning
from connector.identity.peer import Limit, NotActive
from connector.node import Node
from connector.policy.engine import Condition
from connector.store import outbox
from connector.store.tables import AgreementRow, DatasetRow, NoticeRow
from ledger import log
from ledger.canonical import JSON, JSONObject
from ledger.errors import BylagError
from ledger.names import Milliseconds, ParticipantId

LITTLE_SPACE: Final = 1 << 30


@operation("status")
async def status(asked: Asked) -> JSON:
    """Who this is, what runs, what is about to expire."""
    asked.arguments.finish()
    running, node = asked.running, asked.running.node
    now = node.ambient.now()
    with node.database.read() as session:
        datasets = session.exec(select(func.count()).select_from(DatasetRow)).one()
        active = session.exec(
            select(func.count()).select_from(AgreementRow).where(AgreementRow.state == "active")
        ).one()
        waiting = session.exec(select(func.count()).select_from(NoticeRow)).one()
        owed = counted(session, now)
    with node.database.read_sqlite() as connection:
        size = log.size(connection)
    last = node.notary.last
    warnings: list[JSON] = [_expiry(expiry) for expiry in _expiring(node, now)]
    return {
        "participant": node.me,
        "space": node.space,
        "serving": running.port is not None,
        "port": running.port,
        "standing": _limit(node) or "active",
        "list": {"number": node.trust.number, "expires": node.trust.current.expires},
        "datasets": datasets,
        "agreements": active,
        "notices_waiting": waiting,
        "duties": owed,
        "log": {
            "origin": node.origin,
            "size": size,
            "published": last.checkpoint.size if last else 0,
            "witnessed": False,
        },
        "engine": _engine_said(node, await node.engine_condition()),
        "store_failed": node.writer.failure is not None,
        "expiring": warnings,
    }


@operation("doctor")
async def doctor(asked: Asked) -> JSON:
    """Look at clock, disk, port, keys, list, log and lines; for each what was found and what to do."""
    asked.arguments.finish()
    checks: list[JSON] = []
    for check in (
        _clock,
        _disk,
        _folder,
        _port,
        _standing,
        _keys,
        _list,
        _expiries,
        _log,
        _store,
        _duties,
    ):
        checks.append(check(asked))
    checks.append(await _engine(asked))
    checks.append(_area(asked))
    checks.extend([await _peer(asked, peer) for peer in _peers(asked)])
    return {"healthy": all(isinstance(found, dict) and found["ok"] for found in checks), "checks": checks}


def _found(name: str, ok: bool, what: str, do: str = "") -> JSONObject:
    return {"check": name, "ok": ok, "found": what, "do": do}


def _clock(asked: Asked) -> JSONObject:
    node = asked.running.node
    with node.database.read_sqlite() as connection:
        behind = latest_time(connection) - node.ambient.now()
    if behind > 0:
        return _found(
            "clock",
            False,
            f"the clock is {behind} ms behind the last record",
            "Set the clock; nothing is granted until it has caught up.",
        )
    return _found("clock", True, "not behind the last record")


def _disk(asked: Asked) -> JSONObject:
    free = shutil.disk_usage(asked.running.node.home.folder).free
    if free < LITTLE_SPACE:
        return _found(
            "disk",
            False,
            f"{free >> 20} MiB free",
            "Make room: without space nothing can be recorded, and nothing is released.",
        )
    return _found("disk", True, f"{free >> 30} GiB free")


def _folder(asked: Asked) -> JSONObject:
    mode = stat.S_IMODE(asked.running.node.home.folder.stat().st_mode)
    return _found(
        "home", mode & 0o077 == 0, f"mode {mode:o}", "" if mode & 0o077 == 0 else "chmod 700 the home folder."
    )


def _port(asked: Asked) -> JSONObject:
    running, listen = asked.running, asked.running.node.config.listen
    if running.port is not None:
        return _found("port", True, f"listening on port {running.port}")
    if not listen:
        return _found("port", True, "none is needed: what peers send comes on lines that this side opens")
    host, _, port = listen.rpartition(":")
    try:
        with socket.create_server((host.strip("[]"), int(port)), family=_family(host)):
            return _found("port", True, f"not listening now; {listen} is free")
    except OSError as error:
        return _found(
            "port",
            False,
            f"{listen} cannot be listened on: {error.strerror}",
            "Stop what listens there, or change `listen` in connector.toml.",
        )


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if host.startswith("[") else socket.AF_INET


def _limit(node: Node) -> Limit | None:
    """Why this participant has no full standing, as far as it can tell by itself; None when it has."""
    now = node.ambient.now()
    if node.config.is_guest:
        expired = read_credential(node.guest_answer.credential).expires <= now
        return Limit.CREDENTIAL_EXPIRED if expired else None
    return node.directory.limit(node.me, now)


def _standing(asked: Asked) -> JSONObject:
    limit = _limit(asked.running.node)
    if limit is None:
        return _found("standing", True, "active")
    return _found(
        "standing",
        False,
        f"{limit}: nothing is released to you, and only protective messages are heard",
        NotActive.default_next_step,
    )


def _keys(asked: Asked) -> JSONObject:
    node = asked.running.node
    if node.config.is_guest:
        return _found("keys", True, "the controller vouches for them")
    entry = node.trust.organisation(node.me)
    now = node.ambient.now()
    for job in node.ring.jobs:
        listed = entry.find_key(node.ring.thumbprint(job))
        if listed is None or not listed.is_live(now):
            return _found(
                "keys",
                False,
                f"the membership list does not name the {job} key as valid now",
                "Make a new one with `bylag keys rotate`, or ask the registrar to admit you again.",
            )
    waiting = ", ".join(job.value for job in node.ring.jobs if node.ring.next(job) is not None)
    if not waiting:
        return _found("keys", True, "listed")
    waits = "the next one is used once a list names it and peers can know it"
    return _found("keys", True, f"listed; {waits}: {waiting}")


def _expiries(asked: Asked) -> JSONObject:
    node = asked.running.node
    warnings = _expiring(node, node.ambient.now())
    urgent = [each for each in warnings if each.days <= 1]
    if urgent:
        named = ", ".join(f"{each.what} of {each.whom}" for each in urgent)
        return _found(
            "expiries",
            False,
            f"expired, or within a day: {named}",
            "Take a newer list (`bylag members update`), rotate the key (`bylag keys rotate`), or ask "
            "your controller to vouch again.",
        )
    soon = ", ".join(f"{each.what} within {each.days} days" for each in warnings)
    return _found("expiries", True, soon or "nothing soon")


def _list(asked: Asked) -> JSONObject:
    node = asked.running.node
    try:
        entry = node.trust.require_valid(node.ambient.now())
    except BylagError as error:
        return _found("membership list", False, str(error), error.next_step)
    return _found("membership list", True, f"number {entry.number}, in force")


def _log(asked: Asked) -> JSONObject:
    try:
        last = asked.running.node.notary.last
    except BylagError as error:
        return _found("log", False, str(error), error.next_step)
    return _found(
        "log", True, f"{last.checkpoint.size if last else 0} records published; no independent witness yet"
    )


async def _engine(asked: Asked) -> JSONObject:
    condition = await asked.running.node.engine_condition()
    return _found("policy engine", condition.decides, condition.found, condition.do)


def _area(asked: Asked) -> JSONObject:
    named = asked.running.node.config.policy.area
    if not named:
        return _found("area", True, "not named: data may be received and processed anywhere")
    return _found("area", True, f"{', '.join(named)}; elsewhere an agreement must name its ground")


def _engine_said(node: Node, condition: Condition) -> JSONObject:
    return {
        "kind": condition.kind,
        "decides": condition.decides,
        "found": condition.found,
        "rulebook": node.rulebook(),
    }


def _store(asked: Asked) -> JSONObject:
    failure = asked.running.node.writer.failure
    if failure is not None:
        return _found("store", False, str(failure), failure.next_step)
    return _found("store", True, "writes are synced")


def _duties(asked: Asked) -> JSONObject:
    node = asked.running.node
    with node.database.read() as session:
        owed = counted(session, node.ambient.now())
    if owed["overdue"]:
        return _found(
            "duties",
            False,
            f"{owed['overdue']} overdue",
            "See who owes them: `bylag duties list --overdue`.",
        )
    return _found("duties", True, f"{owed['soon']} due within a week" if owed["soon"] else "none overdue")


def _peers(asked: Asked) -> list[ParticipantId]:
    with asked.running.node.database.read() as session:
        return outbox.peers_waiting(session)


async def _peer(asked: Asked, peer: ParticipantId) -> JSONObject:
    name = f"line to {peer}"
    try:
        described = await asked.running.node.client.describe(peer)
    except BylagError as error:
        return _found(name, False, str(error), error.next_step)
    apart = abs(described.time_ms - asked.running.node.ambient.now())
    if apart > 5 * 60 * 1000:
        return _found(name, False, f"the clocks are {apart // 1000} s apart", "Set the clock that is wrong.")
    return _found(name, True, "answers")


def _expiring(node: Node, now: Milliseconds) -> list[Expiry]:
    """What of this participant's is about to expire: the list, own keys, and who is vouched for."""
    if not node.config.is_guest:
        return [*node.trust.expiring(now, node.me), *node.guests.expiring(now)]
    credential = read_credential(node.guest_answer.credential)
    shown = read_leaf(node.guest_answer.certificate)
    own = (
        warning("credential", node.me, credential.issued, credential.expires, now),
        warning("certificate", node.me, shown.not_before, shown.not_after, now),
    )
    return [*node.trust.expiring(now, node.me), *(each for each in own if each is not None)]


def _expiry(expiry: Expiry) -> JSONObject:
    return {"what": expiry.what, "whom": expiry.whom, "ends": expiry.ends, "days": expiry.days}

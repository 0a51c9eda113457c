"""Before a connector can run: making a home, asking to join, taking the answer. All by files.

Rules that hold here: nothing is sent anywhere; a request goes to the registrar (or, a guest's, to
the controller) as a file, and the answer comes back as one. A step that fails leaves what was there.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from connector.identity.enrolment import join, read_admission, update
from connector.identity.files import PRIVATE, sync_folder, write_over, writing
from connector.identity.guest import read_guest_answer
from connector.identity.guest import request as guest_request
from connector.identity.keyfolder import KeysExist
from connector.identity.keys import GUEST_JOBS, MEMBER_JOBS, KeyRing
from connector.identity.organisation import Kind, Organisation, Unit
from connector.identity.peer import GuestKind
from connector.identity.public import Job
from connector.identity.trust import TrustStore
from connector.store.config import Config, read_config
from connector.store.home import Home, HomeLock
from ledger.ambient import Ambient, SystemAmbient
from ledger.canonical import JSONObject, encode
from ledger.errors import BylagError, ErrorKind
from ledger.names import DataSpaceId, ParticipantId, UnitId

if TYPE_CHECKING:  # loads grpc and SQLAlchemy, which making a home and asking to join do without
    from connector.node import Node
    from connector.store.writer import Transaction


class HomeExists(BylagError):
    """A participant lives in this folder already."""

    code = "HOME_EXISTS"
    kind = ErrorKind.CONFLICT
    default_next_step = "Choose another folder with --home, or go on with the participant that is there."


class NotForGuests(BylagError):
    """Something that only an organisation on the list can do."""

    code = "NOT_FOR_GUESTS"
    default_next_step = "Ask your controller."


def make_home(folder: Path, config: Config, passphrase: str | None, ambient: Ambient | None = None) -> Home:
    """Make a home with fresh keys; one that a crash left unfinished is made anew.

    The settings come first, under another name, and get theirs when everything else is there: that one
    step makes the folder a home. Raises :class:`HomeExists`,
    :class:`~connector.identity.keyfolder.KeysExist` for keys that no unfinished home explains,
    :class:`~connector.store.home.HomeInUse`.
    """
    home = Home(folder)
    _require_no_home(home)
    home.create()
    lock = HomeLock(home)
    try:
        _require_no_home(home)
        if home.unfinished.exists():
            _forget_keys(home)
        elif home.keys.exists() and any(home.keys.iterdir()):
            raise KeysExist("there are keys in this folder, and no settings that they belong to")
        write_over(home.unfinished, config.to_toml().encode(), mode=PRIVATE)
        jobs = GUEST_JOBS if config.is_guest else MEMBER_JOBS
        KeyRing.create(home.keys, ambient or SystemAmbient(), passphrase, jobs)
        with writing(home.config):
            home.unfinished.rename(home.config)
            sync_folder(home.folder)
    finally:
        lock.release()
    return home


def _require_no_home(home: Home) -> None:
    if home.config.exists():
        raise HomeExists("a participant lives in this folder already")


def _forget_keys(home: Home) -> None:
    """Remove the keys of a home that was never finished: no request was ever written with them."""
    with writing(home.keys):
        if home.keys.exists():
            shutil.rmtree(home.keys)
        sync_folder(home.folder)


class Asking(Protocol):
    """Who asks to join: a :class:`Newcomer`, or a node."""

    @property
    def config(self) -> Config: ...

    @property
    def ring(self) -> KeyRing: ...

    @property
    def ambient(self) -> Ambient: ...

    @property
    def space(self) -> DataSpaceId: ...


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A home's settings and keys, without its store: all that a request takes."""

    config: Config
    ring: KeyRing
    ambient: Ambient

    @property
    def space(self) -> DataSpaceId:
        """The data space."""
        return DataSpaceId(self.config.space)

    @classmethod
    def open(cls, home: Home, passphrase: str | None, ambient: Ambient | None = None) -> Self:
        """Read a home. Raises a :class:`~ledger.errors.BylagError` that says what is wrong with it."""
        home.require()
        clock = ambient or SystemAmbient()
        return cls(read_config(home.config), KeyRing.load(home.keys, clock, passphrase), clock)


def request_to_join(node: Asking) -> bytes:
    """The request file for the registrar, or for the controller of a guest."""
    config = node.config
    if config.is_guest:
        return guest_request(
            node.ring,
            node.space,
            ParticipantId(config.controller),
            GuestKind(config.kind),
            node.ambient,
        )
    organisation = Organisation(
        did=ParticipantId(config.participant),
        kind=Kind(config.kind),
        name=config.name,
        units=tuple(Unit(UnitId(unit.id), unit.name) for unit in config.units),
        endpoints=(config.endpoint,) if config.endpoint else (),
    )
    return join(node.ring, node.space, organisation, node.ambient)


def described(node: Asking) -> JSONObject:
    """Who asks, and the thumbprint of the key to compare by telephone."""
    config = node.config
    return {
        "participant": config.participant or None,
        "space": config.space,
        "kind": config.kind,
        "key": node.ring.thumbprint(Job.SIGN),
    }


def change_details(node: Node, config: Config) -> bytes:
    """Take other settings for this home, and give the request that the registrar lists them."""
    if config.is_guest:
        raise NotForGuests("a guest is on no list, and has no name or endpoint there")
    request = update(
        node.ring,
        node.space,
        ParticipantId(config.participant),
        name=config.name,
        units=[Unit(UnitId(unit.id), unit.name) for unit in config.units],
        endpoints=(config.endpoint,) if config.endpoint else (),
        ambient=node.ambient,
    )
    _write(node.home.config, config.to_toml().encode())
    return request


def take_answer(node: Node, data: bytes, fingerprint: str | None) -> TrustStore:
    """Take the registrar's (or the controller's) answer: verify it whole, store it, begin the log.

    Without ``fingerprint`` the caller shows the registrar's, to be compared by telephone or on paper.
    """
    if node.config.is_guest:
        answer = read_guest_answer(data)
        _, trust = answer.take(
            node.ring, ParticipantId(node.config.controller), node.ambient.now(), fingerprint
        )
        admission, given = answer.admission, [answer.credential]
        _write(node.home.guest_answer, data)
    else:
        admission, given = read_admission(data), []
        trust = admission.take(ParticipantId(node.config.participant), node.ring, fingerprint)
    if trust.first.space != DataSpaceId(node.config.space):
        raise HomeExists(
            "the answer is for another data space than this home was made for",
            next_step="Ask for the right answer, or make a home for that data space.",
        )

    # These load SQLAlchemy.
    from connector.identity.stored import keep  # noqa: PLC0415
    from connector.store.tables import ListRow  # noqa: PLC0415

    def store(transaction: Transaction) -> None:
        for number, signed in enumerate(admission.chain, start=1):
            if transaction.session.get(ListRow, number) is None:
                digest = trust.links[number - 1].digest
                row = ListRow(
                    number=number,
                    digest=digest,
                    document=encode(signed.content()),
                    accepted=node.ambient.now(),
                )
                transaction.session.add(row)
        for credential in given:
            keep(transaction, credential)

    node.writer.submit(store).result()
    _write(node.home.registrar, trust.first.to_bytes())
    node.begin_log()
    return trust


def _write(path: Path, data: bytes) -> None:
    write_over(path, data, mode=PRIVATE)

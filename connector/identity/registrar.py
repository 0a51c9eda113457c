"""A registrar's folder: its keys, the lists it published, and the one it is working on.

Rules that hold here:

* A list is drafted, signed by as many people as the threshold asks for, each in their own folder,
  and finished by whoever has enough signatures. With one key the three are one step: ``publish``.
* **A folder signs one list a number.** What it signed is stored before the signature leaves; another
  draft of that number is refused unless the person names the draft that was destroyed for it. So
  nobody forks a data space by accident, not even by a crash between signing and publishing, or by
  working on one folder twice at a time.
* Everything is checked before anything is signed: the draft is read back as strictly as any
  participant will read it, and must follow the last list.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from connector.identity.change import Change, registrar_keys
from connector.identity.enrolment import Admission
from connector.identity.files import PUBLIC, read, write_new, write_over
from connector.identity.forms import reading
from connector.identity.keyfolder import SUFFIX, KeyFolder, KeysDamaged
from connector.identity.keys import generate, private_from_pem, private_to_pem
from connector.identity.membership import (
    KIND,
    LARGEST_NUMBER,
    LIST_LIFETIME,
    MAX_LIST,
    FirstKeys,
    MalformedList,
    MembershipList,
    NotEnoughSignatures,
    RegistrarKeys,
    check_succession,
    digest_of,
    read_first_keys,
    read_link,
    read_list,
    read_signed_list,
)
from connector.identity.public import Job
from connector.identity.signed import MultiSigned
from connector.identity.trust import NoList, TrustStore
from ledger.ambient import Ambient
from ledger.canonical import decode_object, encode
from ledger.document import thumbprint
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields
from ledger.names import DataSpaceId, Milliseconds

_JOB: Final = "registrar"
MAX_CHAIN: Final = 64 << 20


class SignedAnother(BylagError):
    """This folder has signed another draft of that number."""

    code = "SIGNED_ANOTHER"
    kind = ErrorKind.CONFLICT
    default_next_step = (
        "Finish the draft that was signed; or, once every copy of it is destroyed, name it as replaced."
    )


class NotYours(BylagError):
    """None of the keys in this folder may sign that draft."""

    code = "NOT_YOURS"
    kind = ErrorKind.DENIED
    default_next_step = "Sign with a folder that holds one of the registrar's keys."


class Registrar:
    """One person's registrar folder: one or more of the keys, and all lists."""

    def __init__(self, folder: Path, keys: KeyFolder, ambient: Ambient) -> None:
        self.folder = folder
        self._key_folder = keys
        self._ambient = ambient
        self._keys = {name: _read_key(keys, name) for name in keys.names()}
        self._trust = self._resume()
        self._catch_up()
        if (pending := self.pending) is not None:
            with suppress(NotEnoughSignatures):
                self.finish(pending)  # a crash came between signing and publishing

    # --- making a folder -------------------------------------------------------------------------

    @classmethod
    def prepare(
        cls, folder: Path, ambient: Ambient, *, keys: int = 1, passphrase: str | None = None
    ) -> Registrar:
        """Make a folder with fresh keys and no list: for each of several people.

        Raises :class:`~connector.identity.keyfolder.KeysExist`.
        """
        contents = dict(_new_key(ambient) for _ in range(keys))
        key_folder = KeyFolder.create(folder / "keys", contents, ambient, passphrase)
        for name in ("lists", "drafts"):
            (folder / name).mkdir(exist_ok=True)
        return cls(folder, key_folder, ambient)

    @classmethod
    def create(
        cls,
        folder: Path,
        space: DataSpaceId,
        ambient: Ambient,
        *,
        keys: int = 1,
        threshold: int = 1,
        passphrase: str | None = None,
    ) -> Registrar:
        """Make a folder that holds all the keys, and publish list 1, with nobody on it."""
        registrar = cls.prepare(folder, ambient, keys=keys, passphrase=passphrase)
        draft = registrar.found(space, threshold, registrar.public_keys)
        registrar.finish(registrar.sign(draft))
        return registrar

    @classmethod
    def open(cls, folder: Path, ambient: Ambient, passphrase: str | None = None) -> Registrar:
        """Open a folder: on from the chain that it verified when it published or took lists in.

        Raises what :meth:`KeyFolder.open` and :meth:`TrustStore.resume` raise.
        """
        return cls(folder, KeyFolder.open(folder / "keys", ambient, passphrase), ambient)

    # --- what is there ---------------------------------------------------------------------------

    @property
    def public_keys(self) -> tuple[Ed25519PublicKey, ...]:
        """The public halves of this folder's keys."""
        return tuple(key.public_key() for key in self._keys.values())

    @property
    def trust(self) -> TrustStore:
        """The chain as everybody sees it. Raises :class:`~connector.identity.trust.NoList`."""
        if self._trust is None:
            raise NoList("this registrar has published no list yet", next_step="Found the data space first.")
        return self._trust

    @property
    def current(self) -> MembershipList:
        """The last list published."""
        return self.trust.current

    @property
    def answer(self) -> Admission:
        """What to send to whoever joins, or asks for the newest list."""
        trust = self.trust
        return Admission(trust.first, tuple(trust.signed(n) for n in range(1, trust.number + 1)))

    @property
    def pending(self) -> MultiSigned | None:
        """The draft of the next list that this folder has signed."""
        path = self._draft(self._number + 1)
        return read_signed_list(read(path)) if path.exists() else None

    # --- drafting, signing, finishing ------------------------------------------------------------

    def found(self, space: DataSpaceId, threshold: int, keys: Iterable[Ed25519PublicKey]) -> MultiSigned:
        """Draft list 1: the data space's name and the registrar's first keys, which all pin."""
        now = self._ambient.now()
        registrar = RegistrarKeys(threshold, tuple(keys))
        entry = MembershipList(space, 1, None, now, Milliseconds(now + LIST_LIFETIME), registrar)
        return self._checked(entry)

    def draft(self, change: Change, *, lifetime: int = LIST_LIFETIME) -> MultiSigned:
        """Draft the next list, with ``change``, to live ``lifetime`` milliseconds.

        Raises :class:`~connector.identity.change.ChangeRefused`, or what is wrong with the result.
        """
        now = self._ambient.now()
        entry = replace(
            change(self.current, now),
            number=self.trust.number + 1,
            previous=self.trust.digest,
            issued=now,
            expires=Milliseconds(now + lifetime),
        )
        return self._checked(entry)

    def sign(self, draft: MultiSigned, *, instead_of: str | None = None) -> MultiSigned:
        """Add the signatures of this folder's keys, and remember having given them.

        ``instead_of`` names, by its digest, a draft of the same number that this folder signed and
        whose copies have all been destroyed. Raises :class:`SignedAnother`, :class:`NotYours`, or
        what is wrong with the draft.
        """
        with self._locked():
            entry = read_list(draft.payload)
            self._require_following(entry)
            known = {**self._registrar(entry).by_thumbprint, **entry.registrar.by_thumbprint}
            present = draft.signers(KIND, known, max_bytes=MAX_LIST)
            mine = [key for key in self._keys.values() if thumbprint(key.public_key()) in known]
            if not mine:
                raise NotYours("no key in this folder is one of the registrar's")
            before = self.pending
            if before is not None and digest_of(before) not in (digest_of(draft), instead_of):
                raise SignedAnother(f"this folder has signed another draft of list {entry.number}")
            for key in mine:
                if thumbprint(key.public_key()) not in present:
                    draft = draft.signed_by(key, KIND)
            write_over(self._draft(entry.number), draft.to_bytes(), mode=PUBLIC)
        return draft

    def finish(self, draft: MultiSigned) -> MembershipList:
        """Take a list in that has enough signatures, one's own or another's, and keep it.

        Raises what :meth:`TrustStore.accept` raises; then nothing is kept.
        """
        with self._locked():
            entry = self._take(draft)
            with suppress(FileExistsError):  # the same list, taken in again
                write_new(self._list(entry.number), draft.to_bytes(), mode=PUBLIC)
            if entry.number == 1:
                write_over(self.folder / "registrar.json", self.trust.first.to_bytes(), mode=PUBLIC)
            links = encode({"links": [link.content() for link in self.trust.links]})
            write_over(self.folder / "chain.json", links, mode=PUBLIC)
            self._draft(entry.number).unlink(missing_ok=True)
        return entry

    def publish(self, change: Change, *, lifetime: int = LIST_LIFETIME) -> MembershipList:
        """Draft, sign and finish in one step, where this folder's keys are enough.

        Raises :class:`~connector.identity.membership.NotEnoughSignatures` when they are not; the
        draft is then :attr:`pending`, to be signed by others.
        """
        return self.finish(self.sign(self.draft(change, lifetime=lifetime)))

    # --- the registrar's own keys ----------------------------------------------------------------

    def new_key(self) -> Ed25519PublicKey:
        """Make another key in this folder; it counts when a list names it (``change.registrar_keys``)."""
        name, (job, secret) = _new_key(self._ambient)
        self._key_folder.write(name, job, secret)
        self._keys[name] = _read_key(self._key_folder, name)
        return self._keys[name].public_key()

    def rotate_keys(self) -> MembershipList:
        """Change this folder's keys for fresh ones, in one list, and destroy the old.

        Raises :class:`~connector.identity.membership.NotEnoughSignatures` when others must sign
        too; when they have and the list is finished, call :meth:`retire_keys`.
        """
        registrar = self.current.registrar
        mine = registrar.by_thumbprint.keys() & {thumbprint(key) for key in self.public_keys}
        kept = [key for name, key in registrar.by_thumbprint.items() if name not in mine]
        fresh = [self.new_key() for _ in mine]
        entry = self.publish(registrar_keys(registrar.threshold, (*kept, *fresh)))
        self.retire_keys()
        return entry

    def retire_keys(self) -> int:
        """Destroy this folder's keys that the last list does not name any more; how many."""
        named = set(self.current.registrar.by_thumbprint)
        if (pending := self.pending) is not None:
            named |= read_list(pending.payload).registrar.by_thumbprint.keys()
        gone = [name for name, key in self._keys.items() if thumbprint(key.public_key()) not in named]
        if len(gone) == len(self._keys):
            raise NotYours("that would be every key in this folder", next_step="Remove the folder instead.")
        for name in gone:
            self._key_folder.destroy(name)
            del self._keys[name]
        return len(gone)

    # --- inside ----------------------------------------------------------------------------------

    @property
    def _number(self) -> int:
        return 0 if self._trust is None else self._trust.number

    def _registrar(self, entry: MembershipList) -> RegistrarKeys:
        return entry.registrar if self._trust is None else self._trust.current.registrar

    def _resume(self) -> TrustStore | None:
        chain = self.folder / "chain.json"
        if not chain.exists():
            return None
        with reading(MalformedList):
            stored = Fields(decode_object(read(chain), max_bytes=MAX_CHAIN))
            links = [read_link(item) for item in stored.objects("links", limit=LARGEST_NUMBER)]
            stored.finish()
            if not links:
                raise stored.wrong("links", "must begin with list 1")
        first = read_first_keys(read(self.folder / "registrar.json"))
        return TrustStore.resume(first, links, self._signed(len(links)), self._signed)

    def _catch_up(self) -> None:
        """Take in what another process published here, or a crash left unrecorded."""
        while self._list(self._number + 1).exists():
            self._take(self._signed(self._number + 1))

    def _signed(self, number: int) -> MultiSigned:
        return read_signed_list(read(self._list(number)))

    def _take(self, signed: MultiSigned) -> MembershipList:
        if self._trust is None:
            entry = read_list(signed.payload)
            trust = TrustStore(FirstKeys(entry.space, entry.registrar), self._signed)
            trust.accept(signed)
            self._trust = trust
            return entry
        return self._trust.accept(signed).entry

    def _checked(self, entry: MembershipList) -> MultiSigned:
        draft = entry.unsigned()
        self._require_following(read_list(draft.payload))
        return draft

    def _require_following(self, entry: MembershipList) -> None:
        if self._trust is None:
            if entry.number != 1:
                raise NoList("the lists before this draft are not in this folder")
            return
        check_succession(self._trust.current, entry)
        if entry.previous != self._trust.digest:
            raise SignedAnother("the draft follows another list than the one in this folder")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._catch_up()
            yield

    def _list(self, number: int) -> Path:
        return self.folder / "lists" / f"{number:09}.json"

    def _draft(self, number: int) -> Path:
        return self.folder / "drafts" / f"{number:09}.json"


def _new_key(ambient: Ambient) -> tuple[str, tuple[str, bytes]]:
    name = f"{_JOB}-{ambient.random(4).hex()}{SUFFIX}"
    return name, (_JOB, private_to_pem(generate(Job.SIGN, ambient)))


def _read_key(folder: KeyFolder, name: str) -> Ed25519PrivateKey:
    key = private_from_pem(folder.read(name, _JOB), Job.SIGN)
    if not isinstance(key, Ed25519PrivateKey):
        raise KeysDamaged(f"{name} is not an Ed25519 key")
    return key

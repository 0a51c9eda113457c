"""Whom this participant has rows about: for each person and controller a random handle and a secret.

Rules that hold here (LEDGER.md section 2, "Who was in a release" and "Erasure"):

* A controller is a unit of this participant; its subject ids are one namespace. A person's secret k
  is 32 random bytes, never derived from anything. Labels are made of it, and of nothing else.
* Subject id and k lie sealed under the person's own key in the key chest, whose name is the
  person's handle, random too. Their side rows are the handle's as well.
* A person is found by an HMAC of controller and subject id. Its secret is itself sealed in the key
  chest, so that a copy of the database finds nobody.
* Erasing is: the row and the side rows (:meth:`People.forget`) and the index under a new secret
  (:meth:`People.renew_index`) with the ``erasure`` leaf in one transaction; then the handle's and the
  old index's key destroyed, and the wrapping key replaced. What is left of the person then is
  labels, which without k are random bytes: there is nothing that trying all ids could find.
* The key chest belongs to the writer's thread, so all of this is done there.
"""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NewType

from cryptography.exceptions import InvalidTag

from connector.store.writer import Transaction, Writer
from ledger import side
from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import UnitId
from ledger.side import KeyChest

PersonHandle = NewType("PersonHandle", str)
"""A person's random name here: of their key, and of whose a side row is. It leaves in no message."""

SECRET_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_MARKS_AT_ONCE: Final = 500
_ROW: Final = b"bylag/person/v1 "
_INDEX: Final = b"bylag/person-index/v1 "


class DamagedPerson(BylagError):
    """A person's row does not open under the key that it should."""

    code = "DAMAGED_PERSON"
    kind = ErrorKind.DAMAGED
    default_next_step = "Restore the database and the key chest from the same backup."


@dataclass(frozen=True, slots=True)
class Person:
    """A person, as one controller knows them."""

    handle: PersonHandle
    secret: bytes = field(repr=False)
    """k."""


class People:
    """Every person that this participant has rows about."""

    def __init__(self, writer: Writer, chest: KeyChest, ambient: Ambient) -> None:
        self._writer = writer
        self._chest = chest
        self._ambient = ambient

    def find(self, controller: UnitId | None, subjects: Iterable[str]) -> dict[str, Person]:
        """Like :meth:`find_in`, in a transaction of its own.

        Blocks until whoever is new is durable: for a thread, never the event loop's or the writer's.
        """
        wanted = list(subjects)
        return self._writer.submit(lambda transaction: self.find_in(transaction, controller, wanted)).result()

    def find_in(
        self, transaction: Transaction, controller: UnitId | None, subjects: Iterable[str]
    ) -> dict[str, Person]:
        """The persons of these subject ids; whoever was not known is from here on.

        Raises :class:`~ledger.side.KeyErased` or :class:`DamagedPerson`.
        """
        secret = self._index_secret(transaction)
        unknown = {_mark(secret, controller, subject): subject for subject in subjects}
        found: dict[str, Person] = {}
        for mark, handle, nonce, box in _rows(transaction.sqlite, list(unknown)):
            found[unknown.pop(mark)] = Person(handle, self._open(handle, nonce, box)[:SECRET_BYTES])
        found.update(self._enter(transaction, controller, unknown))
        return found

    def forget(self, transaction: Transaction, handle: PersonHandle) -> None:
        """Delete a person's row and side rows. Whoever erases does the rest: see the rules above."""
        side.erase(transaction.sqlite, handle)
        transaction.sqlite.execute("DELETE FROM person WHERE handle = ?", (handle,))

    def renew_index(self, transaction: Transaction) -> str | None:
        """Find everybody under a new secret from here on.

        Returns the name of the old secret's key, to be destroyed once this is committed: then no copy
        of the database made before can be searched any more. None when there was none.
        """
        sqlite = transaction.sqlite
        old = sqlite.execute("SELECT holder FROM person_index").fetchone()
        sqlite.execute("DELETE FROM person_index")
        secret = self._index_secret(transaction)
        for handle, nonce, box in sqlite.execute("SELECT handle, nonce, box FROM person").fetchall():
            mark = _hashed(secret, self._open(handle, nonce, box)[SECRET_BYTES:])
            sqlite.execute("UPDATE person SET mark = ? WHERE handle = ?", (mark, handle))
        return None if old is None else str(old[0])

    def _enter(
        self, transaction: Transaction, controller: UnitId | None, unknown: Mapping[bytes, str]
    ) -> dict[str, Person]:
        """Make whoever is new, with one sync of the key chest for all of them."""
        random = self._ambient.random
        persons = {
            subject: Person(PersonHandle(f"subject/{random(16).hex()}"), random(SECRET_BYTES))
            for subject in unknown.values()
        }
        ciphers = self._chest.ciphers(person.handle for person in persons.values())
        rows = []
        for mark, subject in unknown.items():
            person, nonce = persons[subject], random(_NONCE_BYTES)
            content = person.secret + _name(controller, subject)
            box = ciphers[person.handle].encrypt(nonce, content, _ROW + person.handle.encode())
            rows.append((mark, person.handle, nonce, box))
        transaction.sqlite.executemany(
            "INSERT INTO person (mark, handle, nonce, box) VALUES (?, ?, ?, ?)", rows
        )
        return persons

    def _open(self, handle: str, nonce: bytes, box: bytes) -> bytes:
        """k, and behind it what the person's mark is made of."""
        try:
            return self._chest.existing(handle).decrypt(nonce, box, _ROW + handle.encode())
        except InvalidTag as error:
            raise DamagedPerson("a person's row does not open") from error

    def _index_secret(self, transaction: Transaction) -> bytes:
        """The secret of the index, made when it is first asked for."""
        row = transaction.sqlite.execute("SELECT holder, nonce, box FROM person_index").fetchone()
        if row is not None:
            holder, nonce, box = row
            try:
                return self._chest.existing(holder).decrypt(nonce, box, _INDEX + holder.encode())
            except InvalidTag as error:
                raise DamagedPerson("the index of persons does not open") from error
        holder = f"person-index/{self._ambient.random(16).hex()}"
        nonce, secret = self._ambient.random(_NONCE_BYTES), self._ambient.random(SECRET_BYTES)
        box = self._chest.cipher(holder).encrypt(nonce, secret, _INDEX + holder.encode())
        transaction.sqlite.execute(
            "INSERT INTO person_index (holder, nonce, box) VALUES (?, ?, ?)", (holder, nonce, box)
        )
        return secret


def _rows(
    connection: sqlite3.Connection, marks: Sequence[bytes]
) -> Iterator[tuple[bytes, Any, bytes, bytes]]:
    """The rows with these marks, in no order."""
    for start in range(0, len(marks), _MARKS_AT_ONCE):
        some = marks[start : start + _MARKS_AT_ONCE]
        yield from connection.execute(
            f"SELECT mark, handle, nonce, box FROM person WHERE mark IN ({','.join('?' * len(some))})",  # noqa: S608
            some,
        ).fetchall()


def _name(controller: UnitId | None, subject: str) -> bytes:
    """Controller and subject id, the controller's length first, so that no two read alike."""
    unit = (controller or "").encode()
    return len(unit).to_bytes(4, "big") + unit + subject.encode()


def _mark(secret: bytes, controller: UnitId | None, subject: str) -> bytes:
    return _hashed(secret, _name(controller, subject))


def _hashed(secret: bytes, name: bytes) -> bytes:
    return hmac.digest(secret, _INDEX + name, hashlib.sha256)

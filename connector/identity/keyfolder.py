"""A folder of secrets that only its owner can read, each sealed when there is a passphrase.

Rules that hold here:

* The folder is 0700 and each file 0600 from the moment it exists; a folder or file that group or
  others can reach, or that belongs to somebody else, is not loaded.
* A file appears whole or not at all: written beside, synced, linked into place, folder synced.
* With a passphrase a file is AES-256-GCM under a key that scrypt (RFC 7914) derives from it, its job
  bound in. PKCS#8's own encryption is not used: the library's ``BestAvailableEncryption`` is PBKDF2
  with 2,048 rounds, which a graphics card tries by the million a second.
* One salt a folder, so that opening it costs one derivation, not one a file.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from connector.identity.files import PRIVATE, PRIVATE_FOLDER, sync_folder, write_new, writing
from connector.identity.forms import base64url, reading
from ledger.ambient import Ambient
from ledger.canonical import JSON, decode_object, encode
from ledger.document import to_base64url
from ledger.errors import BylagError, ErrorKind
from ledger.fields import Fields

# 32 MiB and about a third of a second: what a Raspberry Pi can bear (OWASP's equal of N=2^17, p=1).
SCRYPT_N: Final = 2**15
SCRYPT_R: Final = 8
SCRYPT_P: Final = 3

SUFFIX: Final = ".key"
_MAX_FILE: Final = 64 * 1024
_LARGEST_N: Final = 2**20


class KeysExposed(BylagError):
    """A secret can be reached by others than its owner."""

    code = "KEYS_EXPOSED"
    kind = ErrorKind.DENIED
    default_next_step = "Run chmod 700 on the folder and 600 on its files, and consider the keys compromised."


class KeysDamaged(BylagError):
    """A secret's file is missing or is not what was written."""

    code = "KEYS_DAMAGED"
    kind = ErrorKind.DAMAGED
    default_next_step = "Restore the key folder from its backup."


class KeysExist(BylagError):
    """There are keys already; they are never overwritten."""

    code = "KEYS_EXIST"
    kind = ErrorKind.CONFLICT
    default_next_step = "Use the keys that are there, or name another folder."


class WrongPassphrase(BylagError):
    """The passphrase does not open the keys, or is missing, or is given for keys that have none."""

    code = "WRONG_PASSPHRASE"
    kind = ErrorKind.UNAUTHENTICATED
    default_next_step = "Give the passphrase that the keys were made with."


class KeyFolder:
    """Named secrets in a folder; ``name`` is a file's name, ``job`` what it was sealed for."""

    def __init__(self, path: Path, key: bytes | None, header: dict[str, JSON], ambient: Ambient) -> None:
        self.path = path
        self._key = key
        self._header = header
        self._ambient = ambient

    @classmethod
    def create(
        cls, path: Path, contents: Mapping[str, tuple[str, bytes]], ambient: Ambient, passphrase: str | None
    ) -> KeyFolder:
        """Make the folder with ``contents``, file name to (job, secret): all of it or nothing.

        Raises :class:`KeysExist` when there is one with something in it.
        """
        key, header = None, dict[str, JSON]()
        if passphrase is not None:
            salt = ambient.random(16)
            header = {"n": SCRYPT_N, "r": SCRYPT_R, "p": SCRYPT_P, "salt": to_base64url(salt)}
            key = _derive(passphrase, salt, SCRYPT_N, SCRYPT_R, SCRYPT_P)
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{path.name}.new")
            if beside.exists():
                shutil.rmtree(beside)  # what a crash left behind
            beside.mkdir(mode=PRIVATE_FOLDER)
            beside.chmod(PRIVATE_FOLDER)
            folder = cls(beside, key, header, ambient)
            for name, (job, secret) in contents.items():
                folder.write(name, job, secret)
            _put_in_place(beside, path)
        folder.path = path
        return folder

    @classmethod
    def open(cls, path: Path, ambient: Ambient, passphrase: str | None) -> KeyFolder:
        """Open the folder; any one file tells how all are sealed.

        Raises :class:`KeysExposed`, :class:`KeysDamaged`, :class:`WrongPassphrase`.
        """
        _check_private(path, _stat_folder(path))
        files = sorted(path.glob(f"*{SUFFIX}"))
        if not files:
            raise KeysDamaged(f"there are no keys in {path.name}")
        data = _read_private(files[0])
        if not data.startswith(b"{"):
            if passphrase is not None:
                raise WrongPassphrase(
                    "a passphrase was given, but the keys are not protected by one",
                    next_step="Leave the passphrase out; keys are protected when they are made, or never.",
                )
            return cls(path, None, {}, ambient)
        if passphrase is None:
            raise WrongPassphrase("the keys are protected by a passphrase, and none was given")
        envelope = _Envelope(data, files[0].name)
        return cls(path, envelope.derive(passphrase), envelope.header, ambient)

    def read(self, name: str, job: str) -> bytes:
        """The secret in file ``name``, which was written for ``job``."""
        data = _read_private(self.path / name)
        if self._key is None:
            if data.startswith(b"{"):
                raise WrongPassphrase("some of the keys are protected by a passphrase, and others not")
            return data
        return _Envelope(data, name).open(self._key, job)

    def write(self, name: str, job: str, secret: bytes) -> None:
        """Write a new file, durably. Raises :class:`KeysExist` rather than overwrite one."""
        if self._key is not None:
            nonce = self._ambient.random(12)
            envelope: dict[str, JSON] = {
                "type": "sealed-key",
                "version": 1,
                **self._header,
                "nonce": to_base64url(nonce),
                "sealed": to_base64url(AESGCM(self._key).encrypt(nonce, secret, _bound_to(job))),
            }
            secret = encode(envelope)
        try:
            write_new(self.path / name, secret, mode=PRIVATE)
        except FileExistsError as error:
            raise KeysExist(f"{name} exists already") from error

    def names(self) -> list[str]:
        """The names of the files that hold secrets, in order."""
        return sorted(path.name for path in self.path.glob(f"*{SUFFIX}"))

    def has(self, name: str) -> bool:
        """Whether there is a file ``name``."""
        return (self.path / name).exists()

    def replace(self, name: str, by: str) -> None:
        """Put file ``by`` in the place of ``name`` in one step, then overwrite what ``name`` held.

        The overwriting is the best that a file system offers; a copy in a backup, or in blocks that
        a solid-state disk has set aside, is beyond it.
        """
        with writing(self.path / name), (self.path / name).open("r+b") as old:
            (self.path / by).replace(self.path / name)
            sync_folder(self.path)
            _overwrite(old.fileno())

    def destroy(self, name: str) -> None:
        """Overwrite and remove a file."""
        with writing(self.path / name):
            with (self.path / name).open("r+b") as old:
                _overwrite(old.fileno())
            (self.path / name).unlink()
            sync_folder(self.path)


class _Envelope:
    """A sealed file: how its key is derived, and what it seals."""

    def __init__(self, data: bytes, name: str) -> None:
        self._name = name
        with reading(KeysDamaged):
            fields = Fields(decode_object(data, max_bytes=_MAX_FILE, max_depth=1))
            fields.constant("type", "sealed-key")
            fields.constant("version", 1)
            self._n = fields.integer("n", least=2**10, most=_LARGEST_N)
            self._r = fields.integer("r", least=1, most=16)
            self._p = fields.integer("p", least=1, most=16)
            self._salt = base64url(fields, "salt", limit=64)
            self._nonce = base64url(fields, "nonce", limit=12)
            self._sealed = base64url(fields, "sealed", limit=_MAX_FILE)
            fields.finish()
            if self._n & (self._n - 1):
                raise fields.wrong("n", "must be a power of two")

    @property
    def header(self) -> dict[str, JSON]:
        return {"n": self._n, "r": self._r, "p": self._p, "salt": to_base64url(self._salt)}

    def derive(self, passphrase: str) -> bytes:
        return _derive(passphrase, self._salt, self._n, self._r, self._p)

    def open(self, key: bytes, job: str) -> bytes:
        try:
            return AESGCM(key).decrypt(self._nonce, self._sealed, _bound_to(job))
        except (InvalidTag, ValueError) as error:
            raise WrongPassphrase(
                f"{self._name} does not open: the passphrase is another, or the file was changed"
            ) from error


def _put_in_place(beside: Path, path: Path) -> None:
    try:
        beside.rename(path)  # takes the place of an empty folder, and of nothing else
    except OSError as error:
        shutil.rmtree(beside)
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise
        raise KeysExist(f"{path.name} holds something already") from error
    sync_folder(path.parent)


def _derive(passphrase: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    if not passphrase:
        raise WrongPassphrase("the passphrase is empty", next_step="Give a passphrase, or none at all.")
    # One spelling, whichever keyboard composed the letters.
    secret = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    return Scrypt(salt=salt, length=32, n=n, r=r, p=p).derive(secret)


def _bound_to(job: str) -> bytes:
    return b"bylag/sealed-key/v1\x00" + job.encode()


def _stat_folder(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise KeysDamaged(
            f"the folder {path.name} cannot be read: {error.strerror}", next_step="Make the keys first."
        ) from error


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            _check_private(path, os.fstat(file.fileno()))
            data = file.read(_MAX_FILE + 1)
    except OSError as error:
        raise KeysDamaged(f"{path.name} cannot be read: {error.strerror}") from error
    if not data or len(data) > _MAX_FILE:
        raise KeysDamaged(f"{path.name} does not have the size of a key")
    return data


def _check_private(path: Path, found: os.stat_result) -> None:
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise KeysExposed(f"others than the owner can reach {path.name}")
    if found.st_uid not in (os.geteuid(), 0):
        raise KeysExposed(f"{path.name} belongs to another user")


def _overwrite(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    os.pwrite(descriptor, bytes(size), 0)
    os.fsync(descriptor)

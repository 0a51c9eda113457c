"""A participant's own keys: one for each job, two while one of them is being changed.

Rules that hold here:

* Separate keys for separate jobs (:class:`~connector.identity.public.Job`), and beside them the
  *store key*, 32 random bytes that wrap what the store encrypts. It is nobody's identity and stands
  in no list.
* :meth:`KeyRing.rotate` writes a next key beside the current one; both are usable until
  :meth:`KeyRing.promote` puts the next in the current one's place and overwrites the old. When to
  promote is for the caller: a listed key when the membership list contains the next
  (``enrolment.adopt``), the store key when everything is wrapped under it.
* A next key that a crash left behind is loaded again; promoting is one rename.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.identity.keyfolder import SUFFIX, KeyFolder, KeysDamaged
from connector.identity.public import ED25519_JOBS, Job, PrivateKey, thumbprint
from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import Thumbprint

MEMBER_JOBS: Final = tuple(Job)
GUEST_JOBS: Final = (Job.SIGN, Job.LOG, Job.WITNESS, Job.TLS)

_STORE: Final = "store"
_STORE_KEY_BYTES: Final = 32
# The order of P-256's group (SEC 2 section 2.4.2).
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


class NoSuchKey(BylagError):
    """The ring holds no key for this job, or none with this thumbprint."""

    code = "NO_SUCH_KEY"
    kind = ErrorKind.NOT_FOUND
    default_next_step = "Look at the keys with `bylag status`."


class KeyRing:
    """The private keys of one identity, loaded from one folder. Never printed, never sent."""

    def __init__(self, folder: KeyFolder, ambient: Ambient) -> None:
        self._folder = folder
        self._ambient = ambient
        self._current = {job: key for job in Job if (key := self._read_key(job, next_one=False))}
        self._next = {job: key for job in Job if (key := self._read_key(job, next_one=True))}
        self._store = self._read_store(next_one=False)
        self._next_store = self._read_store(next_one=True)
        if self._store is None or Job.SIGN not in self._current:
            raise KeysDamaged("the store key or the participant's key is missing")

    @classmethod
    def create(
        cls,
        folder: Path,
        ambient: Ambient,
        passphrase: str | None = None,
        jobs: Iterable[Job] = MEMBER_JOBS,
    ) -> KeyRing:
        """Make keys for ``jobs`` and a store key in a new ``folder``; with ``passphrase`` seal them.

        Raises :class:`~connector.identity.keyfolder.KeysExist` when the folder holds something.
        """
        contents = {_file(job): (job.value, private_to_pem(generate(job, ambient))) for job in jobs}
        contents[_file(_STORE)] = (_STORE, _store_text(ambient))
        return cls(KeyFolder.create(folder, contents, ambient, passphrase), ambient)

    @classmethod
    def load(cls, folder: Path, ambient: Ambient, passphrase: str | None = None) -> KeyRing:
        """Load the keys in ``folder``.

        Raises :class:`~connector.identity.keyfolder.KeysExposed` when others can reach them,
        :class:`~connector.identity.keyfolder.WrongPassphrase`, and
        :class:`~connector.identity.keyfolder.KeysDamaged` when a file is missing or not a key.
        """
        return cls(KeyFolder.open(folder, ambient, passphrase), ambient)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs there are keys for."""
        return tuple(self._current)

    @property
    def sign(self) -> Ed25519PrivateKey:
        """The participant's current key, for documents and messages."""
        return self.ed25519(Job.SIGN)

    @property
    def log(self) -> Ed25519PrivateKey:
        """The log's current key, for notes."""
        return self.ed25519(Job.LOG)

    @property
    def witness(self) -> Ed25519PrivateKey:
        """The current key for cosignatures."""
        return self.ed25519(Job.WITNESS)

    @property
    def tls(self) -> ec.EllipticCurvePrivateKey:
        """The current TLS key."""
        return self.p256(Job.TLS)

    @property
    def bundle(self) -> ec.EllipticCurvePrivateKey:
        """The current key for OPA bundles."""
        return self.p256(Job.BUNDLE)

    @property
    def store(self) -> bytes:
        """The current store key, 32 bytes."""
        assert self._store is not None  # noqa: S101  # the constructor requires it
        return self._store

    @property
    def next_store(self) -> bytes | None:
        """The next store key while one is being changed."""
        return self._next_store

    def key(self, job: Job) -> PrivateKey:
        """The current key for ``job``. Raises :class:`NoSuchKey`."""
        if job not in self._current:
            raise NoSuchKey(f"there is no {job} key here")
        return self._current[job]

    def ed25519(self, job: Job) -> Ed25519PrivateKey:
        """The current key for an Ed25519 job. Raises :class:`NoSuchKey`."""
        key = self.key(job)
        if not isinstance(key, Ed25519PrivateKey):
            raise NoSuchKey(f"the {job} key is not Ed25519")
        return key

    def p256(self, job: Job) -> ec.EllipticCurvePrivateKey:
        """The current key for a P-256 job. Raises :class:`NoSuchKey`."""
        key = self.key(job)
        if isinstance(key, Ed25519PrivateKey):
            raise NoSuchKey(f"the {job} key is not P-256")
        return key

    def next(self, job: Job) -> PrivateKey | None:
        """The next key for ``job``, while it is being changed."""
        return self._next.get(job)

    def usable(self, job: Job) -> tuple[PrivateKey, ...]:
        """The current key and, while it is being changed, the next."""
        following = self.next(job)
        return (self.key(job),) if following is None else (self.key(job), following)

    def bundle_keys(self) -> dict[str, ec.EllipticCurvePublicKey]:
        """The public keys that bundles are signed with, current and next, by kid; none for a guest."""
        keys = self.usable(Job.BUNDLE) if Job.BUNDLE in self.jobs else ()
        return {
            thumbprint(key.public_key()): key.public_key()
            for key in keys
            if isinstance(key, ec.EllipticCurvePrivateKey)
        }

    def thumbprint(self, job: Job) -> Thumbprint:
        """The current key's name."""
        return thumbprint(self.key(job).public_key())

    def rotate(self, job: Job) -> PrivateKey:
        """Make the next key for ``job``, or give the one that is waiting already."""
        self.key(job)
        if job not in self._next:
            key = generate(job, self._ambient)
            self._folder.write(_file(job, next_one=True), job.value, private_to_pem(key))
            self._next[job] = key
        return self._next[job]

    def promote(self, job: Job) -> None:
        """Put the next key for ``job`` in the current one's place. Raises :class:`NoSuchKey`."""
        if job not in self._next:
            raise NoSuchKey(f"no next {job} key waits")
        self._folder.replace(_file(job), _file(job, next_one=True))
        self._current[job] = self._next.pop(job)

    def rotate_store(self) -> bytes:
        """Make the next store key, or give the one that is waiting already."""
        if self._next_store is None:
            self._folder.write(_file(_STORE, next_one=True), _STORE, _store_text(self._ambient))
            self._next_store = self._read_store(next_one=True)
        assert self._next_store is not None  # noqa: S101  # just written
        return self._next_store

    def promote_store(self) -> None:
        """Put the next store key in the current one's place; what the old wrapped is lost now."""
        if self._next_store is None:
            raise NoSuchKey("no next store key waits")
        self._folder.replace(_file(_STORE), _file(_STORE, next_one=True))
        self._store, self._next_store = self._next_store, None

    def _read_key(self, job: Job, *, next_one: bool) -> PrivateKey | None:
        name = _file(job, next_one=next_one)
        return private_from_pem(self._folder.read(name, job.value), job) if self._folder.has(name) else None

    def _read_store(self, *, next_one: bool) -> bytes | None:
        name = _file(_STORE, next_one=next_one)
        if not self._folder.has(name):
            return None
        try:
            key = bytes.fromhex(self._folder.read(name, _STORE).decode("ascii"))
        except ValueError as error:
            raise KeysDamaged(f"{name} is not a store key") from error
        if len(key) != _STORE_KEY_BYTES:
            raise KeysDamaged(f"{name} does not hold {_STORE_KEY_BYTES} bytes")
        return key


def generate(job: Job, ambient: Ambient) -> PrivateKey:
    """A fresh key for ``job``, from the ambient's random bytes."""
    if job in ED25519_JOBS:
        return Ed25519PrivateKey.from_private_bytes(ambient.random(32))
    while True:  # rejection sampling, FIPS 186-5 section A.2.2; one turn but for 1 in 2^32
        secret = int.from_bytes(ambient.random(32), "big")
        if 0 < secret < _P256_ORDER:
            return ec.derive_private_key(secret, ec.SECP256R1())


def _file(job: str, *, next_one: bool = False) -> str:
    return f"{job}.next{SUFFIX}" if next_one else f"{job}{SUFFIX}"


def _store_text(ambient: Ambient) -> bytes:
    return ambient.random(_STORE_KEY_BYTES).hex().encode()


def private_to_pem(key: PrivateKey) -> bytes:
    """A private key in PKCS#8, for a :class:`~connector.identity.keyfolder.KeyFolder` alone."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def private_from_pem(data: bytes, job: Job) -> PrivateKey:
    """Read a key for ``job``. Raises :class:`~connector.identity.keyfolder.KeysDamaged`."""
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeysDamaged(f"{_file(job)} is not a private key in PKCS#8") from error
    if job in ED25519_JOBS and isinstance(key, Ed25519PrivateKey):
        return key
    if (
        job not in ED25519_JOBS
        and isinstance(key, ec.EllipticCurvePrivateKey)
        and isinstance(key.curve, ec.SECP256R1)
    ):
        return key
    raise KeysDamaged(f"{_file(job)} holds a key of another kind than the {job} job needs")

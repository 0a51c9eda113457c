"""A participant's keys: where they lie, who can read them, and how they change."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from connector.identity import keyfolder
from connector.identity.keyfolder import KeysDamaged, KeysExist, KeysExposed, WrongPassphrase
from connector.identity.keys import GUEST_JOBS, KeyRing, NoSuchKey, generate
from connector.identity.public import Job
from ledger.ambient import HeldAmbient, SystemAmbient

PASSPHRASE = "correct horse, rätt häst"


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Derivations that cost nothing; what is written says so, and reading follows it."""
    monkeypatch.setattr(keyfolder, "SCRYPT_N", 1024)
    monkeypatch.setattr(keyfolder, "SCRYPT_P", 1)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_every_key_has_its_own_job_and_comes_back(tmp_path: Path) -> None:
    made = KeyRing.create(tmp_path / "keys", HeldAmbient())
    loaded = KeyRing.load(tmp_path / "keys", HeldAmbient())
    assert len({made.thumbprint(job) for job in Job}) == len(Job)
    assert [loaded.thumbprint(job) for job in Job] == [made.thumbprint(job) for job in Job]
    assert loaded.store == made.store
    assert len(loaded.store) == 32


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_key_files_are_the_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        KeyRing.create(tmp_path / "keys", HeldAmbient()).rotate(Job.LOG)
    finally:
        os.umask(before)
    assert _mode(tmp_path / "keys") == 0o700
    assert {_mode(path) for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert len(list((tmp_path / "keys").iterdir())) == len(Job) + 2


def test_no_key_file_is_ever_wider_even_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: set[int] = set()
    opened = os.open

    def watch(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        found = os.fstat(descriptor).st_mode
        if stat.S_ISREG(found):
            modes.add(stat.S_IMODE(found))
        return descriptor

    monkeypatch.setattr(os, "open", watch)
    before = os.umask(0)
    try:
        KeyRing.create(tmp_path / "keys", HeldAmbient()).rotate(Job.TLS)
    finally:
        os.umask(before)
    assert modes == {0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620, 0o601])
def test_a_key_that_others_can_reach_is_not_loaded(tmp_path: Path, mode: int) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    (tmp_path / "keys/tls.key").chmod(mode)
    with pytest.raises(KeysExposed):
        KeyRing.load(tmp_path / "keys", HeldAmbient())


def test_a_folder_that_others_can_reach_is_not_loaded(tmp_path: Path) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    (tmp_path / "keys").chmod(0o750)
    with pytest.raises(KeysExposed):
        KeyRing.load(tmp_path / "keys", HeldAmbient())


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    made = KeyRing.create(tmp_path / "keys", HeldAmbient())
    with pytest.raises(KeysExist):
        KeyRing.create(tmp_path / "keys", HeldAmbient(seed=2))
    assert KeyRing.load(tmp_path / "keys", HeldAmbient()).store == made.store


def test_an_empty_folder_that_waits_for_keys_is_used_and_narrowed(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o755)
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    assert _mode(tmp_path / "keys") == 0o700


def test_a_crash_while_keys_are_made_leaves_nothing_that_looks_like_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    with monkeypatch.context() as patched, pytest.raises(Crash):
        patched.setattr(Path, "rename", crash)
        KeyRing.create(tmp_path / "keys", HeldAmbient())
    assert not (tmp_path / "keys").exists()
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    assert [path.name for path in tmp_path.iterdir()] == ["keys"]


def test_a_passphrase_seals_every_key(tmp_path: Path, cheap: None) -> None:
    made = KeyRing.create(tmp_path / "keys", SystemAmbient(), PASSPHRASE)
    stored = _everything(tmp_path / "keys")
    assert b"PRIVATE KEY" not in stored
    assert made.store.hex().encode() not in stored
    loaded = KeyRing.load(tmp_path / "keys", SystemAmbient(), PASSPHRASE)
    assert loaded.store == made.store
    assert loaded.thumbprint(Job.SIGN) == made.thumbprint(Job.SIGN)
    loaded.rotate(Job.SIGN)
    assert b"PRIVATE KEY" not in _everything(tmp_path / "keys")
    assert KeyRing.load(tmp_path / "keys", SystemAmbient(), PASSPHRASE).next(Job.SIGN) is not None


@pytest.mark.parametrize("passphrase", [None, "", "wrong", PASSPHRASE + " "])
def test_without_the_passphrase_nothing_opens(tmp_path: Path, cheap: None, passphrase: str | None) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient(), PASSPHRASE)
    with pytest.raises(WrongPassphrase) as caught:
        KeyRing.load(tmp_path / "keys", HeldAmbient(), passphrase)
    assert PASSPHRASE not in str(caught.value)


def test_a_passphrase_for_keys_that_have_none_is_not_ignored(tmp_path: Path) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    with pytest.raises(WrongPassphrase):
        KeyRing.load(tmp_path / "keys", HeldAmbient(), PASSPHRASE)


def test_an_empty_passphrase_protects_nothing_and_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongPassphrase):
        KeyRing.create(tmp_path / "keys", HeldAmbient(), "")


def test_a_passphrase_opens_however_its_letters_were_composed(tmp_path: Path, cheap: None) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient(), "h\u00e4st")
    KeyRing.load(tmp_path / "keys", HeldAmbient(), "ha\u0308st")


def test_a_derivation_costs_what_owasp_asks() -> None:
    # Equal to N=2^17, r=8, p=1 by the OWASP password storage sheet.
    assert (keyfolder.SCRYPT_N, keyfolder.SCRYPT_R, keyfolder.SCRYPT_P) == (2**15, 8, 3)


def test_a_sealed_key_moved_to_another_job_does_not_open(tmp_path: Path, cheap: None) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient(), PASSPHRASE)
    (tmp_path / "keys/witness.key").replace(tmp_path / "keys/sign.key")
    with pytest.raises(WrongPassphrase):
        KeyRing.load(tmp_path / "keys", HeldAmbient(), PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 3000},
        {"n": 2**30},
        {"n": 1},
        {"r": 0},
        {"p": 10**6},
        {"version": 2},
        {"salt": "!"},
        {"nonce": "AA"},
        {"extra": 1},
    ],
)
def test_a_sealed_file_with_other_members_is_a_typed_error(
    tmp_path: Path, cheap: None, change: dict[str, object]
) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient(), PASSPHRASE)
    path = tmp_path / "keys/bundle.key"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises((KeysDamaged, WrongPassphrase)):
        KeyRing.load(tmp_path / "keys", HeldAmbient(), PASSPHRASE)


@pytest.mark.parametrize("content", [b"", b"\xff" * 10, b"-----BEGIN PRIVATE KEY-----\n", b"x" * 100_000])
@pytest.mark.parametrize("name", ["sign.key", "tls.key", "store.key"])
def test_a_damaged_file_is_a_typed_error(tmp_path: Path, name: str, content: bytes) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    (tmp_path / "keys" / name).write_bytes(content)
    with pytest.raises(KeysDamaged):
        KeyRing.load(tmp_path / "keys", HeldAmbient())


def test_a_key_of_another_kind_under_a_jobs_name_is_refused(tmp_path: Path) -> None:
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    (tmp_path / "keys/tls.key").replace(tmp_path / "keys/sign.key")
    with pytest.raises(KeysDamaged):
        KeyRing.load(tmp_path / "keys", HeldAmbient())


def test_a_missing_folder_or_key_says_so(tmp_path: Path) -> None:
    with pytest.raises(KeysDamaged):
        KeyRing.load(tmp_path / "nowhere", HeldAmbient())
    KeyRing.create(tmp_path / "keys", HeldAmbient())
    (tmp_path / "keys/store.key").unlink()
    with pytest.raises(KeysDamaged):
        KeyRing.load(tmp_path / "keys", HeldAmbient())


def test_both_keys_are_usable_until_the_next_is_promoted(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keys", HeldAmbient())
    old, following = ring.sign, ring.rotate(Job.SIGN)
    assert ring.usable(Job.SIGN) == (old, following)
    assert ring.sign is old
    assert ring.rotate(Job.SIGN) is following, "asked again it is the same key"
    reopened = KeyRing.load(tmp_path / "keys", HeldAmbient())
    assert len(reopened.usable(Job.SIGN)) == 2
    reopened.promote(Job.SIGN)
    assert reopened.usable(Job.SIGN) == (reopened.sign,)
    again = KeyRing.load(tmp_path / "keys", HeldAmbient())
    assert again.sign.public_key() == following.public_key()
    assert again.next(Job.SIGN) is None
    with pytest.raises(NoSuchKey):
        again.promote(Job.SIGN)


def test_promoting_leaves_no_file_and_no_bytes_of_the_old_store_key(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keys", HeldAmbient())
    old = ring.store.hex().encode()
    with (tmp_path / "keys/store.key").open("rb") as held:
        following = ring.rotate_store()
        assert ring.next_store == following != ring.store
        assert KeyRing.load(tmp_path / "keys", HeldAmbient()).next_store == following
        ring.promote_store()
        assert held.read() == bytes(len(old)), "the blocks that held it were overwritten"
    assert ring.store == following
    assert old not in _everything(tmp_path / "keys")
    with pytest.raises(NoSuchKey):
        ring.promote_store()


def test_a_guests_ring_has_three_keys(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keys", HeldAmbient(), jobs=GUEST_JOBS)
    assert set(KeyRing.load(tmp_path / "keys", HeldAmbient()).jobs) == set(GUEST_JOBS)
    with pytest.raises(NoSuchKey):
        _ = ring.bundle


def test_keys_come_from_the_ambient_alone() -> None:
    for job in Job:
        one, same, other = (generate(job, HeldAmbient(seed=seed)).public_key() for seed in (1, 1, 2))
        assert one == same
        assert one != other


def test_a_key_ring_does_not_print_its_keys(tmp_path: Path) -> None:
    ring = KeyRing.create(tmp_path / "keys", HeldAmbient())
    assert ring.store.hex() not in repr(ring) + str(vars(ring)["_folder"])

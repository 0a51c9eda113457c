"""Running a data space with the command: several people who sign, members who come, change and go."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connector.control.joining import Newcomer, make_home, request_to_join
from connector.identity.public import to_text
from connector.store.config import Config, UnitEntry
from connector.store.home import Home
from tests.cli.command import Shell

ALFA, BETA = "did:web:alfa.example", "did:web:beta.example"


@pytest.fixture(scope="module")
def bylag(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A registrar with one key, and requests of two who want to join."""
    shell = Shell(tmp_path_factory.mktemp("registrar"))
    shell("registrar", "create", "one.example")
    for name, did in (("alfa", ALFA), ("beta", BETA)):
        _request(shell.folder, name, did)
    return shell


def test_members_come_are_barred_come_back_and_go(bylag: Shell) -> None:
    bylag("registrar", "admit", "alfa.json", "beta.json", "--country", "SE")
    bylag("registrar", "admit", "alfa.json", status=None).refused("CHANGE_REFUSED", 1)
    bylag("registrar", "suspend", BETA)
    assert _statuses(bylag) == {ALFA: "active", BETA: "suspended"}
    bylag("registrar", "reinstate", BETA)
    bylag("registrar", "successor", BETA, ALFA)
    bylag("registrar", "remove", BETA)
    assert _statuses(bylag) == {ALFA: "active", BETA: "removed"}
    bylag("registrar", "reinstate", BETA, status=None).refused("CHANGE_REFUSED", 1)
    member = bylag.json("registrar", "list")["members"][1]
    assert (member["successor"], member["attributes"]["country"]) == (ALFA, "SE")
    key = member["keys"][0]["thumbprint"]
    bylag("registrar", "compromised", BETA, key, "--since", "2026-01-01")
    assert bylag.json("registrar", "list")["members"][1]["keys"][0]["compromised_since"] == 1767225600000
    bylag("registrar", "attest", BETA, "--kind", "research")
    assert bylag.json("registrar", "list")["members"][1]["kind"] == "research"


def test_the_registrars_own_key_changes_in_one_list(bylag: Shell) -> None:
    before = bylag.json("registrar", "show")
    after = bylag.json("registrar", "rotate-keys")
    assert after["number"] == before["number"] + 1
    shown = bylag.json("registrar", "show")
    assert shown["keys"] != before["keys"]
    assert shown["keys"] == shown["own_keys"]
    assert shown["fingerprint"] == before["fingerprint"]  # the first keys are what all pinned


def test_two_people_found_a_data_space_and_sign_together(bylag: Shell) -> None:
    ann, bo = ("--folder", "ann"), ("--folder", "bo")
    keys = [bylag.json("registrar", "prepare", *each)["keys"][0] for each in (ann, bo)]
    bylag("registrar", "found", "two.example", *keys, "--threshold", "2", "--draft", "1-ann", *ann)
    bylag("registrar", "finish", "1-ann", *ann, status=None).refused("NOT_ENOUGH_SIGNATURES", 3)
    bylag("registrar", "sign", "1-ann", "--out", "1-both", *bo)
    for each in (ann, bo):
        assert bylag.json("registrar", "finish", "1-both", *each)["number"] == 1
    bylag("registrar", "renew", *ann, status=None).refused("OTHERS_MUST_SIGN", 1)
    drafted = bylag.json("registrar", "renew", "--draft", "2-ann", *ann)
    assert (drafted["published"], drafted["signatures"]) == (False, 1)
    bylag("registrar", "renew", "--draft", "other", *ann, status=None).refused("SIGNED_ANOTHER", 1)
    assert bylag.json("registrar", "show", *ann)["pending"] == drafted["hash"]
    seen = bylag.json("registrar", "list", "--draft", "2-ann", *bo)
    assert (seen["number"], seen["members"]) == (2, [])
    bylag("registrar", "sign", "2-ann", "--out", "2-both", *bo)
    assert bylag.json("registrar", "finish", "2-both", *ann)["published"] is True


def test_a_key_that_begins_with_a_dash_is_no_option(bylag: Shell) -> None:
    folder = ("--folder", "dash")
    mine = bylag.json("registrar", "prepare", *folder)["keys"][0]
    made = (to_text(Ed25519PrivateKey.generate().public_key()) for _ in count())
    dashed = next(key for key in made if key.startswith("-"))
    bylag("registrar", "found", "dash.example", dashed, mine, "--threshold", "1", "--draft", "1", *folder)
    assert bylag.json("registrar", "finish", "1", *folder)["number"] == 1
    set_keys = ("registrar", "set-keys", mine, dashed, "--threshold", "2", *folder)
    bylag(*set_keys, status=None).refused("OTHERS_MUST_SIGN", 1)
    thumbprint = "-" + "a" * 42
    compromised = ("registrar", "compromised", BETA, thumbprint, "--since", "2026-01-01", *folder)
    bylag(*compromised, status=None).refused("CHANGE_REFUSED", 1)


def test_sealed_keys_take_the_passphrase_they_were_made_with(bylag: Shell) -> None:
    secret = bylag.folder / "secret"
    secret.write_text("a long passphrase\n")
    secret.chmod(0o600)
    sealed = ("--folder", "sealed")
    bylag("registrar", "create", "sealed.example", *sealed, "--passphrase-file", "secret")
    bylag("registrar", "show", *sealed, status=None).refused("WRONG_PASSPHRASE", 3)
    given = bylag("registrar", "show", *sealed, env={"BYLAG_PASSPHRASE": "another"}, status=None)
    given.refused("WRONG_PASSPHRASE", 3)
    bylag("registrar", "show", *sealed, env={"BYLAG_PASSPHRASE": "a long passphrase"})
    bylag("--passphrase-file", "secret", "registrar", "show", *sealed)


def _request(folder: Path, name: str, did: str) -> None:
    config = Config(
        "one.example", "organisation", did, name, "company", "", "", "", (UnitEntry("main", "Main"),)
    )
    home = make_home(folder / name, config, None)
    (folder / f"{name}.json").write_bytes(request_to_join(Newcomer.open(Home(home.folder), None)))


def _statuses(bylag: Shell) -> dict[str, str]:
    return {member["did"]: member["status"] for member in bylag.json("registrar", "list")["members"]}

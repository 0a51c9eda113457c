"""A participant's own rules: built, signed, loaded, joined, and only ever denying."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.archive import pack, unpack
from connector.policy.bundle import LOCAL_SCOPE, RULEBOOK_SCOPE, sign_bundle
from connector.policy.chosen import embedded_engine
from connector.policy.decision import Decision
from connector.policy.engine import Engine, Unanswered
from connector.policy.errors import BundleRefused, RulebookNotKept, RulesRefused
from connector.policy.kept import KeptRulebooks
from connector.policy.lease import LeasedEngine
from connector.policy.local import (
    LOCAL_RULE,
    JoinedDecision,
    JoinedEngine,
    LocalRules,
    ServerLocal,
    denials,
    reads_moving,
)
from connector.policy.local_build import allowed, build_local
from connector.policy.parse import normalise
from connector.policy.rulebook import Rulebook
from connector.policy.server import ServerAddress, ServerEngine
from ledger.ambient import HeldAmbient, SystemAmbient
from ledger.names import DatasetId
from tests.opa import PACKAGED, running
from tests.policy.world import CITY, COMPANY, agreed, offer, permission, question, standing

PLAIN = agreed(offer(permission()))
SECRET_POLICY = normalise(offer(permission())).agreed(
    name="urn:uuid:1", assigner=CITY, assignee=COMPANY, target=DatasetId("urn:bylag:dataset:secret")
)
KEY = ec.generate_private_key(ec.SECP256R1())
KEYS = {"ours": KEY.public_key()}

SECRET = """package local

deny contains "CLASSIFIED_SECRET" if input.request.dataset == "urn:bylag:dataset:secret"

deny contains "NO_EXPORT" if {
	input.request.dataset == "urn:bylag:dataset:secret"
	input.request.recipient.attributes.kind == "company"
}
"""
LATE = """package local

deny contains "TOO_LATE" if input.facts.now > 1767268800000
"""


def built(folder: Path, opa: Path, number: int = 1, **sources: str) -> dict[str, bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources.items():
        (folder / f"{name}.rego").write_text(source)
    return build_local(folder, number).files


def rules_of(files: dict[str, bytes]) -> LocalRules:
    return LocalRules.read(pack(files))


@contextmanager
def joined(files: dict[str, bytes]) -> Iterator[Engine]:
    engine = embedded_engine(Rulebook.packaged(), rules_of(files))
    try:
        yield engine
    finally:
        engine.close()


def test_local_rules_deny_what_the_agreement_allows_and_both_digests_are_named(
    opa: Path, tmp_path: Path
) -> None:
    files = built(tmp_path, opa, secret=SECRET)
    with joined(files) as engine:
        allowed_one = engine.decide(question(PLAIN))
        assert allowed_one.allow is True
        denied = engine.decide(question(SECRET_POLICY, dataset="urn:bylag:dataset:secret"))
        assert denied.allow is False
        assert [(reason.code, reason.parameters["code"]) for reason in denied.reasons] == [
            (LOCAL_RULE, "CLASSIFIED_SECRET"),
            (LOCAL_RULE, "NO_EXPORT"),
        ]
        assert denied.counters == ()
        for decision in (allowed_one, denied):
            said = decision.to_json()
            assert (said["revision"], said["local_rules"]) == (
                Rulebook.packaged().revision,
                rules_of(files).revision,
            )


def test_local_rules_cannot_allow_what_the_core_denies(opa: Path, tmp_path: Path) -> None:
    with joined(built(tmp_path, opa, rule="package local\n\ndeny := set()\n\nallow := true\n")) as engine:
        decision = engine.decide(question(PLAIN, dataset="urn:bylag:dataset:another"))
        assert decision.allow is False
        assert all(reason.code != LOCAL_RULE for reason in decision.reasons)


def test_both_engines_give_the_same_joined_decision(opa: Path, tmp_path: Path) -> None:
    """The server has both bundles, and each answer names the one that it rests on."""
    files = built(tmp_path / "rules", opa, secret=SECRET)
    (tmp_path / "local.tar.gz").write_bytes(pack(files))
    asked = [question(PLAIN), question(SECRET_POLICY, dataset="urn:bylag:dataset:secret")]
    rules = rules_of(files)
    with running(opa, "--bundle", PACKAGED, tmp_path / "local.tar.gz") as started, joined(files) as here:
        address = ServerAddress("127.0.0.1", started.port)
        server = ServerEngine(address, here.revision, SystemAmbient(), time_limit=10.0)
        there = JoinedEngine(server, rules, ServerLocal(server, rules))
        for one in asked:
            assert there.decide(one) == here.decide(one) == there.replay(one.encoded)
        there.close()


def test_a_server_with_other_local_rules_is_a_denial(opa: Path, tmp_path: Path) -> None:
    rules = rules_of(built(tmp_path, opa, secret=SECRET))
    with running(opa, "--bundle", PACKAGED) as started:
        address = ServerAddress("127.0.0.1", started.port)
        server = ServerEngine(address, Rulebook.packaged().revision, SystemAmbient(), time_limit=10.0)
        there = JoinedEngine(server, rules, ServerLocal(server, rules))
        decision = there.decide(question(PLAIN))
        assert decision.failed
        assert decision.reasons[0].parameters == {"error": "local-other-rulebook"}
        there.close()


def test_rules_that_read_a_moving_field_are_not_leased(opa: Path, tmp_path: Path) -> None:
    ambient = HeldAmbient(now=1_767_268_700_000)
    files = built(tmp_path, opa, late=LATE)
    with joined(files) as engine:
        leased = LeasedEngine(engine, ambient)
        session = leased.open(standing(PLAIN))
        first = leased.decide(session)
        assert (first.decision.allow, first.lease) == (True, None)
        ambient.advance(200_000)
        second = leased.decide(session)
        assert (second.decision.allow, second.fresh) == (False, True)


def test_rules_that_read_standing_fields_are_leased(opa: Path, tmp_path: Path) -> None:
    with joined(built(tmp_path, opa, secret=SECRET)) as engine:
        leased = LeasedEngine(engine, HeldAmbient())
        assert leased.decide(leased.open(standing(PLAIN))).lease is not None


@pytest.mark.parametrize(
    ("source", "moving"),
    [
        (SECRET, False),
        (LATE, True),
        ("x if input.request.nonce", True),
        ("x if input.request", True),
        ("x := input", True),
        ('x := input["facts"]', True),
        ("x := input.request[y]", True),
        ('x := "#"; y := input.facts.now', True),
        ("x if input.membership.number > 3", False),
        ("x if input . facts", True),
        ("y if x with input as {}", True),
        ("inputs := 1", False),
    ],
)
def test_whether_rules_may_read_a_moving_field(source: str, moving: bool) -> None:
    assert reads_moving({"a.rego": source.encode()}) is moving


UNBUILT = {
    "another package": "package bylag.decision\n\nanswer := 1\n",
    "a package that only begins alike": "package locality\n\ndeny := set()\n",
    "the network": 'package local\n\ndeny contains "A" if http.send({"method": "get", "url": "http://x"})\n',
    "the clock": 'package local\n\ndeny contains "A" if time.now_ns() > 1\n',
    "chance": 'package local\n\ndeny contains "A" if rand.intn("x", 2) == 1\n',
    "the host": 'package local\n\ndeny contains "A" if opa.runtime().env.HOME\n',
    "the core's facts": 'package local\n\ndeny contains "A" if data.bylag.facts.actions.use\n',
    "all data": 'package local\n\ndeny contains "A" if count(data) > 1\n',
    "no entry point": "package local\n\nallow := true\n",
    "an entry point of another kind": "package local\n\ndeny := true\n",
    "a syntax error": "package local\n\ndeny contains\n",
    "a name that nobody knows": 'package local\n\ndeny contains "A" if nobody(input.type)\n',
}


@pytest.mark.parametrize("what", UNBUILT)
def test_rules_are_not_built_with(what: str, opa: Path, tmp_path: Path) -> None:
    with pytest.raises(RulesRefused):
        built(tmp_path, opa, rule=UNBUILT[what])


def test_rules_whose_own_tests_fail_are_not_built(opa: Path, tmp_path: Path) -> None:
    (tmp_path / "a.rego").write_text(SECRET)
    (tmp_path / "a_test.rego").write_text("package local\n\ntest_it if count(deny) == 9 with input as {}\n")
    with pytest.raises(RulesRefused, match="opa test failed"):
        build_local(tmp_path, 1)
    (tmp_path / "a_test.rego").write_text("package local\n\ntest_it if count(deny) == 0 with input as {}\n")
    done = build_local(tmp_path, 1)
    assert done.tests == 1
    assert "a_test.rego" not in done.files


def test_an_empty_folder_is_named(opa: Path, tmp_path: Path) -> None:
    with pytest.raises(RulesRefused):
        build_local(tmp_path, 1)


def test_the_capabilities_hold_no_network_clock_or_chance() -> None:
    names = ["http.send", "net.lookup_ip_addr", "time.now_ns", "rand.intn", "opa.runtime", "count", "lower"]
    left = allowed({"builtins": [{"name": name} for name in names], "features": ["x"]})
    assert [each["name"] for each in left["builtins"]] == ["count", "lower"]
    assert (left["allow_net"], left["features"]) == ([], ["x"])


def signed(files: dict[str, bytes], scope: str = LOCAL_SCOPE) -> bytes:
    return sign_bundle(files, KEY, "ours", scope)


def test_an_unsigned_altered_or_older_bundle_is_not_loaded(opa: Path, tmp_path: Path) -> None:
    files = built(tmp_path, opa, 3, secret=SECRET)
    bundle = signed(files)
    assert LocalRules.open(bundle, KEYS, 3).number == 3
    altered = {**unpack(bundle), "secret.rego": SECRET.replace("SECRET", "OPEN").encode()}
    refused: dict[str, Callable[[], LocalRules]] = {
        "unsigned": lambda: LocalRules.open(pack(files), KEYS, 0),
        "altered": lambda: LocalRules.open(pack(altered), KEYS, 0),
        "signed as the core's": lambda: LocalRules.open(signed(files, RULEBOOK_SCOPE), KEYS, 0),
        "older": lambda: LocalRules.open(bundle, KEYS, 4),
        "the core's rules": lambda: LocalRules.open(signed(dict(Rulebook.packaged().files)), KEYS, 0),
    }
    for what, load in refused.items():
        with pytest.raises(BundleRefused):
            load()
            pytest.fail(what)


@pytest.mark.parametrize("answer", [None, True, {}, "A", [1], ["lower"], ["A"] * 40, [""], ["A B"]])
def test_an_answer_that_is_no_list_of_codes_is_none(answer: Any) -> None:
    with pytest.raises(Unanswered):
        denials(answer)


def test_what_is_kept_is_found_by_its_digest(opa: Path, tmp_path: Path) -> None:
    kept = KeptRulebooks(tmp_path / "kept")
    core, rules = Rulebook.packaged(), rules_of(built(tmp_path / "rules", opa, 7, secret=SECRET))
    assert kept.newest_local() == 0
    kept.keep(core)
    kept.keep_local(rules)
    assert kept.newest_local() == 7
    assert kept.rulebook(core.revision) == core
    assert kept.local(rules.revision) == rules
    with pytest.raises(RulebookNotKept):
        kept.rulebook("0" * 64)
    with pytest.raises(RulebookNotKept):
        kept.local("0" * 64)
    next((tmp_path / "kept").glob("local-*")).write_bytes(b"damaged")
    with pytest.raises(RulebookNotKept):
        kept.local(rules.revision)


def test_a_joined_decision_is_a_decision() -> None:
    assert issubclass(JoinedDecision, Decision)
    assert "local_rules" in json.dumps(JoinedDecision(False, Rulebook.packaged().revision, ()).to_json())

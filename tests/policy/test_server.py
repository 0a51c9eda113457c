"""A real OPA server decides like the embedded engine, and fails closed: gone, slow, or with other rules."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.circuit import FAILURES, PAUSE_SECONDS, Circuit
from connector.policy.decision import ENGINE_ERROR, Decision
from connector.policy.embedded import EmbeddedEngine
from connector.policy.input import CounterName
from connector.policy.rulebook import Rulebook
from connector.policy.server import ServerAddress, ServerEngine, revisions
from ledger.ambient import HeldAmbient, SystemAmbient
from ledger.names import RulebookDigest
from tests.opa import PACKAGED, OpaServer, free_port, running
from tests.policy.world import agreed, constraint, offer, permission, question

REVISION = Rulebook.packaged().revision
PLAIN = agreed(offer(permission()))
COUNTED = agreed(offer(permission(constraint("count", "lteq", "3"))))


@pytest.fixture(scope="module")
def server(opa: Path) -> Iterator[OpaServer]:
    with running(opa, "--bundle", PACKAGED) as started:
        yield started


@contextmanager
def asking(
    port: int, *, time_limit: float = 5.0, revision: RulebookDigest = REVISION, **more: Any
) -> Iterator[ServerEngine]:
    engine = ServerEngine(
        ServerAddress("127.0.0.1", port, **more), revision, SystemAmbient(), time_limit=time_limit
    )
    try:
        yield engine
    finally:
        engine.close()


def error_of(decision: Decision) -> Any:
    assert decision.allow is False
    (reason,) = decision.reasons
    assert reason.code == ENGINE_ERROR
    return reason.parameters["error"]


async def test_a_server_gives_the_embedded_engines_answer(engine: EmbeddedEngine, server: OpaServer) -> None:
    with asking(server.port) as remote:
        for asked in (question(PLAIN), question(COUNTED, uses=2), question(COUNTED, uses=3)):
            assert await remote.ask(asked) == engine.decide(asked) == remote.decide(asked)
        assert (await remote.look()).decides


def test_an_answer_under_another_rulebook_is_a_denial(server: OpaServer) -> None:
    with asking(server.port, revision=RulebookDigest("0" * 64)) as remote:
        assert error_of(remote.decide(question(PLAIN))) == "other-rulebook"
        found = asyncio.run(remote.look())
        assert (found.decides, "other-rulebook" in found.found) == (False, True)


def test_a_server_without_our_rules_is_a_denial(opa: Path, tmp_path: Path) -> None:
    (tmp_path / ".manifest").write_text(json.dumps({"roots": ["other"], "revision": "r"}))
    with running(opa, "--bundle", tmp_path) as started, asking(started.port) as remote:
        assert error_of(remote.decide(question(PLAIN))) == "other-rulebook"


def test_an_undefined_answer_under_the_right_name_is_a_denial(opa: Path, tmp_path: Path) -> None:
    """Whoever runs that OPA could say anything; what is no answer is none."""
    (tmp_path / ".manifest").write_text(json.dumps({"roots": ["bylag"], "revision": REVISION}))
    (tmp_path / "decision.rego").write_text("package bylag.decision\n")
    with running(opa, "--bundle", tmp_path) as started, asking(started.port) as remote:
        assert error_of(remote.decide(question(PLAIN))) == "answer-shape"


def test_a_builtins_error_is_a_denial_and_not_undefined(opa: Path, tmp_path: Path) -> None:
    """Without `strict-builtin-errors` this OPA would answer that all is allowed."""
    (tmp_path / ".manifest").write_text(json.dumps({"roots": ["bylag"], "revision": REVISION}))
    (tmp_path / "decision.rego").write_text(
        """package bylag.decision
answer := {
    "allow": true, "reasons": [{"code": "PERMITTED", "rule": null, "parameters": {}}], "obligations": [],
    "row_filter": null, "column_mask": [], "counters": [], "valid_until": null, "depends_on": [],
} if not wrong
wrong if to_number(input.request.action) == 1
"""
    )
    with running(opa, "--bundle", tmp_path) as started, asking(started.port) as remote:
        assert error_of(remote.decide(question(PLAIN))) == "http-500"


@contextmanager
def silent() -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that takes every call and never answers."""
    calls: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            try:
                while True:
                    calls.append(listening.accept()[0])
            except OSError:
                return

        thread = threading.Thread(target=take)
        thread.start()
        try:
            yield listening.getsockname()[1], calls
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            for call in calls:
                call.close()


async def test_a_server_that_does_not_answer_in_time_is_denied_and_the_loop_goes_on() -> None:
    with silent() as (port, calls), asking(port, time_limit=0.2) as remote:
        asked = asyncio.create_task(remote.ask(question(PLAIN)))
        turns = 0
        async with asyncio.timeout(20):  # many times the limit, on a busy machine too
            while not asked.done():
                turns += 1
                await asyncio.sleep(0)
        assert error_of(await asked) == "TimeoutError"
        assert turns > 1
        assert len(calls) == 1  # the client's own retrying is off


def test_the_circuit_opens_when_the_server_is_gone_and_closes_when_it_is_back(opa: Path) -> None:
    ambient = HeldAmbient()
    port = free_port()
    engine = ServerEngine(ServerAddress("127.0.0.1", port), REVISION, ambient, time_limit=5.0)
    try:
        errors = [error_of(engine.decide(question(PLAIN))) for _ in range(FAILURES + 2)]
        assert errors == ["ClientConnectorError"] * FAILURES + ["circuit-open"] * 2
        assert not asyncio.run(engine.look()).decides
        with running(opa, "--bundle", PACKAGED, port=port):
            assert error_of(engine.decide(question(PLAIN))) == "circuit-open"
            ambient.advance(int(PAUSE_SECONDS * 1000))
            assert engine.decide(question(PLAIN)).allow
            assert engine.decide(question(PLAIN)).allow
    finally:
        engine.close()


def test_an_open_circuit_lets_one_question_through_in_each_pause() -> None:
    ambient = HeldAmbient()
    circuit = Circuit(ambient)
    for _ in range(FAILURES):
        assert circuit.lets_through()
        circuit.failed()
    assert circuit.is_open
    assert not circuit.lets_through()
    ambient.advance(int(PAUSE_SECONDS * 1000))
    assert circuit.lets_through()
    assert not circuit.lets_through()
    circuit.answered()
    assert circuit.lets_through()
    assert circuit.lets_through()


def test_a_closed_engine_denies() -> None:
    engine = ServerEngine(ServerAddress("127.0.0.1", 1), REVISION, SystemAmbient())
    engine.close()
    engine.close()
    assert error_of(engine.decide(question(PLAIN))) == "closed"
    assert error_of(asyncio.run(engine.ask(question(PLAIN)))) == "closed"
    assert not asyncio.run(engine.look()).decides


async def test_closing_leaves_nobody_waiting() -> None:
    with silent() as (port, calls):
        engine = ServerEngine(ServerAddress("127.0.0.1", port), REVISION, SystemAmbient(), time_limit=0.5)
        asked = asyncio.create_task(engine.ask(question(PLAIN)))
        async with asyncio.timeout(10):
            while not calls:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(engine.close)
        assert error_of(await asked) == "TimeoutError"


def test_a_value_that_no_json_holds_is_denied(server: OpaServer) -> None:
    with asking(server.port) as remote:
        assert remote.decide(question(PLAIN, uses={CounterName("count:x"): 2**53})).failed


def test_a_failure_is_logged_without_what_was_asked(caplog: pytest.LogCaptureFixture) -> None:
    with asking(free_port()) as remote:
        remote.decide(question(PLAIN))
    assert "ClientConnectorError" in caplog.text
    assert "company.example" not in caplog.text


AUTHORITY = """package system.authz
default allow := false
allow if input.identity == "open-sesame"
"""


def test_a_bearer_token_is_shown(opa: Path, tmp_path: Path) -> None:
    (tmp_path / ".manifest").write_text(json.dumps({"roots": ["system"]}))
    (tmp_path / "authz.rego").write_text(AUTHORITY)
    arguments = ("--authentication=token", "--authorization=basic", "--bundle", PACKAGED, tmp_path)
    with running(opa, *arguments) as started:
        with asking(started.port) as remote:
            assert error_of(remote.decide(question(PLAIN))) == "http-401"
        with asking(started.port, token="open-sesame") as remote:
            assert remote.decide(question(PLAIN)).allow


def test_over_tls_the_servers_name_is_checked_and_a_client_certificate_is_shown(
    opa: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, root_key = certify("root", None, tmp_path)
    certify("server", (root, root_key), tmp_path)
    certify("client", (root, root_key), tmp_path)
    arguments = (
        f"--tls-cert-file={tmp_path / 'server.pem'}",
        f"--tls-private-key-file={tmp_path / 'server.key'}",
        f"--tls-ca-cert-file={tmp_path / 'root.pem'}",
        "--authentication=tls",
        "--bundle",
        PACKAGED,
    )
    shown = (str(tmp_path / "client.pem"), str(tmp_path / "client.key"))
    with running(opa, *arguments, scheme="https") as started:
        with asking(started.port, is_tls=True, client_certificate=shown) as remote:
            assert error_of(remote.decide(question(PLAIN))) == "ClientConnectorCertificateError"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
        assert ssl.get_default_verify_paths().cafile == str(tmp_path / "root.pem")
        with asking(started.port, is_tls=True, client_certificate=shown) as remote:
            assert remote.decide(question(PLAIN)).allow
        with asking(started.port, is_tls=True) as remote:
            assert remote.decide(question(PLAIN)).failed
        with asking(started.port) as remote:
            assert remote.decide(question(PLAIN)).failed


Issuer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def certify(name: str, issuer: Issuer | None, folder: Path) -> Issuer:
    """A certificate for this machine, in PEM files beside its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signer = issuer[1] if issuer else key
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, issuer is None, issuer is None, False, False),
            critical=True,
        )
        .sign(signer, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate, key


@pytest.mark.parametrize(
    ("provenance", "expected"),
    [
        (None, set()),
        ({}, set()),
        ({"bundles": []}, set()),
        ({"bundles": {"a": None, "b": {"revision": 1}, "c": {}}}, set()),
        ({"bundles": {"a": {"revision": "x"}, "b": {"revision": "y"}}}, {"x", "y"}),
        ({"revision": "x"}, set()),
    ],
)
def test_revisions_are_those_of_bundles(provenance: Any, expected: set[str]) -> None:
    assert revisions(provenance) == expected

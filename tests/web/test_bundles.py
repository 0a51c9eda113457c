"""An unmodified OPA polls its rules from the connector, and refuses what was tampered with."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.archive import pack, unpack
from connector.policy.bundle import LOCAL_SCOPE, RULEBOOK_SCOPE, sign_bundle
from connector.policy.opa_config import RULEBOOK_BUNDLE, opa_config
from connector.policy.rulebook import MANIFEST, WASM, Rulebook, rulebook_digest
from connector.policy.server import ServerAddress, ServerEngine
from connector.web.bundles import BundleServer, CannotServeBundles
from ledger.ambient import SystemAmbient
from tests.opa import OpaServer, free_port, running
from tests.policy.test_server import PLAIN, REVISION, certify, error_of
from tests.policy.world import question

KEY, KID = ec.generate_private_key(ec.SECP256R1()), "our-key"
FILES = {name: data for name, data in Rulebook.packaged().files.items() if name != WASM}
LOADED = "Bundle loaded and activated successfully"
REFUSED = "Bundle load failed"


def signed(files: dict[str, bytes] = FILES, key: Any = KEY, scope: str = RULEBOOK_SCOPE) -> bytes:
    return sign_bundle(files, key, KID, scope)


GOOD = signed()


def altered(**changes: bytes) -> dict[str, bytes]:
    return {**unpack(GOOD), **{name.replace("__", "."): data for name, data in changes.items()}}


def older() -> bytes:
    """A release before, which was signed with the same key, for the same scope."""
    files = {**FILES, "tree.rego": FILES["tree.rego"] + b"\n# as it was\n"}
    manifest = json.loads(FILES[MANIFEST]) | {"revision": rulebook_digest(files)}
    return signed({**files, MANIFEST: json.dumps(manifest).encode()})


class Serving:
    """A bundle server on a loop of its own, so that a test may wait without holding it up."""

    def __init__(self, bundle: bytes) -> None:
        self.bundle = bundle
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.server = BundleServer(lambda: {RULEBOOK_BUNDLE: self.bundle})
        self.port = self.on_loop(self.server.start("127.0.0.1:0"))
        self.url = f"http://127.0.0.1:{self.port}"

    def on_loop(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    def stop(self) -> None:
        self.on_loop(self.server.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@contextmanager
def serving(bundle: bytes = GOOD) -> Iterator[Serving]:
    served = Serving(bundle)
    try:
        yield served
    finally:
        served.stop()


@contextmanager
def polling(opa: Path, served: Serving, folder: Path) -> Iterator[OpaServer]:
    config = opa_config(served.url, KEY.public_key(), KID, poll=(1, 1))
    (folder / "opa.json").write_text(json.dumps(config))
    with running(opa, "--config-file", folder / "opa.json") as started:
        yield started


@contextmanager
def asking(started: OpaServer) -> Iterator[ServerEngine]:
    engine = ServerEngine(
        ServerAddress("127.0.0.1", started.port), REVISION, SystemAmbient(), time_limit=10.0
    )
    try:
        yield engine
    finally:
        engine.close()


def test_an_unmodified_opa_loads_the_signed_bundle_and_decides_for_the_connector(
    opa: Path, tmp_path: Path
) -> None:
    with serving() as served, polling(opa, served, tmp_path) as started:
        started.wait_for(LOADED)
        with asking(started) as engine:
            assert engine.decide(question(PLAIN)).allow


BROKEN = {
    "a byte of a file changed": lambda: pack(altered(tree__rego=FILES["tree.rego"][:-1] + b" ")),
    "a byte of the facts changed": lambda: pack(
        altered(data__json=FILES["data.json"].replace(b'"use"', b'"usf"', 1))
    ),
    "a byte of the archive changed": lambda: GOOD[:400] + bytes([GOOD[400] ^ 1]) + GOOD[401:],
    "a file added": lambda: pack(altered(more__rego=b"package bylag.more\nx := 1\n")),
    "no signature": lambda: pack(FILES),
    "another's signature": lambda: signed(key=ec.generate_private_key(ec.SECP256R1())),
    "another scope": lambda: signed(scope=LOCAL_SCOPE),
}


@pytest.mark.parametrize("what", BROKEN)
def test_opa_refuses_a_bundle_with(what: str, opa: Path, tmp_path: Path) -> None:
    broken = BROKEN[what]()
    with serving(broken) as served, polling(opa, served, tmp_path) as started:
        started.wait_for(REFUSED)
        with asking(started) as engine:
            assert error_of(engine.decide(question(PLAIN))) == "other-rulebook"
        served.bundle = GOOD
        started.wait_for(LOADED)
        with asking(started) as engine:
            assert engine.decide(question(PLAIN)).allow


def test_a_running_opa_keeps_its_rules_when_the_next_bundle_is_tampered_with(
    opa: Path, tmp_path: Path
) -> None:
    with serving() as served, polling(opa, served, tmp_path) as started:
        started.wait_for(LOADED)
        served.bundle = BROKEN["a byte of a file changed"]()
        started.wait_for(REFUSED)
        with asking(started) as engine:
            assert engine.decide(question(PLAIN)).allow


def test_opa_takes_an_older_bundle_and_the_connector_does_not_take_its_word(
    opa: Path, tmp_path: Path
) -> None:
    """A signature has no order: the provenance of each answer has."""
    with serving() as served, polling(opa, served, tmp_path) as started:
        started.wait_for(LOADED)
        said = len(started.said)
        served.bundle = older()
        started.wait_for(LOADED, after=said)
        with asking(started) as engine:
            assert error_of(engine.decide(question(PLAIN))) == "other-rulebook"


@asynccontextmanager
async def server(**more: Any) -> AsyncIterator[str]:
    made = BundleServer(lambda: {RULEBOOK_BUNDLE: GOOD})
    port = await made.start("127.0.0.1:0", **more)
    try:
        yield f"{'https' if more else 'http'}://127.0.0.1:{port}/bundles/{RULEBOOK_BUNDLE}"
    finally:
        await made.stop()


def fetch(url: str, method: str = "GET", **headers: str) -> tuple[int, bytes, str | None]:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, response.read(), response.headers["ETag"]
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), error.headers["ETag"]


ETAG = f'"{hashlib.sha256(GOOD).hexdigest()}"'


async def test_who_has_the_bundle_already_gets_nothing() -> None:
    async with server() as url:
        assert await asyncio.to_thread(fetch, url) == (200, GOOD, ETAG)
        for known in (ETAG, f'"older", {ETAG}', "*"):
            headers = {"If-None-Match": known}
            assert await asyncio.to_thread(partial(fetch, url, **headers)) == (304, b"", ETAG)
        headers = {"If-None-Match": '"older"'}
        assert (await asyncio.to_thread(lambda: fetch(url, **headers)))[0] == 200


async def test_nothing_else_is_served_and_nothing_is_taken() -> None:
    async with server() as url:
        for other in (
            url + "x",
            url.replace("bundles/", ""),
            url.rpartition("/")[0] + "/..%2fconnector.toml",
        ):
            assert (await asyncio.to_thread(fetch, other))[0] == 404
        for method in ("POST", "PUT", "DELETE"):
            assert (await asyncio.to_thread(fetch, url, method))[0] == 405


async def test_over_tls_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certify("server", certify("root", None, tmp_path), tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "root.pem"))
    async with server(certificate=(tmp_path / "server.pem", tmp_path / "server.key")) as url:
        assert (await asyncio.to_thread(fetch, url))[:2] == (200, GOOD)


async def test_an_address_that_cannot_be_listened_on_is_named(tmp_path: Path) -> None:
    async with server() as url:
        port = url.split(":")[2].partition("/")[0]
        with pytest.raises(CannotServeBundles):
            await BundleServer(dict).start(f"127.0.0.1:{port}")
    with pytest.raises(CannotServeBundles):
        await BundleServer(dict).start(f"127.0.0.1:{free_port()}", (tmp_path / "no", tmp_path / "no"))

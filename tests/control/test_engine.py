"""A connector whose policy engine is an OPA server: status, doctor and health say when it is gone."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1 import health_pb2

from connector.catalog.stored import StoredCatalog
from connector.control import running as running_module
from connector.control.joining import NotForGuests
from connector.control.running import Running
from connector.control.views import NodeLog
from connector.policy.errors import BundleRefused
from connector.store.config import read_config
from connector.store.config_engine import BundleSettings, EngineSettings
from connector.store.home import Home
from tests.control.homes import CITY, Homes, ask
from tests.opa import PACKAGED, free_port
from tests.opa import running as running_opa
from tests.policy.world import MARKETING, SCIENTIFIC, agreed, offer, permission, question

PLAIN = agreed(offer(permission()))
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health(running: Running) -> int:
    assert running.server is not None
    no_context: Any = None
    answer = await running.server.health.Check(health_pb2.HealthCheckRequest(service=""), no_context)
    return int(answer.status)


async def becomes(running: Running, status: int) -> None:
    async with asyncio.timeout(20):
        while await health(running) != status:
            await asyncio.sleep(0.02)


async def test_status_doctor_and_health_say_when_the_opa_server_is_gone_and_when_it_is_back(
    tmp_path: Path, opa: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_module, "LOOK_SECONDS", 0.05)
    homes = Homes(tmp_path)
    home = await homes.join(CITY)
    port = free_port()
    engine = EngineSettings("server", url=f"http://127.0.0.1:{port}")
    home.config.write_text(replace(read_config(home.config), engine=engine).to_toml())
    async with homes.running(home) as running:
        node = running.node
        await running.serve("127.0.0.1:0", StoredCatalog(node.database, node.snapshots), NodeLog(node))
        running.work()
        await becomes(running, NOT_SERVING)
        said = (await ask(running, "status"))["engine"]
        assert (said["kind"], said["decides"], said["rulebook"]) == ("server", False, node.rulebook())
        found = await ask(running, "doctor")
        assert [check["check"] for check in found["checks"] if not check["ok"]] == ["policy engine"]
        with running_opa(opa, "--bundle", PACKAGED, port=port):
            await becomes(running, SERVING)
            assert (await ask(running, "status"))["engine"]["decides"] is True
            assert (await ask(running, "doctor"))["healthy"] is True
        await becomes(running, NOT_SERVING)


async def test_the_embedded_engine_is_not_loaded_to_say_how_it_is(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as running:
        assert (await ask(running, "status"))["engine"]["decides"] is True
        assert "rules" not in running.node.__dict__


async def test_an_engine_whose_token_cannot_be_read_is_named(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    home = await homes.join(CITY)
    engine = EngineSettings("server", url="http://127.0.0.1:1", token_file="nothing-here")
    home.config.write_text(replace(read_config(home.config), engine=engine).to_toml())
    async with homes.running(home) as running:
        found = await ask(running, "doctor")
        assert [check["check"] for check in found["checks"] if not check["ok"]] == ["policy engine"]


async def test_an_opa_polls_its_rules_from_the_connector_that_it_decides_for(
    tmp_path: Path, opa: Path
) -> None:
    homes = Homes(tmp_path)
    home = await homes.join(CITY)
    port, bundle_port = free_port(), free_port()
    config = replace(
        read_config(home.config),
        engine=EngineSettings("server", url=f"http://127.0.0.1:{port}"),
        bundle=BundleSettings(f"127.0.0.1:{bundle_port}"),
    )
    home.config.write_text(config.to_toml())
    async with homes.running(home) as running:
        await running.serve_bundles()
        told = await ask(running, "opa-config")
        assert told["services"]["bylag"]["url"] == f"http://127.0.0.1:{bundle_port}"
        (tmp_path / "opa.json").write_text(json.dumps(told))
        with running_opa(opa, "--config-file", tmp_path / "opa.json", port=port) as started:
            await asyncio.to_thread(started.wait_for, "Bundle loaded and activated successfully")
            assert (await ask(running, "status"))["engine"]["decides"] is True


async def test_a_guest_has_no_bundles_to_serve(tmp_path: Path) -> None:
    homes = Homes(tmp_path)
    async with homes.running(await homes.join(CITY)) as city:
        guest = await homes.guest(city)
    async with homes.running(guest) as running:
        with pytest.raises(NotForGuests):
            await ask(running, "opa-config")


LOCAL = """package local

deny contains "NOTHING_LEAVES" if input.request.action == "read"
"""


async def test_local_rules_are_built_signed_and_loaded_and_older_ones_are_not(
    tmp_path: Path, opa: Path
) -> None:
    homes = Homes(tmp_path)
    home = await homes.join(CITY)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "leaves.rego").write_text(LOCAL)
    async with homes.running(home) as running:
        assert running.node.local_rules is None
        first = await ask(running, "build-local-rules", folder=str(rules))
        assert (first["number"], first["tests"], first["leased"]) == (1, 0, True)
    older = home.local_rules.read_bytes()
    assert home.local_rules.stat().st_mode & 0o077 == 0
    async with homes.running(home) as running:
        loaded = running.node.local_rules
        assert loaded is not None
        assert (loaded.number, loaded.revision) == (1, first["digest"])
        assert set(running.node.bundles) == {"rulebook.tar.gz", "local.tar.gz"}
        assert set((await ask(running, "opa-config"))["bundles"]) == {"bylag", "bylag-local"}
        (rules / "leaves.rego").write_text(LOCAL.replace("NOTHING", "LITTLE"))
        assert (await ask(running, "build-local-rules", folder=str(rules)))["number"] == 2
    async with homes.running(home) as running:
        assert running.node.local_rules is not None
        assert running.node.kept_rulebooks.local(first["digest"]).number == 1
    for bundle in (older, home.local_rules.read_bytes()[:-20], b""):
        home.local_rules.write_bytes(bundle)
        await cannot_load(homes, home)
    home.local_rules.unlink()
    await cannot_load(homes, home)


async def cannot_load(homes: Homes, home: Home) -> None:
    async with homes.running(home) as running:
        with pytest.raises(BundleRefused):
            _ = running.node.local_rules
        found = await ask(running, "doctor")
        assert [check["check"] for check in found["checks"] if not check["ok"]] == ["policy engine"]


async def test_opa_polls_both_rules_and_either_one_denies(tmp_path: Path, opa: Path) -> None:
    homes = Homes(tmp_path)
    home = await homes.join(CITY)
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "leaves.rego").write_text(
        'package local\n\ndeny contains "LATE" if input.request.purpose == "https://w3id.org/dpv#Marketing"\n'
    )
    async with homes.running(home) as running:
        await ask(running, "build-local-rules", folder=str(rules))
    port = free_port()
    config = replace(
        read_config(home.config),
        engine=EngineSettings("server", url=f"http://127.0.0.1:{port}", time_limit_ms=10_000),
        bundle=BundleSettings(f"127.0.0.1:{free_port()}"),
    )
    home.config.write_text(config.to_toml())
    async with homes.running(home) as running:
        await running.serve_bundles()
        (tmp_path / "opa.json").write_text(json.dumps(await ask(running, "opa-config")))
        with running_opa(opa, "--config-file", tmp_path / "opa.json", port=port):
            async with asyncio.timeout(30):
                while not (await ask(running, "status"))["engine"]["decides"]:
                    await asyncio.sleep(0.05)
            loaded = running.node.local_rules
            assert loaded is not None
            for purpose, allow in ((SCIENTIFIC, True), (MARKETING, False)):
                decision = await running.node.rules.ask(question(PLAIN, purpose=purpose))
                assert decision.allow is allow
                assert decision.to_json()["local_rules"] == loaded.revision

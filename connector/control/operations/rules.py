"""The rules that decide: what an OPA of one's own must be told to poll them here."""

from __future__ import annotations

import asyncio
from pathlib import Path

from connector.control.joining import NotForGuests
from connector.control.operation import Asked, operation
from connector.identity.public import Job
from connector.policy.opa_config import opa_config
from connector.store.config_engine import BundleSettings
from ledger.canonical import JSON


@operation("opa-config")
async def configuration(asked: Asked) -> JSON:
    """The configuration of an OPA that polls this connector's rules, with the key that signs them."""
    url = asked.arguments.maybe_text("url", limit=300)
    asked.arguments.finish()
    node = asked.running.node
    if node.config.is_guest:
        raise NotForGuests("a guest has no key for bundles: the embedded engine decides")
    settings = node.config.bundle or BundleSettings()
    return opa_config(
        url or f"{'https' if settings.certificate else 'http'}://{settings.listen}",
        node.ring.bundle.public_key(),
        node.ring.thumbprint(Job.BUNDLE),
        has_local_rules=node.home.local_rules.is_file(),
    )


@operation("build-local-rules")
async def build(asked: Asked) -> JSON:
    """Test, compile and sign the participant's own rules."""
    folder = Path(asked.arguments.text("folder", limit=4096))
    asked.arguments.finish()
    node = asked.running.node
    if node.config.is_guest:
        raise NotForGuests("a guest has no key for bundles, and no rules of their own")
    built = await asyncio.to_thread(node.build_local_rules, folder)
    return {
        "digest": built.revision,
        "number": built.number,
        "tests": built.tests,
        "leased": not built.reads_moving,
    }

"""What a stock OPA needs to be told, so that it polls its rules here and takes no others.

Rules that hold here: ``keyid`` and ``scope`` are always named. Without them OPA takes an unsigned bundle.
"""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.policy.bundle import ALGORITHM, LOCAL_SCOPE, RULEBOOK_SCOPE
from ledger.canonical import JSONObject

RULEBOOK_BUNDLE = "rulebook.tar.gz"
"""The name under which the rulebook is served."""

LOCAL_BUNDLE = "local.tar.gz"
"""The name under which the participant's own rules are served, where there are any."""

POLL_SECONDS = (10, 20)


def opa_config(
    url: str,
    key: ec.EllipticCurvePublicKey,
    kid: str,
    *,
    has_local_rules: bool = False,
    poll: tuple[int, int] = POLL_SECONDS,
) -> JSONObject:
    """The configuration file for ``opa run --server --config-file``: JSON, which is YAML too.

    ``url`` is where the connector serves its bundles; ``poll`` the least and the longest pause in seconds.
    """
    bundles: JSONObject = {"bylag": _bundle(RULEBOOK_BUNDLE, kid, RULEBOOK_SCOPE, poll)}
    if has_local_rules:
        bundles["bylag-local"] = _bundle(LOCAL_BUNDLE, kid, LOCAL_SCOPE, poll)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "services": {"bylag": {"url": url}},
        "keys": {kid: {"algorithm": ALGORITHM, "key": pem.decode()}},
        "bundles": bundles,
    }


def _bundle(name: str, kid: str, scope: str, poll: tuple[int, int]) -> JSONObject:
    return {
        "service": "bylag",
        "resource": f"bundles/{name}",
        "polling": {"min_delay_seconds": poll[0], "max_delay_seconds": poll[1]},
        "signing": {"keyid": kid, "scope": scope},
    }

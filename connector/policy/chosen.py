"""The engine that the settings choose."""

from __future__ import annotations

from pathlib import Path

from connector.policy.embedded import EmbeddedEngine
from connector.policy.engine import Engine
from connector.policy.errors import EngineUnavailable
from connector.policy.local import EmbeddedLocal, JoinedEngine, LocalRules, ServerLocal
from connector.policy.rulebook import Rulebook
from connector.policy.server import ServerAddress, ServerEngine
from connector.store.config_engine import EMBEDDED, EngineSettings
from ledger.ambient import Ambient


def chosen_engine(
    settings: EngineSettings, home: Path, rulebook: Rulebook, local: LocalRules | None, ambient: Ambient
) -> Engine:
    """The engine that ``settings`` choose, under ``rulebook`` and ``local`` rules.

    Raises :class:`EngineUnavailable`.
    """
    if settings.kind == EMBEDDED:
        return embedded_engine(rulebook, local)
    try:
        token = settings.token(home)
    except (OSError, UnicodeDecodeError) as error:
        raise EngineUnavailable(
            "the file with the OPA server's token cannot be read",
            next_step="Put the token into the file that `token_file` in connector.toml names.",
        ) from error
    address = ServerAddress(
        host=settings.host,
        port=settings.port,
        is_tls=settings.is_tls,
        token=token,
        client_certificate=settings.client_certificate(home),
    )
    server = ServerEngine(address, rulebook.revision, ambient, time_limit=settings.time_limit_ms / 1000)
    return server if local is None else JoinedEngine(server, local, ServerLocal(server, local))


def embedded_engine(rulebook: Rulebook, local: LocalRules | None) -> Engine:
    """The embedded engine under any rulebook. Raises :class:`EngineUnavailable`."""
    core = EmbeddedEngine(rulebook)
    return core if local is None else JoinedEngine(core, local, EmbeddedLocal(local))

"""Serves signed bundles over HTTP, so that an unmodified OPA polls its rules from the connector.

Rules that hold here:

* A bundle is served with an ETag, its SHA-256: whoever has it already is told so (304), and gets nothing.
* Nothing else is served, and nothing is taken: GET and HEAD of the bundles' paths.
* Plain HTTP is for this machine alone (``connector.store.config_engine``); elsewhere it is TLS. Rules
  are no secret: whoever reaches the address may read them, and the signature says whose they are.
* aiohttp is imported when the server is made, not before.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.errors import BylagError, ErrorKind

if TYPE_CHECKING:
    from aiohttp import web

PREFIX: Final = "/bundles/"
MEDIA_TYPE: Final = "application/gzip"
MAX_REQUEST_BYTES: Final = 16 << 10

Bundles = Callable[[], Mapping[str, bytes]]
"""Gives the bundles that are in force now, by file name."""


class CannotServeBundles(BylagError):
    """The address for bundles is taken, or is not this machine's; or its certificate cannot be read."""

    code = "CANNOT_SERVE_BUNDLES"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Change `listen` under [bundle] in connector.toml, or stop what uses this address."


class BundleServer:
    """The place where OPA polls. Start it once; it serves until :meth:`stop`."""

    def __init__(self, bundles: Bundles) -> None:
        from aiohttp import web  # noqa: PLC0415 - 10 MB that most connectors do without

        self._web = web
        self._bundles = bundles
        application = web.Application(client_max_size=MAX_REQUEST_BYTES)
        application.router.add_get(PREFIX + "{name}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def start(self, address: str, certificate: tuple[Path, Path] | None = None) -> int:
        """Listen on ``host:port`` (port 0 for any free one) and return the port.

        ``certificate`` are the files of chain and key. Raises :class:`CannotServeBundles`.
        """
        host, _, port = address.rpartition(":")
        try:
            context = None
            if certificate is not None:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                context.load_cert_chain(*certificate)
            await self._runner.setup()
            site = self._web.TCPSite(self._runner, host.strip("[]"), int(port), ssl_context=context)
            await site.start()
        except (OSError, ValueError, OverflowError) as error:
            await self._runner.cleanup()
            raise CannotServeBundles(f"bundles cannot be served on {address}") from error
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Hang up."""
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        bundle = self._bundles().get(request.match_info["name"])
        if bundle is None:
            raise self._web.HTTPNotFound
        etag = hashlib.sha256(bundle).hexdigest()
        asked = request.if_none_match or ()  # RFC 9110 section 13.1.2: a list, or "*"
        if any(each.value in (etag, "*") for each in asked):
            answer = self._web.Response(status=304)
        else:
            answer = self._web.Response(body=bundle, content_type=MEDIA_TYPE)
        answer.etag = etag
        return answer

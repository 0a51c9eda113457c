"""The bare baseline of a start: gRPC over the same mutual TLS on uvloop, with one echo method.

``python -m tests.benchmarks.bare FOLDER`` says its port when it serves.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import grpc
import uvloop


async def serve(folder: Path) -> None:
    """Serve until killed."""

    async def echo(request: bytes, _context: Any) -> bytes:
        return request

    read = folder.joinpath
    pair = (read("provider.key").read_bytes(), read("provider.crt").read_bytes())
    roots = read("provider.roots").read_bytes()
    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Echo", {"Echo": handler}),))
    credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    sys.stdout.write(json.dumps({"port": port}) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))

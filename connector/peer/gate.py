"""The gate: every call, of every service, is checked here once.

Rules that hold here:

* Who calls is the TLS key that was shown, looked up in the list as it is *now*; nothing in a message
  says who somebody is.
* What the call needs stands in one table (``connector.peer.rules``); a call that is not there is refused.
* Each peer has an allowance of its own in each lane (``connector.peer.allowance``).
* When a member or a key is barred, its open calls end at once with a status, not with silence. Which
  those are is asked of the list anew: a key that ended takes every call with it, a standing that was
  lost those that need it.
* What a service raises becomes a rich status. What nobody foresaw becomes INTERNAL: it is logged
  here, and the caller is told nothing of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import grpc

from connector.identity.certificate import read_leaf
from connector.identity.directory import Directory
from connector.identity.peer import KeyRefused, NotActive, Peer, Standing, UnknownPeer
from connector.peer.allowance import Allowances
from connector.peer.rules import LET_IN, RULES, Rule
from connector.peer.status import STATUS_KEY, abort, reason_of, status_of
from ledger.ambient import Ambient
from ledger.errors import BylagError, ErrorKind
from ledger.names import ParticipantId, Thumbprint

logger = logging.getLogger("bylag.peer")

caller: ContextVar[Peer] = ContextVar("caller")
"""Who called, inside a handler."""

_KEPT_CERTIFICATES: Final = 1024


class Unlisted(BylagError):
    """A call that no table of rules knows."""

    code = "UNLISTED_CALL"
    kind = ErrorKind.DENIED
    default_next_step = "Call one of the services of connector.v1."


class TooSlow(BylagError):
    """A call took longer than its rule allows."""

    code = "TOO_SLOW"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = "Try again later."


class Unforeseen(BylagError):
    """Something failed that nobody foresaw; the log of the connector has it."""

    code = "INTERNAL"
    kind = ErrorKind.DAMAGED
    default_next_step = "Ask the other side to look into its log at this time."


@dataclass(frozen=True, slots=True)
class _Call:
    """An open call: whose it is, and what it needs."""

    peer: Peer
    rule: Rule


class Gate(grpc.aio.ServerInterceptor):
    """Checks each call against the table, and keeps the open ones so that they can be ended."""

    def __init__(self, directory: Callable[[], Directory], ambient: Ambient) -> None:
        self._directory = directory
        self._ambient = ambient
        self._allowances = Allowances(ambient)
        self._shown: dict[bytes, Any] = {}
        self._open: dict[Any, _Call] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Put the checks in front of a handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return handler
        rule = RULES.get(handler_call_details.method)
        if handler.unary_unary is not None:
            inner = handler.unary_unary

            async def unary(request: Any, context: Any) -> Any:
                async with asyncio.timeout(rule.seconds if rule else None):
                    return await inner(request, context)

            return grpc.unary_unary_rpc_method_handler(
                self._checked(rule, unary), handler.request_deserializer, handler.response_serializer
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(
                self._checked(rule, _as_coroutine(handler.stream_stream)),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._checked(rule, _as_coroutine(handler.unary_stream)),
                handler.request_deserializer,
                handler.response_serializer,
            )
        raise Unlisted("no service of ours streams requests alone")

    def end_calls(self, barred: frozenset[ParticipantId], ended: frozenset[Thumbprint]) -> None:
        """End every open call of ``barred`` that needs full standing, and all under ``ended`` keys.

        And of whoever else has no full standing any more, as when the list itself is contested.
        """
        for context, call in list(self._open.items()):
            error: BylagError
            if call.peer.tls in ended:
                error = KeyRefused("the membership list says that this key is not good any more")
            elif call.rule.standing is Standing.FULL and (call.peer.id in barred or self._is_limited(call)):
                error = NotActive("the membership list no longer allows this call")
            else:
                continue
            code, sentence, details = status_of(error)
            task = asyncio.ensure_future(context.abort(code, sentence, ((STATUS_KEY, details),)))
            task.add_done_callback(_observe)

    def _checked(self, known: Rule | None, inner: Callable[[Any, Any], Awaitable[Any]]) -> Any:
        async def call(request: Any, context: Any) -> Any:
            try:
                rule = _required(known)
                peer = self._admit(rule, context)
                with self._allowances.call(peer.id, rule.standing), self._kept_open(rule, context, peer):
                    caller.set(peer)
                    return await inner(request, context)
            except BylagError as error:
                logger.info("call refused", extra={"reason": reason_of(error)})
                await _end(context, error)
            except TimeoutError:
                await _end(context, TooSlow("the call took too long"))
            except (asyncio.CancelledError, grpc.aio.AbortError):
                raise
            except Exception:
                logger.exception("a call failed in a way that nobody foresaw")
                await _end(context, Unforeseen("the call failed"))

        return call

    def _admit(self, rule: Rule, context: Any) -> Peer:
        shown = context.auth_context().get("x509_pem_cert")
        if not shown:
            raise UnknownPeer("no certificate was shown")
        peer = self._directory().identify(self._read(shown[0]), self._ambient.now())
        if rule.standing is Standing.FULL and peer.standing is not Standing.FULL:
            raise NotActive(f"only protective messages are heard: {peer.limit}")
        return peer

    def _read(self, pem: bytes) -> Any:
        known = self._shown.get(pem)
        if known is None:
            if len(self._shown) >= _KEPT_CERTIFICATES:
                self._shown.clear()
            known = self._shown[pem] = read_leaf(pem)
        return known

    def _is_limited(self, call: _Call) -> bool:
        try:
            return self._directory().limit(call.peer.id, self._ambient.now()) is not None
        except UnknownPeer:
            return True

    @contextmanager
    def _kept_open(self, rule: Rule, context: Any, peer: Peer) -> Iterator[None]:
        self._open[context] = _Call(peer, rule)
        try:
            yield
        finally:
            del self._open[context]


def _required(rule: Rule | None) -> Rule:
    if rule is None:
        raise Unlisted("this call stands in no table")
    return rule


async def _end(context: Any, error: BylagError) -> None:
    """End a call with an error, unless it has ended: what then fails in its handler is only the echo."""
    if not context.done():
        await abort(context, error)


def _as_coroutine(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Awaitable[Any]]:
    """A streaming handler as a coroutine that writes, whether it is a coroutine or yields replies."""

    async def run(request: Any, context: Any) -> None:
        await context.send_initial_metadata(((LET_IN, "1"),))
        replies = handler(request, context)
        if hasattr(replies, "__aiter__"):
            async for reply in replies:
                await context.write(reply)
        else:
            await replies

    return run


def _observe(task: asyncio.Future[Any]) -> None:
    """``abort`` always raises in the task that called it; here that is the expected end."""
    if not task.cancelled():
        task.exception()

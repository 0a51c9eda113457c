"""An OPA server as the engine: a real `opa run`, asked over HTTP through opa-python-client.

Rules that hold here:

* Each question asks for provenance, and only an answer from the rulebook expected counts: a signature
  has no order, so an OPA may hold an older bundle whose signature is good.
* `strict-builtin-errors` is asked for: by default OPA takes a builtin's error for "undefined".
* A question has a time limit, and is sent once: the client's own retrying is off.
* After some failures in a row the circuit opens (`connector.policy.circuit`), and all is denied at once.
* Any failure is a denial, and says in the log which kind of failure, never what was asked.
* The client lives on an event loop of its own, in a thread: so one question is asked in the same way
  from the connector's loop, from the writer's thread and from a command.
* Nothing is ever uploaded to OPA. It polls its rules (`connector.web`), and checks who signed them.
* `opa_client` (and aiohttp below it: some 16 MB) is imported when an engine is made, not before.

Roots other than the system's come in through the variable SSL_CERT_FILE: the client takes none.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from connector.policy.circuit import Circuit
from connector.policy.decision import Decision, decision_from, failure
from connector.policy.engine import Condition, Unanswered
from connector.policy.errors import EngineUnavailable
from connector.policy.input import DecisionInput
from connector.policy.rulebook import ENTRYPOINT, MAX_QUESTION_BYTES, TRACE_ENTRYPOINT
from ledger.ambient import Ambient
from ledger.canonical import JSON, MalformedJson, decode
from ledger.names import RulebookDigest

if TYPE_CHECKING:
    from opa_client.opa_async import AsyncOpaClient

QUERY: Final[Mapping[str, str]] = {"provenance": "true", "strict-builtin-errors": "true"}
"""OPA's REST API, "Get a Document (with Input)"."""

_SLACK_SECONDS: Final = 1.0
"""How much longer than the time limit a caller waits for the thread, before it denies by itself."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where an OPA server listens, and what is shown to it."""

    host: str
    port: int
    is_tls: bool = False
    token: str | None = None
    client_certificate: tuple[str, str] | None = None
    """Paths of certificate and key."""

    def __str__(self) -> str:
        return f"{'https' if self.is_tls else 'http'}://{self.host}:{self.port}"


class ServerEngine:
    """Decides in an OPA server. Making one starts a thread, and asks nothing yet."""

    def __init__(
        self, address: ServerAddress, revision: RulebookDigest, ambient: Ambient, *, time_limit: float = 1.0
    ) -> None:
        """Ask the server at ``address``, ``time_limit`` in seconds. Raises ``EngineUnavailable``."""
        try:
            from aiohttp import ClientError, ClientResponseError  # noqa: PLC0415 - 16 MB, see above
            from opa_client.opa_async import AsyncOpaClient  # noqa: PLC0415
        except ImportError as error:
            raise EngineUnavailable("opa-python-client is not installed") from error
        self._failures = (ClientError, OSError, TimeoutError, ValueError)
        self._refusal = ClientResponseError
        self._make = AsyncOpaClient
        self._address = address
        self._revision = revision
        self._limit = time_limit
        self._circuit = Circuit(ambient)
        self._client: AsyncOpaClient | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="opa-client", daemon=True)
        self._thread.start()

    @property
    def revision(self) -> RulebookDigest:
        return self._revision

    def decide(self, question: DecisionInput) -> Decision:
        try:
            return self.replay(question.encoded)
        except MalformedJson as error:
            return failure(self.revision, error.code)

    def replay(self, recorded: bytes) -> Decision:
        try:
            return decision_from(self.evaluate(recorded, ENTRYPOINT, self.revision), self.revision)
        except Unanswered as error:
            return failure(self.revision, error.code)

    def trace(self, question: bytes) -> JSON:
        return self.evaluate(question, TRACE_ENTRYPOINT, self.revision)

    async def ask(self, question: DecisionInput) -> Decision:
        try:
            answer = await self.evaluated(question.encoded, ENTRYPOINT, self.revision)
        except MalformedJson as error:
            return failure(self.revision, error.code)
        except Unanswered as error:
            return failure(self.revision, error.code)
        return decision_from(answer, self.revision)

    def evaluate(self, recorded: bytes, entrypoint: str, expected: str) -> JSON:
        """What ``entrypoint`` says of a question, under the bundle of revision ``expected``. Blocks.

        Raises :class:`~connector.policy.engine.Unanswered`.
        """
        going = self._begin(recorded, entrypoint, expected)
        try:
            return going.result(self._limit + _SLACK_SECONDS)
        except TimeoutError as error:
            going.cancel()
            raise Unanswered("TimeoutError") from error

    async def evaluated(self, recorded: bytes, entrypoint: str, expected: str) -> JSON:
        """Like :meth:`evaluate`, on an event loop."""
        return await asyncio.wrap_future(self._begin(recorded, entrypoint, expected))

    def _begin(self, recorded: bytes, entrypoint: str, expected: str) -> Future[JSON]:
        if self._loop.is_closed():
            raise Unanswered("closed")
        return asyncio.run_coroutine_threadsafe(self._answer(recorded, entrypoint, expected), self._loop)

    async def look(self) -> Condition:
        """Ask the server for nothing in particular: whether it answers, and with which rulebook."""
        if self._loop.is_closed():
            return Condition("server", False, "closed")
        looking = asyncio.run_coroutine_threadsafe(self._fetch({}, ENTRYPOINT, self.revision), self._loop)
        try:
            await asyncio.wrap_future(looking)
        except Unanswered as wrong:
            return Condition(
                "server",
                False,
                f"the OPA at {self._address} does not decide under our rulebook: {wrong.code}",
                "Let OPA poll the bundle that this connector serves (docs/reference/engines.md).",
            )
        except self._failures as error:
            self._circuit.failed()
            return Condition(
                "server",
                False,
                f"the OPA at {self._address} gives no answer ({type(error).__name__}): everything is denied",
                "Start it, or see what it says in its log; `[engine]` in connector.toml names it.",
            )
        self._circuit.answered()
        return Condition("server", True, f"the OPA at {self._address} answers under the expected rulebook")

    def close(self) -> None:
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(self._limit + _SLACK_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _answer(self, recorded: bytes, entrypoint: str, expected: str) -> JSON:
        if len(recorded) > MAX_QUESTION_BYTES:
            raise Unanswered("question-too-long")
        if not self._circuit.lets_through():
            raise Unanswered("circuit-open")
        question = decode(recorded, max_bytes=MAX_QUESTION_BYTES)
        try:
            answer = await self._fetch(question, entrypoint, expected)
        except Unanswered as error:
            self._circuit.answered()  # it is there, and says the wrong thing
            _log.warning("the OPA server's answer does not count: %s", error.code)
            raise
        except self._failures as error:
            self._circuit.failed()
            _log.warning("the OPA server failed: %s", type(error).__name__)
            raise Unanswered(type(error).__name__) from error
        self._circuit.answered()
        return answer

    async def _fetch(self, question: JSON, entrypoint: str, expected: str) -> JSON:
        async with asyncio.timeout(self._limit):
            client = await self._connected()
            try:
                response = await client.query_rule(question, entrypoint, query_params=dict(QUERY))
            except self._refusal as error:  # it is there: one question's error is not another's
                raise Unanswered(f"http-{error.status}") from error
        return _checked(response, expected)

    async def _connected(self) -> AsyncOpaClient:
        if self._client is None:
            client = self._make(
                host=self._address.host,
                port=self._address.port,
                ssl=self._address.is_tls,
                cert=self._address.client_certificate,
                token=self._address.token,
                retries=0,
                timeout=self._limit,
            )
            await client._init_session()  # noqa: SLF001 - what its `async with` does, without an end
            self._client = client
        return self._client

    async def _hang_up(self) -> None:
        """After the questions that are open: each ends within its time limit, and somebody waits for it."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others)
        if self._client is not None:
            await self._client.close_connection()


def _checked(response: Any, expected: str) -> JSON:
    """The result, if it comes from the bundle expected. Raises ``Unanswered``."""
    if not isinstance(response, dict):
        raise Unanswered("answer-shape")
    if expected not in revisions(response.get("provenance")):
        raise Unanswered("other-rulebook")
    result: JSON = response.get("result")
    return result


def revisions(provenance: Any) -> frozenset[str]:
    """The revisions of the bundles that an answer rests on, as OPA's provenance lists them."""
    bundles = provenance.get("bundles") if isinstance(provenance, dict) else None
    if not isinstance(bundles, dict):
        return frozenset()
    named = (each.get("revision") for each in bundles.values() if isinstance(each, dict))
    return frozenset(revision for revision in named if isinstance(revision, str))

"""A channel on which nobody is taken for a stranger because of an old list.

Rules that hold here (DESIGN.md, "Who is who"; LEDGER.md section 3): every signed message names the
membership list of its sender, and a key counts when a list contains it. So before a message whose key
is not known is handed on, the list that it names is fetched. What the message says is not believed:
the registrar's signatures decide about the list, and whoever verifies the message about the message.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto

from connector.exchange.channel import Channel, Message, Signed
from connector.exchange.conversation import MAX_MESSAGE_BYTES
from connector.exchange.ground import Ground
from ledger.document import SignedDocument, header_of
from ledger.errors import BylagError
from ledger.fields import Fields
from ledger.names import ParticipantId


class _Nothing(Enum):
    """Nothing is waiting to be handed on; None says that the other side has finished."""

    NOTHING = auto()


class NewestList:
    """A channel, whose signed messages come with the list that they were signed under."""

    def __init__(self, ground: Ground, channel: Channel) -> None:
        self._ground = ground
        self._channel = channel
        self._taken: Message | _Nothing | None = _Nothing.NOTHING
        """What was received and not handed on yet: giving up the wait loses nothing."""

    @property
    def peer(self) -> str:
        return self._channel.peer

    async def send(self, message: Message) -> None:
        await self._channel.send(message)

    async def receive(self) -> Message | None:
        """The next message, after the list that it names."""
        if isinstance(self._taken, _Nothing):
            self._taken = await self._channel.receive()
        if isinstance(self._taken, Signed):
            # Whatever fails here, the message is judged all the same, by the list that is held.
            with suppress(BylagError):
                await self._learn(self._taken.document)
        message, self._taken = self._taken, _Nothing.NOTHING
        return message

    async def _learn(self, document: SignedDocument) -> None:
        peer = ParticipantId(self.peer)
        try:
            self._ground.standing.key(peer, header_of(document.jws).kid)
        except BylagError:
            listed = Fields(document.content(max_bytes=MAX_MESSAGE_BYTES)).object("list")
            number = listed.integer("number", least=1)
            await self._ground.lists.compare(peer, number, listed.digest("hash"))

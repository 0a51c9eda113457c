"""Step 7: neither side can deny the exchange later, even with a rewritten log.

Rules that hold here (LEDGER.md sections 3 and 4):

* Each side publishes a checkpoint over its last record of the exchange and shows it with a proof
  that it extends what the other cosigned before. The other checks that, remembers it durably, and
  only then cosigns.
* Then each signs a Seal: the inclusion proof of its last record under that checkpoint. The other
  compares the record's number with the one promised in the message, and the proof with the root it
  cosigned.
* The counterpart's cosignature is no independent witness's, and nothing here calls it one.
* A Seal that does not come about undoes nothing: the exchange is complete, its log head unsealed,
  and the next exchange shows a later checkpoint over the same records.
* Publishing waits for the writer. So a proof is made before the job that records the Seal, never in
  it: the writer would wait for the publisher, and the publisher for the writer.
* A person's exchange ends with a Seal like a member's. Their log's name and key, their cosignature and
  what was cosigned of their log lead to them: in a leaf these stand as commitments, and on no note that
  others see.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from typing import Final

from connector.exchange.channel import (
    Channel,
    CheckpointCosigned,
    CheckpointShown,
    Heartbeat,
    Message,
    Signed,
)
from connector.exchange.conversation import Conversation, OutOfTurn
from connector.exchange.ground import Ground
from connector.exchange.messages import Seal
from connector.store.writer import Transaction
from ledger import log
from ledger.canonical import JSONObject
from ledger.checkpoint import SignedCheckpoint, open_checkpoint
from ledger.errors import BylagError, ErrorKind
from ledger.names import LeafHash, LeafIndex, ParticipantId
from ledger.note import VerifierKey, parse, parse_verifier_key
from ledger.side import SHARED
from ledger.tree import BadProof, check_inclusion

logger = logging.getLogger("bylag.seal")

SEAL_SECONDS: Final = 10.0


class RolledBack(BylagError):
    """This participant's log is shorter than one that it signed: its store was restored from before."""

    code = "ROLLED_BACK"
    kind = ErrorKind.DAMAGED
    default_next_step = "Stop. Restore the newest store there is; releases stay barred until the restart."


@dataclass(frozen=True, slots=True)
class Counterlog:
    """The counterpart's log: its own key, and the key by which the counterpart cosigns ours."""

    key: VerifierKey
    witness: VerifierKey
    promised: int
    """The number that the counterpart's last message of the exchange promised for its record."""


async def seal(ground: Ground, channel: Channel, conversation: Conversation, theirs: Counterlog) -> bool:
    """Swap checkpoints, cosignatures and Seals. False when it did not come about; raises nothing for that."""
    try:
        async with asyncio.timeout(SEAL_SECONDS):
            await _Sealing(ground, channel, conversation, theirs).run()
    except (BylagError, TimeoutError) as error:
        logger.warning("an exchange was not sealed", extra={"reason": getattr(error, "code", "TIMEOUT")})
        return False
    return True


def counterlog(ground: Ground, peer_log: str, peer: ParticipantId, promised: int) -> Counterlog | None:
    """What is needed to seal with ``peer``; None where there can be no Seal.

    So it is where the agreement names a log key that the list, or the guest's credential, does not, and
    for somebody whose witness key has ended.
    """
    try:
        key = parse_verifier_key(peer_log)
        ground.standing.require_log_key(peer, key)
        return Counterlog(key, ground.standing.witness_key(peer, key.name), promised)
    except BylagError as error:
        logger.warning("an exchange was not sealed", extra={"reason": error.code})
        return None


@dataclass(frozen=True, slots=True)
class _Place:
    """This side's last record of the exchange, and the proof that it lies under a checkpoint."""

    index: LeafIndex
    hash: LeafHash
    record: int
    proof: tuple[str, ...]


class _Sealing:
    def __init__(
        self, ground: Ground, channel: Channel, conversation: Conversation, theirs: Counterlog
    ) -> None:
        self._ground = ground
        self._channel = channel
        self._conversation = conversation
        self._theirs = theirs
        self._holder: str = conversation.scope.person or SHARED

    async def run(self) -> None:
        last = await self._publish()
        await self._show(last, await asyncio.to_thread(self._cosigned_before))
        shown: SignedCheckpoint | None = None
        cosigned = said = heard = False
        while not (cosigned and said and heard):
            message = await self._next()
            if isinstance(message, CheckpointShown):
                shown = await self._cosign(message)
            elif isinstance(message, CheckpointCosigned):
                cosigned = await self._take_cosigned(message, last)
            elif isinstance(message, Signed) and shown is not None:
                await self._take_seal(message, shown)
                heard = True
            else:
                raise OutOfTurn("this message has no place in a Seal", field="body")
            if cosigned and not said:
                place = await asyncio.to_thread(self._place, last)
                saying = partial(self._say, last=last, place=place)
                await self._channel.send(await self._ground.writer.write(saying))
                said = True

    async def _publish(self) -> SignedCheckpoint:
        notary = self._ground.notary
        await asyncio.to_thread(notary.publish, seal=True)
        last = notary.last
        if last is None:
            raise OutOfTurn("the log has no checkpoint")
        return last

    def _cosigned_before(self) -> int:
        """The largest size of our log that the counterpart cosigned."""
        with self._ground.database.read_sqlite() as connection:
            row = connection.execute(
                "SELECT max(size) FROM cosignature WHERE name = ?", (self._theirs.witness.name,)
            ).fetchone()
        return int(row[0] or 0)

    async def _show(self, last: SignedCheckpoint, old: int) -> None:
        size = last.checkpoint.size
        proof = await asyncio.to_thread(self._ground.notary.consistency, old, size) if old < size else []
        note = bytes(last.note).decode()
        await self._channel.send(CheckpointShown(note, old, tuple(proof)))

    async def _cosign(self, shown: CheckpointShown) -> SignedCheckpoint | None:
        """Cosign what is shown; None, and the size to show it from, where it does not grow from there."""
        note = shown.note.encode()
        notary, theirs = self._ground.notary, self._theirs.key

        def record(transaction: Transaction) -> CheckpointCosigned:
            known = notary.cosigned_size(transaction.sqlite, theirs.name)
            if known not in {shown.old_size, 0}:
                return CheckpointCosigned(
                    notary.cosigned_note(transaction.sqlite, theirs.name).decode(), known
                )
            cosigned = notary.cosign(transaction, theirs, note, list(shown.proof), self._holder)
            return CheckpointCosigned(bytes(cosigned).decode())

        answer = await self._ground.writer.write(record)
        await self._channel.send(answer)
        return None if answer.known_size else open_checkpoint(note, theirs)

    async def _take_cosigned(self, message: CheckpointCosigned, last: SignedCheckpoint) -> bool:
        if message.known_size:
            # What they cosigned last is not what we remember: show the growth from there.
            if self._ground.notary.signed_beyond(message.note.encode()):
                self._ground.bars.stop("ROLLED_BACK")
                raise RolledBack("the other side holds a checkpoint that this log signed and no longer has")
            await self._show(last, message.known_size)
            return False
        note = parse(message.note.encode())
        if note.text != last.note.text:
            raise OutOfTurn("another checkpoint was cosigned than the one shown", field="note")
        notary, witness = self._ground.notary, self._theirs.witness
        await self._ground.writer.write(
            lambda transaction: notary.take_cosignature(transaction, note, witness, self._holder)
        )
        return True

    def _place(self, last: SignedCheckpoint) -> _Place:
        """The last record of the exchange under ``last``. Blocks; not on the writer's thread."""
        size = last.checkpoint.size
        with self._ground.database.read_sqlite() as connection:
            row = connection.execute(
                "SELECT idx, hash, aseq FROM leaf WHERE chain = ? AND idx < ? ORDER BY aseq DESC LIMIT 1",
                (self._ground.recorder.chain(connection, self._conversation.scope), size),
            ).fetchone()
        if row is None:
            raise log.NoSuchLeaf("the exchange has no record under the checkpoint")
        index = LeafIndex(row[0])
        proof = tuple(node.hex() for node in self._ground.notary.inclusion(index, size))
        return _Place(index, LeafHash(row[1]), int(row[2]), proof)

    def _say(self, transaction: Transaction, last: SignedCheckpoint, place: _Place) -> Signed:
        """Our Seal: the last record of the exchange lies under the checkpoint."""
        checkpoint = last.checkpoint
        body = Seal(
            leaf=place.hash.hex(),
            record=place.record,
            index=place.index,
            size=checkpoint.size,
            root=checkpoint.root.hex(),
            proof=place.proof,
        )
        head: JSONObject = {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
        }
        return self._conversation.say(transaction, body, members={"head": head, "refers": place.hash.hex()})

    async def _take_seal(self, message: Signed, shown: SignedCheckpoint) -> None:
        body = self._conversation.hear(message)
        checkpoint = shown.checkpoint
        if not isinstance(body, Seal):
            raise OutOfTurn("a Seal is expected", field="type")
        if (body.size, body.root) != (checkpoint.size, checkpoint.root.hex()):
            raise OutOfTurn("the Seal is under another checkpoint than the one shown", field="size")
        if body.record < self._theirs.promised:
            raise OutOfTurn("the Seal's record stands before the one that was promised", field="record")
        try:
            check_inclusion(
                bytes.fromhex(body.leaf),
                body.index,
                body.size,
                [bytes.fromhex(node) for node in body.proof],
                checkpoint.root,
            )
        except BadProof as error:
            raise OutOfTurn("the Seal's proof does not hold", field="proof") from error
        head: JSONObject = {"origin": checkpoint.origin, "size": body.size, "root": body.root}
        await self._ground.writer.write(
            lambda transaction: self._conversation.record_heard(
                transaction, "seal", message.document, {"peer_head": head}
            )
        )

    async def _next(self) -> Message:
        while True:
            message = await self._channel.receive()
            if message is None:
                raise OutOfTurn("the other side ended the stream before the Seal")
            if not isinstance(message, Heartbeat):
                return message

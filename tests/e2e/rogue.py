"""A connector that can be led astray: ``python -m tests.e2e.rogue --home HOME``.

It is the connector as it is, but for what it hands to the wire and where its clock stands. The file
``lie`` in its home says how it lies: ``frame`` (another frame than it committed to), ``digest`` (a
Commit whose digests are of other bytes) or ``end`` (an End that claims more than was acknowledged).
When it has lied the file is gone. The file ``clock`` says how many milliseconds its clock is off.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from connector.cli import serving
from connector.control.perform import run_loop
from connector.exchange.channel import Frame, Message, Signed
from connector.identity.keys import KeyRing
from connector.peer import services
from connector.peer.stream import StreamChannel
from connector.store.home import Home
from ledger.ambient import SystemAmbient
from ledger.canonical import decode_object
from ledger.document import header_of, sign
from ledger.names import Milliseconds

HOME = Home(Path(sys.argv[sys.argv.index("--home") + 1]))
LIE = HOME.folder / "lie"
CLOCK = HOME.folder / "clock"
machine_time = SystemAmbient.now


def time_here(self: SystemAmbient) -> Milliseconds:
    """The machine's clock, and what it is off."""
    return Milliseconds(machine_time(self) + (int(CLOCK.read_text()) if CLOCK.exists() else 0))


class LyingChannel(StreamChannel):
    """Tells one lie in each exchange for which there is one."""

    async def send(self, message: Message) -> None:
        await super().send(_changed(message))


def _changed(message: Message) -> Message:
    lie = LIE.read_text() if LIE.exists() else ""
    if lie == "frame" and isinstance(message, Frame):
        LIE.unlink()
        return Frame(bytes(message.data[:-1]) + bytes([message.data[-1] ^ 1]))
    if isinstance(message, Signed):
        kind = header_of(message.document.jws).kind
        content = decode_object(message.document.payload)
        if lie == "digest" and kind == "commit":
            digests = content["digests"]
            assert isinstance(digests, list)
            digests[-1] = content["digest"] = "ab" * 32
        elif lie == "end" and kind == "end":
            content["bytes"] = int(str(content["bytes"])) + 1
        else:
            return message
        LIE.unlink()
        key = KeyRing.load(HOME.keys, SystemAmbient(), None).sign
        return Signed(sign(content, key), message.opening)
    return message


if __name__ == "__main__":
    SystemAmbient.now = time_here  # type: ignore[method-assign]  # for everything that runs here
    services.StreamChannel = LyingChannel  # type: ignore[attr-defined]  # the same
    serving.log_to_standard_error(logging.INFO)
    run_loop(serving.serve(HOME, None, None))

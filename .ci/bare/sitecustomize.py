"""Put on PYTHONPATH, this makes Python as bare as on a machine without uvloop and Unix sockets.

Whoever verifies a ledger may sit at any machine: the commands that verify must not need either.
"""

import socket
import sys

sys.modules["uvloop"] = None  # type: ignore[assignment]  # importing it now raises ImportError
del socket.AF_UNIX

"""Opening the one database file, for its writer and for readers.

Rules that hold here:

* WAL with ``synchronous=FULL``: what COMMIT returned for is on the disk (sqlite.org/pragma.html).
* Transactions are begun by hand (``isolation_level=None``): the driver never opens or closes one
  behind the writer's back.
* Foreign keys are enforced; a reader never waits for the writer, nor the writer for readers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from ledger.errors import BylagError, ErrorKind

BUSY_SECONDS: Final = 5.0
PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA secure_delete=ON",
)


class StoreUnavailable(BylagError):
    """The database cannot be written: full, failing, or stopped after a failed sync."""

    code = "STORE_UNAVAILABLE"
    kind = ErrorKind.UNAVAILABLE
    default_next_step = (
        "Look at the disk (space, health), then restart the connector; `bylag doctor` tells more."
    )


class Database:
    """The database of one home: an engine whose connections are all set up alike."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engine: Engine = create_engine(
            f"sqlite:///{path}",
            poolclass=QueuePool,
            pool_size=4,
            max_overflow=4,
            hide_parameters=True,  # an error's text is logged, and what was bound may name a person
            connect_args={
                "isolation_level": None,
                "check_same_thread": False,
                "timeout": BUSY_SECONDS,
                "cached_statements": 512,
            },
        )
        event.listen(self.engine, "connect", _set_up)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; each statement sees what was committed when it began."""
        with self.engine.connect() as connection, Session(bind=connection) as session:
            yield session

    @contextmanager
    def read_sqlite(self) -> Iterator[sqlite3.Connection]:
        """The driver's own connection, for the ledger's readers."""
        with self.engine.connect() as connection:
            yield driver_connection(connection.connection.driver_connection)

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def driver_connection(connection: object) -> sqlite3.Connection:
    """Narrow what SQLAlchemy calls the driver's connection to what it is here."""
    if not isinstance(connection, sqlite3.Connection):
        raise StoreUnavailable("the database driver is not sqlite3")
    return connection


def _set_up(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in PRAGMAS:
        connection.execute(pragma)

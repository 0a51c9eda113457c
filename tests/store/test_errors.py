"""What a database error says, wherever it ends up: nothing of what was stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from connector.store.database import Database
from connector.store.migrate import migrate
from connector.store.tables import PeerRow

HANDLE = "guest:5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"


def test_an_error_of_the_database_names_nobody(tmp_path: Path) -> None:
    database = Database(tmp_path / "bylag.db")
    migrate(database)
    with database.engine.begin() as connection, Session(bind=connection) as session:
        session.add(PeerRow(id=HANDLE))
        session.commit()
    with pytest.raises(IntegrityError) as raised, database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO peer (id, received) VALUES (?, 0)", (HANDLE,))
    assert HANDLE not in str(raised.value)
    assert HANDLE not in repr(raised.value)
    database.close()

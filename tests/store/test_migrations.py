"""The database's form is what the migrations give, and it is what the tables say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel

import connector.store.tables  # noqa: F401  # makes the tables known
from connector.store.database import Database
from connector.store.migrate import HEAD, MIGRATIONS, NewerStore, migrate, revision
from ledger.schema import STATEMENTS


def test_migrations_give_what_the_tables_say(tmp_path: Path) -> None:
    database = Database(tmp_path / "bylag.db")
    migrate(database)
    ledgers = {"leaf", "side_row", "checkpoint", "cosignature", "cosigned"}
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        found = compare_metadata(context, SQLModel.metadata)
    database.close()
    assert [each for each in found if not (each[0].startswith("remove") and _table(each) in ledgers)] == []
    assert len(STATEMENTS) >= len(ledgers)


def test_migrating_again_does_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "bylag.db")
    migrate(database)
    migrate(database)
    assert revision(database) == HEAD
    database.close()


def test_the_newest_migration_is_the_one_that_the_code_knows() -> None:
    newest = max(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("0*.py"))
    assert newest == HEAD


def test_a_store_of_a_newer_form_is_refused(tmp_path: Path) -> None:
    database = Database(tmp_path / "bylag.db")
    migrate(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(NewerStore):
        migrate(database)
    database.close()


def _table(found: tuple[Any, ...]) -> str:
    subject = found[1]
    return str(getattr(subject, "name", "") if found[0] == "remove_table" else subject.table.name)

"""Bringing a home's database to today's form.

Rules that hold here: the form is given by the migrations alone (``connector/store/migrations``); a
database of a newer form is refused, not guessed at. Alembic is loaded only when there is something to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import inspect, text

from connector.store.database import Database
from ledger.errors import BylagError, ErrorKind

HEAD: Final = "0001"
"""The newest migration; a test compares it with the folder."""
MIGRATIONS: Final = Path(__file__).parent / "migrations"


class NewerStore(BylagError):
    """The database was written by a newer version of this software."""

    code = "NEWER_STORE"
    kind = ErrorKind.CONFLICT
    default_next_step = "Run the version of bylag that wrote this home, or a newer one."


def migrate(database: Database) -> None:
    """Run what is missing. Raises :class:`NewerStore`."""
    current = revision(database)
    if current == HEAD:
        return
    known = {path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py")}
    if current is not None and current not in known:
        raise NewerStore(f"the database has the form {current}, this software knows up to {HEAD}")
    from alembic import command  # noqa: PLC0415  # 12 MB that a serving process does not need
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def revision(database: Database) -> str | None:
    """The form that the database has; None for an empty one."""
    with database.engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

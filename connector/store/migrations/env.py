"""Runs migrations on the connection that ``connector.store.migrate`` hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import connector.store.tables  # noqa: F401  # makes the tables known

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
# One transaction for all that is missing, begun and ended here: the connection leaves both to its user.
connection.exec_driver_sql("BEGIN IMMEDIATE")
context.run_migrations()
connection.exec_driver_sql("COMMIT")

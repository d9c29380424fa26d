"""What Alembic runs: the migrations, on the connection and in the transaction of `database.migrate`."""

from __future__ import annotations

from alembic import context

from git_agent_session.sql.database import LEDGER
from git_agent_session.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=LEDGER,
    render_as_batch=False,
)
context.run_migrations()

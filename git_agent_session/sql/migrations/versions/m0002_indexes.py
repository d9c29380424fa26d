"""Indexes for the questions that people ask: by commit, by file, by tool, by kind, by time.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision: str | None = "0001"
branch_labels = None
depends_on = None

# texts without a bound take a hash in PostgreSQL, whose b-trees hold 2,700 bytes a row at most
INDEXES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("commits_commit", "commits", ("commit_id",), "btree"),
    ("events_kind", "events", ("kind",), "btree"),
    ("files_path", "files", ("path",), "hash"),
    ("files_session", "files", ("repository", "session"), "btree"),
    ("sessions_started", "sessions", ("started_at",), "btree"),
    ("tools_name", "tools", ("name",), "hash"),
)


def upgrade() -> None:
    """Make the indexes."""
    for name, table, columns, kind in INDEXES:
        op.create_index(name, table, list(columns), postgresql_using=kind)


def downgrade() -> None:
    """Drop them."""
    for name, table, _, _ in INDEXES:
        op.drop_index(name, table_name=table)

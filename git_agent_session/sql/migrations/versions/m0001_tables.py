"""The tables of the first release.

Revision ID: 0001
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision: str | None = None
branch_labels = None
depends_on = None

JSON = sa.Text().with_variant(postgresql.JSONB(), "postgresql")

TEXT, WHOLE, REAL = sa.Text(), sa.BigInteger(), sa.Float(53)

# table -> the columns past repository and session, and those of them that are its key; None for a table without one
TABLES: dict[str, tuple[dict[str, Any], tuple[str, ...] | None]] = {
    "agents": (
        {
            "agent_id": TEXT,
            "type": TEXT,
            "model": TEXT,
            "alias": TEXT,
            "native_id": TEXT,
            "status": TEXT,
            "checkpoint": TEXT,
            "started_at": TEXT,
            "ended_at": TEXT,
            "data": JSON,
        },
        ("agent_id",),
    ),
    "commits": (
        {
            "commit_id": TEXT,
            "at": TEXT,
            "via": TEXT,
            "is_primary": WHOLE,
            "tree": TEXT,
            "patch_id": TEXT,
            "rewritten_from": TEXT,
            "replaced_by": TEXT,
        },
        ("commit_id",),
    ),
    "events": (
        {"id": TEXT, "at": TEXT, "kind": TEXT, "clock": WHOLE, "waits": WHOLE, "data": JSON},
        ("id",),
    ),
    "files": (
        {"path": TEXT, "event": TEXT, "commit_id": TEXT},
        None,
    ),
    "messages": (
        {"event": TEXT, "at": TEXT, "role": TEXT, "type": TEXT, "text": TEXT},
        ("event",),
    ),
    "sessions": (
        {
            "status": TEXT,
            "goal": TEXT,
            "title": TEXT,
            "type": TEXT,
            "project": TEXT,
            "user": TEXT,
            "parent": TEXT,
            "message": TEXT,
            "phase": TEXT,
            "agent": TEXT,
            "agent_version": TEXT,
            "model": TEXT,
            "native_id": TEXT,
            "started_at": TEXT,
            "updated_at": TEXT,
            "ended_at": TEXT,
            "duration_ms": WHOLE,
            "events": WHOLE,
            "messages": WHOLE,
            "tools": WHOLE,
            "commits": WHOLE,
            "errors": WHOLE,
            "input_tokens": WHOLE,
            "output_tokens": WHOLE,
            "cache_read_tokens": WHOLE,
            "cache_write_tokens": WHOLE,
            "cost_usd": REAL,
            "data": JSON,
            "clone": TEXT,
            "version": TEXT,
        },
        (),
    ),
    "snapshots": (
        {"event": TEXT, "at": TEXT, "type": TEXT, "file_count": WHOLE, "token_estimate": WHOLE},
        ("event",),
    ),
    "tags": (
        {"tag": TEXT},
        ("tag",),
    ),
    "tools": (
        {"event": TEXT, "at": TEXT, "name": TEXT, "outcome": TEXT, "duration_ms": REAL, "summary": TEXT},
        ("event",),
    ),
    "usage": (
        {
            "event": TEXT,
            "at": TEXT,
            "model": TEXT,
            "input_tokens": WHOLE,
            "output_tokens": WHOLE,
            "cache_read_tokens": WHOLE,
            "cache_write_tokens": WHOLE,
            "reasoning_tokens": WHOLE,
            "cost_usd": REAL,
            "duration_ms": REAL,
        },
        ("event",),
    ),
}
NULLABLE = [
    ("messages", "at"),
    ("messages", "role"),
    ("messages", "text"),
    ("messages", "type"),
    ("snapshots", "file_count"),
    ("snapshots", "token_estimate"),
    ("tools", "duration_ms"),
]


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "repositories",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("copied_at", sa.Text(), nullable=False),
    )
    for name, (columns, key) in TABLES.items():
        keyed = key is not None
        op.create_table(
            name,
            sa.Column("repository", sa.Integer(), sa.ForeignKey("repositories.id"), primary_key=keyed, nullable=False),
            sa.Column("session", sa.Text(), primary_key=keyed, nullable=False),
            *(
                sa.Column(c, kind, primary_key=c in (key or ()), nullable=(name, c) in NULLABLE)
                for c, kind in columns.items()
            ),
        )


def downgrade() -> None:
    """Drop them, with all that they hold."""
    for name in reversed(TABLES):
        op.drop_table(name)
    op.drop_table("repositories")

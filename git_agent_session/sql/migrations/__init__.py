"""The migrations of a shared database, for Alembic; each goes up and down, and is never changed once released."""

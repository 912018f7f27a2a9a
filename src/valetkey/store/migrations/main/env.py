"""Alembic's entry for the main database; the connection is handed in by `migrate`."""

from alembic import context

from valetkey.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.main,
    version_table="schema_version_main",
    render_as_batch=True,
)
context.run_migrations()

"""Alembic's entry for the keyring database; the connection is handed in by `migrate`."""

from alembic import context

from valetkey.store import schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=schema.keyring,
    version_table="schema_version_keyring",
    render_as_batch=True,
)
context.run_migrations()

"""The database: engines, schema, migrations, leases and notifications, on SQLite and on PostgreSQL.

Owns the tables and how they come to be. Knows no room's meaning: a room's own SQL is in its `repository.py`.
"""

"""What the role that a hub runs as may do on PostgreSQL, table by table: one matrix, from which the SQL is made (T52).

One role owns the tables and migrates; the hub runs as another, which changes no table, owns none, and is behind
row-level security that not even the owner is spared (FORCE). Every table stands in exactly one place here: a new one
that does not stops the tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from valetkey.kernel.errors import StartRefused
from valetkey.store import schema
from valetkey.store.database import Database
from valetkey.store.migrations import Which, migrate

_ALL: Final = "select, insert, update, delete"
_VERSIONS: Final[Mapping[Which, str]] = {"main": "schema_version_main", "keyring": "schema_version_keyring"}
_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}")

FIXED: Final[Mapping[str, str]] = {
    # What is written once. Of the trail only what erasure takes: a leaf's record, never its place or hash, and the
    # event beside it; that a record went without a deletion in the log, its verification finds (docs/trail.md).
    "trail_checkpoint": "select, insert",
    "trail_leaf": "select, insert, update (record)",
    "trail_event": "select, insert, delete",
    "trail_head": "select, insert, update",
    "privacy_policy": "select, insert",
    "submission_agreed": "select, insert",
    "deployment": "select, insert, update",
    **dict.fromkeys(_VERSIONS.values(), "select"),
}
"""What differs from `_ALL`."""

_SETTING = "current_setting('valetkey.{}', true)"
_REACH, _PERSON, _ORGANIZATION = (_SETTING.format(name) for name in ("reach", "person", "organization"))
_COLLEAGUES = f"select m.person_id from membership m where m.organization_id = {_ORGANIZATION}"  # noqa: S608 – of constants
_OF_PERSON = f"person_id = {_PERSON} or {_REACH} = 'organization' and "
_BY_COLUMN = _OF_PERSON + f"organization_id = {_ORGANIZATION}"
_BY_MEMBER = _OF_PERSON + f"person_id in ({_COLLEAGUES})"


def _through(table: str, column: str) -> str:
    """Whose a row is, is written in another, which is behind the same wall."""
    return f"exists (select 1 from {table} t where t.id = {column})"  # noqa: S608 – of constants below


WALLED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("connection", "call_record", "kept_result", "approval", "standing_approval", "alert"), _BY_COLUMN),
    **dict.fromkeys(
        (
            *("connect_attempt", "oauth_trace", "receipt", "taint", "profile", "erasure", "training_consent"),
            *("oauth_consent", "token_family", "access_token", "browser_session", "passkey", "password"),
            "privacy_seen",
        ),
        _BY_MEMBER,
    ),
    **dict.fromkeys(
        (
            *("tool_snapshot", "tool_pin", "listed_pin", "tool_permission", "scope_challenge", "tombstone"),
            "approval_use",
        ),
        _through("connection", "connection_id"),
    ),
    **dict.fromkeys(("refresh_token", "authorization_code"), _through("token_family", "family_id")),
    "profile_choice": _through("profile", "profile_id"),
    "training_item": _through("training_consent", "consent_id"),
    "idempotent_request": f"whose = {_PERSON}",
    # What is sealed for the hub itself, its clients at services, is nobody's; what is sealed for a person has a tenant.
    "secret": f"tenant = {_ORGANIZATION} or tenant not like 'org\\_%'",
}
"""Tables of what people have here, and which rows of them a person's request reaches; the hub's own work has all."""

OPEN: Final = frozenset(
    {
        # who there is, which colleagues see, and what is looked up before anybody is known
        *("organization", "person", "membership", "external_identity", "signin_link", "signin_failure"),
        *("passkey_challenge", "sign_in_attempt", "sign_in_provider", "organization_domain", "oauth_client"),
        *("client_registration", "provisioning_token", "provisioned_person", "provisioned_group"),
        *("provisioned_member", "reviewer"),
        # what can be connected, and what an organization says about it
        *("connector", "takedown", "submission", "submission_agreed", "review_run", "registry_server"),
        *("registry_run", "tool_acceptance", "upstream_era", "ceiling", "enabled_vertical", "log_level", "feed"),
        *("connector_audience", "organization_hosts", "listing_look", "submission_entry"),
        "submission_picture",
        *("connector_request", "connector_request_asker", "organization_rules"),
        *("retention_time", "retention_run", "legal_hold", "owed_erasure", "invitation"),
        # the hub's own
        *("deployment", "authorization_server", "client_identity", "client_key", "privacy_policy", "spent_state"),
        *("schema_version_main", "lease", "trail_event", "trail_leaf", "trail_head", "trail_checkpoint", "trail_sink"),
    }
)
"""Tables without a wall."""


def tables_of(which: Which) -> Sequence[str]:
    metadata = schema.main if which == "main" else schema.keyring
    return sorted((*metadata.tables, _VERSIONS[which]))


def granted(table: str) -> str:
    """What the role that a hub runs as may do with it."""
    return FIXED.get(table, _ALL)


def statements(which: Which, role: str) -> list[str]:
    """The SQL that makes `role` what this page says. It can be run again; the tables' owner runs it."""
    if not _ROLE.fullmatch(role):
        raise StartRefused(
            "The name of the role that the hub runs as cannot be used.", hint="Take small letters, digits and _."
        )
    sql = [
        "revoke create on schema public from public",
        f"revoke create on schema public from {role}",
        f"grant usage on schema public to {role}",
    ]
    for table in tables_of(which):
        sql += [f"revoke all on table {table} from {role}", f"grant {granted(table)} on table {table} to {role}"]
    if which == "main":
        sql.append(f"revoke all on sequence trail_event_seq_seq from {role}")
        sql.append(f"grant usage on sequence trail_event_seq_seq to {role}")
        for table, mine in WALLED.items():
            sql += [
                f"alter table {table} enable row level security",
                f"alter table {table} force row level security",
                f"drop policy if exists whose on {table}",
                f"create policy whose on {table} using ({_REACH} = 'hub' or ({mine}))",
            ]
    return sql


async def build_walls(which: Which, *, owner_url: str, runtime_url: str) -> None:
    """Migrates as the owner, and lays down what the other may do. Nothing without `owner_url`. May refuse the start."""
    if not owner_url:
        return
    roles = [_role_in(url) for url in (owner_url, runtime_url)]
    owner, runtime = Database.open(owner_url), Database.open(runtime_url)
    try:
        await migrate(owner, which)
        await lay_down(owner, which, roles[1])
        await demand_no_power(runtime)
    finally:
        await owner.close()
        await runtime.close()


def _role_in(url: str) -> str:
    try:
        role = make_url(url).username if url.startswith("postgres") else None
    except ArgumentError:
        role = None
    if not role:
        raise StartRefused(
            "Roles of their own are for PostgreSQL, and each URL names one.",
            hint="Give both databases as postgresql://ROLE@host/name; docs/postgresql.md says how.",
        )
    return role


async def lay_down(owner: Database, which: Which, role: str) -> None:
    """Runs `statements` as the owner of the tables, in one transaction."""
    async with owner.write() as tx:
        # `execute` would read a percent sign or a colon as a parameter.
        for statement in statements(which, role):
            await tx.exec_driver_sql(statement)


async def demand_no_power(runtime: Database) -> None:
    """Raises `StartRefused` for a role that no wall holds."""
    query = text(
        "select r.rolsuper or r.rolbypassrls or exists (select 1 from pg_class c join pg_namespace n"
        " on n.oid = c.relnamespace where n.nspname = 'public' and c.relkind = 'r'"
        " and pg_has_role(current_user, c.relowner, 'member')) from pg_roles r where r.rolname = current_user"
    )
    async with runtime.read() as tx:
        too_much = (await tx.execute(query)).scalar_one()
    if too_much:
        raise StartRefused(
            "The role that the hub runs as owns tables, is a superuser, or passes row-level security.",
            hint="Give VALETKEY_DATABASE a role of its own; docs/postgresql.md says how.",
        )

"""Every table, in two metadata: `main` (ciphertext and metadata) and `keyring` (wrapped keys).

The two live in different databases with different backup policies: either alone opens nothing (security.md 2.2).
A secret of ours that a stranger presents (session, token, code, link, state) is stored as its SHA-256 in hex.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from valetkey.store.types import BigInt, Instant, Json

_NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
main = MetaData(naming_convention=_NAMES)
keyring = MetaData(naming_convention=_NAMES)

# --- the deployment -----------------------------------------------------------------------------------------------

deployment = Table(
    "deployment",
    main,
    Column("id", String(40), primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("public_url", Text, nullable=False),
)

# --- identity -----------------------------------------------------------------------------------------------------

organization = Table(
    "organization",
    main,
    Column("id", String(40), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("kind", String(12), CheckConstraint("kind in ('personal', 'organization')", name="kind"), nullable=False),
    Column("created_at", Instant, nullable=False),
)

person = Table(
    "person",
    main,
    Column("id", String(40), primary_key=True),
    Column("login", String(254), nullable=False, unique=True),
    Column("display_name", String(100), nullable=False),
    Column("state", String(10), CheckConstraint("state in ('active', 'disabled')", name="state"), nullable=False),
    Column("created_at", Instant, nullable=False),
)

membership = Table(
    "membership",
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column(
        "role",
        String(10),
        CheckConstraint("role in ('owner', 'admin', 'auditor', 'member')", name="role"),
        nullable=False,
    ),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "person_id"),
)

password = Table(
    "password",
    main,
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), primary_key=True),
    Column("hash", Text, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

passkey = Table(
    "passkey",
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInt, nullable=False),
    Column("name", String(100), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
)

passkey_challenge = Table(
    "passkey_challenge",
    main,
    Column("hash", String(64), primary_key=True),
    Column("challenge", LargeBinary, nullable=False),
    Column("purpose", String(20), nullable=False),
    Column("person_id", ForeignKey("person.id", ondelete="cascade")),
    Column("expires_at", Instant, nullable=False),
)

signin_link = Table(
    "signin_link",
    main,
    Column("hash", String(64), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("purpose", String(10), nullable=False),  # first | invite | recovery
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

signin_failure = Table(
    "signin_failure",
    main,
    Column("id", String(40), primary_key=True),
    Column("subject", String(300), nullable=False),  # account:<login> or network:<prefix>
    Column("at", Instant, nullable=False),
    Index(None, "subject", "at"),
)

browser_session = Table(
    "browser_session",
    main,
    Column("hash", String(64), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),  # what the device list shows and ends
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("method", String(10), nullable=False),  # link | password | passkey | openid
    Column("csrf", String(64), nullable=False),
    Column("user_agent", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("authenticated_at", Instant, nullable=False),
    Column("last_seen_at", Instant, nullable=False),
    Column("powers_seen_at", Instant, nullable=False),  # the last use while administrative powers lasted
    Column("expires_at", Instant, nullable=False),
)

sign_in_provider = Table(
    "sign_in_provider",  # an organization's own identity provider; our client's secret there is sealed in `secret`
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), primary_key=True),
    Column("issuer", String(500), nullable=False),
    Column("client_id", String(500), nullable=False),
    Column("client_auth", String(30), nullable=False),
    Column("sealed_for", String(300), nullable=False),  # where the secret is for; empty: there is none
    Column("is_required", Boolean, nullable=False),
    Column("adds_people", Boolean, nullable=False),
    Column("trusts_email", Boolean, nullable=False),
    Column("set_at", Instant, nullable=False),
)

organization_domain = Table(
    "organization_domain",
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("name", String(253), nullable=False),
    Column("challenge", String(80), nullable=False),  # what is to be published there; public
    Column("created_at", Instant, nullable=False),
    Column("verified_at", Instant),
    PrimaryKeyConstraint("organization_id", "name"),
    # Named by many, it is the domain of one.
    Index(
        "ix_organization_domain_verified",
        "name",
        unique=True,
        sqlite_where=text("verified_at is not null"),
        postgresql_where=text("verified_at is not null"),
    ),
)

sign_in_attempt = Table(
    "sign_in_attempt",  # somebody was sent to a provider; the verifier is made of what their browser keeps
    main,
    Column("state_hash", String(64), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("browser_hash", String(64), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("purpose", String(10), nullable=False),  # signin | again | link
    Column("person_id", String(40), nullable=False),  # who is signed in already; empty: nobody
    Column("return_to", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

external_identity = Table(
    "external_identity",  # whom an account is tied to at its organization's provider
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("issuer", String(500), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, unique=True),
    Column("linked_at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "issuer", "subject"),
)

provisioning_token = Table(
    "provisioning_token",  # an organization's directory speaks by it (SCIM), for nobody's person
    main,
    Column("hash", String(64), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_used_at", Instant),
)

provisioned_person = Table(
    "provisioned_person",  # what the directory says of a member, besides what `person` has
    main,
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), primary_key=True),
    Column("said", Json, nullable=False),
    Column("changed_at", Instant, nullable=False),
)

provisioned_group = Table(
    "provisioned_group",
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("external_id", String(300), nullable=False),
    Column("role", String(10), CheckConstraint("role in ('admin', 'auditor', 'member')", name="role")),  # null: none
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("organization_id", "name"),
)

provisioned_member = Table(
    "provisioned_member",
    main,
    Column("group_id", ForeignKey("provisioned_group.id", ondelete="cascade"), nullable=False),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    PrimaryKeyConstraint("group_id", "person_id"),
)

oauth_client = Table(
    "oauth_client",
    main,
    Column("id", String(2048), primary_key=True),  # our own id (DCR) or the document's URL (CIMD)
    Column("kind", String(10), nullable=False),  # cimd | dcr | pinned
    Column("name", String(100), nullable=False),
    Column("redirect_uris", Json, nullable=False),
    Column("auth_method", String(30), nullable=False),
    Column("secret_hash", String(64)),
    Column("document_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("fetched_at", Instant),
    Column("last_used_at", Instant),
)

client_registration = Table(
    "client_registration",  # one row per dynamic registration, for the cap per address and hour
    main,
    Column("client_id", ForeignKey("oauth_client.id", ondelete="cascade"), primary_key=True),
    Column("network", String(60), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "network", "at"),
)

oauth_consent = Table(
    "oauth_consent",
    main,
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("client_id", ForeignKey("oauth_client.id", ondelete="cascade"), nullable=False),
    Column("resource", String(300), nullable=False),
    Column("document_hash", String(64), nullable=False),
    Column("redirect_host", String(255), nullable=False),
    Column("scope", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("person_id", "client_id", "resource"),
)

token_family = Table(
    "token_family",
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("client_id", ForeignKey("oauth_client.id", ondelete="cascade"), nullable=False),
    Column("resource", String(300), nullable=False),
    Column("scope", String(200), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("ended_because", String(30)),
)

authorization_code = Table(
    "authorization_code",
    main,
    Column("hash", String(64), primary_key=True),
    Column("family_id", ForeignKey("token_family.id", ondelete="cascade"), nullable=False),
    Column("redirect_uri", Text, nullable=False),
    Column("redirect_uri_given", Boolean, nullable=False),
    Column("code_challenge", String(64), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),  # kept until the family is purged: a second use ends the family
)

refresh_token = Table(
    "refresh_token",
    main,
    Column("hash", String(64), primary_key=True),
    Column("family_id", ForeignKey("token_family.id", ondelete="cascade"), nullable=False, index=True),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("rotated_at", Instant),
    Column("successor_used_at", Instant),
    Column("retries", Integer, nullable=False),
)

access_token = Table(
    "access_token",  # `vka_` of a family, and `vkt_` personal tokens without one
    main,
    Column("hash", String(64), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("kind", String(10), nullable=False),  # access | personal
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("family_id", ForeignKey("token_family.id", ondelete="cascade"), index=True),
    Column("refresh_hash", String(64)),  # the refresh token issued beside it: first use of either confirms the rotation
    Column("name", String(100), nullable=False),
    Column("audience", String(300), nullable=False),
    Column("scope", String(500), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_used_at", Instant),
)

# --- directory ----------------------------------------------------------------------------------------------------

connector = Table(
    "connector",
    main,
    Column("id", String(40), primary_key=True),
    Column("slug", String(40), nullable=False, unique=True),  # of a listing's, the id: `listing` is what it is called
    Column("listing", String(24), nullable=False, server_default=""),  # the slug of the listing it was made from
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("added_by", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("url", Text, nullable=False),  # as entered: URLs stay text
    Column("origin", String(300), nullable=False),
    Column("review_state", String(12), nullable=False),  # verified | community | custom; set by the server only
    Column("auth_kind", String(12), nullable=False),  # oauth | header | none
    Column("auth", Json, nullable=False),  # facts for the method: header names, scope pin, client id; never a secret
    Column("state", String(12), nullable=False),  # enabled | blocked | delisted
    Column("quarantined_at", Instant),  # by an owner, whatever the state
    Column("version", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("raised", Json, nullable=False, server_default="{}"),  # tool, or * for the whole: what it is at least
)
Index(
    "uq_connector_listing",
    connector.c.organization_id,
    connector.c.listing,
    unique=True,
    sqlite_where=connector.c.listing != "",
    postgresql_where=connector.c.listing != "",
)

organization_hosts = Table(
    "organization_hosts",  # which hosts an organization's connectors may reach; without a row, any
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), primary_key=True),
    Column("said", Json, nullable=False),  # limited, allowed, denied
    Column("set_by", String(80), nullable=False),
    Column("set_at", Instant, nullable=False),
)

organization_rules = Table(
    "organization_rules",  # what members may do by themselves; without a row, what `Rules` says by default
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), primary_key=True),
    Column("said", Json, nullable=False),
    Column("set_by", String(80), nullable=False),
    Column("set_at", Instant, nullable=False),
)

connector_audience = Table(
    "connector_audience",  # connectors that are for some groups only; without a row, for everybody
    main,
    Column("connector_id", ForeignKey("connector.id", ondelete="cascade"), primary_key=True),
    Column("groups", Json, nullable=False),  # ids
    Column("set_by", String(80), nullable=False),
    Column("set_at", Instant, nullable=False),
)

connector_request = Table(
    "connector_request",  # what members ask to have; one is open for each address, which a resolved one has no more
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("url", String(2048), nullable=False),
    Column("host", String(260), nullable=False),
    Column("address", String(2048)),
    Column("state", String(10), nullable=False),  # open | approved | dismissed
    Column("created_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("resolved_by", String(80), nullable=False),
    Column("slug", String(40), nullable=False),
    UniqueConstraint("organization_id", "address"),
)

connector_request_asker = Table(
    "connector_request_asker",
    main,
    Column("request_id", ForeignKey("connector_request.id", ondelete="cascade"), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), primary_key=True),
    Column("asked_at", Instant, nullable=False),
)

takedown = Table(
    "takedown",  # listings that the operator took down: everybody's connectors made from them are delisted
    main,
    Column("listing", String(24), primary_key=True),
    Column("reason", String(400), nullable=False),
    Column("at", Instant, nullable=False),
)

submission = Table(
    "submission",  # a listing on its way into the directory, or in it
    main,
    Column("id", String(40), primary_key=True),
    Column("slug", String(24), nullable=False, unique=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("created_by", String(40), nullable=False),  # a person's id; the listing outlives them
    Column("created_at", Instant, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("state_since", Instant, nullable=False),
    Column("fields", Text, nullable=False),  # JSON
    Column("live", Text),  # JSON: the listing as it stands in the directory
    Column("proof", String(80), nullable=False),
    Column("proved_at", Instant),
    Column("has_test_account", Boolean, nullable=False),
    Column("submitted_by", String(80), nullable=False),  # an actor, as in the trail
    Column("submitted_at", Instant),
    Column("decided_by", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("is_verified", Boolean, nullable=False),
    Column("tools", Text, nullable=False),  # JSON: what the desk approved, each with the class it gave
    Column("contact_at", Instant),  # when the security contact was last confirmed
    Column("contact_code", String(64), nullable=False),  # a hash; of the code that was sent there last
)

submission_picture = Table(
    "submission_picture",  # icons and screenshots, as they were made anew; what is listed names them by their hash
    main,
    Column("submission_id", ForeignKey("submission.id", ondelete="cascade"), nullable=False),
    Column("hash", String(64), nullable=False, index=True),
    Column("png", LargeBinary, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("likeness", String(80)),  # of an icon, in hexadecimal; null where nobody has told it yet
    PrimaryKeyConstraint("submission_id", "hash"),
)

submission_entry = Table(
    "submission_entry",  # what became of a submission, and what publisher and desk said to each other
    main,
    Column("seq", BigInt, primary_key=True, autoincrement=True),
    Column("submission_id", ForeignKey("submission.id", ondelete="cascade"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("actor", String(80), nullable=False),  # an actor, as in the trail
    Column("act", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("words", Text, nullable=False),
)

listing_look = Table(
    "listing_look",  # what the hub's own looks at a listing came to, published here or shipped
    main,
    Column("slug", String(24), primary_key=True),
    Column("looked_at", Instant),
    Column("says", Text, nullable=False),
    Column("held", Text, nullable=False),
    Column("unproved", Text, nullable=False),
    Column("tools", Text, nullable=False),  # JSON: name and fingerprint
)

submission_agreed = Table(
    "submission_agreed",  # which text, in which version and words, by whom; nothing of it is ever changed
    main,
    Column("submission_id", ForeignKey("submission.id", ondelete="cascade"), nullable=False),
    Column("text", String(40), nullable=False),
    Column("version", String(20), nullable=False),
    Column("text_hash", String(64), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("organization_id", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    PrimaryKeyConstraint("submission_id", "text", "text_hash"),
)

review_run = Table(
    "review_run",
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("person_id", String(40), nullable=False),  # who asked for it; empty for the operator and for the daily one
    Column("submission_id", String(40), nullable=False, index=True),  # empty for a URL that somebody tried
    Column("url", Text, nullable=False),
    Column("fields_hash", String(64), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),  # later than this it is not under way, whatever became of it
    Column("finished_at", Instant),
    Column("error", String(400), nullable=False),
    Column("report", LargeBinary, nullable=False),  # JSON
)

reviewer = Table(
    "reviewer",
    main,
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), primary_key=True),
    Column("since", Instant, nullable=False),
)

registry_server = Table(
    "registry_server",
    main,
    Column("name", String(200), primary_key=True),  # as the registry has it: namespace/server
    Column("title", String(100), nullable=False),
    Column("description", Text, nullable=False),
    Column("version", String(80), nullable=False),
    Column("url", Text, nullable=False),
    Column("website", Text, nullable=False),
    Column("seen_in", String(40), nullable=False),  # the run that saw it last
)

registry_run = Table(
    "registry_run",
    main,
    Column("registry", String(300), primary_key=True),  # its address; one row: the last run, or the one under way
    Column("id", String(40), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("since", Instant),  # asked for what changed after this; empty for all of it
    Column("pages", Integer, nullable=False),
    Column("servers", Integer, nullable=False),
    Column("gone", Integer, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("error", String(400), nullable=False),
    Column("synced_at", Instant),  # when the last run that came to its end began
)

tool_snapshot = Table(
    "tool_snapshot",
    main,
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), primary_key=True),
    Column("tools", LargeBinary, nullable=False),  # JSON array of the tools as the server gave them
    Column("server", LargeBinary, nullable=False),  # JSON: serverInfo, instructions, capabilities
    Column("fetched_at", Instant, nullable=False),
    Column("fresh_until", Instant, nullable=False),
)

tool_pin = Table(
    "tool_pin",
    main,
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), primary_key=True),
    Column("tools", LargeBinary, nullable=False),  # JSON array of the tools as they were accepted
    Column("server", LargeBinary, nullable=False),  # JSON, as in tool_snapshot
    Column("pinned_at", Instant, nullable=False),
)

tool_acceptance = Table(
    "tool_acceptance",  # what an owner accepted of changed tools for every account at a connector
    main,
    Column("connector_id", ForeignKey("connector.id", ondelete="cascade"), nullable=False),
    Column("seen", String(64), nullable=False),  # `Drift.seen`
    Column("tool", Text, nullable=False),  # `Drift.tool`
    Column("accepted_by", String(80), nullable=False),
    Column("accepted_at", Instant, nullable=False),
    PrimaryKeyConstraint("connector_id", "seen"),
)

listed_pin = Table(
    "listed_pin",
    main,
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), primary_key=True),
    Column("method", String(40), primary_key=True),
    Column("accepted", LargeBinary, nullable=False),  # JSON array of prompts or templates as they were accepted
    Column("held", LargeBinary, nullable=False),  # the same as they were seen, of those that nobody accepted
    Column("is_whole", Boolean, nullable=False),  # whether the first listing has come to its end
    Column("began_at", Instant, nullable=False),
)

alert = Table(
    "alert",
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False, index=True),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False),
    Column("kind", String(30), nullable=False),
    Column("connector", String(40), nullable=False, server_default=""),  # its slug
    Column("subject", String(255), nullable=False),  # a tool, a host, a scope: what an alert is about, once each
    Column("words", Text, nullable=False),
    Column("call_id", String(40), nullable=False, server_default=""),  # the last call it was noticed in
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("times", Integer, nullable=False),
    Column("dismissed_at", Instant),
    UniqueConstraint("connection_id", "kind", "subject"),
    Index(None, "organization_id", "last_at"),
)

upstream_era = Table(
    "upstream_era",
    main,
    Column("url", String(2048), primary_key=True),
    Column("era", String(8), nullable=False),  # modern | legacy
    Column("version", String(10), nullable=False),
    Column("seen_at", Instant, nullable=False),
)

profile = Table(
    "profile",
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("name", String(24), nullable=False),
    Column("title", String(100), nullable=False),
    Column("access", String(8), nullable=False),  # auto | all | search
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("person_id", "name"),
)

profile_choice = Table(
    "profile_choice",
    main,
    Column("profile_id", ForeignKey("profile.id", ondelete="cascade"), nullable=False),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False, index=True),
    Column("whole", Boolean, nullable=False),  # all its tools, later ones included
    Column("tools", Json, nullable=False),  # else the names of those that are in it
    PrimaryKeyConstraint("profile_id", "connection_id"),
)

# --- policy -------------------------------------------------------------------------------------------------------

tool_permission = Table(
    "tool_permission",
    main,
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False),
    Column("tool", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # of the definition the person saw
    Column("set_at", Instant, nullable=False),
    Column("setting", String(5), nullable=False),  # allow | ask | block
    Column("tool_class", String(1), nullable=False),  # the class it had then; empty before there were any
    PrimaryKeyConstraint("connection_id", "tool"),
)

ceiling = Table(
    "ceiling",
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("connector", String(40), nullable=False),  # a slug, or * for every one; so the next three
    Column("tool", String(255), nullable=False),
    Column("tool_class", String(1), nullable=False),
    Column("role", String(10), nullable=False),
    Column("setting", String(5), nullable=False),  # allow | ask | block
    Column("set_by", String(80), nullable=False),
    Column("set_at", Instant, nullable=False),
    UniqueConstraint("organization_id", "connector", "tool", "tool_class", "role"),
)

enabled_vertical = Table(
    "enabled_vertical",  # unverified connectors whose tools of class V an owner answers for
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("connector", String(40), nullable=False),
    Column("set_by", String(80), nullable=False),
    Column("set_at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "connector"),
)

approval = Table(
    "approval",
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("organization_id", String(40), nullable=False),
    Column("client_id", String(2048), nullable=False),
    Column("client_name", String(200), nullable=False),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False, index=True),
    Column("connector", String(40), nullable=False),
    Column("connector_version", Integer, nullable=False),
    Column("origin", String(300), nullable=False),
    Column("label", String(12), nullable=False),
    Column("tool", String(255), nullable=False),  # as its service calls it
    Column("fingerprint", String(64), nullable=False),
    Column("tool_class", String(1), nullable=False),
    Column("counts_as", String(1), nullable=False),
    Column("because", String(300), nullable=False),  # our reason for the class
    Column("rule", String(60), nullable=False),  # that wants a person asked
    Column("reason", String(300), nullable=False),
    Column("how", String(10), nullable=False),  # click | passkey
    Column("may_remember", Boolean, nullable=False),
    Column("may_stand", Boolean, nullable=False),
    Column("for_tool", Boolean, nullable=False),
    Column("request_digest", String(64), nullable=False),  # finds it when the same call comes again
    Column("nonce", LargeBinary, nullable=False),
    Column("policy_version", String(64), nullable=False),
    Column("day", String(10), nullable=False),  # names the key that `call` is sealed under
    Column("call", LargeBinary, nullable=False),  # the exact name and arguments, sealed
    Column("state", String(10), nullable=False),  # pending | approved | denied | expired | consumed | uncertain
    Column("times", Integer, nullable=False),  # how often it was asked for while pending
    Column("uses_left", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("decided_at", Instant),
    Column("decided_in", String(40), nullable=False),  # the browser session
    Column("words", String(300), nullable=False),  # why the person said no
    Column("proof", LargeBinary),  # the passkey's assertion: anybody with the public key can check it
    Column("consumed_at", Instant),
    Index(None, "person_id", "created_at"),
    # One live approval for a call: whoever asks the same again at the same time finds this one.
    Index(
        "ix_approval_live",
        "person_id",
        "request_digest",
        unique=True,
        sqlite_where=text("state in ('pending', 'approved')"),
        postgresql_where=text("state in ('pending', 'approved')"),
    ),
)

standing_approval = Table(
    "standing_approval",
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("organization_id", String(40), nullable=False),
    Column("client_id", String(2048), nullable=False),
    Column("client_name", String(200), nullable=False),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False, index=True),
    Column("connector", String(40), nullable=False),
    Column("connector_version", Integer, nullable=False),
    Column("origin", String(300), nullable=False),
    Column("label", String(12), nullable=False),
    Column("tool", String(255), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("counts_as", String(1), nullable=False),
    Column("rules", String(64), nullable=False),  # what the organization said about this tool when it was given
    Column("scope", LargeBinary, nullable=False),  # the arguments, and which of them may differ; sealed
    Column("day", String(10), nullable=False),
    Column("calls", Integer, nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("ended_at", Instant),
    Column("ended_because", String(20), nullable=False),
    Column("approval_id", String(40), nullable=False),  # with which it was given
    Column("given_in", String(40), nullable=False),
    Column("proof", LargeBinary),
)

approval_use = Table(
    "approval_use",  # written when an approval is used up, for the call it is used for: what the vault looks at
    main,
    Column("call_id", String(40), primary_key=True),
    Column("approval_id", String(40), nullable=False, index=True),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False, index=True),
    Column("tool", String(255), nullable=False),
    Column("request_digest", String(64), nullable=False),
    Column("at", Instant, nullable=False, index=True),
    Column("uncertain", Boolean, nullable=False),  # of a standing approval: it left, and no answer came
)

taint = Table(
    "taint",  # content that nobody vouches for was read by a person's client
    main,
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("client_id", String(2048), nullable=False),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False, index=True),
    Column("because", String(100), nullable=False),
    Column("until", Instant, nullable=False),
    PrimaryKeyConstraint("person_id", "client_id", "connection_id"),
)

# --- connections --------------------------------------------------------------------------------------------------

connection = Table(
    "connection",
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("connector_id", ForeignKey("connector.id"), nullable=False, index=True),
    Column("connector_version", Integer, nullable=False),
    Column("label", String(12), nullable=False),
    Column("display_name", String(100), nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("state", String(14), nullable=False),  # not_connected | connected | reconnect | disconnecting
    Column("state_reason", String(200), nullable=False),
    Column("method", String(12), nullable=False),  # oauth | header | none
    Column("issuer", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("requested_scope", Text, nullable=False),
    Column("granted_scope", Text, nullable=False),
    Column("has_refresh_token", Boolean, nullable=False),
    Column("expires_at", Instant),  # of the access token
    Column("generation", Integer, nullable=False),  # of the token set: written with a fence
    Column("created_at", Instant, nullable=False),
    Column("connected_at", Instant),
    Column("last_used_at", Instant),
    Column("quarantined_at", Instant),  # by its person, whatever the state
    # Of the account's verified address, where the rules asked whose it is.
    Column("account_domain", String(255), nullable=False, server_default=""),
    UniqueConstraint("person_id", "connector_id", "label"),
    # One default account for a person and connector; NULLs do not exist here, so a partial index says it.
    Index(
        "ix_connection_default",
        "person_id",
        "connector_id",
        unique=True,
        sqlite_where=Column("is_default", Boolean),
        postgresql_where=Column("is_default", Boolean),
    ),
)

connect_attempt = Table(
    "connect_attempt",
    main,
    Column("id", String(40), primary_key=True),
    Column("state_hash", String(64), unique=True),  # null until the person has passed the review page
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("session_id", String(40), nullable=False),  # the browser that began must be the one that finishes
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False),
    Column("facts", Json, nullable=False),  # what was discovered and shown: issuer, endpoints, scopes and their origin
    Column("facts_hash", String(64), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

scope_challenge = Table(
    "scope_challenge",  # what a service named when it refused a call of a connection for want of scopes
    main,
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), primary_key=True),
    Column("scope", Text, nullable=False),
    Column("consents", Integer, nullable=False),  # how often the person has agreed to them since
    Column("at", Instant, nullable=False),
)

authorization_server = Table(
    "authorization_server",  # what an issuer's metadata said, and who we are there
    main,
    Column("issuer_hash", String(16), primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("fetched_at", Instant, nullable=False),
)

client_identity = Table(
    "client_identity",  # our client at an issuer, one for all people
    main,
    Column("issuer_hash", String(16), nullable=False),
    Column("callback", String(500), nullable=False),
    Column("source", String(12), nullable=False),  # preregistered | cimd | dcr
    Column("client_id", Text, nullable=False),
    Column("auth_method", String(30), nullable=False),
    Column("has_secret", Boolean, nullable=False),  # the secret itself is sealed in `secret`
    Column("registration_uri", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("issuer_hash", "callback"),
)

client_key = Table(
    "client_key",  # our public key at an issuer that has us sign who we are; the private one is sealed in `secret`
    main,
    Column("issuer_hash", String(16), primary_key=True),
    Column("public", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
)

oauth_trace = Table(
    "oauth_trace",
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False),
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("stage", String(30), nullable=False),
    Column("request", Text, nullable=False),
    Column("status", Integer),
    Column("reason", Text, nullable=False),
    Index(None, "connection_id", "at"),
)

tombstone = Table(
    "tombstone",  # of a connection that is being ended: from the first step to the last
    main,
    Column("connection_id", ForeignKey("connection.id", ondelete="cascade"), primary_key=True),
    Column("actor", String(80), nullable=False),
    Column("began_at", Instant, nullable=False),
    Column("keys", Integer, nullable=False),  # held when it began
    Column("revocation", String(20), nullable=False),  # empty until the service has been told
    Column("revocation_detail", Text, nullable=False),
)

receipt = Table(
    "receipt",  # of a disconnect; outlives the connection
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("body", Json, nullable=False),
)

# --- vault --------------------------------------------------------------------------------------------------------

secret = Table(
    "secret",
    main,
    Column("tenant", String(40), nullable=False),
    Column("subject", String(80), nullable=False),  # what it belongs to: a connection, an attempt, an issuer's client
    Column("purpose", String(60), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("written_at", Instant, nullable=False),
    PrimaryKeyConstraint("subject", "purpose"),
)

tenant_key = Table(
    "tenant_key",
    keyring,
    Column("tenant", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("root_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("recovery", LargeBinary),  # the same key sealed to the recovery kit's public key; goes when the row goes
    PrimaryKeyConstraint("tenant", "version"),
)

root_key = Table(
    "root_key",  # names only: which keys there were, counted through over all providers
    keyring,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("key_id", String(16), nullable=False, unique=True),
    Column("scheme", String(20), nullable=False),
    Column("place", Text, nullable=False),
    Column("first_seen_at", Instant, nullable=False),
)

recovery_kit = Table(
    "recovery_kit",
    keyring,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
)

data_key = Table(
    "data_key",
    keyring,
    Column("subject", String(80), nullable=False),
    Column("purpose", String(60), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("tenant", String(40), nullable=False),
    Column("tenant_key_version", Integer, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("subject", "purpose"),
    Index(None, "tenant", "tenant_key_version"),
)

canary = Table(
    "canary",
    keyring,
    Column("id", Integer, primary_key=True),
    Column("deployment_id", String(40), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# --- privacy ------------------------------------------------------------------------------------------------------

log_level = Table(
    "log_level",  # how much of calls is kept: an organization's bounds, and a person's own choice
    main,
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False),
    Column("person_id", String(40), nullable=False),  # empty: it is the organization that says so
    Column("connector", String(40), nullable=False),  # * for every one
    Column("kind", String(8), nullable=False),  # floor | ceiling | choice
    Column("level", String(8), nullable=False),  # none | metadata | full
    Column("set_at", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "person_id", "connector", "kind"),
)

retention_time = Table(
    "retention_time",  # for how many days calls are kept, as it was said: none is changed, the newest holds
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", String(40), nullable=False, index=True),  # empty: the operator, for everybody
    Column("contents", Integer),  # null: as the operator says
    Column("calls", Integer),
    Column("at_most", Integer),  # the operator's bound for what organizations say
    Column("set_at", Instant, nullable=False),
    Column("set_by", String(80), nullable=False),
)

legal_hold = Table(
    "legal_hold",  # while it is there, what it covers is not let go of
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", String(40), nullable=False, index=True),
    Column("person_id", String(40), nullable=False),  # empty: every member
    Column("reason", String(300), nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("placed_by", String(80), nullable=False),
)

owed_erasure = Table(
    "owed_erasure",  # people who left while a hold kept their contents: these go when it is released
    main,
    Column("organization_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("since", Instant, nullable=False),
    PrimaryKeyConstraint("organization_id", "person_id"),
)

retention_run = Table(
    "retention_run",  # what each run let go of, and how far it is
    main,
    Column("id", String(40), primary_key=True),
    Column("began_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("days", BigInt, nullable=False),
    Column("calls", BigInt, nullable=False),
    Column("looked_at", BigInt, nullable=False),
    Column("of", BigInt, nullable=False),
)

privacy_policy = Table(
    "privacy_policy",  # the operator's, in versions: none is ever changed
    main,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("published_at", Instant, nullable=False),
    Column("published_by", String(80), nullable=False),
    Column("is_template", Boolean, nullable=False),
    Column("text", Text, nullable=False),
)

privacy_seen = Table(
    "privacy_seen",  # the last version that a person was shown
    main,
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), primary_key=True),
    Column("number", Integer, nullable=False),
)

erasure = Table(
    "erasure",  # at a person's wish: how far it is, and the receipt that is left
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("began_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("connections", Integer, nullable=False),
    Column("unconfirmed", Integer, nullable=False),
    Column("days", Integer, nullable=False),
    Column("calls", BigInt, nullable=False),
    Column("events", BigInt, nullable=False),
    Column("next_from", BigInt, nullable=False),  # places in the log
    Column("end", BigInt, nullable=False),
)

training_consent = Table(
    "training_consent",  # a person said that what comes of their use may be learned from; nobody else can
    main,
    Column("id", String(40), primary_key=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("organization_id", String(40), nullable=False),  # the personal one they were in
    Column("given_at", Instant, nullable=False),
    Column("policy_version", String(40), nullable=False),
    Column("text_hash", String(64), nullable=False),  # of the text they were shown
    Column("ended_at", Instant),
)

training_item = Table(
    "training_item",  # what was handed out, so that it can be asked back
    main,
    Column("call_id", String(40), primary_key=True),
    Column("id", String(40), nullable=False, unique=True),
    Column("consent_id", ForeignKey("training_consent.id", ondelete="cascade"), nullable=False, index=True),
    Column("exported_at", Instant, nullable=False),
)

# --- audit --------------------------------------------------------------------------------------------------------

call_record = Table(
    "call_record",  # hot: one multi-row insert per batch; no index beyond the key (indexes here cost 4 to 9 times)
    main,
    Column("id", String(40), primary_key=True),  # sorts by time
    Column("started_at", Instant, nullable=False),
    Column("organization_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),
    Column("client", String(200), nullable=False),
    Column("connector", String(40), nullable=False),
    Column("connection_id", String(40), nullable=False),
    Column("label", String(12), nullable=False),
    Column("method", String(60), nullable=False),
    Column("tool", String(255), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("rule", String(60), nullable=False),
    Column("detail", String(300), nullable=False),
    Column("origin", String(300), nullable=False),  # where the credential went; empty if it went nowhere
    Column("duration_us", BigInt, nullable=False),
    Column("request_bytes", BigInt, nullable=False),
    Column("response_bytes", BigInt, nullable=False),
    Column("day", String(10), nullable=False),  # names the key the payloads are sealed under
    Column("request", LargeBinary),
    Column("response", LargeBinary),
    Column("tool_class", String(1), nullable=False, server_default=""),  # as the call was decided
)

trail_event = Table(
    "trail_event",
    main,
    Column("seq", BigInt, primary_key=True, autoincrement=True),
    Column("at", Instant, nullable=False),
    Column("event", String(60), nullable=False),
    Column("actor", String(80), nullable=False),  # person:<id>, client:<id>, operator, system
    Column("organization_id", String(40), nullable=False),
    Column("person_id", String(40), nullable=False),  # whom it concerns
    Column("object", String(200), nullable=False),
    Column("detail", Json, nullable=False),
    Column("asked", Json, nullable=True),  # from where; null is older than this column
    Index(None, "person_id", "seq"),
)

trail_leaf = Table(
    "trail_leaf",  # the log: one leaf for each event and call, in the order they were written
    main,
    Column("seq", BigInt, primary_key=True, autoincrement=False),  # from 0: the leaf's place in the tree
    Column("kind", String(10), nullable=False),  # event | call | deletion
    Column("reference", String(40), nullable=False),  # `seq` of the event, `id` of the call
    Column("hash", LargeBinary, nullable=False),
    Column("record", LargeBinary, nullable=False),  # canonical JSON; no tokens, arguments or results
    UniqueConstraint("reference", "kind"),
)

trail_head = Table(
    "trail_head",  # one row, which every append locks: the log is one, however many processes write
    main,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInt, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    Column("events_before", BigInt, nullable=False),  # events and calls up to these are older than the log
    Column("calls_before", String(40), nullable=False),
)

trail_checkpoint = Table(
    "trail_checkpoint",  # what was signed: the size and root of the log, for whoever keeps it elsewhere
    main,
    Column("number", BigInt, primary_key=True, autoincrement=False),  # from 1, without a gap
    Column("at", Instant, nullable=False),
    Column("size", BigInt, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("note", Text, nullable=False),  # the signed note itself
    Column("verifier_key", String(300), nullable=False),  # public
    Column("watch", String(40), nullable=False),  # whose evolving key made `mac`; empty for none
    Column("step", BigInt, nullable=False),  # of that key, from 1
    Column("mac", LargeBinary, nullable=False),
)

trail_sink = Table(
    "trail_sink",  # how far each sink has the checkpoints
    main,
    Column("name", String(300), primary_key=True),
    Column("delivered", BigInt, nullable=False),  # number of the last checkpoint it took
    Column("delivered_at", Instant),
    Column("failing_since", Instant),
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_at", Instant),  # not tried again before
    Column("reason", String(300), nullable=False),
)

invitation = Table(
    "invitation",  # of people with an account of their own into an organization; gone when it is taken or ended
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("person_id", ForeignKey("person.id", ondelete="cascade"), nullable=False, index=True),
    Column("role", String(10), nullable=False),
    Column("invited_by", String(80), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
)

feed = Table(
    "feed",  # where an organization's events go as they happen; keys and headers of theirs are in `secret`
    main,
    Column("id", String(40), primary_key=True),
    Column("organization_id", ForeignKey("organization.id", ondelete="cascade"), nullable=False, index=True),
    Column("kind", String(10), nullable=False),  # webhook | syslog | otlp
    Column("address", String(300), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("delivered", BigInt, nullable=False),  # number of the last event that is there
    Column("delivered_at", Instant),
    Column("failing_since", Instant),
    Column("failures", Integer, nullable=False),  # in a row
    Column("next_at", Instant),  # not tried again before
    Column("reason", String(300), nullable=False),
    Column("header", String(64), nullable=False, server_default=""),  # whose value is sealed, and goes along
    Column("missed_after", BigInt),  # what came after that was refused for good
)

# --- gateway ------------------------------------------------------------------------------------------------------

spent_state = Table(
    "spent_state",  # request states that clients brought back: each is good once
    main,
    Column("id", LargeBinary, primary_key=True),
    Column("until", BigInt, nullable=False, index=True),  # POSIX time after which it is too late anyway
)

# --- api ----------------------------------------------------------------------------------------------------------

kept_result = Table(
    "kept_result",  # results too large to pass on, whole, in sealed parts; the call's record has how they begin
    main,
    Column("call_id", String(40), nullable=False),
    Column("part", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("person_id", String(40), nullable=False, index=True),
    Column("organization_id", String(40), nullable=False),
    Column("day", String(10), nullable=False),  # names the key that the parts are sealed under
    Column("sealed", LargeBinary, nullable=False),
    PrimaryKeyConstraint("call_id", "part"),
)

idempotent_request = Table(
    "idempotent_request",  # a program's write under a key, and what was answered, for a day
    main,
    Column("whose", String(40), nullable=False),  # a person's id; `operator`
    Column("key_hash", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # of the request and the token it came with
    Column("begun_at", Instant, nullable=False, index=True),
    Column("status", Integer),  # null: begun, and no answer yet
    Column("media_type", String(100), nullable=False),
    Column("day", String(10), nullable=False),  # names the key that `answer` is sealed under; empty: it lies open
    Column("answer", LargeBinary),  # null: it is not shown again
    PrimaryKeyConstraint("whose", "key_hash"),
)

# --- store --------------------------------------------------------------------------------------------------------

lease = Table(
    "lease",
    main,
    Column("name", String(120), primary_key=True),
    Column("owner", String(40), nullable=False),
    Column("fence", BigInt, nullable=False),
    Column("until", Instant, nullable=False),
)

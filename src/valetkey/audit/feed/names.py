"""What each event of the trail is called in the activity feed: the names of ORG-12, which do not change when ours do.

What is sent is an organization's; events of the deployment are nobody's, and stand in `INSIDE`. A test holds every
event that is written anywhere to be in one of the two.
"""

from __future__ import annotations

from typing import Final

NAMES: Final[dict[str, str]] = {
    event: name
    for name, events in {
        "connector_created": ("connector.added",),
        "connector_updated": (
            "connector.changed", "connector.blocked", "connector.enabled", "connector.quarantined",
            "connector.quarantine_lifted", "connector.reported", "connector.audience_set", "connector.raised",
            "connector.ended_for_everybody",
        ),
        "connector_requested": ("connector.requested",),
        "admin_connector_request_resolved": ("connector.request_resolved",),
        "connector_deleted": ("connector.removed",),
        "connector_change_refused": ("connector.add_refused", "connector.change_refused", "review.refused"),
        "attempt_refused": ("act.refused",),
        "organization_created": ("organization.created",),
        "egress_hosts_updated": ("hosts.set",),
        "member_rules_updated": ("rules.set",),
        "managed_auth_updated": ("connector.key_entered", "connector.key_replaced", "connector.key_removed"),
        "token_exchanged": ("connection.refresh", "connection.granted_more", "connection.callback_refused"),
        "domain_guard": ("connection.domain_refused",),
        "connector_scope_not_granted": ("connection.scope_refused",),
        "tool_policy_updated": ("ceiling.set", "ceiling.removed", "vertical.enabled", "vertical.disabled"),
        "tools_enabled": ("permissions.set", "tools.accepted", "tools.accepted_for_all"),
        "tool_call_confirmed": (
            "approval.given", "approval.denied", "approval.too_many", "standing.given", "standing.used",
            "standing.ended",
        ),
        "user_connected": ("connection.connected",),
        "user_disconnected": ("connection.disconnected", "connection.removed", "connection.reconnect_needed"),
        "connection_quarantined": ("connection.quarantined", "connection.quarantine_lifted"),
        "listing_published": (
            "submission.begun", "submission.agreed", "submission.proved", "submission.account_set", "submission.moved",
            "submission.asked", "submission.answered", "submission.told", "submission.refused", "submission.taken_down",
            "submission.contact_asked", "submission.contact_confirmed",
            "listing.held", "listing.hold_lifted", "listing.taken_down", "listing.put_back",
        ),
        "role_permission_updated": ("person.role_set", "group.role_set"),
        "group_updated": ("group.added", "group.changed", "group.removed"),
        "user_created": ("person.created", "organization.joined"),
        "user_updated": ("person.renamed", "person.enabled", "identity.linked", "identity.unlinked"),
        "user_deleted": ("person.disabled", "person.leaving", "person.removed", "organization.left"),
        "user_invited": ("invitation.made", "invitation.declined", "invitation.withdrawn", "signin_link.issued"),
        "user_signed_in": (
            "signin.link", "signin.organization", "signin.recovery", "signin.refused", "passkey.counter_regressed",
        ),
        "user_credential_updated": ("passkey.added", "passkey.removed", "password.set", "password.removed"),
        "api_key_created": ("token.created", "provisioning.token_created"),
        "api_key_revoked": ("token.revoked", "provisioning.token_revoked"),
        "oauth_client_updated": ("consent.given", "grant.ended"),
        "profile_updated": ("profile.added", "profile.changed", "profile.removed"),
        "sso_updated": (
            "sign_in.provider_set", "sign_in.provider_removed", "domain.added", "domain.verified", "domain.removed",
        ),
        "vault_accessed": (
            "connection.checked", "credential.echoed", "key.rewrap", "key.rotate_tenant", "vault.revoke_all",
        ),
        "content_read": ("call.read",),
        "alert_raised": ("alert.raised", "alert.dismissed"),
        "data_exported": ("data.exported",),
        "data_erased": ("data.erasure_began", "data.connections_ended", "data.erased"),
        "training_consent_updated": (
            "training.consent_given", "training.consent_refused", "training.consent_withdrawn", "training.exported",
            "training.export_refused",
        ),
        "retention_updated": (
            "retention.set", "retention.purged", "log_level.set", "hold.placed", "hold.released",
        ),
        "activity_feed_updated": (
            "feed.added", "feed.removed", "feed.tried", "feed.failing", "feed.recovered", "feed.partly_taken",
        ),
    }.items()
    for event in events
}  # fmt: skip

INSIDE: Final = frozenset(
    {
        "client.registered", "key.recover", "key.recovery_kit", "key.rotate_root", "privacy.retention",
        "privacy_policy.published", "retention.began", "retention.done", "reviewer.dismissed", "reviewer.named",
        "submissions.upkeep", "trail.checkpoint", "trail.key_made", "trail.sink_failing", "trail.sink_recovered",
        "trail.watch_begun", "vault.seal",
    }
)  # fmt: skip
"""Of the deployment: who runs the hub has them, in the trail and where its checkpoints go."""


def name_of(event: str) -> str:
    """What ORG-12 calls it; an event that nobody has named goes by its own name rather than not at all."""
    return NAMES.get(event, event.replace(".", "_"))

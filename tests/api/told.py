"""What stands in the trail after each changing request of the API: one event for each thing that was done (ORG-12)."""

from __future__ import annotations

AWAY = "the room that does it is elsewhere in these tests; its own tests look for the event"
NOTHING_DONE = "there was nothing to do"
TOLD: dict[tuple[str, str], tuple[str, ...]] = {
    ("POST", "/people"): ("person.created",),  # in the organization of whoever asks
    ("POST", "/people/{person}/invite"): ("signin_link.issued",),
    ("DELETE", "/people/{person}"): (
        "person.disabled",
        "person.removed",
    ),
    ("POST", "/people/{person}/leave"): (
        "person.leaving",
        "organization.left",
    ),
    ("POST", "/people/{person}/disable"): ("person.disabled",),
    ("PUT", "/organizations/{organization}/sign-in"): ("sign_in.provider_set",),
    ("DELETE", "/organizations/{organization}/sign-in"): ("sign_in.provider_removed",),
    ("POST", "/organizations/{organization}/domains"): ("domain.added",),
    ("DELETE", "/organizations/{organization}/domains/{domain}"): ("domain.removed",),
    ("POST", "/organizations/{organization}/provisioning-tokens"): ("provisioning.token_created",),
    ("POST", "/organizations/{organization}/invitations"): ("invitation.made",),
    ("PUT", "/organizations/{organization}/hosts"): ("hosts.set",),
    ("POST", "/connector-requests"): ("connector.requested",),
    ("POST", "/organizations/{organization}/connector-requests/{request_id}"): ("connector.request_resolved",),
    ("PUT", "/organizations/{organization}/rules"): ("rules.set",),
    ("POST", "/organizations/{organization}/feeds"): ("feed.added",),
    ("POST", "/tokens"): ("token.created",),
    ("DELETE", "/tokens/{token_id}"): ("token.revoked",),
    ("POST", "/connectors"): ("connector.added",),
    ("DELETE", "/connectors/{slug}"): (
        "connection.removed",
        "connector.removed",
    ),
    ("PATCH", "/connectors/{slug}"): ("connector.blocked",),
    ("PUT", "/connectors/{slug}/groups"): ("connector.audience_set",),
    ("POST", "/connectors/{slug}/quarantine"): ("connector.quarantined",),
    ("POST", "/directory/{listing}"): ("connector.added",),
    ("POST", "/submissions"): ("submission.begun",),
    ("POST", "/submissions/{submission_id}/agree"): ("submission.agreed",),
    ("POST", "/submissions/{submission_id}/move"): ("submission.moved",),
    ("DELETE", "/connections/{connection_id}"): ("connection.removed",),
    ("POST", "/connections/{connection_id}/quarantine"): ("connection.quarantined",),
    ("POST", "/connections/{connection_id}/check"): ("connection.checked",),
    ("POST", "/connections/{connection_id}/report"): ("connector.reported",),
    ("POST", "/connections/{connection_id}/tools"): ("permissions.set",),
    ("POST", "/profiles"): ("profile.added",),
    ("POST", "/profiles/{name}"): ("profile.changed",),
    ("DELETE", "/profiles/{name}"): ("profile.removed",),
    ("POST", "/policy/ceilings"): ("ceiling.set",),
    ("DELETE", "/policy/ceilings/{ceiling_id}"): ("ceiling.removed",),
    ("POST", "/policy/verticals"): ("vertical.enabled",),
    ("PUT", "/connectors/{slug}/raised"): ("connector.raised",),
    ("DELETE", "/approvals/standing/{standing_id}"): ("standing.ended",),
    ("POST", "/alerts/{alert_id}/dismiss"): ("alert.dismissed",),
    ("POST", "/data/level"): ("log_level.set",),
    ("POST", "/data/bounds"): ("log_level.set",),
    ("POST", "/data/retention"): ("retention.set",),
    ("POST", "/data/holds"): ("hold.placed",),
    ("DELETE", "/data/holds/{hold_id}"): ("hold.released",),
    ("POST", "/data/erase"): (
        "data.erasure_began",
        "connection.removed",
        "data.connections_ended",
    ),
    ("POST", "/keys/rotate/tenant"): ("key.rotate_tenant",),
    ("POST", "/keys/rewrap"): ("key.rewrap",),
    ("POST", "/vault/revoke-all"): ("vault.revoke_all",),
}
"""By route, when it did what it was asked."""
NOTHING: dict[tuple[str, str], str] = {
    ("PUT", "/connectors/{slug}/key"): AWAY,
    ("DELETE", "/connectors/{slug}/key"): AWAY,
    ("DELETE", "/connectors/{slug}/quarantine"): NOTHING_DONE,
    ("PATCH", "/submissions/{submission_id}"): "a draft is nobody's to see until it is handed in, which is an event",
    ("POST", "/connections"): "connecting begins; that somebody connected is an event at its end",
    ("POST", "/connections/headers"): AWAY,
    ("POST", "/connections/disconnect-all"): NOTHING_DONE,
    ("PATCH", "/connections/{connection_id}"): "a display name, which its person alone sees",
    ("POST", "/connections/{connection_id}/disconnect"): AWAY,
    ("DELETE", "/connections/{connection_id}/quarantine"): NOTHING_DONE,
    ("POST", "/calls"): "calls have a log of their own",
    ("DELETE", "/data/training-consent"): NOTHING_DONE,
    ("POST", "/trail/checkpoints"): "it signs what is there",
    ("POST", "/trail/verify"): "it looks",
}
"""By route, why not."""
OF_ITS_OWN: dict[tuple[str, str], str] = {
    ("POST", "/data/training-export"): "training.export_refused",
    ("GET", "/data/training-export/withdrawn"): "training.export_refused",
    ("POST", "/connectors"): "connector.add_refused",
    ("DELETE", "/connectors/{slug}"): "connector.add_refused",
    ("PATCH", "/connectors/{slug}"): "connector.add_refused",
    ("PUT", "/connectors/{slug}/groups"): "connector.add_refused",
    ("POST", "/connectors/{slug}/quarantine"): "connector.add_refused",
    ("DELETE", "/connectors/{slug}/quarantine"): "connector.add_refused",
    ("POST", "/directory/{listing}"): "connector.add_refused",
}
"""Refusals that have a name."""


def events_of(method: str, path: str, status: int, *, has_connection: bool) -> tuple[str, ...]:
    """What is to be written down of a request that was answered so, the oldest first."""
    if status == 403 and (own := OF_ITS_OWN.get((method, path))):
        return (own,)
    if method == "GET":
        return ("data.exported",) if path == "/data/export" and status == 200 else ()
    if status == 403:
        return ("act.refused",)
    if status >= 300 or (method, path) in NOTHING:
        return ()
    return tuple(one for one in TOLD[method, path] if has_connection or one != "connection.removed")

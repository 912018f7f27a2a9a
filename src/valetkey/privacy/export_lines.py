"""What stands in an archive of everything about a person: one line for each thing, its fields named one by one.

What a room adds to its values later, a secret say, is in no archive until somebody wrote it down here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any, Final

from valetkey.audit.alerts import Alert
from valetkey.audit.model import CallRecord, TrailEvent
from valetkey.audit.proofs import Inclusion, hashes
from valetkey.connections.model import Connection, Receipt
from valetkey.directory.model import Connector, Profile
from valetkey.identity.model import BrowserSession, Grant, Organization, Passkey, Person, TokenInfo
from valetkey.policy.approval_model import Approval
from valetkey.policy.model import Permission
from valetkey.policy.standing_model import StandingApproval
from valetkey.privacy.consent import Consent
from valetkey.privacy.model import Hold

Line = Mapping[str, Any]

_CONNECTION: Final = (
    "id", "label", "display_name", "is_default", "state", "state_reason", "method", "issuer", "resource",
    "requested_scope", "granted_scope", "created_at", "connected_at", "expires_at", "last_used_at", "quarantined_at",
)  # fmt: skip
_APPROVAL: Final = (
    "id", "client_id", "client_name", "connection_id", "connector", "origin", "label", "tool", "fingerprint",
    "tool_class", "counts_as", "because", "rule", "reason", "how", "request_digest", "times", "created_at",
    "expires_at", "decided_at", "words", "consumed_at",
)  # fmt: skip
_STANDING: Final = (
    "id", "client_id", "client_name", "connection_id", "connector", "origin", "label", "tool", "fingerprint",
    "counts_as", "calls", "uses_left", "created_at", "expires_at", "last_used_at", "ended_at", "ended_because",
    "approval_id",
)  # fmt: skip
_CALL: Final = (
    "id", "started_at", "organization_id", "client", "connector", "connection_id", "label", "method", "tool",
    "tool_class", "outcome", "rule", "detail", "origin", "duration_us", "request_bytes", "response_bytes",
)  # fmt: skip
_ALERT: Final = (
    "id", "connection_id", "connector", "kind", "subject", "words", "call_id", "first_at", "last_at", "times",
    "dismissed_at",
)  # fmt: skip
_RECEIPT: Final = (
    "id", "at", "connector_name", "connector_host", "label", "keys_destroyed", "revocation", "revocation_detail",
    "unrecoverable_after",
)  # fmt: skip


def of_person(person: Person, organization: Organization) -> Line:
    return {
        "kind": "person",
        **_named(person, "id", "login", "display_name", "state", "role", "created_at"),
        "organization": _named(organization, "id", "name", "kind"),
    }


def of_session(session: BrowserSession) -> Line:
    return {"kind": "browser", **_named(session, "id", "method", "user_agent", "created_at", "last_seen_at")}


def of_passkey(passkey: Passkey) -> Line:
    return {"kind": "passkey", **_named(passkey, "id", "name", "created_at", "last_used_at")}


def of_token(token: TokenInfo) -> Line:
    fields = ("id", "name", "audience", "scope", "created_at", "expires_at", "last_used_at")
    return {"kind": "token", **_named(token, *fields)}


def of_assistant(grant: Grant) -> Line:
    fields = ("id", "client_id", "client_name", "client_kind", "resource", "scope", "created_at", "last_used_at")
    return {"kind": "assistant", **_named(grant, *fields)}


def of_connection(connection: Connection, connector: Connector | None, tools: Mapping[str, Permission]) -> Line:
    """Without a credential: nobody has a way to one (I5)."""
    return {
        **_named(connection, *_CONNECTION),
        "connector": _named(connector, "slug", "name", "url") if connector else None,
        "permissions": [_named(one, "tool", "fingerprint", "setting", "set_at") for one in tools.values()],
    }


def of_receipt(receipt: Receipt) -> Line:
    return _named(receipt, *_RECEIPT)


def of_approval(approval: Approval, call: bytes | None, now: datetime) -> Line:
    told = _named(approval, *_APPROVAL)
    return {"kind": "approval", **told, "state": str(approval.state_at(now)), "call": as_json(call)}


def of_standing(standing: StandingApproval, now: datetime) -> Line:
    return {"kind": "standing", **_named(standing, *_STANDING), "state": str(standing.state_at(now))}


def of_consent(consent: Consent) -> Line:
    fields = ("id", "organization_id", "given_at", "policy_version", "text_hash", "ended_at")
    return {"kind": "training", **_named(consent, *fields)}


def of_profile(profile: Profile) -> Line:
    chosen = [{"connection_id": id, **_named(choice, "whole", "tools")} for id, choice in profile.choices.items()]
    return {"kind": "profile", **_named(profile, "name", "title", "access", "created_at"), "choices": chosen}


def of_call(call: CallRecord, contents: str, request: bytes | None, response: bytes | None) -> Line:
    """`contents` is `shown`, `none` (nothing was kept) or `erased`."""
    return {
        **_named(call, *_CALL),
        "contents": contents,
        "request": as_json(request),
        "response": as_json(response),
    }


def of_result(call_id: str, result: bytes | None) -> Line:
    """`contents` is `shown`, or `erased` where its key is gone."""
    shown = "erased" if result is None else "shown"
    return {"call_id": call_id, "contents": shown, "result": as_json(result)}


def of_alert(alert: Alert) -> Line:
    return _named(alert, *_ALERT)


def of_hold(hold: Hold) -> Line:
    """`for_everybody`: it is on all members of the organization."""
    return {**_named(hold, "id", "reason", "placed_at"), "for_everybody": not hold.person_id}


def of_event(event: TrailEvent) -> Line:
    told = _named(event, "seq", "at", "event", "actor", "organization_id", "object")
    return {**told, "detail": dict(event.detail), "asked": dict(event.asked or {})}


def of_record(one: Inclusion) -> Line:
    """As a line of `valetkey trail export`."""
    return {"index": one.index, "record": one.record.decode(errors="replace"), "proof": hashes(one.proof)}


def as_json(body: bytes | None) -> Any:
    """A payload as JSON if it is that, or else as text."""
    if body is None:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


def _named(thing: object, *names: str) -> dict[str, Any]:
    return {name: _plain(getattr(thing, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return sorted(value) if isinstance(value, frozenset | set) else value

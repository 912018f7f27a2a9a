"""Who gets in where: every route of the API, tried by everybody (T33). One that is not there fails the build."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from tests.api.described import case_of, wrong_with
from tests.api.hub import Hub, open_hub
from tests.api.things import Things, give_things
from tests.api.told import events_of
from tests.conftest import FakeClock
from tests.databases import migrated_sqlite
from valetkey.api.app import ROUTERS
from valetkey.api.asking import Scope
from valetkey.audit.feed.messages import actor_type
from valetkey.audit.model import Everyone, WantedEvents
from valetkey.identity.model import Role
from valetkey.store.database import Database
from valetkey.store.schema import access_token

ANYBODY = "anybody"
ANY_TOKEN = "any token"
OPERATOR_ONLY = "operator only"


@dataclass(frozen=True)
class Row:
    """What a route demands, and what comes of it for the operator, for Ada whose things they are, for Bob, a member of
    her organization, and for Eve of another; Bob and Eve have tokens with every scope."""

    demand: str
    operator: int
    ada: int
    bob: int
    eve: int
    body: Mapping[str, Any] | None = None
    whose: bool = True
    """Whether `?person=` can be given."""
    ada_in: str = field(default="")
    """Where Ada's answer must have her things and Bob's and Eve's must not."""


TABLE: dict[tuple[str, str], Row] = {
    ("GET", "/health"): Row(ANYBODY, 200, 200, 200, 200, whose=False),
    ("GET", "/me"): Row(ANY_TOKEN, 200, 200, 200, 200, whose=False),
    ("GET", "/people"): Row(Scope.PEOPLE_READ, 200, 200, 403, 200, whose=False),
    ("POST", "/people"): Row(Scope.PEOPLE_WRITE, 201, 201, 403, 201, {"login": "new"}, whose=False),
    ("POST", "/people/{person}/invite"): Row(Scope.PEOPLE_WRITE, 201, 201, 403, 404, {}, whose=False),
    ("DELETE", "/people/{person}"): Row(Scope.PEOPLE_WRITE, 200, 200, 200, 404, whose=False),  # bob asks for himself
    ("POST", "/people/{person}/leave"): Row(Scope.PEOPLE_WRITE, 200, 200, 200, 404, {}, whose=False),  # so here
    ("POST", "/people/{person}/disable"): Row(Scope.PEOPLE_WRITE, 200, 200, 403, 404, {}, whose=False),
    ("GET", "/organizations"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 200, 200, whose=False),
    ("POST", "/organizations"): Row(OPERATOR_ONLY, 201, 403, 403, 403, {"name": "New"}, whose=False),
    ("GET", "/organizations/{organization}/sign-in"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 200, 404, whose=False),
    ("PUT", "/organizations/{organization}/sign-in"): Row(
        Scope.ORGANIZATIONS_WRITE,
        200,
        200,
        403,
        404,
        {"issuer": "https://id.example.com", "client_id": "valetkey"},
        whose=False,
    ),
    ("DELETE", "/organizations/{organization}/sign-in"): Row(
        Scope.ORGANIZATIONS_WRITE, 204, 204, 403, 404, whose=False
    ),
    ("GET", "/organizations/{organization}/domains"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 200, 404, whose=False),
    ("POST", "/organizations/{organization}/domains"): Row(
        Scope.ORGANIZATIONS_WRITE, 201, 201, 403, 404, {"name": "new.example"}, whose=False
    ),
    ("POST", "/organizations/{organization}/domains/{domain}/verify"): Row(
        Scope.ORGANIZATIONS_WRITE, 400, 400, 403, 404, {}, whose=False
    ),
    ("DELETE", "/organizations/{organization}/domains/{domain}"): Row(
        Scope.ORGANIZATIONS_WRITE, 204, 204, 403, 404, whose=False
    ),
    ("DELETE", "/people/{person}/identity"): Row(OPERATOR_ONLY, 404, 403, 403, 403, whose=False),
    ("GET", "/organizations/{organization}/provisioning-tokens"): Row(
        Scope.ORGANIZATIONS_READ, 200, 200, 403, 404, whose=False
    ),
    ("POST", "/organizations/{organization}/provisioning-tokens"): Row(
        Scope.ORGANIZATIONS_WRITE, 201, 201, 403, 404, {"name": "directory"}, whose=False
    ),
    ("DELETE", "/organizations/{organization}/provisioning-tokens/{token_id}"): Row(
        Scope.ORGANIZATIONS_WRITE, 404, 404, 403, 404, whose=False
    ),
    ("GET", "/organizations/{organization}/groups"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 403, 404, whose=False),
    ("PUT", "/organizations/{organization}/groups/{group_id}/role"): Row(
        Scope.ORGANIZATIONS_WRITE, 404, 404, 403, 404, {"role": "admin"}, whose=False
    ),
    ("GET", "/organizations/{organization}/invitations"): Row(Scope.PEOPLE_READ, 200, 200, 403, 404, whose=False),
    ("POST", "/organizations/{organization}/invitations"): Row(
        Scope.PEOPLE_WRITE, 201, 201, 403, 404, {"login": "eve"}, whose=False
    ),
    ("DELETE", "/organizations/{organization}/invitations/{invitation}"): Row(
        Scope.PEOPLE_WRITE, 404, 404, 403, 404, whose=False
    ),
    ("GET", "/invitations"): Row(Scope.PEOPLE_READ, 403, 200, 200, 200),
    ("POST", "/invitations/{invitation}/join"): Row(Scope.PEOPLE_WRITE, 403, 404, 404, 404),
    ("DELETE", "/invitations/{invitation}"): Row(Scope.PEOPLE_WRITE, 403, 404, 404, 404),
    ("GET", "/organizations/{organization}/hosts"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 200, 404, whose=False),
    ("PUT", "/organizations/{organization}/hosts"): Row(
        Scope.ORGANIZATIONS_WRITE, 200, 200, 403, 404, {"allowed": None}, whose=False
    ),
    ("GET", "/connector-requests"): Row(Scope.CONNECTORS_READ, 403, 200, 200, 200, ada_in="items"),
    ("POST", "/connector-requests"): Row(
        Scope.CONNECTORS_WRITE, 403, 201, 201, 409, {"url": "https://mcp.wanted.example/mcp"}
    ),
    ("GET", "/organizations/{organization}/connector-requests"): Row(
        Scope.CONNECTORS_READ, 200, 200, 403, 404, whose=False
    ),
    ("POST", "/organizations/{organization}/connector-requests/{request_id}"): Row(
        Scope.CONNECTORS_WRITE, 403, 200, 403, 404, {"decision": "dismissed"}, whose=False
    ),
    ("GET", "/organizations/{organization}/usage"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 403, 404, whose=False),
    ("GET", "/organizations/{organization}/rules"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 200, 404, whose=False),
    ("PUT", "/organizations/{organization}/rules"): Row(
        Scope.ORGANIZATIONS_WRITE, 200, 200, 403, 404, {"own_connectors": True}, whose=False
    ),
    ("GET", "/organizations/{organization}/feeds"): Row(Scope.ORGANIZATIONS_READ, 200, 200, 403, 404, whose=False),
    ("POST", "/organizations/{organization}/feeds"): Row(
        Scope.ORGANIZATIONS_WRITE, 201, 201, 403, 404, {"address": "syslog://siem.example"}, whose=False
    ),
    ("POST", "/organizations/{organization}/feeds/{feed_id}/test"): Row(
        Scope.ORGANIZATIONS_WRITE, 404, 404, 403, 404, whose=False
    ),
    ("DELETE", "/organizations/{organization}/feeds/{feed_id}"): Row(
        Scope.ORGANIZATIONS_WRITE, 404, 404, 403, 404, whose=False
    ),
    ("GET", "/tokens"): Row(Scope.TOKENS_READ, 200, 200, 200, 200, ada_in="items"),
    ("POST", "/tokens"): Row(Scope.TOKENS_WRITE, 201, 201, 201, 201, {"name": "t", "resource": "/mcp"}),
    ("DELETE", "/tokens/{token_id}"): Row(Scope.TOKENS_WRITE, 204, 204, 404, 404),
    ("GET", "/assistants"): Row(Scope.TOKENS_READ, 200, 200, 200, 200),
    ("DELETE", "/assistants/{grant_id}"): Row(Scope.TOKENS_WRITE, 404, 404, 404, 404),
    ("GET", "/connectors"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 200),
    ("POST", "/connectors"): Row(
        Scope.CONNECTORS_WRITE, 201, 201, 403, 201, {"name": "n", "url": "https://new.example/mcp"}
    ),
    ("GET", "/connectors/{slug}"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 404),
    ("DELETE", "/connectors/{slug}"): Row(Scope.CONNECTORS_WRITE, 204, 204, 403, 404),
    ("PATCH", "/connectors/{slug}"): Row(Scope.CONNECTORS_WRITE, 200, 200, 403, 404, {"state": "blocked"}),
    ("PUT", "/connectors/{slug}/groups"): Row(Scope.CONNECTORS_WRITE, 200, 200, 403, 404, {"groups": None}),
    ("PUT", "/connectors/{slug}/key"): Row(Scope.CONNECTORS_WRITE, 403, 204, 403, 404, {"values": {"X-API-Key": "k"}}),
    ("DELETE", "/connectors/{slug}/key"): Row(Scope.CONNECTORS_WRITE, 403, 204, 403, 404),
    ("POST", "/connectors/{slug}/quarantine"): Row(Scope.CONNECTORS_WRITE, 200, 200, 403, 404),
    ("DELETE", "/connectors/{slug}/quarantine"): Row(Scope.CONNECTORS_WRITE, 200, 200, 403, 404),
    ("GET", "/directory"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 200),
    ("GET", "/directory/{slug}"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 404),
    ("GET", "/directory/{slug}/label"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 404),
    ("POST", "/directory/{listing}/takedown"): Row(OPERATOR_ONLY, 204, 403, 403, 403, {"reason": "sold"}, whose=False),
    ("DELETE", "/directory/{listing}/takedown"): Row(OPERATOR_ONLY, 404, 403, 403, 403, whose=False),
    ("POST", "/directory/{listing}"): Row(Scope.CONNECTORS_WRITE, 201, 201, 403, 201, {}),
    ("GET", "/submissions"): Row(Scope.CONNECTORS_READ, 200, 200, 403, 200),
    ("POST", "/submissions"): Row(Scope.CONNECTORS_WRITE, 201, 201, 403, 201, {"slug": "new-one"}),
    ("GET", "/submissions/terms"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 200, whose=False),
    ("POST", "/submissions/review"): Row(Scope.CONNECTORS_WRITE, 400, 400, 403, 400, {"url": "nonsense"}),
    ("GET", "/submissions/review/{run_id}"): Row(Scope.CONNECTORS_READ, 404, 404, 404, 404),
    ("GET", "/submissions/{submission_id}"): Row(Scope.CONNECTORS_READ, 200, 200, 403, 404),
    ("PATCH", "/submissions/{submission_id}"): Row(
        Scope.CONNECTORS_WRITE, 200, 200, 403, 404, {"fields": {"about": "Notes."}, "revision": 1}
    ),
    ("POST", "/submissions/{submission_id}/agree"): Row(Scope.CONNECTORS_WRITE, 200, 200, 403, 404, {"texts": {}}),
    ("POST", "/submissions/{submission_id}/proof"): Row(Scope.CONNECTORS_WRITE, 400, 400, 403, 404),
    ("POST", "/submissions/{submission_id}/account"): Row(Scope.CONNECTORS_WRITE, 400, 400, 403, 404, {"token": "t"}),
    ("GET", "/submissions/pictures/{picture}"): Row(Scope.CONNECTORS_READ, 404, 404, 404, 404, whose=False),
    ("POST", "/submissions/{submission_id}/pictures/{kind}"): Row(
        Scope.CONNECTORS_WRITE, 400, 400, 403, 404, {"png": "PHN2Zy8+", "revision": 1}
    ),
    ("POST", "/submissions/{submission_id}/contact/code"): Row(Scope.CONNECTORS_WRITE, 409, 409, 403, 404),
    ("POST", "/submissions/{submission_id}/contact"): Row(Scope.CONNECTORS_WRITE, 409, 409, 403, 404, {}),
    ("POST", "/submissions/{submission_id}/review"): Row(Scope.CONNECTORS_WRITE, 400, 400, 403, 404),
    ("POST", "/submissions/{submission_id}/move"): Row(Scope.CONNECTORS_WRITE, 200, 200, 403, 404, {"act": "remove"}),
    ("POST", "/submissions/{submission_id}/answer"): Row(Scope.CONNECTORS_WRITE, 409, 409, 403, 404, {"words": "Yes."}),
    ("GET", "/desk"): Row(Scope.CONNECTORS_READ, 200, 403, 403, 403, whose=False),
    ("GET", "/desk/all"): Row(Scope.CONNECTORS_READ, 200, 403, 403, 403, whose=False),
    ("GET", "/desk/reviewers"): Row(OPERATOR_ONLY, 200, 403, 403, 403, whose=False),
    ("POST", "/desk/reviewers"): Row(OPERATOR_ONLY, 201, 403, 403, 403, {"person": "bob"}, whose=False),
    ("DELETE", "/desk/reviewers/{person}"): Row(OPERATOR_ONLY, 404, 403, 403, 403, whose=False),
    ("GET", "/desk/looks"): Row(OPERATOR_ONLY, 200, 403, 403, 403, whose=False),
    ("GET", "/desk/rescan"): Row(OPERATOR_ONLY, 200, 403, 403, 403, whose=False),
    ("POST", "/desk/rescan"): Row(OPERATOR_ONLY, 404, 403, 403, 403, {"listing": "nothing"}, whose=False),
    ("GET", "/submissions/{submission_id}/health"): Row(Scope.CONNECTORS_READ, 200, 200, 403, 404),
    ("GET", "/desk/{submission_id}"): Row(Scope.CONNECTORS_READ, 404, 403, 403, 403, whose=False),
    ("POST", "/desk/{submission_id}/review"): Row(Scope.CONNECTORS_WRITE, 404, 403, 403, 403, whose=False),
    ("POST", "/desk/{submission_id}/decision"): Row(
        Scope.CONNECTORS_WRITE, 404, 403, 403, 403, {"act": "reject", "reason": "No.", "seen": "0"}, whose=False
    ),
    ("POST", "/desk/{submission_id}/question"): Row(
        Scope.CONNECTORS_WRITE, 404, 403, 403, 403, {"words": "Why?"}, whose=False
    ),
    ("POST", "/desk/{submission_id}/takedown"): Row(
        Scope.CONNECTORS_WRITE, 404, 403, 403, 403, {"reason": "sold"}, whose=False
    ),
    ("GET", "/registry"): Row(Scope.CONNECTORS_READ, 200, 200, 200, 200),
    ("GET", "/registry/run"): Row(OPERATOR_ONLY, 404, 403, 403, 403, whose=False),
    ("POST", "/registry/run"): Row(OPERATOR_ONLY, 404, 403, 403, 403, {}, whose=False),
    ("GET", "/connections"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200, ada_in="items"),
    ("POST", "/connections"): Row(Scope.CONNECTIONS_WRITE, 403, 200, 200, 404, {"connector": "{slug}"}),
    ("POST", "/connections/headers"): Row(
        Scope.CONNECTIONS_WRITE, 403, 201, 201, 404, {"connector": "{slug}", "values": {"X-API-Key": "k"}}
    ),
    ("POST", "/connections/disconnect-all"): Row(Scope.CONNECTIONS_WRITE, 200, 200, 200, 200, {}),
    ("GET", "/connections/receipts"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200),
    ("PATCH", "/connections/{connection_id}"): Row(
        Scope.CONNECTIONS_WRITE, 403, 200, 404, 404, {"display_name": "Mine"}
    ),
    ("GET", "/connections/{connection_id}"): Row(Scope.CONNECTIONS_READ, 200, 200, 404, 404),
    ("DELETE", "/connections/{connection_id}"): Row(Scope.CONNECTIONS_WRITE, 204, 204, 404, 404),
    ("POST", "/connections/{connection_id}/disconnect"): Row(Scope.CONNECTIONS_WRITE, 200, 200, 404, 404, {}),
    ("POST", "/connections/{connection_id}/quarantine"): Row(Scope.CONNECTIONS_WRITE, 200, 200, 404, 404),
    ("DELETE", "/connections/{connection_id}/quarantine"): Row(Scope.CONNECTIONS_WRITE, 403, 200, 404, 404),
    ("POST", "/connections/{connection_id}/check"): Row(Scope.CONNECTIONS_WRITE, 403, 200, 404, 404),
    ("POST", "/connections/{connection_id}/report"): Row(
        Scope.CONNECTIONS_WRITE, 403, 204, 404, 404, {"reason": "acts"}
    ),
    ("GET", "/connections/{connection_id}/uses"): Row(Scope.CONNECTIONS_READ, 200, 200, 404, 404),
    ("GET", "/connections/{connection_id}/trace"): Row(Scope.CONNECTIONS_READ, 200, 200, 404, 404),
    ("GET", "/connections/{connection_id}/tools"): Row(Scope.CONNECTIONS_READ, 403, 200, 404, 404),
    ("GET", "/connections/{connection_id}/tools/changes"): Row(Scope.CONNECTIONS_READ, 403, 200, 404, 404),
    ("POST", "/connections/{connection_id}/tools/changes"): Row(
        Scope.PERMISSIONS_WRITE, 403, 404, 404, 404, {"accept": [{"tool": "nothing", "seen": "0"}]}
    ),
    ("POST", "/connections/{connection_id}/tools"): Row(Scope.PERMISSIONS_WRITE, 403, 200, 404, 404, {"off": ["list"]}),
    ("GET", "/connections/{connection_id}/permissions"): Row(Scope.CONNECTIONS_READ, 403, 200, 404, 404),
    ("POST", "/connections/{connection_id}/permissions"): Row(
        Scope.PERMISSIONS_WRITE,
        403,
        404,
        404,
        404,
        {"say": [{"name": "nothing", "fingerprint": "0", "setting": "block"}]},
    ),
    ("POST", "/connections/{connection_id}/permissions/level"): Row(
        Scope.PERMISSIONS_WRITE, 403, 409, 404, 404, {"level": "always_ask", "seen": "0"}
    ),
    ("GET", "/profiles"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200, ada_in="items"),
    ("POST", "/profiles"): Row(Scope.PERMISSIONS_WRITE, 403, 201, 201, 201, {"name": "new"}),
    ("GET", "/profiles/{name}"): Row(Scope.CONNECTIONS_READ, 200, 200, 404, 404),
    ("POST", "/profiles/{name}"): Row(Scope.PERMISSIONS_WRITE, 403, 200, 404, 404, {"title": "x"}),
    ("DELETE", "/profiles/{name}"): Row(Scope.PERMISSIONS_WRITE, 403, 204, 404, 404),
    ("GET", "/policy/ceilings"): Row(Scope.CONNECTIONS_READ, 403, 200, 200, 200, whose=False),
    ("POST", "/policy/ceilings"): Row(Scope.PERMISSIONS_WRITE, 403, 201, 403, 201, {"setting": "ask"}, whose=False),
    ("DELETE", "/policy/ceilings/{ceiling_id}"): Row(Scope.PERMISSIONS_WRITE, 403, 204, 403, 404, whose=False),
    ("POST", "/policy/verticals"): Row(
        Scope.PERMISSIONS_WRITE, 403, 204, 403, 204, {"connector": "{slug}", "enabled": True}, whose=False
    ),
    ("PUT", "/connectors/{slug}/raised"): Row(Scope.PERMISSIONS_WRITE, 403, 200, 403, 404, {"to": "finance"}),
    ("GET", "/connections/{connection_id}/decision"): Row(Scope.CONNECTIONS_READ, 403, 200, 404, 404),
    ("GET", "/approvals"): Row(Scope.CONNECTIONS_READ, 403, 200, 200, 200),
    ("GET", "/approvals/standing"): Row(Scope.CONNECTIONS_READ, 403, 200, 200, 200, ada_in="items"),
    ("DELETE", "/approvals/standing/{standing_id}"): Row(Scope.PERMISSIONS_WRITE, 403, 204, 404, 404),
    ("GET", "/alerts"): Row(Scope.CONNECTIONS_READ, 403, 200, 200, 200, ada_in="items"),
    ("GET", "/alerts/organization"): Row(Scope.CONNECTIONS_READ, 403, 200, 403, 200),
    ("GET", "/alerts/{alert_id}"): Row(Scope.CONNECTIONS_READ, 403, 200, 404, 404),
    ("POST", "/alerts/{alert_id}/dismiss"): Row(Scope.CONNECTIONS_WRITE, 403, 200, 404, 404, {}),
    ("GET", "/calls"): Row(Scope.CALLS_READ, 200, 200, 200, 200, ada_in="items"),
    ("GET", "/calls/{call_id}"): Row(Scope.CALLS_READ, 200, 200, 404, 404, whose=False),
    ("GET", "/calls/{call_id}/result"): Row(Scope.CALLS_READ, 403, 404, 404, 404, whose=False),
    ("POST", "/calls/{call_id}/readings"): Row(Scope.CALLS_READ, 403, 403, 403, 403, {"reason": "Case"}, whose=False),
    ("GET", "/calls/{call_id}/readings"): Row(Scope.CALLS_READ, 403, 200, 404, 404, whose=False),
    ("POST", "/calls"): Row(Scope.CALLS_RUN, 403, 200, 200, 200, {"connector": "{slug}", "tool": "list"}, whose=False),
    ("GET", "/data/level"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200),
    ("POST", "/data/level"): Row(Scope.PERMISSIONS_WRITE, 403, 200, 200, 200, {"level": "metadata"}, whose=False),
    ("POST", "/data/bounds"): Row(
        Scope.PERMISSIONS_WRITE, 403, 200, 403, 200, {"kind": "floor", "level": "metadata"}, whose=False
    ),
    ("GET", "/data/retention"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200),
    ("POST", "/data/retention"): Row(Scope.ORGANIZATIONS_WRITE, 403, 200, 403, 200, {"contents": 60}, whose=False),
    ("GET", "/data/retention/runs"): Row(OPERATOR_ONLY, 200, 403, 403, 403, whose=False),
    ("GET", "/data/holds"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200),
    ("POST", "/data/holds"): Row(Scope.ORGANIZATIONS_WRITE, 403, 201, 403, 201, {"reason": "A case"}, whose=False),
    ("DELETE", "/data/holds/{hold_id}"): Row(Scope.ORGANIZATIONS_WRITE, 403, 204, 403, 404, whose=False),
    ("GET", "/data/training-consent"): Row(Scope.CONNECTIONS_READ, 200, 200, 200, 200),
    ("DELETE", "/data/training-consent"): Row(Scope.PERMISSIONS_WRITE, 403, 200, 200, 200, whose=False),
    ("POST", "/data/training-export"): Row(OPERATOR_ONLY, 200, 403, 403, 403, {}, whose=False),
    ("GET", "/data/training-export/withdrawn"): Row(OPERATOR_ONLY, 200, 403, 403, 403, whose=False),
    ("GET", "/data/export"): Row(Scope.DATA_READ, 403, 200, 200, 200, whose=False),
    ("POST", "/data/erase"): Row(Scope.DATA_ERASE, 403, 200, 200, 200, {}, whose=False),
    ("GET", "/data/erasures"): Row(Scope.DATA_READ, 403, 200, 200, 200, whose=False),
    ("GET", "/privacy"): Row(ANY_TOKEN, 200, 200, 200, 200, whose=False),
    ("GET", "/privacy/versions"): Row(ANY_TOKEN, 200, 200, 200, 200, whose=False),
    ("GET", "/privacy/versions/{number}"): Row(ANY_TOKEN, 200, 200, 200, 200, whose=False),
    ("POST", "/privacy"): Row(OPERATOR_ONLY, 201, 403, 403, 403, {"text": "We keep little."}, whose=False),
    ("POST", "/privacy/accept"): Row(OPERATOR_ONLY, 201, 403, 403, 403, {}, whose=False),
    ("GET", "/trail"): Row(Scope.TRAIL_READ, 200, 200, 200, 200),
    ("GET", "/trail/status"): Row(Scope.TRAIL_READ, 200, 200, 403, 200, whose=False),
    ("GET", "/trail/checkpoints"): Row(Scope.TRAIL_READ, 200, 200, 200, 200, whose=False),
    ("POST", "/trail/checkpoints"): Row(Scope.TRAIL_READ, 200, 200, 403, 200, {}, whose=False),
    ("POST", "/trail/verify"): Row(Scope.TRAIL_READ, 200, 200, 403, 200, {}, whose=False),
    ("GET", "/trail/proofs/calls/{call_id}"): Row(Scope.TRAIL_READ, 200, 200, 404, 404),
    ("GET", "/trail/proofs/events/{event_seq}"): Row(Scope.TRAIL_READ, 200, 200, 404, 404),
    ("GET", "/trail/proofs/consistency/{before}/{after}"): Row(Scope.TRAIL_READ, 200, 200, 200, 200, whose=False),
    ("GET", "/trail/export"): Row(Scope.TRAIL_READ, 200, 200, 200, 200),
    ("POST", "/trail/watch-key"): Row(OPERATOR_ONLY, 200, 403, 403, 403, {}, whose=False),
    ("GET", "/keys"): Row(Scope.KEYS_READ, 200, 200, 403, 200, whose=False),
    ("POST", "/keys/rotate/root"): Row(OPERATOR_ONLY, 200, 403, 403, 403, {}, whose=False),
    ("POST", "/keys/recovery-kit"): Row(OPERATOR_ONLY, 200, 403, 403, 403, {"public_key": "ab" * 32}, whose=False),
    ("POST", "/keys/rotate/tenant"): Row(Scope.KEYS_WRITE, 404, 200, 403, 200, {}, whose=False),
    ("POST", "/keys/rewrap"): Row(Scope.KEYS_WRITE, 200, 200, 403, 200, {}, whose=False),
    ("POST", "/vault/revoke-all"): Row(Scope.KEYS_WRITE, 200, 200, 403, 200, {}, whose=False),
    ("POST", "/vault/seal"): Row(OPERATOR_ONLY, 200, 403, 403, 403, {}, whose=False),
}
OF_AUDITORS = (("POST", "/calls/{call_id}/readings"), ("GET", "/trail/proofs/calls/{call_id}"))
EVERY_ROUTE = pytest.mark.parametrize(("method", "path"), TABLE, ids=str)


def test_every_route_is_in_the_table() -> None:
    routes = {
        (method, route.path) for noun in ROUTERS for route in noun.router.routes for method in route.methods or ()
    }

    assert routes == TABLE.keys()


@dataclass(frozen=True)
class World:
    """A hub with everything of Ada's in it."""

    hub: Hub
    things: Things
    tokens: dict[tuple[str, ...], str] = field(default_factory=dict)

    async def with_scopes(self, login: str, *scopes: str, audience: str = "/api/v1") -> httpx2.AsyncClient:
        """A client of this person, with all scopes if none are named; its token is made once, for nobody has many."""
        wanted = (audience, login, *(scopes or tuple(Scope)))
        if wanted not in self.tokens:
            self.tokens[wanted] = await self.hub.token(login, *wanted[2:], audience=audience)
        return self.hub.client(self.hub.app, self.tokens[wanted])


@asynccontextmanager
async def furnished(directory: Path, main: Database | None = None) -> AsyncIterator[World]:
    """On the database `main`, or else a SQLite of its own."""
    database = main or await migrated_sqlite(directory / "main.db", "main")
    keyring = await migrated_sqlite(directory / "keyring.db", "keyring")
    hub = await open_hub(database, FakeClock())
    hub.keep_keys(keyring, directory / "root.key")
    things = await give_things(hub)
    await hub.services.trail_log.checkpoints.make()
    yield World(hub, things)
    await hub.services.alerts.settle()
    await database.close()
    await keyring.close()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One for all that only read or are refused: making one takes ten times as long as asking it."""
    async with furnished(tmp_path_factory.mktemp("shared")) as world:
        yield world


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[World]:
    async with furnished(tmp_path) as world:
        yield world


@pytest.fixture
def world(request: pytest.FixtureRequest, method: str, path: str) -> World:
    """The shared one where nothing can come of the request, else one of its own."""
    row, given = TABLE[method, path], request.node.callspec.params
    status = getattr(row, given["who"]) if "who" in given else row.operator
    chosen: World = request.getfixturevalue("shared" if method == "GET" or status >= 400 else "fresh")
    return chosen


async def ask(client: httpx2.AsyncClient, things: Things, method: str, path: str, **query: str) -> httpx2.Response:
    row = TABLE[method, path]
    body = None
    if row.body is not None:
        body = {name: things.connector.slug if value == "{slug}" else value for name, value in row.body.items()}
    answer = await client.request(method, things.path(path), json=body, params=query)
    assert wrong_with(answer, case_of(method, path)) == []
    return answer


@EVERY_ROUTE
async def test_nobody_gets_in_without_a_token(shared: World, method: str, path: str) -> None:
    answer = await ask(shared.hub.nobody, shared.things, method, path)

    if TABLE[method, path].demand == ANYBODY:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="valetkey"'
        assert answer.json()["code"] == "not_signed_in"


@EVERY_ROUTE
async def test_a_token_for_another_resource_opens_nothing_here(shared: World, method: str, path: str) -> None:
    client = await shared.with_scopes("ada", "mcp", audience="/mcp")

    answer = await ask(client, shared.things, method, path)

    if TABLE[method, path].demand != ANYBODY:
        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@EVERY_ROUTE
async def test_a_token_without_the_scope_is_told_which_one_it_lacks(shared: World, method: str, path: str) -> None:
    demand = TABLE[method, path].demand
    others = [scope for scope in Scope if scope != demand]

    answer = await ask(await shared.with_scopes("ada", *others), shared.things, method, path)

    if demand in (ANYBODY, ANY_TOKEN):
        assert answer.status_code == 200
        return
    assert answer.status_code == 403
    if demand != OPERATOR_ONLY:
        assert answer.json()["code"] == "insufficient_scope"
        assert f'scope="{demand}"' in answer.headers["www-authenticate"]


@EVERY_ROUTE
async def test_the_operator_gets_people_keys_trail_and_metadata_and_nothing_of_a_persons_own(
    world: World, method: str, path: str
) -> None:
    row, trail = TABLE[method, path], world.hub.services.trail
    before = (await trail.list(Everyone(), limit=1))[0].seq

    answer = await ask(world.hub.operator, world.things, method, path, **({"person": "ada"} if row.whose else {}))

    assert answer.status_code == row.operator
    told = await trail.list(Everyone(), wanted=WantedEvents(after=before))
    assert {actor_type(one) for one in told if one.actor != "system"} <= {"operator"}
    if method != "GET" and answer.status_code == 403:
        assert [one.event for one in told] == ["act.refused"]


@EVERY_ROUTE
@pytest.mark.parametrize("who", ["ada", "bob", "eve"])
async def test_each_person_gets_their_own_and_nobody_elses(world: World, method: str, path: str, who: str) -> None:
    """And what they do, or try, is in the trail with who, by which token and from where (ORG-12)."""
    row = TABLE[method, path]

    client, trail = await world.with_scopes(who), world.hub.services.trail
    before = (await trail.list(Everyone(), limit=1))[0].seq

    answer = await ask(client, world.things, method, path)

    assert answer.status_code == getattr(row, who)
    told = await trail.list(Everyone(), wanted=WantedEvents(after=before))
    assert [one.event for one in reversed(told)] == list(
        events_of(method, path, answer.status_code, has_connection=who == "ada")
    )
    assert {one.actor for one in told} <= {f"person:{world.hub.people[who].id}"}
    assert {actor_type(one) for one in told} <= {"api_key"}
    assert all(one.asked and one.asked["ip"] == "127.0.0.1" and one.asked["user_agent"] for one in told)
    if row.ada_in:
        mine = [item for item in answer.json()[row.ada_in] if item.get("name") != f"for {who}"]
        assert bool(mine) == (who == "ada")


OWN = ("{connection_id}", "{call_id}", "{token_id}", "{standing_id}", "{alert_id}", "/profiles/{name}")
"""What in an address is one person's own."""


async def test_T33_no_role_reaches_what_is_anothers_own(shared: World) -> None:
    """Administering is not access: to an admin and an auditor another's thing is as it is to any member."""
    ours = shared.hub.people["ada"].organization_id
    for login, role in (("adam", Role.ADMIN), ("audrey", Role.AUDITOR)):
        await shared.hub.add(login, ours, role)
        client = await shared.with_scopes(login)
        found = {
            route: (await ask(client, shared.things, *route)).status_code
            for route, row in TABLE.items()
            if row.bob >= 400 and any(own in route[1] for own in OWN)
        }
        expected = {route: TABLE[route].bob for route in found}
        if role is Role.AUDITOR:  # what there is: that a call was made, and, with a reason, what was in it (ORG-19)
            assert [found.pop(one) for one in OF_AUDITORS] == [200, 200]
            expected = {route: status for route, status in expected.items() if route not in OF_AUDITORS}
        assert found == expected, login
        of_the_log = (await client.get("/trail/export")).text
        assert (shared.things.call_id in of_the_log) is (role is Role.AUDITOR)
        assert len(found) > 20


async def test_T33_who_is_disabled_or_whose_token_has_run_out_gets_in_nowhere(shared: World) -> None:
    ours = shared.hub.people["ada"].organization_id
    await shared.hub.add("dora", ours, Role.OWNER)
    out = await shared.hub.with_scopes("dora")
    await shared.hub.services.people.disable(shared.hub.people["dora"].id)
    await shared.hub.add("lena", ours, Role.OWNER)
    late = await shared.hub.with_scopes("lena")
    async with shared.hub.database.write() as tx:
        of_lena = access_token.c.person_id == shared.hub.people["lena"].id
        await tx.execute(update(access_token).where(of_lena).values(expires_at=shared.hub.clock.now()))

    for client in (out, late):
        for method, path in TABLE:
            if TABLE[method, path].demand != ANYBODY:
                assert (await ask(client, shared.things, method, path)).status_code == 401, (method, path)


@pytest.mark.parametrize(("method", "path"), [route for route, row in TABLE.items() if row.whose], ids=str)
@pytest.mark.parametrize("who", ["bob", "eve"])
async def test_a_token_does_not_speak_for_somebody_else_by_naming_them(
    shared: World, method: str, path: str, who: str
) -> None:
    answer = await ask(await shared.with_scopes(who), shared.things, method, path, person="ada")

    assert answer.status_code == 403
    assert "ada" not in answer.text


@pytest.mark.parametrize(("method", "path"), [route for route, row in TABLE.items() if row.demand != ANYBODY], ids=str)
async def test_nothing_in_a_request_makes_an_operator(shared: World, method: str, path: str) -> None:
    forged = {
        "x-valetkey-operator": "1",
        "valetkey.operator": "true",
        "x-forwarded-for": "127.0.0.1",
        "x-remote-user": "root",
        "extensions": "valetkey.operator",
    }
    client = shared.hub.nobody
    client.headers.update(forged)

    answer = await ask(client, shared.things, method, path, **{"valetkey.operator": "1"})

    assert answer.status_code == 401

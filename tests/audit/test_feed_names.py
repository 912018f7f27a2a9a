"""ORG-12: every event of the trail has its name in the activity feed, or stands on the list that stays inside."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import valetkey
from valetkey.audit.feed.messages import as_object
from valetkey.audit.feed.names import INSIDE, NAMES
from valetkey.audit.model import TrailEvent

SOURCE = Path(valetkey.__file__).parent
WRITING = {"write", "_write", "tell", "_tell", "check_may_add", "_tell_about"}
EVENT = re.compile(r"[a-z_]+\.[a-z_]+")
MADE = {
    # Names that are put together where they are written.
    "connection.refresh", "connector.blocked", "connector.enabled", "connection.quarantined",
    "connection.quarantine_lifted", "connector.quarantined", "connector.quarantine_lifted", "submission.asked",
    "submission.answered", "submission.told", "submission.refused", "submission.taken_down",
}  # fmt: skip


def written() -> Iterator[str]:
    """Every event that the source writes under a name it says."""
    for path in SOURCE.rglob("*.py"):
        if "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in WRITING:
                for argument in node.args[:2]:
                    for one in ast.walk(argument):
                        if isinstance(one, ast.Constant) and isinstance(one.value, str) and EVENT.fullmatch(one.value):
                            yield one.value


def test_ORG_12_every_event_of_the_trail_has_a_feed_name_or_is_named_as_staying_inside() -> None:
    found = set(written())

    assert len(found) > 80
    assert sorted(found - NAMES.keys() - INSIDE) == []
    assert not NAMES.keys() & INSIDE


def test_no_name_is_kept_for_an_event_that_nobody_writes() -> None:
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name not in ("names.py", "notices.py"))

    assert [one for one in sorted(NAMES.keys() | INSIDE) if f'"{one}"' not in text and one not in MADE] == []


@pytest.mark.parametrize(("event", "kind"), [
    ("connector.added", "connector_created"), ("connector.blocked", "connector_updated"),
    ("connector.removed", "connector_deleted"), ("ceiling.set", "tool_policy_updated"),
    ("permissions.set", "tools_enabled"), ("connection.connected", "user_connected"),
    ("connection.disconnected", "user_disconnected"), ("group.role_set", "role_permission_updated"),
    ("connector.key_entered", "managed_auth_updated"), ("submission.moved", "listing_published"),
    ("grant.ended", "oauth_client_updated"), ("nobody.named_it", "nobody_named_it"),
])  # fmt: skip
def test_ORG_12_an_event_is_sent_under_the_requirements_name_with_who_did_it(event: str, kind: str) -> None:
    at = datetime(2026, 11, 28, tzinfo=UTC)
    sent = as_object(TrailEvent(7, at, event, "scim:pt_1", "org_1", "", "", {}))

    assert (sent["kind"], sent["event"], sent["actor_type"], sent["actor"]) == (kind, event, "admin_key", "pt_1")

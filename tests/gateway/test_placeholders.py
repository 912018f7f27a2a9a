"""VLT-03, S-15 (c): a credential stands in its header at its service and nowhere else, whatever an assistant writes.

There is no writing that stands for a credential: not in arguments, names, addresses, metadata or headers of a request.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Service

TOKEN = "CANARY-adas-token-1234567890"


@pytest.fixture
def front() -> Front:
    return "fast"


def writings(connection_id: str) -> list[str]:
    names = ("access_token", f"connection:{connection_id}", connection_id, "Authorization", "VALETKEY_TOKEN")
    forms = ("${vault:%s}", "{{%s}}", "{{ secrets.%s }}", "${%s}", "$%s", "%%(%s)s", "<%s>", "{value}%s", "env:%s")
    return [form % name for form in forms for name in names]


async def test_nothing_that_is_written_in_a_call_is_resolved_to_a_credential(
    hub: Hub, modern: Service, legacy: Service
) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, TOKEN)
    await hub.connect(ada, legacy, "CANARY-other-token-0987654321", label="other")
    client = await hub.client(ada, modern)
    written: dict[str, Any] = {
        "text": " ".join(writings(connection.id)),
        "deep": [{"url": f"{legacy.url}?key={one}", one: one} for one in writings(connection.id)],
    }

    got = await client.call("echo", written, _meta={"note": writings(connection.id)})

    [call] = modern.calls
    assert json.loads(call.body)["params"]["arguments"] == written
    assert got.text == written["text"]
    assert [name for name, value in call.headers if TOKEN in value] == ["authorization"]
    for service, others in ((modern, "CANARY-other"), (legacy, TOKEN)):
        for seen in service.seen:
            assert b"CANARY" not in seen.body
            assert "CANARY" not in seen.path
            assert others not in str(seen.headers)
    assert b"CANARY" not in got.raw

"""Calls that take long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.gateway.conftest import Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import Outcome
from valetkey.upstream.streamable_http import CALL_LIMITS


def test_a_call_may_take_240_seconds_and_no_more() -> None:
    assert (CALL_LIMITS.total, CALL_LIMITS.first_byte, CALL_LIMITS.idle) == (240.0, 240.0, 240.0)


@pytest.mark.parametrize("version", ["2026-07-28", "2025-11-25"])
async def test_a_service_that_takes_too_long_is_given_up(hub: Hub, service: Service, version: str) -> None:
    hub.upstreams.limits = replace(CALL_LIMITS, total=0.2, first_byte=0.2)
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service, version=version)

    async def never(_seen: Seen, _params: Any) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    service.on_call = never
    got = await client.call("echo")

    assert "did not answer in time" in got.text
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.TIMEOUT]


async def test_progress_does_not_make_a_call_last_for_ever(hub: Hub, service: Service) -> None:
    hub.upstreams.limits = replace(CALL_LIMITS, total=0.4, idle=0.3)
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)

    async def on_and_on(seen: Seen, params: dict[str, Any]) -> Answer:
        token = params["_meta"]["progressToken"]
        piece = b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":%d}}\n\n' % token
        return Answer(pieces=[piece] * 1000, content_type="text/event-stream", pause=lambda: asyncio.sleep(0.02))

    service.on_call = on_and_on
    got = await client.call("echo", _meta={"progressToken": 1})

    assert got.is_stream
    assert "did not answer in time" in got.text
    assert [record.outcome for record in await hub.records(ada)] == [Outcome.TIMEOUT]


async def test_a_quiet_call_is_kept_open_by_comments(hub: Hub, service: Service) -> None:
    """Proxies in between hang up on a connection that says nothing."""
    hub.keep_alive(0.05)
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token")
    client = await hub.client(ada, service)

    async def slow(_seen: Seen, _params: Any) -> bytes:
        await asyncio.sleep(0.2)
        return b'{"content":[{"type":"text","text":"at last"}]}'

    service.on_call = slow
    got = await client.call("echo")

    assert got.is_stream
    assert got.raw.startswith(b": \n\n: \n\n")
    assert got.text == "at last"

"""From where it was asked, as it stands beside an event (ORG-12): bounded, visible, and not beyond the request."""

from __future__ import annotations

import asyncio
from typing import Any

from valetkey.audit.asked import asked_by, asked_from, asking


def scope(program: bytes = b"", client: tuple[str, int] | None = ("192.0.2.7", 5)) -> dict[str, Any]:
    return {"client": client, "headers": [(b"user-agent", program)] if program else []}


def test_what_a_program_calls_itself_is_cut_and_made_visible() -> None:
    with asking(scope(b"a\x00b\xe2\x80\xae" + b"x" * 500), token="t" * 99):
        asked = asked_from()

    assert asked is not None
    assert (len(asked["user_agent"]), len(asked["token"]), asked["ip"]) == (201, 41, "192.0.2.7")
    assert asked["user_agent"].isprintable()


async def test_it_is_known_within_a_request_and_in_what_that_begins_and_nowhere_else() -> None:
    async def look() -> Any:
        return asked_from()

    async def ask() -> tuple[Any, Any]:
        asked_by(lambda: ("192.0.2.8", "", ""))
        return await look(), await asyncio.create_task(look())

    with asking(scope()):
        assert asked_from() == {"ip": "192.0.2.7"}
        with asking(scope(client=None)):
            assert asked_from() is None
    assert asked_from() is None
    inside = await asyncio.create_task(ask())

    assert inside == ({"ip": "192.0.2.8"}, {"ip": "192.0.2.8"})
    assert await look() is None

"""T18: what a service says back of the credential it got reaches no client and no log; that it did so does (VLT-03,
S-09 (e))."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import OfPerson, Outcome
from valetkey.audit.trail import Trail
from valetkey.gateway.answers import MASKED
from valetkey.identity.model import Person

TOKEN = "gho_16C7e42F292c6912E7710c838347Ae178B4a/+="
MIDDLE = TOKEN[12:30]

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": lambda token: token,
    "in a header's line": lambda token: f"authorization: Bearer {token}\r\n",
    "in a URL": lambda token: f"https://x.example/?access_token={quote(token, safe='')}&x=1",
    "every byte for a URL": lambda token: "".join(f"%{ord(one):02X}" for one in token),
    "base64": lambda token: base64.b64encode(token.encode()).decode(),
    "base64, one byte in": lambda token: base64.b64encode(b"u" + token.encode()).decode(),
    "base64, two bytes in": lambda token: base64.b64encode(b"u:" + token.encode() + b"!").decode(),
    "base64 for URLs": lambda token: base64.urlsafe_b64encode(token.encode()).decode().rstrip("="),
    "a file in base64": lambda token: base64.b64encode(b"\0" * 700 + token.encode() + b"\0" * 700).decode(),
    "hex": lambda token: token.encode().hex(),
    "hex in capitals": lambda token: token.encode().hex().upper(),
    "twice": lambda token: token + " and " + token,
}
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "text": lambda said: {"content": [{"type": "text", "text": said}]},
    "a name": lambda said: {"content": [], "structuredContent": {said: 1}},
    "a file": lambda said: {"content": [{"type": "resource", "resource": {"uri": "x:1", "blob": said}}]},
    "_meta": lambda said: {"content": [], "_meta": {"com.example/debug": {"headers": [said]}}},
}


@pytest.fixture
def front() -> Front:
    """What is masked lies behind either front alike."""
    return "fast"


@pytest.fixture
async def ada(hub: Hub, service: Service) -> Person:
    ada = await hub.person("ada")
    await hub.connect(ada, service, TOKEN)
    return ada


def leaks(raw: bytes | str) -> list[str]:
    """The ways in which the token can be read in an answer."""
    text = raw.decode() if isinstance(raw, bytes) else raw
    needles = {
        "raw": MIDDLE,
        "hex": MIDDLE.encode().hex(),
        "percent": "%" + MIDDLE.encode().hex("%"),
        **{f"base64 {at}": base64.b64encode(TOKEN[9 + at : 30].encode()).decode()[:24] for at in range(3)},
    }
    return [name for name, needle in needles.items() if needle.lower() in text.lower()]


@pytest.mark.parametrize("escaped", [False, True], ids=["plain", "escaped"])
async def test_whatever_a_service_says_back_of_the_credential_is_masked_and_flagged(
    hub: Hub, ada: Person, service: Service, escaped: bool
) -> None:
    """Twelve encodings at four places, as plain JSON and with what JSON may escape escaped."""
    client = await hub.client(ada, service)
    said = b""

    async def on_call(_seen: Seen, _params: dict[str, Any]) -> bytes:
        return said

    service.on_call = on_call
    made = 0
    for write in WAYS.values():
        for place in PLACES.values():
            assert leaks(json.dumps(place(write(TOKEN))))
            said = json.dumps(place(write(TOKEN))).encode()
            if escaped:
                said = said.replace(b"/", b"\\/").replace(b"7", b"\\u0037")

            got = await client.call("echo", {})
            made += 1

            assert leaks(got.raw) == []
            assert got.result["_meta"][MASKED] is True
    records = await hub.records(ada)
    assert made == len(records) == 48
    for record in records:
        assert record.outcome is Outcome.OK
        assert record.detail.startswith("The service said the credential back")
        assert leaks(await hub.payload(record, "response")) == []


@pytest.mark.parametrize("size", [1, 50])
async def test_a_credential_cut_into_pieces_is_masked_too(hub: Hub, ada: Person, service: Service, size: int) -> None:
    """Chunks of a body, and of a stream; in an answer, in an error, and in progress before it."""
    client = await hub.client(ada, service)
    as_stream = False

    async def on_call(seen: Seen, params: dict[str, Any]) -> Answer:
        asked = seen.message["id"]
        told: dict[str, Any] = {
            "method": "notifications/progress",
            "params": {"progressToken": params["_meta"]["progressToken"]},
        }
        told["params"] |= {"progress": 1, "message": TOKEN}
        said: dict[str, Any] = {"id": asked, "result": PLACES["text"](TOKEN)}
        if params["arguments"]["fails"]:
            said = {"id": asked, "error": {"code": -32000, "message": f"no {TOKEN}", "data": TOKEN}}
        messages = [json.dumps({"jsonrpc": "2.0", **one}).encode() for one in ([told, said] if as_stream else [said])]
        body = b"".join(b"data: " + one + b"\n\n" for one in messages) if as_stream else messages[0]
        kind = "text/event-stream" if as_stream else "application/json"
        return Answer(pieces=[body[at : at + size] for at in range(0, len(body), size)], content_type=kind)

    service.on_call = on_call
    for as_stream in (False, True):
        for fails in (False, True):
            got = await client.call("echo", {"fails": fails}, _meta={"progressToken": "p"})

            assert leaks(got.raw) == []
            assert b"[removed]" in got.raw
            assert len(got.messages) == (2 if as_stream else 1)


async def test_every_other_request_with_the_credential_is_masked_as_well(hub: Hub, modern: Service) -> None:
    """Tools as they are listed: what an assistant reads before it calls anything."""
    ada = await hub.person("ada")
    modern.tools = [json.dumps({"name": "echo", "description": TOKEN, "inputSchema": {"type": "object"}}).encode()]
    await hub.connect(ada, modern, TOKEN, on=())
    client = await hub.client(ada, modern)

    got = await client.tools()

    assert b"[removed]" in got.raw
    assert leaks(got.raw) == []


async def test_a_refusal_that_says_the_credential_back_says_it_to_nobody(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, TOKEN)
    client = await hub.client(ada, modern)

    async def on_call(_seen: Seen, _params: dict[str, Any]) -> Answer:
        challenge = f'Bearer error="invalid_token", error_description="{TOKEN}", scope="{TOKEN}"'
        return Answer(TOKEN.encode(), 403, [("www-authenticate", challenge)], "text/plain")

    modern.on_call = on_call

    got = await client.call("echo", {})

    assert leaks(got.raw) == []
    assert "said the credential back" in (await hub.records(ada))[-1].detail


async def test_the_person_finds_it_in_the_trail_once_an_hour(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, modern, TOKEN)
    client = await hub.client(ada, modern)

    async def on_call(_seen: Seen, _params: dict[str, Any]) -> bytes:
        return json.dumps(PLACES["text"](TOKEN)).encode()

    modern.on_call = on_call
    for _ in range(3):
        await client.call("echo", {})
    hub.clock.advance(3601)
    await client.call("echo", {})
    await hub.room.echoes.stop()

    events = [
        one for one in await Trail(hub.database, hub.clock).list(OfPerson(ada.id)) if one.event == "credential.echoed"
    ]
    calls = [record.id for record in await hub.records(ada)]
    assert [one.detail["call"] for one in reversed(events)] == [calls[0], calls[3]]
    assert {one.object for one in events} == {connection.id}


async def test_an_answer_without_the_credential_passes_as_the_bytes_it_was(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, TOKEN)
    client: Client = await hub.client(ada, modern)
    odd = b'{"resultType":"complete","content":[], "x":{"kept":[1e400,-0.0]} ,"y":"\\u0067\\/gho_16C7"}'

    async def on_call(_seen: Seen, _params: dict[str, Any]) -> bytes:
        return odd

    modern.on_call = on_call

    got = await client.call("echo", {})

    assert odd in got.raw
    assert (await hub.records(ada))[-1].detail == ""

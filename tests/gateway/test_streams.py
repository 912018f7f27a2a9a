"""Streams of legacy services: taken up again when they end too soon, and whatever comes on them stays within bounds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.asking import ALL, FORM, NAMED, Asking, Json, Stream, accept, answering
from tests.gateway.client import Client
from tests.gateway.conftest import Front, Hub
from tests.gateway.service import Answer, Seen, Service
from valetkey.audit.model import Outcome
from valetkey.upstream.errand import MAX_ASKED
from valetkey.upstream.streamable_http import MAX_TAKEN_UP

MODERN = "2026-07-28"
DONE = b'{"content":[{"type":"text","text":"done"}]}'


@pytest.fixture
def front() -> Front:
    return "fast"


async def assistant(hub: Hub, service: Service, version: str = MODERN, capabilities: Json | None = None) -> Client:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    return await hub.client(ada, service, version=version, capabilities=capabilities or {})


def stream(*pieces: bytes) -> Answer:
    return Answer(pieces=list(pieces), content_type="text/event-stream")


def response(seen: Seen, result: bytes = DONE) -> bytes:
    return b'data: {"jsonrpc":"2.0","id":%d,"result":%b}\n\n' % (seen.message["id"], result)


class Closing:
    """A service that closes the stream of a call in the middle, `times` times; the last GET has the answer."""

    def __init__(self, service: Service, *, times: int, first: bytes, cut: bool = False) -> None:
        self.listens: list[Seen] = []
        self._times, self._first, self._cut = times, first, cut
        service.on_call, service.on_listen = self._call, self._listen

    async def _call(self, seen: Seen, _params: Any) -> Answer:
        self._asked = seen
        answer = stream(self._first, b": cut")
        if self._cut:
            left = 2

            async def pause() -> None:
                nonlocal left
                left -= 1
                if not left:
                    raise ConnectionError

            answer.pause = pause
        return answer

    async def _listen(self, seen: Seen) -> Answer:
        self.listens.append(seen)
        if len(self.listens) < self._times:
            return stream(b"id: e%d\ndata:\n\n" % (len(self.listens) + 1))
        return stream(response(self._asked))


@pytest.mark.parametrize("cut", [False, True], ids=["closed", "broken"])
@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_a_stream_that_ends_too_soon_is_taken_up_after_the_time_the_service_said(
    hub: Hub, legacy: Service, version: str, cut: bool
) -> None:
    client = await assistant(hub, legacy, version)
    closing = Closing(legacy, times=2, first=b"id: e1\nretry: 250\ndata:\n\n", cut=cut)
    before = hub.clock.monotonic()

    got = await client.call("echo", {})

    assert got.text == "done"
    assert [seen.header("last-event-id") for seen in closing.listens] == ["e1", "e2"]
    assert hub.clock.monotonic() - before == pytest.approx(0.5)
    assert {seen.token for seen in closing.listens} == {"adas-token-0001"}
    assert {seen.header("mcp-session-id") for seen in closing.listens} == set(legacy.sessions)
    assert len(legacy.calls) == 1


async def test_a_stream_is_not_taken_up_for_ever(hub: Hub, legacy: Service) -> None:
    client = await assistant(hub, legacy)
    closing = Closing(legacy, times=1000, first=b"id: e1\ndata:\n\n")

    got = await client.call("echo", {})

    assert got.result["isError"] is True
    assert len(closing.listens) == MAX_TAKEN_UP


@pytest.mark.parametrize("first", [b"data:\n\n", b"id: e1\n", b"id: e1\nretry: 99999999\ndata:\n\n"])
async def test_a_stream_without_an_id_or_with_a_far_time_is_not_taken_up(
    hub: Hub, legacy: Service, first: bytes
) -> None:
    client = await assistant(hub, legacy)
    closing = Closing(legacy, times=1, first=first)

    got = await client.call("echo", {})

    assert got.result["isError"] is True
    assert closing.listens == []


async def test_a_modern_services_stream_is_not_taken_up(hub: Hub, modern: Service) -> None:
    """2026-07-28 has no way to: the call is lost, and the client may call again."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token-0001")
    client = await hub.client(ada, modern)
    closing = Closing(modern, times=1, first=b"id: e1\ndata:\n\n")

    got = await client.call("echo", {})

    assert got.result["isError"] is True
    assert closing.listens == []
    [record] = await hub.records(ada)
    assert record.outcome is Outcome.PROTOCOL_ERROR


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_frames_that_are_no_message_or_not_about_the_call_are_passed_over(
    hub: Hub, service: Service, version: str
) -> None:
    client = await assistant(hub, service, version, ALL)
    smuggled = b'{"content":[{"type":"text","text":"smuggled"}]}'

    async def on_call(seen: Seen, _params: Any) -> Answer:
        number = seen.message["id"]
        both = b'{"jsonrpc":"2.0","id":%d,"method":"roots/list","result":%b}' % (number, smuggled)
        return stream(
            b"data: " + both + b"\n\n",
            b'data: {"jsonrpc":"2.0","id":%d,"result":%b}\n\n' % (number + 1, smuggled),
            b'data: {"jsonrpc":"2.0","id":"%d","result":%b}\n\n' % (number, smuggled),
            b'data: {"jsonrpc":"2.0","id":%d,"id":%d,"result":%b}\n\n' % (number, number, smuggled),
            b'data: [{"jsonrpc":"2.0","id":%d,"result":%b}]\n\n' % (number, smuggled),
            b'data: {"jsonrpc":"2.0","method":"x","params":{"id":%d,"result":%b}}\n\n' % (number, smuggled),
            b"data: not json\n\n",
            b"event: other\n" + response(seen, smuggled),
            response(seen),
            response(seen, smuggled),
        )

    service.on_call = on_call

    got = await client.call("echo", {})

    assert got.text == "done"
    assert b"smuggled" not in got.raw


async def test_an_id_that_is_still_in_use_is_not_heard_again(hub: Hub, legacy: Service) -> None:
    client = await assistant(hub, legacy, "2025-11-25", ALL)
    asking = Asking(legacy, {"q": FORM})
    once = legacy.on_call

    async def twice(seen: Seen, params: Any) -> Answer | bytes:
        answer = await once(seen, params)
        assert isinstance(answer, Answer)
        assert answer.pieces is not None
        answer.pieces[0] += answer.pieces[0]
        return answer

    legacy.on_call = twice

    got, asked = await answering(client, "echo", {}, accept)

    assert len(asked) == 1
    assert json.loads(got.text) == {"q": NAMED}
    assert asking.heard == {"q": NAMED}


class OneId:
    """A service all of whose questions have the same id: one after the other or in several calls at once."""

    def __init__(self, service: Service, *, questions: int) -> None:
        self.told: list[tuple[str, str]] = []
        self._questions, self._answered = questions, asyncio.Condition()
        service.on_call, service.on_anything = self._call, self._hear

    async def _call(self, seen: Seen, _params: Any) -> Answer:
        asked = b"data: " + json.dumps({"jsonrpc": "2.0", "id": 1, **FORM}).encode() + b"\n\n"
        answer = stream(*[asked, b": its answer is waited for\n\n"] * self._questions, response(seen))
        sent = 0

        async def pause() -> None:
            nonlocal sent
            sent += 1
            if sent % 2 == 0:
                async with self._answered:
                    await self._answered.wait_for(lambda: len(self.of(seen.token)) == sent // 2)

        answer.pause = pause
        return answer

    def of(self, token: str) -> list[str]:
        return [name for one, name in self.told if one == token]

    async def _hear(self, seen: Seen) -> Answer | None:
        if seen.method != "POST" or b'"method"' in seen.body:
            return None
        async with self._answered:
            self.told.append((seen.token, seen.message["result"]["content"]["name"]))
            self._answered.notify_all()
        return Answer(status=202)


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_an_id_that_comes_again_after_its_answer_is_another_question(
    hub: Hub, legacy: Service, version: str
) -> None:
    client = await assistant(hub, legacy, version, ALL)
    service = OneId(legacy, questions=3)
    names = iter(("Ada", "Grace", "Hedy"))

    def answer(_question: Json) -> Json:
        return {"action": "accept", "content": {"name": next(names)}}

    got, asked = await answering(client, "echo", {}, answer)

    assert got.text == "done"
    assert len(asked) == 3
    assert service.of("adas-token-0001") == ["Ada", "Grace", "Hedy"]
    if version != MODERN:
        assert len({one["id"] for one in asked}) == 3


async def test_two_calls_whose_questions_have_the_same_id_keep_them_apart(hub: Hub, legacy: Service) -> None:
    """What a client is asked has an id of ours: its answer goes to the call that it was asked in."""
    one = await assistant(hub, legacy, "2025-11-25", ALL)
    grace = await hub.person("grace")
    await hub.connect(grace, legacy, "graces-token-0002")
    other = await hub.client(grace, legacy, version="2025-11-25", capabilities=ALL)
    service = OneId(legacy, questions=1)

    async with Stream(one, "echo", {}) as first, Stream(other, "echo", {}) as second:
        questions = await anext(first), await anext(second)
        for client, question, name in ((other, questions[1], "Grace"), (one, questions[0], "Ada")):
            result = {"action": "accept", "content": {"name": name}}
            await client.post({"jsonrpc": "2.0", "id": question["id"], "result": result})
        await anext(first), await anext(second)

    # Both were taken one after the other; which of them reaches the service first is not promised.
    assert sorted(service.told) == [("adas-token-0001", "Ada"), ("graces-token-0002", "Grace")]
    assert first.got.text == second.got.text == "done"


async def test_a_service_that_asks_on_and_on_is_bounded(hub: Hub, legacy: Service) -> None:
    client = await assistant(hub, legacy, "2025-11-25", ALL)
    hub.gateway.continuations.asked.patience = 1.0
    asking = Asking(legacy, {f"q{number}": FORM for number in range(40)})

    got = await client.call("echo", {})

    told = list(asking.heard.values())
    assert [message["method"] for message in got.messages[:-1]].count("elicitation/create") == MAX_ASKED
    assert told.count({"action": "cancel"}) == MAX_ASKED
    assert [one.get("code") for one in told].count(-32603) == 40 - MAX_ASKED


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_pages_that_a_service_wants_opened_first_are_asked_for(hub: Hub, legacy: Service, version: str) -> None:
    """Error -32042 of 2025-11-25."""
    client = await assistant(hub, legacy, version, ALL)
    data = {
        "elicitations": [{"mode": "url", "elicitationId": "1", "url": "https://pay.example.com/", "message": "Pay"}]
    }
    paid: list[bytes] = []

    async def on_call(seen: Seen, _params: Any) -> Answer | bytes:
        if paid:
            return DONE
        paid.append(seen.body)
        error = {"code": -32042, "message": "Pay first", "data": data}
        return Answer(json.dumps({"jsonrpc": "2.0", "id": seen.message["id"], "error": error}).encode())

    legacy.on_call = on_call
    if version == MODERN:
        got, [asked] = await answering(client, "echo", {}, accept)
        assert got.text == "done"
        assert asked["params"]["message"] == "Fake asks you to open https://pay.example.com/: Pay"
        assert b"inputResponses" not in legacy.calls[-1].body
    else:
        got = await client.call("echo", {})
        assert got.error["code"] == -32042
        [page] = got.error["data"]["elicitations"]
        assert page["message"] == "Fake asks you to open https://pay.example.com/: Pay"
        assert page["elicitationId"] != "1"


async def test_a_client_that_cannot_open_pages_hears_that_the_call_failed(hub: Hub, legacy: Service) -> None:
    client = await assistant(hub, legacy, MODERN)

    async def on_call(seen: Seen, _params: Any) -> Answer:
        error = {"code": -32042, "message": "Pay first", "data": {"elicitations": []}}
        return Answer(json.dumps({"jsonrpc": "2.0", "id": seen.message["id"], "error": error}).encode())

    legacy.on_call = on_call

    got = await client.call("echo", {})

    assert got.error["code"] == -32603

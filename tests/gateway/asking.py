"""Both ends of a question: a service that asks within a call, and an assistant that answers, each in its own era."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.gateway.client import Client, Got
from tests.gateway.service import Answer, Seen, Service

Json = dict[str, Any]

FORM: Json = {
    "method": "elicitation/create",
    "params": {
        "message": "What is your name?",
        "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
        "vendor/x": [1.50],
    },
}
PAGE: Json = {
    "method": "elicitation/create",
    "params": {"mode": "url", "message": "Pay first.", "url": "https://pay.example.com/1"},
}
PROMPT: Json = {
    "method": "sampling/createMessage",
    "params": {"messages": [{"role": "user", "content": {"type": "text", "text": "Hi"}}], "maxTokens": 5},
}
ROOTS: Json = {"method": "roots/list", "params": {}}
ALL: Json = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}
NAMED: Json = {"action": "accept", "content": {"name": "Ada"}}


@dataclass
class Asking:
    """The tool of a service that asks, and then says what it was told. `heard` are the answers, by key."""

    service: Service
    questions: Mapping[str, Json]
    state: str = '{"n": 1,  "é": "\\u00e9"}'
    on_standing_stream: bool = False
    fails: bool = False
    heard: Json = field(default_factory=dict)
    states: list[Any] = field(default_factory=list)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)
    _standing: list[bytes] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.service.on_call = self._modern if self.service.era == "modern" else self._legacy
        if self.service.era == "legacy":
            self.service.on_anything = self._answer
        if self.on_standing_stream:
            self.service.on_listen = self._listen

    async def _modern(self, _seen: Seen, params: Json) -> Answer | bytes:
        self.states.append(params.get("requestState"))
        given = params.get("inputResponses", {})
        self.heard.update({key: given[key] for key in self.questions if key in given})
        missing = {key: one for key, one in self.questions.items() if key not in self.heard}
        if missing:
            asked = {"resultType": "input_required", "inputRequests": missing, "requestState": self.state}
            return json.dumps(asked if self.state else {k: v for k, v in asked.items() if k != "requestState"}).encode()
        return self._said()

    async def _legacy(self, seen: Seen, _params: Json) -> Answer | bytes:
        asked = [
            b"data: " + json.dumps({"jsonrpc": "2.0", "id": key, **one}).encode() + b"\n\n"
            for key, one in self.questions.items()
        ]
        self._answered.clear()
        self.heard.clear()
        if self.on_standing_stream:
            self._standing += asked
            self._more.set()
            asked = [b": nothing here\n\n"]
        answer = Answer(pieces=[*asked, b": wait\n\n"], content_type="text/event-stream")
        left = len(asked)

        async def pause() -> None:
            nonlocal left
            left -= 1
            if left == -1 and answer.pieces is not None:
                await self._answered.wait()
                said = b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (seen.message["id"], self._said())
                answer.pieces.append(b"data: " + said + b"\n\n")

        answer.pause = pause
        return answer

    async def _answer(self, seen: Seen) -> Answer | None:
        if seen.method != "POST" or b'"method"' in seen.body:
            return None
        message = seen.message
        self.heard[message["id"]] = message.get("result", message.get("error"))
        if self.heard.keys() >= self.questions.keys():
            self._answered.set()
        return Answer(status=202)

    async def _listen(self, _seen: Seen) -> Answer:
        answer = Answer(pieces=[b": open\n\n", b": more\n\n"], content_type="text/event-stream")

        ready = 1  # pieces to be sent without waiting

        async def more() -> None:
            nonlocal ready
            ready -= 1
            if ready < 0 and answer.pieces is not None:
                await self._more.wait()
                self._more.clear()
                answer.pieces += [*self._standing, b": more\n\n"]
                ready = len(self._standing)
                self._standing.clear()

        answer.pause = more
        return answer

    def _said(self) -> bytes:
        kind: Json = {"resultType": "complete"} if self.service.era == "modern" else {}
        said = {"content": [{"type": "text", "text": json.dumps(self.heard, sort_keys=True)}], "isError": self.fails}
        return json.dumps(kind | said).encode()


MOST_ASKED = 30  # a client that answers gives up some time
Answers = Callable[[Json], Json]
"""Gives the result for a question."""


async def answering(
    client: Client, name: str, arguments: Json, answer: Answers, **params: Any
) -> tuple[Got, list[Json]]:
    """Calls, answers all that is asked, and gives the last answer and what was asked."""
    return await (_modern if client.is_modern else _legacy)(client, name, arguments, answer, params)


async def _modern(client: Client, name: str, arguments: Json, answer: Answers, params: Json) -> tuple[Got, list[Json]]:
    asked: list[Json] = []
    got = await client.call(name, arguments, **params)
    while got.status == 200 and "result" in got.messages[-1] and got.result["resultType"] == "input_required":
        if len(asked) >= MOST_ASKED:
            break
        questions = got.result["inputRequests"]
        asked += questions.values()
        given = {key: answer(one) for key, one in questions.items()}
        got = await client.call(
            name, arguments, inputResponses=given, requestState=got.result["requestState"], **params
        )
    return got, asked


async def _legacy(client: Client, name: str, arguments: Json, answer: Answers, params: Json) -> tuple[Got, list[Json]]:
    asked: list[Json] = []
    async with Stream(client, name, arguments, params) as stream:
        async for message in stream:
            if "id" in message and "method" in message:
                asked.append(message)
                reply = {"jsonrpc": "2.0", "id": message["id"], "result": answer(message)}
                assert (await client.post(reply)).status == 202
        return stream.got, asked


class Stream:
    """The stream of a legacy call, message by message; the last one is the response."""

    def __init__(self, client: Client, name: str, arguments: Json, params: Json | None = None) -> None:
        self._client = client
        self._request = client.request("tools/call", {"name": name, "arguments": arguments, **(params or {})})
        self.got = Got(0, {}, b"")

    async def __aenter__(self) -> Stream:
        body = json.dumps(self._request).encode()
        self._reader, self.writer = await self._client.begin("POST", body, self._client.headers(self._request))
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        self.got = Got(int(head[0].split(" ")[1]), headers, b"")
        self._length = int(headers.get("content-length", "-1"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Json:
        if self.got.messages and self.got.messages[-1].get("id") == self._request["id"]:
            raise StopAsyncIteration
        while True:
            if self._length >= 0:
                raw = await self._reader.readexactly(self._length)
            else:
                size = int((await self._reader.readline()).strip(), 16)
                raw = (await self._reader.readexactly(size)).decode().partition("data: ")[2].encode()
                await self._reader.readline()
            if raw:
                self.got.messages.append(json.loads(raw))
                return self.got.messages[-1]


def accept(question: Json) -> Json:
    """Says yes to everything."""
    match question["method"]:
        case "elicitation/create" if question["params"].get("mode") == "url":
            return {"action": "accept"}
        case "elicitation/create":
            return NAMED
        case "sampling/createMessage":
            return {"role": "assistant", "content": {"type": "text", "text": "Hello"}, "model": "m"}
    return {"roots": [{"uri": "file:///home"}]}

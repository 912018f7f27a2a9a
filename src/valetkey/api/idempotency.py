"""`Idempotency-Key`: a write that is asked for twice under one key is done once, and answered the same.

Stands before the routes, so that no write can be left out (draft-ietf-httpapi-idempotency-key-header). What was refused
frees its key; what failed on the way keeps it, for it may have been done.
"""

from __future__ import annotations

import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from valetkey.api.asking import principal_in
from valetkey.api.kept_answers import LARGEST, Asked, Kept, KeptAnswers
from valetkey.api.problems import answer_to
from valetkey.api.services import Services
from valetkey.api.shown_once import SHOWN_ONCE
from valetkey.kernel.errors import BadInput, ValetkeyError

HEADER = "Idempotency-Key"
PATTERN = r"^[!-~]{1,255}$"
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class Idempotent:
    """The layer between who is asking and what they ask for."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = [value for name, value in scope.get("headers", ()) if name == HEADER.lower().encode()]
        principal = principal_in(scope)
        if not given or principal is None or scope["method"] in _READS:
            await self._app(scope, receive, send)
            return
        key = given[0].decode("latin-1")
        if len(given) != 1 or not re.fullmatch(PATTERN, key):
            refusal = BadInput("An Idempotency-Key has 1 to 255 printable characters, without spaces.", field=HEADER)
            await answer_to(refusal)(scope, receive, send)
            return
        body, again = await _read(receive)
        asked = Asked(principal, key, _all_of(scope, body))
        answers, day_keys = self._services.kept_answers, self._services.day_keys
        try:
            kept = await answers.begin(asked, day_keys)
        except ValetkeyError as error:
            await answer_to(error)(scope, receive, send)
            return
        if kept is not None:
            await _say(kept, send)
            return
        answer = _Answer(send)
        await self._app(scope, again, answer)
        await self._note(answers, asked, answer, scope)
        await answer.pass_on()

    async def _note(self, answers: KeptAnswers, asked: Asked, answer: _Answer, scope: Scope) -> None:
        if answer.status >= 500:
            return  # it may have been done
        if answer.status >= 400:
            await answers.release(asked)
            return
        shown_once = SHOWN_ONCE.items() <= (getattr(scope.get("route"), "openapi_extra", None) or {}).items()
        whole = None if shown_once else answer.whole()
        await answers.keep(asked, whole, answer.status, self._services.day_keys)


class _Answer:
    """Holds an answer back until it is noted; one that is too large to be kept goes on as it comes."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self._size = 0
        self._too_large = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self._size += len(message.get("body", b""))
        self._held.append(message)
        if self._size > LARGEST:
            self._too_large = True
            await self.pass_on()

    async def pass_on(self) -> None:
        held, self._held = self._held, []
        for message in held:
            await self._send(message)

    def whole(self) -> Kept | None:
        if self._too_large:
            return None
        body = b"".join(message.get("body", b"") for message in self._held)
        types = [value for name, value in self._held[0]["headers"] if name == b"content-type"]
        return Kept(self.status, types[0].decode("latin-1") if types else "", body)


def _all_of(scope: Scope, body: bytes) -> bytes:
    return b"\0".join([scope["method"].encode(), scope["path"].encode(), scope["query_string"], body])


async def _read(receive: Receive) -> tuple[bytes, Receive]:
    """The body, and a `receive` that gives it again; what cannot be read is raised when the route reads it."""
    messages: list[Message] = []
    failure: HTTPException | None = None
    more = True
    while more:
        try:
            messages.append(await receive())
        except HTTPException as error:  # too large: the route that reads it says so
            failure = error
            break
        more = messages[-1]["type"] == "http.request" and messages[-1].get("more_body", False)
    left = list(messages)

    async def again() -> Message:
        if left:
            return left.pop(0)
        if failure is not None:
            raise failure
        return await receive()

    return b"".join(message.get("body", b"") for message in messages), again


async def _say(kept: Kept, send: Send) -> None:
    headers: list[Any] = [(b"idempotency-replayed", b"true")]
    if kept.media_type:
        headers.append((b"content-type", kept.media_type.encode("latin-1")))
    if kept.body:
        headers.append((b"content-length", str(len(kept.body)).encode()))
    await send({"type": "http.response.start", "status": kept.status, "headers": headers})
    await send({"type": "http.response.body", "body": kept.body})

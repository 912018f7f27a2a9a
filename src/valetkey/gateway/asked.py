"""Questions to legacy clients: a request of ours on the stream of their call, answered by a POST of theirs.

Matched by person, session and an id that nobody can guess: whoever was not asked cannot answer. An answer that lands at
another replica is not passed between them, since it may be what a person wrote; that it was given is, so that the call
ends at once and says so.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Final

import structlog

from valetkey.gateway.model import Client, Notify
from valetkey.protocol.asks import ELICITATION, Question, Told
from valetkey.protocol.errors import INTERNAL_ERROR
from valetkey.protocol.jsonrpc import Response, error_object, notification_message, raw_request_message
from valetkey.store.notify import EVERYTHING, Notifications

TOPIC: Final = "answered"
"""Announced with person, session and id of the question: an answer came to a replica that did not ask it."""
PERSON_SECONDS: Final = 240.0
"""How long a person is given to answer."""
MAX_PER_PERSON: Final = 32
CANCELLED: Final = b'{"action":"cancel"}'
_NO_ANSWER: Final = error_object(INTERNAL_ERROR, "Nobody answered in time.")
_TOO_MANY: Final = error_object(INTERNAL_ERROR, "Too many questions wait for an answer already.")
ELSEWHERE: Final = Told(
    error=error_object(
        INTERNAL_ERROR, "The answer came to another replica of this hub than the one that asked. Call again."
    )
)
"""What a question comes to whose answer landed at another replica."""
_OURS: Final = re.compile(rb'"vkq_[A-Za-z0-9_-]{22}"')
_NO_OBJECT: Final = error_object(INTERNAL_ERROR, "The client's answer was none.")

_Key = tuple[str, bytes, bytes]


class Asked:
    """What legacy clients were asked and have not answered yet."""

    def __init__(self, notifications: Notifications, *, patience: float = PERSON_SECONDS) -> None:
        self.patience = patience
        self._notifications = notifications
        self._open: dict[_Key, asyncio.Future[Response | None]] = {}
        self._by_person: dict[str, int] = {}
        notifications.subscribe(TOPIC, self._answered_elsewhere)

    async def ask(self, person_id: str, client: Client, notify: Notify, question: Question) -> Told:
        """The client's answer. Without one a form or page counts as dismissed, anything else as failed."""
        if self._by_person.get(person_id, 0) >= MAX_PER_PERSON:
            return Told(error=_TOO_MANY)
        request_id = b'"vkq_%b"' % secrets.token_urlsafe(16).encode()
        key = (person_id, client.session, request_id)
        self._open[key] = future = asyncio.get_running_loop().create_future()
        self._by_person[person_id] = self._by_person.get(person_id, 0) + 1
        try:
            await notify(raw_request_message(request_id, question.method, question.params))
            async with asyncio.timeout(self.patience):
                response = await future
        except TimeoutError:
            await notify(notification_message("notifications/cancelled", b'{"requestId":%b}' % request_id))
            return Told(result=CANCELLED) if question.method == ELICITATION else Told(error=_NO_ANSWER)
        finally:
            del self._open[key]
            self._by_person[person_id] -= 1
            if not self._by_person[person_id]:
                del self._by_person[person_id]
        if response is None:
            return ELSEWHERE
        if response.result and response.result[:1] != b"{":
            return Told(error=_NO_OBJECT)
        return Told(response.result, response.error)

    async def hear(self, person_id: str, session: bytes, response: Response) -> None:
        """A response that a client posted: the answer to what this very session was asked, here or elsewhere, or none.

        What answers nothing is taken too: it may be late, and SDKs before 2 end a session that gets an error for it.
        """
        future = self._open.get((person_id, session, response.id))
        if future is not None:
            if not future.done():
                future.set_result(response)
        elif _OURS.fullmatch(response.id):
            await self._notifications.publish(TOPIC, f"{person_id} {(session + b' ' + response.id).decode('latin-1')}")

    def _answered_elsewhere(self, key: str) -> None:
        if key == EVERYTHING:
            return  # a notification was missed: the question waits for as long as any
        person_id, session, request_id = key.encode("latin-1").split(b" ")
        future = self._open.get((person_id.decode(), session, request_id))
        if future is not None and not future.done():
            structlog.get_logger(__name__).warning("an answer came to another replica: keep each session at one")
            future.set_result(None)

"""Questions to legacy clients: a request of ours on the stream of their call, answered by a POST of theirs.

Matched by person, session and an id that nobody can guess: whoever was not asked cannot answer.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from valetkey.gateway.model import Client, Notify
from valetkey.protocol.asks import ELICITATION, Question, Told
from valetkey.protocol.errors import INTERNAL_ERROR
from valetkey.protocol.jsonrpc import Response, error_object, notification_message, raw_request_message

PERSON_SECONDS: Final = 240.0
"""How long a person is given to answer."""
MAX_PER_PERSON: Final = 32
CANCELLED: Final = b'{"action":"cancel"}'
_NO_ANSWER: Final = error_object(INTERNAL_ERROR, "Nobody answered in time.")
_TOO_MANY: Final = error_object(INTERNAL_ERROR, "Too many questions wait for an answer already.")
_NO_OBJECT: Final = error_object(INTERNAL_ERROR, "The client's answer was none.")

_Key = tuple[str, bytes, bytes]


class Asked:
    """What legacy clients were asked and have not answered yet."""

    def __init__(self, *, patience: float = PERSON_SECONDS) -> None:
        self.patience = patience
        self._open: dict[_Key, asyncio.Future[Response]] = {}
        self._by_person: dict[str, int] = {}

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
        if response.result and response.result[:1] != b"{":
            return Told(error=_NO_OBJECT)
        return Told(response.result, response.error)

    def hear(self, person_id: str, session: bytes, response: Response) -> bool:
        """A response that a client posted. Whether it answers something this very session was asked."""
        future = self._open.get((person_id, session, response.id))
        if future is None or future.done():
            return False
        future.set_result(response)
        return True

"""A letter to the person that something waits for their yes: a link, and not a word of what it is.

Off unless the operator names a mail server. It is a way to the page and no way to say yes: whoever reads the letter has
to be signed in as its person. Nothing waits for it, and that one could not be sent changes nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import ValetkeyError
from valetkey.policy.approval_model import Approval

SendLetter = Callable[[str, str, str, str], Awaitable[None]]
"""Sends to an address a subject and a text, with an id for the letter. Raises a `ValetkeyError`."""
AddressOf = Callable[[str], Awaitable[str]]
"""A person's mail address; empty when they have none."""

QUIET: Final = 120.0
"""Seconds after a letter in which the same person gets no other: the page lists all that waits."""
_TRIES: Final = 3
_BETWEEN: Final = 20.0
_MOST: Final = 1000


class Letters:
    """Sends them one after another, off the path of the call."""

    def __init__(self, send: SendLetter, address_of: AddressOf, *, clock: Clock, public_url: str) -> None:
        self._send = send
        self._address_of = address_of
        self._clock = clock
        self._public_url = public_url
        self._lately: OrderedDict[str, float] = OrderedDict()
        self._under_way: set[asyncio.Task[None]] = set()

    async def asked(self, approval: Approval) -> None:
        """Something waits for this person since a moment ago."""
        now = self._clock.monotonic()
        if self._lately.get(approval.person_id, now) > now or len(self._under_way) >= _MOST:
            return
        self._lately[approval.person_id] = now + QUIET
        while len(self._lately) > _MOST:
            self._lately.popitem(last=False)
        task = asyncio.get_running_loop().create_task(self._write(approval))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def settle(self) -> None:
        """Returns when nothing is under way."""
        await asyncio.gather(*self._under_way)

    async def stop(self) -> None:
        """Gives up what is under way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _write(self, approval: Approval) -> None:
        log = structlog.get_logger(__name__)
        try:
            if not (address := await self._address_of(approval.person_id)):
                return None
            subject, text = letter(f"{self._public_url}{approval.path}")
            for attempt in range(1, _TRIES + 1):
                try:
                    return await self._send(address, subject, text, approval.id)
                except ValetkeyError as error:
                    if attempt == _TRIES or getattr(error, "is_for_good", False):
                        raise
                await asyncio.sleep(_BETWEEN)
        except ValetkeyError as error:
            log.warning("a letter about an approval was not sent", error=error.message, approval=approval.id)


def letter(link: str) -> tuple[str, str]:
    """Subject and text. Neither the tool nor the service nor the assistant is named: mail is read by many."""
    text = (
        "An assistant of yours wants to do something that needs your yes.\n\n"
        f"Look at it here, in your own browser:\n{link}\n\n"
        "It waits for ten minutes. If you expected nothing, say no there.\n"
        "This letter cannot say yes, and no answer to it is read.\n"
    )
    return "Something waits for your yes", text

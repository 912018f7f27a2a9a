"""Doing something upstream with the person's own credential, and once more after a refresh when it was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from valetkey.gateway.model import Account, Connections, Credentials, Ticket
from valetkey.gateway.recording import Record
from valetkey.kernel.errors import NotConnected, NotFound
from valetkey.upstream.model import TicketFor, Unauthorized

T = TypeVar("T")
Attempt = Callable[[Ticket | None, TicketFor], Awaitable[T]]
"""Does it with a ticket at hand, and a way to get more where it takes several requests."""


class Tickets:
    """Uses people's credentials for them; never sees one."""

    def __init__(self, credentials: Credentials, connections: Connections) -> None:
        self._credentials = credentials
        self._connections = connections

    async def use(self, account: Account, person_id: str, record: Record, attempt: Attempt[T]) -> T:
        """What `attempt` gives. A 401 means a refresh and one more attempt (CON-24): it was rejected before it ran.

        Raises `NotConnected` when there is no credential, or when a fresh one is refused too; then the connection is
        marked, so that nobody tries again before the person has reconnected.
        """
        connection_id = account.connection.id

        async def further() -> Ticket | None:
            return await self._credentials.ticket(connection_id, person_id=person_id, call_id=record.id)

        ticket = self._credentials.ticket_now(connection_id, person_id=person_id, call_id=record.id) or await further()
        if ticket is not None:
            record.origin = account.connector.origin
        try:
            return await attempt(ticket, further)
        except Unauthorized as error:
            if ticket is None or not await self._credentials.refused(connection_id, ticket.generation):
                raise _reconnect(account) from error
        try:
            return await attempt(await further(), further)
        except Unauthorized as error:
            await self._mark(account, person_id)
            raise _reconnect(account) from error

    async def _mark(self, account: Account, person_id: str) -> None:
        try:
            as_it_is_now = await self._connections.get(person_id, account.connection.id)
        except NotFound:
            return
        await self._connections.mark_reconnect(as_it_is_now, "The service does not accept a renewed sign-in either.")


def _reconnect(account: Account) -> NotConnected:
    return NotConnected(
        f"{account.connector.name} does not accept the connected account any more.",
        path=account.page,
        reason="reconnect",
    )

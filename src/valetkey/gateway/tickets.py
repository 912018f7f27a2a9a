"""Doing something upstream with the person's own credential, and once more after a refresh when it was refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from valetkey.gateway.model import Account, Credentials, Ticket
from valetkey.gateway.recording import Record
from valetkey.kernel.errors import NotConnected
from valetkey.upstream.model import TicketFor, Unauthorized

T = TypeVar("T")
Attempt = Callable[[Ticket | None, TicketFor], Awaitable[T]]
"""Does it with a ticket at hand, and a way to get more where it takes several requests."""


async def with_ticket(
    credentials: Credentials, account: Account, person_id: str, record: Record, attempt: Attempt[T]
) -> T:
    """What `attempt` gives. A 401 means a refresh and one more attempt (CON-24): it was rejected before it ran.

    Raises `NotConnected` when there is no credential, or when a fresh one is refused too.
    """
    connection_id = account.connection.id

    async def further() -> Ticket | None:
        return await credentials.ticket(connection_id, person_id=person_id, call_id=record.id)

    ticket = credentials.ticket_now(connection_id, person_id=person_id, call_id=record.id) or await further()
    if ticket is not None:
        record.origin = account.connector.origin
    try:
        return await attempt(ticket, further)
    except Unauthorized as error:
        if ticket is None or not await credentials.refused(connection_id, ticket.generation):
            raise _reconnect(account) from error
    try:
        return await attempt(await further(), further)
    except Unauthorized as error:
        raise _reconnect(account) from error


def _reconnect(account: Account) -> NotConnected:
    return NotConnected(
        f"{account.connector.name} does not accept the connected account any more.",
        path=account.page,
        reason="reconnect",
    )

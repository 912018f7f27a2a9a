"""The person's own credential for one call: the ticket at hand, further ones, and one more try after a refusal."""

from __future__ import annotations

import msgspec

from valetkey.gateway.model import Account, Connections, Credentials, Ticket
from valetkey.gateway.recording import Record
from valetkey.kernel.errors import NotConnected, NotFound, OutboundFailed
from valetkey.upstream.model import Forbidden403, Unauthorized


class CallTickets(msgspec.Struct, frozen=True, gc=False):
    """Gives tickets for one call, each for one request; called, it is `upstream`'s `TicketFor`."""

    credentials: Credentials
    connections: Connections
    account: Account
    person_id: str
    record: Record

    def now(self) -> Ticket | None:
        """A ticket from memory; `None` means *call me*."""
        ticket = self.credentials.ticket_now(
            self.account.connection.id, person_id=self.person_id, call_id=self.record.id
        )
        if ticket is not None:
            self._went(ticket)
        return ticket

    async def __call__(self) -> Ticket | None:
        """A ticket; `None` when the service wants no credential. Raises `NotConnected`."""
        ticket = await self.credentials.ticket(
            self.account.connection.id, person_id=self.person_id, call_id=self.record.id
        )
        if ticket is not None:
            self._went(ticket)
        return ticket

    def _went(self, ticket: Ticket) -> None:
        connector = self.account.connector
        self.record.went(ticket, to=connector.origin, as_organization=connector.acts_as_organization)

    async def renewed(self, refused: Ticket | None, error: Unauthorized) -> Ticket | None:
        """A ticket for one more try after a 401 (CON-24), which came before anything was done.

        Raises `NotConnected` when there is no newer credential to be had.
        """
        if refused is None or not await self.credentials.refused(self.account.connection.id, refused.generation):
            raise self._reconnect() from error
        return await self()

    async def given_up(self) -> NotConnected:
        """The renewed credential was refused too: marked, so that nobody tries before the person has reconnected."""
        try:
            as_it_is_now = await self.connections.get(self.person_id, self.account.connection.id)
        except NotFound:
            return self._reconnect()
        await self.connections.mark_reconnect(as_it_is_now, "The service does not accept a renewed sign-in either.")
        return self._reconnect()

    async def forbidden(self, error: Forbidden403) -> OutboundFailed:
        """What a 403 means: more can be granted (CON-17), or nothing that reconnecting would cure."""
        return await self.credentials.forbidden(self.account.connection.id, error.challenge) or error

    def _reconnect(self) -> NotConnected:
        return NotConnected(
            f"{self.account.connector.name} does not accept the connected account any more.",
            path=self.account.page,
            reason="reconnect",
        )


class Tickets:
    """Uses people's credentials for them; never sees one."""

    def __init__(self, credentials: Credentials, connections: Connections) -> None:
        self._credentials = credentials
        self._connections = connections

    def of(self, account: Account, person_id: str, record: Record) -> CallTickets:
        """The tickets for one call of this person's."""
        return CallTickets(self._credentials, self._connections, account, person_id, record)

"""Carrying one request of a person's over to the service of one of their accounts, inside a record that is open."""

from __future__ import annotations

from valetkey.gateway.model import Account, Notify
from valetkey.gateway.recording import Record
from valetkey.gateway.tickets import Tickets
from valetkey.identity.model import Principal
from valetkey.kernel.errors import Refused
from valetkey.net.limits import Limits
from valetkey.policy.decide import CONNECTOR_BLOCKED
from valetkey.protocol.onward import Onward
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import Carried, Unauthorized


class Carrier:
    """Everything that reads: prompts, resources, completion. Tool calls go their own way, through permissions."""

    def __init__(self, tickets: Tickets, upstreams: Upstreams) -> None:
        self._tickets = tickets
        self._upstreams = upstreams

    async def carry(
        self, who: Principal, account: Account, onward: Onward, record: Record, notify: Notify, *, limits: Limits
    ) -> Carried:
        """Asks with the person's own credential, and once more with a renewed one after a 401 (CON-24).

        What is read needs no permission beyond the connection the person made; a blocked connector is not asked. Raises
        `Refused`, `NotConnected`, `OutboundFailed`.
        """
        if account.connector.state == "blocked":
            raise Refused(f"{account.connector.name} is blocked here.", rule=CONNECTOR_BLOCKED, path=account.page)
        tickets = self._tickets.of(account, who.person_id, record)
        ticket = tickets.now() or await tickets()
        try:
            return await self._upstreams.ask(
                account.target, onward, ticket=ticket, further_tickets=tickets, relay=notify, limits=limits
            )
        except Unauthorized as error:
            ticket = await tickets.renewed(ticket, error)
        try:
            return await self._upstreams.ask(
                account.target, onward, ticket=ticket, further_tickets=tickets, relay=notify, limits=limits
            )
        except Unauthorized as error:
            raise await tickets.given_up() from error

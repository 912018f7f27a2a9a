"""Carrying one request of a person's over to the service of one of their accounts, inside a record that is open."""

from __future__ import annotations

from collections.abc import Sequence

from valetkey.gateway.continuation import Continuations, More, Turn, checked
from valetkey.gateway.model import Account, Client, Notify
from valetkey.gateway.recording import Record
from valetkey.gateway.tickets import CallTickets, Tickets
from valetkey.identity.model import Principal
from valetkey.kernel.errors import Refused
from valetkey.net.limits import Limits
from valetkey.policy.decide import CONNECTOR_BLOCKED
from valetkey.protocol.asks import NOT_ANSWERED
from valetkey.protocol.onward import Onward, redirected
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import NOBODY, Asker, Carried, Forbidden403, Relay, TicketFor, Unauthorized


class Carrier:
    """Everything that reads: prompts, resources, completion. Tool calls go their own way, through permissions."""

    def __init__(self, tickets: Tickets, upstreams: Upstreams, continuations: Continuations) -> None:
        self._tickets = tickets
        self._upstreams = upstreams
        self._continuations = continuations

    async def carry(
        self, who: Principal, account: Account, onward: Onward, record: Record, notify: Notify, *, limits: Limits
    ) -> Carried:
        """Asks with the person's own credential, and once more with a renewed one after a 401 (CON-24).

        What is read needs no permission beyond the connection the person made; a blocked connector is not asked. Raises
        `Refused`, `NotConnected`, `OutboundFailed`; of these `MoreNeeded` when the person can grant more (CON-17).
        """
        tickets = self._opened(who, account, record)
        return await self._send(account, onward, tickets, tickets, notify, NOBODY, limits)

    async def carry_asking(
        self, who: Principal, client: Client, account: Account, onward: Onward, record: Record, notify: Notify,
        *, limits: Limits,
    ) -> Carried:  # fmt: skip
        """The same for a request within which the service may ask the client something first (SEP-2322)."""
        tickets = self._opened(who, account, record)
        if not client.asks and onward.answered is NOT_ANSWERED:
            carried = await self._send(account, onward, tickets, tickets, notify, NOBODY, limits)
        else:

            async def send(asker: Asker, more: More, further: TicketFor, relay: Relay) -> Carried:
                with_more = redirected(onward, **more) if more else onward
                return await self._send(account, with_more, tickets, further, relay, asker, limits)

            turn = Turn(
                who, client, account, onward.method, onward.params, onward.answered, onward.progress_token, tickets,
                notify,
            )  # fmt: skip
            carried = await self._continuations.carry(turn, send)
        return checked(carried, client, account.connector.name)

    async def listen(self, who: Principal, account: Account, wants: bytes, uris: Sequence[str], record: Record) -> None:
        """Hears of changes at the service until it ends that (`Upstreams.news`). Raises as `carry`."""
        tickets = self._opened(who, account, record)
        ticket = tickets.now() or await tickets()
        try:
            try:
                return await self._upstreams.listen(account.target, wants, uris, ticket=ticket, further_tickets=tickets)
            except Unauthorized as error:
                ticket = await tickets.renewed(ticket, error)
            return await self._upstreams.listen(account.target, wants, uris, ticket=ticket, further_tickets=tickets)
        except Forbidden403 as error:
            raise await tickets.forbidden(error) from error

    def _opened(self, who: Principal, account: Account, record: Record) -> CallTickets:
        if account.connector.state == "blocked":
            raise Refused(f"{account.connector.name} is blocked here.", rule=CONNECTOR_BLOCKED, path=account.page)
        return self._tickets.of(account, who.person_id, record)

    async def _send(
        self,
        account: Account,
        onward: Onward,
        tickets: CallTickets,
        further: TicketFor,
        relay: Relay,
        asker: Asker,
        limits: Limits,
    ) -> Carried:
        try:
            return await self._send_renewing(account, onward, tickets, further, relay, asker, limits)
        except Forbidden403 as error:
            raise await tickets.forbidden(error) from error

    async def _send_renewing(
        self,
        account: Account,
        onward: Onward,
        tickets: CallTickets,
        further: TicketFor,
        relay: Relay,
        asker: Asker,
        limits: Limits,
    ) -> Carried:
        ticket = tickets.now() or await tickets()
        try:
            return await self._upstreams.ask(
                account.target,
                onward,
                ticket=ticket,
                further_tickets=further,
                relay=relay,
                limits=limits,
                asker=asker,
            )
        except Unauthorized as error:
            ticket = await tickets.renewed(ticket, error)
        try:
            return await self._upstreams.ask(
                account.target,
                onward,
                ticket=ticket,
                further_tickets=further,
                relay=relay,
                limits=limits,
                asker=asker,
            )
        except Unauthorized as error:
            raise await tickets.given_up() from error

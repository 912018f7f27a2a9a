"""Carrying one request of a person's over to the service of one of their accounts, inside a record that is open."""

from __future__ import annotations

from collections.abc import Sequence

from valetkey.gateway.continuation import Continuations, More, checked
from valetkey.gateway.model import Account, Client, Notify
from valetkey.gateway.passing import subject_of
from valetkey.gateway.recording import Record
from valetkey.gateway.tickets import CallTickets, Tickets
from valetkey.gateway.turns import Turn
from valetkey.identity.model import Principal
from valetkey.net.limits import Limits
from valetkey.policy.gate import Gate
from valetkey.protocol.asks import NOT_ANSWERED
from valetkey.protocol.onward import Onward, redirected
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import NOBODY, Asker, Carried, Forbidden403, Relay, TicketFor, Unauthorized


class Carrier:
    """Everything that is no tool call: prompts, resources, completion. It passes the same gate as those."""

    def __init__(
        self, gate: Gate, tickets: Tickets, upstreams: Upstreams, continuations: Continuations, *, public_url: str
    ) -> None:
        self._gate = gate
        self._public_url = public_url
        self._tickets = tickets
        self._upstreams = upstreams
        self._continuations = continuations

    async def carry(
        self, who: Principal, account: Account, onward: Onward, record: Record, notify: Notify, *, limits: Limits
    ) -> Carried:
        """Asks with the person's own credential, and once more with a renewed one after a 401 (CON-24).

        What is read needs no permission beyond the connection the person made, as far as their organization permits.
        Raises `Refused`, `NotConnected`, `OutboundFailed`; of these `MoreNeeded` when the person can grant more
        (CON-17).
        """
        tickets = await self._opened(who, account, record)
        return await self._send(account, onward, tickets, tickets, notify, NOBODY, limits)

    async def carry_asking(
        self, who: Principal, client: Client, account: Account, onward: Onward, record: Record, notify: Notify,
        *, limits: Limits,
    ) -> Carried:  # fmt: skip
        """The same for a request within which the service may ask the client something first (SEP-2322)."""
        tickets = await self._opened(who, account, record)
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
        tickets = await self._opened(who, account, record)
        ticket = tickets.now() or await tickets()
        try:
            try:
                return await self._upstreams.listen(account.target, wants, uris, ticket=ticket, further_tickets=tickets)
            except Unauthorized as error:
                ticket = await tickets.renewed(ticket, error)
            return await self._upstreams.listen(account.target, wants, uris, ticket=ticket, further_tickets=tickets)
        except Forbidden403 as error:
            raise await tickets.forbidden(error) from error

    async def _opened(self, who: Principal, account: Account, record: Record) -> CallTickets:
        await self._gate.check_reading(who, subject_of(account, self._public_url))
        return self._tickets.of(account, who.person_id, record)

    async def has_read(self, who: Principal, account: Account) -> None:
        """Marks that the client is about to read what nobody vouches for."""
        await self._gate.mark_read(who, account.connection.id, account.connector)

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

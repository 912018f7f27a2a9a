"""A tool call: which tool, may they, whose account, carry it over. One function, inside one record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import msgspec

from valetkey.audit.model import Outcome
from valetkey.connections.step_up import MoreNeeded
from valetkey.directory.model import Tool
from valetkey.gateway import addresses, answers, apps
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.continuation import Continuations, More, checked
from valetkey.gateway.large import Large, limit_of
from valetkey.gateway.listing import Listings
from valetkey.gateway.model import Account, Client, Door, Meant, Notify, Said
from valetkey.gateway.passing import Passing
from valetkey.gateway.recording import Record, Records, is_uncertain, outcome_of
from valetkey.gateway.tickets import CallTickets, Tickets
from valetkey.gateway.turns import StateRefused, Turn, Undeclared, Waiting
from valetkey.identity.model import Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotConnected, NotFound, OutboundFailed, Refused, TooMany, ValetkeyError, VaultFailed
from valetkey.policy.decide import UNKNOWN_TOOL
from valetkey.policy.gate import Passed, ToConfirm
from valetkey.policy.held import HELD, held_words
from valetkey.policy.model import Decision, Effect
from valetkey.protocol import headers, translate
from valetkey.protocol.asks import NOT_ANSWERED, Asks, required_capabilities
from valetkey.protocol.errors import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    MISSING_CLIENT_CAPABILITY,
    URL_ELICITATION_REQUIRED,
)
from valetkey.protocol.messages import ToolCall, call_params
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import NOBODY, Asker, Carried, Forbidden403, Relay, TicketFor, Unauthorized
from valetkey.upstream.streamable_http import Headers
from valetkey.vault.release import NotReleased

QUARANTINED: Final = "This connection is in quarantine: no call goes to the service until its person lifts that."
_LOOK_AGAIN: Final = timedelta(seconds=10)
"""A list as young as this is believed when it does not have a tool."""
_NOTHING_PASSED: Final = Passed(Decision(Effect.DENY, UNKNOWN_TOOL), "")
_NOTHING_DECLARED: Final[Mapping[headers.Path, tuple[str, str]]] = {}


class _Mismatch(Refused):
    """The `Mcp-Param-*` headers say something else than the arguments."""


class Calls:
    """Makes tool calls for people. Knows no HTTP: a call comes in as a value and its answer goes out as one."""

    def __init__(
        self,
        accounts: Accounts,
        listings: Listings,
        passing: Passing,
        tickets: Tickets,
        upstreams: Upstreams,
        records: Records,
        continuations: Continuations,
        large: Large,
        *,
        clock: Clock,
        public_url: str,
    ) -> None:
        self._large = large
        self._accounts = accounts
        self._listings = listings
        self._passing = passing
        self._tickets = tickets
        self._upstreams = upstreams
        self._records = records
        self._continuations = continuations
        self._clock = clock
        self._public_url = public_url

    async def recorded(
        self,
        who: Principal,
        door: Door,
        client: Client,
        asked: ToolCall,
        sent: Mapping[bytes, bytes],
        notify: Notify,
    ) -> tuple[str, Said]:
        """Makes one call; the id of its record, and its answer in the client's revision.

        `sent` are the `Mcp-Param-*` headers of the request; `notify` gets progress while the call is under way. Raises
        `NotRecorded` (then nothing was done), `NotFound` for a connector that is none of theirs.
        """
        meant = self._accounts.meant_now(door, who, asked.name) or await self._find(door, who, asked.name)  # 1. which?
        account = meant.account if meant is not None else None
        name = meant.name if meant is not None else asked.name
        brought = asked.answered.members() if asked.answered is not NOT_ANSWERED else {}
        request = call_params(name, asked.arguments, b"", brought)
        record = self._records.open_now(
            who, door, account, method="tools/call", tool=asked.name, request=request, own_tool=name
        ) or await self._records.open(
            who, door, account, method="tools/call", tool=asked.name, request=request, own_tool=name
        )
        with record:
            if meant is None:
                return record.id, self._refuse(client, door, meant, asked, record, self._nothing_meant(door))
            tickets = self._tickets.of(meant.account, who.person_id, record)
            about = call_params(name, asked.arguments, b"", {}) if brought else request
            turn = Turn(
                who, client, meant.account, "tools/call", about, asked.answered, asked.progress_token, tickets, notify
            )
            return record.id, await self._made(turn, meant, door, asked, sent, record)

    async def _made(
        self, turn: Turn, meant: Meant, door: Door, asked: ToolCall, sent: Mapping[bytes, bytes], record: Record
    ) -> Said:
        client, passed = turn.client, _NOTHING_PASSED
        try:
            passed = await self._decide(turn, meant, record)  # 2. may they?
            record.passed(passed.rule, passed.approval_id)
            carried = await self._carry(turn, meant, asked, sent)  # 3. as whom? 4. carry it over
            if carried.result:
                await self._passing.has_read(turn)
        except ToConfirm as error:
            record.end(Outcome.INPUT_REQUIRED, rule=error.rule, detail=error.message)
            return await self._passing.ask(turn, error, declined=asked.declined)
        except Forbidden403 as error:
            more = await turn.tickets.forbidden(error)
            return self._refuse(client, door, meant, asked, record, more)
        except ValetkeyError as error:
            if isinstance(error, OutboundFailed) and is_uncertain(error):
                await self._passing.nobody_knows(turn, passed)
            return self._refuse(client, door, meant, asked, record, error)
        except asyncio.CancelledError:
            await self._passing.nobody_knows(turn, passed)
            raise
        limit = limit_of(meant.tool)
        if len(carried.result) > limit and (size := len(carried.result.decode())) > limit:
            service = meant.account.connector.name
            return await self._large.put_by(client, carried.result, size, limit, record, service=service)
        return self._render(client, door, meant, carried, record)

    # --- 1. which tool? -----------------------------------------------------------------------------------------------

    async def _find(self, door: Door, who: Principal, name: str) -> Meant | None:
        """What is meant; with a look at the service when its tools were never seen, or may have changed."""
        meant = await self._accounts.meant(door, who, name)
        if meant is None or meant.tool is not None:
            return meant
        snapshot = await self._accounts.snapshots.get(meant.account.connection.id)
        if snapshot is not None and snapshot.fetched_at + _LOOK_AGAIN > self._clock.now():
            return meant
        try:
            await self._listings.refresh(who, door, meant.account)
        except (NotConnected, OutboundFailed, VaultFailed, TooMany, NotFound):
            return meant  # what is wrong will show itself when the call is made
        return await self._accounts.meant(door, who, name)

    def _nothing_meant(self, door: Door) -> ValetkeyError:
        if not door.connector:
            return Refused("There is no such tool.", rule=UNKNOWN_TOOL)
        return NotConnected(f"{door.connector} is not connected yet.", path=f"/connections?connector={door.connector}")

    # --- 2. may they? -------------------------------------------------------------------------------------------------

    async def _decide(self, turn: Turn, meant: Meant, record: Record) -> Passed:
        """Raises `Refused`, which names the page where the person can change it, or `ToConfirm`."""
        if meant.account.connection.quarantined_at is not None:
            page = meant.account.page
            raise Refused(f"{QUARANTINED} It is lifted on {self._public_url}{page}", rule="quarantined", path=page)
        if meant.tool is None and not meant.was_listed and meant.account.is_open:
            return _NOTHING_PASSED  # nothing is known of its tools: the credential will be missing: that is the answer
        if meant.held and meant.account.is_open:
            page = meant.account.page
            raise Refused(held_words(meant.held, self._public_url + page), rule=HELD[meant.held], path=page)
        return await self._passing.through(turn, meant, record)

    # --- 3. whose account? 4. carry it over ---------------------------------------------------------------------------

    async def _carry(self, turn: Turn, meant: Meant, asked: ToolCall, sent: Mapping[bytes, bytes]) -> Carried:
        call = asked if asked.name == meant.name else msgspec.structs.replace(asked, name=meant.name)
        account, tickets, notify, client = meant.account, turn.tickets, turn.notify, turn.client
        if meant.tool is None:  # its tools cannot be seen, and nothing was allowed either
            with suppress(NotReleased):
                await tickets()  # if it is not connected at all, that is what has to be said
            raise Refused("This connection's tools could not be listed.", rule=UNKNOWN_TOOL, path=account.page)
        params = self._params(client, meant.tool, asked, sent) if headers.ANNOTATION in meant.tool.raw else ()
        if not client.asks and asked.answered is NOT_ANSWERED:  # nobody can be asked anything, nor was
            carried = await self._send(account, call, params, tickets, tickets, notify, NOBODY)
        else:

            async def send(asker: Asker, more: More, further: TicketFor, relay: Relay) -> Carried:
                rest = {**call.rest, **{key: msgspec.Raw(raw) for key, raw in more.items()}}
                with_more = msgspec.structs.replace(call, rest=rest) if more else call
                return await self._send(account, with_more, params, tickets, further, relay, asker)

            carried = await self._continuations.carry(turn, send)
        if carried.error or carried.missed:
            checked(carried, client, account.connector.name)
        return carried

    async def _send(
        self,
        account: Account,
        call: ToolCall,
        params: Headers,
        tickets: CallTickets,
        further: TicketFor,
        relay: Relay,
        asker: Asker,
    ) -> Carried:
        """Calls with the person's own credential, and once more with a renewed one after a 401 (CON-24)."""
        ticket = tickets.now() or await tickets()
        try:
            return await self._upstreams.call(
                account.target, call, params=params, ticket=ticket, further_tickets=further, relay=relay, asker=asker
            )
        except Unauthorized as error:
            ticket = await tickets.renewed(ticket, error)
        try:
            return await self._upstreams.call(
                account.target, call, params=params, ticket=ticket, further_tickets=further, relay=relay, asker=asker
            )
        except Unauthorized as error:
            raise await tickets.given_up() from error

    def _params(
        self, client: Client, tool: Tool, asked: ToolCall, sent: Mapping[bytes, bytes]
    ) -> list[tuple[bytes, bytes]]:
        """The `Mcp-Param-*` headers for the service, made from the arguments; the client's own only have to agree."""
        declared = headers.declared_params(tool.raw) or _NOTHING_DECLARED
        try:
            arguments: dict[str, Any] = json.loads(asked.arguments)
        except ValueError as error:  # an integer of thousands of digits: fit to pass on, not to be compared
            raise _Mismatch("The arguments cannot be compared with the headers.", rule="header_mismatch") from error
        if client.is_modern and (wrong := headers.mismatched_param(declared, arguments, sent)):
            raise _Mismatch(wrong, rule="header_mismatch")
        return headers.param_headers(declared, arguments)

    # --- the answer ---------------------------------------------------------------------------------------------------

    def _render(self, client: Client, door: Door, meant: Meant, carried: Carried, record: Record) -> Said:
        if isinstance(carried, Waiting):  # the client has to answer something first
            record.end(Outcome.INPUT_REQUIRED, response=carried.result or carried.error)
            return Said(result=carried.result, error=carried.error, code=URL_ELICITATION_REQUIRED)
        if carried.error:
            relayed = translate.error(carried.error, version=client.version)
            record.end(Outcome.PROTOCOL_ERROR, detail=f"error {relayed.code}", response=carried.error)
            return Said(error=relayed.raw, code=relayed.code)
        result = carried.result
        facts = translate.read_result(result)
        if facts is None:
            return self._not_mcp(client, meant, record, "the result is no object", result)
        is_task = facts.is_task and Asks.TASKS in client.asks
        if not facts.is_complete and not is_task:
            return self._not_mcp(client, meant, record, "it asks for something this hub does not pass on", result)
        record.end(Outcome.TOOL_ERROR if facts.is_tool_error else Outcome.OK, response=result)
        plain = result if is_task else apps.answer(meant.account, meant.name, result)
        said = translate.tool_result(plain, facts, version=client.version)
        if record.echoed:
            said = answers.flagged(said, answers.MASKED)
        if record.orders:
            said = answers.flagged(said, answers.ORDERS)
        return Said(result=said if door.connector else addresses.result_outward(meant.account, said, is_task=is_task))

    def _not_mcp(self, client: Client, meant: Meant, record: Record, why: str, result: bytes) -> Said:
        record.end(Outcome.PROTOCOL_ERROR, detail=why, response=result)
        return answers.text(client, f"{meant.account.connector.name} gave an answer that cannot be passed on: {why}.")

    def _refuse(
        self, client: Client, door: Door, meant: Meant | None, asked: ToolCall, record: Record, error: ValetkeyError
    ) -> Said:
        """Closes the record and says why the call was not made, or what went wrong with it."""
        rule = error.rule if isinstance(error, Refused) else error.code
        record.end(outcome_of(error), rule=rule, detail=error.message)
        service = meant.account.connector.name if meant is not None else door.connector or "the service"
        match error:
            case _Mismatch():
                return answers.failure(HEADER_MISMATCH, error.message)
            case StateRefused():
                return answers.failure(INVALID_PARAMS, error.message)
            case Undeclared(capabilities=missing) if client.is_modern:
                return answers.failure(MISSING_CLIENT_CAPABILITY, error.message, required_capabilities(missing))
            case Refused(rule=rule) if rule == UNKNOWN_TOOL:
                return answers.unknown_tool(asked.name)
            case NotConnected():
                return answers.visit(client, error.message, self._public_url + error.path, declined=asked.declined)
            case MoreNeeded(path=path) if path:
                return answers.visit(client, error.message, self._public_url + path, declined=asked.declined)
            case OutboundFailed():
                return answers.text(client, answers.outbound(error, service=service))
        return answers.text(client, str(error))

"""Passing on whatever is no tool call: prompts, resources, completion, tasks. One function, inside one record."""

from __future__ import annotations

from typing import Final

import msgspec

from valetkey.audit.model import Outcome
from valetkey.connections.step_up import MoreNeeded
from valetkey.directory.model import PINNED
from valetkey.gateway import addresses, answers, apps
from valetkey.gateway.accounts import Accounts
from valetkey.gateway.capabilities import Offers
from valetkey.gateway.carry import Carrier
from valetkey.gateway.catalog import Catalog
from valetkey.gateway.listing import marks
from valetkey.gateway.model import Account, Client, Door, Notify, Said
from valetkey.gateway.recording import Record, Records, outcome_of
from valetkey.gateway.turns import StateRefused, Undeclared, Waiting
from valetkey.identity.model import Principal
from valetkey.kernel.errors import NotConnected, OutboundFailed, Refused, ValetkeyError
from valetkey.protocol import translate, uris
from valetkey.protocol.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_CLIENT_CAPABILITY,
    URL_ELICITATION_REQUIRED,
    Rejected,
)
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.messages import object_of
from valetkey.protocol.onward import Onward, redirected
from valetkey.upstream.model import Carried
from valetkey.upstream.streamable_http import CALL_LIMITS

_TARGET: Final = 255
_CONTENT: Final = frozenset({"resources/read", "prompts/get"})
"""What hands the service's own texts to a model."""

Meant = tuple[Account, Onward]


class Relays:
    """Passes requests on for people. Knows no HTTP, as `Calls`."""

    def __init__(
        self,
        accounts: Accounts,
        offers: Offers,
        catalog: Catalog,
        carrier: Carrier,
        records: Records,
        *,
        public_url: str,
    ) -> None:
        self._accounts = accounts
        self._offers = offers
        self._catalog = catalog
        self._carrier = carrier
        self._records = records
        self._public_url = public_url

    async def recorded(self, who: Principal, door: Door, client: Client, asked: Onward, notify: Notify) -> Said:
        """Asks the service that is meant; the answer in the client's revision.

        Raises `NotRecorded` (then nothing was asked), `NotFound` for a connector that is none of theirs.
        """
        meant = await self._meant(who, door, asked)  # 1. whose?
        account, onward = meant if meant is not None else (None, asked)
        if account is not None and not await self._offers.has(account, asked.method):
            return answers.failure(METHOD_NOT_FOUND, "Method not found")
        target = onward.named[:_TARGET]
        record = self._records.open_now(
            who, door, account, method=asked.method, tool=target, request=onward.params
        ) or await self._records.open(who, door, account, method=asked.method, tool=target, request=onward.params)
        with record:
            try:
                if account is None:
                    raise self._nothing_meant(door, asked)
                await self._check_accepted(door, account, onward)
                if asked.method == "resources/read":
                    apps.check_page(account, onward.named, (await self._accounts.tools(account)).values())
                carried = await self._ask(who, client, account, onward, record, notify)  # 2. ask
                carried = await self._accepted_of(door, account, onward, carried)
                if carried.result and asked.method in _CONTENT:
                    await self._carrier.has_read(who, account)
                return self._render(client, door, account, onward, carried, record)  # 3. in their words
            except Rejected as error:
                record.end(Outcome.PROTOCOL_ERROR, detail=error.message)
                return answers.failure(error.rpc_code, error.message, error.data)
            except ValetkeyError as error:
                return self._refuse(client, door, account, asked, record, error)

    # --- 1. whose? ----------------------------------------------------------------------------------------------------

    async def _meant(self, who: Principal, door: Door, asked: Onward) -> Meant | None:
        if door.connector:
            account = await self._accounts.at(door, who)
            return (account, asked) if account is not None else None
        match asked.method:
            case "prompts/get":
                found = await self._catalog.prompt(who, door, asked.named)
                return (found[0], redirected(asked, name=_json(found[1]))) if found else None
            case "resources/read":
                found = await self._catalog.resource(who, door, asked.named)
                return (found[0], redirected(asked, uri=_json(found[1]))) if found else None
            case "completion/complete":
                return await self._meant_by_reference(who, door, asked)
        found = addresses.task_inward(await self._accounts.behind(door, who), asked.named)
        return (found[0], redirected(asked, taskId=_json(found[1]))) if found else None

    async def _meant_by_reference(self, who: Principal, door: Door, asked: Onward) -> Meant | None:
        """What a completion is about: the reference names a prompt, or a resource's template."""
        given = members(asked.params)
        try:
            reference = members(bytes(given.get("ref", b"{}")))
            for member, find in (("name", self._catalog.prompt), ("uri", self._catalog.resource)):
                if member in reference:
                    found = await find(who, door, msgspec.json.decode(reference[member], type=str))
                    if found is None:
                        return None
                    reference[member] = msgspec.Raw(_json(found[1]))
                    return found[0], redirected(asked, ref=object_of(reference.items()))
        except (Rejected, msgspec.MsgspecError):
            pass
        return None

    def _nothing_meant(self, door: Door, asked: Onward) -> ValetkeyError:
        if door.connector:
            path = f"/connections?connector={door.connector}"
            return NotConnected(f"{door.connector} is not connected yet.", path=path)
        if asked.method == "resources/read":
            data = object_of([("uri", _json(asked.named))])
            return Rejected("Resource not found", rpc_code=INVALID_PARAMS, data=data)
        what = {"prompts/get": "prompt", "completion/complete": "reference"}.get(asked.method, "task")
        return Rejected(f"There is no such {what}.", rpc_code=INVALID_PARAMS)

    # --- 2. ask -------------------------------------------------------------------------------------------------------

    async def _ask(
        self, who: Principal, client: Client, account: Account, onward: Onward, record: Record, notify: Notify
    ) -> Carried:
        if not translate.REQUESTS[onward.method].may_ask:
            return await self._carrier.carry(who, account, onward, record, notify, limits=CALL_LIMITS)
        return await self._carrier.carry_asking(who, client, account, onward, record, notify, limits=CALL_LIMITS)

    async def _check_accepted(self, door: Door, account: Account, asked: Onward) -> None:
        """A prompt that nobody accepted is not got by its name either. On `/mcp` it has none (CUS-11)."""
        if not door.connector or asked.method != "prompts/get":
            return
        if await self._accounts.snapshots.listed.holds(account.connection.id, "prompts/list", asked.named):
            page = f"{self._public_url}/connections/{account.connection.id}/changes"
            raise Rejected(
                f"The service changed or added this prompt, and nobody has accepted that yet. The person can look at it"
                f" on {page}.",
                rpc_code=INVALID_PARAMS,
            )

    async def _accepted_of(self, door: Door, account: Account, asked: Onward, carried: Carried) -> Carried:
        """Of a page of a list that is passed on as it is, only what was accepted. `/mcp` has it from the catalog."""
        if not door.connector or asked.method not in PINNED or not carried.result:
            return carried
        row = translate.REQUESTS[asked.method]
        found, given = members(carried.result), members(asked.params)
        last = bytes(found.get("nextCursor", b"null")) == b"null"
        first = bytes(given.get("cursor", b"null")) == b"null"
        page = translate.items(carried.result, row)
        shown = await self._accounts.snapshots.listed.sift(
            account.connection.id, asked.method, page, first=first, last=last
        )
        found[row.items] = msgspec.Raw(b"[%b]" % b",".join(shown))
        return msgspec.structs.replace(carried, result=object_of(found.items()))

    # --- 3. in their words --------------------------------------------------------------------------------------------

    def _render(
        self, client: Client, door: Door, account: Account, asked: Onward, carried: Carried, record: Record
    ) -> Said:
        row = translate.REQUESTS[asked.method]
        change = addresses.outward(account)
        if isinstance(carried, Waiting):  # the client has to answer something first
            record.end(Outcome.INPUT_REQUIRED, response=carried.result or carried.error)
            return Said(result=carried.result, error=carried.error, code=URL_ELICITATION_REQUIRED)
        if carried.error:
            relayed = translate.error(carried.error, version=client.version, row=row, uri=asked.named)
            record.end(Outcome.PROTOCOL_ERROR, detail=f"error {relayed.code}", response=carried.error)
            raw = relayed.raw if door.connector else uris.in_error(relayed.raw, change)
            return Said(error=raw, code=relayed.code)
        facts = translate.read_result(carried.result)
        if facts is None or not facts.is_complete:
            why = "the result is no object" if facts is None else "it asks for something this hub does not pass on"
            record.end(Outcome.PROTOCOL_ERROR, detail=why, response=carried.result)
            return answers.failure(INTERNAL_ERROR, f"{account.connector.name} gave an answer that is none: {why}.")
        result = translate.result(carried.result, row, version=client.version)
        record.end(Outcome.OK, response=carried.result)
        is_task = asked.method.startswith("tasks/")
        if is_task:
            result = apps.task_answer(account, result)
        if door.connector:
            return Said(result=result)
        if is_task:
            return Said(result=addresses.result_outward(account, result, is_task=True))
        return Said(result=uris.in_result(asked.method, result, change))

    def _refuse(
        self, client: Client, door: Door, account: Account | None, asked: Onward, record: Record, error: ValetkeyError
    ) -> Said:
        """Closes the record and says why nothing was asked, or what went wrong with it."""
        rule = error.rule if isinstance(error, Refused) else error.code
        record.end(outcome_of(error), rule=rule, detail=error.message)
        service = account.connector.name if account is not None else door.connector
        match error:
            case StateRefused():
                return answers.failure(INVALID_PARAMS, error.message)
            case Undeclared(capabilities=missing) if client.is_modern:
                return answers.failure(
                    MISSING_CLIENT_CAPABILITY, error.message, b'{"requiredCapabilities":%b}' % missing
                )
            case NotConnected(path=path, reason=reason):
                return self._page_first(client, door, asked, error.message, reason, path)
            case MoreNeeded(path=path, code=code) if path:
                return self._page_first(client, door, asked, error.message, code, path)
            case OutboundFailed():
                return answers.failure(INTERNAL_ERROR, answers.outbound(error, service=service))
        return answers.failure(INTERNAL_ERROR, str(error))

    def _page_first(self, client: Client, door: Door, asked: Onward, why: str, reason: str, path: str) -> Said:
        """What the person has to do first, on a page of ours: in a list as a mark, else as a request or an error."""
        row, url = translate.REQUESTS[asked.method], self._public_url + path
        if row.items:
            mark = marks([(door.connector, door.label, reason, url)])
            return Said(result=translate.list_result([], row, version=client.version, ttl_ms=0, cursor="", meta=mark))
        if row.may_ask and client.opens_urls:
            return answers.visit(client, why, url, declined=False)
        return answers.failure(INTERNAL_ERROR, f"{why} The person can change that on {url}")


def _json(text: str) -> bytes:
    return msgspec.json.encode(text)

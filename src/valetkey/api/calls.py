"""Calls: what was called in a person's name; the contents for that person alone; and making one call."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from valetkey.api.asking import Needs, PersonQuery, Rooms, Scope, actor_of, whose
from valetkey.api.paging import At, Page
from valetkey.audit.model import CallRecord, Everyone, OfPerson, Outcome, Wanted
from valetkey.audit.model import Scope as AuditScope
from valetkey.identity.model import Principal
from valetkey.privacy.reading import LONGEST_REASON, Opened, ReadOnce, open_call

router = APIRouter(prefix="/calls", tags=["calls"])

Reader = Annotated[Principal, Depends(Needs(Scope.CALLS_READ, operator=True))]
Own = Annotated[Principal, Depends(Needs(Scope.CALLS_READ))]
Runner = Annotated[Principal, Depends(Needs(Scope.CALLS_RUN))]
Filter = Annotated[str, Query(max_length=255)]
ToolClass = Annotated[str, Query(max_length=1, pattern="^[RWMHVX]?$", description="R, W, M, H, V, or X.")]


class CallShown(BaseModel):
    """What is known about a call without opening it. Times in UTC, durations in microseconds."""

    id: str
    started_at: datetime
    person_id: str
    client: str
    connector: str
    connection_id: str
    label: str
    method: str
    tool: str
    outcome: Outcome
    rule: str
    detail: str
    origin: str
    duration_us: int
    request_bytes: int
    response_bytes: int
    tool_class: str

    @classmethod
    def of(cls, call: CallRecord) -> CallShown:
        return cls(
            id=call.id,
            started_at=call.started_at,
            person_id=call.person_id,
            client=call.client,
            connector=call.connector,
            connection_id=call.connection_id,
            label=call.label,
            method=call.method,
            tool=call.tool,
            outcome=call.outcome,
            rule=call.rule,
            detail=call.detail,
            origin=call.origin,
            duration_us=call.duration_us,
            request_bytes=call.request_bytes,
            response_bytes=call.response_bytes,
            tool_class=call.tool_class,
        )


class CallOpened(CallShown):
    """With its contents, for its own person. `contents` is `shown`, `not_yours`, `none` or `erased`."""

    contents: str
    request: Any = None
    response: Any = None

    @classmethod
    def of_opened(cls, one: Opened) -> CallOpened:
        shown = CallShown.of(one.call).model_dump()
        return cls(**shown, contents=one.contents, request=_as_json(one.request), response=_as_json(one.response))


class NewReading(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST_REASON, description="Whose call it is reads it.")


class ReadingShown(BaseModel):
    """That an auditor read one's call."""

    at: datetime
    by: str = Field(description="`person:` and an id.")
    reason: str

    @classmethod
    def of(cls, one: ReadOnce) -> ReadingShown:
        return cls(at=one.at, by=one.actor, reason=one.reason)


class NewCall(BaseModel):
    model_config = ConfigDict(extra="forbid")

    connector: str = Field(max_length=40)
    label: str = Field(default="", max_length=12, description="The account; empty for the default one.")
    tool: str = Field(max_length=255)
    arguments: dict[str, Any] = Field(default_factory=dict)


class CallResult(BaseModel):
    """The tool's answer, and where its record is."""

    call_id: str
    result: dict[str, Any]


async def _readable_by(who: Reader, request: Request, person: PersonQuery = "") -> AuditScope:
    if who.kind == "operator" and not person:
        return Everyone()
    return OfPerson((await whose(request, person)).id)


Readable = Annotated[AuditScope, Depends(_readable_by)]


@router.get("", operation_id="list_calls")
async def list_calls(
    who: Reader,
    scope: Readable,
    rooms: Rooms,
    at: At,
    members: Annotated[bool, Query(description="Those of all members: for owners and auditors.")] = False,
    connector: Filter = "",
    tool: Filter = "",
    outcome: Outcome | None = None,
    tool_class: ToolClass = "",
    client: Filter = "",
    since: AwareDatetime | None = None,
    until: AwareDatetime | None = None,
) -> Page[CallShown]:
    """The person's calls, newest first; the operator sees everybody's, or one person's; `members`: the organization's.

    `client` is any part of its name; `since` and `until` are times with a zone, and `until` itself is left out.
    """
    wanted = Wanted(
        connector=connector, tool=tool, outcome=outcome, tool_class=tool_class, client=client, since=since, until=until
    )
    if members and who.kind != "operator":
        found = await rooms.privacy.reading.list(who, wanted=wanted, before=at.text, limit=at.one_more)
    else:
        found = await rooms.calls.list(scope, wanted=wanted, before=at.text, limit=at.one_more)
    return at.page(found, by=lambda one: (one.id,), newest_first=True, show=CallShown.of)


@router.get("/{call_id}", operation_id="show_call")
async def show_call(call_id: str, who: Reader, rooms: Rooms) -> CallOpened:
    """One call; what was sent and came back only for the person in whose name it was made."""
    scope = Everyone() if who.kind == "operator" else OfPerson(who.person_id)
    call = await rooms.calls.find(call_id, scope)
    if who.kind == "operator":
        return CallOpened(**CallShown.of(call).model_dump(), contents="not_yours")
    return CallOpened.of_opened(await open_call(rooms.day_keys, call))


@router.get(
    "/{call_id}/result",
    operation_id="read_whole_result",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}},
)
async def read_whole_result(call_id: str, who: Own, rooms: Rooms) -> Response:
    """A result that was too large for the assistant (CON-20), whole, for the person whose call it was alone."""
    found = await rooms.privacy.whole.open(who.person_id, call_id)
    return Response(b"".join([part async for part in found]), media_type="application/json")


@router.post("/{call_id}/readings", operation_id="read_call")
async def read_call(call_id: str, new: NewReading, who: Own, rooms: Rooms) -> CallOpened:
    """A member's call with its contents, for an auditor. It is in the trail first, and its person sees who and why."""
    return CallOpened.of_opened(await rooms.privacy.reading.open(who, call_id, reason=new.reason, actor=actor_of(who)))


@router.get("/{call_id}/readings", operation_id="list_call_readings")
async def list_call_readings(call_id: str, who: Own, rooms: Rooms, at: At) -> Page[ReadingShown]:
    """Who read what was in one's own call, and why."""
    found = await rooms.privacy.reading.of(who.person_id, call_id, before=at.number, limit=at.one_more)
    return at.page(found, by=lambda one: (one.seq,), newest_first=True, show=ReadingShown.of)


@router.post("", operation_id="run_call")
async def run_call(new: NewCall, who: Runner, rooms: Rooms) -> CallResult:
    """Makes one call, through the same door as an assistant's: permissions, record and all."""
    answer = await rooms.call_tool(
        who, connector=new.connector, label=new.label, tool=new.tool, arguments=json.dumps(new.arguments).encode()
    )
    return CallResult(call_id=answer.call_id, result=msgspec.json.decode(answer.result, type=dict[str, Any]))


def _as_json(body: bytes | None) -> Any:
    if body is None:
        return None
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")

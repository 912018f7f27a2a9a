"""Servers that a registry lists: found here, and added by their address like any other. No trust comes with them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, StrictBool

from valetkey.api.asking import Needs, OnlyOperator, Rooms, Scope, Whose
from valetkey.api.directory import Words
from valetkey.api.paging import Listed
from valetkey.directory.registry_page import Run
from valetkey.identity.model import Principal

router = APIRouter(prefix="/registry", tags=["connectors"])

Reader = Annotated[Principal, Depends(Needs(Scope.CONNECTORS_READ, operator=True))]
Operator = Annotated[Principal, Depends(OnlyOperator())]


class ServerShown(BaseModel):
    """What its publisher told the registry. Nobody here looked at it."""

    name: str
    title: str
    description: str
    version: str
    url: str
    website: str


class RunShown(BaseModel):
    """Reading the registry: under way until `finished_at`; `error` says what broke it off. `since` is empty for all."""

    registry: str
    began_at: datetime
    finished_at: datetime | None
    since: datetime | None
    pages: int
    servers: int
    gone: int
    left_out: int
    error: str

    @classmethod
    def of(cls, run: Run) -> RunShown:
        return cls(
            registry=run.registry,
            began_at=run.began_at,
            finished_at=run.finished_at,
            since=run.since,
            pages=run.pages,
            servers=run.servers,
            gone=run.gone,
            left_out=run.left_out,
            error=run.error,
        )


class Refresh(BaseModel):
    model_config = ConfigDict(extra="forbid")

    whole: StrictBool = False


@router.get("", operation_id="search_registry")
async def search_registry(_who: Reader, whose: Whose, rooms: Rooms, q: Words = "") -> Listed[ServerShown]:
    """At most 20 servers with all these words, for who may add connectors."""
    if not await rooms.organizations.may_add_connectors(whose):
        return Listed(items=[])
    found = await rooms.registry.search(q)
    return Listed(
        items=[
            ServerShown(
                name=one.name,
                title=one.title,
                description=one.description,
                version=one.version,
                url=one.url,
                website=one.website,
            )
            for one in found
        ]
    )


@router.get("/run", operation_id="show_registry_run")
async def show_registry_run(_who: Operator, rooms: Rooms) -> RunShown | None:
    """The run under way, or the last one; nothing before the first."""
    run = await rooms.registry.status()
    return RunShown.of(run) if run is not None else None


@router.post("/run", operation_id="refresh_registry")
async def refresh_registry(given: Refresh, _who: Operator, rooms: Rooms) -> RunShown:
    """Begins to read what changed since the last time, or `whole` all of it."""
    return RunShown.of(await rooms.registry.begin(whole=given.whole))

"""Asking for a connector, and saying yes or no to it.

Who may ask and who may decide, the caller has made sure of. Whoever asks for what was asked for already joins in: there
is one open request for each address, however it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from valetkey.directory.connectors import Adder, Connectors
from valetkey.directory.custom import read_name, read_url
from valetkey.directory.endpoint import endpoint_key
from valetkey.directory.listings import ParsedUrl, ParseUrl
from valetkey.directory.model import Connector
from valetkey.directory.requests import repository
from valetkey.directory.requests.model import ConnectorRequest, RequestState
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database

_MOST_OPEN: Final = 200
_SHOWN: Final = 1000


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", person_id: str = "", object: str = "",
        detail: Mapping[str, object] = ...,
    ) -> object: ...  # fmt: skip


class Groups(Protocol):
    async def of(self, person_id: str) -> frozenset[str]: ...


class Requests:
    """Keeps them until long after they are resolved, so that who asked sees what came of it."""

    def __init__(
        self, database: Database, *, connectors: Connectors, groups: Groups, parse_url: ParseUrl, clock: Clock,
        trail: TrailWriter,
    ) -> None:  # fmt: skip
        self._database = database
        self._connectors = connectors
        self._groups = groups
        self._parse_url = parse_url
        self._clock = clock
        self._trail = trail

    async def ask(self, person: Adder, *, url: str, name: str = "") -> ConnectorRequest:
        """The open request, which the person is among the askers of now. Nothing is contacted.

        Raises `BadInput` naming the field, `Conflict` for what they can connect already, `TooMany`.
        """
        endpoint = self._endpoint(url)
        wanted = ConnectorRequest(
            new_id("req"), person.organization_id, read_name(name or endpoint.host), endpoint.text, endpoint.host,
            RequestState.OPEN, self._clock.now(),
        )  # fmt: skip
        there = await self._there(person, endpoint)
        if there is not None and there.state == "enabled" and there.audience.has(await self._groups.of(person.id)):
            raise Conflict(f"This is there already as {there.slug}.", hint="Connect it.")
        address = endpoint_key(endpoint.origin, endpoint.text)
        async with self._database.write() as tx:
            request_id = await repository.put_open(tx, wanted, address)
            is_new = await repository.put_asker(tx, request_id, person.id, wanted.created_at)
            if await repository.count_open(tx, person.organization_id) > _MOST_OPEN:
                raise TooMany(f"There are {_MOST_OPEN} open requests.", hint="Somebody has to decide on some first.")
            found = await repository.find(tx, person.organization_id, request_id)
        assert found is not None  # in the same transaction
        if is_new:
            await self._trail.write(
                "connector.requested", actor=f"person:{person.id}", organization_id=person.organization_id,
                person_id=person.id, object=found.id, detail={"host": found.host, "count": len(found.askers)},
            )  # fmt: skip
        return found

    async def by(self, person: Adder) -> Sequence[ConnectorRequest]:
        """What the person asked for, with what came of it; who else asked is not told."""
        async with self._database.read() as tx:
            found = await repository.list_by(tx, person.organization_id, person.id, limit=_SHOWN)
        return [replace(one, askers=(person.id,)) for one in found]

    async def of(self, organization_id: str) -> Sequence[ConnectorRequest]:
        """Everybody's: those that are open first."""
        async with self._database.read() as tx:
            return await repository.list_of(tx, organization_id, limit=_SHOWN)

    async def approve(self, person: Adder, request_id: str, *, by: str, auth_kind: str = "oauth") -> ConnectorRequest:
        """Switches the connector on, adding it if it is not there: as the listing of that address, if there is one.

        Nobody is connected by it. Raises `NotFound`, `Conflict` for what is resolved or cannot be switched on here,
        `BadInput` where the organization's hosts do not permit it.
        """
        found = await self._open(person.organization_id, request_id)
        connector = await self._switched_on(person, found, by, auth_kind)
        return await self._resolve(found, RequestState.APPROVED, by=by, slug=connector.slug)

    async def dismiss(self, organization_id: str, request_id: str, *, by: str) -> ConnectorRequest:
        """Says no. Raises `NotFound`, `Conflict` for what is resolved."""
        found = await self._open(organization_id, request_id)
        return await self._resolve(found, RequestState.DISMISSED, by=by, slug="")

    async def _open(self, organization_id: str, request_id: str) -> ConnectorRequest:
        async with self._database.read() as tx:
            found = await repository.find(tx, organization_id, request_id)
        if found is None:
            raise NotFound("There is no such request.")
        if found.state is not RequestState.OPEN:
            raise Conflict(f"This request was {found.state} already.")
        return found

    async def _switched_on(self, person: Adder, found: ConnectorRequest, by: str, auth_kind: str) -> Connector:
        endpoint = self._endpoint(found.url)
        there = await self._there(person, endpoint)
        if there is None:
            listing = self._connectors.listings.for_url(endpoint)
            if listing is not None:
                added = await self._connectors.add_listed(person, listing.slug, url=endpoint.text)
            else:
                added = await self._connectors.add_custom(person, name=found.name, url=found.url, auth_kind=auth_kind)
            await self._tell("connector.added", person, added, by)
            return added
        if there.state == "blocked":
            await self._connectors.set_state(there.id, "enabled")
            await self._tell("connector.enabled", person, there, by)
        elif there.state != "enabled":
            raise Conflict(
                f"{there.slug} is there and {there.state}: a request does not change that.",
                hint="Look at it under Connectors.",
            )
        return there

    async def _there(self, person: Adder, endpoint: ParsedUrl) -> Connector | None:
        """The organization's connector for this address."""
        key = endpoint_key(endpoint.origin, endpoint.text)
        for one in await self._connectors.list_for(person):
            if not one.is_personal and endpoint_key(one.origin, one.url) == key:
                return one
        return None

    async def _resolve(
        self, found: ConnectorRequest, state: RequestState, *, by: str, slug: str
    ) -> ConnectorRequest:  # fmt: skip
        now = self._clock.now()
        # ORG-12: what was decided, and for how many.
        await self._trail.write(
            "connector.request_resolved", actor=by, organization_id=found.organization_id, object=found.id,
            detail={"decision": state.value, "count": len(found.askers), "host": found.host},
        )  # fmt: skip
        async with self._database.write() as tx:
            if not await repository.resolve(tx, found.id, state, by=by, slug=slug, at=now):
                raise Conflict("Somebody else decided meanwhile.")
        return replace(found, state=state, resolved_by=by, resolved_at=now, slug=slug)

    async def _tell(self, event: str, person: Adder, connector: Connector, by: str) -> None:
        detail = {"slug": connector.slug, "origin": connector.origin, "review_state": connector.review_state.value}
        await self._trail.write(
            event, actor=by, organization_id=connector.organization_id, person_id=person.id, object=connector.id,
            detail=detail,
        )  # fmt: skip

    def _endpoint(self, url: str) -> ParsedUrl:
        try:
            return self._parse_url(read_url(url))
        except BadInput as error:
            raise BadInput(error.message, field="url", hint=error.hint) from error

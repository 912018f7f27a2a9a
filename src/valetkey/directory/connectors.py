"""The connectors there are: custom ones, added by URL, each seen by the organization it was added in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from sqlalchemy.exc import IntegrityError

from valetkey.directory import repository
from valetkey.directory.custom import new_slug, read_auth, read_name, read_url
from valetkey.directory.model import Connector, ReviewState
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, TooMany
from valetkey.kernel.ids import new_id
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

TOPIC = "connectors"
"""Announced twice for a connector that changed: with its id, and with its slug."""

LIMIT = 500
"""Connectors in one organization."""


class ParsedUrl(Protocol):
    """What we need of `net`'s strictly parsed URL; we are handed its parser, since we cannot reach `net`."""

    @property
    def text(self) -> str: ...

    @property
    def host(self) -> str: ...

    @property
    def origin(self) -> str: ...


class Member(Protocol):
    """Whoever looks: a person or a principal of `identity`, our neighbour. An operator is in no organization."""

    @property
    def organization_id(self) -> str: ...


class Adder(Member, Protocol):
    """The person who adds."""

    @property
    def id(self) -> str: ...


class Connectors:
    """Adds, finds and removes connectors. `parse_url` refuses what is no safe endpoint (CON-03)."""

    def __init__(
        self,
        database: Database,
        notifications: Notifications,
        *,
        clock: Clock,
        parse_url: Callable[[str], ParsedUrl],
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._clock = clock
        self._parse_url = parse_url
        self._memory: Remembered[str, Connector] = Remembered(notifications, TOPIC, clock=clock)

    async def add_custom(
        self,
        person: Adder,
        *,
        name: str,
        url: str,
        auth_kind: str = "oauth",
        auth: Mapping[str, Any] | None = None,
    ) -> Connector:
        """A new connector, *Custom – unverified* whatever its name says (S-05).

        `auth` as in `Connector.auth`. Raises `BadInput` naming the field, `Conflict` when the organization has the same
        one already, `TooMany`.
        """
        shown_name = read_name(name)
        endpoint = self._read_endpoint(url)
        kind, facts = read_auth(auth_kind, auth or {})
        new = Connector(
            id=new_id("con"),
            slug=new_slug(shown_name, host=endpoint.host),
            organization_id=person.organization_id,
            added_by=person.id,
            name=shown_name,
            url=endpoint.text,
            origin=endpoint.origin,
            review_state=ReviewState.CUSTOM,
            auth_kind=kind,
            auth=facts,
            state="enabled",
            version=1,
            created_at=self._clock.now(),
        )
        async with self._database.write() as tx:
            same = await repository.find_same(tx, organization_id=person.organization_id, url=new.url, auth_kind=kind)
            if same is not None:
                raise Conflict(f"This URL is already there as {same.slug}.", hint=f"Connect {same.slug} instead.")
            if await repository.count_connectors(tx, person.organization_id) >= LIMIT:
                raise TooMany(f"There are {LIMIT} connectors already.", hint="Remove one that nobody uses.")
            await repository.insert_connector(tx, new)
        return new

    def get_now(self, slug: str, person: Member) -> Connector | None:
        """The connector if it is in memory and of the person's organization; `None` says nothing but "ask `get`"."""
        held = self._memory.now(slug)
        return held if held is not None and held.organization_id == person.organization_id else None

    async def get(self, slug: str, person: Member) -> Connector:
        """The connector of the person's organization. Raises `NotFound`, for another organization's too."""
        found = await self._memory.get(slug, self._look_up)
        if found is None or found.organization_id != person.organization_id:
            raise NotFound("There is no such connector.", hint="`valetkey connector list` shows those there are.")
        return found

    async def by_id(self, connector_id: str) -> Connector:
        """The connector with this id, which a connection holds. Raises `NotFound`."""
        found = await self._memory.get(connector_id, self._look_up)
        if found is None:
            raise NotFound("There is no such connector.")
        return found

    def by_id_now(self, connector_id: str) -> Connector | None:
        """As `by_id`, if it is in memory."""
        return self._memory.now(connector_id)

    async def list_for(self, person: Member) -> list[Connector]:
        """The connectors of the person's organization, by name."""
        async with self._database.read() as tx:
            return await repository.list_connectors(tx, person.organization_id)

    async def set_state(self, connector_id: str, state: Literal["enabled", "blocked", "delisted"]) -> None:
        """Raises `NotFound`."""
        async with self._database.write() as tx:
            slug = await repository.set_connector_state(tx, connector_id, state)
        await self._announce(connector_id, slug)

    async def remove(self, connector_id: str) -> None:
        """Deletes the connector. Raises `NotFound`, and `Conflict` while anyone has a connection to it."""
        try:
            async with self._database.write() as tx:
                slug = await repository.delete_connector(tx, connector_id)
        except IntegrityError as error:
            raise Conflict(
                "Somebody is still connected to this connector.",
                hint="Each person's connections must be removed first.",
            ) from error
        await self._announce(connector_id, slug)

    def _read_endpoint(self, url: str) -> ParsedUrl:
        try:
            return self._parse_url(read_url(url))
        except BadInput as error:
            raise BadInput(error.message, field="url", hint=error.hint) from error

    async def _announce(self, connector_id: str, slug: str | None) -> None:
        if slug is None:
            raise NotFound("There is no such connector.")
        await self._notifications.publish(TOPIC, connector_id)
        await self._notifications.publish(TOPIC, slug)

    async def _look_up(self, key: str) -> Connector | None:
        # A slug holds no underscore and every id does, so one memory serves both.
        find = repository.find_by_id if "_" in key else repository.find_by_slug
        async with self._database.read() as tx:
            return await find(tx, key)

"""How an organization's connectors are used: how many calls, by how many people, and with what. Never what was in them.

The numbers are of the call log, of days that are over, and as far back as it is kept. Owners and auditors, who see of
each call that it was made and by whom, see all of them. Whoever sees sums only (admins) sees nothing that fewer than
five people stand behind: each day of each connector is looked at by itself, and longer times are sums of what may be
shown of their days, so that no two of them differ by what may not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Final, Protocol

from valetkey.audit.usage_repository import Used, find_used
from valetkey.directory.model import Connector
from valetkey.identity.model import Person
from valetkey.identity.provisioning.model import Group
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Forbidden
from valetkey.privacy.products import Products
from valetkey.privacy.small_groups import REST, Cell, apart, overlapping, together
from valetkey.store.database import Database

MOST_DAYS: Final = 366
USUALLY: Final = 30
_NO_GROUP: Final = "none"


class By(StrEnum):
    """What the numbers of a connector are divided by; `connector`: by nothing else."""

    CONNECTOR = "connector"
    CLIENT = "client"
    GROUP = "group"
    PERSON = "person"
    AUTH = "auth"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedUsage:
    """Days, both with them: yesterday and the 29 before it, if not said. `connector`: of this one only, by its slug."""

    first: date | None = None
    last: date | None = None
    by: By = By.CONNECTOR
    connector: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """`key` says which client, group, person, kind of sign-in or day, and `name` how people call it.

    `carried` are the calls that reached the service. No numbers: fewer than five people stand behind them.
    `is_partial`: they lack what fewer than five people stand behind.
    """

    connector: str
    connector_name: str
    key: str
    name: str
    calls: int | None
    carried: int | None
    people: int | None
    is_partial: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """What was asked for, with the days that it came to."""

    first: date
    last: date
    by: By
    rows: Sequence[Row]


class ListsConnectors(Protocol):
    async def list_for(self, person: Member) -> list[Connector]: ...


class ListsPeople(Protocol):
    async def list(self, organization_id: str) -> list[Person]: ...


class ListsGroups(Protocol):
    async def groups(self, organization_id: str) -> list[Group]: ...


class Member(Protocol):
    @property
    def organization_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Somebody:
    """Whoever of the organization asks."""

    organization_id: str


@dataclass(slots=True)
class _Sums:
    """What came together so far: by connector and key; the connectors with something left out; and names of clients."""

    cells: defaultdict[tuple[str, str], Cell] = field(default_factory=lambda: defaultdict(Cell))
    partial: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    products: Products = field(default_factory=Products)


class Counting:
    """Counts. That somebody may see usage the door has made sure of."""

    def __init__(
        self, database: Database, *, connectors: ListsConnectors, people: ListsPeople, groups: ListsGroups, clock: Clock
    ) -> None:
        self._database = database
        self._connectors = connectors
        self._people = people
        self._groups = groups
        self._clock = clock

    async def usage(self, organization_id: str, wanted: WantedUsage, *, sees_calls: bool) -> Usage:
        """`sees_calls`: whether who asks may see of each call that it was made, and by whom.

        Raises `BadInput` for days that there are not, and `Forbidden` for people's numbers without that.
        """
        first, last = self._days(wanted)
        if wanted.by is By.PERSON and not sees_calls:
            raise Forbidden("Who made how many calls is for owners and auditors.")
        groups = await self._groups.groups(organization_id) if wanted.by is By.GROUP else []
        connectors = {one.slug: one for one in await self._connectors.list_for(_Somebody(organization_id))}
        sums = _Sums()
        keys = _Keys(wanted.by, groups, connectors, sums.products)
        async with self._database.read() as tx:
            found = find_used(tx, organization_id, first=first, last=last, connector=wanted.connector)
            unit: list[Used] = []
            async for one in found:
                if unit and (unit[0].day, unit[0].connector) != (one.day, one.connector):
                    _take(unit, keys, sums, sees_calls=sees_calls)
                    unit = []
                unit.append(one)
            if unit:
                _take(unit, keys, sums, sees_calls=sees_calls)
        names = await self._names(organization_id, wanted.by, groups, sums.products)
        return Usage(first, last, wanted.by, _rows(sums, wanted.by, connectors, names))

    def _days(self, wanted: WantedUsage) -> tuple[date, date]:
        """Raises `BadInput`: of a day there are numbers when it is over."""
        newest = self._clock.now().date() - timedelta(days=1)
        last = wanted.last or newest
        first = wanted.first or last - min(timedelta(days=USUALLY - 1), last - date.min)  # as far as there are days
        if last > newest:
            raise BadInput(f"Numbers come when a day is over; the newest are of {newest}.", field="until")
        if first > last:
            raise BadInput("These days end before they begin.", field="since")
        if (last - first).days >= MOST_DAYS:
            raise BadInput(f"At most {MOST_DAYS} days can be asked for at once.", field="since")
        return first, last

    async def _names(
        self, organization_id: str, by: By, groups: Sequence[Group], products: Products
    ) -> Mapping[str, str]:
        """How keys are called."""
        match by:
            case By.CLIENT:
                return products.names() | {REST: "Others together"}
            case By.GROUP:
                return {one.id: one.name for one in groups} | {_NO_GROUP: "In no group"}
            case By.PERSON:
                return {one.id: one.display_name for one in await self._people.list(organization_id)}
            case By.AUTH:
                return {
                    "individual": "Each their own", "managed": "The organization's key", "none": "No sign-in",
                    "unknown": "Not known any more",
                }  # fmt: skip
        return {}


class _Keys:
    """Under which keys a count goes: one, but for groups, of which somebody may be in several."""

    def __init__(
        self, by: By, groups: Sequence[Group], connectors: Mapping[str, Connector], products: Products
    ) -> None:
        self._by = by
        self._connectors = connectors
        self._products = products
        self._groups: defaultdict[str, list[str]] = defaultdict(list)
        for group in groups:
            for person_id in group.members:
                self._groups[person_id].append(group.id)

    @property
    def overlap(self) -> bool:
        return self._by is By.GROUP

    def of(self, one: Used) -> Sequence[str]:
        match self._by:
            case By.CLIENT:
                return [self._products.key(one.client, one.calls)]
            case By.GROUP:
                return self._groups.get(one.person_id) or [_NO_GROUP]
            case By.PERSON:
                return [one.person_id]
            case By.DAY:
                return [one.day.isoformat()]
            case By.AUTH:
                return [_auth(self._connectors.get(one.connector))]
        return [one.connector]


def _auth(connector: Connector | None) -> str:
    """Whose account calls go with, as the connector is now: each call's own is not written down."""
    if connector is None:
        return "unknown"
    if connector.acts_as_organization:
        return "managed"
    return "none" if connector.auth_kind == "none" else "individual"


def _take(unit: Sequence[Used], keys: _Keys, sums: _Sums, *, sees_calls: bool) -> None:
    """Adds one day of one connector, or of it what may be shown."""
    connector = unit[0].connector
    cells: defaultdict[str, Cell] = defaultdict(Cell)
    for one in unit:
        for key in keys.of(one):
            cells[key].add(Cell(one.calls, one.carried, {one.person_id}))
    sums.seen.add(connector)
    shown: Mapping[str, Cell] = cells
    if not sees_calls:
        everybody = together(Cell(one.calls, one.carried, {one.person_id}) for one in unit)
        shown = overlapping(cells, everybody) if keys.overlap else apart(cells)
        if shown.keys() != cells.keys():
            sums.partial.add(connector)
    for key, cell in shown.items():
        sums.cells[connector, key].add(cell)


def _rows(sums: _Sums, by: By, connectors: Mapping[str, Connector], names: Mapping[str, str]) -> Sequence[Row]:
    def called(slug: str) -> str:
        return connectors[slug].name if slug in connectors else slug

    def named(slug: str, key: str) -> str:
        return {By.CONNECTOR: called(slug), By.DAY: key}.get(by) or names.get(key, "")

    rows = [
        Row(
            slug, called(slug), key, named(slug, key), cell.calls, cell.carried, len(cell.people), slug in sums.partial,
        )
        for (slug, key), cell in sums.cells.items()
    ]  # fmt: skip
    unsaid = sums.seen - {row.connector for row in rows}
    rows += [Row(slug, called(slug), REST, "", None, None, None, True) for slug in unsaid]
    return sorted(rows, key=lambda row: (row.connector, row.key))

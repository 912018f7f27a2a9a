"""What can be connected: the organization's connectors, and for who may add some the listings of the directory."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from valetkey.directory.catalog import Catalog, Entry
from valetkey.directory.model import Connector
from valetkey.web.accounts import read_accounts
from valetkey.web.catalog import may_add, shown_connector
from valetkey.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Tile:
    """An entry of the catalogue, the state of the person's account there, and the page that goes on from here."""

    entry: Entry
    connector: Connector
    state: str
    path: str


async def show(visit: Visit) -> Response:
    q, category = visit.query("q", limit=100).strip(), visit.query("category", limit=40)
    whole = await may_add(visit)
    catalog = Catalog(visit.services.connectors, visit.services.groups)
    entries = await catalog.list(visit.person, whole=whole, query=q, category=category)
    accounts = {one.connector.id: one.connection for one in reversed(await read_accounts(visit))}
    tiles = []
    for entry in entries:
        mine = accounts.get(entry.connector.id) if entry.connector else None
        path = f"/connections/{mine.id}" if mine else f"/connections/new/{entry.slug}"
        state = mine.state if mine else "not_added"
        tiles.append(Tile(entry, shown_connector(visit, entry), state, path))
    return visit.page(
        "directory_list.html",
        own=[tile for tile in tiles if tile.entry.connector],
        listed=[tile for tile in tiles if not tile.entry.connector],
        imported=await visit.services.registry.search(q) if whole else (),
        q=q,
        category=category,
        categories=[("", "All"), *((one, one.capitalize()) for one in catalog.categories())] if whole else (),
        may_add=whole,
    )

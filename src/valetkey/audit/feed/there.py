"""Whether a feed is there, for the vault's rule of release: it opens a feed's header for that feed alone."""

from __future__ import annotations

from valetkey.audit.feed import repository
from valetkey.store.database import Database


class FeedsThere:
    """Implements `vault.release.FindsFeeds`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_there(self, feed_id: str, organization_id: str, header: str) -> bool:
        async with self._database.read() as tx:
            return await repository.is_there(tx, feed_id, organization_id, header)

"""OAuth clients of ours, the assistants: found by what their client id is.

An https URL is the address of a document, pinned by the operator or fetched and kept for a day; anything else is the
id of a registration. `resolve` is for the authorization request, `known` for the token endpoint, which never fetches.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from valetkey.identity import client_repository as repository
from valetkey.identity.client_documents import (
    is_document_id,
    read_client_id,
    read_document,
    read_registration,
)
from valetkey.identity.model import Client, ClientRefused, TrailWriter
from valetkey.identity.network import network_of
from valetkey.identity.redirects import match_redirect
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed, TooMany
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.net.limits import CIMD, Limits
from valetkey.net.model import Fetched, Url
from valetkey.store.database import Database

FRESH = timedelta(hours=24)
_AGAIN_AFTER = timedelta(minutes=1)
_REGISTRATIONS_PER_HOUR = 10
_MOST_PENDING = 1_000
PENDING_LIFETIME = timedelta(hours=24)
_FETCHES_AT_ONCE = 8
_MOST_FAILURES_KEPT = 1_000


class DocumentFetcher(Protocol):
    """What is needed of `net.client.WebClient`: no redirects followed, addresses checked, limits kept."""

    async def get(self, url: Url, *, limits: Limits = CIMD) -> Fetched: ...


class Clients:
    """Finds clients and registers new ones. `pinned` comes from `load_pinned`."""

    def __init__(
        self,
        database: Database,
        *,
        web: DocumentFetcher,
        clock: Clock,
        trail: TrailWriter,
        pinned: Mapping[str, Client] = {},
    ) -> None:
        self._database = database
        self._web = web
        self._clock = clock
        self._trail = trail
        self._pinned = pinned
        self._fetching: dict[str, asyncio.Task[Client]] = {}
        self._turns = asyncio.Semaphore(_FETCHES_AT_ONCE)
        self._failed: dict[str, tuple[datetime, ClientRefused]] = {}

    @property
    def has_pinned(self) -> bool:
        """Whether the operator pinned any document: then document ids work without egress, for those."""
        return bool(self._pinned)

    async def resolve(self, client_id: str, *, wanted_redirect: str = "") -> Client:
        """The client with this id, as it describes itself today. Raises `ClientRefused`, or `TooMany`.

        A `wanted_redirect` that the kept document does not know is a reason to look again: clients add addresses.
        """
        if not is_document_id(client_id):
            return await self.known(client_id)
        read_client_id(client_id)
        now = self._clock.now()
        async with self._database.read() as tx:
            stored = await repository.find_client(tx, client_id)
        if (pinned := self._pinned.get(client_id)) is not None:
            kept = (stored.client.kind, stored.client.document_hash) if stored else None
            return pinned if kept == ("pinned", pinned.document_hash) else await self._keep(pinned)
        if stored is not None and stored.client.kind == "cimd" and stored.fetched_at is not None:
            age = now - stored.fetched_at
            redirect_uris = stored.client.redirect_uris
            is_enough = not wanted_redirect or match_redirect(redirect_uris, wanted_redirect) is not None
            if age < _AGAIN_AFTER or (age < FRESH and is_enough):
                return stored.client
        return await self._fetch_once(client_id)

    async def known(self, client_id: str) -> Client:
        """The client with this id, as it is stored. Raises `ClientRefused`."""
        if client_id in self._pinned:
            return self._pinned[client_id]
        async with self._database.read() as tx:
            stored = await repository.find_client(tx, client_id)
        if stored is None or stored.client.kind == "pinned":
            raise ClientRefused(
                "The client is not known here.", hint="Remove the connection in the client, and add it again."
            )
        return stored.client

    def is_secret_of(self, client: Client, secret: Secret) -> bool:
        """Whether this is the secret that the client was given when it registered."""
        return client.secret_hash is not None and hmac.compare_digest(client.secret_hash, secret.digest())

    async def register_dynamic(self, metadata: bytes, network: str) -> tuple[Client, Secret | None]:
        """A new client from an RFC 7591 request body; `network` is the address it came from.

        The secret is `None` for a public client, and shown this once. Raises `ClientRefused` or `TooMany`.
        """
        asked = read_registration(metadata)
        now = self._clock.now()
        secret = None if asked.auth_method == "none" else new_token("vkcs")
        client = Client(
            id=new_id("client"),
            kind="dcr",
            name=asked.name,
            redirect_uris=asked.redirect_uris,
            auth_method=asked.auth_method,
            secret_hash=secret.digest() if secret else None,
            document_hash=asked.document_hash,
            created_at=now,
        )
        where = network_of(network)
        async with self._database.write() as tx:
            await repository.one_registration_at_a_time(tx)
            await repository.purge_pending(tx, now - PENDING_LIFETIME)
            count, oldest = await repository.count_registrations(tx, where, now - timedelta(hours=1))
            if count >= _REGISTRATIONS_PER_HOUR and oldest is not None:
                wait = (oldest + timedelta(hours=1) - now).total_seconds()
                raise TooMany("Too many clients were registered from this network.", retry_after=max(1.0, wait))
            if await repository.count_pending(tx) >= _MOST_PENDING:
                raise TooMany("Too many registered clients wait for a consent.", retry_after=3600.0)
            await repository.add_registration(tx, client, where, now)
        await self._trail.write(
            "client.registered", actor="system", object=client.id, detail={"name": client.name, "network": where}
        )
        return client, secret

    async def _fetch_once(self, client_id: str) -> Client:
        """One fetch per document at a time, however many ask; a failed one is not repeated for a minute."""
        failed = self._failed.get(client_id)
        if failed is not None and self._clock.now() - failed[0] < _AGAIN_AFTER:
            raise failed[1]
        task = self._fetching.get(client_id)
        if task is None:
            task = asyncio.create_task(self._fetch(client_id))
            self._fetching[client_id] = task
            task.add_done_callback(lambda _task: self._fetching.pop(client_id, None))
        try:
            return await asyncio.shield(task)
        except ClientRefused as error:
            if len(self._failed) >= _MOST_FAILURES_KEPT:
                self._failed.clear()
            self._failed[client_id] = (self._clock.now(), error)
            raise

    async def _fetch(self, client_id: str) -> Client:
        url = read_client_id(client_id)
        try:
            async with self._turns:
                fetched = await self._web.get(url, limits=CIMD)
        except OutboundFailed as error:
            raise ClientRefused(
                f"The client's document at {url.host} could not be fetched.",
                hint=f"{error.message} Where the hub has no way out, its operator can pin the document.",
            ) from error
        if fetched.status != 200:
            raise ClientRefused(f"The client's document at {url.host} was answered with status {fetched.status}.")
        content_type = fetched.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json" and not content_type.endswith("+json"):
            raise ClientRefused(f"The client's document at {url.host} is not JSON.")
        return await self._keep(read_document(fetched.body, client_id=client_id, now=self._clock.now(), kind="cimd"))

    async def _keep(self, client: Client) -> Client:
        async with self._database.write() as tx:
            await repository.put_document(tx, client, self._clock.now())
        return client

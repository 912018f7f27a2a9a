"""Authorization servers: their metadata, fetched when it is wanted and kept for when they do not answer.

Everything fetched here is public and fetched without a credential. An answer that leaves open whether the document is
there (429, 5xx, no answer) is a failure: to go on would let an outage decide whom we trust.
"""

from __future__ import annotations

from datetime import timedelta

from valetkey.connections import repository
from valetkey.connections.model import StepFailed, issuer_hash
from valetkey.connections.trace import Steps, request_line
from valetkey.directory.access.model import Reach
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import OutboundFailed, printable
from valetkey.net.client import WebClient
from valetkey.net.limits import METADATA, Limits
from valetkey.net.model import AddressRefused, BadAnswer, Fetched, Moved, TooLarge, Url
from valetkey.oauth.discovery import as_document, as_locations, read_as_document, read_as_metadata
from valetkey.oauth.document import checked_url
from valetkey.oauth.model import AuthorizationServer, BadMetadata, ParseUrl
from valetkey.store.database import Database

FRESH = timedelta(minutes=5)
"""Metadata younger than this is not asked for again (CON-27)."""
STALE = timedelta(days=1)
"""Older metadata may stand in this long while its server does not answer."""

STAGE = "authorization server metadata"
_PROTOCOL = {"accept": "application/json", "mcp-protocol-version": "2025-11-25"}


class Servers:
    """What we know of authorization servers. `parse` is the strict URL parser with what the operator allows."""

    def __init__(self, database: Database, *, web: WebClient, parse: ParseUrl, clock: Clock) -> None:
        self._database = database
        self._web = web
        self._parse = parse
        self._clock = clock

    async def get(self, issuer: str, *, allow_http: bool, reach: Reach, steps: Steps) -> AuthorizationServer:
        """For connecting: what is kept, if fresh; what is fetched; what is kept, if the server does not answer.

        Raises `StepFailed`, also for a host that `reach` leaves out.
        """
        kept, age = await self._kept(issuer, allow_http=allow_http)
        if kept is not None and age < FRESH:
            return kept
        try:
            server = await self._fetch_server(issuer, allow_http=allow_http, reach=reach, steps=steps)
        except StepFailed as failed:
            if kept is None or age > STALE or failed.kind != "unreachable":
                raise
            await steps.note(STAGE, "", reason="Going on with what was known before.")
            return kept
        await self.keep(server)
        return server

    async def known(self, issuer: str, *, allow_http: bool) -> AuthorizationServer | None:
        """For refreshing and revoking: what is kept, however old; `None` if nothing is."""
        return (await self._kept(issuer, allow_http=allow_http))[0]

    async def renew(self, issuer: str, *, allow_http: bool, reach: Reach, steps: Steps) -> AuthorizationServer | None:
        """Asks again, because what is kept does not work; `None` when that gives nothing new."""
        try:
            server = await self._fetch_server(issuer, allow_http=allow_http, reach=reach, steps=steps)
        except StepFailed:
            return None
        await self.keep(server)
        return server

    async def keep(self, server: AuthorizationServer) -> None:
        """Remembers a server's metadata."""
        async with self._database.write() as tx:
            await repository.put_server(
                tx,
                issuer_hash=issuer_hash(server.issuer),
                issuer=server.issuer,
                metadata=as_document(server),
                at=self._clock.now(),
            )

    async def _kept(self, issuer: str, *, allow_http: bool) -> tuple[AuthorizationServer | None, timedelta]:
        async with self._database.read() as tx:
            for name in dict.fromkeys((issuer, issuer.rstrip("/"), f"{issuer}/")):  # as the metadata may spell it
                stored = await repository.find_server(tx, issuer_hash(name))
                if stored is not None:
                    document, fetched_at = stored
                    try:
                        server = read_as_document(document, issuer=issuer, parse=self._parse, allow_http=allow_http)
                    except BadMetadata:
                        continue
                    return server, self._clock.now() - fetched_at
        return None, STALE

    async def _fetch_server(self, issuer: str, *, allow_http: bool, reach: Reach, steps: Steps) -> AuthorizationServer:
        try:
            named = checked_url(issuer, what="authorization_servers", parse=self._parse, allow_http=allow_http)
        except BadMetadata as error:
            raise await steps.failed(
                error.message, kind="authorization_failed", stage=STAGE, party=printable(issuer)
            ) from error
        for text in as_locations(named):
            place = self._parse(text)
            fetched = await self.fetch(place, STAGE, steps, reach=reach, limits=METADATA)
            if fetched is None:
                continue
            try:
                return read_as_metadata(fetched.body, issuer=issuer, parse=self._parse, allow_http=allow_http)
            except BadMetadata as error:
                if error.field:
                    raise await unusable(error, place, STAGE, steps) from error
                await steps.note(STAGE, "", reason=f"passed over: {error.message}")
        raise await steps.failed(
            f"{named.host} publishes no authorization server metadata.",
            kind="authorization_failed",
            stage=STAGE,
            party=named.host,
            hint="The service must publish RFC 8414 or OpenID Connect metadata.",
        )

    async def fetch(self, url: Url, stage: str, steps: Steps, *, reach: Reach, limits: Limits) -> Fetched | None:
        """The document at `url`; `None` when it is not there. That it may be there is no answer: `StepFailed`."""
        steps.stage = stage
        line = request_line("GET", url)
        if not reach.permits(url.host):
            raise await outside(url.host, stage, steps)
        try:
            fetched = await self._web.get(url, headers=_PROTOCOL, limits=limits)
        except Moved as moved:
            await steps.note(stage, line, reason=moved.message)
            return None
        except (BadAnswer, TooLarge) as failed:
            raise await steps.failed(
                failed.message, kind="authorization_failed", stage=stage, party=url.host, request=line
            ) from failed
        except OutboundFailed as failed:
            raise await unreachable(failed, url, stage, steps, line) from failed
        content_type = fetched.headers.get("content-type", "")
        if fetched.status == 429 or fetched.status >= 500:
            # It may well be there: to go on would let an outage decide whom we trust.
            raise await steps.failed(
                f"{url.host} answered HTTP {fetched.status}.",
                kind="unreachable",
                stage=stage,
                party=url.host,
                hint="Try again later.",
                request=line,
                status=fetched.status,
            )
        await steps.note(stage, line, status=fetched.status, reason=f"content-type: {content_type}")
        return fetched if fetched.status == 200 else None


async def outside(host: str, stage: str, steps: Steps) -> StepFailed:
    """The error for a host that the organization's connectors may not reach."""
    return await steps.failed(
        f"Your organization does not let connectors reach {host}.",
        kind="unreachable",
        stage=stage,
        party=host,
        hint="An owner can put it on the list of hosts.",
    )


async def check_within(server: AuthorizationServer, reach: Reach, steps: Steps) -> None:
    """Whether everything that is asked of this server in signing in may be. Raises `StepFailed`.

    To revoke what it gave is no question of this: what has begun may always be ended.
    """
    for url in (server.authorization_endpoint, server.token_endpoint, server.registration_endpoint):
        if url is not None and not reach.permits(url.host):
            raise await outside(url.host, STAGE, steps)


async def unreachable(failed: OutboundFailed, url: Url, stage: str, steps: Steps, request: str = "") -> StepFailed:
    """The error for a party that could not be asked."""
    hint = failed.hint or "Check the address, or try again later."
    if isinstance(failed, AddressRefused):
        hint = failed.hint or "If it is in a network of yours, the operator can allow it with --allow-network."
    return await steps.failed(
        failed.message, kind="unreachable", stage=stage, party=url.host, hint=hint, request=request
    )


async def unusable(error: BadMetadata, place: Url, stage: str, steps: Steps) -> StepFailed:
    """The error for a party whose metadata cannot be believed."""
    return await steps.failed(
        f"The metadata at {place.host} cannot be used. {error.message}",
        kind="authorization_failed",
        stage=stage,
        party=place.host,
        hint=error.hint or "Whoever runs the service must correct it.",
    )

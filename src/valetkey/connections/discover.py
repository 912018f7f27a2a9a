"""Finding out how a service wants people to sign in: its 401, its resource metadata, its authorization server.

The order and the refusals are `oauth.discovery`'s; here is the going and asking, each step into the trace. Nothing that
is asked carries a credential. The whole takes ten seconds at most (CON-19).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from valetkey.connections.model import StepFailed
from valetkey.connections.servers import STAGE, Servers, check_within, unreachable, unusable
from valetkey.connections.trace import Steps, request_line
from valetkey.directory.access.model import Reach
from valetkey.directory.fingerprint import read_tool
from valetkey.directory.model import Connector
from valetkey.kernel.errors import BadInput, OutboundFailed, printable
from valetkey.kernel.secret import Credential
from valetkey.net.certificate import Shown
from valetkey.net.limits import METADATA, RESOURCE_METADATA, Limits
from valetkey.net.model import BadAnswer, TooLarge, Url
from valetkey.oauth.challenge import NO_CHALLENGE, Challenge, bearer, parse_www_authenticate
from valetkey.oauth.discovery import (
    legacy_as_location,
    legacy_default_server,
    prm_locations,
    read_as_metadata,
    read_prm,
)
from valetkey.oauth.document import checked_url
from valetkey.oauth.model import AuthorizationServer, BadMetadata, ParseUrl, ProtectedResource
from valetkey.upstream.model import HttpFailed, Listing, Target, TicketFor, Unauthorized

_MOST_SERVERS = 5
_MOST_TOOLS = 300
_MOST_DEFINITIONS, _LONGEST_DEFINITION = 100, 8192


class Looks(Protocol):
    """What seeing a certificate needs: `net.client.WebClient`."""

    async def look(self, url: Url, *, limits: Limits) -> Shown | None: ...


class Lister(Protocol):
    """What listing tools without signing in needs: `upstream.client.Upstreams`."""

    async def list_tools(self, target: Target, *, ticket: Credential | None, further_tickets: TicketFor) -> Listing: ...

    async def close(self, connection_id: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a service was found to be. `server` is `None` when it answers without anybody signing in."""

    challenge: Challenge = NO_CHALLENGE
    resource: str = ""
    resource_scopes: tuple[str, ...] = ()
    server: AuthorizationServer | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    shown: Shown | None = None
    is_guess: bool = False
    """Whether nobody said where one signs in, so that `server` is what the first revision of MCP assumes."""


@dataclass(frozen=True, slots=True)
class _Probe:
    """How the service answered somebody unknown."""

    is_open: bool
    is_guarded: bool
    challenge: Challenge = NO_CHALLENGE
    tools: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()
    problem: str = ""


class Discovery:
    """Asks. `parse` is the strict URL parser with what the operator allows."""

    def __init__(
        self,
        servers: Servers,
        *,
        upstreams: Lister,
        looks: Looks,
        parse: ParseUrl,
        seconds: float = 10.0,
    ) -> None:
        self._servers = servers
        self._upstreams = upstreams
        self._looks = looks
        self._parse = parse
        self._seconds = seconds

    async def find(self, connector: Connector, steps: Steps) -> Found:
        """How the connector is signed in to. Raises `StepFailed` naming the party that failed."""
        url = self._parse(connector.url)
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._find(connector, url, steps)
                return replace(found, shown=await self._look(url, steps))  # 4. who does its certificate say it is?
        except TimeoutError as error:
            raise await self._too_slow(url, steps) from error

    async def _find(self, connector: Connector, url: Url, steps: Steps) -> Found:
        probe = await self._probe(connector, url, steps)  # 1. does it let strangers in?
        if connector.auth_kind == "none":
            return await self._open(probe, url, probe.warnings, steps)
        reach = connector.reach
        resource, warnings = await self._find_resource(url, probe, reach, steps)  # 2. who says how to sign in?
        warnings += probe.warnings
        if resource is not None:  # 3. who does it?
            return await self._with_server(url, resource, replace(_BLANK, warnings=warnings), probe, reach, steps)
        if probe.is_guarded:
            return await self._legacy(url, probe, reach, steps)
        return await self._open(probe, url, warnings, steps)

    async def _look(self, url: Url, steps: Steps) -> Shown | None:
        """For the person to see: what is not valid was refused by every request before this one (S-07)."""
        try:
            return await self._looks.look(url, limits=METADATA)
        except OutboundFailed as failed:
            await steps.note("certificate", f"{url.host}:{url.port}", reason=failed.message)
            return None

    async def is_open(self, connector: Connector, steps: Steps) -> bool:
        """Whether the service lists its tools to strangers. Raises `StepFailed` when it cannot be reached."""
        url = self._parse(connector.url)
        try:
            async with asyncio.timeout(self._seconds):
                return (await self._probe(connector, url, steps)).is_open
        except TimeoutError as error:
            raise await self._too_slow(url, steps) from error

    async def _too_slow(self, url: Url, steps: Steps) -> StepFailed:
        return await steps.failed(
            f"Finding out how to sign in to {url.host} took longer than {self._seconds:g} s.",
            kind="unreachable",
            stage=steps.stage,
            party=url.host,
            hint="Try again later.",
        )

    # --- 1. the service itself --------------------------------------------------------------------------------------

    async def _probe(self, connector: Connector, url: Url, steps: Steps) -> _Probe:
        steps.stage = "probe"
        pool = f"probe:{connector.id}"
        line = request_line("POST", url)

        async def nobody() -> None:
            return None

        try:
            listing = await self._upstreams.list_tools(
                Target(url, pool, connector.slug), ticket=None, further_tickets=nobody
            )
        except Unauthorized as refused:
            # CON-06: only a 401 starts signing in.
            challenge = bearer(parse_www_authenticate(refused.challenge))
            header = f"WWW-Authenticate: {refused.challenge}" if refused.challenge else "no WWW-Authenticate"
            await steps.note("probe", line, status=401, reason=header)
            return _Probe(is_open=False, is_guarded=True, challenge=challenge)
        except HttpFailed as failed:
            await steps.note("probe", line, status=failed.status, reason=failed.message)
            if failed.status >= 500 or failed.status == 429:
                raise await unreachable(failed, url, "probe", steps) from failed
            return _Probe(is_open=False, is_guarded=False, problem=f"{url.host} answered HTTP {failed.status}")
        except (BadAnswer, TooLarge) as failed:
            await steps.note("probe", line, reason=failed.message)
            return _Probe(is_open=False, is_guarded=False, problem=failed.message.rstrip("."))
        except OutboundFailed as failed:
            raise await unreachable(failed, url, "probe", steps, line) from failed
        finally:
            await self._upstreams.close(pool)
        await steps.note("probe", line, status=200, reason=f"lists {len(listing.tools)} tools to anyone")
        return _Probe(is_open=True, is_guarded=False, tools=_shown(listing), warnings=_unshown(url.host, listing))

    async def _open(self, probe: _Probe, url: Url, warnings: tuple[str, ...], steps: Steps) -> Found:
        if probe.is_open:
            return Found(resource=url.text, tools=probe.tools, warnings=warnings)
        problem = probe.problem or f"{url.host} wants people to sign in"
        raise await steps.failed(
            f"{problem}, and does not say how to sign in." if probe.problem else f"{problem}.",
            kind="authorization_failed",
            stage="probe",
            party=url.host,
            hint="Check the URL: it must be the one that the service gives for MCP over Streamable HTTP. The older "
            "HTTP+SSE, whose addresses often end in /sse, is not spoken here.",
        )

    # --- 2. its resource metadata -----------------------------------------------------------------------------------

    async def _find_resource(
        self, url: Url, probe: _Probe, reach: Reach, steps: Steps
    ) -> tuple[ProtectedResource | None, tuple[str, ...]]:
        """Where the challenge points, else below the path, else at the root: the first that is there (CON-08)."""
        allow_http = url.scheme == "http"
        # Who lets strangers in need not say anything about signing in, and some hold such a question open for ever.
        patience = self._seconds / 4
        brief = replace(RESOURCE_METADATA, connect=patience, first_byte=patience, idle=patience, total=patience)
        limits = brief if probe.is_open else RESOURCE_METADATA
        pointer = probe.challenge.resource_metadata
        places = [(text, False) for text in prm_locations(url)]
        if pointer:
            places.insert(0, (pointer, True))
        for text, is_pointer in places:
            try:
                place = checked_url(text, what="resource_metadata", parse=self._parse, allow_http=allow_http)
            except BadMetadata as error:
                await steps.note("resource metadata", "", reason=f"not asked: {error.message}")
                continue
            try:
                fetched = await self._servers.fetch(place, "resource metadata", steps, reach=reach, limits=limits)
            except StepFailed as failed:
                if not probe.is_open or failed.kind != "unreachable":
                    raise
                # It wants no sign-in as far as anybody can see, and without one nobody is trusted with anything.
                return None, (f"Whether {url.host} can be signed in to could not be found out: no answer came.",)
            if fetched is None:
                continue
            try:
                resource = read_prm(fetched.body, connector=url, parse=self._parse, allow_http=allow_http)
            except BadMetadata as error:
                if not error.field and not is_pointer:
                    await steps.note("resource metadata", "", reason=f"passed over: {error.message}")
                    continue  # a page for everything, not metadata
                raise await unusable(error, place, "resource metadata", steps) from error
            elsewhere = place.origin != url.origin
            return resource, (f"{url.host} keeps its resource metadata at {place.host}.",) if elsewhere else ()
        if pointer:
            raise await steps.failed(
                "The resource metadata that the service points to is not there.",
                kind="authorization_failed",
                stage="resource metadata",
                party=url.host,
                hint=f"It named {printable(pointer)}.",
            )
        return None, ()

    # --- 3. the authorization server --------------------------------------------------------------------------------

    async def _with_server(
        self, url: Url, resource: ProtectedResource, found: Found, probe: _Probe, reach: Reach, steps: Steps
    ) -> Found:
        """The first of the servers named that can be used, and a warning for those before it (CON-12)."""
        first: StepFailed | None = None
        warnings = list(found.warnings)
        for issuer in resource.authorization_servers[:_MOST_SERVERS]:
            try:
                server = await self._servers.get(issuer, allow_http=url.scheme == "http", reach=reach, steps=steps)
                await check_within(server, reach, steps)
            except StepFailed as failed:
                first = first or failed
                warnings.append(f"{failed.party or 'An authorization server'} could not be used: {failed.message}")
                continue
            return replace(
                found,
                challenge=probe.challenge,
                resource=resource.resource,
                resource_scopes=resource.scopes,
                server=server,
                tools=probe.tools,
                warnings=tuple(warnings),
            )
        assert first is not None  # `read_prm` saw at least one
        raise first

    async def _legacy(self, url: Url, probe: _Probe, reach: Reach, steps: Steps) -> Found:
        """A service of the 2025-03-26 revision is its own authorization server, with metadata or without (CON-10)."""
        allow_http = url.scheme == "http"
        place = self._parse(legacy_as_location(url))
        fetched = await self._servers.fetch(place, STAGE, steps, reach=reach, limits=METADATA)
        warnings = [f"{url.host} publishes no resource metadata; it is treated as a service of the first MCP revision."]
        server = None
        if fetched is not None:
            try:
                server = read_as_metadata(fetched.body, issuer=url.origin, parse=self._parse, allow_http=allow_http)
            except BadMetadata as error:
                if error.field:
                    raise await unusable(error, place, STAGE, steps) from error
        is_guess = server is None
        if server is None:
            server = legacy_default_server(url, parse=self._parse)
            warnings.append(f"Where to sign in at {url.host} is a guess: it publishes no metadata at all.")
            await steps.note(STAGE, "", reason="none anywhere: assuming /authorize and /token")
        await check_within(server, reach, steps)
        await self._servers.keep(server)
        return Found(
            challenge=probe.challenge,
            resource=url.text,
            server=server,
            tools=probe.tools,
            warnings=tuple(warnings),
            is_guess=is_guess,
        )


_BLANK = Found()


def _unshown(host: str, listing: Listing) -> tuple[str, ...]:
    """S-06: nobody is to take the tools that they see for all there are."""
    if len(listing.tools) <= _MOST_TOOLS:
        return ()
    many = f"{host} lists {len(listing.tools):,} tools, of which the first {_MOST_TOOLS} were looked at here."
    return (f"{many} All of them are off until you switch them on.",)


def _shown(listing: Listing) -> tuple[Mapping[str, Any], ...]:
    """What the review page says of tools; the definitions themselves are taken after connecting."""
    shown: list[Mapping[str, Any]] = []
    for raw in listing.tools[:_MOST_TOOLS]:
        try:
            tool = read_tool(raw)
        except BadInput:
            continue
        shown.append(
            {
                "name": tool.name,
                "title": tool.title,
                "description": printable(tool.description, limit=300),
                "says_read_only": tool.says_read_only,
                "says_destructive": tool.says_destructive,
                "definition": _bounded(raw, len(shown)),
            }
        )
    return tuple(shown)


def _bounded(raw: bytes, before: int) -> str:
    """The definition, for its class to be told from; not the long ones, and not those of a list without end."""
    return raw.decode() if len(raw) <= _LONGEST_DEFINITION and before < _MOST_DEFINITIONS else ""

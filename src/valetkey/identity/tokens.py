"""Bearer tokens of ours: who presents one, and people's personal tokens.

A token works at exactly one resource (RFC 8707), for a person who is not disabled, until it expires or is revoked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from valetkey.identity import repository as people_repository
from valetkey.identity import token_repository as repository
from valetkey.identity.model import Person, Principal, TokenInfo, TrailWriter
from valetkey.identity.resources import API, is_mcp_resource
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, NotSignedIn, TooMany, printable
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.remembered import Remembered

MCP_SCOPE = "mcp"
LONGEST_PERSONAL = timedelta(days=90)
_MOST_PERSONAL = 100
_LONGEST_TOKEN = 100
_PREFIXES = (b"vka_", b"vkt_")
_SCOPE = re.compile(r"[a-z][a-z_]{0,29}(:[a-z][a-z_]{0,29})?")


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    token_id: str
    expires_at: float


class Tokens:
    """Authenticates bearer tokens and keeps people's personal ones."""

    def __init__(self, database: Database, *, clock: Clock, notifications: Notifications, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._notifications = notifications
        self._trail = trail
        self._used: dict[str, float] = {}
        # security.md 5.2: a disabled person is out within seconds even if a notification was lost.
        self._remembered: Remembered[bytes, _Known] = Remembered(
            notifications, "tokens", "people", clock=clock, most=20_000, seconds=10.0
        )

    def authenticate_now(self, token: bytes, audience: str) -> Principal | None:
        """As `authenticate`, from memory; `None` means *ask `authenticate`*, not *no*."""
        known = self._remembered.now(hashlib.sha256(token).digest())
        now = self._clock.time()
        if known is None or known.principal.audience != audience or known.expires_at <= now:
            return None
        self._used[known.token_id] = now
        return known.principal

    async def authenticate(self, token: bytes, *, audience: str) -> Principal:
        """Who presents `token` at the resource `audience` (a path of this hub).

        Raises `NotSignedIn` in one set of words: unknown, expired, revoked, for another resource, or somebody disabled.
        """
        if known := self.authenticate_now(token, audience):
            return known
        digest = hashlib.sha256(token)
        drops = self._remembered.drops
        stored = None
        if len(token) <= _LONGEST_TOKEN and token.startswith(_PREFIXES):
            async with self._database.read() as tx:
                stored = await repository.find(tx, digest.hexdigest())
        now = self._clock.now()
        if stored is None or stored.audience != audience or stored.expires_at <= now:
            raise NotSignedIn("The token is not valid here.", hint="Sign in again.")
        if stored.first_use:
            async with self._database.write() as tx:
                await repository.write_used(tx, {stored.id: now})
                if stored.refresh_hash is not None:
                    await repository.confirm_rotation(tx, stored, now)
        self._used[stored.id] = now.timestamp()
        principal = _as_principal(stored)
        known_now = _Known(principal, stored.id, stored.expires_at.timestamp())
        self._remembered.put(digest.digest(), known_now, owner=stored.person_id, drops_before=drops)
        return principal

    async def create_personal(
        self, person: Person, name: str, audience: str, scopes: Iterable[str], ttl: float, *, by: str = ""
    ) -> tuple[Secret, TokenInfo]:
        """A new `vkt_` token for one resource: an MCP path (scope `mcp`) or `/api/v1` (with scopes). Shown once.

        `ttl` is in seconds, at most 90 days; `by` is the actor, if it is not the person. Raises `BadInput` naming the
        culprit, or `TooMany`.
        """
        now = self._clock.now()
        info = TokenInfo(
            id=new_id("token"),
            name=_checked_name(name),
            audience=audience,
            scope=_checked_scope(audience, frozenset(scopes)),
            created_at=now,
            expires_at=now + _checked_ttl(ttl),
            last_used_at=None,
        )
        token = new_token("vkt")
        async with self._database.write() as tx:
            if len(await repository.list_personal(tx, person.id)) >= _MOST_PERSONAL:
                raise TooMany(f"A person has at most {_MOST_PERSONAL} tokens.", hint="Revoke some that are not used.")
            await repository.add_personal(tx, token.digest(), person.id, info)
        await self._write("token.created", person, info.id, {"audience": audience, "scope": info.scope}, by)
        return token, info

    async def list(self, person_id: str) -> list[TokenInfo]:
        """The person's personal tokens, newest first, expired ones too for a while."""
        async with self._database.read() as tx:
            return await repository.list_personal(tx, person_id)

    async def revoke(self, person_id: str, token_id: str, *, by: str = "") -> None:
        """Ends one of the person's own tokens, at once everywhere; `by` as in `create_personal`. Raises `NotFound`."""
        async with self._database.write() as tx:
            removed = await repository.remove_personal(tx, person_id, token_id)
            person = await people_repository.find_person(tx, person_id)
        if not removed or person is None:
            raise NotFound("There is no such token.")
        await self._notifications.publish("tokens", person_id)
        await self._write("token.revoked", person, token_id, {}, by)

    async def write_used(self) -> None:
        """Writes down in one go when tokens were last used. The hub calls this every few seconds, and at its end."""
        used, self._used = self._used, {}
        if used:
            async with self._database.write() as tx:
                await repository.write_used(tx, {id: datetime.fromtimestamp(at, UTC) for id, at in used.items()})

    async def _write(self, event: str, person: Person, token_id: str, detail: dict[str, object], by: str) -> None:
        await self._trail.write(
            event,
            actor=by or f"person:{person.id}",
            organization_id=person.organization_id,
            person_id=person.id,
            object=token_id,
            detail=detail,
        )


def _as_principal(stored: repository.StoredToken) -> Principal:
    is_personal = stored.kind == "personal"
    return Principal(
        kind="personal" if is_personal else "mcp",
        person_id=stored.person_id,
        organization_id=stored.organization_id,
        role=stored.role,
        client_id=stored.client_id,
        client_name=stored.name if is_personal else stored.client_name,
        audience=stored.audience,
        scopes=frozenset(stored.scope.split()),
        credential_id=stored.id,
    )


def _checked_name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 100 or not name.isprintable():
        raise BadInput("The name of a token has 1 to 100 printable characters.", field="name")
    return name


def _checked_scope(audience: str, scopes: frozenset[str]) -> str:
    if is_mcp_resource(audience):
        if scopes - {MCP_SCOPE}:
            raise BadInput(f"A token for {audience} has the scope mcp and no other.", field="scopes")
        return MCP_SCOPE
    if audience != API:
        raise BadInput(
            f"{printable(audience)} is not a resource of this hub.",
            field="resource",
            hint="Give /mcp, /c/<connector>/mcp, /c/<connector>/<label>/mcp or /api/v1.",
        )
    if not scopes:
        raise BadInput("A token for /api/v1 needs at least one scope.", field="scopes")
    for scope in sorted(scopes):
        if not _SCOPE.fullmatch(scope):
            raise BadInput(f"{printable(scope)} is not a scope.", field="scopes")
    text = " ".join(sorted(scopes))
    if len(text) > 500:
        raise BadInput("These are too many scopes.", field="scopes")
    return text


def _checked_ttl(seconds: float) -> timedelta:
    if not 60 <= seconds <= LONGEST_PERSONAL.total_seconds():
        raise BadInput("A token lives from one minute to 90 days.", field="ttl")
    return timedelta(seconds=seconds)

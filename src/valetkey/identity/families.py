"""Token families: what a person granted an assistant, from the authorization code to the last refresh token.

A code is presented once. A refresh token is rotated at each use; the old one is honored again only for a client that
seems not to have received the new one (security.md 5.4). Anything else is a copy in the wrong hands, and ends the
family with all its tokens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from valetkey.identity import family_repository as repository
from valetkey.identity import repository as people_repository
from valetkey.identity.client_repository import remove_consents
from valetkey.identity.family_repository import Transaction
from valetkey.identity.model import Client, Grant, GrantRefused, Issued, Person, TrailWriter
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotFound
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications

CODE_LIFETIME = timedelta(seconds=60)
ACCESS_LIFETIME = timedelta(minutes=10)
IDLE = timedelta(days=30)
LONGEST = timedelta(days=180)
GRACE = timedelta(seconds=60)
MOST_RETRIES = 3

_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 4.1


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What became of a presented code or token: tokens, or why not, and whether the family ended over it."""

    person_id: str
    family_id: str
    issued: Issued | None = None
    refusal: str = ""
    ended: str = ""
    wrong_target: bool = False


class Families:
    """Begins families with a code, redeems codes, rotates refresh tokens, and ends families."""

    def __init__(self, database: Database, *, clock: Clock, notifications: Notifications, trail: TrailWriter) -> None:
        self._database = database
        self._clock = clock
        self._notifications = notifications
        self._trail = trail

    async def begin(
        self,
        *,
        person: Person,
        client: Client,
        resource: str,
        scope: str,
        redirect_uri: str,
        redirect_uri_given: bool,
        code_challenge: str,
    ) -> Secret:
        """A new family and its authorization code: 60 seconds, one use, bound to all of the arguments."""
        now = self._clock.now()
        code = new_token("vkc")
        family = repository.Family(new_id("grant"), person.id, client.id, resource, scope, now, None)
        stored = repository.Code(family.id, redirect_uri, redirect_uri_given, code_challenge, now + CODE_LIFETIME, None)
        async with self._database.write() as tx:
            await repository.add_family(tx, family)
            await repository.add_code(tx, code.digest(), stored)
        return code

    async def redeem(
        self, code: Secret, *, client: Client, redirect_uri: str | None, code_verifier: str, resource: str | None
    ) -> Issued:
        """Tokens for a code. `redirect_uri` and `resource` are what the token request says, `None` if nothing.

        Raises `GrantRefused`. A code presented a second time, or wrongly, ends its family: somebody else has seen it.
        """
        now = self._clock.now()
        digest = code.digest()
        async with self._database.write() as tx:
            found = await repository.find_code(tx, digest)
            family = await repository.lock_family(tx, found.family_id) if found else None
            stored = await repository.find_code(tx, digest)  # again, now that nobody else can use it
            if family is None or stored is None:
                raise GrantRefused("The authorization code is not known.")
            fault, ended = _code_fault(stored, family, now, client, redirect_uri, code_verifier, resource)
            if not fault and not await self._is_active(tx, family.person_id):
                fault, ended = "The person is disabled.", "disabled"
            if fault:
                if family.ended_at is None:
                    await repository.end_family(tx, family.id, now, ended)
                wrong_target = ended == "wrong_resource"
                verdict = _Verdict(family.person_id, family.id, None, fault, ended, wrong_target)
            else:
                await repository.use_code(tx, digest, now)
                issued = await self._issue(tx, family, now)
                verdict = _Verdict(family.person_id, family.id, issued)
        return await self._conclude(verdict, already_ended=family.ended_at is not None)

    async def refresh(self, token: Secret, *, client: Client, resource: str | None) -> Issued:
        """New tokens for a refresh token of this client. `resource` is what the request says, `None` if nothing.

        Raises `GrantRefused`. A token whose successor is in use, or which was retried too late or too often, is a copy,
        and ends the family.
        """
        now = self._clock.now()
        digest = token.digest()
        async with self._database.write() as tx:
            found = await repository.find_refresh_token(tx, digest)
            family = await repository.lock_family(tx, found.family_id) if found else None
            stored = await repository.find_refresh_token(tx, digest)  # again, now that nobody else can use it
            if family is None or stored is None or family.client_id != client.id:
                raise GrantRefused("The refresh token is not known.")
            verdict = await self._rotate(tx, digest, stored, family, resource, now)
        return await self._conclude(verdict, already_ended=family.ended_at is not None)

    async def _rotate(
        self,
        tx: Transaction,
        digest: str,
        stored: repository.RefreshToken,
        family: repository.Family,
        resource: str | None,
        now: datetime,
    ) -> _Verdict:
        def refused(why: str, *, ended: str = "", wrong_target: bool = False) -> _Verdict:
            return _Verdict(family.person_id, family.id, None, why, ended, wrong_target)

        if family.ended_at is not None:
            return refused("The grant has ended.")
        if resource not in (None, family.resource):
            return refused("The refresh token is for another resource.", wrong_target=True)
        if stored.rotated_at is None:
            if stored.expires_at <= now or not await self._is_active(tx, family.person_id):
                return refused("The refresh token has expired.")
            await repository.rotate(tx, digest, family.id, now)
        elif _may_retry(stored, now) and await self._is_active(tx, family.person_id):
            await repository.count_retry(tx, digest)
        else:
            await repository.end_family(tx, family.id, now, "refresh_reused")
            return refused("The refresh token was used before.", ended="refresh_reused")
        return _Verdict(family.person_id, family.id, await self._issue(tx, family, now))

    async def _issue(self, tx: Transaction, family: repository.Family, now: datetime) -> Issued:
        last = family.created_at + LONGEST
        access, refresh = new_token("vka"), new_token("vkr")
        access_expires = min(now + ACCESS_LIFETIME, last)
        await repository.add_refresh_token(tx, refresh.digest(), family.id, now, min(now + IDLE, last))
        await repository.add_access_token(
            tx,
            access.digest(),
            token_id=new_id("token"),
            family=family,
            refresh_digest=refresh.digest(),
            now=now,
            expires_at=access_expires,
        )
        return Issued(access, refresh, int((access_expires - now).total_seconds()), family.scope)

    @staticmethod
    async def _is_active(tx: Transaction, person_id: str) -> bool:
        person = await people_repository.find_person(tx, person_id)
        return person is not None and person.state == "active"

    async def _conclude(self, verdict: _Verdict, *, already_ended: bool) -> Issued:
        if verdict.issued is not None:
            return verdict.issued
        if verdict.ended and not already_ended:
            await self._tell_ended(verdict.person_id, verdict.family_id, verdict.ended, actor="system")
        raise GrantRefused(verdict.refusal, error="invalid_target" if verdict.wrong_target else "invalid_grant")

    async def revoke(self, token: Secret, *, client: Client) -> None:
        """RFC 7009: ends the family of a refresh token, or the one access token. Unknown tokens are fine.

        Raises `GrantRefused` for another client's token.
        """
        now = self._clock.now()
        digest = token.digest()
        async with self._database.write() as tx:
            stored = await repository.find_refresh_token(tx, digest)
            family_id = stored.family_id if stored else await repository.find_family_of_access_token(tx, digest)
            family = await repository.lock_family(tx, family_id) if family_id else None
            if family is None:
                return
            if family.client_id != client.id:
                raise GrantRefused("The token was issued to another client.")
            if stored is None:
                await repository.remove_access_token(tx, digest)
            elif family.ended_at is None:
                await repository.end_family(tx, family.id, now, "revoked")
        await self._notifications.publish("tokens", family.person_id)
        if stored is not None and family.ended_at is None:
            await self._tell_ended(family.person_id, family.id, "revoked", actor=f"client:{client.id}")

    async def list(self, person_id: str) -> list[Grant]:
        """The assistants that the person has let in, last used first."""
        async with self._database.read() as tx:
            return await repository.list_grants(tx, person_id, self._clock.now())

    async def end(self, person_id: str, family_id: str, *, by: str = "") -> None:
        """Ends one of the person's own grants everywhere; its client is asked about anew. Raises `NotFound`.

        `by` is the actor, if it is not the person.
        """
        async with self._database.write() as tx:
            family = await repository.lock_family(tx, family_id)
            if family is None or family.person_id != person_id or family.ended_at is not None:
                raise NotFound("There is no such grant.")
            await repository.end_family(tx, family_id, self._clock.now(), "by_person")
            await remove_consents(tx, person_id, family.client_id)
        await self._tell_ended(person_id, family_id, "by_person", actor=by or f"person:{person_id}")

    async def _tell_ended(self, person_id: str, family_id: str, because: str, *, actor: str) -> None:
        await self._notifications.publish("tokens", person_id)
        async with self._database.read() as tx:
            person = await people_repository.find_person(tx, person_id)
        await self._trail.write(
            "grant.ended",
            actor=actor,
            organization_id=person.organization_id if person else "",
            person_id=person_id,
            object=family_id,
            detail={"because": because},
        )


def _may_retry(stored: repository.RefreshToken, now: datetime) -> bool:
    """Whether this looks like a client that never received our answer (FAPI 2.0 5.3.2.1: retrying must succeed)."""
    return (
        stored.rotated_at is not None
        and stored.successor_used_at is None
        and now - stored.rotated_at <= GRACE
        and stored.retries < MOST_RETRIES
    )


def _code_fault(
    code: repository.Code,
    family: repository.Family,
    now: datetime,
    client: Client,
    redirect_uri: str | None,
    code_verifier: str,
    resource: str | None,
) -> tuple[str, str]:
    """What is wrong with presenting this code so, and the word for why the family ends; empty if nothing."""
    if code.used_at is not None:
        return "The authorization code was used before.", "code_reused"
    if family.ended_at is not None:
        return "The grant has ended.", "ended"
    if family.client_id != client.id:
        return "The authorization code was issued to another client.", "wrong_client"
    if code.expires_at <= now:
        return "The authorization code has expired.", "code_expired"
    # RFC 6749 4.1.3: required here if it was in the authorization request, and the same.
    if redirect_uri != (code.redirect_uri if code.redirect_uri_given or redirect_uri is not None else None):
        return "The redirect_uri is not the one of the authorization request.", "wrong_redirect"
    if not _fits(code_verifier, code.code_challenge):
        return "The code_verifier does not fit the code_challenge.", "wrong_verifier"
    if resource not in (None, family.resource):
        return "The authorization code is for another resource.", "wrong_resource"
    return "", ""


def _fits(verifier: str, challenge: str) -> bool:
    """RFC 7636 4.6, S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    return hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"="), challenge.encode())

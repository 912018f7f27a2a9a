"""Sending a person to their organization's provider, and letting in who comes back.

    1. which attempt is this? taken, so good once; the same organization, browser and, if there is one, person
    2. is the answer this provider's (RFC 9207), and a yes?
    3. the code becomes an ID token, which is verified
    4. whose account? (`accounts`)

The verifier of PKCE is made of the state and of what this browser alone keeps, so that the database holds neither.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

from valetkey.identity.model import BrowserSession, TrailWriter
from valetkey.identity.signin.openid import repository
from valetkey.identity.signin.openid.accounts import ADDRESS, Accounts
from valetkey.identity.signin.openid.id_token import KeyUnknown, verify
from valetkey.identity.signin.openid.model import (
    Arrived,
    Attempt,
    Claims,
    Identifies,
    Provider,
    Purpose,
    SignInRefused,
)
from valetkey.identity.signin.openid.providers import Providers
from valetkey.identity.signin.openid.published import Published
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, TooMany
from valetkey.kernel.ids import new_token
from valetkey.kernel.secret import Secret
from valetkey.oauth.authorization import Declined, parameters_of, read_callback, state_of
from valetkey.oauth.model import Client
from valetkey.oauth.openid import OpenIdProvider, sign_in_url
from valetkey.oauth.pkce import challenge
from valetkey.store.database import Database
from valetkey.vault.model import Use
from valetkey.vault.verbs import Vault

_LIFETIME = timedelta(minutes=10)
_MOST_ATTEMPTS = 10_000
_SKEW = timedelta(seconds=60)
_UNSAID = timedelta(minutes=6)
"""How long ago somebody is taken to have proved who they are, when the provider does not say: not just now."""


class SignIns:
    """Begins and finishes sign-ins at providers."""

    def __init__(
        self,
        database: Database,
        *,
        providers: Providers,
        published: Published,
        desk: Identifies,
        vault: Vault,
        accounts: Accounts,
        clock: Clock,
        trail: TrailWriter,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._providers = providers
        self._published = published
        self._desk = desk
        self._vault = vault
        self._clock = clock
        self._trail = trail

    async def begin_for(self, address: str, *, browser: Secret, to: str) -> str:
        """Where to send the person with this e-mail address. Raises `BadInput`, the same for every reason."""
        found = ADDRESS.fullmatch(address.strip())
        async with self._database.read() as tx:
            provider = await repository.provider_of_domain(tx, found[2].lower()) if found else None
        if found is None or provider is None:
            raise BadInput(
                "No organization here signs people in by this address.",
                field="address",
                hint="Write the address that your organization gave you.",
            )
        hint = f"{found[1]}@{found[2].lower()}"
        return await self._begin(provider, browser=browser, to=to, purpose="signin", person_id="", hint=hint)

    async def begin_as(self, session: BrowserSession, purpose: Purpose, *, browser: Secret, to: str) -> str:
        """Where to send who is signed in, to prove it again or to tie their account. Raises `NotFound`."""
        person = session.person
        provider = await self._providers.of(person.organization_id)
        if provider is None:
            raise NotFound("Your organization has no identity provider.")
        return await self._begin(provider, browser=browser, to=to, purpose=purpose, person_id=person.id, hint="")

    async def finish(
        self,
        organization_id: str,
        given: Iterable[tuple[str, str]],
        *,
        browser: Secret | None,
        session: BrowserSession | None,
    ) -> Arrived:
        """Who came back. Raises `BadInput`, `MixedUp`, `SignInRefused`, and what `net` raises."""
        parameters = parameters_of(given)
        state = state_of(parameters)
        attempt = await self._take(state, organization_id, browser, session)  # 1.
        provider = await self._providers.of(organization_id)
        if provider is None or provider.issuer != attempt.issuer:
            raise SignInRefused("Your organization has changed its provider.", reason="changed", hint="Begin again.")
        found = await self._published.configuration(provider.issuer)
        answer = read_callback(parameters, issuer=found.issuer, promises_iss=found.promises_iss)  # 2.
        if isinstance(answer, Declined):
            raise SignInRefused(f"The provider did not sign you in ({answer.error}).", reason="declined")
        assert browser is not None  # `_take` compared it
        try:
            claims = await self._claims(provider, found, attempt, answer.code, _verifier(state, browser))  # 3.
            proved_at = self._proved_at(attempt, claims)
            person = await self._accounts.whose(provider, attempt, claims)  # 4.
            if person.state != "active":
                raise SignInRefused("This account is disabled.", reason="disabled")
        except SignInRefused as refused:
            await self._refused(provider, refused.reason)
            raise
        await self._accounts.tell("signin.organization", person, {"purpose": attempt.purpose})
        return Arrived(person, attempt.purpose, proved_at, attempt.to)

    # --- going ------------------------------------------------------------------------------------------------------

    async def _begin(
        self, provider: Provider, *, browser: Secret, to: str, purpose: Purpose, person_id: str, hint: str
    ) -> str:
        found = await self._published.configuration(provider.issuer)
        now = self._clock.now()
        state, nonce = new_token("vki"), secrets.token_urlsafe(32)
        attempt = Attempt(
            organization_id=provider.organization_id,
            issuer=provider.issuer,
            browser_hash=browser.digest(),
            nonce=nonce,
            purpose=purpose,
            person_id=person_id,
            to=to,
            created_at=now,
            expires_at=now + _LIFETIME,
        )
        async with self._database.write() as tx:
            if await repository.count_attempts(tx, now) >= _MOST_ATTEMPTS:
                raise TooMany("Too many people are signing in just now.", hint="Try again in a few minutes.")
            await repository.add_attempt(tx, state.digest(), attempt)
        return sign_in_url(
            found,
            client_id=provider.client_id,
            redirect_uri=self._providers.callback(provider.organization_id),
            state=state,
            code_challenge=challenge(_verifier(state, browser)),
            nonce=nonce,
            login_hint=hint,
            again=purpose != "signin",
        )

    # --- coming back ------------------------------------------------------------------------------------------------

    async def _take(
        self, state: Secret, organization_id: str, browser: Secret | None, session: BrowserSession | None
    ) -> Attempt:
        # The deletion is committed even when the attempt is refused afterwards: it was presented, so it is used up.
        async with self._database.write() as tx:
            attempt = await repository.take_attempt(tx, state.digest())
        is_theirs = (
            attempt is not None
            and attempt.expires_at > self._clock.now()
            and attempt.organization_id == organization_id
            and browser is not None
            and hmac.compare_digest(attempt.browser_hash, browser.digest())
            and (attempt.purpose == "signin" or (session is not None and session.person.id == attempt.person_id))
        )
        if attempt is None or not is_theirs:
            raise BadInput(
                "This sign-in was used, has expired, or was begun in another browser.",
                field="state",
                hint="Begin again.",
            )
        return attempt

    async def _claims(
        self, provider: Provider, found: OpenIdProvider, attempt: Attempt, code: Secret, verifier: Secret
    ) -> Claims:
        """What the verified token says."""
        replied = await self._desk.identify(
            found.token_endpoint,
            await self._client(provider, found),
            issuer=found.issuer,
            code=code,
            verifier=verifier,
            redirect_uri=self._providers.callback(provider.organization_id),
        )
        if replied.id_token is None:
            said = replied.failure.error if replied.failure else ""
            raise SignInRefused(
                f"The provider gave no proof of who you are{f' ({said})' if said else ''}.", reason="no_token"
            )

        async def verified(*, anew: bool) -> Claims:
            assert replied.id_token is not None  # as above
            keys = await self._published.keys(found, anew=anew)
            return verify(
                replied.id_token, keys, found, client_id=provider.client_id, nonce=attempt.nonce, now=self._clock.now()
            )

        try:
            return await verified(anew=False)
        except KeyUnknown:  # it may have changed its keys since we read them
            return await verified(anew=True)

    async def _client(self, provider: Provider, found: OpenIdProvider) -> Client:
        if provider.client_auth == "none":
            return Client(provider.client_id, "none")
        if found.token_endpoint.origin != provider.sealed_for:
            # Whoever can change the provider's metadata must not have our secret sent elsewhere.
            raise SignInRefused(
                "The provider has moved.", reason="moved", hint="An owner of the organization has to set it again."
            )
        secret = await self._vault.reveal_for_exchange(bound_to=provider.binding, use=Use.CLIENT_AUTHENTICATION)
        return Client(provider.client_id, provider.client_auth, secret)

    def _proved_at(self, attempt: Attempt, claims: Claims) -> datetime:
        now = self._clock.now()
        if claims.auth_time is None:
            if attempt.purpose == "again":  # it was asked to say so (Core 2, `max_age`)
                raise SignInRefused("The provider does not say when you proved who you are.", reason="auth_time")
            return now - _UNSAID
        if attempt.purpose != "signin" and claims.auth_time < attempt.created_at - _SKEW:
            raise SignInRefused("The provider did not ask you again who you are.", reason="auth_time")
        return min(now, claims.auth_time)

    async def _refused(self, provider: Provider, reason: str) -> None:
        await self._trail.write(
            "signin.refused",
            actor="unauthenticated",
            organization_id=provider.organization_id,
            object=provider.organization_id,
            detail={"reason": reason, "issuer": provider.issuer},
        )


def _verifier(state: Secret, browser: Secret) -> Secret:
    """RFC 7636 4.1, out of two secrets of which neither is enough: one travels, one stays in the browser."""
    both = f"sign-in {state.digest()} {browser.digest()}".encode()
    return Secret(base64.urlsafe_b64encode(hashlib.sha256(both).digest()).rstrip(b"="))

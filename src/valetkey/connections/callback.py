"""Taking a person back from the authorization server: whose answer it is, the exchange, and what of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from valetkey.connections.accounts import Connections, ConnectorBook
from valetkey.connections.client_identity import ClientIdentities
from valetkey.connections.facts import Plan, read_plan
from valetkey.connections.guard import Guard, Refusal
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection, StepFailed, issuer_hash
from valetkey.connections.points import Point
from valetkey.connections.refresh import Refreshing
from valetkey.connections.repository import Seen, StoredAttempt
from valetkey.connections.step_up import StepUp
from valetkey.connections.token_endpoint import TokenEndpoint, tokens_of, words_of
from valetkey.connections.trace import Steps, Trace, scrubbed
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, OutboundFailed, RootKeyUnavailable, VaultFailed
from valetkey.kernel.failpoints import reached
from valetkey.kernel.secret import Secret
from valetkey.net.model import BadAnswer, Moved, TooLarge
from valetkey.oauth.authorization import Declined, read_callback
from valetkey.oauth.model import (
    AuthorizationServer,
    Client,
    MixedUp,
    ParseUrl,
    TokenFailure,
    TokenFailureKind,
    TokenSet,
)
from valetkey.oauth.scopes import beyond
from valetkey.vault.model import Binding, Use
from valetkey.vault.release import NotReleased
from valetkey.vault.verbs import Vault

AGAIN = "Begin connecting again."
_SECONDS = 10.0  # CON-19


@dataclass(frozen=True, slots=True)
class _Return:
    """One person coming back, and what their attempt was about."""

    stored: StoredAttempt
    connection: Connection
    connector: Connector
    plan: Plan
    server: AuthorizationServer
    steps: Steps


class Callback:
    """The second half of the connect flow; `connect` is the first, and has used the attempt up already."""

    def __init__(
        self,
        *,
        vault: Vault,
        clock: Clock,
        connectors: ConnectorBook,
        connections: Connections,
        identities: ClientIdentities,
        tokens: TokenEndpoint,
        refreshing: Refreshing,
        step_up: StepUp,
        guard: Guard,
        trace: Trace,
        parse: ParseUrl,
    ) -> None:
        self._vault = vault
        self._clock = clock
        self._connectors = connectors
        self._connections = connections
        self._identities = identities
        self._tokens = tokens
        self._refreshing = refreshing
        self._step_up = step_up
        self._guard = guard
        self._trace = trace
        self._parse = parse

    async def finish(
        self, stored: StoredAttempt, parameters: Mapping[str, str], session: BrowserSession, *, callback: str
    ) -> Connection:
        """The connection, as it is after this answer at the callback of the issuer whose short name is `callback`."""
        back = await self._whose(stored, session)  # 2.
        seen = Seen.of(back.connection)
        code = await self._read_answer(back, parameters, callback)  # 3.
        back = replace(
            back,
            connection=replace(
                back.connection, issuer=back.server.issuer, connector_version=back.plan.connector_version
            ),
        )
        tokens = await self._exchange(back, code)  # 4.
        reached(Point.CONNECT_EXCHANGED)
        asked = back.plan.asked_scope
        granted = tokens.granted(asked)
        wider = beyond(granted, (*asked.split(), *back.plan.accepted_beyond)) if asked else ()
        facts: dict[str, Any] = {
            "method": "oauth",
            "issuer": back.server.issuer,
            "resource": back.plan.shown.resource,
            "requested_scope": asked,
            "granted_scope": granted,
            "connector_version": back.plan.connector_version,
            "account_domain": self._guard.domain(
                back.connector, back.server, client_id=back.plan.client_id, holder=tokens.holder
            ),
        }
        refusal = await self._guard.refusal(
            back.connector, session.person, back.server, client_id=back.plan.client_id, granted=granted,
            holder=tokens.holder,
        )  # fmt: skip
        if refusal is None and wider:  # 5.
            refusal = _more_than_asked(wider)
        if refusal is not None:
            return await self._give_back(back, seen, tokens, refusal, facts)
        return await self._keep(back, seen, tokens, facts)

    async def _whose(self, stored: StoredAttempt, session: BrowserSession) -> _Return:
        connection, connector = await load(stored, self._connections, self._connectors)
        steps = self._trace.of(person_id=stored.person_id, connection_id=stored.connection_id)
        if stored.person_id != session.person.id or stored.session_id != session.id:
            await steps.note("callback", "", reason="Came back in another person's or another browser's session.")
            await self._connections.tell("connection.callback_refused", connection, actor=f"person:{session.person.id}")
            raise NotFound("This answer belongs to no attempt of yours in this browser.", hint=AGAIN)
        if stored.expires_at <= self._clock.now():
            raise await steps.failed(
                "This took longer than ten minutes.",
                kind="authorization_failed",
                stage="callback",
                party="",
                hint=AGAIN,
            )
        plan = read_plan(stored.facts, parse=self._parse)
        assert plan.server is not None  # `accept` saw to it
        return _Return(stored, connection, connector, plan, plan.server, steps)

    async def _read_answer(self, back: _Return, parameters: Mapping[str, str], callback: str) -> Secret:
        server, steps = back.server, back.steps
        host = self._parse(server.issuer).host
        try:
            if callback != issuer_hash(server.issuer):
                raise MixedUp("The answer came to the callback of another authorization server.")
            answer = read_callback(parameters, issuer=server.issuer, promises_iss=server.promises_iss)
        except (MixedUp, BadInput) as error:
            raise await steps.failed(
                error.message, kind="authorization_failed", stage="callback", party=host, hint=AGAIN
            ) from error
        if isinstance(answer, Declined):
            words = ": ".join(part for part in (answer.error, answer.description) if part)
            raise await steps.failed(
                f"{host} did not authorize it ({words}).",
                kind="authorization_failed",
                stage="callback",
                party=host,
                hint=_narrow(back.plan) if answer.error == "invalid_scope" else AGAIN,
            )
        await steps.note("callback", "", reason="came back with an authorization code")
        return answer.code

    async def _exchange(self, back: _Return, code: Secret) -> TokenSet:
        host = back.server.token_endpoint.host
        try:
            client = await self._same_client(back)
        except RootKeyUnavailable as no:
            raise await not_now(back.steps, "exchange", no) from no
        reply: TokenSet | TokenFailure | None = None
        kind = "authorization_failed"
        try:
            verifier = await self._vault.reveal_for_exchange(
                bound_to=verifier_binding(back.stored.id, back.connection, back.server), use=Use.EXCHANGE_CODE
            )
            async with asyncio.timeout(_SECONDS):
                reply = await self._tokens.exchange(
                    back.server,
                    client,
                    code=code,
                    verifier=verifier,
                    redirect_uri=back.plan.shown.callback,
                    resource=back.plan.shown.resource,
                    steps=back.steps,
                )
            if isinstance(reply, TokenSet):
                return reply
            problem = f"{host} gave no tokens ({words_of(reply)})."
            kind = "unreachable" if reply.kind is TokenFailureKind.PASSING else kind
        except VaultFailed as failed:
            problem = failed.message
        except (RootKeyUnavailable, NotReleased) as no:
            raise await not_now(back.steps, "exchange", no) from no
        except TimeoutError:
            problem, kind = f"{host} took longer than {_SECONDS:g} s.", "unreachable"
        except OutboundFailed as failed:
            broken = isinstance(failed, (Moved, BadAnswer, TooLarge))
            problem, kind = failed.message, kind if broken else "unreachable"
        finally:
            code.wipe()
            if client.secret is not None:
                client.secret.wipe()
        hint = await self._hint_after(reply, back, client) if isinstance(reply, TokenFailure) else AGAIN
        raise await back.steps.failed(problem, kind=kind, stage="exchange", party=host, hint=hint)

    async def _same_client(self, back: _Return) -> Client:
        """The client that the person was sent with: a code given to another is of no use, and must not be tried."""
        client = await self._identities.known(back.connector, back.server)
        if client is None or client.id != back.plan.client_id:
            raise await back.steps.failed(
                "This hub has become another client there meanwhile.",
                kind="authorization_failed",
                stage="exchange",
                party=self._parse(back.server.issuer).host,
                hint=AGAIN,
            )
        return client

    async def _hint_after(self, failure: TokenFailure, back: _Return, client: Client) -> str:
        if failure.kind is TokenFailureKind.SCOPE_REFUSED:
            return _narrow(back.plan)
        if failure.kind is not TokenFailureKind.CLIENT_REFUSED:
            return AGAIN
        if await self._identities.refused(back.connector, back.server, client.id, back.steps):
            return "It has forgotten this hub, which will register anew: begin again."
        if client.auth == "private_key_jwt":
            return f"Register this hub's key there: {self._identities.key_set_url(back.server.issuer)}"
        return "Check the client id and secret that were entered for this connector."

    async def _keep(self, back: _Return, seen: Seen, tokens: TokenSet, facts: Mapping[str, Any]) -> Connection:
        received_at = self._clock.now()
        has_refresh_token = tokens.refresh_token is not None
        await self._empty(seen.id, but_for={"access_token", *(["refresh_token"] if has_refresh_token else [])})
        try:
            generation = await oauth.seal(self._vault, back.connection, back.connector, back.server, tokens)  # 6.
        except RootKeyUnavailable as no:  # what cannot be kept goes back
            await self._tokens.revoke(back.connector, back.server, tokens_of(tokens), back.steps)
            raise await not_now(back.steps, "connected", no) from no
        finally:
            oauth.wipe(tokens)
        reached(Point.CONNECT_SEALED)
        connected = await self._connections.mark_connected(  # 7.
            seen,
            at=received_at,
            generation=generation,
            has_refresh_token=has_refresh_token,
            expires_at=received_at + timedelta(seconds=tokens.usable_for),
            **facts,
        )
        reached(Point.CONNECT_WRITTEN)
        if connected is None:
            await self._vault.shred(seen.id)
            raise await changed_meanwhile(back.steps)
        self._refreshing.pace.learn(connected.id, tokens.usable_for)
        if set(back.plan.shown.challenged) <= set(back.plan.asked_scope.split()):
            await self._step_up.agreed(connected.id)
        await back.steps.note("connected", "", reason=f"granted: {connected.granted_scope or '(not stated)'}")
        return connected

    async def _empty(self, connection_id: str, *, but_for: set[str]) -> None:
        """A new consent begins with nothing of an old one.

        What is sealed for the same purposes is replaced by the new, as one: cut off before that, the old still works.
        """
        if not {purpose for purpose, _ in (await self._vault.mark(connection_id)).names} <= but_for:
            await self._vault.shred(connection_id)
        reached(Point.CONNECT_EMPTIED)

    async def _give_back(
        self, back: _Return, seen: Seen, tokens: TokenSet, refusal: Refusal, facts: Mapping[str, Any]
    ) -> Connection:
        """What must not be kept goes back, and its person is told why."""
        await self._tokens.revoke(back.connector, back.server, tokens_of(tokens), back.steps)
        await self._vault.shred(seen.id)
        await self._connections.mark_suspended(
            seen,
            reason=refusal.reason,
            has_refresh_token=False,
            expires_at=None,
            generation=0,
            **facts,
        )
        await self._connections.tell(refusal.event, back.connection, actor="system", detail={"scopes": refusal.detail})
        return await self._connections.get(back.connection.person_id, seen.id)


def _more_than_asked(wider: tuple[str, ...]) -> Refusal:
    """More was granted than asked for (S-17): next time the person is told before."""
    words = scrubbed(" ".join(wider))
    reason = f"The service gave more than was asked for: {words}. Reconnect to accept that."
    return Refusal("connection.granted_more", reason, words)


async def load(
    stored: StoredAttempt, connections: Connections, connectors: ConnectorBook
) -> tuple[Connection, Connector]:
    """What an attempt is about, if it still is what the person was shown. Raises `Conflict`."""
    connection = await connections.get(stored.person_id, stored.connection_id)
    connector = await connectors.by_id(connection.connector_id)
    if connector.state != "enabled" or connector.version != stored.facts["connector_version"]:
        raise Conflict("The connector was changed or blocked meanwhile.", hint=AGAIN)
    return connection, connector


async def changed_meanwhile(steps: Steps) -> StepFailed:
    """The error for a connection that somebody disconnected, or connected, between our reading and our writing."""
    return await steps.failed(
        "The connection was changed somewhere else meanwhile.",
        kind="authorization_failed",
        stage="connected",
        party="",
        hint=AGAIN,
    )


async def not_now(steps: Steps, stage: str, no: RootKeyUnavailable | NotReleased) -> StepFailed:
    """The error for a vault that opens and seals nothing now: it passes, and nobody outside is to blame."""
    return await steps.failed(
        f"This hub's vault is not available just now. {no.message}",
        kind="unreachable",
        stage=stage,
        party="",
        hint=f"{AGAIN} If it stays so, ask who runs this hub to look at its root key.",
    )


def verifier_binding(attempt_id: str, connection: Connection, server: AuthorizationServer) -> Binding:
    """What the proof key of an attempt belongs to; it opens for this server's token endpoint only."""
    return Binding(
        tenant=connection.organization_id,
        person=connection.person_id,
        subject=attempt_id,
        purpose="pkce_verifier",
        origin=server.token_endpoint.origin,
        issuer=server.issuer,
        connector=connection.connector_id,
    )


def _narrow(plan: Plan) -> str:
    return f"It refused some of these: {plan.asked_scope}. Begin again and untick some."

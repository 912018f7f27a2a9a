"""Connecting an account: find out, show, send the person there, take them back, seal what they granted.

    begin    1. which account?  2. how does the service want it?  3. what will we ask for, as whom?  4. keep the facts
    accept   1. the same person, browser and facts?  2. who are we there?  3. seal a fresh proof key  4. the way there
    finish   1. use the attempt up, whatever comes of it  2. the same person and browser?  3. from the server we meant?
             4. exchange  5. no more than was asked for?  6. seal  7. write it down

Nobody but the person in the browser that began can finish: not an admin, not an assistant, nobody with a forged or a
replayed answer (S-01).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from valetkey.connections import repository
from valetkey.connections.accounts import Connections, ConnectorBook
from valetkey.connections.callback import AGAIN, Callback, load, not_now, verifier_binding
from valetkey.connections.client_identity import ClientIdentities
from valetkey.connections.discover import Discovery
from valetkey.connections.facts import Plan, make_plan, read_plan
from valetkey.connections.guard import Guard
from valetkey.connections.model import Attempt, Connection
from valetkey.connections.points import Point
from valetkey.connections.repository import StoredAttempt
from valetkey.connections.servers import check_within
from valetkey.connections.step_up import StepUp, Wanted
from valetkey.connections.trace import Trace
from valetkey.connections.unsigned import Unsigned
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession, Person
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, Conflict, NotFound, RootKeyUnavailable
from valetkey.kernel.failpoints import reached
from valetkey.kernel.ids import new_id, new_token
from valetkey.kernel.secret import Secret
from valetkey.oauth import pkce
from valetkey.oauth.authorization import authorization_url, parameters_of, state_of
from valetkey.oauth.model import BadMetadata, ParseUrl
from valetkey.store.database import Database
from valetkey.vault.verbs import Vault

MayConnect = Callable[[Person, Connector], Awaitable[None]]
"""Raises when nobody may connect anything here: people have not been told yet what becomes of their data (S-04). And

when the connector is for other members of their organization.
"""
LIFETIME = timedelta(minutes=10)
"""How long an attempt may take."""


class Connecting:
    """The connect flow, up to where the person leaves us; `callback` takes them back."""

    def __init__(
        self,
        database: Database,
        *,
        vault: Vault,
        clock: Clock,
        connectors: ConnectorBook,
        connections: Connections,
        discovery: Discovery,
        identities: ClientIdentities,
        callback: Callback,
        unsigned: Unsigned,
        step_up: StepUp,
        guard: Guard,
        trace: Trace,
        parse: ParseUrl,
        may_connect: MayConnect,
    ) -> None:
        self._may_connect = may_connect
        self._database = database
        self._vault = vault
        self._clock = clock
        self._connectors = connectors
        self._connections = connections
        self._discovery = discovery
        self._identities = identities
        self._callback = callback
        self._unsigned = unsigned
        self._step_up = step_up
        self._guard = guard
        self._trace = trace
        self._parse = parse

    # --- begin ------------------------------------------------------------------------------------------------------

    async def begin(
        self, session: BrowserSession, connector: Connector, *, label: str = "", display_name: str = ""
    ) -> Attempt:
        """Finds out how to connect `connector`; nothing is asked of anyone yet.

        Connects the account with this label, or the default one, anew if it is there already. Raises `StepFailed`,
        `BadInput`, `Conflict` for a connector that is blocked, and what `may_connect` raises.
        """
        await self._may_connect(session.person, connector)
        self._guard.demand_named(connector)
        await self._purge()
        connection = await self._connections.open_entry(  # 1.
            session.person, connector, label=label, display_name=display_name
        )
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        if connector.auth_kind == "header":
            raise BadInput("This connector takes a key, which you enter here.", field="auth_kind")
        found = await self._discovery.find(connector, steps)  # 2.
        source = await self._identities.source(connector, found.server, steps) if found.server else ""
        wanted = await self._step_up.wanted(connection.id)
        challenged = wanted.scopes if wanted else ()
        plan = make_plan(  # 3.
            connector,
            connection,
            found,
            url=self._parse(connector.url),
            parse=self._parse,
            client_source=source,
            callback=self._identities.callback(found.server.issuer) if found.server else "",
            challenged=challenged,
            identity=self._guard.identity(connector, found.server),
            limit=self._guard.limit(connector, session.person, needed=challenged),
            disclosed=self._connectors.disclosure(connector).version,
        )
        now = self._clock.now()
        stored = StoredAttempt(
            id=new_id("try"),
            person_id=session.person.id,
            session_id=session.id,
            connection_id=connection.id,
            facts=plan.document(),
            facts_hash=plan.shown.hash,
            expires_at=now + LIFETIME,
            was_accepted=False,
        )
        async with self._database.write() as tx:  # 4.
            await repository.insert_attempt(tx, stored, at=now)
        return _shown(stored, plan)

    async def attempt(self, attempt_id: str, session: BrowserSession) -> Attempt:
        """The attempt, for its review page. Raises `NotFound`, for another person's or browser's too."""
        return _shown(*await self._own(attempt_id, session))

    async def wanted(self, connection: Connection) -> Wanted | None:
        """The scopes that refused calls of this connection needed, for its page; `None` when none was refused so."""
        return await self._step_up.wanted(connection.id)

    async def hold_client_secret(self, attempt_id: str, session: BrowserSession, secret: Secret) -> None:
        """Seals the secret of the client id typed for this connector, for the server on the review page and no other.

        Who may say so for a connector that others use too is for the page to check. Raises `BadInput`, `Conflict`.
        """
        stored, plan = await self._own(attempt_id, session)
        if plan.server is None:
            raise Conflict("This service needs no sign-in.", hint="Connect it without one.")
        _, connector = await load(stored, self._connections, self._connectors)
        await self._identities.hold_secret(connector, plan.server, secret)

    # --- accept -----------------------------------------------------------------------------------------------------

    async def accept(self, attempt_id: str, session: BrowserSession, facts_hash: str, scopes: Sequence[str]) -> str:
        """The person has seen the facts and wants these `scopes` of those shown: the URL to send them to.

        Raises `Conflict` when they saw other facts, `BadInput` for a scope that was not shown, `StepFailed`.
        """
        stored, plan = await self._own(attempt_id, session)  # 1.
        if stored.facts_hash != facts_hash:
            raise Conflict("What you agreed to is not what was found out last.", hint=AGAIN)
        if plan.server is None:
            raise Conflict("This service needs no sign-in.", hint="Connect it without one.")
        if unknown := set(scopes) - set(plan.shown.scopes):
            raise BadInput(f"{len(unknown)} of the permissions were not among those shown.", field="scopes")
        connection, connector = await load(stored, self._connections, self._connectors)
        self._connectors.disclosure(connector).check(plan.shown.disclosed)
        self._guard.demand_identity(connector, set(scopes))
        steps = self._trace.of(person_id=connection.person_id, connection_id=connection.id)
        await check_within(plan.server, connector.reach, steps)
        try:
            client = await self._identities.identify(connector, plan.server, steps)  # 2.
        except RootKeyUnavailable as no:
            raise await not_now(steps, "registration", no) from no
        if client.secret is not None:
            client.secret.wipe()
        scope = " ".join(one for one in plan.shown.scopes if one in set(scopes))
        state, verifier = new_token("vks"), pkce.new_verifier()
        try:
            url = authorization_url(
                plan.server,
                client_id=client.id,
                redirect_uri=plan.shown.callback,
                state=state,
                code_challenge=pkce.challenge(verifier),
                resource=plan.shown.resource,
                scope=scope,
                scope_separator=str(connector.auth.get("scope_separator", " ")),
                omit_prompt=bool(connector.auth.get("omit_prompt")),
            )
        except BadMetadata as error:
            host = plan.server.authorization_endpoint.host
            raise await steps.failed(
                error.message, kind="authorization_failed", stage="authorization", party=host
            ) from error
        try:
            await self._vault.seal(verifier, bound_to=verifier_binding(stored.id, connection, plan.server))  # 3.
        except RootKeyUnavailable as no:
            raise await not_now(steps, "authorization", no) from no
        finally:
            verifier.wipe()
        document = replace(plan, asked_scope=scope, client_id=client.id).document()
        async with self._database.write() as tx:
            armed = await repository.arm_attempt(tx, stored.id, state_hash=state.digest(), facts=document)
        if not armed:
            await self._vault.shred(stored.id)
            raise NotFound("This attempt is over.", hint=AGAIN)
        await steps.note(
            "authorization",
            f"sent to {plan.server.authorization_endpoint.origin}",
            reason=f"scope: {scope or '(none)'}",
        )
        return url  # 4.

    # --- finish -----------------------------------------------------------------------------------------------------

    async def finish(
        self, params: Mapping[str, str] | Iterable[tuple[str, str]], session: BrowserSession, *, issuer_hash: str
    ) -> Connection:
        """The person came back to the callback of `issuer_hash` with `params`. The connection as it is now.

        Its state tells whether it is connected: a service that granted more than was asked for is not kept unless the
        person begins again and accepts that. Raises `BadInput`, `NotFound`, `StepFailed`.
        """
        parameters = parameters_of(params)
        async with self._database.write() as tx:  # 1.
            stored = await repository.take_attempt(tx, state_of(parameters).digest())
        reached(Point.CONNECT_TAKEN)
        if stored is None:
            raise NotFound("This answer belongs to no attempt, or was used before.", hint=AGAIN)
        try:
            return await self._callback.finish(stored, parameters, session, callback=issuer_hash)
        finally:
            await self._vault.shred(stored.id)

    # --- without signing in -----------------------------------------------------------------------------------------

    async def set_header(
        self,
        by: BrowserSession | Person,
        connector: Connector,
        *,
        values: Mapping[str, Secret],
        acknowledged: str,
        label: str = "",
        display_name: str = "",
    ) -> Connection:
        """Connects with request headers, or adds them to a connection that signs in by OAuth.

        `acknowledged` is the version of what is said of the connector that the person saw. Raises `BadInput`,
        `NotAcknowledged`.
        """
        person = by.person if isinstance(by, BrowserSession) else by
        await self._may_connect(person, connector)
        self._guard.demand_named(connector)
        self._connectors.disclosure(connector).check(acknowledged)
        return await self._unsigned.set_header(person, connector, values=values, label=label, display_name=display_name)

    async def connect_open(
        self,
        session: BrowserSession,
        connector: Connector,
        *,
        acknowledged: str,
        label: str = "",
        display_name: str = "",
    ) -> Connection:
        """Connects a service that answers without anybody signing in. Raises `Conflict` when it does not.

        `acknowledged` as in `set_header`.
        """
        await self._may_connect(session.person, connector)
        self._connectors.disclosure(connector).check(acknowledged)
        return await self._unsigned.connect_open(session.person, connector, label=label, display_name=display_name)

    # --- within -----------------------------------------------------------------------------------------------------

    async def _own(self, attempt_id: str, session: BrowserSession) -> tuple[StoredAttempt, Plan]:
        async with self._database.read() as tx:
            stored = await repository.find_attempt(tx, attempt_id)
        mine = stored is not None and stored.person_id == session.person.id and stored.session_id == session.id
        if stored is None or not mine or stored.expires_at <= self._clock.now():
            raise NotFound("There is no such attempt in this browser, or it took too long.", hint=AGAIN)
        return stored, read_plan(stored.facts, parse=self._parse)

    async def _purge(self) -> None:
        """Attempts that were never finished, with their proof keys."""
        async with self._database.write() as tx:
            expired = await repository.take_expired_attempts(tx, self._clock.now())
        for stored in expired:
            if stored.was_accepted:
                await self._vault.shred(stored.id)


def _shown(stored: StoredAttempt, plan: Plan) -> Attempt:
    return Attempt(
        id=stored.id,
        connection_id=stored.connection_id,
        person_id=stored.person_id,
        session_id=stored.session_id,
        facts=plan.shown,
        expires_at=stored.expires_at,
    )

"""Who we are to an authorization server: one client for all people, never another server's (CON-13, CON-14).

A client that somebody registered by hand comes first, then our client ID metadata document, then registering ourselves.
Each server has its own callback, and its own document that lists only that callback: the answer of one server cannot be
passed off as another's, whatever it says of itself (RFC 9700 4.4).
"""

from __future__ import annotations

import asyncio
import re
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

from valetkey.connections import repository
from valetkey.connections.client_keys import ClientKeys
from valetkey.connections.desk import Desk
from valetkey.connections.model import issuer_hash, typed_client
from valetkey.connections.repository import Identity
from valetkey.connections.trace import Steps, request_line, scrubbed
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, OutboundFailed, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.net.model import BadAnswer, Moved, TooLarge, Url
from valetkey.oauth.client_assertion import takes_assertions
from valetkey.oauth.client_document import client_document
from valetkey.oauth.model import (
    CLIENT_AUTHS,
    AuthorizationServer,
    Client,
    ParseUrl,
    RegistrationRefused,
)
from valetkey.oauth.registration import Registered, preferred_auth, registration_request, secret_auth
from valetkey.store.database import Database
from valetkey.store.leases import Lease, Leases
from valetkey.vault.model import Binding, NothingSealed, Use
from valetkey.vault.verbs import Vault

NAME = "Valetkey"
STAGE = "registration"
_TENANT = "deployment"
"""Client secrets belong to the hub, not to an organization in it."""

_LEASE_SECONDS = 25.0  # a registration takes ten at most
_POLL_SECONDS = 0.05
_HASH = re.compile(r"[0-9a-f]{16}")


class ClientIdentities:
    """Finds, or becomes, our client at a server.

    `public_url` is the hub's own; `document_url` where our documents lie, with `{issuer}` in the place of the issuer's
    short name (empty: below `public_url`). They are used only if `documents_reachable` and https: a server that cannot
    fetch them would turn the person away after they have left us.
    """

    def __init__(
        self,
        database: Database,
        *,
        vault: Vault,
        desk: Desk,
        leases: Leases,
        parse: ParseUrl,
        clock: Clock,
        public_url: str,
        document_url: str = "",
        documents_reachable: bool = True,
    ) -> None:
        self._database = database
        self._vault = vault
        self._desk = desk
        self._leases = leases
        self._parse = parse
        self._clock = clock
        self._public_url = public_url
        self._document_url = document_url or f"{public_url}/oauth/client/{{issuer}}.json"
        self._keys = ClientKeys(database, vault=vault, clock=clock)
        # A document that somebody else serves is a copy, which does not learn of a key that is made later.
        self._own_documents = not document_url
        self._has_documents = documents_reachable and self._document_url.startswith("https://")
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    # --- what others see of us --------------------------------------------------------------------------------------

    def callback(self, issuer: str) -> str:
        """The one address that this server sends people back to (CON-42): fixed, whatever a request's Host says."""
        return f"{self._public_url}/oauth/callback/{issuer_hash(issuer)}"

    async def document(self, issuer_hash: str) -> dict[str, Any]:
        """Our metadata document for a server, by its short name. Raises `NotFound` for what cannot be one."""
        if not _HASH.fullmatch(issuer_hash):
            raise NotFound("There is no such document.")
        return client_document(
            client_id=self._document_url.replace("{issuer}", issuer_hash),
            name=NAME,
            home=self._public_url,
            redirect_uri=f"{self._public_url}/oauth/callback/{issuer_hash}",
            key=await self._keys.public(issuer_hash),
        )

    def key_set_url(self, issuer: str) -> str:
        """Where `key_set` is published."""
        return f"{self._public_url}/oauth/client/{issuer_hash(issuer)}.jwks"

    async def key_set(self, issuer_hash: str) -> dict[str, Any]:
        """Our public key for a server as a JSON Web Key Set, for whoever registers us there by hand. `NotFound`."""
        key = await self._keys.public(issuer_hash) if _HASH.fullmatch(issuer_hash) else None
        if key is None:
            raise NotFound("There is no such key.")
        return {"keys": [key]}

    # --- who we are -------------------------------------------------------------------------------------------------

    async def source(self, connector: Connector, server: AuthorizationServer, steps: Steps) -> str:
        """How we will be known there: `preregistered`, `cimd` or `dcr`. Raises `StepFailed` if in no way."""
        if connector.auth.get("client_id"):
            return "preregistered"
        wanted, takes_document = connector.auth.get("client", ""), self._may_use_document(server)
        registers = server.registration_endpoint is not None and not connector.auth.get("no_registration")
        if wanted != "register" and takes_document:
            return "cimd"
        if wanted != "document" and registers:
            return "dcr"
        host = self._parse(server.issuer).host
        page, by_hand = connector.auth.get("console_url", ""), " ".join(connector.auth.get("console_steps", ()))
        how = f"{by_hand} ({page})" if page else by_hand or "Register Valetkey there, then add its client id."
        says, hint = "wants a client id that was registered by hand.", f"{how} The callback is "
        if registers or takes_document:  # CUS-01: the other way was chosen
            says = (
                f"{'registers clients' if registers else 'takes published documents'}; the other way was chosen here."
            )
            hint = "Choose this one in the connector's settings, or register us by hand, with the callback "
        raise await steps.failed(
            f"{host} {says}",
            kind="registration_failed",
            stage=STAGE,
            party=host,
            hint=hint + self.callback(server.issuer),
        )

    async def identify(self, connector: Connector, server: AuthorizationServer, steps: Steps) -> Client:
        """Our client there, registering it first if need be. The caller wipes its secret. Raises `StepFailed`."""
        await self.source(connector, server, steps)
        if known := await self.known(connector, server):
            return known
        lock = self._locks.setdefault(server.issuer, asyncio.Lock())
        async with lock:
            return await self._registered(server) or await self._register_once(server, steps)

    async def known(self, connector: Connector, server: AuthorizationServer) -> Client | None:
        """Our client there, if there is one without registering. The caller wipes its secret."""
        if connector.auth.get("client_id"):
            return await self._preregistered(connector, server)
        if connector.auth.get("client") != "register" and self._may_use_document(server):
            client_id = self._document_url.replace("{issuer}", issuer_hash(server.issuer))
            return await self._signing(server, client_id) if self._signs(server) else Client(client_id, "none")
        return await self._registered(server)

    async def _signing(self, server: AuthorizationServer, client_id: str) -> Client:
        """This client, with a statement for one request that it is who it says."""
        return Client(client_id, "private_key_jwt", await self._keys.assertion(server, client_id))

    def _signs(self, server: AuthorizationServer) -> bool:
        """Whether we prove with a key, where our document is used, who we are."""
        return takes_assertions(server) and (self._own_documents or "none" not in server.client_auths)

    async def refused(self, connector: Connector, server: AuthorizationServer, client_id: str, steps: Steps) -> bool:
        """The server does not know `client_id` (any more). Whether we shall register anew, which only cures a
        registration of our own; a client id that somebody typed is theirs to correct (CON-14)."""
        if connector.auth.get("client_id"):
            return False
        async with self._database.write() as tx:
            forgotten = await repository.delete_identity(
                tx, issuer_hash=issuer_hash(server.issuer), callback=self.callback(server.issuer), client_id=client_id
            )
        if forgotten:
            await self._vault.shred(self._subject(server.issuer))
            await steps.note(STAGE, "", reason="The server has forgotten us; the next connect registers anew.")
        return forgotten

    async def hold_secret(self, connector: Connector, server: AuthorizationServer, secret: Secret) -> None:
        """Seals the secret of a connector's typed client id, for this server's token endpoint only."""
        if not connector.auth.get("client_id"):
            raise BadInput("There is no client id to which this secret would belong.", field="client_secret")
        await self._vault.seal(secret, bound_to=self._typed_binding(connector, server))

    def _may_use_document(self, server: AuthorizationServer) -> bool:
        # CON-13: half declared is not declared. Else it would want a secret, which no document can hold.
        fits = "none" in server.client_auths or self._signs(server)
        return self._has_documents and server.takes_client_documents and fits

    async def _preregistered(self, connector: Connector, server: AuthorizationServer) -> Client:
        client_id = str(connector.auth["client_id"])
        try:
            secret = await self._vault.reveal_for_exchange(
                bound_to=self._typed_binding(connector, server), use=Use.CLIENT_AUTHENTICATION
            )
        except NothingSealed:
            if takes_assertions(server) and "none" not in server.client_auths:
                return await self._signing(server, client_id)
            return Client(client_id, "none")
        return Client(client_id, secret_auth(server), secret)

    async def _registered(self, server: AuthorizationServer) -> Client | None:
        async with self._database.read() as tx:
            known = await repository.find_identity(
                tx, issuer_hash=issuer_hash(server.issuer), callback=self.callback(server.issuer)
            )
        auth = next((auth for auth in CLIENT_AUTHS if known is not None and auth == known.auth_method), None)
        if known is None or auth is None:
            return None
        if auth == "private_key_jwt":
            try:
                return await self._signing(server, known.client_id)
            except VaultFailed:
                return None  # the key is lost: we register anew, with another
        if not known.has_secret:
            return Client(known.client_id, auth)
        try:
            secret = await self._vault.reveal_for_exchange(
                bound_to=self._binding(server, "client_secret"), use=Use.CLIENT_AUTHENTICATION
            )
        except VaultFailed:
            return None  # sealed for another token endpoint, or lost: it is not sent anywhere, and we register anew
        return Client(known.client_id, auth, secret)

    async def _register_once(self, server: AuthorizationServer, steps: Steps) -> Client:
        """One registration over all processes: the others wait for the one that holds the lease."""
        host = self._parse(server.issuer).host
        for _ in range(int(_LEASE_SECONDS / _POLL_SECONDS)):
            lease = await self._leases.take(f"register:{issuer_hash(server.issuer)}", seconds=_LEASE_SECONDS)
            if lease is not None:
                try:
                    return await self._registered(server) or await self._register(server, steps, lease)
                finally:
                    await self._leases.give_back(lease)
            await self._clock.sleep(_POLL_SECONDS)
            if known := await self._registered(server):
                return known
        raise await steps.failed(
            f"{host} is still registering us.",
            kind="registration_failed",
            stage=STAGE,
            party=host,
            hint="Try again in a minute.",
        )

    async def _register(self, server: AuthorizationServer, steps: Steps, lease: Lease) -> Client:
        endpoint = server.registration_endpoint
        assert endpoint is not None  # `source` said dcr
        line = request_line("POST", endpoint)
        callback = self.callback(server.issuer)
        steps.stage = STAGE
        try:
            auth = preferred_auth(server.client_auths, can_sign=takes_assertions(server))
            key = await self._keys.of(server) if auth == "private_key_jwt" else None
            wish = registration_request(name=NAME, home=self._public_url, redirect_uri=callback, auth=auth, key=key)
            replied = await self._desk.register(
                endpoint, issuer=server.issuer, document=wish, redirect_uri=callback, asked=auth
            )
            new = replied.registered
        except (RegistrationRefused, Moved, BadAnswer, TooLarge) as refused:
            raise await steps.failed(
                scrubbed(refused.message),
                kind="registration_failed",
                stage=STAGE,
                party=endpoint.host,
                hint=f"Register Valetkey there by hand, with the callback {callback}, and enter the client id.",
                request=line,
                status=getattr(refused, "status", None),
            ) from refused
        except OutboundFailed as failed:
            raise await steps.failed(
                failed.message,
                kind="unreachable",
                stage=STAGE,
                party=endpoint.host,
                hint=failed.hint or "Try again later.",
                request=line,
            ) from failed
        await steps.note(
            STAGE, line, status=replied.status, reason=f"registered, to prove who we are by {new.client.auth}"
        )
        await self._keep(server, callback, new, lease)
        return await self._signing(server, new.client.id) if key is not None else new.client

    async def _keep(self, server: AuthorizationServer, callback: str, new: Registered, lease: Lease) -> None:
        if not await self._leases.is_current(lease):
            return  # somebody took over while we waited; theirs is the one that is kept
        subject = self._subject(server.issuer)
        await self._vault.shred(subject)
        sealed: list[tuple[Secret, Binding]] = []
        if new.client.secret is not None:
            sealed.append((new.client.secret, self._binding(server, "client_secret")))
        if new.management_token is not None and (management := self._management_origin(new.management_uri)):
            binding = self._binding(server, "registration_access_token", origin=management.origin)
            sealed.append((new.management_token, binding))
        if sealed:
            await self._vault.seal_many(sealed)
        async with self._database.write() as tx:
            await repository.put_identity(
                tx,
                Identity(
                    issuer_hash=issuer_hash(server.issuer),
                    callback=callback,
                    source="dcr",
                    client_id=new.client.id,
                    auth_method=new.client.auth,
                    has_secret=new.client.secret is not None,
                    registration_uri=new.management_uri,
                    created_at=self._clock.now(),
                ),
            )

    def _management_origin(self, text: str) -> Url | None:
        try:
            return self._parse(text)
        except BadInput:
            return None

    def _subject(self, issuer: str) -> str:
        # The callback is part of who we are: with another public URL we are another client.
        return f"client:{issuer_hash(issuer)}:{sha256(self.callback(issuer).encode()).hexdigest()[:16]}"

    def _binding(self, server: AuthorizationServer, purpose: str, *, origin: str = "") -> Binding:
        return Binding(
            tenant=_TENANT,
            person="",
            subject=self._subject(server.issuer),
            purpose=purpose,
            origin=origin or server.token_endpoint.origin,
            issuer=server.issuer,
        )

    def _typed_binding(self, connector: Connector, server: AuthorizationServer) -> Binding:
        return Binding(
            tenant=connector.organization_id,
            person="",
            subject=typed_client(connector.id),
            purpose="client_secret",
            origin=server.token_endpoint.origin,
            issuer=server.issuer,
            connector=connector.id,
            connector_version=connector.version,
        )

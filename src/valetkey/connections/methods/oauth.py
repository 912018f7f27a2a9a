"""OAuth: the access token goes to the connector and nowhere else, the refresh token to its token endpoint alone."""

from __future__ import annotations

from collections.abc import Iterable

from valetkey.connections.methods import header
from valetkey.connections.model import Connection
from valetkey.directory.model import Connector
from valetkey.kernel.secret import Secret
from valetkey.oauth.model import AuthorizationServer, TokenSet
from valetkey.vault.model import BEARER, Binding, HeaderTemplate, Mark
from valetkey.vault.verbs import Vault

ACCESS = "access_token"
REFRESH = "refresh_token"


def access_binding(connection: Connection, connector: Connector) -> Binding:
    """What the access token belongs to; its origin is the connector's, as it was consented to."""
    return _binding(connection, connector, ACCESS, connector.origin)


def refresh_binding(connection: Connection, connector: Connector, server: AuthorizationServer) -> Binding:
    """What the refresh token belongs to: with another token endpoint's origin it cannot be opened."""
    return _binding(connection, connector, REFRESH, server.token_endpoint.origin)


def parts(
    connection: Connection, connector: Connector, sealed: Iterable[str]
) -> tuple[tuple[HeaderTemplate, Binding], ...]:
    """The header lines of a call: the token, and what headers the person gave beside it (CUS-03)."""
    return ((BEARER, access_binding(connection, connector)), *header.parts(connection, connector, sealed))


async def seal(
    vault: Vault,
    connection: Connection,
    connector: Connector,
    server: AuthorizationServer,
    tokens: TokenSet,
    *,
    since: Mark | None = None,
) -> int:
    """Seals a token set as one; the access token's generation. A refresh token that did not come is kept as it is.

    `connection.issuer` must be the server's already: it is part of what the tokens are bound to. Raises `Overtaken` if
    anything was shredded or sealed for the connection since the mark.
    """
    items: list[tuple[Secret, Binding]] = [(tokens.access_token, access_binding(connection, connector))]
    if tokens.refresh_token is not None:
        items.append((tokens.refresh_token, refresh_binding(connection, connector, server)))
    return (await vault.seal_many(items, since=since))[0]


def wipe(tokens: TokenSet) -> None:
    """Forgets the plaintext of a token set that is sealed, or given up."""
    tokens.access_token.wipe()
    if tokens.refresh_token is not None:
        tokens.refresh_token.wipe()


def _binding(connection: Connection, connector: Connector, purpose: str, origin: str) -> Binding:
    return Binding(
        tenant=connection.organization_id,
        person=connection.person_id,
        subject=connection.id,
        purpose=purpose,
        origin=origin,
        issuer=connection.issuer,
        connector=connector.id,
        connector_version=connection.connector_version,
    )

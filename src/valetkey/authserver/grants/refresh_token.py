"""The grant that goes on with it: a refresh token for new tokens."""

from __future__ import annotations

from valetkey.authserver.form import Parameters
from valetkey.authserver.grants.resource import read_resource
from valetkey.authserver.model import SCOPES, OAuthError
from valetkey.identity.families import Families
from valetkey.identity.model import Client, Issued
from valetkey.kernel.secret import Secret


async def exchange(form: Parameters, client: Client, families: Families, *, public_url: str) -> Issued:
    """RFC 6749 6. Raises `OAuthError` or `GrantRefused`."""
    if "refresh_token" not in form:
        raise OAuthError("invalid_request", "refresh_token is missing.")
    if set(form.get("scope", "").split()) - SCOPES:
        raise OAuthError("invalid_scope", "The scope is more than was granted.")
    return await families.refresh(
        Secret(form["refresh_token"]), client=client, resource=read_resource(form, public_url=public_url)
    )

"""The grant that starts it: a code, and the verifier that only the client who asked for it has."""

from __future__ import annotations

from valetkey.authserver.form import Parameters
from valetkey.authserver.grants.resource import read_resource
from valetkey.authserver.model import OAuthError
from valetkey.identity.families import Families
from valetkey.identity.model import Client, Issued
from valetkey.kernel.secret import Secret


async def exchange(form: Parameters, client: Client, families: Families, *, public_url: str) -> Issued:
    """RFC 6749 4.1.3 with RFC 7636 4.5. Raises `OAuthError` or `GrantRefused`."""
    for name in ("code", "code_verifier"):
        if name not in form:
            raise OAuthError("invalid_request", f"{name} is missing.")
    return await families.redeem(
        Secret(form["code"]),
        client=client,
        redirect_uri=form.get("redirect_uri"),
        code_verifier=form["code_verifier"],
        resource=read_resource(form, public_url=public_url),
    )

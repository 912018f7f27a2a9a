"""The resource a token request names: it may repeat the one of the grant, and no other (RFC 8707 2.2)."""

from __future__ import annotations

from valetkey.authserver.form import Parameters
from valetkey.authserver.model import OAuthError
from valetkey.identity.resources import is_mcp_resource


def read_resource(form: Parameters, *, public_url: str) -> str | None:
    """The path named, or `None` if the request names none. Raises `OAuthError` for what is no resource of ours."""
    resource = form.get("resource")
    if resource is None:
        return None
    path = resource.removeprefix(public_url)
    if path == resource or not is_mcp_resource(path):
        raise OAuthError("invalid_target", f"The resource is not one of {public_url}.")
    return path

"""Asking the person: what the consent page shows about a request, in words."""

from __future__ import annotations

from urllib.parse import urlsplit

from valetkey.authserver.model import AuthorizationRequest, ConsentView
from valetkey.identity.client_documents import is_document_id
from valetkey.identity.redirects import RedirectKind
from valetkey.identity.resources import connector_of, profile_of

ACTION = "/oauth/authorize"
DOCUMENT_HASH = "document_hash"

__all__ = ["ACTION", "DOCUMENT_HASH", "ConsentView", "consent_view"]


def consent_view(asked: AuthorizationRequest, *, public_url: str) -> ConsentView:
    """The page for this request. Its hidden fields are the request again, checked anew when they come back."""
    client, redirect = asked.client, asked.redirect
    connector, _ = connector_of(asked.resource)
    return ConsentView(
        client_name=client.name,
        client_id=client.id,
        client_host=urlsplit(client.id).hostname or "" if is_document_id(client.id) else "",
        kind=client.kind,
        verified=client.kind == "pinned",
        redirect_host=redirect.host,
        is_loopback=redirect.kind is RedirectKind.LOOPBACK,
        is_private_use=redirect.kind is RedirectKind.PRIVATE,
        resource=asked.resource,
        covers=_covers(asked.resource),
        connector=connector,
        profile=profile_of(asked.resource),
        scopes=("List and call the tools that you have switched on there.", "Stay signed in until you end it."),
        action=ACTION,
        fields=_fields(asked, public_url),
        redirect_origin=redirect.origin,
    )


def _covers(resource: str) -> str:
    connector, label = connector_of(resource)
    if profile := profile_of(resource):
        return f"What your profile “{profile}” names, and nothing else."
    if not connector:
        return "All the services you have connected, and those you connect later."
    if label is None:
        return f"Your default account at {connector}, and nothing else."
    return f"Your account “{label}” at {connector}, and nothing else."


def _fields(asked: AuthorizationRequest, public_url: str) -> tuple[tuple[str, str], ...]:
    fields = {
        "response_type": "code",
        "client_id": asked.client.id,
        "redirect_uri": asked.redirect.uri if asked.redirect_uri_given else "",
        "state": asked.state or "",
        "code_challenge": asked.code_challenge,
        "code_challenge_method": "S256",
        "resource": f"{public_url}{asked.resource}",
        "scope": asked.scope,
        # What the person sees is what they agree to: another document by then is shown again.
        DOCUMENT_HASH: asked.client.document_hash,
    }
    return tuple((name, value) for name, value in fields.items() if value)

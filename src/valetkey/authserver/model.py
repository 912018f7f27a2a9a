"""The values of the authorization server, and its one error: the word and the sentence of RFC 6749."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from valetkey.identity.model import BrowserSession, Client
from valetkey.identity.redirects import Redirect
from valetkey.kernel.errors import BadInput, ValetkeyError

SCOPES = frozenset({"mcp", "offline_access"})
"""What may be asked for. Granted is always `mcp`: a refresh token comes with it, asked for or not."""

GRANTED_SCOPE = "mcp"


class OAuthError(BadInput):
    """An error that goes back to the client: `error` is the RFC's word, `message` the description."""

    code: ClassVar[str] = "oauth_error"

    def __init__(self, error: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.error = error
        self.status = status


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request to `/oauth/authorize` that passed every check. `resource` is a path of this hub."""

    client: Client
    redirect: Redirect
    redirect_uri_given: bool
    state: str | None
    code_challenge: str
    resource: str
    scope: str
    prompt: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentView:
    """What the consent page shows, and what its form sends back.

    The form posts `fields` (hidden), the page's CSRF token as `csrf`, and `decision` (`allow` or `deny`) to `action`.
    """

    client_name: str
    """As the client calls itself: a claim, to be shown beside `client_host`."""
    client_id: str
    client_host: str
    """The host that vouches for the name; empty for a registered client, for which nobody does."""
    kind: str
    verified: bool
    """The operator pinned this client's document."""
    redirect_host: str
    """Where the browser goes next, with the code."""
    is_loopback: bool
    is_private_use: bool
    resource: str
    covers: str
    """What the resource reaches, in words."""
    connector: str
    """The one connector it is about; empty for several."""
    profile: str
    """The person's profile that names what it is about; empty when none does."""
    scopes: tuple[str, ...]
    """What may be done there, in words."""
    action: str
    fields: tuple[tuple[str, str], ...]
    redirect_origin: str
    """For the page's CSP `form-action`: some browsers apply it to the redirect that answers the form."""


SignedIn = Callable[[Request], Awaitable[BrowserSession | None]]
CheckCsrf = Callable[[Request, BrowserSession, str], None]
"""Raises `Forbidden`; the string is the form's `csrf` field."""
ToSignIn = Callable[[Request, BrowserSession | None], Response]
"""Sends the browser to sign in (or, with a link's session, to set a credential), and back here afterwards."""
RenderConsent = Callable[[Request, BrowserSession, ConsentView], Awaitable[Response]]
RenderProblem = Callable[[Request, ValetkeyError], Response]
CimdWorks = Callable[[], bool]
NetworkOf = Callable[[Request], str]

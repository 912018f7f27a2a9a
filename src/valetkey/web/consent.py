"""The page on which a person lets an assistant in. What it shows and sends back is the authorization server's."""

from __future__ import annotations

from typing import Protocol

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.kernel.errors import NotFound
from valetkey.web.profiles import describe
from valetkey.web.visit import Visit


class ConsentView(Protocol):
    """The authorization server's view of a request. It is our neighbor, so we know it by its fields.

    The form posts `fields`, the CSRF token and `decision` (`allow` or `deny`) to `action`.
    """

    @property
    def client_name(self) -> str: ...
    @property
    def client_host(self) -> str: ...
    @property
    def verified(self) -> bool: ...
    @property
    def redirect_host(self) -> str: ...
    @property
    def is_loopback(self) -> bool: ...
    @property
    def is_private_use(self) -> bool: ...
    @property
    def resource(self) -> str: ...
    @property
    def covers(self) -> str: ...
    @property
    def connector(self) -> str: ...
    @property
    def profile(self) -> str: ...
    @property
    def scopes(self) -> tuple[str, ...]: ...
    @property
    def action(self) -> str: ...
    @property
    def fields(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def redirect_origin(self) -> str: ...


async def consent_page(visit: Visit, view: ConsentView) -> Response:
    """The page; its `form-action` also names where the answer will redirect to, and nothing more."""
    connector: Connector | None = None
    if view.connector:
        try:
            connector = await visit.services.connectors.get(view.connector, visit.person)
        except NotFound:
            connector = None  # a token for a connector that does not exist opens nothing, and says nothing
    reach = await describe(visit, view.profile) if view.profile else ()
    return visit.page("consent.html", form_action=view.redirect_origin, view=view, connector=connector, reach=reach)

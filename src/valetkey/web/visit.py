"""One request as an action sees it: who is here, what they sent, and how to answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from valetkey.identity.model import BrowserSession, Person, Principal
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import NotSignedIn
from valetkey.web.form import Form
from valetkey.web.pages import Pages
from valetkey.web.services import Services
from valetkey.web.session_cookie import Cookies


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request that has passed the door. `public_url` is the hub's origin; `csrf` is for the forms of the answer."""

    request: Request
    services: Services
    pages: Pages
    cookies: Cookies
    clock: Clock
    public_url: str
    signed_in_as: BrowserSession | None
    form: Form
    csrf: str

    @property
    def session(self) -> BrowserSession:
        if self.signed_in_as is None:
            raise NotSignedIn("Please sign in.")
        return self.signed_in_as

    @property
    def person(self) -> Person:
        return self.session.person

    @property
    def actor(self) -> str:
        """Who acts, as the trail writes it."""
        return f"person:{self.person.id}"

    @property
    def principal(self) -> Principal:
        """The person at their browser, for the rooms that ask who is asking."""
        return principal_of(self.session)

    @property
    def network(self) -> str:
        """The address the request came from, to limit guessing by."""
        return self.request.client.host if self.request.client else ""

    def path(self, name: str) -> str:
        """A part of the path, as named in the site map."""
        return str(self.request.path_params[name])

    def query(self, name: str, *, limit: int = 200) -> str:
        """A query parameter, at most `limit` characters; empty if it was not given."""
        return self.request.query_params.get(name, "")[:limit]

    def page(self, template: str, *, status: int = 200, form_action: str = "", **values: Any) -> HTMLResponse:
        return self.pages.render(self, template, status=status, form_action=form_action, values=values)

    def go(self, path: str, *, done: str = "") -> Response:
        """See other: after a change, the browser is sent to a page that shows it. `done` names a notice."""
        separator = "&" if "?" in path else "?"
        return Response(status_code=303, headers={"location": f"{path}{separator}done={done}" if done else path})


def principal_of(session: BrowserSession) -> Principal:
    """The person of a browser session."""
    person = session.person
    return Principal(
        kind="session", person_id=person.id, organization_id=person.organization_id, role=person.role, client_id="",
        client_name="Valetkey pages", audience="", scopes=frozenset(), credential_id=session.id,
    )  # fmt: skip

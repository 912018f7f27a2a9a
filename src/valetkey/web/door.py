"""The door for people: every page passes here, and nothing passes that was not let in on purpose."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from valetkey.audit.asked import asking
from valetkey.audit.refusals import Refusals, Told
from valetkey.connections.model import StepFailed
from valetkey.identity.acting import acting_as
from valetkey.identity.model import BrowserSession
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import Forbidden, NotFound, NotSignedIn, TooMany, ValetkeyError
from valetkey.kernel.ids import new_id
from valetkey.store.acting import HUB, Acting, on_behalf_of
from valetkey.web import csrf
from valetkey.web.errors import status_and_title
from valetkey.web.form import Form, read_form
from valetkey.web.headers import harden
from valetkey.web.hosts import is_loopback
from valetkey.web.pages import Pages
from valetkey.web.powers import NotTheirs, PowersRest
from valetkey.web.return_path import local_path, with_return
from valetkey.web.services import Services
from valetkey.web.session_cookie import Cookies
from valetkey.web.visit import Visit, principal_of

Action = Callable[[Visit], Awaitable[Response]]
_REFUSED = (Forbidden, NotTheirs)


class Access(Enum):
    """Who may open a page. `LINKED` also lets in a browser that came by a one-time link and has no credential yet."""

    PUBLIC = "public"
    LINKED = "linked"
    SIGNED_IN = "signed in"


@dataclass(frozen=True, slots=True)
class Page:
    """One line of the site map. `script` says that a script of ours sends JSON here, not a form; `takes_file`, that a

    file of so many bytes may come with its form.
    """

    method: str
    path: str
    action: Action
    access: Access = Access.SIGNED_IN
    script: bool = False
    takes_file: int = 0


class Door:
    """Lets requests in. `public_url` is the hub's origin."""

    def __init__(self, *, services: Services, clock: Clock, public_url: str) -> None:
        self._services = services
        self._clock = clock
        self._refusals = Refusals(services.trail, clock)
        self._public_url = public_url
        self._https = public_url.startswith("https://")
        self._host = public_url.partition("://")[2]
        self.cookies = Cookies(secure=self._https)
        self.pages = Pages(clock=clock)

    def endpoint(self, pages: Mapping[str, Page]) -> Endpoint:
        return Endpoint(self, pages)

    async def open(self, request: Request, pages: Mapping[str, Page]) -> Response:
        """The answer to `request`, whatever happens on the way."""
        session: BrowserSession | None = None
        form: Form | None = None
        try:
            if (elsewhere := self._check_host(request)) is not None:  # 1. meant for us?
                return self._finish(elsewhere)
            session = await self.session(request)  # 2. who?
            page = pages.get("GET" if request.method == "HEAD" else request.method)  # 3. what?
            if not pages:
                raise NotFound("There is no such page.", hint="It may have been moved or removed.")
            if page is None:
                allowed = ", ".join(sorted(pages))
                return self._finish(PlainTextResponse("Method Not Allowed", 405, headers={"allow": allowed}))
            if (turned_away := self._check_access(request, page, session)) is not None:  # 4. may they?
                return self._finish(turned_away)
            form = await self._check_sender(request, page, session)  # 5. did they mean to?
            with on_behalf_of(_for(page, session)):
                answer = await self._act(request, page, session, form)  # 6. do it
        except PowersRest:
            answer = self._to_confirm(request, pages)
        except ValetkeyError as error:
            if form is not None:  # they meant to: a page of somebody else's cannot fill the trail
                await self._tell_refused(request, pages, session, error)
            is_script = request.method in pages and pages[request.method].script
            answer = _for_script(error) if is_script else self.problem(request, error, session)
        except Exception as error:  # noqa: BLE001 – the outermost door, one of the two places for it
            answer = self._unforeseen(request, session, error)
        return self._finish(answer)

    async def _tell_refused(
        self, request: Request, pages: Mapping[str, Page], session: BrowserSession | None, error: ValetkeyError
    ) -> None:
        """That somebody tried to change what they may not is an event, like what was changed (ORG-12)."""
        page = pages.get(request.method)
        is_news = isinstance(error, _REFUSED) and not isinstance(error, Told)
        if page is None or page.method == "GET" or session is None or not is_news:
            return
        person = session.person
        await self._refusals.tell(
            f"{page.method} {page.path}", actor=f"person:{person.id}", organization_id=person.organization_id,
            person_id=person.id, because=error.code,
        )  # fmt: skip

    async def session(self, request: Request) -> BrowserSession | None:
        cookie = self.cookies.session(request)
        return await self._services.sessions.find(cookie) if cookie else None

    def visit(self, request: Request, session: BrowserSession | None, form: Form, *, token: str) -> Visit:
        return Visit(
            request=request, services=self._services, pages=self.pages, cookies=self.cookies, clock=self._clock,
            public_url=self._public_url, signed_in_as=session, form=form, csrf=token,
        )  # fmt: skip

    def check_csrf(self, request: Request, session: BrowserSession | None, token: str) -> None:
        """Raises `Forbidden` unless a page of ours, in this browser, sent this."""
        csrf.check_origin(request, origin=self._public_url)
        csrf.check_token(token, csrf.token_for(session, self.cookies.visit(request)))

    def to_sign_in(self, request: Request, session: BrowserSession | None = None) -> Response:
        """Sends the browser to sign in (or, come by a link, to set a credential), to return to this page after."""
        to = ""
        if request.method == "GET":
            query = request.scope["query_string"].decode("ascii", "replace")
            to = local_path(request.scope["path"] + (f"?{query}" if query else ""), otherwise="")
        if session is not None:
            return Response(status_code=303, headers={"location": with_return("/welcome", to)})
        return Response(status_code=303, headers={"location": with_return("/signin", to)})

    def _to_confirm(self, request: Request, pages: Mapping[str, Page]) -> Response:
        """Sends the browser to prove who is there, and then to this page; what a form held is asked for again."""
        path = request.scope["path"]
        if "GET" not in pages:
            path = "/" + path.split("/")[1]
        return Response(status_code=303, headers={"location": with_return("/signin/again", local_path(path))})

    def problem(self, request: Request, error: ValetkeyError, session: BrowserSession | None = None) -> Response:
        """The page for an error."""
        if isinstance(error, NotSignedIn) and session is None and request.method == "GET":
            return self.to_sign_in(request)
        status, title = status_and_title(error)
        reference = error.reference if isinstance(error, StepFailed) else ""
        if status >= 500 and not reference:
            reference = new_id("ref")
            structlog.get_logger(__name__).warning(
                "a page could not be shown", reference=reference, code=error.code, reason=error.message
            )
        answer = self._page(request, session, "problem.html", status=status, title=title, message=error.message,
                            hint=error.hint, reference=reference)  # fmt: skip
        if isinstance(error, TooMany):
            answer.headers["retry-after"] = str(max(1, round(error.retry_after)))
        return answer

    def _unforeseen(self, request: Request, session: BrowserSession | None, error: Exception) -> Response:
        """A page with a reference. The log gets the places, not the values: those may be secrets."""
        reference = new_id("ref")
        places = [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(error.__traceback__)]
        structlog.get_logger(__name__).error(
            "a page failed", reference=reference, kind=type(error).__name__, places=places[-8:]
        )
        return self._page(
            request,
            session,
            "problem.html",
            status=500,
            title="Something went wrong here",
            message="The fault is on our side and has been written down.",
            hint="",
            reference=reference,
        )

    def finish(self, response: Response) -> Response:
        return self._finish(response)

    def _check_host(self, request: Request) -> Response | None:
        host = request.headers.get("host", "").lower()
        if host == self._host:
            return None
        name, _, port = self._host.rpartition(":")
        own_name, _, own_port = host.rpartition(":")
        if request.method in csrf.SAFE_METHODS and is_loopback(name or port) and is_loopback(own_name or own_port):
            # Typed 127.0.0.1 for localhost: the same hub, but cookies and passkeys know one name only.
            query = request.scope["query_string"].decode("ascii", "replace")
            path = local_path(request.scope["path"] + (f"?{query}" if query else ""))
            return Response(status_code=307, headers={"location": self._public_url + path})
        return PlainTextResponse("This is not the host you are looking for.\n", 421)

    def _check_access(self, request: Request, page: Page, session: BrowserSession | None) -> Response | None:
        if page.access is Access.PUBLIC:
            return None
        if session is None:
            return self.to_sign_in(request)
        if page.access is Access.LINKED:
            return None
        if session.method == "link":
            # A link proves that somebody had the link; it sets a credential and does nothing else.
            return self.to_sign_in(request, session)
        return None

    async def _check_sender(self, request: Request, page: Page, session: BrowserSession | None) -> Form:
        if request.method in csrf.SAFE_METHODS:
            return Form()
        csrf.check_origin(request, origin=self._public_url)
        form = Form() if page.script else await read_form(request, most_of_file=page.takes_file)
        given = request.headers.get(csrf.HEADER, "") if page.script else form.verbatim(csrf.FIELD, limit=200)
        csrf.check_token(given, csrf.token_for(session, self.cookies.visit(request)))
        return form

    async def _act(self, request: Request, page: Page, session: BrowserSession | None, form: Form) -> Response:
        known = self.cookies.visit(request)
        if session is not None or known or request.method not in csrf.SAFE_METHODS:
            return await page.action(self.visit(request, session, form, token=csrf.token_for(session, known)))
        # The first page of a stranger: give the browser a cookie that its forms are tied to.
        visit = self.cookies.new_visit()
        response = await page.action(self.visit(request, None, form, token=csrf.token_for(None, visit)))
        self.cookies.begin_visit(response, visit)
        return response

    def _page(
        self, request: Request, session: BrowserSession | None, template: str, *, status: int, **values: str
    ) -> Response:
        token = csrf.token_for(session, self.cookies.visit(request))
        return self.visit(request, session, Form(), token=token).page(template, status=status, **values)

    def _finish(self, response: Response) -> Response:
        harden(response.headers, https=self._https)  # 7. say what the browser must not do
        return response


def _for(page: Page, session: BrowserSession | None) -> Acting:
    """Whose rows an action reaches. Signing in, and what anybody may see, the hub does itself, whoever was there."""
    if session is None or page.access is not Access.SIGNED_IN:
        return HUB
    return acting_as(principal_of(session))


def _for_script(error: ValetkeyError) -> Response:
    """An error for a script of ours, which shows the words beside its button."""
    return JSONResponse({"message": str(error)}, status_and_title(error)[0])


class Endpoint:
    """One path as an ASGI app: every method comes in by the same door, so that a 405 is guarded too."""

    def __init__(self, door: Door, pages: Mapping[str, Page]) -> None:
        self._door = door
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with asking(scope):
            response = await self._door.open(Request(scope, receive), self._pages)
        await response(scope, receive, send)

"""The authorization endpoint: who asks, for what, and does the person agree?

Client and redirect URI come first: until both are known to belong together nothing is redirected, for a redirect to a
stranger's address is an open redirect (OAuth 2.1 4.1.2.1). After that every error goes back with `state` and `iss`.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from valetkey.authserver.answers import redirect_answer
from valetkey.authserver.consent import DOCUMENT_HASH, consent_view
from valetkey.authserver.form import Parameters, read_form, read_parameters
from valetkey.authserver.model import (
    GRANTED_SCOPE,
    SCOPES,
    AuthorizationRequest,
    CheckCsrf,
    NetworkOf,
    OAuthError,
    RenderConsent,
    RenderProblem,
    SignedIn,
    ToSignIn,
)
from valetkey.authserver.throttle import Throttle
from valetkey.identity.clients import Clients
from valetkey.identity.consents import Consents
from valetkey.identity.families import Families
from valetkey.identity.model import BrowserSession, Client, ClientRefused
from valetkey.identity.redirects import Redirect, match_redirect, read_redirect
from valetkey.identity.resources import MCP, is_mcp_resource
from valetkey.kernel.errors import BadInput, NotSignedIn, ValetkeyError

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in URL-safe base64 without padding (RFC 7636 4.2)
_LONGEST_STATE = 2000
_PROMPTS = frozenset({"none", "consent", "login", "select_account"})


class _Bounced(Exception):
    """An error that goes back to the client's redirect URI."""

    def __init__(self, redirect: Redirect, state: str | None, error: OAuthError) -> None:
        super().__init__(error.error)
        self.redirect = redirect
        self.state = state
        self.error = error


class Authorize:
    """GET asks the person, POST takes the decision."""

    def __init__(
        self,
        *,
        public_url: str,
        clients: Clients,
        consents: Consents,
        families: Families,
        throttle: Throttle,
        network: NetworkOf,
        signed_in: SignedIn,
        check_csrf: CheckCsrf,
        to_sign_in: ToSignIn,
        render_consent: RenderConsent,
        render_problem: RenderProblem,
    ) -> None:
        self._public_url = public_url
        self._clients = clients
        self._consents = consents
        self._families = families
        self._throttle = throttle
        self._network = network
        self._signed_in = signed_in
        self._check_csrf = check_csrf
        self._to_sign_in = to_sign_in
        self._render_consent = render_consent
        self._render_problem = render_problem

    async def ask(self, request: Request) -> Response:
        """GET: to the client with a code where the person agreed before, else the consent page."""
        try:
            self._throttle.knock(self._network(request))
            parameters = read_parameters(request.scope["query_string"])
            asked = await self._read(parameters)  # 1. is it a request of this client?
            session = await self._signed_in(request)  # 2. who is here?
            if session is None or session.method == "link":
                self._unless_silent(asked, "login_required")
                return self._to_sign_in(request, session)
            if await self._is_agreed(asked, session):  # 3. did they agree before?
                return await self._send_code(asked, session, status=302)
            self._unless_silent(asked, "consent_required")
            view = consent_view(asked, public_url=self._public_url)
            return await self._render_consent(request, session, view)  # 4. else ask
        except _Bounced as bounced:
            return self._send_error(bounced, status=302)
        except ValetkeyError as error:
            return self._render_problem(request, error)

    async def decide(self, request: Request) -> Response:
        """POST: the person's decision, with the request again."""
        try:
            self._throttle.knock(self._network(request))
            session = await self._signed_in(request)  # 1. who decides?
            if session is None or session.method == "link":
                raise NotSignedIn("You are no longer signed in.", hint="Sign in, and start again in the assistant.")
            form = await read_form(request)
            self._check_csrf(request, session, form.get("csrf", ""))  # 2. did they mean to?
            asked = await self._read(form)  # 3. is it still a request of this client?
            decision = form.get("decision")
            if decision not in ("allow", "deny"):
                raise BadInput("The form carries no decision.", field="decision")
            if decision == "deny":
                raise _Bounced(asked.redirect, asked.state, OAuthError("access_denied", "The person said no."))
            if form.get(DOCUMENT_HASH) != asked.client.document_hash:
                # The client's document changed while the page was open: what was agreed to is no longer what is asked.
                view = consent_view(asked, public_url=self._public_url)
                return await self._render_consent(request, session, view)
            await self._consents.give(  # 4. remember
                session.person, asked.client, asked.redirect, resource=asked.resource, scope=asked.scope
            )
            return await self._send_code(asked, session, status=303)
        except _Bounced as bounced:
            return self._send_error(bounced, status=303)
        except ValetkeyError as error:
            return self._render_problem(request, error)

    async def _read(self, parameters: Parameters) -> AuthorizationRequest:
        client, redirect = await self._read_client(parameters)
        state = parameters.get("state")
        if state is not None and len(state) > _LONGEST_STATE:
            raise BadInput(f"The state is longer than {_LONGEST_STATE} characters.", field="state")
        try:
            return AuthorizationRequest(
                client=client,
                redirect=redirect,
                redirect_uri_given="redirect_uri" in parameters,
                state=state,
                code_challenge=_read_challenge(parameters),
                resource=self._read_resource(parameters),
                scope=_read_scope(parameters),
                prompt=_read_prompt(parameters),
            )
        except OAuthError as error:
            raise _Bounced(redirect, state, error) from error

    async def _read_client(self, parameters: Parameters) -> tuple[Client, Redirect]:
        """Who the client is, and which of its addresses is meant. What fails here is shown, never redirected."""
        for name in ("client_id", "redirect_uri", "state"):
            if name in parameters.repeated:
                raise BadInput(f"The assistant sent {name} twice.", field=name)
        if "client_id" not in parameters:
            raise BadInput("The assistant did not say who it is.", field="client_id")
        uri = parameters.get("redirect_uri", "")
        client = await self._clients.resolve(parameters["client_id"], wanted_redirect=uri)
        if not uri and len(client.redirect_uris) == 1:
            return client, read_redirect(client.redirect_uris[0])
        redirect = match_redirect(client.redirect_uris, uri)
        if redirect is None:
            raise ClientRefused(
                f"{client.name} asked to be answered at an address that is not one of its own, so nothing was sent.",
                error="invalid_redirect_uri",
                hint="If you did not start this in the assistant yourself, close this page.",
            )
        return client, redirect

    def _read_resource(self, parameters: Parameters) -> str:
        """The path of the one resource asked for (RFC 8707 2); clients that name none mean `/mcp`."""
        if "resource" in parameters.repeated:
            raise OAuthError("invalid_target", "A token is for one resource.")
        resource = parameters.get("resource")
        if resource is None:
            return MCP
        path = resource.removeprefix(self._public_url)
        if path == resource or not is_mcp_resource(path):
            raise OAuthError("invalid_target", f"The resource is not one of {self._public_url}.")
        return path

    async def _is_agreed(self, asked: AuthorizationRequest, session: BrowserSession) -> bool:
        if "consent" in asked.prompt:
            return False
        return await self._consents.covers(
            session.person.id, asked.client, asked.redirect, resource=asked.resource, scope=asked.scope
        )

    @staticmethod
    def _unless_silent(asked: AuthorizationRequest, error: str) -> None:
        if "none" in asked.prompt:
            raise _Bounced(asked.redirect, asked.state, OAuthError(error, "The person must be asked."))

    async def _send_code(self, asked: AuthorizationRequest, session: BrowserSession, *, status: int) -> Response:
        code = await self._families.begin(
            person=session.person,
            client=asked.client,
            resource=asked.resource,
            scope=asked.scope,
            redirect_uri=asked.redirect.uri,
            redirect_uri_given=asked.redirect_uri_given,
            code_challenge=asked.code_challenge,
        )
        # Revealed to its receiver: the code travels in the redirect, and is worth nothing without the verifier.
        parameters = {"code": code.reveal().decode(), "state": asked.state, "iss": self._public_url}
        return redirect_answer(asked.redirect.uri, _sent(parameters), status=status)

    def _send_error(self, bounced: _Bounced, *, status: int) -> Response:
        parameters = {
            "error": bounced.error.error,
            "error_description": bounced.error.message,
            "state": bounced.state,
            "iss": self._public_url,  # RFC 9207 2: on errors too
        }
        return redirect_answer(bounced.redirect.uri, _sent(parameters), status=status)


def _sent(parameters: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if value is not None}


def _read_challenge(parameters: Parameters) -> str:
    """PKCE with S256 (RFC 7636), and the response type it belongs to."""
    if parameters.repeated - {"resource"}:
        raise OAuthError("invalid_request", "A parameter was sent twice.")
    if "response_type" not in parameters:
        raise OAuthError("invalid_request", "response_type is missing.")
    if parameters["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "The only response_type is code.")
    if parameters.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "The only response_mode is query.")
    if "request" in parameters:
        raise OAuthError("request_not_supported", "Request objects are not supported.")
    if "request_uri" in parameters:
        raise OAuthError("request_uri_not_supported", "Request objects are not supported.")
    if "code_challenge" not in parameters:
        raise OAuthError("invalid_request", "code_challenge is missing: PKCE is required.")
    if parameters.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "The only code_challenge_method is S256.")
    if not _CHALLENGE.fullmatch(parameters["code_challenge"]):
        raise OAuthError("invalid_request", "The code_challenge is not 43 characters of URL-safe base64.")
    return parameters["code_challenge"]


def _read_scope(parameters: Parameters) -> str:
    if set(parameters.get("scope", GRANTED_SCOPE).split(" ")) - SCOPES:
        raise OAuthError("invalid_scope", "The only scopes are mcp and offline_access.")
    return GRANTED_SCOPE


def _read_prompt(parameters: Parameters) -> frozenset[str]:
    prompt = frozenset(parameters.get("prompt", "").split()) & _PROMPTS
    if "none" in prompt and len(prompt) > 1:
        raise OAuthError("invalid_request", "prompt=none stands alone.")
    return prompt

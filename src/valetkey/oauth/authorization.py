"""Sending a person to authorize, and reading what they come back with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlencode

from valetkey.kernel.errors import BadInput, printable
from valetkey.kernel.secret import Secret
from valetkey.oauth.model import AuthorizationServer, BadMetadata, MixedUp
from valetkey.oauth.pkce import METHOD
from valetkey.oauth.scopes import OFFLINE_ACCESS

_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Approved:
    """The person authorized us: the code to exchange."""

    code: Secret


@dataclass(frozen=True, slots=True)
class Declined:
    """They did not, or the server would not. Its words, bounded and printable."""

    error: str
    description: str


def authorization_url(
    server: AuthorizationServer,
    *,
    client_id: str,
    redirect_uri: str,
    state: Secret,
    code_challenge: str,
    resource: str,
    scope: str,
    scope_separator: str = " ",
    omit_prompt: bool = False,
) -> str:
    """Where to send the person (RFC 6749 4.1.1, RFC 7636 4.3, RFC 8707). No `scope` or `resource` when it is empty.

    Some servers want scopes apart by commas, or refuse a `prompt`: that is known of a connector, and said here.

    The endpoint was parsed strictly and is http or https, so this is never a `javascript:` or `data:` URL. Raises
    `BadMetadata` when the endpoint already carries one of our parameters, which the server could then read twice.
    """
    endpoint = server.authorization_endpoint
    parameters = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        # The state travels in the URL, as the protocol wants; it is of use only in the browser session it is bound to.
        "state": state.reveal().decode(),
        "code_challenge": code_challenge,
        "code_challenge_method": METHOD,
    }
    if resource:
        parameters["resource"] = resource
    if scope:
        parameters["scope"] = scope_separator.join(scope.split())
    if OFFLINE_ACCESS in scope.split() and not omit_prompt:
        parameters["prompt"] = "consent"  # OpenID Connect Core 11: without it no refresh token need be given
    taken = {name for name, _ in parse_qsl(endpoint.query, keep_blank_values=True)} & parameters.keys()
    if taken:
        raise BadMetadata(
            f"“authorization_endpoint” already has the parameter {min(taken)}.", field="authorization_endpoint"
        )
    query = urlencode(parameters, quote_via=quote)
    kept = f"{endpoint.query}&" if endpoint.query else ""
    return f"{endpoint.origin}{endpoint.path or '/'}?{kept}{query}"


def parameters_of(given: Mapping[str, str] | Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """The parameters of a callback, each at most once and bounded (RFC 6749 3.1). Raises `BadInput`."""
    pairs = list(given.items() if isinstance(given, Mapping) else given)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadInput("A parameter came twice.", field="query")
    if any(len(value) > _LONGEST for value in found.values()):
        raise BadInput(f"A parameter is longer than {_LONGEST} characters.", field="query")
    return found


def state_of(parameters: Mapping[str, str]) -> Secret:
    """The state that tells which attempt this answers. Raises `BadInput`."""
    if not parameters.get("state"):
        raise BadInput("The answer carries no state.", field="state", hint="Begin connecting again.")
    return Secret(parameters["state"])


def read_callback(parameters: Mapping[str, str], *, issuer: str, promises_iss: bool) -> Approved | Declined:
    """The answer of `issuer`, whose metadata promises `iss` or not.

    Raises `MixedUp` when the answer names another server, or none though it was promised: then neither the code nor the
    error of it may be used or shown (RFC 9207 2.4, compared as strings). Raises `BadInput` when it is no answer at all.
    """
    named = parameters.get("iss")
    if named is None and promises_iss:
        raise MixedUp("The answer does not say which authorization server it is from, and this one always does.")
    if named is not None and named != issuer:
        raise MixedUp("The answer is from another authorization server than the one you were sent to.")
    if error := parameters.get("error"):
        return Declined(printable(error, limit=60), printable(parameters.get("error_description", ""), limit=200))
    if not parameters.get("code"):
        raise BadInput("The answer carries no authorization code.", field="code", hint="Begin connecting again.")
    return Approved(Secret(parameters["code"]))

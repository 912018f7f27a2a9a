"""Stage 1, the part about signing in: the metadata, and two questions that a careful server answers with no.

Nobody is signed in and no client is registered: a look must leave nothing behind at somebody else's server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from valetkey.kernel.errors import BadInput, OutboundFailed, printable
from valetkey.net.limits import METADATA, RESOURCE_METADATA
from valetkey.net.model import Fetched
from valetkey.oauth.challenge import bearer, parse_www_authenticate
from valetkey.oauth.discovery import as_locations, prm_locations, read_as_document, read_prm
from valetkey.oauth.document import checked_url, read_object, text_of, texts_of
from valetkey.oauth.model import AuthorizationServer, BadMetadata
from valetkey.review.model import Exchange, SignIn
from valetkey.review.rules.c5d_sign_in import STRANGE_HOST
from valetkey.review.visit import Visit, exchange_of, failed

_MOST_SERVERS: Final = 3
_NEVER_ISSUED: Final = "valetkey-review-never-issued"
_STRANGE: Final = f"https://{STRANGE_HOST}/callback"


async def look_at_sign_in(visit: Visit, opening: Exchange) -> SignIn:
    """What is published about signing in, as far as it goes."""
    found = await _resource(visit, opening)
    if found.resource is None:
        return found
    for issuer in found.resource.authorization_servers[:_MOST_SERVERS]:
        found = await _server(visit, issuer, found)
        if found.server is not None:
            return await _questions(visit, found, found.server)
    return found


async def _resource(visit: Visit, opening: Exchange) -> SignIn:
    pointer = bearer(parse_www_authenticate(opening.headers.get("www-authenticate", ""))).resource_metadata
    places = ([pointer] if pointer else []) + list(prm_locations(visit.url))
    problem = ""
    for place in dict.fromkeys(places):
        fetched = await _fetch(visit, place, "resource_metadata", is_resource=True)
        if isinstance(fetched, str) or fetched.status != 200:
            problem = problem or (fetched if isinstance(fetched, str) else "")
            continue
        try:
            resource = read_prm(fetched.body, connector=visit.url, parse=visit.parse, allow_http=visit.allow_http)
            methods = texts_of(read_object(fetched.body), "bearer_methods_supported")
        except BadMetadata as error:
            problem = problem or error.message
            continue
        return SignIn(resource=resource, bearer_methods=methods)
    return SignIn(resource_problem=problem)


async def _server(visit: Visit, issuer: str, found: SignIn) -> SignIn:
    problem = found.server_problem
    try:
        places = as_locations(checked_url(issuer, what="issuer", parse=visit.parse, allow_http=visit.allow_http))
    except BadMetadata as error:
        return replace(found, server_problem=problem or error.message)
    for place in places:
        fetched = await _fetch(visit, place, "issuer", is_resource=False)
        if isinstance(fetched, str) or fetched.status != 200:
            problem = problem or (fetched if isinstance(fetched, str) else "")
            continue
        try:
            document = read_object(fetched.body)
            server = read_as_document(document, issuer=issuer, parse=visit.parse, allow_http=visit.allow_http)
            grants = texts_of(document, "grant_types_supported")
        except BadMetadata as error:
            problem = problem or error.message
            continue
        return replace(found, server=server, grants=grants, server_problem="")
    return replace(found, server_problem=problem)


async def _fetch(visit: Visit, place: str, what: str, *, is_resource: bool) -> Fetched | str:
    """The document, or why there is none."""
    size = RESOURCE_METADATA.max_body if is_resource else METADATA.max_body
    limits = replace(visit.patience.request, max_body=size)
    try:
        url = checked_url(place, what=what, parse=visit.parse, allow_http=visit.allow_http)
        return await visit.out.web.get(url, limits=limits)
    except (BadMetadata, OutboundFailed) as error:
        return error.message


async def _questions(visit: Visit, found: SignIn, server: AuthorizationServer) -> SignIn:
    limits = replace(visit.patience.request, max_body=RESOURCE_METADATA.max_body)
    fields = {"grant_type": "refresh_token", "refresh_token": _NEVER_ISSUED, "client_id": _NEVER_ISSUED}
    error = ""
    try:
        answer = await visit.out.web.post_form(server.token_endpoint, fields, limits=limits)
        bad_refresh = exchange_of(answer)
        error = text_of(read_object(answer.body), "error")
    except OutboundFailed as failure:
        bad_refresh = failed(failure)
    except BadMetadata:
        pass  # an answer, and no OAuth error in it
    query = (
        f"response_type=code&client_id={_NEVER_ISSUED}&redirect_uri={quote(_STRANGE, safe='')}"
        "&state=review&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    )
    endpoint = server.authorization_endpoint
    joint = "&" if endpoint.query else "?"
    try:
        asked = visit.parse(f"{endpoint.text}{joint}{query}")
        strange = exchange_of(await visit.out.web.get(asked, headers={"accept": "text/html"}, limits=limits))
    except BadInput as failure:
        strange = Exchange(problem=failure.message)
    except OutboundFailed as failure:
        strange = failed(failure)
    return replace(
        found, bad_refresh=bad_refresh, bad_refresh_error=printable(error, limit=60), strange_redirect=strange
    )

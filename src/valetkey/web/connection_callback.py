"""Coming back from the service: the one path at which authorization answers arrive."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.kernel.errors import NotSignedIn
from valetkey.web.visit import Visit

_SIGNED_OUT = "You came back from the service, but are not signed in here, so nothing was connected."


async def show(visit: Visit) -> Response:
    # Not by way of sign-in: the answer in this address is good for the browser session that asked, and no other.
    if visit.signed_in_as is None or visit.signed_in_as.method == "link":
        raise NotSignedIn(_SIGNED_OUT, hint="Sign in and connect again.")
    connection = await visit.services.connecting.finish(
        visit.request.query_params.multi_items(), visit.session, issuer=visit.path("issuer")
    )
    return visit.go(f"/connections/{connection.id}", done="connected")

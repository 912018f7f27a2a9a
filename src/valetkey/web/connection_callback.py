"""Coming back from the service: the one path at which authorization answers arrive."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.connections.model import State
from valetkey.kernel.errors import Forbidden
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    # Not by way of sign-in: the answer in this address is good for the browser session that asked, and no other.
    if visit.signed_in_as is None or visit.signed_in_as.method == "link":
        raise Forbidden(
            "You came back from a service, but are not signed in here, so nothing was connected.",
            hint="Sign in and connect again.",
        )
    connection = await visit.services.connecting.finish(
        visit.request.query_params.multi_items(), visit.session, issuer_hash=visit.path("issuer")
    )
    # A service that granted more than was asked for is not connected; the connection's page says why.
    done = "connected" if connection.state is State.CONNECTED else ""
    return visit.go(f"/connections/{connection.id}", done=done)

"""Having erased what is kept about oneself; and the receipts."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/settings/data/erase"


async def show(visit: Visit) -> Response:
    services, person = visit.services, visit.person
    receipts = await services.erasing.receipts(person.id)
    return visit.page(
        "data_erase.html",
        connections=len(await services.connections.list(person.id)),
        receipts=receipts,
        holds=await services.privacy.holds.on(person),
        unfinished=any(one.finished_at is None for one in receipts),
    )


async def submit(visit: Visit) -> Response:
    """To the end, step by step; what is cut off, by a browser that goes away say, is gone on with from here."""
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    done = await visit.services.erasing.step(visit.person, by=visit.actor)
    while done.finished_at is None:
        done = await visit.services.erasing.step(visit.person, by=visit.actor)
    return visit.go(_HERE, done="erased")

"""Everything that is kept about the person who looks, as a file for them to take along."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from valetkey.privacy.archive import Archive
from valetkey.privacy.export import Part
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/settings/data/export"


async def show(visit: Visit) -> Response:
    return visit.page("data_export.html")


async def download(visit: Visit) -> Response:
    """The archive, as it is read. It holds what calls sent and got: not for who found a browser open."""
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    now = visit.clock.now()
    first = await visit.services.exporting.part(visit.person, actor=visit.actor)  # what fails at once has a page
    headers = {"content-disposition": f'attachment; filename="valetkey-export-{now:%Y-%m-%d}.zip"'}
    return StreamingResponse(_pieces(visit, first, Archive(now)), media_type="application/zip", headers=headers)


async def _pieces(visit: Visit, part: Part, archive: Archive) -> AsyncIterator[bytes]:
    yield archive.add(part.file, part.lines)
    while part.next_after:
        part = await visit.services.exporting.part(visit.person, part.next_after, actor=visit.actor)
        yield archive.add(part.file, part.lines)
    yield archive.finish()

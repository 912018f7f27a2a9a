"""Where the organization's events go as they happen, for its owners: how each place does, and a try of it."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.kernel.errors import BadInput, TooMany
from valetkey.kernel.secret import Secret
from valetkey.web.powers import check_owner
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/feeds"


async def show(visit: Visit) -> Response:
    await check_owner(visit)
    return await _page(visit, {})


async def submit(visit: Visit) -> Response:
    """Adds a place. The key of a webhook's signatures is on the page that answers, and never again."""
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    address, header = visit.form.one("address", limit=400), visit.form.one("header", limit=80).strip()
    value = Secret(visit.form.one("value", limit=8192))
    try:
        feed, key = await visit.services.feeds.add(
            visit.person.organization_id, address, by=visit.actor, header=header, value=value or None
        )
    except (BadInput, TooMany) as error:
        field = getattr(error, "field", "")
        at = "header" if field.startswith("header") else "address"
        return await _page(visit, {at: f"{error.message} {error.hint}".strip()}, address, header)
    if feed.kind != "webhook":
        return visit.go(_HERE, done="feed-added")
    # Revealed because this page is the one time that it is seen.
    return visit.page(
        "shown_once.html",
        title="The key of its signatures",
        lead=f"Whoever runs {feed.address} knows us by it: each request is signed as the Standard Webhooks have it.",
        text=key.reveal().decode(),
        kept="It is sealed in the vault, and is never shown again.",
        example="",
        done=_HERE,
    )


async def try_out(visit: Visit) -> Response:
    """Sends an event that says that somebody tries, and shows what came of it."""
    await check_owner(visit)
    feed = await visit.services.feeds.try_out(visit.person.organization_id, visit.path("feed"), by=visit.actor)
    return visit.go(_HERE, done="feed-failed" if feed.failing_since else "feed-tried")


async def remove(visit: Visit) -> Response:
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    await visit.services.feeds.remove(visit.person.organization_id, visit.path("feed"), by=visit.actor)
    return visit.go(_HERE, done="feed-removed")


async def _page(visit: Visit, errors: Mapping[str, str], address: str = "", header: str = "") -> Response:
    return visit.page(
        "feed_list.html",
        status=422 if errors else 200,
        errors=errors,
        address=address,
        header=header,
        feeds=await visit.services.feeds.list(visit.person.organization_id),
    )

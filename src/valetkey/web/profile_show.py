"""One profile: what is in it, how to point an assistant at it, and changing either."""

from __future__ import annotations

from starlette.responses import Response

from valetkey.web.home import setups
from valetkey.web.profiles import ACCESS, find_profile, read_choices, read_form
from valetkey.web.visit import Visit


async def show(visit: Visit) -> Response:
    profile = await find_profile(visit)
    return visit.page(
        "profile_show.html",
        profile=profile,
        values={"title": profile.title, "access": profile.access.value},
        access=ACCESS,
        connections=await read_choices(visit, profile.choices),
        endpoint=visit.public_url + profile.path,
        setups=setups(visit.public_url, profile.path, f"valetkey-{profile.name}"),
    )


async def submit(visit: Visit) -> Response:
    profile = await find_profile(visit)
    await visit.services.profiles.set(
        visit.person,
        profile.name,
        title=visit.form.one("title", limit=100),
        access=visit.form.one("access", limit=10),
        choices=await read_form(visit, profile.choices),
        by=visit.actor,
    )
    return visit.go(f"/profiles/{profile.name}", done="profile")


async def remove(visit: Visit) -> Response:
    await visit.services.profiles.remove(visit.person, visit.path("profile"), by=visit.actor)
    return visit.go("/profiles", done="profile-removed")

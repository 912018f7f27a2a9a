"""What the organization's directory may say here (SCIM), for its owners: its tokens, and what role each group gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import Response

from valetkey.identity.model import Role
from valetkey.kernel.errors import BadInput, TooMany
from valetkey.web.powers import check_owner
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/provisioning"
_ROLES = (
    ("none", "None – they keep theirs"),
    ("member", "Member"),
    ("auditor", "Auditor"),
    ("admin", "Admin"),
)
_NOTHING = {"name": "", "days": "365"}


async def show(visit: Visit) -> Response:
    await check_owner(visit)
    return await _page(visit, {}, _NOTHING)


async def create_token(visit: Visit) -> Response:
    """Makes a token for the directory, which is on the page that answers, and never again."""
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    values = {name: visit.form.one(name, limit=200) for name in _NOTHING}
    try:
        if not values["days"].isdigit() or len(values["days"]) > 4:
            raise BadInput("A token lasts 1 to 365 days.", field="days")
        token, made = await visit.services.provisioning.tokens.create(
            visit.person.organization_id, values["name"], timedelta(days=int(values["days"])), by=visit.actor
        )
    except (BadInput, TooMany) as error:
        field = error.field if isinstance(error, BadInput) and error.field in values else ""
        return await _page(visit, {field: f"{error.message} {error.hint}".strip()}, values)
    # Revealed because this page is the one time that it is seen.
    return visit.page(
        "shown_once.html",
        title="The directory's token",
        lead=f"“{made.name}”: give it to your directory, with the address {visit.public_url}/scim/v2.",
        text=token.reveal().decode(),
        example="",
        done=_HERE,
    )


async def revoke_token(visit: Visit) -> Response:
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    tokens = visit.services.provisioning.tokens
    await tokens.revoke(visit.person.organization_id, visit.path("key"), by=visit.actor)
    return visit.go(_HERE, done="provisioning-revoked")


async def give_role(visit: Visit) -> Response:
    """Which role the members of a group have, at once."""
    await check_owner(visit)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    wanted = visit.form.one("role", limit=10)
    if wanted not in dict(_ROLES):
        raise BadInput("There is no such role to give.", field="role")
    role = Role(wanted) if wanted != "none" else None
    await visit.services.provisioning.directory.give_role(
        visit.person.organization_id, visit.path("group"), role, by=visit.actor
    )
    return visit.go(_HERE, done="group-role")


async def _page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    organization_id, provisioning = visit.person.organization_id, visit.services.provisioning
    connectors = await visit.services.connectors.list_for(visit.person)
    groups = await provisioning.directory.groups(organization_id)
    return visit.page(
        "provisioning_list.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        tokens=await provisioning.tokens.list(organization_id),
        groups=[(one, [each for each in connectors if one.id in each.audience.groups]) for one in groups],
        roles=_ROLES,
    )

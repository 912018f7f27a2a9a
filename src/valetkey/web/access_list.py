"""What the organization's members may connect: its connectors, on or off and for whom, and the hosts they may reach."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from valetkey.directory.access.model import EVERYBODY, Audience
from valetkey.directory.model import Connector
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, Conflict, NotFound
from valetkey.web.enabling import read_enabling
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/connectors"
_LONGEST = 50_000


async def show(visit: Visit) -> Response:
    await _check(visit, Act.SEE_PEOPLE)
    return await _page(visit, {}, None)


async def submit_hosts(visit: Visit) -> Response:
    """Where connectors may go, and where never; in the place of what was said before."""
    await _check(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    values = {
        "limited": visit.form.one("limited", limit=3),
        "allowed": visit.form.one("allowed", limit=_LONGEST),
        "denied": visit.form.one("denied", limit=_LONGEST),
    }
    try:
        await visit.services.access.set_hosts(
            visit.person.organization_id, is_limited=values["limited"] == "yes", allowed=_lines(values["allowed"]),
            denied=_lines(values["denied"]), by=visit.actor,
        )  # fmt: skip
    except BadInput as error:
        return await _page(visit, {error.field: f"{error.message} {error.hint}".strip()}, values)
    return visit.go(_HERE, done="hosts")


async def show_one(visit: Visit) -> Response:
    await _check(visit, Act.MANAGE_CONNECTORS)
    return await _one(visit, {})


async def submit_state(visit: Visit) -> Response:
    """Switches a connector on or off for everybody: nobody is connected by it, and nobody loses what is sealed."""
    await _check(visit, Act.MANAGE_CONNECTORS)
    connector = await _named(visit)
    if (detour := ask_again(visit, to=f"{_HERE}/{connector.slug}")) is not None:
        return detour
    if connector.is_local:
        raise Conflict("Which programs there are is said in the hub's settings.")
    state = "blocked" if visit.form.one("state", limit=8) == "blocked" else "enabled"
    await visit.services.connectors.set_state(connector.id, "blocked" if state == "blocked" else "enabled")
    await visit.services.trail.write(
        f"connector.{state}",
        actor=visit.actor,
        organization_id=connector.organization_id,
        person_id=visit.person.id,
        object=connector.id,
        detail={"slug": connector.slug, "origin": connector.origin, "review_state": connector.review_state.value},
    )
    return visit.go(f"{_HERE}/{connector.slug}", done=f"connector-{state}")


async def submit_groups(visit: Visit) -> Response:
    """For whom a connector is: everybody, or the members of the groups that are ticked."""
    await _check(visit, Act.MANAGE_CONNECTORS)
    connector = await _named(visit)
    if (detour := ask_again(visit, to=f"{_HERE}/{connector.slug}")) is not None:
        return detour
    chosen = frozenset(visit.form.many("group"))
    known = {one.id for one in await visit.services.provisioning.directory.groups(visit.person.organization_id)}
    if visit.form.one("everybody", limit=3) == "yes":
        audience = EVERYBODY
    elif not chosen or not known.issuperset(chosen):
        return await _one(visit, {"group": "Tick at least one group, or choose everybody."})
    else:
        audience = Audience(is_everybody=False, groups=chosen)
    await visit.services.access.give_to(connector, audience, by=visit.actor)
    return visit.go(f"{_HERE}/{connector.slug}", done="connector-groups")


async def _check(visit: Visit, act: Act) -> None:
    check_may(visit, act)
    if (await visit.services.organizations.get(visit.person.organization_id)).kind == "personal":
        raise NotFound("There is no such page.")


async def _named(visit: Visit) -> Connector:
    return await visit.services.connectors.get(visit.path("connector"), visit.person)


def _lines(text: str) -> list[str]:
    """One to a line, or with commas between: as people have them at hand."""
    return [one for one in text.replace(",", " ").split() if one]


async def _page(visit: Visit, errors: Mapping[str, str], given: Mapping[str, str] | None) -> Response:
    organization_id = visit.person.organization_id
    hosts = await visit.services.access.hosts(organization_id)
    connectors = await visit.services.connectors.list_for(visit.person)
    groups = {one.id: one.name for one in await visit.services.provisioning.directory.groups(organization_id)}
    people = {f"person:{one.id}": one.display_name for one in await visit.services.people.list(organization_id)}
    values = given or {
        "limited": "yes" if hosts.reach.is_limited else "no",
        "allowed": "\n".join(sorted(hosts.reach.allowed)),
        "denied": "\n".join(sorted(hosts.reach.denied)),
    }
    return visit.page(
        "access_list.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        hosts=hosts,
        by=people.get(hosts.set_by, hosts.set_by),
        outside=sum(one.state == "outside" for one in connectors),
        connectors=[(one, _whom(one, groups)) for one in connectors],
        may_set=may(visit.person.role, Act.MANAGE_ORGANIZATION),
        may_manage=may(visit.person.role, Act.MANAGE_CONNECTORS),
    )


def _whom(connector: Connector, groups: Mapping[str, str]) -> str:
    if connector.audience.is_everybody:
        return "For everybody"
    named = sorted(groups[one] for one in connector.audience.groups if one in groups)
    return f"For {', '.join(named)}" if named else "For nobody: its groups are gone"


async def _one(visit: Visit, errors: Mapping[str, str]) -> Response:
    connector = await _named(visit)
    groups = await visit.services.provisioning.directory.groups(visit.person.organization_id)
    return visit.page(
        "access_show.html", status=422 if errors else 200, errors=errors, connector=connector, groups=groups,
        seen=await read_enabling(visit, connector),
    )  # fmt: skip

"""What the organization permits at most: its ceilings, and the unverified connectors an owner answers for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import Response

from valetkey.directory.model import EVERY_TOOL, Connector, ReviewState
from valetkey.directory.raising import raise_class
from valetkey.identity.model import Role
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, TooMany
from valetkey.policy.model import ANY, Ceiling, Setting
from valetkey.policy.tool_class import ToolClass
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/ceilings"
_SETTINGS = [
    ("ask", "Ask – a person is asked each time, and nothing is remembered"),
    ("block", "Block – refused, and not even listed"),
    ("allow", "Allow – said explicitly; it narrows nothing"),
]
_CLASSES = [
    (ANY, "Every class"),
    *((kind.value, f"{kind.value} – {words}") for kind, words in (
        (ToolClass.READ, "reads"), (ToolClass.LOW_WRITE, "changes something"),
        (ToolClass.MEDIUM, "changes what others see"), (ToolClass.HIGH, "hard to take back"),
        (ToolClass.VERTICAL, "money, law, health, insurance"), (ToolClass.UNKNOWN, "not known"),
    )),
]  # fmt: skip
_RAISED = {
    "finance": "Acts in finance", "legal": "Acts in law", "medical": "Acts in health", "insurance": "Acts in insurance",
    "V": "V – money, law, health, insurance", "H": "H – hard to take back", "M": "M – changes what others see",
    "W": "W – changes something",
}  # fmt: skip
_ROLES = [(ANY, "Everybody"), *((role.value, role.value.capitalize()) for role in Role)]
_NOTHING = {"setting": "ask", "connector": ANY, "tool": "", "tool_class": ANY, "role": ANY}


@dataclass(frozen=True, slots=True)
class _Shown:
    """A ceiling with the names of what it is about."""

    ceiling: Ceiling
    connector: str
    tool_class: str
    role: str
    by: str


async def show(visit: Visit) -> Response:
    check_may(visit, Act.SEE_PEOPLE)
    return await _page(visit, {}, _NOTHING)


async def submit(visit: Visit) -> Response:
    """Sets one, in the place of one for the same."""
    check_may(visit, Act.SET_CEILINGS)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    values = {name: visit.form.one(name, limit=300) for name in _NOTHING}
    try:
        await visit.services.policy.ceilings.set(
            visit.person.organization_id, _setting(values["setting"]), actor=visit.actor,
            connector=await _known(visit, values["connector"]), tool=values["tool"] or ANY,
            tool_class=values["tool_class"], role=values["role"],
        )  # fmt: skip
    except BadInput as error:
        field = {"class": "tool_class"}.get(error.field, error.field)
        said = f"{error.message} {error.hint}".strip()
        return await _page(visit, {field if field in values else "": said}, values)
    except TooMany as error:
        return await _page(visit, {"": error.message}, values)
    return visit.go(_HERE, done="ceilings")


async def remove(visit: Visit) -> Response:
    check_may(visit, Act.SET_CEILINGS)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    organization_id = visit.person.organization_id
    await visit.services.policy.ceilings.remove(organization_id, visit.path("ceiling"), actor=visit.actor)
    return visit.go(_HERE, done="ceilings")


async def submit_vertical(visit: Visit) -> Response:
    """An owner answers for class V of a connector that nobody has verified, or does not any more."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    slug = visit.form.one("connector", limit=40)
    is_on = visit.form.one("enabled", limit=3) == "yes"
    if is_on:
        await _known(visit, slug)
    await visit.services.policy.ceilings.enable_vertical(
        visit.person.organization_id, slug, is_on=is_on, actor=visit.actor
    )
    return visit.go(_HERE, done="ceilings")


async def submit_raised(visit: Visit) -> Response:
    """An owner says what a connector acts in, or of which class a tool is at least (S-27 d)."""
    check_may(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    tool = visit.form.one("raised_tool", limit=300) or EVERY_TOOL
    services = visit.services
    try:
        slug = await _known(visit, visit.form.one("connector", limit=40))
        connector = await services.connectors.get(slug, visit.person)
        to = visit.form.one("at_least", limit=10)
        await raise_class(services.connectors, services.trail, connector, tool=tool, to=to, by=visit.actor)
    except BadInput as error:
        fields = {"tool": "raised_tool", "to": "at_least"}
        return await _page(visit, {fields.get(error.field, error.field): error.message}, _NOTHING)
    except TooMany as error:
        return await _page(visit, {"": error.message}, _NOTHING)
    return visit.go(_HERE, done="ceilings")


def _setting(text: str) -> Setting:
    with suppress(ValueError):
        return Setting(text)
    raise BadInput("A ceiling is allow, ask or block.", field="setting")


async def _known(visit: Visit, slug: str) -> str:
    if slug != ANY and slug not in {one.slug for one in await visit.services.connectors.list_for(visit.person)}:
        raise BadInput("There is no such connector.", field="connector")
    return slug


async def _page(visit: Visit, errors: Mapping[str, str], values: Mapping[str, str]) -> Response:
    organization_id = visit.person.organization_id
    connectors = await visit.services.connectors.list_for(visit.person)
    limits = await visit.services.policy.ceilings.of(organization_id)
    unverified = [one for one in connectors if one.review_state is not ReviewState.VERIFIED]
    gone = sorted(limits.enabled - {one.slug for one in connectors})
    return visit.page(
        "ceiling_list.html",
        status=422 if errors else 200,
        errors=errors,
        values=values,
        ceilings=await _named(visit, limits.ceilings, connectors),
        settings=_SETTINGS,
        connectors=[(ANY, "Every connector"), *((one.slug, f"{one.name} ({one.slug})") for one in connectors)],
        classes=_CLASSES,
        roles=_ROLES,
        enabled=[
            *((one.slug, one) for one in unverified if one.slug in limits.enabled),
            *((slug, None) for slug in gone),
        ],
        not_enabled=[(one.slug, f"{one.name} ({one.slug})") for one in unverified if one.slug not in limits.enabled],
        raised=[(one, tool, _RAISED[to]) for one in connectors for tool, to in sorted(one.raised.items())],
        to_raise=[(one.slug, f"{one.name} ({one.slug})") for one in connectors],
        raised_to=[*_RAISED.items()],
        may_set=may(visit.person.role, Act.SET_CEILINGS),
        may_enable=may(visit.person.role, Act.MANAGE_ORGANIZATION),
    )


async def _named(visit: Visit, ceilings: Sequence[Ceiling], connectors: Sequence[Connector]) -> list[_Shown]:
    names = {one.slug: one.name for one in connectors}
    people = {
        f"person:{one.id}": one.display_name
        for one in await visit.services.people.list(visit.person.organization_id)
    }  # fmt: skip
    classes, roles = dict(_CLASSES), dict(_ROLES)
    return [
        _Shown(
            one, names.get(one.connector, one.connector) if one.connector != ANY else "Every connector",
            classes[one.tool_class], roles[one.role], people.get(one.set_by, one.set_by),
        )
        for one in ceilings
    ]  # fmt: skip

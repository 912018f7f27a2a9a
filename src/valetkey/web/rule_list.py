"""What members may do by themselves: an owner says, everybody who manages people sees (ORG-06, 08, 09, 11, 16, 21)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.responses import Response

from valetkey.directory.access.model import NamedTool, Rules, ScopeRule
from valetkey.identity.roles import Act, may
from valetkey.kernel.errors import BadInput, Conflict, NotFound, printable
from valetkey.web.powers import check_may
from valetkey.web.sign_in_again import ask_again
from valetkey.web.visit import Visit

_HERE = "/admin/rules"
_LONGEST = 20_000


async def show(visit: Visit) -> Response:
    await _check(visit, Act.SEE_PEOPLE)
    return await _page(visit, {}, None)


async def submit(visit: Visit) -> Response:
    """In the place of what was said before; what has no room any more is frozen, or ended."""
    await _check(visit, Act.MANAGE_ORGANIZATION)
    if (detour := ask_again(visit, to=_HERE)) is not None:
        return detour
    form = visit.form
    texts = {name: form.one(name, limit=_LONGEST) for name in ("scopes", "text_only")}
    given = Rules(
        own_connectors=form.one("own_connectors", limit=3) == "yes",
        own_clients=form.one("own_clients", limit=3) == "yes",
        local_servers=form.one("local_servers", limit=3) == "yes",
        is_exclusive=form.one("exclusive", limit=3) == "yes",
        managed=frozenset(form.many("managed")),
        only_domains=form.one("only_domains", limit=3) == "yes",
        owners_accept=form.one("owners_accept", limit=3) == "yes",
    )
    try:
        rules = replace(given, scopes=_read_scopes(texts["scopes"]), text_only=_read_tools(texts["text_only"]))
        await visit.services.ruling.set(
            visit.person.organization_id, rules, purge=form.one("purge", limit=3) == "yes", by=visit.actor
        )
    except BadInput as error:
        return await _page(visit, {error.field: f"{error.message} {error.hint}".strip()}, (given, texts))
    except Conflict as error:
        return await _page(visit, {"": f"{error.message} {error.hint}".strip()}, (given, texts))
    return visit.go(_HERE, done="rules")


def _read_scopes(text: str) -> tuple[ScopeRule, ...]:
    """One rule to a line: `connector role: scope scope`. Raises `BadInput` naming the line."""
    rules = []
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            continue
        whom, found, scopes = line.partition(":")
        words = whom.split()
        if not found or len(words) != 2:
            raise BadInput(
                f"“{printable(line, limit=60)}” is no rule.",
                field="scopes",
                hint="Write: github member: repo read:user",
            )
        rules.append(ScopeRule(words[0], words[1], frozenset(scopes.split())))
    return tuple(rules)


def _read_tools(text: str) -> frozenset[NamedTool]:
    """One tool to a line: `connector tool`. What a service calls it may have spaces. Raises `BadInput`."""
    tools = set()
    for line in (line.strip() for line in text.splitlines()):
        if not line:
            continue
        connector, found, tool = line.partition(" ")
        if not found:
            raise BadInput(
                f"“{printable(line, limit=60)}” names no tool.", field="text_only", hint="Write: github show_board"
            )
        tools.add(NamedTool(connector, tool.strip()))
    return frozenset(tools)


def _written(rules: Rules) -> dict[str, str]:
    return {
        "scopes": "\n".join(f"{one.connector} {one.role}: {' '.join(sorted(one.scopes))}" for one in rules.scopes),
        "text_only": "\n".join(f"{one.connector} {one.tool}" for one in sorted(rules.text_only)),
    }


async def _check(visit: Visit, act: Act) -> None:
    check_may(visit, act)
    if (await visit.services.organizations.get(visit.person.organization_id)).kind == "personal":
        raise NotFound("There is no such page.")


async def _page(visit: Visit, errors: Mapping[str, str], given: tuple[Rules, Mapping[str, str]] | None) -> Response:
    organization_id = visit.person.organization_id
    said = await visit.services.access.rules(organization_id)
    rules, texts = given or (said.rules, _written(said.rules))
    people = {f"person:{one.id}": one.display_name for one in await visit.services.people.list(organization_id)}
    connectors = [one for one in await visit.services.connectors.list_for(visit.person) if not one.is_personal]
    domains = [one.name for one in await visit.services.openid.providers.domains(organization_id) if one.verified_at]
    return visit.page(
        "rule_list.html", status=422 if errors else 200, errors=errors, rules=rules, texts=texts, said=said,
        by=people.get(said.set_by, said.set_by), connectors=connectors, domains=domains,
        may_set=may(visit.person.role, Act.MANAGE_ORGANIZATION),
    )  # fmt: skip

"""Approvals that stand: the page that lists and revokes them, and what the page of an approval asks about one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from starlette.responses import Response

from valetkey.directory.model import Connector
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.policy.standing_model import Standing, StandingApproval
from valetkey.policy.terms import Terms, arguments
from valetkey.web.tree import Node, read_whole
from valetkey.web.visit import Visit

_ANYTHING = Node("", "note", "anything")


@dataclass(frozen=True, slots=True)
class _Shown:
    """One that stands, with the arguments it is for; `None` when those were erased."""

    standing: StandingApproval
    connector: Connector
    account: str
    arguments: Node | None


def argument_names(call: bytes) -> tuple[str, ...]:
    """The arguments that a person may free, in the order in which they are shown; the form has them by number."""
    try:
        return tuple(arguments(call))
    except ValueError:
        return ()


def wanted_terms(field: Callable[[str], str], call: bytes) -> Terms | None:
    """What was filled in on the page of an approval; `None` when it is not to stand. Raises `BadInput`."""
    if field("stand") != "yes":
        return None
    free = frozenset(name for n, name in enumerate(argument_names(call)) if field(f"free_{n}") == "yes")
    return Terms(_number(field, "calls"), _number(field, "days"), free)


def _number(field: Callable[[str], str], name: str) -> int:
    said = field(name)
    if not (said.isascii() and said.isdigit() and len(said) < 6):
        raise BadInput("A number is expected.", field=name)
    return int(said)


async def show(visit: Visit) -> Response:
    now = visit.clock.now()
    found = await visit.services.policy.standing.list(visit.person.id)
    accounts = {one.id: one for one in await visit.services.connections.list(visit.person.id)}
    standing = []
    for one in found:
        if one.state_at(now) is not Standing.STANDS or one.connection_id not in accounts:
            continue
        account = accounts[one.connection_id]
        connector = await visit.services.connectors.by_id(account.connector_id)
        shown = await _arguments(visit, one)
        standing.append(_Shown(one, connector, account.display_name or account.label, shown))
    return visit.page(
        "approval_standing.html",
        standing=standing,
        past=[(one, one.state_at(now)) for one in found if one.state_at(now) is not Standing.STANDS],
    )


async def revoke(visit: Visit) -> Response:
    await visit.services.policy.standing.revoke(visit.person.id, visit.path("standing"), actor=visit.actor)
    return visit.go("/approvals/standing", done="standing-revoked")


async def _arguments(visit: Visit, standing: StandingApproval) -> Node | None:
    try:
        scope = await visit.services.policy.standing.scope_of(standing)
    except VaultFailed:
        return None
    call = read_whole(scope.shown)
    given = next((node for node in call.children if node.label == "arguments"), Node("arguments", "object"))
    lines = [replace(_ANYTHING, label=one.label) if one.label in scope.free else one for one in given.children]
    return replace(given, children=tuple(lines))

"""One approval: exactly what will be sent, by whom and to whom, and the person's yes or no.

What is shown is read from the sealed bytes that the hash is over, whole and unshortened; a service's own words stand in
a quoted box. Nothing here can be sent by an assistant: it takes the person's own browser session (security.md 6.5).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from valetkey.directory.model import Connector, Tool
from valetkey.kernel.errors import BadInput, Conflict, Forbidden, NotFound, VaultFailed
from valetkey.policy.approval_model import Approval
from valetkey.policy.model import How, Setting
from valetkey.policy.terms import Terms, most_calls
from valetkey.policy.tool_class import ToolClass
from valetkey.web.approval_standing import argument_names, wanted_terms
from valetkey.web.differing import Differing, differing
from valetkey.web.form import read_json
from valetkey.web.tree import Node, has_long, read_whole
from valetkey.web.visit import Visit


@dataclass(frozen=True, slots=True)
class _Shown:
    """An approval with what it is about."""

    approval: Approval
    connector: Connector
    account: str
    tool: Tool | None


@dataclass(frozen=True, slots=True)
class _Before:
    """A call of the same tool that was approved, and what differs."""

    approval: Approval
    differences: Sequence[Differing]


async def show(visit: Visit) -> Response:
    return await _page(visit, await _read(visit))


async def deny(visit: Visit) -> Response:
    approval = await _approval(visit)
    words = visit.form.one("words", limit=200)
    await visit.services.policy.approvals.deny(approval, session_id=visit.session.id, words=words)
    return visit.go("/approvals", done="denied")


async def approve(visit: Visit) -> Response:
    """A click: for what needs no more."""
    shown = await _read(visit)
    if shown.approval.how != How.CLICK:
        raise Forbidden("This is confirmed with a passkey, and with nothing less.")
    if await _needs_opening(visit, shown) and visit.form.one("opened") != "yes":
        return await _page(visit, shown, errors={"opened": "Please open the long values and read them first."})
    try:
        terms = wanted_terms(visit.form.one, await _call(visit, shown.approval))
        if terms is not None:
            terms.check(shown.approval.counts_as)
    except BadInput as error:
        return await _page(visit, shown, errors={error.field: error.message})
    done = await _approved(visit, shown, proof=b"", always=visit.form.one("keep") == "always", terms=terms)
    return visit.go(shown.approval.path, done=done)


async def options(visit: Visit) -> Response:
    """What a passkey is asked to sign: the hash of exactly this call, and of the terms on which the yes shall stand."""
    shown = await _read(visit)
    terms = await _terms(visit, shown, await read_json(visit.request))
    if terms is not None:
        await visit.services.policy.standing.demand(shown.approval, terms)
    challenge = shown.approval.call_hash(terms.text if terms else "")
    wanted = await visit.services.passkeys.assertion_over(visit.person, challenge)
    return JSONResponse({"options": json.loads(wanted), "challenge": ""})


async def confirm(visit: Visit) -> Response:
    """A passkey's signature over it."""
    shown = await _read(visit)
    given = await read_json(visit.request)
    if await _needs_opening(visit, shown) and given.get("opened") != "yes":
        raise BadInput("Please open the long values and read them first.", field="opened")
    if not shown.approval.is_waiting(visit.clock.now()):
        raise Conflict("This was decided already, or its time is over.", hint="The assistant can ask again.")
    terms = await _terms(visit, shown, given)
    answer = json.dumps(given.get("response"))
    challenge = shown.approval.call_hash(terms.text if terms else "")
    proof = await visit.services.passkeys.confirm(visit.person, challenge, answer)
    done = await _approved(visit, shown, proof=proof, always=given.get("keep") == "always", terms=terms)
    return JSONResponse({"to": f"{shown.approval.path}?done={done}"})


async def _terms(visit: Visit, shown: _Shown, given: Mapping[str, Any]) -> Terms | None:
    return wanted_terms(lambda name: str(given.get(name, "")), await _call(visit, shown.approval))


async def _approved(visit: Visit, shown: _Shown, *, proof: bytes, always: bool, terms: Terms | None) -> str:
    """What the person is told it came to."""
    approval, policy = shown.approval, visit.services.policy
    lasting = approval.for_tool or (always and approval.may_remember)
    if always and not lasting:
        raise Forbidden("This tool is confirmed each time.")
    standing = policy.standing if terms is not None and not lasting else None
    if (lasting or standing) and shown.tool is None:
        raise Conflict("The service has changed this tool since you were asked.", hint="Look at it, then allow it.")
    if standing is not None and terms is not None:
        await standing.demand(approval, terms)  # all or nothing: what cannot stand is not approved either
    await policy.approvals.approve(approval, session_id=visit.session.id, proof=proof)
    if standing is not None and terms is not None:
        call = await _call(visit, approval)
        await standing.give(approval, call, terms, session_id=visit.session.id, proof=proof)
        return "standing"
    if lasting and shown.tool is not None:
        # A tool of which nothing is known was allowed for what it is, not for what it counts as.
        kind = None if approval.tool_class == ToolClass.UNKNOWN else ToolClass(approval.counts_as)
        said = (shown.tool, Setting.ALLOW, kind)
        await policy.permissions.set(approval.connection_id, [said])
    return "approved"


async def _approval(visit: Visit) -> Approval:
    return await visit.services.policy.approvals.get(visit.person.id, visit.path("approval"))


async def _read(visit: Visit) -> _Shown:
    approval = await _approval(visit)
    connection = await visit.services.connections.get(visit.person.id, approval.connection_id)
    connector = await visit.services.connectors.by_id(connection.connector_id)
    snapshot = await visit.services.snapshots.get(connection.id)
    tool = snapshot.tool(approval.tool) if snapshot is not None else None
    if tool is not None and tool.fingerprint != approval.fingerprint:
        tool = None
    return _Shown(approval, connector, connection.display_name or connection.label, tool)


async def _arguments(visit: Visit, approval: Approval) -> tuple[bytes, Node | None]:
    try:
        call = await visit.services.policy.approvals.call_of(approval)
    except VaultFailed:
        return b"", None
    return call, read_whole(call)


def _arguments_in(tree: Node | None) -> Node | None:
    return next((node for node in tree.children if node.label == "arguments"), None) if tree else None


async def _before(visit: Visit, approval: Approval, tree: Node | None) -> _Before | None:
    """The last such call that the person said yes to, and in what this one differs from it."""
    like = await visit.services.policy.approvals.like(approval)
    if like is None or tree is None:
        return None
    _, then = await _arguments(visit, like)
    if then is None:
        return None  # its day was erased
    nothing = Node("arguments", "object")
    return _Before(like, differing(_arguments_in(then) or nothing, _arguments_in(tree) or nothing))


async def _call(visit: Visit, approval: Approval) -> bytes:
    try:
        return await visit.services.policy.approvals.call_of(approval)
    except VaultFailed as error:
        raise NotFound("What this was about was erased.") from error


async def _needs_opening(visit: Visit, shown: _Shown) -> bool:
    _, tree = await _arguments(visit, shown.approval)
    if tree is None:
        raise NotFound("What this was about was erased.")
    return has_long(tree)


async def _page(visit: Visit, shown: _Shown, *, errors: dict[str, str] | None = None) -> Response:
    approval, now = shown.approval, visit.clock.now()
    call, tree = await _arguments(visit, approval)
    arguments = _arguments_in(tree)
    return visit.page(
        "approval_show.html",
        status=422 if errors else 200,
        errors=errors or {},
        approval=approval,
        state=approval.state_at(now),
        is_waiting=approval.is_waiting(now),
        connector=shown.connector,
        account=shown.account,
        tool=shown.tool,
        arguments=arguments,
        before=await _before(visit, approval, tree) if approval.is_waiting(now) else None,
        exact=call.decode("utf-8", "backslashreplace"),
        has_long=arguments is not None and has_long(arguments),
        may_stand=approval.may_stand and not approval.for_tool and shown.tool is not None and bool(call),
        argument_names=argument_names(call) if call else (),
        most_calls=most_calls(approval.counts_as),
        by_passkey=approval.how == How.PASSKEY,
        has_passkey=bool(await visit.services.passkeys.list(visit.person.id)),
    )

"""One call for somebody who is not an MCP client (the API): the same function, the same record."""

from __future__ import annotations

from dataclasses import dataclass

from valetkey.gateway.call import Calls
from valetkey.gateway.model import Client, Door
from valetkey.identity.model import Principal
from valetkey.kernel.errors import NotFound
from valetkey.protocol.messages import ToolCall
from valetkey.protocol.versions import LEGACY

_PROGRAM = Client(version=LEGACY[0], is_modern=False, opens_urls=False)


@dataclass(frozen=True, slots=True)
class Ran:
    """The id of the call's record, and the result as JSON."""

    call_id: str
    result: bytes


async def run_once(calls: Calls, who: Principal, *, connector: str, label: str, tool: str, arguments: bytes) -> Ran:
    """Calls `tool` of one connection. Raises `NotFound` when there is no such connector or tool."""
    path = f"/c/{connector}/{label}/mcp" if label else f"/c/{connector}/mcp"
    asked = ToolCall(name=tool, arguments=arguments, meta={}, rest={})
    call_id, said = await calls.recorded(who, Door(path, connector, label), _PROGRAM, asked, {}, _nobody)
    if said.error:
        raise NotFound(f"{connector} has no such tool.", hint="`valetkey connector show` lists what there is.")
    return Ran(call_id, said.result)


async def _nobody(_message: bytes) -> None:
    """Progress of a call that nobody follows."""

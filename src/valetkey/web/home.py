"""The first page: what is connected, and how to point an assistant at it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from valetkey.connections.model import Connection, State
from valetkey.directory.model import Connector
from valetkey.web.accounts import read_accounts
from valetkey.web.pages import pretty_json
from valetkey.web.tools import read_tools
from valetkey.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Entry:
    connection: Connection
    connector: Connector
    account: str
    tools: int
    on: int


@dataclass(frozen=True, slots=True)
class Setup:
    """How one assistant is told about us: what to write, and where."""

    name: str
    where: str
    text: str


async def show(visit: Visit) -> Response:
    accounts = [one for one in await read_accounts(visit) if one.is_live]
    entries = []
    for one in accounts:
        tools = await read_tools(visit, one.connection.id)
        on = sum(tool.is_on for tool in tools)
        entries.append(Entry(one.connection, one.connector, one.name, len(tools), on))
    return visit.page(
        "home.html",
        entries=entries,
        reconnect=[one for one in accounts if one.connection.state is State.RECONNECT],
        policy_is_news=await visit.services.privacy.policies.is_news_to(visit.person),
        policy=await visit.services.privacy.policies.current(),
        endpoint=f"{visit.public_url}/mcp",
        setups=setups(visit.public_url),
    )


def setups(public_url: str, path: str = "/mcp", name: str = "valetkey") -> tuple[Setup, ...]:
    """The lines to copy for the common assistants, which will know the endpoint `path` as `name`."""
    url = f"{public_url}{path}"
    return (
        Setup("Claude Code", "In a terminal:", f"claude mcp add --transport http {name} {url}"),
        Setup("Cursor", "In ~/.cursor/mcp.json:", pretty_json({"mcpServers": {name: {"url": url}}})),
        Setup("VS Code", "In .vscode/mcp.json:", pretty_json({"servers": {name: {"type": "http", "url": url}}})),
        Setup("Codex", "In ~/.codex/config.toml:", f'[mcp_servers.{name}]\nurl = "{url}"'),
        Setup(
            "Any other assistant",
            "Wherever it lets you add a remote MCP server (streamable HTTP). One that only starts programs can use:",
            pretty_json({"mcpServers": {name: {"command": "npx", "args": ["-y", "mcp-remote", url]}}}),
        ),
    )

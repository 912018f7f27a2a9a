"""The values of the gateway: who asks at which door, what they are told, and what it needs of connections."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from valetkey.connections.model import Connection
from valetkey.directory.model import Connector, Tool
from valetkey.identity.model import Principal
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.secret import Credential
from valetkey.protocol.asks import Asks
from valetkey.upstream.model import Target

Notify = Callable[[bytes], Awaitable[None]]
"""Takes a notification (one JSON-RPC message) for the client of a request under way; an empty one opens its stream."""


class Door(msgspec.Struct, frozen=True, gc=False):
    """An MCP endpoint of ours: one connector, or one account of it (`label`), or several.

    With an empty `connector` it is the choice that the person's `profile` makes; `/mcp` has neither and is everything.
    """

    path: str
    connector: str = ""
    label: str = ""
    profile: str = ""


class Head(msgspec.Struct, gc=False):
    """The head of a client's request, as far as we look at it. Names are in lower case.

    `fields` has the headers we know, `params` the `Mcp-Param-*` ones, `repeated` names a known header that came twice.
    """

    method: str
    path: str
    fields: Mapping[bytes, bytes]
    params: Mapping[bytes, bytes]
    repeated: bytes


class Reply(msgspec.Struct, frozen=True, gc=False):
    """An HTTP answer of ours. `headers` come beside content type and length; a body is JSON."""

    status: int
    body: bytes = b""
    headers: Sequence[tuple[bytes, bytes]] = ()


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """Who was let in, and at which endpoint."""

    who: Principal
    door: Door


class Client(msgspec.Struct, frozen=True, gc=False):
    """How the client of a request talks: its revision, and whether it can send its user to a URL.

    `asks` is what a service may ask it within this request; `session` the legacy session the request belongs to.
    """

    version: str
    is_modern: bool
    opens_urls: bool
    asks: Asks = Asks.NOTHING
    session: bytes = b""


class Said(msgspec.Struct, frozen=True, gc=False):
    """An answer to a request in the client's revision: `result` or `error` (with its `code`) as raw JSON."""

    result: bytes = b""
    error: bytes = b""
    code: int = 0


class Account(msgspec.Struct, frozen=True, gc=False):
    """A connection with its connector, and where requests for it go.

    `page` is where the person sees this connection and switches its tools on, as a path of this hub.
    """

    connection: Connection
    connector: Connector
    target: Target
    page: str

    @property
    def is_open(self) -> bool:
        """Whether anything may be asked of it: it is blocked, quarantined and delisted by nobody."""
        return self.connector.state == "enabled" and self.connection.quarantined_at is None


class Meant(msgspec.Struct, frozen=True, gc=False):
    """What a call is about. `tool` is missing when the account has no such tool, or none were ever seen.

    It is missing too while it is `held`: which says in what way it is not what was accepted (`directory.drift`).
    """

    account: Account
    name: str
    tool: Tool | None
    was_listed: bool
    held: str = ""


class Ticket(Credential, Protocol):
    """A credential that can tell which token set it was made from, and whether the service said it back."""

    @property
    def generation(self) -> int: ...

    @property
    def echoed(self) -> bool: ...


class Credentials(Protocol):
    """What we need of `connections.credentials`: a credential for one call, or the reason why there is none."""

    def ticket_now(self, connection_id: str, *, person_id: str, call_id: str) -> Ticket | None: ...

    async def ticket(self, connection_id: str, *, person_id: str, call_id: str) -> Ticket | None: ...

    async def refused(self, connection_id: str, ticket_generation: int) -> bool: ...

    async def forbidden(self, connection_id: str, challenge: str) -> OutboundFailed | None: ...


class Connections(Protocol):
    """What we need of `connections.accounts`: a person's own connections."""

    async def list(self, person_id: str) -> Sequence[Connection]: ...

    async def get(self, person_id: str, connection_id: str) -> Connection: ...

    async def mark_reconnect(self, connection: Connection, reason: str) -> bool: ...

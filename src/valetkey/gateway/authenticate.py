"""The gate: everything about a request that is decided before its body is read. Both fronts pass through it.

Host, path, origin, bearer token, method, type and size, in this order, and each with the one answer it has. What a
stranger is told follows from the path alone, whether or not there is such a connector.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Protocol

from valetkey.gateway.caller import FORWARDED, PROGRAM
from valetkey.gateway.model import Admitted, Door, Head, Reply
from valetkey.identity.model import Principal
from valetkey.kernel.errors import NotSignedIn
from valetkey.protocol import headers
from valetkey.protocol.errors import INVALID_REQUEST
from valetkey.protocol.jsonrpc import error_message

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of a request body."""

_PATH: Final = re.compile(r"/c/([a-z0-9-]{1,24})(?:/(?!mcp/)([a-z0-9]{1,12}))?/mcp")
_PROFILE: Final = re.compile(r"/p/([a-z0-9-]{1,24})/mcp")
_MOST_DOORS: Final = 10_000
_KNOWN: Final = frozenset(
    (
        *(b"host", b"origin", b"authorization", b"content-type", b"content-length", b"accept", b"expect"),
        *(headers.VERSION, headers.METHOD, headers.NAME, headers.SESSION),
        *(PROGRAM, FORWARDED),
    )
)
_IN_PIECES: Final = frozenset((b"accept", PROGRAM, FORWARDED))
"""Lists, and so allowed to come in pieces (RFC 9110 5.3), or nothing that we go by."""
_SCOPE: Final = "mcp"


class Authenticates(Protocol):
    """What we need of `identity.tokens`."""

    def authenticate_now(self, token: bytes, audience: str) -> Principal | None: ...

    async def authenticate(self, token: bytes, *, audience: str) -> Principal: ...


def read_head(method: str, path: str, pairs: Iterable[tuple[bytes, bytes]]) -> Head:
    """The head of a request from its header lines (names in lower case, in any order)."""
    fields: dict[bytes, bytes] = {}
    params: dict[bytes, bytes] = {}
    repeated = b""
    for name, given in pairs:
        value = given.strip(b" \t")  # what stands around a value is no part of it (RFC 9110 5.5)
        if name in _KNOWN:
            if name in fields:
                if name in _IN_PIECES:
                    value = fields[name] + b"," + value
                else:
                    repeated = name
            fields[name] = value
        elif name.startswith(headers.PARAM_PREFIX):
            if name in params:
                repeated = name
            params[name] = value
    return Head(method, path, fields, params, repeated)


def is_standing(head: Head) -> bool:
    """Whether the request opens the standing event stream of a legacy session."""
    return (
        head.method == "GET"
        and headers.SESSION in head.fields
        and b"text/event-stream" in head.fields.get(b"accept", b"")
    )


def listens(head: Head) -> bool:
    """Whether the answer is a stream without end: it ends with its client, and does not hold the hub up."""
    return head.method == "GET" or head.fields.get(headers.METHOD) == b"subscriptions/listen"


def refusal(
    status: int, message: str, *, code: int = INVALID_REQUEST, more: tuple[tuple[bytes, bytes], ...] = ()
) -> Reply:
    """A refusal of the whole request, as a JSON-RPC error without an id."""
    return Reply(status, error_message(b"null", code, message), more)


class Gate:
    """Lets requests in. `hosts` are the `Host` values that are ours, `origin` the only web origin that may call us."""

    def __init__(self, tokens: Authenticates, *, public_url: str, hosts: Iterable[str]) -> None:
        self._tokens = tokens
        self._public_url = public_url
        self._origin = public_url.encode()
        self._hosts = frozenset(host.lower().encode() for host in hosts)
        self._doors: dict[str, Door] = {}

    def door(self, path: str) -> Door | None:
        """The endpoint with this path; none for a path that no endpoint can have."""
        door = self._doors.get(path)
        if door is None:
            if path == "/mcp":
                door = Door(path)
            elif (match := _PATH.fullmatch(path)) is not None:
                door = Door(path, match[1], match[2] or "")
            elif (match := _PROFILE.fullmatch(path)) is not None:
                door = Door(path, profile=match[1])
            else:
                return None
            if len(self._doors) < _MOST_DOORS:
                self._doors[path] = door
        return door

    def enter_now(self, head: Head) -> Admitted | Reply | None:
        """Who may go on to their body, from memory; a refusal; or `None` for *ask `enter`*."""
        door = self._stranger(head)
        if isinstance(door, Reply):
            return door
        token = _token(head)
        if token is None:
            return self._challenge(door, presented=b"authorization" in head.fields)
        who = self._tokens.authenticate_now(token, door.path)
        return self._wanted(head, Admitted(who, door)) if who is not None else None

    def enter_again(self, head: Head, before: Admitted) -> Admitted | None:
        """`before`, if `enter_now` would say so again of this very head; `None` means *ask `enter_now`*."""
        token = _token(head)
        who = self._tokens.authenticate_now(token, before.door.path) if token is not None else None
        return before if who is before.who else None

    async def enter(self, head: Head) -> Admitted | Reply:
        """Who may go on to their body, or a refusal. A token for another path is no better than none (RFC 8707)."""
        entered = self.enter_now(head)
        if entered is not None:
            return entered
        door, token = self.door(head.path), _token(head)
        assert door is not None
        assert token is not None  # else `enter_now` had refused
        try:
            who = await self._tokens.authenticate(token, audience=door.path)
        except NotSignedIn:
            return self._challenge(door, presented=True)
        return self._wanted(head, Admitted(who, door))

    def _stranger(self, head: Head) -> Reply | Door:
        """What anybody is told, without a look at the token: a refusal, or the endpoint that is meant."""
        fields = head.fields
        # A name that resolves to us but is not ours is a page in somebody's browser (DNS rebinding).
        if (host := fields.get(b"host", b"")) not in self._hosts and host.lower() not in self._hosts:
            return refusal(421, "This hub does not answer to that host name.")
        door = self._doors.get(head.path) or self.door(head.path)
        if door is None:
            return refusal(404, "There is no such endpoint.")
        origin = fields.get(b"origin")
        if origin is not None and origin != self._origin:
            return refusal(403, "Requests from other web pages are not served.")
        if head.repeated:
            return refusal(400, f"The header {head.repeated.decode('latin-1')} came more than once.")
        return door

    def _wanted(self, head: Head, entered: Admitted) -> Admitted | Reply:
        """What is wrong with the request of somebody we know; themself, if they may go on to their body."""
        if _SCOPE not in entered.who.scopes:
            challenge = (
                f'Bearer error="insufficient_scope", scope="{_SCOPE}", resource_metadata="{self._metadata(head.path)}"'
            )
            return refusal(403, "The token lacks the scope mcp.", more=((b"www-authenticate", challenge.encode()),))
        if is_standing(head):
            return entered
        if head.method != "POST":
            # No session that could be ended, a stream only for sessions of older revisions: both are allowed to be 405.
            return refusal(405, "Only POST is served here.", more=((b"allow", b"POST"),))
        kind = head.fields.get(b"content-type", b"")
        if kind != b"application/json" and kind.partition(b";")[0].strip().lower() != b"application/json":
            return refusal(415, "The body must be application/json.")
        length = head.fields.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 15:
            return refusal(400, "The content length is no number.")
        if int(length) > MAX_BODY:
            return too_large()
        return entered

    def _challenge(self, door: Door, *, presented: bool) -> Reply:
        """401 as RFC 9728 5.1 and RFC 6750 3 want it: `error` only when there was a token to be wrong."""
        challenge = f'Bearer resource_metadata="{self._metadata(door.path)}", scope="{_SCOPE}"'
        if presented:
            challenge += ', error="invalid_token"'
        return refusal(401, "Sign in to use this endpoint.", more=((b"www-authenticate", challenge.encode()),))

    def _metadata(self, path: str) -> str:
        return f"{self._public_url}/.well-known/oauth-protected-resource{path}"


def _token(head: Head) -> bytes | None:
    """The bearer token (RFC 6750 2.1); nowhere else is one looked for."""
    scheme, _, token = head.fields.get(b"authorization", b"").partition(b" ")
    token = token.strip(b" ")
    return token if token and scheme.lower() == b"bearer" else None


def too_large() -> Reply:
    """413 for a body beyond the limit; the connection is not worth keeping."""
    return refusal(413, f"A request body has at most {MAX_BODY} bytes.", more=((b"connection", b"close"),))

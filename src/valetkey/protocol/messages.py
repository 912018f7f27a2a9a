"""The messages of MCP that we read or write ourselves: envelopes, handshakes, calls, lists.

Readers take scanned JSON and keep what they do not know as raw slices; writers give bytes.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from valetkey.protocol.asks import NOT_ANSWERED, Answered, answered
from valetkey.protocol.errors import INVALID_PARAMS, Rejected
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.versions import LEGACY, MODERN

PROTOCOL_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO_KEY: Final = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"
SERVER_INFO_KEY: Final = "io.modelcontextprotocol/serverInfo"
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Severities of log messages, the chattiest first (RFC 5424)."""
_OWN_KEYS: Final = "io.modelcontextprotocol/"

_NOTHING: Final = msgspec.Raw(b"")
_encode = msgspec.json.encode


class ToolCall(msgspec.Struct, frozen=True, gc=False):
    """`tools/call`: which tool, with which arguments (a raw JSON object).

    `meta` and `rest` are the other members, raw; `progress_token` is raw JSON, empty when no progress is wanted.
    `declined` says that the client's user already said no to what this same call asked for before; `answered` has what
    a retried call brings (modern clients only).
    """

    name: str
    arguments: bytes
    meta: Mapping[str, msgspec.Raw]
    rest: Mapping[str, msgspec.Raw]
    progress_token: bytes = b""
    wants_log: bool = False
    declined: bool = False
    answered: Answered = NOT_ANSWERED
    log_level: str = ""


_decode_string = msgspec.json.Decoder(str).decode


_NO_MEMBERS: Final[Mapping[str, msgspec.Raw]] = {}
_USUAL: Final = frozenset({"name", "arguments", "_meta"})
_NOT_PASSED: Final = _USUAL | {"inputResponses", "requestState"}


class Params(msgspec.Struct, frozen=True, gc=False):
    """The `params` of a request by member, raw; `meta` are the members of their `_meta`."""

    members: Mapping[str, msgspec.Raw]
    meta: Mapping[str, msgspec.Raw]


def read_params(raw: bytes) -> Params:
    """The `params` of a request (a raw object, or nothing). Raises `Rejected` (-32602) when `_meta` is no object."""
    found = members(raw) if raw else _NO_MEMBERS
    meta = found.get("_meta")
    if meta is None:
        return Params(found, _NO_MEMBERS)
    try:
        return Params(found, members(bytes(meta)))
    except Rejected as error:
        raise Rejected("params._meta must be an object.", rpc_code=INVALID_PARAMS, field="params._meta") from error


def tool_call(params: Params, *, modern: bool, log_level: str = "") -> ToolCall:
    """The call in the `params` of `tools/call`. Raises `Rejected` (-32602) when there is none.

    A modern client gets log messages only if it asks for them with the call; an older one from `log_level` on.
    """
    found, meta = params.members, params.meta
    try:
        name = _decode_string(found.get("name", b"null"))
    except msgspec.MsgspecError as error:
        raise Rejected("params.name must be a string.", rpc_code=INVALID_PARAMS, field="params.name") from error
    arguments = bytes(found.get("arguments", b"{}"))
    if arguments[:1] != b"{":
        raise Rejected("params.arguments must be an object.", rpc_code=INVALID_PARAMS, field="params.arguments")
    rest, declined, brought = _NO_MEMBERS, False, NOT_ANSWERED
    if not found.keys() <= _USUAL:
        # State and answers are about our own question: a retried call is recognized by what it calls.
        rest = {key: value for key, value in found.items() if key not in _NOT_PASSED}
        declined = "inputResponses" in found and _is_declined(bytes(found["inputResponses"]))
        brought = answered(found) if modern else NOT_ANSWERED
    token = bytes(meta["progressToken"]) if "progressToken" in meta else b""
    wants_log = not modern or LOG_LEVEL_KEY in meta
    level = level_in(meta) if modern else log_level
    return ToolCall(name, arguments, meta, rest, token, wants_log, declined, brought, level)


def level_in(meta: Mapping[str, msgspec.Raw]) -> str:
    """The level of log messages that a modern request asks for; empty when it asks for none, or for no known one."""
    if LOG_LEVEL_KEY not in meta:
        return ""
    try:
        level = _decode_string(meta[LOG_LEVEL_KEY])
    except msgspec.MsgspecError:
        return ""
    return level if level in LEVELS else ""


class _Response(msgspec.Struct, gc=False):
    action: str = ""


_decode_responses = msgspec.json.Decoder(dict[str, _Response]).decode


def _is_declined(answers: bytes) -> bool:
    try:
        given = _decode_responses(answers)
    except msgspec.MsgspecError:
        return False
    return any(answer.action in ("decline", "cancel") for answer in given.values())


class Initialize(msgspec.Struct, frozen=True, gc=False):
    """The `params` of `initialize`, as far as we read them."""

    version: str = msgspec.field(default=LEGACY[0], name="protocolVersion")
    capabilities: msgspec.Raw = _NOTHING


_decode_initialize = msgspec.json.Decoder(Initialize).decode


def initialize(params: bytes) -> Initialize:
    """The `params` of `initialize`; lenient, since a client that is refused here has no other way in."""
    try:
        return _decode_initialize(params) if params else Initialize()
    except msgspec.MsgspecError:
        return Initialize()


def object_of(parts: Iterable[tuple[str, bytes | msgspec.Raw]]) -> bytes:
    """A JSON object from keys and raw values, in order."""
    return b"{%b}" % b",".join(b"%b:%b" % (_encode(key), bytes(value)) for key, value in parts)


# --- what we send upstream ----------------------------------------------------------------------------------------


def upstream_meta(
    meta: Mapping[str, msgspec.Raw],
    *,
    token: int | None,
    client_info: bytes,
    modern: bool,
    capabilities: bytes = b"{}",
    log_level: str = "",
) -> bytes:
    """`_meta` for a request of ours: our own envelope, and what the client sent beside the protocol's keys.

    The client's own protocol keys never cross (its version, its name, its capabilities are about the other leg), its
    progress token is replaced by ours. Trace context and vendor keys pass. `capabilities` is what the client of this
    request can be asked through us, raw. Empty when there is nothing to say.
    """
    theirs = [key for key in meta if not key.startswith(_OWN_KEYS) and key != "progressToken"]
    level = (_encode(log_level) if log_level else meta.get(LOG_LEVEL_KEY, b"")) if modern else b""
    if not theirs and token is None and not level:
        return _envelope(client_info, capabilities) if modern else b""
    parts: list[tuple[str, bytes | msgspec.Raw]] = [(key, meta[key]) for key in theirs]
    if token is not None:
        parts.append(("progressToken", b"%d" % token))
    if level:
        parts.append((LOG_LEVEL_KEY, level))
    own = _envelope(client_info, capabilities) if modern else b"{}"
    if not parts:
        return own
    return object_of(parts)[:-1] + (b"," + own[1:] if modern else b"}")


@functools.cache
def _envelope(client_info: bytes, capabilities: bytes) -> bytes:
    """The protocol's own keys."""
    parts = [(PROTOCOL_VERSION_KEY, b'"%b"' % MODERN.encode()), (CLIENT_INFO_KEY, client_info)]
    return object_of([*parts, (CAPABILITIES_KEY, capabilities)])


def call_params(name: str, arguments: bytes, meta: bytes, rest: Mapping[str, msgspec.Raw]) -> bytes:
    """`params` of `tools/call`."""
    tail = b"".join(b",%b:%b" % (_encode(key), bytes(value)) for key, value in rest.items())
    if meta:
        tail += b',"_meta":%b' % meta
    return b'{"name":%b,"arguments":%b%b}' % (_encode(name), arguments, tail)


def initialize_params(version: str, client_info: bytes, capabilities: bytes) -> bytes:
    """`params` of our `initialize`; `capabilities` are those of the clients this session is for, raw."""
    parts = (version.encode(), capabilities, client_info)
    return b'{"protocolVersion":"%b","capabilities":%b,"clientInfo":%b}' % parts


# --- what we read from upstream -----------------------------------------------------------------------------------


class ServerFacts(msgspec.Struct, frozen=True, gc=False):
    """From `initialize` or `server/discover`: who the server says it is. Raw JSON, empty when absent."""

    version: str = msgspec.field(default="", name="protocolVersion")
    versions: tuple[str, ...] = msgspec.field(default=(), name="supportedVersions")
    capabilities: msgspec.Raw = _NOTHING
    info: msgspec.Raw = msgspec.field(default=_NOTHING, name="serverInfo")
    instructions: msgspec.Raw = _NOTHING
    meta: msgspec.Raw = msgspec.field(default=_NOTHING, name="_meta")

    def summary(self) -> bytes:
        """JSON kept beside the tools: serverInfo, instructions, capabilities, the newest revision, as far as given."""
        info = bytes(self.info) or (bytes(members(bytes(self.meta)).get(SERVER_INFO_KEY, b"")) if self.meta else b"")
        revision = self.version or max(self.versions, default="")
        parts = (
            ("serverInfo", info), ("instructions", self.instructions), ("capabilities", self.capabilities),
            ("protocolVersion", msgspec.json.encode(revision) if revision else b""),
        )  # fmt: skip
        return object_of([(key, value) for key, value in parts if bytes(value)])


_decode_facts = msgspec.json.Decoder(ServerFacts).decode


def server_facts(result: bytes) -> ServerFacts | None:
    """The facts in the result of `initialize` or `server/discover`, or `None` when it is neither."""
    try:
        facts = _decode_facts(result)
    except msgspec.MsgspecError:
        return None
    return facts if facts.version or facts.versions else None


class ToolPage(msgspec.Struct, frozen=True, gc=False):
    """One page of `tools/list`; `cursor` is raw JSON, empty on the last page."""

    tools: tuple[msgspec.Raw, ...]
    cursor: msgspec.Raw = msgspec.field(default=_NOTHING, name="nextCursor")
    ttl_ms: float = msgspec.field(default=0, name="ttlMs")


_decode_page = msgspec.json.Decoder(ToolPage).decode


def tool_page(result: bytes) -> ToolPage | None:
    """A page of tools, or `None` when the result is none."""
    try:
        return _decode_page(result)
    except msgspec.MsgspecError:
        return None


# --- what we answer clients ---------------------------------------------------------------------------------------


def server_result(*, version: str, instructions: str, info: bytes, capabilities: Mapping[str, Any]) -> bytes:
    """The result of `initialize` (legacy versions) or `server/discover` (modern)."""
    said = b',"instructions":%b' % _encode(instructions) if instructions else b""
    if version == MODERN:
        return (
            b'{"resultType":"complete","supportedVersions":["%b"],"capabilities":%b%b,"ttlMs":0,"cacheScope":"private",'
            b'"_meta":{"%b":%b}}'
        ) % (MODERN.encode(), _encode(capabilities), said, SERVER_INFO_KEY.encode(), info)
    return b'{"protocolVersion":"%b","capabilities":%b,"serverInfo":%b%b}' % (
        version.encode(),
        _encode(capabilities),
        info,
        said,
    )


def tools_result(tools: Sequence[bytes], *, version: str, ttl_ms: int, meta: Mapping[str, Any]) -> bytes:
    """The result of `tools/list`. What is listed depends on the person, so it is always private."""
    marks = b',"_meta":%b' % _encode(meta) if meta else b""
    if version == MODERN:
        hints = b',"ttlMs":%d,"cacheScope":"private"' % ttl_ms
        return b'{"resultType":"complete","tools":[%b]%b%b}' % (b",".join(tools), hints, marks)
    return b'{"tools":[%b]%b}' % (b",".join(tools), marks)


def text_result(text: str, *, version: str, is_error: bool = True) -> bytes:
    """A tool result with a sentence of ours, which the model reads."""
    kind = b'"resultType":"complete",' if version == MODERN else b""
    flag = b"true" if is_error else b"false"
    return b'{%b"content":[{"type":"text","text":%b}],"isError":%b}' % (kind, _encode(text), flag)


def url_request(message: str, url: str, *, key: str = "connect", state: str = "") -> bytes:
    """A modern result that asks for a visit to a URL (SEP-2322, SEP-1036). Connecting needs no state in the retry."""
    tail = b',"requestState":%b' % _encode(state) if state else b""
    return (
        b'{"resultType":"input_required","inputRequests":{%b:{"method":"elicitation/create","params":'
        b'{"mode":"url","message":%b,"url":%b}}}%b}'
    ) % (_encode(key), _encode(message), _encode(url), tail)


def url_required_data(message: str, url: str, elicitation_id: str) -> bytes:
    """`data` of error -32042 (revision 2025-11-25)."""
    return b'{"elicitations":[{"mode":"url","elicitationId":%b,"url":%b,"message":%b}]}' % (
        _encode(elicitation_id),
        _encode(url),
        _encode(message),
    )

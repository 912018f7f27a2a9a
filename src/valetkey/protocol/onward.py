"""A client's request on its way to a service: its method, its parameters as raw JSON, and what belongs to the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from valetkey.protocol.asks import NOT_ANSWERED, Answered, answered
from valetkey.protocol.errors import INVALID_PARAMS, Rejected
from valetkey.protocol.jsonrpc import members
from valetkey.protocol.messages import LEVELS, LOG_LEVEL_KEY, Params, ToolCall, call_params, level_in, object_of
from valetkey.protocol.translate import named_by

_OURS: Final = ("_meta", "inputResponses", "requestState")
_NO_META: Final[Mapping[str, msgspec.Raw]] = {}


class Onward(msgspec.Struct, frozen=True, gc=False):
    """Any request that is passed on.

    `params` is a raw JSON object without `_meta`, whose members are in `meta`; `named` is what `Mcp-Name` repeats,
    empty for methods without that header. `progress_token` is raw JSON, empty when no progress is wanted. Log messages
    are wanted from `log_level` on if `wants_log`; with no level, as the service likes.
    """

    method: str
    params: bytes = b"{}"
    named: str = ""
    meta: Mapping[str, msgspec.Raw] = _NO_META
    progress_token: bytes = b""
    wants_log: bool = False
    log_level: str = ""
    answered: Answered = NOT_ANSWERED

    def params_with(self, meta: bytes) -> bytes:
        """The whole `params`; `meta` is raw JSON, or empty when there is none."""
        if not meta:
            return self.params
        if self.params == b"{}":
            return b'{"_meta":%b}' % meta
        return b'%b,"_meta":%b}' % (self.params[:-1], meta)


def tool_call_onward(call: ToolCall) -> Onward:
    """A tool call, ready to be passed on."""
    params = call_params(call.name, call.arguments, b"", call.rest)
    return Onward("tools/call", params, call.name, call.meta, call.progress_token, call.wants_log, call.log_level)


def page_onward(method: str, cursor: bytes) -> Onward:
    """One page of a list. `cursor` is raw JSON (an empty string is a cursor), empty for the first page."""
    return Onward(method, b'{"cursor":%b}' % cursor if cursor else b"{}")


def onward(method: str, params: Params, *, modern: bool, log_level: str = "") -> Onward:
    """A client's request, ready to be passed on. Raises `Rejected` (-32602) when what `Mcp-Name` repeats is missing.

    `log_level` is what a legacy client has set; a modern one says it with each request. Answers to questions, and the
    state that comes with them, stand apart: they are about our own leg.
    """
    rest = {key: value for key, value in params.members.items() if key not in _OURS}
    token = bytes(params.meta["progressToken"]) if "progressToken" in params.meta else b""
    level = level_in(params.meta) if modern else log_level
    wants_log = not modern or LOG_LEVEL_KEY in params.meta
    brought = answered(params.members) if modern else NOT_ANSWERED
    return Onward(
        method, object_of(rest.items()), name_in(method, params), params.meta, token, wants_log, level, brought
    )


def name_in(method: str, params: Params) -> str:
    """What `Mcp-Name` has to repeat; empty for methods without that header. Raises `Rejected` when it is missing."""
    member = named_by(method)
    if not member:
        return ""
    try:
        return _decode_string(params.members.get(member, b"null"))
    except msgspec.MsgspecError as error:
        raise Rejected(
            f"params.{member} must be a string.", rpc_code=INVALID_PARAMS, field=f"params.{member}"
        ) from error


def redirected(onward: Onward, **changed: bytes) -> Onward:
    """The same with other raw `params`, for a service that calls the thing otherwise."""
    found = members(onward.params)
    found.update((key, msgspec.Raw(value)) for key, value in changed.items())
    member = named_by(onward.method)
    named = msgspec.json.decode(changed[member], type=str) if member in changed else onward.named
    return msgspec.structs.replace(onward, params=object_of(found.items()), named=named)


def is_as_severe(params: bytes, level: str) -> bool:
    """Whether a log message (raw `params`) is at least as severe as `level`; an unknown level is passed on."""
    try:
        said = _decode_level(params).level
    except msgspec.MsgspecError:
        return True
    return not level or said not in LEVELS or LEVELS.index(said) >= LEVELS.index(level)


class _Logged(msgspec.Struct, gc=False):
    level: str = ""


_decode_level = msgspec.json.Decoder(_Logged).decode
_decode_string = msgspec.json.Decoder(str).decode

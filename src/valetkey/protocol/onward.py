"""A client's request on its way to a service: its method, its parameters as raw JSON, and what belongs to the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from valetkey.protocol.messages import ToolCall, call_params

_NO_META: Final[Mapping[str, msgspec.Raw]] = {}


class Onward(msgspec.Struct, frozen=True, gc=False):
    """Any request that is passed on.

    `params` is a raw JSON object without `_meta`, whose members are in `meta`; `named` is what `Mcp-Name` repeats,
    empty for methods without that header. `progress_token` is raw JSON, empty when no progress is wanted.
    """

    method: str
    params: bytes = b"{}"
    named: str = ""
    meta: Mapping[str, msgspec.Raw] = _NO_META
    progress_token: bytes = b""
    wants_log: bool = False

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
    return Onward("tools/call", params, call.name, call.meta, call.progress_token, call.wants_log)


def page_onward(method: str, cursor: bytes) -> Onward:
    """One page of a list. `cursor` is raw JSON (an empty string is a cursor), empty for the first page."""
    return Onward(method, b'{"cursor":%b}' % cursor if cursor else b"{}")

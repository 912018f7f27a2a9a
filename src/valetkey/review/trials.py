"""Stage 3: calling tools that say they only read, with a test account that somebody gave for it.

A tool that says nothing about itself is taken to write, and is not called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from valetkey.kernel.errors import OutboundFailed, printable
from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import read_error
from valetkey.protocol.messages import ToolCall
from valetkey.protocol.onward import tool_call_onward
from valetkey.review.arguments import invalid, valid
from valetkey.review.conversation import Conversation, parsed
from valetkey.review.model import Kind, SeenTool, Trial, Trials, Witness
from valetkey.review.texts import strings_in
from valetkey.review.visit import Visit
from valetkey.review.words import READS, verb_of
from valetkey.upstream.model import Forbidden403

MAX_TOOLS: Final = 40
MAX_WITNESSES: Final = 3
_MOST_TEXT: Final = 200_000


async def try_tools(visit: Visit, conversation: Conversation, tools: Sequence[SeenTool]) -> Trials:
    """Calls each read-only tool as it should be called, and in ways in which it should not. Never raises."""
    until = visit.clock.monotonic() + visit.patience.trials
    reading = [tool for tool in tools if tool.reads_only]
    witnesses = [tool for tool in reading if not valid(tool) and verb_of(tool.name) in READS][:MAX_WITNESSES]
    before = [(tool, await _says(conversation, tool), await _says(conversation, tool)) for tool in witnesses]
    calls: list[Trial] = []
    left_out = max(0, len(reading) - MAX_TOOLS)
    for index, tool in enumerate(reading[:MAX_TOOLS]):
        if visit.clock.monotonic() > until:
            left_out += len(reading[:MAX_TOOLS]) - index
            break
        visit.say(f"calling {printable(tool.name, limit=64)}")
        calls.append(await _call(conversation, tool, "valid", valid(tool)))
        if calls[-1].answered:
            calls += [await _call(conversation, tool, kind, arguments) for kind, arguments in invalid(tool)]
    seen = [Witness(tool.name, one, two, await _says(conversation, tool)) for tool, one, two in before]
    return Trials(tuple(calls), tuple(seen), left_out)


async def _says(conversation: Conversation, tool: SeenTool) -> str:
    return (await _call(conversation, tool, "valid", {})).text


async def _call(conversation: Conversation, tool: SeenTool, kind: Kind, arguments: Mapping[str, Any]) -> Trial:
    call = ToolCall(tool.name, json.dumps(arguments).encode(), {}, {})
    try:
        carried = await conversation.carry(tool_call_onward(call))
    except OutboundFailed as error:
        forbidden = isinstance(error, Forbidden403)
        return Trial(tool=tool.name, kind=kind, answered=False, problem=error.message, forbidden=forbidden)
    if carried.error:
        return Trial(tool=tool.name, kind=kind, answered=True, failed=True, text=_message(carried.error))
    result = parsed(carried.result)
    content = result.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    text = "\n".join(block["text"] for block in blocks if isinstance(block.get("text"), str))
    beside = "\n".join(strings_in([*map(_beside, blocks), result.get("structuredContent")]))
    return Trial(
        tool=tool.name,
        kind=kind,
        answered=True,
        failed=result.get("isError") is True,
        text=text[:_MOST_TEXT],
        beside=beside[:_MOST_TEXT],
        is_cut=max(len(text), len(beside)) > _MOST_TEXT,
        media=tuple(filter(None, map(_media_type, blocks))),
        size=len(carried.result),
        structured=result.get("structuredContent"),
    )


def _beside(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """A block of a result but for its text, and for bytes that are no text."""
    inner = block.get("resource")
    told = {name: value for name, value in block.items() if name not in ("text", "data", "resource")}
    return told | ({"resource": {**inner, "blob": ""}} if isinstance(inner, dict) else {})


def _media_type(block: Mapping[str, Any]) -> str:
    """What kind of picture, sound or film it holds or points to, if it is one."""
    inner = block.get("resource") if block.get("type") == "resource" else block
    kind = inner.get("mimeType") if isinstance(inner, dict) else None
    return kind[:100] if isinstance(kind, str) and kind.lower().startswith(("image/", "audio/", "video/")) else ""


def _message(raw: bytes) -> str:
    try:
        return read_error(raw).message
    except Rejected:
        return ""

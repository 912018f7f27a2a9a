"""How a tool of the reference upstream asks its client, in the words of whichever era the client speaks.

A tool says `await call.ask({...})` and gets the answers. To a client of 2026-07-28 that is an `input_required` result
and a second call (SEP-2322); to an older one, requests on the stream of the call that is under way.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

Json = dict[str, Any]
Context = ServerRequestContext[Any, Any]

MODERN: Final = "2026-07-28"
INVALID_PARAMS: Final = -32602
CAPABILITY_MISSING: Final = -32021

_REQUESTS: Final[dict[str, tuple[str, Any, type[Any]]]] = {
    "elicitation/create": ("elicitation", types.ElicitRequest, types.ElicitResult),
    "sampling/createMessage": ("sampling", types.CreateMessageRequest, types.CreateMessageResult),
    "roots/list": ("roots", types.ListRootsRequest, types.ListRootsResult),
}
_KEY: Final = secrets.token_bytes(32)


class Asked(Exception):
    """The call ends here with these questions; its answers come with another one."""

    def __init__(self, requests: Json, state: str) -> None:
        super().__init__("input required")
        self.result: Json = {"resultType": "input_required", "inputRequests": requests}
        if state:
            self.result["requestState"] = state


class Refused(Exception):
    """The tool ran and failed: the model is told why."""


@dataclass(slots=True)
class Call:
    """One call of a tool or prompt: its arguments, and the client behind it."""

    context: Context
    arguments: Mapping[str, Any]
    responses: Mapping[str, Any] = field(default_factory=dict)
    state: str = ""

    @property
    def is_modern(self) -> bool:
        return self.context.protocol_version == MODERN

    def declares(self, method: str) -> bool:
        """Whether the client said that it takes requests of this method."""
        declared = self.context.session.client_capabilities
        return declared is not None and getattr(declared, _REQUESTS[method][0]) is not None

    async def ask(self, requests: Mapping[str, Json], *, remember: bool = False) -> Json:
        """The client's answers by key. With `remember`, those of earlier rounds travel in a signed `requestState`.

        A client of before 2026-07-28 is asked all at once, and without a look at what it declared: many servers do not
        look, since a client that cannot answer says so.
        """
        if not self.is_modern:
            return await self._request_all(requests)
        for request in requests.values():
            self._demand(str(request["method"]))
        known = {**(_open(self.state) if self.state else {}), **self.responses}
        if requests.keys() <= known.keys():
            return {key: known[key] for key in requests}
        missing = {key: request for key, request in requests.items() if key not in known}
        raise Asked(missing, _sign(known) if remember else "")

    async def log(self, text: str) -> None:
        await self.context.session.send_log_message("info", text, related_request_id=self.context.request_id)

    async def progress(self, done: float, total: float) -> None:
        await self.context.session.report_progress(done, total, f"{done:g} of {total:g}")

    def _demand(self, method: str) -> None:
        if not self.declares(method):
            capability = _REQUESTS[method][0]
            wanted: Json = {"requiredCapabilities": {capability: {}}}
            raise MCPError(CAPABILITY_MISSING, f"This needs the client's capability {capability}.", wanted)

    async def _request_all(self, requests: Mapping[str, Json]) -> Json:
        answers: Json = {}
        refused: list[Refused] = []

        async def request(key: str) -> None:
            try:
                answers[key] = await self._request(requests[key])
            except Refused as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            for key in requests:
                group.start_soon(request, key)
        if refused:
            raise refused[0]
        return answers

    async def _request(self, request: Json) -> Json:
        _, kind, result = _REQUESTS[str(request["method"])]
        related = ServerMessageMetadata(related_request_id=self.context.request_id)
        try:
            answer = await self.context.session.send_request(kind.model_validate(request), result, metadata=related)
        except MCPError as error:
            raise Refused(f"The client answered with an error: {error.message}") from error
        dumped: Json = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        return dumped


def _sign(answers: Mapping[str, Any]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(answers, sort_keys=True).encode()).decode()
    return f"{body}.{_seal(body)}"


def _open(state: str) -> Json:
    """What `_sign` was given. Whatever else comes is refused: it is in the client's hands meanwhile."""
    body, _, seal = state.partition(".")
    if not hmac.compare_digest(seal.encode(), _seal(body).encode()):
        raise MCPError(INVALID_PARAMS, "This requestState was not made here.")
    answers: Json = json.loads(base64.urlsafe_b64decode(body))
    return answers


def _seal(body: str) -> str:
    return hmac.new(_KEY, body.encode(), hashlib.sha256).hexdigest()


def elicitation(message: str, properties: Json, *, required: list[str] | None = None) -> Json:
    """A form to be shown to the person."""
    schema: Json = {"type": "object", "properties": properties}
    if required is not None:
        schema["required"] = required
    return {
        "method": "elicitation/create",
        "params": {"mode": "form", "message": message, "requestedSchema": schema},
    }


def sampling(prompt: str, *, at_most: int) -> Json:
    """A prompt to be put to the client's model."""
    said = {"role": "user", "content": {"type": "text", "text": prompt}}
    return {"method": "sampling/createMessage", "params": {"messages": [said], "maxTokens": at_most}}


def roots() -> Json:
    return {"method": "roots/list", "params": {}}

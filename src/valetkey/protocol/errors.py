"""Error codes of JSON-RPC and MCP, their HTTP statuses, and the one exception for a message that cannot be served."""

from __future__ import annotations

from typing import Final

from valetkey.kernel.errors import BadInput

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

HEADER_MISMATCH: Final = -32020
MISSING_CLIENT_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
RESERVED: Final = range(-32099, -32019)
"""Codes the modern revision defines or keeps for itself; they speak about one leg and never cross to the other."""

LEGACY_RESOURCE_NOT_FOUND: Final = -32002
URL_ELICITATION_REQUIRED: Final = -32042
"""2025-11-25 only: the client must send its user to a URL first. Never on the modern wire."""

_MODERN_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CLIENT_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
    METHOD_NOT_FOUND: 404,
}


def modern_status(code: int) -> int:
    """The HTTP status under which the modern revision sends an error with this code."""
    return _MODERN_STATUS.get(code, 200)


class Rejected(BadInput):
    """A message that is answered with a JSON-RPC error instead of being served.

    `id` is the request's id as raw JSON (`null` when it could not be read), `data` raw JSON or empty, `status` the HTTP
    status to send it under.
    """

    code = "rejected"

    def __init__(
        self, message: str, *, rpc_code: int, id: bytes = b"null", data: bytes = b"", status: int = 400, field: str = ""
    ) -> None:
        super().__init__(message, field=field)
        self.rpc_code = rpc_code
        self.id = id
        self.data = data
        self.status = status

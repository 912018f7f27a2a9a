"""What the hub itself says to a client: sentences a model can read, and the three ways of asking for a visit.

A failure of the service, of the network or of a permission is a tool result with `isError`, so that the model can tell
the person; it is never a 401 or 403 of ours, which would send the client to sign in to us again (mcp.md 2.9).
"""

from __future__ import annotations

from typing import Final

import msgspec

from valetkey.connections.model import TemporarilyUnavailable
from valetkey.connections.step_up import MoreNeeded
from valetkey.gateway.model import Client, Said
from valetkey.kernel.errors import OutboundFailed
from valetkey.kernel.ids import new_id
from valetkey.net.model import AddressRefused, BadAnswer, Moved, TimedOut, TooLarge, Unreachable
from valetkey.protocol.errors import INVALID_PARAMS, URL_ELICITATION_REQUIRED
from valetkey.protocol.jsonrpc import error_object, members
from valetkey.protocol.messages import object_of, text_result, url_request, url_required_data
from valetkey.upstream.model import Forbidden403, HttpFailed

MASKED: Final = "valetkey/masked"
ORDERS: Final = "valetkey/reads_like_orders"
"""Key in the `_meta` of a result out of which a credential was taken."""


def text(client: Client, sentence: str) -> Said:
    """A tool error that says `sentence`."""
    return Said(result=text_result(sentence, version=client.version))


def unknown_tool(name: str) -> Said:
    """-32602: there is no such tool (MCP, tools: error handling)."""
    return failure(INVALID_PARAMS, f"Unknown tool: {name}")


def failure(code: int, message: str, data: bytes = b"") -> Said:
    """A JSON-RPC error of ours."""
    return Said(error=error_object(code, message, data), code=code)


def visit(client: Client, sentence: str, url: str, *, declined: bool) -> Said:
    """Sends the person to a page of ours first: as a request where the client can, as an error in 2025-11-25, as text.

    The URL carries nothing secret, and the page asks who is there: whoever opens it acts for themself (SEP-1036).
    """
    if declined:
        return text(client, f"{sentence} The person chose not to do so now: {url}")
    if client.opens_urls and client.is_modern:
        return Said(result=url_request(sentence, url))
    if client.opens_urls:
        return failure(URL_ELICITATION_REQUIRED, sentence, url_required_data(sentence, url, new_id("elicit")))
    return text(client, f"{sentence} Please ask the person to open {url} and then try again.")


def too_large(size: int, limit: int, *, service: str, call_id: str, page: str, why_not: str) -> str:
    """The marker that stands for a result beyond the limit. `size` is in characters; `page` where it can be had, or
    `why_not`.
    """
    where = (
        f"It is kept whole for the person alone: on {page}, with `valetkey call result {call_id}`, and at "
        f"/api/v1/calls/{call_id}/result with a token of theirs."
        if page
        else why_not
    )
    return (
        f"The result from {service} has {size:,} characters; this hub passes on at most {limit:,}. How it begins is "
        f"below. {where} Or ask for less: a narrower query, fewer items, a smaller page."
    )


def beginning(sentence: str, begins: str, version: str) -> bytes:
    """A tool error that says `sentence`, and in a block of its own how what is not passed on begins."""
    block = b'{"type":"text","text":%b}' % msgspec.json.encode(begins)
    return text_result(sentence, version=version).replace(b'}],"isError":', b'},%b],"isError":' % block, 1)


def outbound(error: OutboundFailed, *, service: str) -> str:
    """What happened on the way to the service, without its words and without its address."""
    match error:
        case MoreNeeded():
            return error.message
        case Forbidden403():
            return f"{service} refused this call (HTTP 403): the connected account may not do this there."
        case HttpFailed(status=429):
            return f"{service} says there were too many requests (HTTP 429). Try again later."
        case HttpFailed():
            return f"{service} answered with an error (HTTP {error.status})."
        case TimedOut():
            return f"{service} did not answer in time. Whether the call had an effect there is not known."
        case TooLarge():
            return f"{service} sent more than this hub takes in ({error.message}). Ask for less."
        case Unreachable():
            known = " Whether the call had an effect there is not known." if error.sent else ""
            return f"{service} could not be reached.{known}"
        case AddressRefused():
            return f"{service} is at an address this hub does not talk to."
        case Moved():
            return f"{service} has moved to another address; the connector has to be added anew."
        case BadAnswer():
            return f"{service} answered with something that is not MCP ({error.message})"
        case TemporarilyUnavailable():
            return str(error)
    return f"The call to {service} failed."


def flagged(result: bytes, mark: str) -> bytes:
    """A tool result with a mark: `MASKED`, the credential was taken out of it, which the service had said back;
    `ORDERS`, it reads like orders to a model, or hides something, and is data all the same (S-08).
    """
    found = members(result)
    meta = members(bytes(found["_meta"])) if bytes(found.get("_meta", b""))[:1] == b"{" else {}
    found["_meta"] = msgspec.Raw(object_of({**meta, mark: msgspec.Raw(b"true")}.items()))
    return object_of(found.items())

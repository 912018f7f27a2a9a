"""Syslog over TLS (RFC 5424, RFC 5425). There is no receipt: sent is not kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from valetkey.audit.feed.messages import as_json, as_object, instant
from valetkey.audit.feed.model import Feed, Streams
from valetkey.audit.model import TrailEvent
from valetkey.audit.sinks.syslog import framed
from valetkey.net.model import Url

_SCHEME: Final = "syslog://"
_PORT: Final = 6514
_LOG_AUDIT, _NOTICE = 13, 5


class Syslog:
    """`syslog://host[:port]`."""

    def __init__(self, *, streams: Streams, parse_url: Callable[[str], Url]) -> None:
        self._streams = streams
        self._parse_url = parse_url

    def place(self, address: str) -> Url:
        host = address.removeprefix(_SCHEME).rstrip("/")
        port = "" if ":" in host.rpartition("]")[2] else f":{_PORT}"
        return self._parse_url(f"https://{host}{port}")

    async def send(self, feed: Feed, url: Url, events: Sequence[TrailEvent]) -> str:
        await self._streams.send(url, messages(events))
        return ""


def messages(events: Sequence[TrailEvent]) -> bytes:
    """One message to an event, each with its length before it (RFC 5425); the event's name is the message's id."""
    said = bytearray()
    for event in events:
        head = f"<{_LOG_AUDIT * 8 + _NOTICE}>1 {instant(event.at)} - valetkey - {event.event[:32]} - "
        said += framed(head.encode() + as_json(as_object(event)))
    return bytes(said)

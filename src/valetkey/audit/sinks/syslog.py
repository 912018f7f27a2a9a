"""Checkpoints as syslog messages (RFC 5424), over TLS (RFC 5425) or, within an opened network, TCP (RFC 6587)."""

from __future__ import annotations

import base64
import json
from datetime import UTC

from valetkey.audit.checkpoint_repository import KeptCheckpoint
from valetkey.audit.sinks import Means
from valetkey.audit.sinks.address import Address

_LOG_AUDIT, _INFORMATIONAL = 13, 6
_PORTS = {"syslog": 6514, "syslog+tcp": 601}
_ENTERPRISE = 32473  # for documentation (RFC 5612): we have no number of our own


class SyslogSink:
    """`syslog://host[:port]` (TLS) or `syslog+tcp://host[:port]`. There is no receipt: sent is not kept."""

    def __init__(self, address: Address, means: Means) -> None:
        self.name = address.name
        scheme = "https" if address.kind == "syslog" else "http"  # as `net` says with TLS and without
        place = address.place if ":" in address.place.rpartition("]")[2] else f"{address.place}:{_PORTS[address.kind]}"
        self._url = means.parse_url(f"{scheme}://{place}", what="syslog sink")
        self._streams = means.streams

    async def send(self, checkpoint: KeptCheckpoint) -> None:
        await self._streams.send(self._url, framed(message(checkpoint)))


def message(checkpoint: KeptCheckpoint) -> bytes:
    """One line: the facts as structured data, the signed note as a JSON string."""
    at = checkpoint.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    root = base64.b64encode(checkpoint.root).decode()
    facts = f'[checkpoint@{_ENTERPRISE} number="{checkpoint.number}" size="{checkpoint.size}" root="{root}"]'
    head = f"<{_LOG_AUDIT * 8 + _INFORMATIONAL}>1 {at} - valetkey - checkpoint {facts} "
    return head.encode() + json.dumps(checkpoint.note).encode()


def framed(line: bytes) -> bytes:
    """With its length before it (octet counting)."""
    return b"%d %s" % (len(line), line)

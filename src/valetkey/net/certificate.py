"""What TLS with a server is like: the version it agreed to and the certificate it showed, which was checked."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime

from valetkey.net.dialer import Dialer
from valetkey.net.limits import METADATA, Limits
from valetkey.net.model import Url


@dataclass(frozen=True, slots=True)
class Certificate:
    """`addresses` are all that the host's name stands for, `ends_at` is when the certificate does."""

    tls_version: str
    ends_at: datetime
    addresses: tuple[str, ...]


class CertificateClient:
    """Shakes hands and hangs up. What fails here (chain, name, date, version) is what any request would fail by."""

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer

    async def look(self, url: Url, *, limits: Limits = METADATA) -> Certificate:
        """The certificate of an https origin. Raises `AddressRefused`, `Unreachable`, `TimedOut`."""
        addresses = await self._dialer.addresses(url)
        transport, _protocol, _address = await self._dialer.connect(url, asyncio.Protocol, limits=limits)
        try:
            tls = transport.get_extra_info("ssl_object")
            shown = transport.get_extra_info("peercert")
            ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
            return Certificate(tls.version(), ends_at, tuple(addresses))
        finally:
            transport.abort()

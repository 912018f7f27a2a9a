"""What TLS with a server is like: the version it agreed to and the certificate it showed, which was checked."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from valetkey.kernel.errors import printable
from valetkey.net.dialer import Dialer
from valetkey.net.limits import METADATA, Limits
from valetkey.net.model import Url

IN_CLEAR: Final = "valetkey.shown"
"""Under this name a transport whose TLS is spoken in another process tells what was shown there."""

_NAMES: Final = ("organizationName", "commonName")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a server showed of itself, after it was checked: whom it was issued to and by whom, and until when."""

    tls_version: str
    subject: str
    issuer: str
    ends_at: datetime


def shown_by(transport: asyncio.BaseTransport) -> Shown | None:
    """What the far side of a connection showed; `None` where no TLS is spoken."""
    told: Shown | None = transport.get_extra_info(IN_CLEAR)
    tls, certificate = transport.get_extra_info("ssl_object"), transport.get_extra_info("peercert")
    if told is not None or tls is None or not certificate:
        return told
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    return Shown(str(tls.version()), _name(certificate.get("subject")), _name(certificate.get("issuer")), ends_at)


def _name(parts: Any) -> str:
    """The organization, else the common name: a stranger's words, bounded."""
    named = {name: value for part in parts or () for name, value in part}
    return printable(next((str(named[name]) for name in _NAMES if name in named), ""), limit=100)


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
            shown = shown_by(transport)
            assert shown is not None  # of an https origin
            return Certificate(shown.tls_version, shown.ends_at, tuple(addresses))
        finally:
            transport.abort()

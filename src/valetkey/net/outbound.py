"""Opening the way out: one dialer, and the clients behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from valetkey.kernel.clock import Clock
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.certificate import CertificateClient
from valetkey.net.client import WebClient
from valetkey.net.dialer import Dialer, Dials, Resolve, resolve_by_system
from valetkey.net.http1 import CallClient
from valetkey.net.smtp import MailClient
from valetkey.net.stream import StreamClient


@dataclass(frozen=True, slots=True)
class Outbound:
    """The clients of one process; `web`, `streams` and `mail` hold nothing open, `calls` a pool."""

    calls: CallClient
    web: WebClient
    streams: StreamClient
    mail: MailClient
    certificates: CertificateClient | None = None
    """Not there where TLS is spoken by the dialer's own process, which tells nothing of it."""

    async def close(self) -> None:
        """Hang up everywhere."""
        await self.calls.close()


def open_outbound(
    policy: AddressPolicy, clock: Clock, ca_file: Path | None = None, *, resolve: Resolve = resolve_by_system
) -> Outbound:
    """The way out under a policy; `ca_file` adds roots of trust (PEM), `resolve` replaces the system's name service."""
    dialer = Dialer(policy, clock=clock, resolve=resolve, ca_file=ca_file)
    return replace(outbound_by(dialer, clock), certificates=CertificateClient(dialer))


def outbound_by(dialer: Dials, clock: Clock) -> Outbound:
    """The way out through a dialer that there is."""
    return Outbound(
        calls=CallClient(dialer, clock=clock), web=WebClient(dialer), streams=StreamClient(dialer),
        mail=MailClient(dialer),
    )  # fmt: skip

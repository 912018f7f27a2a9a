"""Opening the way out: one dialer, and the clients behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from valetkey.kernel.clock import Clock
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.certificate import CertificateClient
from valetkey.net.client import WebClient
from valetkey.net.dialer import Dialer, Dials, Resolve, Resolvers, resolve_by_system, system_resolvers
from valetkey.net.http1 import CallClient
from valetkey.net.smtp import MailClient
from valetkey.net.stream import StreamClient
from valetkey.net.txt import TxtClient


@dataclass(frozen=True, slots=True)
class Outbound:
    """The clients of one process; `web`, `streams` and `mail` hold nothing open, `calls` a pool."""

    calls: CallClient
    web: WebClient
    streams: StreamClient
    mail: MailClient
    txt: TxtClient
    certificates: CertificateClient | None = None
    """Not there where TLS is spoken by the dialer's own process, which tells nothing of it."""

    async def close(self) -> None:
        """Hang up everywhere."""
        await self.calls.close()


def open_outbound(
    policy: AddressPolicy, clock: Clock, ca_file: Path | None = None, *, resolve: Resolve = resolve_by_system,
    resolvers: Resolvers = system_resolvers,
) -> Outbound:  # fmt: skip
    """The way out under a policy; `ca_file` adds roots of trust (PEM); the last two replace the system's names."""
    dialer = Dialer(policy, clock=clock, resolve=resolve, resolvers=resolvers, ca_file=ca_file)
    return replace(outbound_by(dialer, clock), certificates=CertificateClient(dialer))


def outbound_by(dialer: Dials, clock: Clock) -> Outbound:
    """The way out through a dialer that there is."""
    return Outbound(
        calls=CallClient(dialer, clock=clock), web=WebClient(dialer), streams=StreamClient(dialer),
        mail=MailClient(dialer), txt=TxtClient(dialer),
    )  # fmt: skip

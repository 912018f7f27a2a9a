"""The only place that connects: resolve once, check every answer, dial a literal, check the peer (security.md 4.2)."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import printable
from valetkey.net.address_policy import AddressPolicy
from valetkey.net.limits import Limits
from valetkey.net.model import AddressRefused, TimedOut, Unreachable, Url
from valetkey.net.url import is_address, is_private_name

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Resolvers = Callable[[], Sequence[tuple[str, int]]]
P = TypeVar("P", bound=asyncio.BaseProtocol)

RESOLVER = Url("", "dns", "resolver", 53, "", "")
"""What leads to the system's own resolver. No URL that anybody gives can say this: they are http or https."""
_RESOLVERS = Path("/etc/resolv.conf")
RESOLVE_SECONDS = 3.0
MAX_ANSWERS = 16


@dataclass(frozen=True, slots=True)
class Dialed:
    """A connected, non-blocking socket, and the address it is connected to. Whoever gets it closes it."""

    sock: socket.socket
    address: str
    is_secured: bool = False
    """Whether TLS, where the URL wants it, is spoken already by who dialed."""


async def resolve_by_system(host: str, port: int) -> Sequence[str]:
    """A and AAAA answers of the system's resolver."""
    answers = await asyncio.get_running_loop().getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
    )
    return [str(sockaddr[0]) for *_, sockaddr in answers]


def system_resolvers() -> Sequence[tuple[str, int]]:
    """Where this system asks for names: the servers of resolv.conf, else one on this host (resolv.conf(5))."""
    try:
        lines = [line.split() for line in _RESOLVERS.read_text("ascii", "replace").splitlines()]
    except OSError:
        lines = []
    named = [line[1] for line in lines if len(line) > 1 and line[0] == "nameserver" and is_address(line[1])]
    return [(address, RESOLVER.port) for address in named[:3]] or [("127.0.0.1", RESOLVER.port)]


@functools.cache
def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """TLS ≥ 1.2 against the system's roots, and `ca_file` besides; 20 to 50 ms of work, so one per process.

    Not `create_default_context`: that one writes session keys to the file that `SSLKEYLOGFILE` names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the certificate and the name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_default_certs()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dials(Protocol):
    """What the clients need of a dialer: the one here, or the one in a process of its own (`net.beside`)."""

    @property
    def tls(self) -> ssl.SSLContext: ...

    async def connect(
        self, url: Url, factory: Callable[[], P], *, limits: Limits
    ) -> tuple[asyncio.Transport, P, str]: ...

    async def dial(self, url: Url, *, limits: Limits) -> Dialed: ...


class Dialer:
    """Opens connections that `policy` permits, to the very address that was checked.

    No proxy environment is read. `resolve` is the name service, injected so that tests can play a hostile one.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        *,
        clock: Clock,
        resolve: Resolve = resolve_by_system,
        resolvers: Resolvers = system_resolvers,
        ca_file: Path | None = None,
    ) -> None:
        self._resolvers = resolvers
        self.policy = policy
        self.tls = tls_context(ca_file)
        self._clock = clock
        self._resolve = resolve

    async def connect(self, url: Url, factory: Callable[[], P], *, limits: Limits) -> tuple[asyncio.Transport, P, str]:
        """Transport, protocol and pinned address of a connection to the URL's origin; TLS exactly when it is https.

        Raises `AddressRefused`, `Unreachable`, `TimedOut`, none of them with anything sent.
        """
        started = self._clock.monotonic()
        dialed = await self.dial(url, limits=limits)
        tls = self.tls if url.scheme == "https" else None
        loop = asyncio.get_running_loop()
        left = max(0.1, limits.connect - (self._clock.monotonic() - started))
        try:
            async with asyncio.timeout(left):
                transport, protocol = await loop.create_connection(
                    factory,
                    sock=dialed.sock,
                    ssl=tls,
                    server_hostname=url.host if tls else None,
                    ssl_handshake_timeout=left if tls else None,
                )
        except BaseException as error:
            dialed.sock.close()
            if isinstance(error, (OSError, TimeoutError)):  # ssl.SSLError is an OSError
                raise connect_failed(url, error) from error
            raise
        return transport, protocol, dialed.address

    async def dial(self, url: Url, *, limits: Limits) -> Dialed:
        """A TCP connection to the URL's host and port, before TLS. Raises as `connect`."""
        if url == RESOLVER:
            return await self._dial_resolver(limits)
        self.policy.check_origin(url.origin)
        # 1. Resolve, once.
        addresses = await self.addresses(url)
        # 2. Every answer must pass: a mixed set is the mark of rebinding.
        for address in addresses:
            self.policy.check(address, url.port, scheme=url.scheme)
        # 3. Connect to a checked literal, and see that it is the one that answers.
        deadline = self._clock.monotonic() + limits.connect
        failure: OSError | TimeoutError = TimeoutError()
        for index, address in enumerate(addresses):
            left = deadline - self._clock.monotonic()
            share = max(0.1, left / (len(addresses) - index))  # a dead IPv6 route leaves time for IPv4
            try:
                sock = await self._connect(address, url.port, timeout=share)
            except (OSError, TimeoutError) as error:
                failure = error
                continue
            try:
                self._check_peer(sock, address, url)
            except BaseException:
                sock.close()
                raise
            return Dialed(sock, address)
        raise connect_failed(url, failure) from failure

    async def _dial_resolver(self, limits: Limits) -> Dialed:
        """The operator's own, wherever it is: what it is asked for is for who asks to have checked."""
        failure: OSError | TimeoutError = TimeoutError()
        for address, port in self._resolvers():
            try:
                return Dialed(await self._connect(address, port, timeout=limits.connect), address)
            except (OSError, TimeoutError) as error:
                failure = error
        raise Unreachable("This system's resolver does not answer over TCP.") from failure

    async def addresses(self, url: Url) -> Sequence[str]:
        """What the URL's host resolves to, unchecked. Raises `AddressRefused`, `Unreachable`, `TimedOut`."""
        if is_address(url.host):
            return [url.host]
        if url.host == "localhost":
            return self._loopback()
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                answers = list(dict.fromkeys(await self._resolve(url.host, url.port)))
        except TimeoutError as error:
            raise TimedOut(f"Looking up {url.host} took longer than {RESOLVE_SECONDS:.0f} s.") from error
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"The name {url.host} could not be looked up.", hint="Is it spelled right?") from error
        if not answers:
            raise Unreachable(f"The name {url.host} has no address.")
        if len(answers) > MAX_ANSWERS:
            raise AddressRefused(
                f"The name {url.host} has {len(answers)} addresses; at most {MAX_ANSWERS} are looked at."
            )
        if is_private_name(url.host) and not all(self.policy.allows(answer) for answer in answers):
            raise AddressRefused(f"The private name {url.host} leads outside the networks that the operator opened.")
        return answers

    def _loopback(self) -> Sequence[str]:
        """RFC 6761 6.3: `localhost` is never looked up. It means the loopback addresses that are open."""
        allowed = [address for address in ("127.0.0.1", "::1") if self.policy.allows(address)]
        if not allowed:
            raise AddressRefused(
                "localhost is not a public address.", hint="The operator can open it with --allow-network 127.0.0.1/32."
            )
        return allowed

    async def _connect(self, address: str, port: int, *, timeout: float) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def _check_peer(self, sock: socket.socket, address: str, url: Url) -> None:
        host, port, *_ = sock.getpeername()
        if ipaddress.ip_address(host) != ipaddress.ip_address(address) or port != url.port:
            raise AddressRefused(f"Dialed {address}, and {host} answered.")


def connect_failed(url: Url, error: BaseException) -> Unreachable | TimedOut:
    """The error for a connection that was not made; says what the system or TLS said, bounded."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(f"{url.host} has no valid certificate: {printable(error.verify_message)}.")
    if isinstance(error, ssl.SSLError):
        return Unreachable(f"TLS with {url.host} failed: {printable(error.reason or type(error).__name__)}.")
    if isinstance(error, TimeoutError):
        return TimedOut(f"{url.host} did not accept a connection in time.")
    return Unreachable(
        f"No connection to {url.host} port {url.port}: {printable(getattr(error, 'strerror', '') or error)}."
    )

"""Bytes one way: dial, write, say that it was all, hang up. For protocols without an answer, such as syslog."""

from __future__ import annotations

import asyncio

from valetkey.net.dialer import Dials
from valetkey.net.limits import TOKEN, Limits
from valetkey.net.model import TimedOut, Unreachable, Url


class StreamClient:
    """Sends over a connection of its own each time; TLS exactly when the URL is https."""

    def __init__(self, dialer: Dials) -> None:
        self._dialer = dialer

    async def send(self, url: Url, data: bytes, *, limits: Limits = TOKEN) -> None:
        """Returns when the bytes have left and the other side has not objected.

        Whether anybody kept them is not known: the protocol has no receipt. Raises `AddressRefused`, `Unreachable`,
        `TimedOut`.
        """
        try:
            async with asyncio.timeout(limits.total):
                transport, sending, _address = await self._dialer.connect(url, _Sending, limits=limits)
                try:
                    transport.write(data)
                    if transport.can_write_eof():
                        transport.write_eof()
                    else:
                        transport.close()  # TLS says goodbye, and waits for what is still to be written
                    await sending.ended
                finally:
                    transport.close()
        except TimeoutError as error:
            raise TimedOut(f"{url.host} did not take everything within {limits.total:g} s.", sent=True) from error
        if sending.error is not None:
            raise Unreachable(f"The connection to {url.host} broke.", sent=True) from sending.error


class _Sending(asyncio.Protocol):
    """What comes back is not read; when the other side, too, has said that it was all, it has had everything."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: Exception | None = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        if not self.ended.done():
            self.ended.set_result(None)

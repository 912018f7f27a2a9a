"""TXT records, asked of the resolver that this system is set to use, over TCP (RFC 1035, RFC 7766)."""

from __future__ import annotations

import asyncio
from typing import Final

from dns import exception, message, rcode, rdatatype

from valetkey.kernel.errors import BadInput
from valetkey.net.dialer import RESOLVER, Dials
from valetkey.net.limits import Limits
from valetkey.net.model import TimedOut, Unreachable

_LIMITS: Final = Limits(connect=3.0, first_byte=5.0, idle=5.0, total=8.0)
_MOST: Final = 50


class TxtClient:
    """Looks up one name at a time, over a connection of its own."""

    def __init__(self, dialer: Dials) -> None:
        self._dialer = dialer

    async def look_up(self, name: str) -> tuple[str, ...]:
        """The name's TXT values, at most 50; none for a name without any.

        Raises `BadInput` for what is no name, `Unreachable`, `TimedOut`.
        """
        try:
            query = message.make_query(name.rstrip(".") + ".", rdatatype.TXT)
            asked = query.to_wire()
        except (exception.DNSException, UnicodeError) as error:
            raise BadInput(f"{name} is no name that could be looked up.", field="name") from error
        try:
            async with asyncio.timeout(_LIMITS.total):
                answer = await self._ask(asked)
            found = message.from_wire(answer)
        except TimeoutError as error:
            raise TimedOut(f"Looking up {name} took longer than {_LIMITS.total:g} s.") from error
        except (OSError, EOFError, exception.DNSException) as error:
            raise Unreachable(f"The name {name} could not be looked up: {type(error).__name__}.") from error
        if not query.is_response(found) or found.rcode() not in (rcode.NOERROR, rcode.NXDOMAIN):
            raise Unreachable(f"The name {name} could not be looked up: {rcode.to_text(found.rcode())}.")
        values = [
            b"".join(record.strings).decode("ascii", "replace")
            for part in found.answer
            if part.rdtype == rdatatype.TXT
            for record in part
        ]
        return tuple(values[:_MOST])

    async def _ask(self, asked: bytes) -> bytes:
        """One message there and one back, each after its length in two bytes (RFC 1035, 4.2.2)."""
        reader = asyncio.StreamReader()
        transport, _protocol, _address = await self._dialer.connect(
            RESOLVER, lambda: asyncio.StreamReaderProtocol(reader), limits=_LIMITS
        )
        try:
            transport.write(len(asked).to_bytes(2, "big") + asked)
            size = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(size)
        finally:
            transport.close()

"""What is said to the dialer and by it: kinds of frames, and the few that have fields."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from valetkey.kernel.errors import OutboundFailed
from valetkey.net.certificate import shown_by
from valetkey.net.model import AddressRefused, TimedOut, Unreachable

WORD: Final = 1  # first of all
DIAL: Final = 2
DATA: Final = 3
TICKET: Final = 4  # stands in the place of the header lines that are sealed in it
END: Final = 5  # all was said; the other side may still answer
KEY: Final = 6  # from the vault alone: what tickets are sealed under from now on
VOID: Final = 7  # from the vault alone: tickets of this subject, or all (empty), made until now write nothing
DIALED: Final = 8
FAILED: Final = 9
CLOSED: Final = 10
HAND: Final = 11  # from the vault alone: a name, and the ticket that a request will ask for by it; or none
WANTED: Final = 12  # the vault had no ticket under this name, or not in time: one is to be brought

LONGEST: Final = 64 * 1024
"""Bytes of one frame; longer data goes in several."""
NAME_SIZE: Final = 16
"""Bytes of the name of a ticket that the vault hands to the dialer itself; it stands where a ticket would."""
LINE: Final = b"valetkey-ticket: "
"""How a sealed ticket stands in a request on its way to the dialer: a line that no caller sets and no service sees."""


class Dial(msgspec.Struct, array_like=True, frozen=True):
    """Whereto. `as_is`: what follows goes as it comes, both ways, with no frames and so without tickets."""

    scheme: str
    host: str
    port: int
    seconds: float
    as_is: bool


class Reached(msgspec.Struct, array_like=True, frozen=True):
    """Which address answered, and of TLS what `net.certificate.Shown` has; all empty without."""

    address: str
    tls_version: str = ""
    subject: str = ""
    issuer: str = ""
    ends_at: float = 0.0


class Failed(msgspec.Struct, array_like=True, frozen=True):
    """Why there is no connection, or none any more."""

    error: str
    message: str
    hint: str = ""


_ERRORS: Final[dict[str, type[OutboundFailed]]] = {
    one.code: one for one in (AddressRefused, Unreachable, TimedOut, OutboundFailed)
}
encode: Final = msgspec.msgpack.Encoder().encode
read_dial: Final = msgspec.msgpack.Decoder(Dial).decode
read_reached: Final = msgspec.msgpack.Decoder(Reached).decode
read_failed: Final = msgspec.msgpack.Decoder(Failed).decode


def reached(address: str, transport: asyncio.BaseTransport) -> Reached:
    """What is said of a connection that was made."""
    shown = shown_by(transport)
    if shown is None:
        return Reached(address)
    return Reached(address, shown.tls_version, shown.subject, shown.issuer, shown.ends_at.timestamp())


def error_of(failed: Failed) -> OutboundFailed:
    """The error that was raised there, here."""
    return _ERRORS.get(failed.error, OutboundFailed)(failed.message, hint=failed.hint)

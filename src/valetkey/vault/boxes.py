"""Sealed for another process of ours: a ticket's header lines on their way from the vault to the dialer.

    a head, in clear but not to be changed: where it may go, for which call, until when
    the lines, encrypted under a key that the vault left with this dialer since the two were started

Whoever carries it between the two can neither read the lines nor use them elsewhere, later, or twice.
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from valetkey.kernel.clock import Clock
from valetkey.kernel.randomness import Pieces
from valetkey.vault.envelope import KEY_SIZE, NONCE_SIZE, TAG_SIZE, wipe
from valetkey.vault.model import Tampered, TicketSpent
from valetkey.vault.tickets import LONGEST, Ticket

_MAGIC: Final = b"DT1\x01"
_LENGTH: Final = struct.Struct(">H")
_METHODS: Final = (b"POST ", b"GET ", b"DELETE ")
_SWEEP: Final = 4096
_id, _nonce = Pieces(16), Pieces(NONCE_SIZE)


class Head(msgspec.Struct, array_like=True, frozen=True):
    """What a sealed ticket says of itself. Times are of the machine's monotonic clock, which both processes read."""

    id: bytes
    origin: str
    subject: str
    call_id: str
    made: float
    until: float


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Head).decode


class TicketSeal:
    """The vault's half: seals tickets under a key that it made for the dialer it speaks to now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cipher: AESGCM | None = None

    def new_key(self, leave: Callable[[bytes], None]) -> None:
        """Another key, which `leave` is given for the dialer: tickets that are out open no more."""
        key = bytearray(os.urandom(KEY_SIZE))
        leave(bytes(key))
        self._cipher = AESGCM(key)
        wipe(key)

    def seal(self, ticket: Ticket, *, subject: str, seconds: float) -> bytes:
        """Uses the ticket up: its lines exist in the open for as long as it takes to encrypt them."""
        if self._cipher is None:
            raise TicketSpent("The hub's own dialer is being started again.")
        now = self._clock.monotonic()
        head = _encode(Head(_id(), ticket.origin, subject, ticket.call_id, now, now + min(seconds, LONGEST)))
        lines = bytearray(ticket.size)
        nonce = _nonce()
        try:
            with memoryview(lines) as buffer:
                ticket.write_into(buffer)
            return b"".join((_MAGIC, _LENGTH.pack(len(head)), head, nonce, self._cipher.encrypt(nonce, lines, head)))
        finally:
            wipe(lines)


class TicketOpener:
    """The dialer's half: opens each ticket once, for the origin it was made for, and while it is good.

    Implements `net.beside.serving.OpensTickets`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._cipher: AESGCM | None = None
        self._used: OrderedDict[bytes, float] = OrderedDict()
        self._void: dict[str, float] = {}

    def take_key(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def void(self, subject: str) -> None:
        if not subject:
            self._cipher = None  # until the vault leaves another
        now = self._clock.monotonic()
        self._void[subject] = now
        if len(self._void) > _SWEEP:
            self._void = {one: at for one, at in self._void.items() if at > now - LONGEST}

    def open(self, ticket: bytes, *, origin: str, request: bytes) -> bytearray:
        if self._cipher is None:
            raise TicketSpent("The ticket was cancelled, or the vault is being started again.")
        head_at = len(_MAGIC) + _LENGTH.size
        if not ticket.startswith(_MAGIC) or len(ticket) < head_at:
            raise Tampered("This is no ticket.")
        (length,) = _LENGTH.unpack_from(ticket, len(_MAGIC))
        head = ticket[head_at : head_at + length]
        nonce_at = head_at + length
        body = ticket[nonce_at + NONCE_SIZE :]
        if len(body) <= TAG_SIZE:
            raise Tampered("This is no ticket.")
        lines = bytearray(len(body) - TAG_SIZE)
        try:
            # First of all: nothing that the head says is even read before it is known to be the vault's.
            self._cipher.decrypt_into(ticket[nonce_at : nonce_at + NONCE_SIZE], body, head, lines)
        except InvalidTag as error:
            raise Tampered("The ticket was not made for this dialer, or was changed.") from error
        said = _decode(head)
        try:
            self._check(said, origin, request)
        except TicketSpent:
            wipe(lines)
            raise
        return lines

    def _check(self, said: Head, origin: str, request: bytes) -> None:
        now = self._clock.monotonic()
        if said.id in self._used:
            raise TicketSpent("The ticket was used already.")
        if now >= said.until or said.until - said.made > LONGEST:
            raise TicketSpent("The ticket has expired.")
        if said.origin != origin:
            raise TicketSpent("The ticket is for another origin.")
        if not request.startswith(_METHODS):
            raise TicketSpent("The ticket is for another kind of request.")
        if self._void.get(said.subject, -1.0) >= said.made:
            raise TicketSpent("The ticket was cancelled: its connection has ended.")
        # Those that have expired go as others come, oldest first: a sweep over a minute's tickets would hold up calls.
        for _ in range(2):
            if self._used and self._used[next(iter(self._used))] <= now:
                self._used.popitem(last=False)
        self._used[said.id] = said.until

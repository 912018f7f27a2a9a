"""How tickets leave the vault's process: as an answer to the worker, or handed to the dialer, which is a way less.

Either way the vault goes by the record of the call that it reads itself, and what leaves is sealed for this dialer.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from valetkey.kernel.errors import ValetkeyError
from valetkey.net.beside.said import NAME_SIZE
from valetkey.vault.boxes import TicketSeal
from valetkey.vault.broker import Vault
from valetkey.vault.echo import Echo
from valetkey.vault.model import Binding, HeaderTemplate
from valetkey.vault.tickets import LONGEST, Opened
from valetkey.vault.tickets import Ticket as OpenTicket

Parts = tuple[tuple[HeaderTemplate, Binding], ...]
Hand = Callable[[bytes, bytes], None]
"""Gives the dialer a ticket under a name; an empty one when there is none."""

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class TicketMade:
    """A sealed ticket, with what may be known of it: the generation, and by which names its echoes are known.

    Under `like` another one, made of the very same values, can be asked for in a word.
    """

    content: bytes
    generation: int
    echoes: tuple[bytes, ...]
    like: bytes = b""


@dataclass(frozen=True, slots=True)
class _Alike:
    """What a ticket was made of."""

    parts: Parts
    origin: str
    generation: int
    echoes: tuple[bytes, ...]


class Releasing:
    """Tickets."""

    def __init__(self, vault: Vault, seal: TicketSeal, hand: Hand) -> None:
        self._vault = vault
        self._seal = seal
        self._hand = hand
        self._alike: OrderedDict[bytes, _Alike] = OrderedDict()

    def ticket(self, parts: Parts, origin: str, call_id: str, ttl: float) -> TicketMade | Awaitable[TicketMade]:
        """At once if what it takes is in memory."""
        made = self._vault.ticket_now(parts, origin=origin, call_id=call_id, ttl=ttl)
        if made is not None:
            return self._sealed(made, parts, ttl)
        return self._ticket_later(parts, origin, call_id, ttl)

    def hand(self, like: bytes, name: bytes, call_id: str) -> Awaitable[None] | None:
        """One more ticket like an earlier one, for another call: to the dialer, under `name`. Only if it is made of
        the same values: the worker, which hears nothing of it, knows by what their echoes are recognized.
        """
        alike = self._alike.get(like)
        if alike is None:
            self._give(name, b"")
            return None
        self._alike.move_to_end(like)
        made = self._vault.ticket_now(alike.parts, origin=alike.origin, call_id=call_id)
        if made is None:
            return self._hand_later(alike, name, call_id)
        self._hand_over(made, alike, name)
        return None

    def echo(self, name: bytes, subject: str, purpose: str) -> Echo | None:
        """How to recognize a value that a ticket was made of."""
        opened = self._vault.opened(subject, purpose)
        return opened.echo if opened is not None and opened.sealed.key_name == name else None

    async def _ticket_later(self, parts: Parts, origin: str, call_id: str, ttl: float) -> TicketMade:
        made = await self._vault.ticket(parts, origin=origin, call_id=call_id, ttl=ttl)
        return self._sealed(made, parts, ttl)

    async def _hand_later(self, alike: _Alike, name: bytes, call_id: str) -> None:
        try:
            made = await self._vault.ticket(alike.parts, origin=alike.origin, call_id=call_id)
        except ValetkeyError:  # the worker hears why when it asks, as it does then
            self._give(name, b"")
        else:
            self._hand_over(made, alike, name)

    def _hand_over(self, made: OpenTicket, alike: _Alike, name: bytes) -> None:
        if (made.generation, _echo_names(made)) != (alike.generation, alike.echoes):
            self._give(name, b"")
            return
        try:
            content = self._seal.seal(made, subject=alike.parts[0][1].subject, seconds=LONGEST)
        except ValetkeyError:
            content = b""
        self._give(name, content)

    def _give(self, name: bytes, content: bytes) -> None:
        if len(name) == NAME_SIZE:
            self._hand(name, content)

    def _sealed(self, made: OpenTicket, parts: Parts, ttl: float) -> TicketMade:
        origin, echoes, like = made.origin, _echo_names(made), os.urandom(NAME_SIZE)
        content = self._seal.seal(made, subject=parts[0][1].subject, seconds=ttl)
        self._alike[like] = _Alike(parts, origin, made.generation, echoes)
        if len(self._alike) > _MOST:
            self._alike.popitem(last=False)
        return TicketMade(content, made.generation, echoes, like)


def _echo_names(made: OpenTicket) -> tuple[bytes, ...]:
    return tuple(_echo_name(opened) for opened in made.values)


def _echo_name(opened: Opened) -> bytes:
    return opened.sealed.key_name if opened.echo is not None else b""

"""Tickets as a worker has them when the vault is in a process of its own: ciphertext for the dialer, or a mere name.

The first ticket for a connection is asked for and waited for. Further ones like it are *promised*: the vault is told to
hand one to the dialer, and the request leaves at once with the name under which it does. If the vault hands over none,
because the rule says no, the value is another by now, or it was started anew, the dialer says so, and the ticket is
asked for as the first one was, with the same words if there is none.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

from valetkey.beside.children import Child
from valetkey.kernel.randomness import Pieces
from valetkey.net.beside.said import LINE, NAME_SIZE
from valetkey.split.releasing import TicketMade
from valetkey.vault.echo import Echo
from valetkey.vault.model import Binding, HeaderTemplate, NothingSealed, TicketSpent
from valetkey.vault.tickets import LONGEST, EchoHeard
from valetkey.vault.verbs import Otherwise, Ticket

_MOST: Final = 10_000
_name: Final = Pieces(NAME_SIZE)
Echoes = Sequence[tuple[Binding, Echo]]


class SealedTicket:
    """Implements `vault.verbs.Ticket`: what it writes into a request is read by the dialer alone."""

    __slots__ = ("__weakref__", "_heard", "_is_used", "call_id", "content", "echoed", "echoes", "generation", "origin",
                 "otherwise", "size")  # fmt: skip

    def __init__(
        self, made: TicketMade, *, origin: str, call_id: str, echoes: Echoes, heard: Sequence[EchoHeard],
        otherwise: Otherwise | None = None,
    ) -> None:  # fmt: skip
        self.content = made.content
        self.size = len(LINE) + (len(made.content) + 2) // 3 * 4 + 2
        self.origin = origin
        self.call_id = call_id
        self.generation = made.generation
        self.echoed = False
        self.echoes = echoes
        self.otherwise = otherwise
        """For one that is only promised: how to have it if the promise is not kept."""
        self._heard = heard
        self._is_used = False

    def write_into(self, buffer: memoryview) -> None:
        """Writes one line, once. Raises `TicketSpent`; that the dialer takes it once only does not hang on this."""
        if self._is_used:
            raise TicketSpent("The ticket was used already.")
        self._is_used = True
        buffer[:] = LINE + base64.b64encode(self.content) + b"\r\n"

    def masked(self, data: bytes) -> bytes:
        """As `vault.tickets.Ticket.masked`: what is known of the values is not enough to know them."""
        for binding, echo in self.echoes:
            clean = echo.masked(data)
            if clean is not data:
                data = clean
                if not self.echoed:
                    self.echoed = True
                    for hear in self._heard:
                        hear(binding, self.call_id)
        return data

    @property
    def longest(self) -> int:
        """As `vault.tickets.Ticket.longest`: `size` may be that of a mere name."""
        return max((echo.longest for _, echo in self.echoes), default=0)

    def become(self, other: SealedTicket) -> None:
        """The promise was not kept: the request goes with the other."""
        self.generation, self.echoes = other.generation, other.echoes

    def __repr__(self) -> str:
        return f"SealedTicket(to {self.origin})"


@dataclass(frozen=True, slots=True)
class _Known:
    """The last ticket for a connection: what it was made of, and what is known of it."""

    parts: Sequence[tuple[HeaderTemplate, Binding]]
    origin: str
    made: TicketMade
    echoes: Echoes


class TicketsBeside:
    """Asks the vault for tickets."""

    def __init__(self, vault: Child, heard: Sequence[EchoHeard]) -> None:
        self._vault = vault
        self._heard = heard
        self._echoes: OrderedDict[bytes, Echo] = OrderedDict()
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._promised: WeakValueDictionary[bytes, SealedTicket] = WeakValueDictionary()

    def promised(
        self, parts: Sequence[tuple[HeaderTemplate, Binding]], origin: str, call_id: str, ttl: float,
        otherwise: Otherwise | None,
    ) -> SealedTicket | None:  # fmt: skip
        """One that the vault will hand to the dialer; `None` when nothing is known of it yet."""
        known = self._known.get(parts[0][1].subject) if parts else None
        if known is None or otherwise is None or ttl != LONGEST or known.origin != origin or not self._vault.is_there:
            return None
        if known.parts is not parts and known.parts != parts:
            return None
        name = _name()
        self._vault.tell("hand", like=known.made.like, name=name, call_id=call_id)
        ticket = SealedTicket(
            TicketMade(name, known.made.generation, known.made.echoes), origin=origin, call_id=call_id,
            echoes=known.echoes, heard=self._heard, otherwise=otherwise,
        )  # fmt: skip
        self._promised[name] = ticket
        return ticket

    async def asked_for(
        self, parts: Sequence[tuple[HeaderTemplate, Binding]], origin: str, call_id: str, ttl: float
    ) -> SealedTicket:
        made: TicketMade = await self._vault.ask(
            "ticket", TicketMade, parts=parts, origin=origin, call_id=call_id, ttl=ttl
        )
        echoes = []
        for name, (_, binding) in zip(made.echoes, parts, strict=True):
            if name and (echo := self._echoes.get(name) or await self._learn_echo(name, binding)):
                echoes.append((binding, echo))
        if len(echoes) == sum(map(bool, made.echoes)):  # else what comes back would be searched for less
            subject = parts[0][1].subject
            self._known[subject] = _Known(parts, origin, made, echoes)
            self._known.move_to_end(subject)
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
        return SealedTicket(made, origin=origin, call_id=call_id, echoes=echoes, heard=self._heard)

    async def brought(self, name: bytes) -> bytes:
        """What the dialer gets instead of a ticket that it was promised. Raises what asking for one raises."""
        promised = self._promised.pop(name, None)
        if promised is None or promised.otherwise is None:
            raise NothingSealed("No ticket was promised under this name.")
        ticket: Ticket | None = await promised.otherwise()
        if not isinstance(ticket, SealedTicket):
            raise NothingSealed("The service is asked without a credential by now; ask it again.")
        promised.become(ticket)
        return ticket.content

    async def _learn_echo(self, name: bytes, binding: Binding) -> Echo | None:
        echo: Echo | None = await self._vault.ask(
            "echo", Echo | None, name=name, subject=binding.subject, purpose=binding.purpose
        )
        if echo is not None:
            self._echoes[name] = echo
            if len(self._echoes) > _MOST:
                self._echoes.popitem(last=False)
        return echo

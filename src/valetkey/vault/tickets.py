"""Tickets: a sealed header that decrypts itself, once, into the buffer that goes to the socket.

Between the database and that buffer the value exists as ciphertext only. What is kept warm here are cipher objects and
ciphertexts, bounded and short-lived, never plaintext.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import VaultFailed
from valetkey.vault.echo import Echo, echo_of
from valetkey.vault.envelope import TAG_SIZE, Sealed, open_into, wipe
from valetkey.vault.model import USES, Binding, HeaderTemplate, TicketSpent

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

LONGEST = 60.0  # seconds a ticket may live
_END = b"\r\n"
_NEVER_IN_TICKETS = frozenset[str]().union(*USES.values()) - {"access_token"}


class Gate:
    """What all tickets of one subject pass through; closed once, for all of them, when the subject is shredded."""

    __slots__ = ("__weakref__", "is_closed")

    def __init__(self) -> None:
        self.is_closed = False


class Opened:
    """A sealed value made ready: everything but the plaintext."""

    __slots__ = ("associated_data", "binding", "cipher", "echo", "gate", "generation", "sealed", "until")

    def __init__(
        self, binding: Binding, generation: int, cipher: AESGCM, sealed: Sealed, *, gate: Gate, until: float
    ) -> None:
        self.echo: Echo | None = None
        """How to recognize the value in what comes back."""
        self.binding = binding
        self.generation = generation
        self.cipher = cipher
        self.sealed = sealed
        self.associated_data = binding.associated_data(generation)
        self.gate = gate
        self.until = until

    def prove(self, before: Opened | None) -> None:
        """Decrypts once, into memory that is wiped: it is what its binding says. Keeps how to recognize the value.

        `before` is what was ready before: of the same value, there is no need to find that out again.
        """
        proof = bytearray(self.sealed.length)
        try:
            self.write_into(proof)
            if before is not None and before.sealed.key_name == self.sealed.key_name:
                self.echo = before.echo
            elif self.binding.purpose not in _NEVER_IN_TICKETS:
                self.echo = echo_of(proof)
        finally:
            wipe(proof)

    def write_into(self, buffer: bytearray | memoryview) -> None:
        """Decrypts into `buffer`, which is as long as the value."""
        open_into(self.cipher, self.sealed, self.associated_data, buffer)


EchoHeard = Callable[[Binding, str], None]
"""Hears whose value came back from its service, and in which call."""


def _unheard(_binding: Binding, _call_id: str) -> None:
    """Nobody listens."""


class Ticket:
    """Implements `kernel.secret.Credential`: complete header lines for one origin and one call, written once."""

    __slots__ = ("_clock", "_heard", "_parts", "_until", "_used", "call_id", "echoed", "generation", "origin", "size")

    def __init__(
        self,
        parts: tuple[tuple[HeaderTemplate, Opened], ...],
        *,
        origin: str,
        call_id: str,
        until: float,
        clock: Clock,
        heard: EchoHeard = _unheard,
    ) -> None:
        size = 0
        for template, opened in parts:
            size += len(template.head) + len(opened.sealed.body) - TAG_SIZE + len(_END)
        self.size = size
        self.origin = origin
        self.call_id = call_id
        self.generation = parts[0][1].generation
        """Of the first part: tells a refused caller whether the value was replaced since."""
        self._parts = parts
        self._until = until
        self._clock = clock
        self._used = False
        self._heard = heard
        self.echoed = False
        """Whether the service said the value back."""

    def write_into(self, buffer: memoryview) -> None:
        """Writes `size` bytes of `name: value` lines, each ended by CR LF, into `buffer`.

        Raises `TicketSpent` before anything is written (take a new ticket), or `VaultFailed` leaving only zeros.
        """
        if self._used:
            raise TicketSpent("The ticket was used already.")
        self._used = True  # first of all: whatever happens below, there is no second try
        if self._clock.monotonic() >= self._until:
            raise TicketSpent("The ticket has expired.")
        for _, opened in self._parts:
            if opened.gate.is_closed:
                raise TicketSpent("The ticket was cancelled: its connection has ended.")
        if len(buffer) != self.size:
            raise VaultFailed("The buffer for a ticket does not have the ticket's size.")
        try:
            at = 0
            for template, opened in self._parts:
                head = template.head
                value_at = at + len(head)
                end_at = value_at + len(opened.sealed.body) - TAG_SIZE
                buffer[at:value_at] = head
                opened.write_into(buffer[value_at:end_at])
                buffer[end_at : end_at + 2] = _END
                at = end_at + 2
        except BaseException:
            wipe(buffer)
            raise

    @property
    def values(self) -> list[Opened]:
        """What it is made of."""
        return [opened for _, opened in self._parts]

    def masked(self, data: bytes) -> bytes:
        """What came back, without the values; the very same object when they are not in it. Raises `TooAlike`."""
        for _, opened in self._parts:
            if opened.echo is None:
                continue
            clean = opened.echo.masked(data)
            if clean is not data:
                data = clean
                if not self.echoed:  # one answer may hold it a thousand times
                    self.echoed = True
                    self._heard(opened.binding, self.call_id)
        return data

    @property
    def longest(self) -> int:
        """Bytes that one of the values takes at most where `masked` finds it."""
        return max((opened.echo.longest for _, opened in self._parts if opened.echo is not None), default=0)

    def __repr__(self) -> str:
        return f"Ticket(to {self.origin})"


class Shelf:
    """Values made ready, by subject: the least recently used go first. Also keeps every subject's gate."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._subjects: OrderedDict[str, dict[str, Opened]] = OrderedDict()
        self._people: defaultdict[str, set[str]] = defaultdict(set)
        self._gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()
        self.drops = 0
        """Grows with every drop. Who reads from the database and then puts here compares: a value read before a drop
        must not be put after it, or a shredded key would come back."""

    def find(self, subject: str, purpose: str) -> Opened | None:
        purposes = self._subjects.get(subject)
        if purposes is None:
            return None
        self._subjects.move_to_end(subject)
        return purposes.get(purpose)

    def put(self, opened: Opened, *, seen_drops: int) -> None:
        if seen_drops != self.drops:
            return
        binding = opened.binding
        self._subjects.setdefault(binding.subject, {})[binding.purpose] = opened
        self._subjects.move_to_end(binding.subject)
        self._people[binding.person].add(binding.subject)
        if len(self._subjects) > self._most:
            self._forget(next(iter(self._subjects)))

    def gate(self, subject: str) -> Gate:
        """The gate that tickets of `subject` pass: the same one while any ticket or value holds it."""
        gate = self._gates.get(subject)
        if gate is None:
            gate = self._gates[subject] = Gate()
        return gate

    def drop(self, subject: str) -> None:
        """The next ticket reads the database again. Tickets that are out stay good."""
        self.drops += 1
        self._forget(subject)

    def drop_person(self, person: str) -> None:
        self.drops += 1
        for subject in list(self._people.get(person, ())):
            self._forget(subject)

    def drop_everything(self) -> None:
        self.drops += 1
        self._subjects.clear()
        self._people.clear()

    def close(self, subject: str) -> None:
        """As `drop`, and tickets that are out are cancelled."""
        self.drop(subject)
        if gate := self._gates.pop(subject, None):
            gate.is_closed = True

    def close_everything(self) -> None:
        self.drop_everything()
        for gate in list(self._gates.values()):
            gate.is_closed = True
        self._gates.clear()

    def __len__(self) -> int:
        return len(self._subjects)

    def _forget(self, subject: str) -> None:
        for opened in self._subjects.pop(subject, {}).values():
            subjects = self._people.get(opened.binding.person)
            if subjects is not None:
                subjects.discard(subject)
                if not subjects:
                    del self._people[opened.binding.person]

"""A ticket writes itself once, to one origin, within a minute, while its connection lives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.conftest import FakeClock
from tests.vault.conftest import ORIGIN, House, Slow, binding, secret, written
from valetkey.kernel.clock import SystemClock
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.kernel.secret import Credential
from valetkey.store.notify import EVERYTHING
from valetkey.vault.broker import Vault
from valetkey.vault.envelope import Sealed, seal, take_apart
from valetkey.vault.model import BEARER, Binding, HeaderTemplate, NothingSealed, Tampered, TicketSpent
from valetkey.vault.tickets import Gate, Opened, Shelf, Ticket

TOKEN = binding()
PARTS = [(BEARER, TOKEN)]


@pytest.fixture
async def vault(small_house: House) -> Vault:
    vault = small_house.vault()
    await vault.seal(secret("the-token"), bound_to=TOKEN)
    return vault


async def a_ticket(vault: Vault, *, ttl: float = 60) -> Ticket:
    return await vault.ticket(PARTS, origin=ORIGIN, call_id="call_1", ttl=ttl)


async def test_a_ticket_writes_a_whole_header_line(vault: Vault) -> None:
    ticket: Credential = await a_ticket(vault)

    buffer = bytearray(ticket.size)
    ticket.write_into(memoryview(buffer))

    assert buffer == b"authorization: Bearer the-token\r\n"
    assert ticket.origin == ORIGIN


async def test_a_ticket_of_several_parts_writes_a_line_for_each(vault: Vault) -> None:
    key, account = binding(purpose="header:x-api-key"), binding(purpose="header:x-account")
    await vault.seal_many([(secret("k1"), key), (secret("a\tb c"), account)])

    ticket = await vault.ticket(
        [(HeaderTemplate(b"x-api-key"), key), (HeaderTemplate(b"x-account", b"Id "), account)],
        origin=ORIGIN,
        call_id="call_1",
    )

    assert written(ticket) == b"x-api-key: k1\r\nx-account: Id a\tb c\r\n"


async def test_a_ticket_is_not_written_twice(vault: Vault) -> None:
    ticket = await a_ticket(vault)
    written(ticket)

    with pytest.raises(TicketSpent):
        written(ticket)


async def test_a_ticket_expires(vault: Vault, clock: FakeClock) -> None:
    ticket = await a_ticket(vault, ttl=10)
    clock.advance(10)

    with pytest.raises(TicketSpent):
        written(ticket)


@pytest.mark.parametrize("ttl", [0, -1, 61])
async def test_no_ticket_lives_longer_than_a_minute(vault: Vault, ttl: float) -> None:
    with pytest.raises(BadInput):
        await a_ticket(vault, ttl=ttl)
    await a_ticket(vault)
    with pytest.raises(BadInput):
        await a_ticket(vault, ttl=ttl)  # warm


async def test_a_ticket_to_another_origin_is_not_made(vault: Vault) -> None:
    with pytest.raises(Tampered):
        await vault.ticket(PARTS, origin="https://evil.example", call_id="call_1")
    evil = binding(origin="https://evil.example")
    with pytest.raises(Tampered):
        await vault.ticket([(BEARER, evil)], origin="https://evil.example", call_id="call_1")
    await a_ticket(vault)
    assert vault.ticket_now([(BEARER, evil)], origin="https://evil.example", call_id="call_1") is None
    assert vault.ticket_now(PARTS, origin="https://evil.example", call_id="call_1") is None


async def test_a_cancelled_ticket_writes_nothing(vault: Vault) -> None:
    ticket = await a_ticket(vault)

    await vault.cancel("con_1")

    buffer = bytearray(b"x" * ticket.size)
    with pytest.raises(TicketSpent):
        ticket.write_into(memoryview(buffer))
    assert buffer == b"x" * ticket.size


async def test_a_shred_cancels_the_tickets_that_are_out(vault: Vault) -> None:
    early = await a_ticket(vault)
    vault._something_changed("con_1")  # the cache forgets, the gate does not
    late = await a_ticket(vault)

    await vault.shred("con_1")

    for ticket in (early, late):
        with pytest.raises(TicketSpent):
            written(ticket)
    with pytest.raises(NothingSealed):
        await a_ticket(vault)


async def test_a_shred_reaches_the_vaults_of_other_processes_by_notification(small_house: House) -> None:
    here, there = small_house.vault(), small_house.vault()
    await here.seal(secret("the-token"), bound_to=TOKEN)
    ticket = await a_ticket(there)
    here._notifications.subscribe("vault.shredded", there._something_ended)  # as the database's channel would

    await here.shred("con_1")

    with pytest.raises(TicketSpent):
        written(ticket)
    assert there.ticket_now(PARTS, origin=ORIGIN, call_id="call_1") is None


@pytest.mark.parametrize("key", ["con_1", "per_ada", EVERYTHING])
async def test_a_notified_change_makes_the_next_ticket_read_again(vault: Vault, key: str) -> None:
    await a_ticket(vault)
    assert vault.ticket_now(PARTS, origin=ORIGIN, call_id="call_1") is not None

    await vault._notifications.publish("connections", key)

    assert vault.ticket_now(PARTS, origin=ORIGIN, call_id="call_1") is None
    assert written(await a_ticket(vault)) == b"authorization: Bearer the-token\r\n"


async def test_a_change_of_something_else_keeps_what_is_warm(vault: Vault) -> None:
    await a_ticket(vault)

    await vault._notifications.publish("connections", "con_2")
    await vault._notifications.publish("connections", "per_bob")

    assert vault.ticket_now(PARTS, origin=ORIGIN, call_id="call_1") is not None


async def test_what_is_warm_is_read_again_after_half_a_minute(vault: Vault, clock: FakeClock) -> None:
    await a_ticket(vault)
    clock.advance(30)

    assert vault.ticket_now(PARTS, origin=ORIGIN, call_id="call_1") is None


async def test_sealing_anew_leaves_the_tickets_that_are_out_good(vault: Vault) -> None:
    ticket = await a_ticket(vault)

    await vault.seal(secret("newer"), bound_to=TOKEN)

    assert written(ticket) == b"authorization: Bearer the-token\r\n"
    newer = await a_ticket(vault)
    assert written(newer) == b"authorization: Bearer newer\r\n"
    assert (ticket.generation, newer.generation) == (1, 2)


@pytest.mark.parametrize("size", [0, 5, 1000])
async def test_a_buffer_of_another_size_gets_nothing(vault: Vault, size: int) -> None:
    ticket = await a_ticket(vault)
    buffer = bytearray(size)

    with pytest.raises(VaultFailed):
        ticket.write_into(memoryview(buffer))

    assert buffer == bytes(size)


def test_a_value_that_does_not_open_leaves_only_zeros(clock: FakeClock) -> None:
    sealed = Sealed(bytes(16), bytes(12), bytes(16 + 9))
    opened = Opened(TOKEN, 1, AESGCM(bytes(32)), sealed, gate=Gate(), until=1e12)
    ticket = Ticket(((BEARER, opened),), origin=ORIGIN, call_id="c", until=1e12, clock=clock)
    buffer = bytearray(b"x" * ticket.size)

    with pytest.raises(Tampered):
        ticket.write_into(memoryview(buffer))

    assert buffer == bytes(ticket.size)


async def test_a_ticket_does_not_show_what_it_holds(vault: Vault) -> None:
    ticket = await a_ticket(vault)

    assert "the-token" not in repr(ticket) + str(vars(type(ticket)))


async def test_a_shred_in_the_middle_of_a_read_leaves_neither_ticket_nor_cache(small_house: House) -> None:
    """The reader has the ciphertext and the key in hand when the shred comes, and goes on to make a ticket of them."""
    vault = small_house.vault()
    await vault.seal(secret("the-token"), bound_to=TOKEN)
    slow = Slow(small_house.keyring)
    vault.keyring.database, real = slow, vault.keyring.database  # type: ignore[assignment]
    asking = asyncio.create_task(a_ticket(vault))
    await slow.arrived.wait()
    vault.keyring.database = real

    await vault.shred("con_1")
    slow.go_on.set()
    ticket = await asking

    with pytest.raises(TicketSpent):
        written(ticket)
    assert vault.ticket_now(PARTS, origin=ORIGIN, call_id="call_1") is None


def opened_for(subject: str, person: str) -> Opened:
    sealed = Sealed(bytes(16), bytes(12), bytes(20))
    return Opened(binding(subject, person=person), 1, AESGCM(bytes(32)), sealed, gate=Gate(), until=1.0)


def test_the_shelf_is_bounded_and_forgets_the_least_used() -> None:
    shelf = Shelf(most=3)
    for name in ("a", "b", "c"):
        shelf.put(opened_for(name, "per_" + name), seen_drops=0)
    shelf.find("a", "access_token")

    shelf.put(opened_for("d", "per_d"), seen_drops=0)

    assert len(shelf) == 3
    assert shelf.find("b", "access_token") is None
    assert shelf.find("a", "access_token") is not None
    assert "per_b" not in shelf._people


def test_dropping_a_person_drops_all_their_connections_and_nobody_elses() -> None:
    shelf = Shelf(most=10)
    for name, person in (("a", "ada"), ("b", "ada"), ("c", "bob")):
        shelf.put(opened_for(name, person), seen_drops=0)

    shelf.drop_person("ada")

    found = {name: shelf.find(name, "access_token") is not None for name in "abc"}
    assert found == {"a": False, "b": False, "c": True}


def test_when_everything_is_closed_nothing_is_left_on_the_shelf_and_no_gate_is_open() -> None:
    shelf = Shelf(most=10)
    gate = shelf.gate("a")
    shelf.put(opened_for("a", "ada"), seen_drops=0)

    shelf.close_everything()

    assert (len(shelf), len(shelf._people), gate.is_closed) == (0, 0, True)
    assert not shelf.gate("a").is_closed
    shelf.put(opened_for("a", "ada"), seen_drops=0)  # read before it was closed
    assert len(shelf) == 0


def test_what_is_put_again_was_used_last() -> None:
    shelf = Shelf(most=2)
    for name in ("a", "b", "a", "c"):
        shelf.put(opened_for(name, "ada"), seen_drops=0)

    assert [name for name in "abc" if shelf.find(name, "access_token")] == ["a", "c"]
    assert shelf._people["ada"] == {"a", "c"}


def sealed_as(value: bytes, purpose: str = "access_token", key: bytes = bytes(32)) -> Opened:
    """Ready, as the vault makes it."""
    bound_to = binding(purpose=purpose)
    sealed = take_apart(seal(key, value, bound_to.associated_data(1)))
    return Opened(bound_to, 1, AESGCM(key), sealed, gate=Gate(), until=1.0)


def test_what_does_not_open_is_not_made_ready() -> None:
    whole = sealed_as(b"a value of its own")
    moved = Opened(binding("con_2"), 1, whole.cipher, whole.sealed, gate=Gate(), until=1.0)

    with pytest.raises(Tampered):
        moved.prove(None)
    assert moved.echo is None


def test_how_to_recognize_a_value_is_found_out_once_and_only_of_what_goes_into_tickets() -> None:
    first, again, other = sealed_as(b"a value of its own"), sealed_as(b"a value of its own"), sealed_as(
        b"another value", key=b"k" * 32
    )  # fmt: skip
    refresh = sealed_as(b"a refresh token of its own", "refresh_token")
    first.prove(None)
    for one, before in ((again, first), (other, first), (refresh, None)):
        one.prove(before)

    assert first.echo is again.echo is not None
    assert other.echo not in (None, first.echo)
    assert refresh.echo is None


def test_a_value_that_comes_back_is_taken_out_and_told_of_once(clock: FakeClock) -> None:
    unknown, account, key = sealed_as(b"short"), sealed_as(b"name-of-account"), sealed_as(b"key-of-its-own")
    for one in (account, key):
        one.prove(None)
    heard: list[tuple[Binding, str]] = []
    parts = tuple((BEARER, one) for one in (unknown, account, key))
    ticket = Ticket(
        parts, origin=ORIGIN, call_id="c", until=1.0, clock=clock, heard=lambda *echo: heard.append(echo)
    )  # fmt: skip
    harmless = b"nothing of it"
    assert ticket.masked(harmless) is harmless
    assert (ticket.echoed, heard) == (False, [])

    for _ in range(2):
        assert ticket.masked(b"key-of-its-own, name-of-account") == b"[removed], [removed]"

    assert (ticket.echoed, heard) == (True, [(account.binding, "c")])
    assert ticket.values == [unknown, account, key]


async def test_a_warm_ticket_is_cheap(small_house: House) -> None:
    """Ten times the figure we aim at, so that a busy machine does not fail it."""
    small_house.clock = SystemClock()  # type: ignore[assignment]  # real time is the point
    vault = small_house.vault()
    await vault.seal(secret("t" * 40), bound_to=TOKEN)
    await a_ticket(vault)

    def once() -> None:
        ticket = vault.ticket_now(PARTS, origin=ORIGIN, call_id="call_1")
        assert ticket is not None
        ticket.write_into(memoryview(bytearray(ticket.size)))

    assert best_of(5, once) < 100e-6


def best_of(times: int, once: Callable[[], None]) -> float:
    best = 1.0
    for _ in range(times):
        began = time.perf_counter()
        for _ in range(500):
            once()
        best = min(best, (time.perf_counter() - began) / 500)
    return best

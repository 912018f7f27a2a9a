"""How fast the vault seals, hands out tickets and moves to new keys, on SQLite in a temporary directory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from valetkey.kernel.clock import SystemClock
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.migrations import migrate
from valetkey.store.notify import Notifications
from valetkey.vault.broker import Vault
from valetkey.vault.envelope import key_name, new_key
from valetkey.vault.model import BEARER, Binding, OneTenant
from valetkey.vault.repository import DataKeyRow, add_data_keys
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.rotation import Rotation

ORIGIN = "https://mcp.example.com"
KEYS, ONE_BY_ONE, TICKETS, AT_ONCE = 100_000, 200, 100_000, 1_000


class Anything:
    """A rule that costs nothing, so that the vault's own work is measured; `./x bench` measures calls with the real."""

    def holds_now(self, call_id: str, binding: Binding) -> bool:
        return True

    async def demand(self, call_id: str, binding: Binding) -> None:
        return


def main(_arguments: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="vk-bench-") as directory:
        asyncio.run(measure(Path(directory)))
    return 0


def place(number: int) -> Binding:
    return Binding(
        tenant="org_1", person="per_1", subject=f"con_{number:06}", purpose="access_token", origin=ORIGIN, issuer="x"
    )


async def measure(directory: Path) -> None:
    clock = SystemClock()
    main_store, keyring = Database.sqlite(directory / "valetkey.db"), Database.sqlite(directory / "keyring.db")
    await migrate(main_store, "main")
    await migrate(keyring, "keyring")
    notifications = Notifications(main_store)
    root = open_or_create(directory / "key" / "root.key", forbidden_below=[], may_create=True)
    vault = Vault(main_store, keyring, root, clock, notifications)
    vault.release_by(Anything())
    await vault.start("dep_1")
    rotation = Rotation(vault.keyring, clock=clock, notifications=notifications)

    began = Began.now()
    for number in range(ONE_BY_ONE):
        await vault.seal(Secret("x" * 200), bound_to=place(number))
    say("seal, one by one", ONE_BY_ONE, began)

    began = Began.now()
    await vault.seal_many([(Secret("x" * 200), place(number)) for number in range(ONE_BY_ONE, AT_ONCE)])
    say(f"seal, {AT_ONCE - ONE_BY_ONE:,} at once", AT_ONCE - ONE_BY_ONE, began)
    await fill(vault, range(AT_ONCE, KEYS))

    binding = place(1)
    ticket = await vault.ticket([(BEARER, binding)], origin=ORIGIN, call_id="call")
    buffer = bytearray(ticket.size)
    began = Began.now()
    for _ in range(TICKETS):
        made = vault.ticket_now([(BEARER, binding)], origin=ORIGIN, call_id="call")
        assert made is not None
        made.write_into(memoryview(buffer))
    say("release: warm ticket, written", TICKETS, began)

    answer = b'{"content":[{"type":"text","text":"%b"}]}' % (b"an answer as answers are " * 80)
    began = Began.now()
    for _ in range(TICKETS):
        assert ticket.masked(answer) is answer
    say("search 2 KB for what came back", TICKETS, began)

    await rotation.rotate_tenant("org_1")
    began = Began.now()
    done = await rotation.rewrap(OneTenant("org_1"), seconds=600, on_progress=lambda _: None)
    say("rewrap under a new tenant key", done.data_keys, began)
    assert done.data_keys == KEYS
    assert (done.damaged, done.destroyed) == (0, 1)
    await main_store.close()
    await keyring.close()


async def fill(vault: Vault, numbers: range) -> None:
    """Wrapped data keys as sealing makes them, without the values: rewrapping never looks at those."""
    tenant_key = await vault.keyring.newest("org_1")
    for first in range(numbers.start, numbers.stop, 10_000):
        made = []
        for number in range(first, min(first + 10_000, numbers.stop)):
            bound, key = place(number), new_key()
            wrapped = tenant_key.wrap(
                key, subject=bound.subject, purpose=bound.purpose, generation=1, bound_to=bound.associated_data(1)
            )
            now = SystemClock().now()
            made.append(DataKeyRow(bound.subject, bound.purpose, 1, "org_1", 1, wrapped, key_name(key), now))
        async with vault.keyring.database.write() as tx:
            await add_data_keys(tx, made)


@dataclass(frozen=True)
class Began:
    """When something began, by the wall and by the processor time of this process: others may want the machine too."""

    wall: float
    processor: float

    @classmethod
    def now(cls) -> Self:
        return cls(time.perf_counter(), time.process_time())


def say(what: str, number: int, began: Began) -> None:
    seconds, processor = time.perf_counter() - began.wall, time.process_time() - began.processor
    print(
        f"{what:<32} {number:>8,} in {seconds:6.2f} s  {number / seconds:>10,.0f}/s  processor {processor:6.2f} s",
        flush=True,
    )

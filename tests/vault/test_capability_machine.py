"""T08: whatever is sealed, used, shredded, restored and awaited in whatever order, only the right value
leaves, to the right place, once.

The model keeps what each of the two stores should hold; a value may come out only if both hold the same sealing.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, insert, select

from tests.conftest import FakeClock
from tests.databases import STORES, migrated_file
from tests.vault.anything import open_handed
from tests.vault.conftest import binding, written
from valetkey.kernel.errors import VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import canary, data_key, tenant_key
from valetkey.store.schema import secret as secret_table
from valetkey.vault.broker import Vault
from valetkey.vault.model import BEARER, Binding, Overtaken, TicketSpent
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.tickets import Ticket

SUBJECTS = ["con_1", "con_2"]
PURPOSES = ["access_token", "header:x-api-key"]
TABLES = {"main": (secret_table,), "keyring": (canary, tenant_key, data_key)}
bindings = st.builds(
    binding,
    st.sampled_from(SUBJECTS),
    st.sampled_from(PURPOSES),
    tenant=st.sampled_from(["org_1", "org_2"]),
    person=st.sampled_from(["per_ada", "per_bob"]),
    origin=st.sampled_from(["https://a.example", "https://b.example"]),
)


@dataclass(frozen=True)
class Sealing:
    """One act of sealing: the only thing that makes a value come out."""

    number: int
    bound_to: Binding
    value: str


@dataclass
class Out:
    """A ticket that is out, and what we know of it."""

    ticket: Ticket
    value: str
    subject: str
    until: float
    is_dead: bool = False


Store = dict[tuple[str, str], Sealing]


class VaultMachine(RuleBasedStateMachine):
    template: Path  # a directory with migrated, empty stores, set by the test

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="vk-machine-"))
        for name in ("main.db", "keyring.db"):
            shutil.copy(self.template / name, self.directory / name)
        self.runner = asyncio.Runner()
        self.clock = FakeClock()
        self.root = open_or_create(self.directory / "keys" / "root.key", forbidden_below=[], may_create=True)
        self.stores = {name: Database.sqlite(self.directory / f"{name}.db") for name in ("main", "keyring")}
        self.holds: dict[str, Store] = {"main": {}, "keyring": {}}
        self.backups: list[dict[str, tuple[list[list[dict[str, Any]]], Store]]] = []
        self.out: list[Out] = []
        self.sealings = 0
        self.restart()

    def run(self, awaitable: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(awaitable)

    def restart(self) -> None:
        self.notifications = Notifications(self.stores["main"])
        self.vault = open_handed(
            Vault(self.stores["main"], self.stores["keyring"], self.root, self.clock, self.notifications)
        )
        self.run(self.vault.start("dep_1"))
        self.out.clear()

    def expected(self, bound_to: Binding) -> Sealing | None:
        """What may come out for this binding: sealed for exactly it, and whole in both stores."""
        place = (bound_to.subject, bound_to.purpose)
        sealing = self.holds["main"].get(place)
        if sealing is None or self.holds["keyring"].get(place) != sealing or sealing.bound_to != bound_to:
            return None
        return sealing

    @rule(bound_to=bindings)
    def seal(self, bound_to: Binding) -> None:
        self.sealings += 1
        sealing = Sealing(self.sealings, bound_to, f"value-{self.sealings:05}")
        self.run(self.vault.seal(Secret(sealing.value), bound_to=bound_to))
        for store in self.holds.values():
            store[bound_to.subject, bound_to.purpose] = sealing

    @rule(subject=st.sampled_from(SUBJECTS), data=st.data())
    def seal_over_a_mark(self, subject: str, data: st.DataObject) -> None:
        """A refresh: between mark and seal the world may move."""
        bound_to = data.draw(bindings.map(lambda drawn: replace(drawn, subject=subject)))
        what_happens = data.draw(st.sampled_from(["nothing", "shred", "seal"]))
        mark = self.run(self.vault.mark(subject))
        before = dict(self.holds["main"])
        if what_happens == "shred":
            self.shred(subject)
        elif what_happens == "seal":
            self.seal(bound_to)
        moved = {
            place
            for place in before.keys() | self.holds["main"].keys()
            if place[0] == subject and before.get(place) != self.holds["main"].get(place)
        }
        self.sealings += 1
        sealing = Sealing(self.sealings, bound_to, f"value-{self.sealings:05}")
        try:
            self.run(self.vault.seal_many([(Secret(sealing.value), bound_to)], since=mark))
        except Overtaken:
            assert moved
            return
        assert not moved
        for store in self.holds.values():
            store[bound_to.subject, bound_to.purpose] = sealing

    @rule(bound_to=bindings, ttl=st.sampled_from([1, 30, 60]), cold=st.booleans(), to=st.sampled_from(["a", "b"]))
    def take_a_ticket(self, bound_to: Binding, ttl: int, cold: bool, to: str) -> None:
        origin = f"https://{to}.example"
        expected = self.expected(bound_to) if origin == bound_to.origin else None
        if cold:
            self.run(self.notifications.publish("connections", bound_to.subject))
        try:
            ticket = self.run(self.vault.ticket([(BEARER, bound_to)], origin=origin, call_id="call_1", ttl=ttl))
        except VaultFailed:
            assert expected is None
            return
        assert expected is not None
        self.out.append(Out(ticket, expected.value, bound_to.subject, self.clock.monotonic() + ttl))

    @rule(data=st.data())
    def take_a_ticket_that_should_work(self, data: st.DataObject) -> None:
        """So that runs are not all refusals."""
        if self.holds["main"]:
            sealing = data.draw(st.sampled_from(sorted(self.holds["main"].values(), key=lambda one: one.number)))
            self.take_a_ticket(sealing.bound_to, 60, False, sealing.bound_to.origin[8:9])

    @rule(data=st.data())
    def use_a_ticket(self, data: st.DataObject) -> None:
        if not self.out:
            return
        out = data.draw(st.sampled_from(self.out))
        may = not out.is_dead and self.clock.monotonic() < out.until
        out.is_dead = True
        try:
            line = written(out.ticket)
        except TicketSpent:
            assert not may
            return
        assert may
        assert line == f"authorization: Bearer {out.value}\r\n".encode()

    @rule(subject=st.sampled_from(SUBJECTS))
    def shred(self, subject: str) -> None:
        self.run(self.vault.shred(subject))
        for store in self.holds.values():
            for place in [place for place in store if place[0] == subject]:
                del store[place]
        self.cancelled(subject)

    @rule(subject=st.sampled_from(SUBJECTS))
    def cancel(self, subject: str) -> None:
        self.run(self.vault.cancel(subject))
        self.cancelled(subject)

    def cancelled(self, subject: str) -> None:
        for out in self.out:
            out.is_dead |= out.subject == subject

    @rule(seconds=st.sampled_from([0.5, 10, 31, 61, 3600]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def back_up(self) -> None:
        self.backups.append({name: (self.run(self.rows(name)), dict(self.holds[name])) for name in TABLES})

    @rule(data=st.data(), which=st.sampled_from([["main"], ["keyring"], ["main", "keyring"]]))
    def restore_and_restart(self, data: st.DataObject, which: list[str]) -> None:
        if not self.backups:
            return
        backup = data.draw(st.sampled_from(range(len(self.backups))))
        for name in which:
            rows, holds = self.backups[backup][name]
            self.run(self.put_rows(name, rows))
            self.holds[name] = dict(holds)
        self.restart()

    async def rows(self, name: str) -> list[list[dict[str, Any]]]:
        async with self.stores[name].read() as tx:
            return [[dict(row) for row in (await tx.execute(select(table))).mappings()] for table in TABLES[name]]

    async def put_rows(self, name: str, rows: list[list[dict[str, Any]]]) -> None:
        async with self.stores[name].write() as tx:
            for table, values in zip(TABLES[name], rows, strict=True):
                await tx.execute(delete(table))
                if values:
                    await tx.execute(insert(table), values)

    @invariant()
    def no_store_holds_a_value_in_clear(self) -> None:
        content = b"".join(path.read_bytes() for path in self.directory.glob("*.db*"))
        assert b"value-0" not in content

    def teardown(self) -> None:
        for store in self.stores.values():
            self.run(store.close())
        self.runner.close()
        shutil.rmtree(self.directory)


async def migrated_stores(directory: Path) -> None:
    for which in STORES:
        await migrated_file(directory / f"{which}.db", which)


def play(tmp_path: Path, *, examples: int, steps: int) -> None:
    asyncio.run(migrated_stores(tmp_path))
    VaultMachine.template = tmp_path
    run_state_machine_as_test(
        VaultMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )


def test_in_whatever_order_only_the_right_value_leaves(tmp_path: Path) -> None:
    play(tmp_path, examples=40, steps=40)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_fifty_thousand_steps_let_no_wrong_value_out(tmp_path: Path) -> None:
    """T08, and T49 for the vault."""
    play(tmp_path, examples=1_000, steps=50)

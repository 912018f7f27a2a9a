"""Leases against a model: at most one holds a name, and a fence that was overtaken is never current again (T49)."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.machines import Machine, play, several
from valetkey.store.leases import Lease, Leases

names = st.sampled_from(["refresh:1", "refresh:2"])


@dataclass
class Held:
    lease: Lease
    until: float


class LeasesMachine(Machine):
    @initialize()
    def begin(self) -> None:
        database = self.store()
        self.processes = [Leases(database, clock=self.clock) for _ in range(3)]
        self.holder: dict[str, Held] = {}
        self.every: list[Lease] = []
        self.fences: dict[str, int] = {}

    @rule(name=names, process=st.integers(0, 2), seconds=st.sampled_from([1, 30]))
    def take(self, name: str, process: int, seconds: int) -> None:
        before = self.holder.get(name)
        taken = self.run(self.processes[process].take(name, seconds=seconds))
        if before is not None and before.until >= self.clock.time():
            assert taken is None
            return
        assert taken is not None
        assert taken.fence > self.fences.get(name, 0)
        self.fences[name] = taken.fence
        self.holder[name] = Held(taken, self.clock.time() + seconds)
        self.every.append(taken)

    @precondition(lambda self: self.every)
    @rule(data=st.data(), process=st.integers(0, 2))
    def give_back(self, data: st.DataObject, process: int) -> None:
        """Late, twice, or by who was overtaken: it ends nobody else's."""
        lease = data.draw(st.sampled_from(self.every))
        self.run(self.processes[process].give_back(lease))
        holder = self.holder.get(lease.name)
        if holder is not None and holder.lease == lease:
            del self.holder[lease.name]

    @precondition(lambda self: self.every)
    @rule(data=st.data(), process=st.integers(0, 2))
    def who_was_overtaken_is_not_current(self, data: st.DataObject, process: int) -> None:
        lease = data.draw(st.sampled_from(self.every))
        assert self.run(self.processes[process].is_current(lease)) is (self.fences[lease.name] == lease.fence)

    @rule(seconds=st.sampled_from([0.5, 2, 31]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)


@several
def test_one_holds_it_at_a_time(runs: int) -> None:
    play(LeasesMachine, runs=runs, steps=30)

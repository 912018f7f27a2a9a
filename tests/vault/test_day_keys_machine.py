"""Keys of the log against a model: a payload opens as what it is, until retention or erasure took its day (T49)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.machines import Machine, play, several
from tests.vault.conftest import House
from tests.vault.test_rotation import rewrap, rotation_of
from valetkey.store.notify import Notifications
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.model import NothingSealed, Tampered
from valetkey.vault.root_keys.file import open_or_create

DAYS = ["2026-11-20", "2026-11-21", "2026-11-22"]
days = st.sampled_from(DAYS)
people = st.sampled_from(["per_ada", "per_grace"])


@dataclass
class Payload:
    person: str
    day: str
    about: str
    sealed: bytes
    content: bytes
    is_gone: bool = False


class DayKeysMachine(Machine):
    @initialize()
    def begin(self) -> None:
        root = open_or_create(self.directory / "keys" / "root.key", forbidden_below=[], may_create=True)
        self.house = House(self.store("main"), self.store("keyring"), root, self.clock)
        self.vault = self.house.vault()
        self.run(self.vault.start("dep_1"))
        self.told = Notifications(self.house.main)
        self.payloads: list[Payload] = []
        self.restart()

    @rule()
    def restart(self) -> None:
        """Two processes; one hears what the other announces."""
        self.keys = [DayKeys(self.vault.keyring, clock=self.clock, notifications=self.told) for _ in range(2)]

    @rule(person=people, day=days, process=st.integers(0, 1))
    def seal(self, person: str, day: str, process: int) -> None:
        number = len(self.payloads)
        key = self.run(self.keys[process].key(person, "org_1", day))
        content = b"payload %d" % number
        sealed = key.seal(content, about=f"call_{number}")
        self.payloads.append(Payload(person, day, f"call_{number}", sealed, content))

    @precondition(lambda self: self.payloads)
    @rule(data=st.data(), process=st.integers(0, 1))
    def open(self, data: st.DataObject, process: int) -> None:
        payload = data.draw(st.sampled_from(self.payloads))
        try:
            key = self.run(self.keys[process].existing(payload.person, "org_1", payload.day))
        except NothingSealed:
            assert payload.is_gone
            return
        if payload.is_gone:  # a key was made anew for that day since; it opens nothing from before
            with pytest.raises(Tampered):
                key.open(payload.sealed, about=payload.about)
            return
        assert key.open(payload.sealed, about=payload.about) == payload.content
        with pytest.raises(Tampered):
            key.open(payload.sealed, about="call_x")

    @precondition(lambda self: self.payloads)
    @rule(data=st.data(), other=st.sampled_from(["person", "day", "bit"]))
    def as_something_else_it_does_not_open(self, data: st.DataObject, other: str) -> None:
        payload = data.draw(st.sampled_from(self.payloads))
        person = "per_eve" if other == "person" else payload.person
        day = "2026-11-23" if other == "day" else payload.day
        sealed = payload.sealed[:-1] + bytes([payload.sealed[-1] ^ 1]) if other == "bit" else payload.sealed
        key = self.run(self.keys[0].key(person, "org_1", day))
        with pytest.raises(Tampered):
            key.open(sealed, about=payload.about)

    @rule(person=people, process=st.integers(0, 1))
    def a_person_is_erased(self, person: str, process: int) -> None:
        self.run(self.keys[process].destroy(person))
        for payload in self.payloads:
            payload.is_gone |= payload.person == person

    @rule(day=days, process=st.integers(0, 1))
    def days_are_over(self, day: str, process: int) -> None:
        self.run(self.keys[process].destroy_before(day, but={}, spare=[]))
        for payload in self.payloads:
            payload.is_gone |= payload.day < day

    @rule()
    def keys_are_exchanged(self) -> None:
        made = rotation_of(self.house, self.vault, self.told)
        self.run(made.rotate_tenant("org_1"))
        assert self.run(rewrap(made)).damaged == 0

    @rule(seconds=st.sampled_from([1, 61]))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)


@several
def test_a_payload_opens_until_its_day_is_taken(runs: int) -> None:
    play(DayKeysMachine, runs=runs, steps=25)

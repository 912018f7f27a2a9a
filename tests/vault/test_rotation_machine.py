"""Keys against a model: whatever is rotated, cut off, rewrapped and restarted in whatever order, what was sealed opens,
what was shredded does not, and a finished rewrap leaves nothing on an older key (T49).
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.conftest import FakeClock
from tests.machines import Machine, play, several
from tests.vault.conftest import House, binding, secret
from tests.vault.test_rotation import again, rewrap, rotation_of, tenant_versions, versions
from valetkey.kernel.errors import VaultFailed
from valetkey.vault import rotation
from valetkey.vault.model import Binding, EveryTenant, NothingSealed, OneTenant
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.rotation import Rotation

PLACES = [binding(f"con_{number}", tenant=f"org_{number % 2}") for number in range(6)]
places = st.sampled_from(PLACES)
tenants = st.sampled_from(["org_0", "org_1"])


class RotationMachine(Machine):
    @initialize()
    def begin(self) -> None:
        root = open_or_create(self.directory / "keys" / "root.key", forbidden_below=[], may_create=True)
        self.house = House(self.store("main"), self.store("keyring"), root, self.clock)
        self.values: dict[Binding, bytes] = {}
        self.number = 0
        self.roots = 1
        self.restart()

    @rule()
    def restart(self) -> None:
        self.house.root = again(self.house.root)
        self.vault = self.house.vault()
        self.run(self.vault.start("dep_1"))

    @rule(place=places)
    def seal(self, place: Binding) -> None:
        self.number += 1
        self.values[place] = b"value-%05d" % self.number
        self.run(self.vault.seal(secret(self.values[place].decode()), bound_to=place))

    @rule(place=places)
    def shred(self, place: Binding) -> None:
        self.run(self.vault.shred(place.subject))
        self.values.pop(place, None)

    @rule(tenant=tenants)
    def rotate_a_tenants_key(self, tenant: str) -> None:
        self.run(rotation_of(self.house, self.vault).rotate_tenant(tenant))

    @rule()
    def rotate_the_root_key(self) -> None:
        if self.roots < 4:  # a file each
            self.roots += 1
            assert self.run(rotation_of(self.house, self.vault).rotate_root()) == self.roots

    @rule()
    def rewrap_all(self) -> None:
        done = self.run(rewrap(rotation_of(self.house, self.vault)))
        assert (done.is_done, done.damaged) == (True, 0)
        newest: dict[str, int] = {}
        for tenant, version, root in self.run(tenant_versions(self.house.keyring)):
            assert tenant not in newest, "two keys of a tenant are left"
            assert root == self.roots
            newest[tenant] = version
        assert self.run(versions(self.house.keyring)) <= set(newest.values())

    @rule(tenant=tenants, batches=st.integers(1, 2))
    def rewrap_some_and_stop(self, tenant: str, batches: int) -> None:
        made = Rotation(self.vault.keyring, clock=Ending(batches), notifications=self.house.notifications)
        self.run(made.rewrap(OneTenant(tenant), seconds=1, on_progress=lambda _: None))

    @rule()
    def what_is_left_is_told(self) -> None:
        status = self.run(rotation_of(self.house, self.vault).status(EveryTenant()))
        assert status.counts.data_keys == len(self.values)

    @rule(place=places)
    def a_place_of_somebody_else_opens_nothing(self, place: Binding) -> None:
        with pytest.raises(VaultFailed):
            self.run(self.house.token_of(self.vault, replace(place, person="per_eve")))

    def teardown(self) -> None:
        if hasattr(self, "vault"):
            self.what_was_sealed_opens_and_nothing_else_does()
        super().teardown()

    @rule()
    def what_was_sealed_opens_and_nothing_else_does(self) -> None:
        cold = self.house.vault()
        for place in PLACES:
            if place in self.values:
                assert self.run(self.house.token_of(cold, place)) == self.values[place]
            else:
                with pytest.raises(NothingSealed):
                    self.run(self.house.token_of(cold, place))


class Ending(FakeClock):
    """A clock on which time is up after so many looks."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def monotonic(self) -> float:
        self._looks -= 1
        return super().monotonic() + (0 if self._looks >= 0 else 10)


@several
def test_through_every_rotation_what_was_sealed_opens(runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    play(RotationMachine, runs=runs, steps=20)

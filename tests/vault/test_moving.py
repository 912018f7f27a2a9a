"""The root key moves from one provider to another while the hub serves; what is missing at a start is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from tests.vault.anything import open_handed
from tests.vault.conftest import House, binding, secret
from tests.vault.test_rotation import rewrap, rotation_of, tenant_versions
from valetkey.kernel.errors import BadInput, RootKeyUnavailable, StartRefused
from valetkey.kernel.secret import Secret
from valetkey.store.schema import tenant_key
from valetkey.vault.broker import Vault
from valetkey.vault.keyring import deployment_of
from valetkey.vault.model import EveryTenant, WrongKey
from valetkey.vault.recovery import Recovery, recover
from valetkey.vault.recovery_kit import make_kit
from valetkey.vault.root_keys import RootKey
from valetkey.vault.root_keys.file import FileRootKey, open_or_create
from valetkey.vault.root_keys.passphrase import open_passphrase
from valetkey.vault.roots import Roots

ADA, BOB = binding(), binding("con_2", tenant="org_2")


def passphrase(text: str = "correct horse battery staple") -> RootKey:
    return open_passphrase("prompt", deployment_id="dep_1", ask=lambda _question: Secret(text))


def another(tmp_path: Path, name: str = "another") -> FileRootKey:
    return open_or_create(tmp_path / name / "root.key", forbidden_below=[], may_create=True)


def vault_under(house: House, root: RootKey, *former: RootKey) -> Vault:
    return open_handed(Vault(house.main, house.keyring, root, house.clock, house.notifications, former=former))


@pytest.fixture
async def vault(house: House) -> Vault:
    vault = house.vault()
    await vault.start("dep_1")
    await vault.seal(secret("adas"), bound_to=ADA)
    await vault.seal(secret("bobs"), bound_to=BOB)
    return vault


async def test_after_a_move_the_new_provider_alone_opens_everything(house: House, vault: Vault) -> None:
    made = rotation_of(house, vault)
    new = passphrase()

    assert await made.move_root(new) == 2
    await vault.seal(secret("cys"), bound_to=binding("con_3", tenant="org_3"))
    assert (await rewrap(made)).tenant_keys == 2

    restarted = vault_under(house, new)
    await restarted.start("dep_1")
    assert await house.token_of(restarted, ADA) == b"adas"
    assert await house.token_of(restarted, binding("con_3", tenant="org_3")) == b"cys"
    assert {under for _tenant, _version, under in await tenant_versions(house.keyring)} == {2}
    with pytest.raises(StartRefused, match=r"under another one \(passphrase"):
        await house.vault().start("dep_1")  # with the key before


async def test_a_move_that_was_cut_off_needs_both_and_the_start_says_which(house: House, vault: Vault) -> None:
    new = passphrase()
    await rotation_of(house, vault).move_root(new)
    await vault.keyring.rewrap_canary()  # and killed here

    with pytest.raises(StartRefused, match=rf"hang on root key 1 \(file: {house.root.path}.*not at hand"):
        await vault_under(house, new).start("dep_1")
    with pytest.raises(StartRefused, match="does not open this keyring"):
        await house.vault().start("dep_1")
    both = vault_under(house, new, house.root)
    await both.start("dep_1")
    assert await house.token_of(both, BOB) == b"bobs"

    assert (await rewrap(rotation_of(house, both))).tenant_keys == 2
    await vault_under(house, new).start("dep_1")


async def test_a_move_by_restart_is_the_same(house: House, vault: Vault) -> None:
    both = vault_under(house, passphrase(), house.root)
    await both.start("dep_1")

    await rewrap(rotation_of(house, both))

    alone = vault_under(house, passphrase())
    await alone.start("dep_1")
    assert await house.token_of(alone, ADA) == b"adas"


async def test_back_to_the_provider_before_makes_a_new_key_there(house: House, vault: Vault) -> None:
    """Else what hangs on the key we leave would count as newer, and never be moved."""
    made = rotation_of(house, vault)
    await made.move_root(passphrase())
    await rewrap(made)

    assert await made.move_root(house.root) == 3
    assert (await rewrap(made)).tenant_keys == 2

    assert [(root.version, root.keys, root.scheme) for root in (await made.status(EveryTenant())).roots] == [
        (1, 0, "file"),
        (2, 0, "passphrase"),
        (3, 2, "file"),
    ]
    assert await house.token_of(house.vault(), ADA) == b"adas"


async def test_moving_to_the_key_there_is_refused(house: House, vault: Vault) -> None:
    with pytest.raises(BadInput, match="already"):
        await rotation_of(house, vault).move_root(house.root)


async def test_a_wrong_key_at_a_start_leaves_no_trace(house: House, vault: Vault, tmp_path: Path) -> None:
    """T11: no partial start, no data change."""
    with pytest.raises(StartRefused):
        await vault_under(house, another(tmp_path)).start("dep_1")

    assert len((await rotation_of(house, vault).status(EveryTenant())).roots) == 1


async def test_a_wrong_passphrase_is_asked_for_again(house: House) -> None:
    await vault_under(house, passphrase()).start("dep_1")

    with pytest.raises(StartRefused, match="The passphrase does not open this keyring"):
        await vault_under(house, passphrase("another horse battery staple")).start("dep_1")


class Denied:
    """A provider that says no since some moment."""

    def __init__(self, root: RootKey) -> None:
        self._root = root
        self.is_denied = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._root, name)

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        self._check()
        return await self._root.wrap(plaintext, context=context)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        self._check()
        return await self._root.unwrap(wrapped, context=context)

    def _check(self) -> None:
        if self.is_denied:
            raise RootKeyUnavailable("no")


async def test_a_provider_that_says_no_ends_nothing_and_counts_nothing_as_damaged(house: House) -> None:
    root = Denied(house.root)
    vault = vault_under(house, root)  # type: ignore[arg-type]  # the rest is passed through
    await vault.start("dep_1")
    await vault.seal(secret("adas"), bound_to=ADA)
    made = rotation_of(house, vault)
    await house.root.rotate()
    cold = vault_under(house, root)  # type: ignore[arg-type]
    root.is_denied = True

    with pytest.raises(StartRefused, match="no"):
        await cold.start("dep_1")
    with pytest.raises(RootKeyUnavailable):
        await house.token_of(cold, ADA)
    with pytest.raises(RootKeyUnavailable):
        await rewrap(made)
    assert await house.token_of(vault, ADA) == b"adas"  # what is warm goes on

    root.is_denied = False
    assert await house.token_of(cold, ADA) == b"adas"
    assert (await rewrap(made)).damaged == 0


# --- recovery ---------------------------------------------------------------------------------------------------------


async def test_any_two_sheets_open_everything_under_a_new_root_key(house: House, vault: Vault, tmp_path: Path) -> None:
    """T11: the root key is lost."""
    kit = make_kit()
    await Recovery(vault.keyring, clock=house.clock).adopt(kit.public_key)
    await vault.seal(secret("cys"), bound_to=binding("con_3", tenant="org_3"))  # after the kit
    await rotation_of(house, vault).rotate_tenant("org_1")

    for number, (first, second) in enumerate(((0, 1), (2, 0), (1, 2))):
        new = another(tmp_path, f"new-{number}")
        sheets = [kit.sheets[first].upper() + "\n", "  " + kit.sheets[second]]
        assert await deployment_of(house.keyring) == "dep_1"
        done = await recover(house.keyring, Roots(house.keyring, new, (), clock=house.clock), sheets)
        restarted = vault_under(house, new)
        await restarted.start("dep_1")

        assert (done.tenant_keys, done.root_version) == (4, number + 2)
        assert await house.token_of(restarted, ADA) == b"adas"
        assert await house.token_of(restarted, BOB) == b"bobs"
        assert await house.token_of(restarted, binding("con_3", tenant="org_3")) == b"cys"


async def test_a_newer_kit_makes_the_one_before_worthless(house: House, vault: Vault, tmp_path: Path) -> None:
    recovery = Recovery(vault.keyring, clock=house.clock)
    old, new = make_kit(), make_kit()
    assert [await recovery.adopt(kit.public_key) for kit in (old, new)] == [1, 2]
    roots = Roots(house.keyring, another(tmp_path), (), clock=house.clock)

    for sheets, sentence in (
        (old.sheets[:2], "not of the newest"),
        ((old.sheets[0], new.sheets[1]), "do not belong together"),
        ((new.sheets[0], new.sheets[0]), "do not belong together"),
        ((new.sheets[0], new.sheets[1].replace(" ", " zzz ", 1)), "do not belong together"),
        (new.sheets[:1], "takes 2"),
    ):
        with pytest.raises(BadInput, match=sentence):
            await recover(house.keyring, roots, sheets)
    restarted = house.vault()
    await restarted.start("dep_1")
    assert await house.token_of(restarted, ADA) == b"adas"  # nothing was changed


async def test_without_a_kit_there_is_no_way_back(house: House, vault: Vault, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No recovery kit was ever made"):
        await recover(
            house.keyring, Roots(house.keyring, another(tmp_path), (), clock=house.clock), make_kit().sheets[:2]
        )


async def test_what_the_kit_opens_is_bound_to_its_organization(house: House, vault: Vault, tmp_path: Path) -> None:
    kit = make_kit()
    await Recovery(vault.keyring, clock=house.clock).adopt(kit.public_key)
    async with house.keyring.write() as tx:
        taken = (await tx.execute(tenant_key.select().where(tenant_key.c.tenant == "org_1"))).one().recovery
        await tx.execute(update(tenant_key).where(tenant_key.c.tenant == "org_2").values(recovery=taken))
    before = await tenant_versions(house.keyring)

    with pytest.raises(WrongKey, match="was changed"):
        await recover(house.keyring, Roots(house.keyring, another(tmp_path), (), clock=house.clock), kit.sheets[:2])
    assert await tenant_versions(house.keyring) == before


async def test_a_destroyed_tenant_key_is_destroyed_for_the_kit_too(house: House, vault: Vault) -> None:
    await Recovery(vault.keyring, clock=house.clock).adopt(make_kit().public_key)
    made = rotation_of(house, vault)
    await made.rotate_tenant("org_1")
    await rewrap(made)

    async with house.keyring.read() as tx:
        left = {(row.tenant, row.version) for row in await tx.execute(tenant_key.select())}
    assert left == {("org_1", 2), ("org_2", 1)}

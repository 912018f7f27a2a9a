"""Opening the vault and the way out: all in this process, or each in one of its own. The one place that knows both."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from valetkey.audit.note import VerifierKey
from valetkey.beside.channel import Channel, Verbs
from valetkey.beside.children import Child
from valetkey.beside.peers import LONGEST_PATH, new_word
from valetkey.connections.desk import DirectDesk
from valetkey.kernel.clock import Clock
from valetkey.kernel.secret import Secret
from valetkey.net.address_policy import AddressPolicy, Network
from valetkey.net.beside.dialing import DialerBeside
from valetkey.net.outbound import open_outbound, outbound_by
from valetkey.split.boot import DialerBoot, VaultBoot, VaultFacts
from valetkey.split.desk import DeskBeside
from valetkey.split.model import Kept, RootKeyShown
from valetkey.split.vault_beside import DayKeysBeside, KeysBeside, SpoolBeside, TrailKeysBeside, VaultBeside
from valetkey.store.database import Database
from valetkey.store.migrations import migrate
from valetkey.store.notify import Notifications
from valetkey.vault.broker import SEALED, Vault
from valetkey.vault.day_keys import DayKeys
from valetkey.vault.keyring import holds_keys
from valetkey.vault.recovery import Recovery
from valetkey.vault.release import Release
from valetkey.vault.root_keys.opening import Asked, open_root_key
from valetkey.vault.root_keys.passphrase import Ask
from valetkey.vault.rotation import Rotation
from valetkey.vault.spool import Spool
from valetkey.vault.trail_keys import TrailKeys

VAULT_PROGRAM: Final = "valetkey.cli.vault_process"
DIALER_PROGRAM: Final = "valetkey.cli.dialer_process"
_DIALERS_ENVIRONMENT: Final = ("PATH", "LANG", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "PYTHONPATH", "VIRTUAL_ENV")
"""All that the dialer is given: no credential that stands in the hub's environment is of any use to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What both ways stand on."""

    data: Path
    database: Database
    database_url: str
    keyring_url: str
    root_key: str
    former_root_key: str
    allow_network: Sequence[Network]
    listening: Sequence[tuple[str, int]]
    public_url: str
    deployment_id: str
    clock: Clock
    notifications: Notifications


async def open_inline(ground: Ground, ask: Ask, closing: AsyncExitStack) -> Kept:
    """Everything here: I1, I2 and I6 are boundaries of code only, and docs/vault.md says so. Raises `StartRefused`."""
    keyring = _database(ground.keyring_url, ground.data / "keyring.db")
    closing.push_async_callback(keyring.close)
    await migrate(keyring, "keyring")
    asked = Asked(
        spec=ground.root_key,
        deployment_id=ground.deployment_id,
        apart_from=[ground.data],
        # A key of another provider may be new to a deployment that has keys: the one before is named beside it.
        may_create=bool(ground.former_root_key) or not await holds_keys(keyring),
        ask=ask,
    )
    root_key = await open_root_key(asked)
    former = [await open_root_key(replace(asked, spec=spec, may_create=False)) for spec in _former(ground)]
    clock, notifications = ground.clock, ground.notifications
    vault = Vault(ground.database, keyring, root_key, clock, notifications, former=former)
    await vault.start(ground.deployment_id)
    policy = AddressPolicy(ground.allow_network, lambda: ground.listening, [ground.public_url])
    outbound = open_outbound(policy, clock)
    closing.push_async_callback(outbound.close)
    trail_keys = TrailKeys(vault, ground.deployment_id)

    rotation = Rotation(vault.keyring, clock=clock, notifications=notifications)

    async def move_root(spec: str, passphrase: Secret) -> int:
        another = replace(asked, spec=spec, may_create=True, ask=lambda _question: passphrase)
        return await rotation.move_root(await open_root_key(another))

    return Kept(
        vault=vault,
        spool=Spool(ground.data / "spool", vault.keyring, clock=clock),
        desk=DirectDesk(outbound.web),
        day_keys=DayKeys(vault.keyring, clock=clock, notifications=notifications),
        trail_key_made=await trail_keys.open(),
        trail_keys=trail_keys,
        rotation=rotation,
        recovery=Recovery(vault.keyring, clock=clock),
        root_key=RootKeyShown(root_key.place, root_key.created, root_key.key_id),
        move_root=move_root,
        outbound=outbound,
        release_by=vault.release_by,
    )


async def open_beside(ground: Ground, closing: AsyncExitStack) -> Kept:
    """Two processes beside this one: the dialer first, through which the vault asks. Raises `StartRefused`."""
    worker_word, vault_word = new_word(), new_word()
    place = _place(ground.data, closing)
    path = place / "dialer.sock"
    closing.callback(path.unlink, missing_ok=True)

    async def boot_dialer(channel: Channel) -> None:
        told = DialerBoot(
            path=str(path),
            allow_network=tuple(str(network) for network in ground.allow_network),
            listening=tuple(ground.listening),
            own_origin=ground.public_url,
            worker_word=worker_word,
            vault_word=vault_word,
        )
        await channel.ask("boot", bool, told=told)

    dialer = Child(
        "dialer",
        DIALER_PROGRAM,
        verbs=Verbs({}),
        boot=boot_dialer,
        environment={name: os.environ[name] for name in _DIALERS_ENVIRONMENT if name in os.environ},
    )
    closing.push_async_callback(dialer.stop)
    await dialer.start()
    facts: list[VaultFacts] = []
    is_sealed: list[bool] = []

    async def boot_vault(channel: Channel) -> None:
        told = VaultBoot(
            data=str(ground.data),
            database=ground.database_url,
            keyring_database=ground.keyring_url,
            root_key=ground.root_key,
            former_root_key=ground.former_root_key,
            deployment_id=ground.deployment_id,
            private_names=bool(ground.allow_network),
            dialer_path=str(path),
            dialer_word=worker_word,
            vault_word=vault_word,
            is_sealed=bool(is_sealed),
            is_again=bool(facts),
        )
        facts.append(await channel.ask("boot", VaultFacts, told=told))

    def hear(topic: str, key: str) -> None:
        if topic == SEALED:
            is_sealed.append(True)  # only a start of the hub unseals, not one of the vault's process
        ground.notifications.hear(topic, key)

    vault = Child(
        "vault",
        VAULT_PROGRAM,
        verbs=Verbs({"hear": hear}),
        boot=boot_vault,
        environment=os.environ,
        pass_fds=_passphrase_descriptors(ground),
    )
    closing.push_async_callback(vault.stop)
    await vault.start()
    ground.notifications.relay(lambda topic, key: vault.tell("hear", topic=topic, key=key))
    beside, dialing = VaultBeside(vault), DialerBeside(path, worker_word, clock=ground.clock)
    dialing.bring = beside.bring
    outbound = outbound_by(dialing, ground.clock)
    closing.push_async_callback(outbound.close)
    keys = KeysBeside(vault)
    first = facts[0]
    return Kept(
        vault=beside,
        spool=SpoolBeside(vault, ground.data / "spool"),
        desk=DeskBeside(vault),
        day_keys=DayKeysBeside(vault, clock=ground.clock, notifications=ground.notifications),
        trail_keys=TrailKeysBeside(vault, VerifierKey(first.verifier_name, first.verifier_key)),
        trail_key_made=first.trail_key_made,
        rotation=keys,
        recovery=keys,
        root_key=RootKeyShown(first.place, first.created, first.key_id),
        move_root=keys.move_root,
        outbound=outbound,
        release_by=_by_its_own,
        processes=(dialer, vault),
    )


def _by_its_own(_rule: Release) -> None:
    """The vault's process goes by what it reads itself: the journal, and what is switched on."""


def _former(ground: Ground) -> list[str]:
    return [ground.former_root_key] if ground.former_root_key else []


def _database(url: str, path: Path) -> Database:
    return Database.open(url) if url else Database.sqlite(path)


def _place(data: Path, closing: AsyncExitStack) -> Path:
    """A directory of ours alone for the dialer's socket: in the data directory, if its name is not too long for one."""
    place = data / "run"
    if len(os.fsencode(place / "dialer.sock")) > LONGEST_PATH:
        temporary = tempfile.TemporaryDirectory(prefix="valetkey-")
        closing.callback(temporary.cleanup)
        return Path(temporary.name)
    place.mkdir(mode=0o700, exist_ok=True)
    place.chmod(0o700)
    return place


def _passphrase_descriptors(ground: Ground) -> list[int]:
    """The descriptor on which a passphrase is handed over, for the process that reads it."""
    found = []
    for spec in (ground.root_key, ground.former_root_key):
        number = spec.removeprefix("passphrase:fd:")
        if number != spec and number.isdigit():
            found.append(int(number))
    return found

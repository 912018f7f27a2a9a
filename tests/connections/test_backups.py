"""What copies of our files are good for: after a disconnect (T05, S-20), and at any time without the root key (T04)."""

from __future__ import annotations

import base64
import json
import re
import sqlite3
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import FakeClock
from tests.connections.conftest import Hub, OpenHub
from tests.connections.outside import AuthServer, Service
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection, State
from valetkey.connections.repository import Seen
from valetkey.identity.model import BrowserSession, Role
from valetkey.identity.organizations import Organizations
from valetkey.identity.people import People
from valetkey.kernel.errors import NotConnected, StartRefused, VaultFailed
from valetkey.privacy.consent import TEXT_HASH, Consents
from valetkey.privacy.policy import Policies
from valetkey.privacy.yes_keys import YesKeys
from valetkey.store.database import Database
from valetkey.vault.model import EveryTenant, Use
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.rotation import Rotation

STORES = ("main", "keyring")


def _back_up(folder: Path, to: Path) -> Path:
    """Both stores as a backup program takes them, whole and without a log beside them."""
    to.mkdir()
    for store in STORES:
        with sqlite3.connect(folder / f"{store}.db") as source, sqlite3.connect(to / f"{store}.db") as copy:
            source.backup(copy)
        source.close()
        copy.close()
    return to


def _restored(folder: Path, root: Path, clock: FakeClock, *, main: Path, keyring: Path) -> Hub:
    """A hub on the files of two backups, with the root key of today."""
    folder.mkdir()
    for store, source in (("main", main), ("keyring", keyring)):
        (folder / f"{store}.db").write_bytes((source / f"{store}.db").read_bytes())
    key = open_or_create(root, forbidden_below=[], may_create=False)
    return Hub(
        Database.sqlite(folder / "main.db"), Database.sqlite(folder / "keyring.db"), key, clock, folder / "spool"
    )


async def _opens(hub: Hub, connection: Connection, purposes: tuple[str, ...]) -> list[str]:
    """What a thief with all our code can open, whatever the connection's own row says by now."""
    connector = await hub.connectors.by_id(connection.connector_id)
    server = await hub.room.servers.known(connection.issuer, allow_http=True)
    assert server is not None
    bindings = {
        "access_token": oauth.access_binding(connection, connector),
        "refresh_token": oauth.refresh_binding(connection, connector, server),
    }
    opened = []
    for purpose in purposes:
        try:
            opened.append(
                (await hub.vault.reveal_for_exchange(bound_to=bindings[purpose], use=Use.REVOKE)).reveal().decode()
            )
        except VaultFailed:
            continue
    return opened


async def test_after_a_disconnect_only_two_backups_from_before_it_open_anything_together(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, tmp_path: Path, clock: FakeClock
) -> None:
    """T05. Hence the keyring's backups are kept apart and short, and the receipt says for how long."""
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    old = _back_up(tmp_path, tmp_path / "old")
    receipt = await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
    new = _back_up(tmp_path, tmp_path / "new")

    found = {}
    for (main_age, main), (keyring_age, keyring) in product((("old", old), ("new", new)), repeat=2):
        folder = tmp_path / f"{main_age}-{keyring_age}"
        thief = _restored(folder, tmp_path / "keys/root.key", clock, main=main, keyring=keyring)
        await thief.vault.start("dep_test")
        found[main_age, keyring_age] = len(await _opens(thief, connection, ("access_token", "refresh_token")))
        await thief.close()

    assert found == {("old", "old"): 2, ("old", "new"): 0, ("new", "old"): 0, ("new", "new"): 0}
    assert (receipt.unrecoverable_after - receipt.at).days == 7
    # And what the old ones open is of no use: the service was told.
    assert all(not grant.is_live for grant in server.access.values())


async def test_a_restored_hub_says_reconnect_and_not_connected_where_the_stores_disagree(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, tmp_path: Path, clock: FakeClock
) -> None:
    """CON-01: what people see follows from the vault."""
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    old = _back_up(tmp_path, tmp_path / "old")
    await hub.room.disconnecting.disconnect(ada.person.id, connection.id, by="person:ada")
    new = _back_up(tmp_path, tmp_path / "new")
    restored = _restored(tmp_path / "mixed", tmp_path / "keys/root.key", clock, main=old, keyring=new)
    await restored.vault.start("dep_test")
    await restored.room.start()

    with pytest.raises(NotConnected, match="reconnect"):
        await restored.bearer(connection)

    assert (await restored.now(connection)).state is State.RECONNECT
    await restored.close()


def _spellings(value: str) -> list[bytes]:
    """A value as it could stand in a file: raw, base64 at each alignment, hex, in a URL, in JSON."""
    raw = value.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4 if shift else 0 : -4] for shift in range(3)]
    return [raw, *shifted, raw.hex().encode(), raw.hex().upper().encode(), quote(value, safe="").encode(),
            json.dumps(value)[1:-1].encode()]  # fmt: skip


async def test_a_stolen_database_holds_no_secret_in_any_spelling(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, tmp_path: Path
) -> None:
    """T04, the half that needs no key: everything on the disk, logs of the stores and the spool's folder included."""
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    for _ in range(5):
        await hub.room.refreshing.refresh(Seen.of(await hub.now(connection)))
    attempt, url = await hub.go(ada, connector, label="work")
    secrets = [*server.access, *server.refreshes, *server.used_refreshes]
    secrets += [client.secret for client in server.clients.values() if client.secret]
    state = re.search(r"state=([\w-]+)", url)
    assert state is not None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    leaks = [
        (path.name, secret[:12])
        for path in files
        for data in [path.read_bytes()]
        for secret in [*secrets, state[1]]
        if any(spelling in data for spelling in _spellings(secret))
    ]

    assert len(secrets) >= 13
    assert {"main.db", "keyring.db", "main.db-wal"} <= {path.name for path in files}
    assert leaks == []
    assert attempt.id


async def test_both_stores_with_a_root_key_that_was_replaced_open_nothing(
    hub: Hub, ada: BrowserSession, service: Service, server: AuthServer, tmp_path: Path, clock: FakeClock
) -> None:
    """T04: main, keyring and a root key from before its rotation; and each store with a root key of the thief's own."""
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)
    stolen_key = tmp_path / "stolen" / "root.key"
    stolen_key.parent.mkdir(mode=0o700)
    stolen_key.write_bytes((tmp_path / "keys" / "root.key").read_bytes())
    stolen_key.chmod(0o600)
    rotation = Rotation(hub.vault.keyring, clock=clock, notifications=hub.notifications)
    await rotation.rotate_root()
    assert (await rotation.rewrap(EveryTenant(), seconds=60, on_progress=lambda _moved: None)).is_done
    stores = _back_up(tmp_path, tmp_path / "stores")
    own_key = tmp_path / "own" / "root.key"
    open_or_create(own_key, forbidden_below=[], may_create=True)

    for number, key in enumerate((stolen_key, own_key)):
        thief = _restored(tmp_path / f"thief{number}", key, clock, main=stores, keyring=stores)
        with pytest.raises(StartRefused):
            await thief.vault.start("dep_test")
        assert await _opens(thief, connection, ("access_token", "refresh_token")) == []
        await thief.close()


async def test_the_owner_of_all_three_is_the_hub_itself(
    open_hub: OpenHub, hub: Hub, ada: BrowserSession, service: Service, server: AuthServer
) -> None:
    """The control of the tests above: with both stores and the root key, the same way of looking opens both tokens."""
    connection = await hub.connect(ada, await hub.connector(ada.person, service.url), server)

    opened = await _opens(open_hub(), connection, ("access_token", "refresh_token"))

    assert opened == [*server.access, *server.refreshes]


def _consents(hub: Hub) -> tuple[Organizations, Consents]:
    organizations = Organizations(hub.main, clock=hub.clock)
    policies = Policies(hub.main, clock=hub.clock, trail=hub.trail)
    keys = YesKeys(hub.vault)
    return organizations, Consents(hub.main, organizations, policies, clock=hub.clock, trail=hub.trail, keys=keys)


@pytest.mark.parametrize(("main", "keyring", "holds"), [
    ("before", "after", False), ("after", "before", False), ("after", "after", False), ("before", "before", True),
])  # fmt: skip
async def test_S_11_a_yes_that_was_taken_back_is_not_there_again_when_the_database_is_put_back_from_a_copy(
    hub: Hub, tmp_path: Path, clock: FakeClock, main: str, keyring: str, holds: bool
) -> None:
    """Nor does an older keyring bring it. Both of one day are that day: what can be done about that is in the docs."""
    organizations, consents = _consents(hub)
    home = await organizations.create("Home", "personal")
    people = People(hub.main, clock=clock, notifications=hub.notifications, trail=hub.trail)
    eve = await people.create(login="eve", display_name="", organization_id=home.id, role=Role.OWNER)
    await consents.give(eve, text_hash=TEXT_HASH, actor=f"person:{eve.id}")
    copies = {"before": _back_up(tmp_path, tmp_path / "before")}
    await consents.withdraw(eve, actor=f"person:{eve.id}")
    copies["after"] = _back_up(tmp_path, tmp_path / "after")

    restored = _restored(
        tmp_path / "now", tmp_path / "keys/root.key", clock, main=copies[main], keyring=copies[keyring]
    )
    try:
        await restored.vault.start("dep_test")
        assert (await _consents(restored)[1].of(eve) is not None) is holds
    finally:
        await restored.close()

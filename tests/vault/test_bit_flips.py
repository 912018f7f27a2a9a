"""T03: every bit of sealed values, of their wrapped keys and of the names of these: none opens when one is turned.

The stores behind the vault are played from memory: what is asked is not whether SQLite keeps bits, and
`test_sealing` turns those of one value in the real files.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import Row, select

from tests.vault.anything import open_handed
from tests.vault.conftest import ORIGIN, House, binding, secret
from valetkey.kernel.errors import VaultFailed
from valetkey.store.database import Database
from valetkey.store.notify import Notifications
from valetkey.store.schema import data_key
from valetkey.store.schema import secret as secret_table
from valetkey.vault import broker
from valetkey.vault.broker import Vault
from valetkey.vault.model import BEARER, Binding

PLACES = ((secret_table, "ciphertext"), (data_key, "wrapped"), (data_key, "commitment"))


class Memory(Database):
    """Answers every query about a table with one row, which a thief may turn the bits of."""

    def __init__(self) -> None:
        self.rows: dict[str, Any] = {}

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        yield self

    async def execute(self, query: Any) -> list[Any]:
        return [self.rows[query.columns_clause_froms[0].name]]


def as_tuple(row: Row[Any]) -> Any:
    return namedtuple("as_tuple", row._fields)(*row)


def bits(value: bytes) -> Iterator[bytes]:
    """`value` with one bit turned, for each of its bits."""
    for bit in range(len(value) * 8):
        turned = bytearray(value)
        turned[bit // 8] ^= 1 << bit % 8
        yield bytes(turned)


async def opens(vault: Vault, place: Binding) -> bool:
    """Whether anything comes out of a vault with nothing warm; any failure but a typed one fails the test."""
    vault._shelf.drop_everything()
    try:
        await vault.ticket([(BEARER, place)], origin=ORIGIN, call_id="call_1")
    except VaultFailed:
        return False
    return True


@pytest.mark.parametrize("values", [8, pytest.param(50, marks=pytest.mark.long)])
async def test_no_bit_of_any_value_can_be_turned(
    small_house: House, monkeypatch: pytest.MonkeyPatch, values: int
) -> None:
    house = small_house
    places = [binding(f"con_{number}") for number in range(values)]
    await house.vault().seal_many([(secret(chr(33 + number)), place) for number, place in enumerate(places)])
    async with house.main.read() as tx:
        sealed = {row.subject: row for row in await tx.execute(select(secret_table))}
    async with house.keyring.read() as tx:
        keys = {row.subject: row for row in await tx.execute(select(data_key))}
    # A second look is for whoever was overtaken; here nobody writes, and it would only take longer.
    monkeypatch.setattr(broker, "_TRIES", 1)
    stores = Memory()
    vault = open_handed(Vault(stores, house.keyring, house.root, house.clock, Notifications(house.main)))
    await vault.keyring.newest(places[0].tenant)  # the organization's key is warm, as in a hub
    vault.keyring.database = stores
    turned = accepted = 0

    for place in places:
        original = {"secret": as_tuple(sealed[place.subject]), "data_key": as_tuple(keys[place.subject])}
        stores.rows = dict(original)
        assert await opens(vault, place)
        for table, column in PLACES:
            row = original[table.name]
            for value in bits(getattr(row, column)):
                stores.rows[table.name] = row._replace(**{column: value})
                turned += 1
                accepted += await opens(vault, place)
            stores.rows[table.name] = row

    assert turned >= 1_000 * values
    assert accepted == 0
    print(f"{turned} bits of {values} values, {accepted} accepted")

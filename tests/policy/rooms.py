"""What stands around the policy room: a key that seals, and a trail that remembers what it was told."""

from __future__ import annotations

from typing import Any

from tests.conftest import FakeClock
from tests.directory.rows import add_connection, add_person
from valetkey.kernel.errors import VaultFailed
from valetkey.store.database import Database


class Key:
    """Seals by turning bytes round, which is enough to tell sealed from clear."""

    day = "2026-11-22"

    def seal(self, plaintext: bytes, *, about: str) -> bytes:
        return about.encode() + b"\0" + bytes(byte ^ 0xFF for byte in plaintext)

    def open(self, sealed: bytes, *, about: str) -> bytes:
        said, _, body = sealed.partition(b"\0")
        if said != about.encode():
            raise VaultFailed("Another payload.")
        return bytes(byte ^ 0xFF for byte in body)


class Keys:
    async def key(self, person_id: str, tenant: str, day: str) -> Key:
        return Key()

    async def existing(self, person_id: str, tenant: str, day: str) -> Key:
        return Key()


class Told:
    """A trail."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, dict[str, Any]]] = []

    async def write(
        self, event: str, *, actor: str, organization_id: str = "", person_id: str = "", object: str = "",
        detail: Any = None,
    ) -> None:  # fmt: skip
        self.events.append((event, actor, dict(detail or {})))


async def seed(database: Database, clock: FakeClock) -> None:
    """Ada of `org_a`, with one connection."""
    await add_person(database, "ada", organization_id="org_a")
    await add_connection(database, "cn_1", label="main")

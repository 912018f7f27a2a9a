"""What each process of a hub is told when it starts, over the socket it was born with: never on a command line."""

from __future__ import annotations

import msgspec


class DialerBoot(msgspec.Struct, frozen=True, kw_only=True):
    """For the dialer: whereto it may not go, and who may speak to it."""

    path: str
    worker_word: bytes
    vault_word: bytes
    allow_network: tuple[str, ...]
    listening: tuple[tuple[str, int], ...]
    own_origin: str
    ca_file: str = ""


class VaultBoot(msgspec.Struct, frozen=True, kw_only=True):
    """For the vault: where its stores, its root key and the dialer are."""

    data: str
    database: str
    keyring_database: str
    root_key: str
    former_root_key: str
    deployment_id: str
    private_names: bool
    dialer_path: str
    dialer_word: bytes
    vault_word: bytes
    is_sealed: bool
    is_again: bool
    """Whether one before it has ended: then nobody is at the terminal."""


class VaultFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the vault says of itself when it is open."""

    place: str
    created: bool
    key_id: str
    trail_key_made: str
    verifier_name: str
    verifier_key: bytes

"""The root key in the desktop's keyring (Secret Service, KWallet, macOS Keychain, Windows), for a hub on a laptop.

Only real keyrings: backends that keep nothing or keep it in clear are refused, and a chain of backends is searched for
the first real one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
from typing import Protocol

from valetkey.kernel.errors import RootKeyUnavailable, StartRefused
from valetkey.vault.envelope import KEY_SIZE, wipe
from valetkey.vault.root_keys.held import HeldKeys

_SERVICE = "valetkey"
_REAL = (
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
    "keyring.backends.macOS",
    "keyring.backends.Windows",
)


class Backend(Protocol):
    """What we need of a keyring's backend."""

    def get_password(self, service: str, username: str) -> str | None: ...

    def set_password(self, service: str, username: str, password: str) -> None: ...


class KeyringKey(HeldKeys):
    """Keys kept as entries `NAME`, `NAME.2`, … of the service "valetkey"."""

    scheme = "keyring"

    def __init__(self, backend: Backend, name: str, *, created: bool) -> None:
        super().__init__()
        self.place = f"keyring entry {name} ({type(backend).__name__})"
        self.created = created
        self._backend = backend
        self._name = name

    async def rotate(self) -> int:
        version = max(self.versions) + 1
        key = await asyncio.to_thread(_make, self._backend, _entry(self._name, version))
        self.hold(key, version=version)
        wipe(key)
        return version


def open_keyring(name: str, *, may_create: bool, backend: Backend) -> KeyringKey:
    """The keys under `name`, made if there is none and `may_create`. Raises `StartRefused`. `backend`: see `real`."""
    found: list[bytearray] = []
    while (key := _find(backend, _entry(name, len(found) + 1))) is not None:
        found.append(key)
    created = not found
    if created:
        if not may_create:
            raise StartRefused(
                f"The keyring has no entry {name!r} of {_SERVICE!r}, but this deployment already has keys.",
                hint="Unlock the keyring of the user who started the hub first, or restore it.",
            )
        try:
            found.append(_make(backend, name))
        except RootKeyUnavailable as error:
            raise StartRefused(error.message, hint=error.hint) from error
    made = KeyringKey(backend, name, created=created)
    for version, key in enumerate(found, start=1):
        made.hold(key, version=version)
        wipe(key)
    return made


def real() -> Backend:
    """The first real keyring of this desktop. Raises `StartRefused` when there is none, or no library for it."""
    try:
        import keyring
        from keyring.backends.chainer import ChainerBackend
    except ImportError as error:
        raise StartRefused(
            "The library for keyrings is not installed.", hint="pip install 'valetkey[keyring]'"
        ) from error
    chosen = keyring.get_keyring()
    candidates = list(chosen.backends) if isinstance(chosen, ChainerBackend) else [chosen]
    for backend in candidates:
        if is_real(backend):
            return backend
    names = ", ".join(f"{type(one).__module__}.{type(one).__name__}" for one in candidates) or "none at all"
    raise StartRefused(
        f"There is no real keyring here, only {names}: a key in it would lie in clear, or be lost.",
        hint="Use --root-key FILE, or log in to a desktop with a Secret Service.",
    )


def is_real(backend: object) -> bool:
    """Whether a backend is one of the desktops' own, which encrypt what they keep."""
    return type(backend).__module__ in _REAL


def _entry(name: str, version: int) -> str:
    return name if version == 1 else f"{name}.{version}"


def _find(backend: Backend, entry: str) -> bytearray | None:
    from keyring.errors import KeyringError

    try:
        text = backend.get_password(_SERVICE, entry)
    except (KeyringError, RuntimeError, OSError) as error:
        raise StartRefused(
            f"The keyring did not give the entry {entry!r} ({type(error).__name__}).", hint="Unlock it."
        ) from error
    if text is None:
        return None
    try:
        key = bytearray(base64.b64decode(text, validate=True))
    except binascii.Error:
        key = bytearray()
    if len(key) != KEY_SIZE:
        raise StartRefused(f"The keyring's entry {entry!r} is not a root key.", hint="Restore it, or name another.")
    return key


def _make(backend: Backend, entry: str) -> bytearray:
    from keyring.errors import KeyringError

    key = bytearray(os.urandom(KEY_SIZE))
    try:
        backend.set_password(_SERVICE, entry, base64.b64encode(key).decode())
        if backend.get_password(_SERVICE, entry) == base64.b64encode(key).decode():
            return key
        reason = "it was not there afterwards"
    except (KeyringError, RuntimeError, OSError) as error:
        reason = type(error).__name__
    wipe(key)
    raise RootKeyUnavailable(f"The keyring did not keep a new root key ({reason}).", hint="Unlock it and try again.")

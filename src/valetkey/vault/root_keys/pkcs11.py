"""The root key in a hardware security module, by PKCS #11: an AES key that cannot leave the token.

`--root-key` takes the URI of RFC 7512: pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/….so&pin-source=/run/pin.
The PIN comes from a file; `pin-value`, which would be an argument all users of the host see, is refused.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from valetkey.kernel.errors import RootKeyUnavailable, StartRefused, printable
from valetkey.vault.envelope import KEY_SIZE, NONCE_SIZE, TAG_SIZE
from valetkey.vault.model import Tampered
from valetkey.vault.root_keys import ciphertext_of, id_of, sealed_elsewhere

DEFAULT_OBJECT = "valetkey-root-key"
_EXAMPLE = "pkcs11:token=NAME;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/run/pin"
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Address:
    """Where in which token the key is."""

    module: str
    token: str
    label: str
    pin_file: Path

    def label_of(self, version: int) -> str:
        return self.label if version == 1 else f"{self.label}.{version}"


class TokenKey:
    """AES keys `LABEL`, `LABEL.2`, … in one token. One request at a time: a session is not for several threads."""

    scheme = "pkcs11"

    def __init__(self, session: Any, address: Address, keys: Mapping[int, Any], *, created: bool) -> None:
        self._session = session
        self._address = address
        self._keys = dict(keys)
        self._one_at_a_time = threading.Lock()
        self.created = created
        self.place = f"token {address.token}, object {address.label}"

    @property
    def versions(self) -> dict[int, str]:
        return {one: id_of("pkcs11", self._address.token, self._address.label_of(one)) for one in sorted(self._keys)}

    @property
    def key_id(self) -> str:
        return self.versions[max(self._keys)]

    async def rotate(self) -> int:
        version = max(self._keys) + 1
        label = self._address.label_of(version)
        self._keys[version] = await self._alone(lambda: _generate(self._session, label))
        return version

    async def wrap(self, plaintext: bytes | bytearray, *, context: bytes) -> bytes:
        from pkcs11 import GCMParams, Mechanism

        key, key_id, nonce = self._keys[max(self._keys)], self.key_id, os.urandom(NONCE_SIZE)
        params = GCMParams(nonce, aad=context, tag_bits=TAG_SIZE * 8)
        sealed = await self._alone(
            lambda: key.encrypt(bytes(plaintext), mechanism=Mechanism.AES_GCM, mechanism_param=params)
        )
        return sealed_elsewhere(key_id, nonce + sealed)

    async def unwrap(self, wrapped: bytes, *, context: bytes) -> bytearray:
        from pkcs11 import GCMParams, Mechanism

        version, blob = ciphertext_of(wrapped, self.versions)
        if len(blob) <= NONCE_SIZE + TAG_SIZE:
            raise Tampered("A wrapped key is cut short.")
        params = GCMParams(blob[:NONCE_SIZE], aad=context, tag_bits=TAG_SIZE * 8)
        key, sealed = self._keys[version], blob[NONCE_SIZE:]
        return bytearray(
            await self._alone(lambda: key.decrypt(sealed, mechanism=Mechanism.AES_GCM, mechanism_param=params))
        )

    async def _alone(self, act: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(self._within, act)

    def _within(self, act: Callable[[], _T]) -> _T:
        from pkcs11.exceptions import (
            DataInvalid,
            DataLenRange,
            EncryptedDataInvalid,
            EncryptedDataLenRange,
            GeneralError,
            PKCS11Error,
        )

        with self._one_at_a_time:
            try:
                return act()
            except (EncryptedDataInvalid, EncryptedDataLenRange, DataInvalid, DataLenRange, GeneralError) as error:
                # SoftHSM says "general error" for a tag that does not fit; either way nothing came out.
                raise Tampered("A wrapped key, or what it belongs to, was changed.") from error
            except PKCS11Error as error:
                raise RootKeyUnavailable(
                    f"The token {self._address.token} did not do it ({type(error).__name__}).", hint="Is it plugged in?"
                ) from error


def read_uri(where: str) -> Address:
    """The parts of an RFC 7512 URI, without its scheme. Raises `StartRefused`, never repeating what may be a PIN."""
    path, _, query = where.partition("?")
    given = {}
    for part in [*path.split(";"), *query.split("&")]:
        name, _, value = part.partition("=")
        given[name] = unquote(value)
    if "pin-value" in given:
        raise StartRefused(
            "The PIN does not belong into a setting: others on this host can read it there.",
            hint="Put it into a file of the hub's user alone (0600), and give pin-source=FILE.",
        )
    needed = ("token", "module-path", "pin-source")
    if missing := [name for name in needed if not given.get(name)]:
        raise StartRefused(f"The PKCS #11 address lacks {missing[0]}.", hint=f"--root-key '{_EXAMPLE}'")
    return Address(
        module=given["module-path"],
        token=given["token"],
        label=given.get("object") or DEFAULT_OBJECT,
        pin_file=Path(given["pin-source"].removeprefix("file:")),
    )


def open_pkcs11(where: str, *, may_create: bool) -> TokenKey:
    """The keys at the address, made in the token if there is none and `may_create`. Raises `StartRefused`."""
    try:
        import pkcs11
        from pkcs11.exceptions import PKCS11Error
    except ImportError as error:
        raise StartRefused(
            "The library for PKCS #11 is not installed.", hint="pip install 'valetkey[pkcs11]'"
        ) from error
    address = read_uri(where)
    pin = _pin(address.pin_file)
    try:
        token = pkcs11.lib(address.module).get_token(token_label=address.token)
        session = _log_in(token, pin)
        keys = _find(session, address)
        created = not keys
        if created:
            if not may_create:
                raise StartRefused(
                    f"The token {address.token} has no key {address.label!r}, but this deployment already has keys.",
                    hint="Is it the right token? A new key would open nothing.",
                )
            keys = {1: _generate(session, address.label)}
    except PKCS11Error as error:
        raise StartRefused(
            f"The token {address.token} cannot be used ({type(error).__name__}).", hint="Check module, token and PIN."
        ) from error
    except (OSError, RuntimeError) as error:
        raise StartRefused(
            f"The module {address.module} cannot be loaded: {printable(error)}.", hint="Check module-path."
        ) from error
    return TokenKey(session, address, keys, created=created)


def _log_in(token: Any, pin: str) -> Any:
    from pkcs11.exceptions import UserAlreadyLoggedIn

    try:
        return token.open(rw=True, user_pin=pin)
    except UserAlreadyLoggedIn:  # this process is in already: PKCS #11 counts by process, not by session
        return token.open(rw=True)


def _find(session: Any, address: Address) -> dict[int, Any]:
    from pkcs11 import Attribute, ObjectClass

    keys: dict[int, Any] = {}
    while True:
        label = address.label_of(len(keys) + 1)
        found = list(session.get_objects({Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.LABEL: label}))
        if not found:
            return keys
        if len(found) > 1:
            raise StartRefused(
                f"The token has {len(found)} keys named {label!r}.", hint="Rename or remove all but the hub's."
            )
        keys[len(keys) + 1] = found[0]


def _generate(session: Any, label: str) -> Any:
    from pkcs11 import Attribute, KeyType

    stays = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.PRIVATE: True}
    return session.generate_key(KeyType.AES, KEY_SIZE * 8, label=label, store=True, template=stays)


def _pin(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise StartRefused(f"The file with the PIN, {path}, is open to others.", hint=f"chmod 600 {path}")
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartRefused(f"The file with the PIN, {path}, cannot be read.", hint="Check pin-source.") from error

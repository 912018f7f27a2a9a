"""The root key as a credential of systemd: on the disk it is encrypted to the machine's TPM or host key.

`LoadCredentialEncrypted=NAME:FILE` in the unit hands it to the service alone, in a directory that is memory
($CREDENTIALS_DIRECTORY). Later versions are further credentials, NAME.2 and so on: systemd gives them, we make none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from valetkey.kernel.errors import BadInput, StartRefused
from valetkey.vault.envelope import KEY_SIZE, wipe
from valetkey.vault.root_keys.held import HeldKeys

DEFAULT_NAME = "valetkey-root-key"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,60}")


class SystemdKey(HeldKeys):
    """Keys that systemd handed over."""

    scheme = "systemd-creds"
    created = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.place = f"systemd credential {name}"
        self._name = name

    async def rotate(self) -> int:
        later = f"{self._name}.{max(self.versions) + 1}"
        raise BadInput(
            "systemd hands root keys over; the hub cannot make one there.",
            hint=f"Make it (head -c32 /dev/urandom | systemd-creds encrypt --name={later} - FILE), add"
            f" LoadCredentialEncrypted={later}:FILE to the unit, restart, and run `valetkey key rewrap`.",
        )


def open_systemd(name: str, *, environment: Mapping[str, str] = os.environ) -> SystemdKey:
    """The keys `name`, `name.2`, … from $CREDENTIALS_DIRECTORY. Raises `StartRefused`."""
    name = name or DEFAULT_NAME
    if not _NAME.fullmatch(name):
        raise StartRefused("The credential's name is not one systemd knows.", hint="Letters, digits, dash, dot.")
    if not (directory := environment.get("CREDENTIALS_DIRECTORY", "")):
        raise StartRefused(
            "systemd handed no credentials over ($CREDENTIALS_DIRECTORY is not set).",
            hint=f"Run the hub as a service with LoadCredentialEncrypted={name}:FILE in its unit.",
        )
    made = SystemdKey(name)
    version = 1
    while (path := Path(directory, name if version == 1 else f"{name}.{version}")).is_file():
        key = _read(path, name)
        made.hold(key, version=version)
        wipe(key)
        version += 1
    if version == 1:
        raise StartRefused(
            f"systemd handed over no credential {name}.",
            hint=f"Add LoadCredentialEncrypted={name}:FILE to the unit"
            f" (head -c32 /dev/urandom | systemd-creds encrypt --name={name} - FILE).",
        )
    return made


def _read(path: Path, name: str) -> bytearray:
    try:
        key = bytearray(path.read_bytes())
    except OSError as error:
        raise StartRefused(
            f"The credential {name} cannot be read.", hint="It must belong to the hub's user."
        ) from error
    if len(key) != KEY_SIZE or len(set(key)) < KEY_SIZE // 4:
        wipe(key)
        raise StartRefused(
            f"The credential {name} is not {KEY_SIZE} random bytes.", hint="Make it with head -c32 /dev/urandom."
        )
    return key

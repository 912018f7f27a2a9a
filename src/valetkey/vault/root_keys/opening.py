"""Opening the root key that `--root-key` names: `SCHEME:…`, or the path of a file."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from valetkey.kernel.errors import StartRefused
from valetkey.kernel.secret import Secret
from valetkey.vault.root_keys import RootKey
from valetkey.vault.root_keys.aws_kms import open_kms
from valetkey.vault.root_keys.file import open_or_create
from valetkey.vault.root_keys.keyring import open_keyring, real
from valetkey.vault.root_keys.passphrase import Ask, open_passphrase
from valetkey.vault.root_keys.pkcs11 import open_pkcs11
from valetkey.vault.root_keys.systemd_creds import open_systemd
from valetkey.vault.root_keys.transit import open_transit

SCHEMES = ("file", "passphrase", "keyring", "systemd-creds", "aws-kms", "pkcs11", "transit")
_SCHEME = re.compile(r"([a-z][a-z0-9-]+):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which key, for which deployment, and what may be done to get it."""

    spec: str
    """As `--root-key` has it; empty: a file at its default place."""
    deployment_id: str
    apart_from: Sequence[Path]
    """The data and backup directories, below which no key may lie."""
    may_create: bool
    """True at a first start only: a deployment that has keys needs the key it has."""
    ask: Ask


def nobody_to_ask(_question: str) -> Secret:
    """Stands for the person at the terminal where there is none."""
    raise StartRefused(
        "There is no terminal to ask for the passphrase on.",
        hint="Start the hub on one, or hand the passphrase over: --root-key passphrase:fd:3",
    )


async def open_root_key(asked: Asked) -> RootKey:
    """The root key, proven to be there. Raises `StartRefused`."""
    scheme, where = _apart(asked.spec)
    match scheme:
        case "passphrase":
            return await asyncio.to_thread(open_passphrase, where, deployment_id=asked.deployment_id, ask=asked.ask)
        case "keyring":
            name = where or f"{asked.deployment_id} root key"
            return await asyncio.to_thread(lambda: open_keyring(name, may_create=asked.may_create, backend=real()))
        case "systemd-creds":
            return open_systemd(where)
        case "aws-kms":
            return await open_kms(where)
        case "pkcs11":
            return await asyncio.to_thread(open_pkcs11, where, may_create=asked.may_create)
        case "transit":
            return await open_transit(where)
    return open_or_create(
        _path(where, asked.deployment_id), forbidden_below=asked.apart_from, may_create=asked.may_create
    )


def _path(where: str, deployment_id: str) -> Path:
    return (
        Path(where).expanduser().absolute() if where else Path.home() / ".config/valetkey" / deployment_id / "root.key"
    )


def _apart(spec: str) -> tuple[str, str]:
    """Scheme and what follows it. What begins like a path is one."""
    match = _SCHEME.fullmatch(spec)
    if match is None or spec[0] in "/.~":
        return "file", spec
    if match[1] not in SCHEMES:
        raise StartRefused(
            f"There is no root key provider {match[1]!r}.", hint=f"Known: {', '.join(SCHEMES)}, or the path of a file."
        )
    return match[1], match[2]

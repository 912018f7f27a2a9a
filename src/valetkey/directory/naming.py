"""What tools are called on `/mcp`, where those of all accounts stand side by side.

`connector_tool` for the default account, `connector_label_tool` for the others. Names fit what models' APIs take (at
most 50 of `[A-Za-z0-9_-]`); one that does not fit is shortened and ends in a hash of whose it is. Names are looked up
in the table made here and never parsed: `github_work_list` may be a tool `work_list` or an account `work`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

NAME_LIMIT = 50
_HASH_LENGTH = 8
_UNFIT = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Account:
    """One connection's tools, by the names their server gives them. `connector` is the connector's slug."""

    connection_id: str
    connector: str
    label: str
    is_default: bool
    tools: tuple[str, ...]


def exposed_names(accounts: Iterable[Account]) -> Mapping[str, tuple[str, str]]:
    """Name on `/mcp` → (connection id, tool), in the order of the accounts' ids and of their tools.

    Adding an account renames nothing: connection ids sort by time, and whoever came first keeps the plain name.
    Within an account, tools whose names fit as they are go before those that had to be changed.
    """
    names: dict[str, tuple[str, str]] = {}
    given: dict[tuple[str, str], str] = {}
    in_order = sorted(accounts, key=lambda account: account.connection_id)
    for account in in_order:
        fitting = [tool for tool in dict.fromkeys(account.tools) if _fits(_plain(account, tool))]
        others = [tool for tool in dict.fromkeys(account.tools) if not _fits(_plain(account, tool))]
        for tool in fitting + others:
            name = _free_name(account, tool, taken=names)
            names[name] = given_to = (account.connection_id, tool)
            given[given_to] = name
    listed = [(account.connection_id, tool) for account in in_order for tool in dict.fromkeys(account.tools)]
    return {given[owner]: owner for owner in listed}


def _plain(account: Account, tool: str) -> str:
    prefix = account.connector if account.is_default else f"{account.connector}_{account.label}"
    return f"{prefix}_{tool}"


def _fits(name: str) -> bool:
    return len(name) <= NAME_LIMIT and not _UNFIT.search(name)


def _free_name(account: Account, tool: str, *, taken: Mapping[str, object]) -> str:
    plain = _plain(account, tool)
    if _fits(plain) and plain not in taken:
        return plain
    beginning = _UNFIT.sub("_", plain)[: NAME_LIMIT - _HASH_LENGTH - 1]
    attempt = 0
    while (name := f"{beginning}_{_hash(account, tool, attempt)}") in taken:
        attempt += 1
    return name


def _hash(account: Account, tool: str, attempt: int) -> str:
    whose = (account.connector, "" if account.is_default else account.label, tool, str(attempt))
    return hashlib.sha256("\0".join(whose).encode(errors="surrogatepass")).hexdigest()[:_HASH_LENGTH]

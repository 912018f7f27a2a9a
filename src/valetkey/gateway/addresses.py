"""What resources are called on `/mcp`, where those of all accounts stand side by side and two may have the same URI.

An account's URIs get its key in front: `ui://github/…` for user interfaces, since hosts look at that scheme, and
`vk+github+file:///…` for all others; the key of a further account is `github.work`. The key is looked up among the
person's own accounts, and what follows it is the service's own URI, never looked into. So it also works for what a
client makes of a template, and for links that stand in no list. `http` and `https` stay as they are: clients fetch
those themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from valetkey.gateway.model import Account
from valetkey.protocol import uris
from valetkey.protocol.uris import Change

_UI: Final = "ui://"
_OURS: Final = "vk+"
_PUBLIC: Final = ("https://", "http://")


def key_of(account: Account) -> str:
    """What an account is called in URIs and in the ids of tasks. Slugs and labels have neither `.` nor `+` nor `/`."""
    connector, connection = account.connector, account.connection
    return connector.slug if connection.is_default else f"{connector.slug}.{connection.label}"


def outward(account: Account) -> Change:
    """From the service's URIs to those on `/mcp`."""
    key = key_of(account)

    def change(uri: str) -> str:
        if uri.startswith(_PUBLIC):
            return uri
        return f"{_UI}{key}/{uri.removeprefix(_UI)}" if uri.startswith(_UI) else f"{_OURS}{key}+{uri}"

    return change


def is_public(uri: str) -> bool:
    """Whether the URI is the same on `/mcp` and at its service."""
    return uri.startswith(_PUBLIC)


def inward(accounts: Iterable[Account], uri: str) -> tuple[Account, str] | None:
    """Whose resource a URI on `/mcp` is, and what it is called there; nothing when it is nobody's."""
    if uri.startswith(_UI):
        key, found, rest = uri.removeprefix(_UI).partition("/")
        theirs = _UI + rest
    elif uri.startswith(_OURS):
        key, found, theirs = uri.removeprefix(_OURS).partition("+")
    else:
        return None
    account = _keyed(accounts, key) if found else None
    return (account, theirs) if account is not None else None


def result_outward(account: Account, result: bytes, *, is_task: bool = False) -> bytes:
    """A tool's result as it stands on `/mcp`."""
    if is_task:
        return uris.in_item(result, "taskId", lambda task_id: task_outward(account, task_id))
    return uris.in_result("tools/call", result, outward(account))


def task_outward(account: Account, task_id: str) -> str:
    """The id of a service's task on `/mcp`."""
    return f"{key_of(account)}+{task_id}"


def task_inward(accounts: Iterable[Account], task_id: str) -> tuple[Account, str] | None:
    """Whose task an id on `/mcp` is, and its id there. Whether it is the person's is the service's to say."""
    key, found, theirs = task_id.partition("+")
    account = _keyed(accounts, key) if found else None
    return (account, theirs) if account is not None else None


def _keyed(accounts: Iterable[Account], key: str) -> Account | None:
    return next((account for account in accounts if key_of(account) == key), None)

"""What a token for `/api/v1` may do: the words that programs, pages and the command line share."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Scope(StrEnum):
    """What a token for `/api/v1` may do. No scope opens another person's content."""

    PEOPLE_READ = "people:read"
    PEOPLE_WRITE = "people:write"
    ORGANIZATIONS_READ = "organizations:read"
    ORGANIZATIONS_WRITE = "organizations:write"
    TOKENS_READ = "tokens:read"
    TOKENS_WRITE = "tokens:write"
    CONNECTORS_READ = "connectors:read"
    CONNECTORS_WRITE = "connectors:write"
    CONNECTIONS_READ = "connections:read"
    CONNECTIONS_WRITE = "connections:write"
    PERMISSIONS_WRITE = "permissions:write"
    CALLS_READ = "calls:read"
    CALLS_RUN = "calls:run"
    TRAIL_READ = "trail:read"
    DATA_READ = "data:read"
    DATA_ERASE = "data:erase"
    KEYS_READ = "keys:read"
    KEYS_WRITE = "keys:write"


OWN_CONTENT: Final = frozenset(
    {
        Scope.CONNECTIONS_WRITE,
        Scope.PERMISSIONS_WRITE,
        Scope.CALLS_READ,
        Scope.CALLS_RUN,
        Scope.TOKENS_WRITE,
        Scope.DATA_READ,
        Scope.DATA_ERASE,
    }
)
"""Scopes that a person gives to a token themself: an operator, who may create tokens, cannot take them."""

IN_WORDS: Final = {
    # Those that a person would hand to a program of theirs; the others are for who manages an organization.
    Scope.CONNECTORS_READ: "See which services there are",
    Scope.CONNECTIONS_READ: "See my connections",
    Scope.CONNECTIONS_WRITE: "Connect with keys, and disconnect",
    Scope.PERMISSIONS_WRITE: "Switch tools on and off",
    Scope.CALLS_READ: "Read my call log, contents included",
    Scope.CALLS_RUN: "Call tools that are switched on",
    Scope.DATA_READ: "Export everything that is kept about me",
    Scope.DATA_ERASE: "Erase what is kept about me",
}

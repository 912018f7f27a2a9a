"""Which scopes are asked for, and where they come from (S-17, S-18, S-19; reference/mcp.md 2.3, design.md D2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from valetkey.oauth.document import split_scope
from valetkey.oauth.model import ScopeOrigin

OFFLINE_ACCESS = "offline_access"
# They give no right over anybody's data: a refresh token, and a statement of who signed in that we do not read.
_HARMLESS = frozenset({OFFLINE_ACCESS, "openid"})


@dataclass(frozen=True, slots=True)
class ScopeChoice:
    """The scopes to ask for, in order, and why these."""

    scopes: tuple[str, ...]
    origin: ScopeOrigin

    @property
    def parameter(self) -> str:
        """The `scope` parameter; empty when none is to be sent."""
        return " ".join(self.scopes)


def choose(
    *, pin: str, challenge: str, connector: tuple[str, ...], authorization_server: tuple[str, ...], fallback: bool
) -> ScopeChoice:
    """The scopes of the first source that names any; else none, and no `scope` is sent.

    Pin, challenge, the connector's metadata, and if `fallback` the authorization server's list, in this order. A pin
    is final (CON-18); to the others `offline_access` is added when the authorization server lists it (SEP-2207), so
    that people need not sign in again every hour.
    """
    if pinned := split_scope(pin):
        return ScopeChoice(pinned, ScopeOrigin.PINNED)
    sources = (
        (split_scope(challenge), ScopeOrigin.CHALLENGE),
        (connector, ScopeOrigin.CONNECTOR),
        (authorization_server if fallback else (), ScopeOrigin.AUTHORIZATION_SERVER),
    )
    for scopes, origin in sources:
        if scopes:
            added = (OFFLINE_ACCESS,) if OFFLINE_ACCESS in authorization_server else ()
            return ScopeChoice(tuple(dict.fromkeys((*scopes, *added))), origin)
    return ScopeChoice((), ScopeOrigin.NONE)


def together(choice: ScopeChoice, *, granted: Iterable[str], challenged: Iterable[str]) -> ScopeChoice:
    """The choice for connecting again: what was granted stays, what a refused call needed comes in (SEP-2350).

    A pin is final; and where nobody names scopes and no call was refused, the server goes on deciding by itself.
    """
    challenged = tuple(challenged)
    if choice.origin is ScopeOrigin.PINNED or (choice.origin is ScopeOrigin.NONE and not challenged):
        return choice
    scopes = tuple(dict.fromkeys((*granted, *challenged, *choice.scopes)))
    return ScopeChoice(scopes, ScopeOrigin.BEFORE if choice.origin is ScopeOrigin.NONE else choice.origin)


def beyond(granted: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """The scopes in `granted` that are not in `allowed` and would let us do more than was agreed to."""
    known = _HARMLESS | set(allowed)
    return tuple(scope for scope in split_scope(granted) if scope not in known)

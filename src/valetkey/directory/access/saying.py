"""Saying which hosts an organization's connectors may reach, and for whom one of them is. It holds at once, everywhere.

Who may say so, the caller has made sure of; every change is in the trail, with what was before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from valetkey.directory.access import repository
from valetkey.directory.access.model import Audience, Hosts, Reach, Ruled, Rules
from valetkey.directory.listings import ParseUrl
from valetkey.directory.model import Connector
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, printable
from valetkey.store.database import Database
from valetkey.store.notify import EVERYTHING, Notifications

TOPIC: Final = "connectors"
"""As a change of the connectors themselves: whoever remembers one remembers what is said of it here."""
_MOST_HOSTS: Final = 500
_MOST_GROUPS: Final = 100
_TOLD: Final = 20
_LONGEST_TOLD: Final = 400
_MOST_RULES: Final = 200
_MOST_SCOPES: Final = 100
_MOST_TOOLS: Final = 500
_ROLES: Final = frozenset({"*", "owner", "admin", "auditor", "member"})
_SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")  # RFC 6749 3.3


class TrailWriter(Protocol):
    async def write(
        self, event: str, *, actor: str, organization_id: str = "", object: str = "", detail: Mapping[str, object] = ...
    ) -> object: ...


class Access:
    """Keeps what was said; what it comes to is part of each connector, as `Connectors` reads it."""

    def __init__(
        self, database: Database, notifications: Notifications, *, parse_url: ParseUrl, clock: Clock, trail: TrailWriter
    ) -> None:
        self._database = database
        self._notifications = notifications
        self._parse_url = parse_url
        self._clock = clock
        self._trail = trail

    async def hosts(self, organization_id: str) -> Hosts:
        """What is said of hosts now."""
        async with self._database.read() as tx:
            return await repository.find_hosts(tx, organization_id)

    async def set_hosts(
        self, organization_id: str, *, is_limited: bool, allowed: Iterable[str], denied: Iterable[str], by: str
    ) -> Hosts:
        """In the place of what was said before. Raises `BadInput` naming the list that has something unusable."""
        reach = Reach(is_limited, self._read(allowed, "allowed"), self._read(denied, "denied"))
        new = Hosts(reach, by, self._clock.now())
        before = (await self.hosts(organization_id)).reach
        await self._trail.write(
            "hosts.set", actor=by, organization_id=organization_id, object=organization_id,
            detail=_told(before, reach),
        )  # fmt: skip
        async with self._database.write() as tx:
            await repository.put_hosts(tx, organization_id, new)
        # Every connector of the organization is another one by this, in every memory there is of it.
        await self._notifications.publish(TOPIC, EVERYTHING)
        return new

    async def rules(self, organization_id: str) -> Ruled:
        """What members may do by themselves now."""
        async with self._database.read() as tx:
            return await repository.find_rules(tx, organization_id)

    async def set_rules(self, organization_id: str, rules: Rules, *, by: str) -> Ruled:
        """In the place of what was said before. Raises `BadInput` naming what cannot be said."""
        _check_rules(rules)
        before = repository.as_document((await self.rules(organization_id)).rules)
        after = repository.as_document(rules)
        changed = {name: {"from": before[name], "to": after[name]} for name in after if after[name] != before[name]}
        await self._trail.write(
            "rules.set", actor=by, organization_id=organization_id, object=organization_id,
            detail={name: one if len(str(one)) < _LONGEST_TOLD else "changed" for name, one in changed.items()},
        )  # fmt: skip
        new = Ruled(rules, by, self._clock.now())
        async with self._database.write() as tx:
            await repository.put_rules(tx, organization_id, new)
        await self._notifications.publish(TOPIC, EVERYTHING)
        return new

    async def members_accept(self, organization_id: str) -> bool:
        """Whether each member accepts for their own account what a service added or changed (ORG-21)."""
        return not (await self.rules(organization_id)).rules.owners_accept

    async def give_to(self, connector: Connector, audience: Audience, *, by: str) -> None:
        """For whom the connector is. That the groups are the organization's, the caller has made sure of."""
        if len(audience.groups) > _MOST_GROUPS:
            raise BadInput(f"A connector is for at most {_MOST_GROUPS} groups.", field="groups")
        await self._trail.write(
            "connector.audience_set", actor=by, organization_id=connector.organization_id, object=connector.id,
            detail={"slug": connector.slug, "before": _of(connector.audience), "groups": _of(audience)},
        )  # fmt: skip
        async with self._database.write() as tx:
            await repository.put_audience(tx, connector.id, audience, by=by, at=self._clock.now())
        await self._notifications.publish(TOPIC, EVERYTHING)

    def _read(self, texts: Iterable[str], field: str) -> frozenset[str]:
        found = frozenset(read_pattern(text, field=field, parse_url=self._parse_url) for text in texts)
        if len(found) > _MOST_HOSTS:
            raise BadInput(f"There can be at most {_MOST_HOSTS} hosts.", field=field)
        return found


def read_pattern(text: str, *, field: str, parse_url: ParseUrl) -> str:
    """A pattern as it is compared: a host in lower case and ASCII, as the strict parser of URLs reads it."""
    entered = text.strip()
    wildcard, host = ("*.", entered[2:]) if entered.startswith("*.") else ("", entered)
    wrong = BadInput(
        f"“{printable(text, limit=60)}” is no host.", field=field, hint="Write mcp.example.com, or *.example.com."
    )
    if not host or any(char in host for char in "/?#@*\\ \t\n") or len(host) > 260:
        raise wrong
    try:
        url = parse_url(f"https://{host}/")
    except BadInput as error:
        raise wrong from error
    if url.origin.removeprefix("https://") not in (url.host, f"[{url.host}]") or host.endswith(":443"):
        raise BadInput(
            "A host stands here without a port.", field=field, hint="Who serves a host serves all its ports."
        )
    return wildcard + url.host


def _check_rules(rules: Rules) -> None:
    if len(rules.managed) > _MOST_HOSTS or len(rules.scopes) > _MOST_RULES:
        raise BadInput("That is more than can be said here.", field="managed")
    for one in rules.scopes:
        if one.role not in _ROLES:
            raise BadInput(
                "There is no such role.", field="scopes", hint="One of owner, admin, auditor, member, or * for all."
            )
        if not 0 < len(one.connector) <= 40 or len(one.scopes) > _MOST_SCOPES:
            raise BadInput(f"A rule names a connector and at most {_MOST_SCOPES} scopes.", field="scopes")
        if not all(_SCOPE.fullmatch(scope) for scope in one.scopes):
            raise BadInput("A scope has a character that cannot stand in one.", field="scopes")
    if len(rules.text_only) > _MOST_TOOLS:
        raise BadInput(f"At most {_MOST_TOOLS} tools can be named here.", field="text_only")
    if not all(0 < len(one.connector) <= 40 and 0 < len(one.tool) <= 255 for one in rules.text_only):
        raise BadInput("Name a connector and one of its tools, or * for every one.", field="text_only")


def _told(before: Reach, now: Reach) -> Mapping[str, object]:
    """The difference, and how many there are of each: lists may be longer than an event should be."""
    came = sorted((now.allowed - before.allowed) | {f"not {one}" for one in now.denied - before.denied})
    went = sorted((before.allowed - now.allowed) | {f"not {one}" for one in before.denied - now.denied})
    return {
        "limited": now.is_limited, "was_limited": before.is_limited, "came": came[:_TOLD], "went": went[:_TOLD],
        "allowed": len(now.allowed), "denied": len(now.denied),
    }  # fmt: skip


def _of(audience: Audience) -> str | list[str]:
    return "everybody" if audience.is_everybody else sorted(audience.groups)[:_TOLD]

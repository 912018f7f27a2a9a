"""What the vault asks before a credential leaves: is there a yes for this call? Looked up anew, whatever a door said.

Four things are one: the person's *allow* for a tool that may have a lasting yes, a read of a verified connector, an
approval that was used up for exactly this call, and a standing approval of which a use was taken for it. That a use was
written down is no evidence by itself: what was used, once or standing, is looked up, and held against what is known.
Before all that: the connection must be one that calls may go over, which nothing in quarantine is.
"""

from __future__ import annotations

from typing import Final, Protocol

from valetkey.directory.model import Connector, ReviewState, Tool
from valetkey.policy import approval_repository, ceiling_repository, standing_repository
from valetkey.policy.approval_model import State, Use
from valetkey.policy.classed import Classed, Snapshots
from valetkey.policy.each_time import EachTime
from valetkey.policy.model import How, Limits, Permission, Setting
from valetkey.policy.permissions import Permissions
from valetkey.policy.standing import rules_for
from valetkey.policy.standing_model import is_standing
from valetkey.policy.tool_class import RANK, Classified, ToolClass
from valetkey.store.database import Database

_LASTING: Final = frozenset({ToolClass.READ, ToolClass.LOW_WRITE, ToolClass.MEDIUM})
"""What an *allow* answers for good; all else is confirmed for each call."""


_READING: Final = frozenset({ToolClass.READ})
"""The same where the key is everybody's (CUS-04)."""


_SAID_YES: Final = frozenset({State.APPROVED, State.CONSUMED, State.UNCERTAIN})


class ConnectorOf(Protocol):
    """The connector of a person's connection; `None` when they have no such one that calls may go over."""

    def now(self, person_id: str, connection_id: str) -> Connector | None:
        """The same from memory; `None` says nothing but "ask"."""
        ...

    async def __call__(self, person_id: str, connection_id: str) -> Connector | None: ...


class Grants:
    """Finds the yes. A tool that asks each time has no lasting one."""

    def __init__(
        self, database: Database, permissions: Permissions, snapshots: Snapshots, connector_of: ConnectorOf,
        each_time: EachTime, classed: Classed,
    ) -> None:  # fmt: skip
        self._database = database
        self._permissions = permissions
        self._snapshots = snapshots
        self._connector_of = connector_of
        self._each_time = each_time
        self._classed = classed

    def holds_now(
        self, person_id: str, connection_id: str, tool: str | None, *, key_of: tuple[str, int] | None = None
    ) -> bool:
        """Whether a call may go there, and, if it is a call of a tool, the person's *allow* is at hand or it runs by
        itself; `False` may mean no more than *ask `holds`*. `key_of` as in `vault.release.Grants`.
        """
        connector = _with_key(self._connector_of.now(person_id, connection_id), key_of)
        if connector is None or tool is None:
            return connector is not None
        given, snapshot = self._permissions.given_now(connection_id), self._snapshots.get_now(connection_id)
        if given is None or snapshot is None:
            return False
        seen, around = snapshot.tool(tool), self._classed.around_now(connection_id, connector)
        if seen is None or around is None or self._each_time(connector, seen):
            return False
        # What runs by itself is most of what is called; an approval that may have been used is looked up, not guessed.
        kind, permission = self._classed.of(connector, seen, around), given.get(tool)
        differs = self._classed.differs(connector, seen)
        return _lasts(connector, seen, kind, permission) or _runs_by_itself(
            connector, seen, kind, permission, differs=differs
        )

    async def holds(
        self,
        person_id: str,
        connection_id: str,
        tool: str | None,
        call_id: str,
        *,
        key_of: tuple[str, int] | None = None,
    ) -> bool:
        """Whether a call may go there, and, if it is a call of a tool, whether there is a yes to the one with this
        record.
        """
        connector = _with_key(await self._connector_of(person_id, connection_id), key_of)
        if connector is None or tool is None:
            return connector is not None
        given = (await self._permissions.given(connection_id)).get(tool)
        snapshot = await self._snapshots.get(connection_id)
        seen = snapshot.tool(tool) if snapshot is not None else None
        kind = None
        if seen is not None and not self._each_time(connector, seen):
            kind = self._classed.of(connector, seen, await self._classed.around(connection_id, connector))
            if _lasts(connector, seen, kind, given):
                return True
        used = await self._used_for(call_id)
        if used is not None and used.connection_id == connection_id and used.tool == tool:
            was_given = self._stands if is_standing(used.approval_id) else self._approved
            return await was_given(person_id, connector, seen, used)
        if seen is None or kind is None:
            return False
        return _runs_by_itself(connector, seen, kind, given, differs=self._classed.differs(connector, seen))

    async def _used_for(self, call_id: str) -> Use | None:
        async with self._database.read() as tx:
            return await approval_repository.find_use(tx, call_id)

    async def _approved(self, person_id: str, connector: Connector, tool: Tool | None, used: Use) -> bool:
        """Whether what was used is a yes of this person's to this very call, of the tool as it is seen now, and for no
        lower class than it has; for what is hard to take back, by passkey.
        """
        async with self._database.read() as tx:
            given = await approval_repository.find(tx, person_id, used.approval_id)
        if given is None or tool is None:
            return False
        kind = self._classed.of(connector, tool, await self._classed.around(given.connection_id, connector))
        return (
            given.state in _SAID_YES
            and not given.for_tool  # it became a permission, and was used up by that
            and (given.connection_id, given.tool) == (used.connection_id, used.tool)
            and given.request_digest == used.request_digest
            and given.fingerprint == tool.fingerprint
            and (given.connector, given.connector_version) == (connector.slug, connector.version)
            and given.origin == connector.origin
            and RANK[kind.counts_as] <= RANK[given.counts_as]
            and (given.proof is not None or given.how != How.PASSKEY)
        )

    async def _stands(self, person_id: str, connector: Connector, tool: Tool | None, used: Use) -> bool:
        """Whether a standing approval is what it was used as: this person's, for this tool as it is seen now, not
        revoked, under rules that say what they said when it was given; never for class V, and for H by passkey only.
        """
        async with self._database.read() as tx:
            given = await standing_repository.find(tx, used.approval_id)
            if given is None or tool is None or self._each_time(connector, tool):
                return False
            ceilings = await ceiling_repository.list_of(tx, given.organization_id)
        kind = self._classed.of(connector, tool, await self._classed.around(given.connection_id, connector))
        return (
            given.person_id == person_id
            and (given.connection_id, given.tool) == (used.connection_id, used.tool)
            and given.ended_at is None
            and given.created_at <= used.at < given.expires_at
            and given.fingerprint == tool.fingerprint
            and (given.connector, given.connector_version) == (connector.slug, connector.version)
            and given.origin == connector.origin
            and given.rules == rules_for(Limits(tuple(ceilings)), connector.slug, tool.name)
            and RANK[kind.counts_as] <= RANK[given.counts_as] < RANK[ToolClass.VERTICAL]
            and (given.proof is not None or RANK[kind.counts_as] < RANK[ToolClass.HIGH])
        )


def _with_key(connector: Connector | None, key_of: tuple[str, int] | None) -> Connector | None:
    """The connector, if it goes with the key that is asked for: its organization's for all, or the person's own."""
    if connector is None:
        return None
    goes_with = (connector.id, connector.version) if connector.acts_as_organization else None
    return connector if goes_with == key_of else None


def _lasts(connector: Connector, seen: Tool, kind: Classified, given: Permission | None) -> bool:
    """Whether the *allow* is for the tool as it is seen now, and for no lower class than it has by now: an owner may
    have raised it since (S-27 d), or another tool beside it have told what the connector is about.
    """
    return (
        given is not None
        and given.setting is Setting.ALLOW
        and given.tool_class in (_READING if connector.acts_as_organization else _LASTING)
        and given.fingerprint == seen.fingerprint
        and RANK[given.tool_class] >= RANK[kind.counts_as]
    )


def _runs_by_itself(
    connector: Connector, seen: Tool, kind: Classified, given: Permission | None, *, differs: bool
) -> bool:
    """Whether it reads, and its connector is verified: that needs nobody's yes. Or whether an *allow* without a class,
    as given before there were any or for what nothing is known of, is for a tool that may have one now. What its
    person wants to be asked about does not.
    """
    if given is not None and given.setting is not Setting.ALLOW:
        return False
    verified = connector.review_state is ReviewState.VERIFIED and not differs
    classless = given is not None and given.setting is Setting.ALLOW and not given.tool_class
    if not verified and not classless:
        return False
    if verified and kind.counts_as is ToolClass.READ:
        return True
    if connector.acts_as_organization and kind.counts_as is not ToolClass.READ:
        return False  # CUS-04
    same = given is not None and given.fingerprint == seen.fingerprint
    return classless and same and kind.tool_class in (*_LASTING, ToolClass.UNKNOWN)

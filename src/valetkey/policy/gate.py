"""The one gate (I11): whoever wants to use a connection, by whatever method, revision, transport or program, asks here.

What is known is gathered, `decide` decides, and where a person has to be asked, their answer is looked for: an approval
of exactly this call, used up by it; or nothing, and then they are asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from valetkey.directory.model import Connector, ReviewState, Tool
from valetkey.identity.model import Principal
from valetkey.kernel.errors import Refused
from valetkey.policy.approval_model import Approval
from valetkey.policy.approvals import Approvals
from valetkey.policy.binding import Asked
from valetkey.policy.ceilings import Ceilings
from valetkey.policy.classed import Classed
from valetkey.policy.classes.surroundings import ALONE, Surroundings
from valetkey.policy.classes.words import fields
from valetkey.policy.decide import Facts, decide, decide_reading, is_hidden
from valetkey.policy.each_time import EachTime
from valetkey.policy.groups import Groups
from valetkey.policy.model import Decision, Effect, How, Limits, Permission, Setting, Taint
from valetkey.policy.permissions import Permissions
from valetkey.policy.standing import Standings
from valetkey.policy.standing_model import is_standing
from valetkey.policy.taint import Taints
from valetkey.policy.tool_class import RANK, Classified, ToolClass

_TOOLS: Final = 20_000
_PLACES: Final = frozenset({"url", "uri", "href", "link", "endpoint", "webhook", "host", "domain"})
"""Fields by which a tool that only reads can be made to tell a stranger something."""
APPROVED: Final = "approved"
"""The rule of a call that a person approved."""
STANDING: Final = "standing"
"""The rule of a call for which a standing approval was used."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is to be used: a tool (none, if the connection has no such one) of a person's connection.

    `page` is where the person can change what holds, as a path of this hub; `public_url` stands before it.
    """

    connection_id: str
    label: str
    connector: Connector
    tool: Tool | None
    page: str
    public_url: str


@dataclass(frozen=True, slots=True)
class Passed:
    """The call may be made: by which rule, and with which approval if it was one."""

    decision: Decision
    rule: str
    approval_id: str = ""

    @property
    def is_weighty(self) -> bool:
        """Class medium and above: its intent is on the disk before it is made (design.md 5)."""
        kind = self.decision.classified
        return kind is not None and RANK[kind.counts_as] >= RANK["M"]


class ToConfirm(Refused):
    """A person has to say yes first; `approval` waits for it."""

    code = "to_confirm"

    def __init__(self, approval: Approval, decision: Decision, name: str) -> None:
        said = "with a passkey" if approval.how == "passkey" else "with a click"
        super().__init__(
            f"{name} needs the person's confirmation, {said}: {decision.reason}",
            rule=decision.rule, path=approval.path,
        )  # fmt: skip
        self.approval = approval


class Gate:
    """Decides for people. What it looks up is remembered for a moment, and dropped when it changes."""

    def __init__(
        self, permissions: Permissions, ceilings: Ceilings, approvals: Approvals, standing: Standings, taints: Taints,
        classed: Classed, *, groups: Groups, each_time: EachTime, passkeys_work: bool,
    ) -> None:  # fmt: skip
        self._groups = groups
        self.permissions = permissions
        self.ceilings = ceilings
        self.approvals = approvals
        self.standing = standing
        self.taints = taints
        self.classed = classed
        self._each_time = each_time
        self._passkeys_work = passkeys_work
        self._outward: dict[tuple[str, ToolClass], bool] = {}

    # --- deciding -----------------------------------------------------------------------------------------------------

    def decide_now(self, who: Principal, subject: Subject) -> Decision | None:
        """As `decide`, from memory; `None` means *ask `decide`*."""
        given = self.permissions.given_now(subject.connection_id)
        limits = self.ceilings.of_now(who.organization_id)
        taint = self.taints.other_than_now(who.person_id, client_of(who), subject.connection_id)
        around = self.classed.around_now(subject.connection_id, subject.connector)
        is_theirs = self._is_theirs_now(who, subject.connector)
        if given is None or limits is None or around is None or is_theirs is None or isinstance(taint, bool):
            return None
        return decide(self._facts(who, subject, given, limits, taint, around, is_theirs=is_theirs))

    async def decide(self, who: Principal, subject: Subject) -> Decision:
        """What holds for a call of this tool by this person's client."""
        return decide(await self.facts(who, subject))

    async def hidden(
        self, who: Principal, connection_id: str, connector: Connector, tools: Iterable[Tool]
    ) -> frozenset[str]:
        """The names of a connection's tools that are not listed: the person or their organization blocks them."""
        if not await self._is_theirs(who, connector):
            return frozenset(tool.name for tool in tools)
        given, limits = await self._said(who, connection_id)
        settings = [one.setting for one in given.values()] + [one.setting for one in limits.ceilings]
        if Setting.BLOCK not in settings:
            return frozenset()
        place = Subject(connection_id, "", connector, None, "", "")
        around = await self.classed.around(connection_id, connector)
        return frozenset(
            tool.name
            for tool in tools
            if is_hidden(self._facts(who, replace(place, tool=tool), given, limits, None, around, is_theirs=True))
        )

    async def facts(self, who: Principal, subject: Subject) -> Facts:
        """What `decide` decides by: for who wants to know what would be."""
        given, limits = await self._said(who, subject.connection_id)
        taint = await self.taints.other_than(who.person_id, client_of(who), subject.connection_id)
        around = await self.classed.around(subject.connection_id, subject.connector)
        is_theirs = await self._is_theirs(who, subject.connector)
        return self._facts(who, subject, given, limits, taint, around, is_theirs=is_theirs)

    async def check_reading(self, who: Principal, subject: Subject) -> None:
        """Raises `Refused` when what is no tool call (prompts, resources, completion) may not be asked for."""
        limits = self.ceilings.of_now(who.organization_id)
        limits = limits if limits is not None else await self.ceilings.of(who.organization_id)
        is_theirs = await self._is_theirs(who, subject.connector)
        decision = decide_reading(self._facts(who, subject, {}, limits, None, ALONE, is_theirs=is_theirs))
        if decision.effect is not Effect.ALLOW:
            raise refusal(decision, subject)

    async def _said(self, who: Principal, connection_id: str) -> tuple[Mapping[str, Permission], Limits]:
        return await self.permissions.given(connection_id), await self.ceilings.of(who.organization_id)

    def _is_theirs_now(self, who: Principal, connector: Connector) -> bool | None:
        """Whether the connector is for this person; `None` says nothing but "ask `_is_theirs`"."""
        if connector.audience.is_everybody:
            return True
        groups = self._groups.of_now(who.person_id)
        return connector.audience.has(groups) if groups is not None else None

    async def _is_theirs(self, who: Principal, connector: Connector) -> bool:
        return connector.audience.is_everybody or connector.audience.has(await self._groups.of(who.person_id))

    async def classified(self, subject: Subject, tool: Tool) -> Classified:
        """The tool's class: from its listing, from what it says, and from what stands beside it."""
        around = await self.classed.around(subject.connection_id, subject.connector)
        return self.classed.of(subject.connector, tool, around)

    def _tainted(self, connector: Connector, tool: Tool, around: Surroundings) -> Classified | None:
        """The class of a tool that can send data out, one up; what only reads where it is told to stays as it is."""
        plain = self.classed.of(connector, tool, around)
        outward = self._outward.get((tool.fingerprint, plain.counts_as))
        if outward is None:
            if len(self._outward) > _TOOLS:
                self._outward.clear()
            outward = self._outward[tool.fingerprint, plain.counts_as] = sends_out(tool, plain)
        return self.classed.of(connector, tool, around, raised_by_taint=True) if outward else None

    def _facts(
        self, who: Principal, subject: Subject, given: Mapping[str, Permission], limits: Limits, taint: Taint | None,
        around: Surroundings, *, is_theirs: bool,
    ) -> Facts:  # fmt: skip
        tool, connector = subject.tool, subject.connector
        permission = given.get(tool.name) if tool is not None else None
        return Facts(
            tool=tool,
            classified=self.classed.of(connector, tool, around) if tool is not None else None,
            connector=connector.slug,
            connector_state=connector.state if is_theirs or connector.state != "enabled" else "for_others",
            is_verified=connector.review_state is ReviewState.VERIFIED,
            permission=permission,
            limits=limits,
            roles=frozenset({str(who.role)}),
            held=_held(tool, permission),
            each_time=self._each_time(connector, tool) if tool is not None else "",
            differs=tool is not None and self.classed.differs(connector, tool),
            acts_as_organization=connector.acts_as_organization,
            tainted=self._tainted(connector, tool, around) if tool is not None and taint is not None else None,
            tainted_by=taint.because if taint is not None else "",
            page=subject.public_url + subject.page,
        )

    async def mark_read(self, who: Principal, connection_id: str, connector: Connector) -> None:
        """Content of this connection goes to the client: nobody vouches for it, unless the connector is verified."""
        if connector.review_state is not ReviewState.VERIFIED:
            await self.taints.mark(who.person_id, client_of(who), connection_id, connector.name)

    # --- passing ------------------------------------------------------------------------------------------------------

    async def let_through(
        self, who: Principal, subject: Subject, decision: Decision, call: bytes, call_id: str, *, before: str = ""
    ) -> Passed:
        """The pass for one call that is not simply allowed. `call` is `{name, arguments}` exactly as it will be sent,
        `call_id` its record, `before` the record of the approved call that it goes on with.

        Raises `ToConfirm` when the person is asked now, `Refused` when there is nothing to ask.
        """
        if decision.effect is Effect.DENY:
            raise refusal(decision, subject)
        if decision.effect is Effect.ALLOW:
            return Passed(decision, decision.rule)
        limits = await self.ceilings.of(who.organization_id)
        asked = self._asked(who, subject, decision, call, limits.version)
        if before and (approval_id := await self.approvals.go_on(asked, before, call_id)):
            return Passed(decision, APPROVED, approval_id)
        if (taken := await self.approvals.take(asked, call_id)) is not None:
            return Passed(decision, APPROVED, taken.id)
        since = await self._wants_asking_since(subject)
        if (stands := await self.standing.take(asked, call_id, limits, since=since)) is not None:
            return Passed(decision, STANDING, stands.id)
        if decision.how is How.PASSKEY and not self._passkeys_work:
            raise Refused(
                "This needs a passkey, and browsers allow none at this address: it has to be https, or localhost.",
                rule="no_passkey_here",
            )  # fmt: skip
        approval = await self.approvals.ask(asked)
        raise ToConfirm(approval, decision, f"“{asked.tool}” on {subject.connector.name}")

    async def ask_beforehand(self, who: Principal, subject: Subject, call: bytes) -> Approval:
        """The question about a call that `who` has not made, for a person who wants to say yes to some. Raises
        `Refused` when it needs no yes, or none can stand.
        """
        decision = await self.decide(who, subject)
        if decision.effect is Effect.DENY:
            raise refusal(decision, subject)
        if decision.effect is Effect.ALLOW:
            raise Refused("This tool runs without being asked for.", rule=decision.rule)
        if decision.for_tool:
            raise Refused("This tool only reads: allow it once, on the connection's page.", rule=decision.rule)
        if not decision.may_stand:
            raise Refused("This tool is confirmed each time, and by nothing that stands.", rule=decision.rule)
        limits = await self.ceilings.of(who.organization_id)
        return await self.approvals.ask(self._asked(who, subject, decision, call, limits.version))

    async def nobody_knows(self, who: Principal, passed: Passed, call_id: str) -> None:
        """The call left, and no answer came: what it used up is not to look as if all were well."""
        if is_standing(passed.approval_id):
            await self.standing.nobody_knows(call_id)
        elif passed.approval_id:
            await self.approvals.nobody_knows(passed.approval_id, who.person_id)

    async def _wants_asking_since(self, subject: Subject) -> datetime | None:
        """When the person said *ask me* of this tool: what they gave before is void (PERM-09)."""
        given = (await self.permissions.given(subject.connection_id)).get(subject.tool.name if subject.tool else "")
        return given.set_at if given is not None and given.setting is Setting.ASK else None

    def _asked(self, who: Principal, subject: Subject, decision: Decision, call: bytes, version: str) -> Asked:
        assert subject.tool is not None
        connector = subject.connector
        return Asked(
            person_id=who.person_id,
            organization_id=who.organization_id,
            client_id=client_of(who),
            client_name=who.client_name or who.client_id,
            connection_id=subject.connection_id,
            connector=connector.slug,
            connector_version=connector.version,
            origin=connector.origin,
            label=subject.label,
            tool=subject.tool.name,
            fingerprint=subject.tool.fingerprint,
            call=call,
            decision=decision,
            policy_version=version,
        )


def sends_out(tool: Tool, classified: Classified) -> bool:
    """Whether something told to the tool can leave for another place: it writes, or it reads an address it is given."""
    return classified.counts_as is not ToolClass.READ or bool(fields(tool.raw) & _PLACES)


def client_of(who: Principal) -> str:
    """What an approval or a taint is bound to: the assistant, or the one token of a program."""
    return who.client_id or who.credential_id


def refusal(decision: Decision, subject: Subject) -> Refused:
    """What a *deny* is to whoever asked."""
    return Refused(decision.reason, rule=decision.rule, path=subject.page)


def _held(tool: Tool | None, permission: Permission | None) -> str:
    """Why the tool must not be called before somebody looked: it is not what the person allowed any more (I9)."""
    if tool is None or permission is None or permission.setting is not Setting.ALLOW:
        return ""  # *ask* and *block* were said about whatever it becomes
    return "" if permission.fingerprint == tool.fingerprint else "The service has changed this tool since you saw it."

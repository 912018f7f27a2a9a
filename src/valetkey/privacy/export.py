"""Everything that is kept about a person, for themself: part by part, each a piece of one file of their archive.

That it is read goes to the trail before the first part is handed out. Credentials are not in it: there is no way to
one. Contents of calls are opened with the person's own keys; what was erased stays erased. `docs/data-export.md` names
files and fields.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from valetkey.audit.alerts import Alerts
from valetkey.audit.checkpoints import Checkpoints
from valetkey.audit.model import CallRecord, OfPerson
from valetkey.audit.proofs import Proofs
from valetkey.audit.repository import CallRecords
from valetkey.audit.trail import Trail
from valetkey.connections.model import Connection, Receipt
from valetkey.directory.model import Connector, Profile
from valetkey.identity.model import BrowserSession, Grant, Organization, Passkey, Person, TokenInfo
from valetkey.kernel.clock import Clock
from valetkey.kernel.errors import BadInput, NotFound, ValetkeyError, VaultFailed
from valetkey.policy.room import Policy
from valetkey.privacy import export_lines as lines
from valetkey.privacy.consent import Consents
from valetkey.privacy.export_lines import Line
from valetkey.privacy.holds import Holds
from valetkey.privacy.levels import Levels
from valetkey.privacy.whole import Whole
from valetkey.vault.day_keys import FindsDayKeys

FORMAT: Final = "valetkey-export/1"
_BETWEEN: Final = "/"  # is in no id
_CALLS: Final = 20  # with contents, which may be large
_EVENTS: Final = 200
_LONGEST_NUMBER: Final = 18  # digits: what a database takes for a number


@dataclass(frozen=True, slots=True)
class Part:
    """Some lines of one file; `next_after` asks for what follows, and is empty at the end."""

    file: str
    lines: Sequence[Line]
    next_after: str


class ListsConnections(Protocol):
    async def list(self, person_id: str) -> Sequence[Connection]: ...


class FindsConnectors(Protocol):
    async def by_id(self, connector_id: str) -> Connector: ...


class ListsReceipts(Protocol):
    async def receipts(self, person_id: str) -> Sequence[Receipt]: ...


class FindsOrganizations(Protocol):
    async def get(self, organization_id: str) -> Organization: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Lists what a person signs in with, and who may act for them. Of secrets there are hashes only, and not here."""

    sessions: Callable[[str], Awaitable[Sequence[BrowserSession]]]
    passkeys: Callable[[str], Awaitable[Sequence[Passkey]]]
    tokens: Callable[[str], Awaitable[Sequence[TokenInfo]]]
    assistants: Callable[[str], Awaitable[Sequence[Grant]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The rooms that hold something about people."""

    organizations: FindsOrganizations
    sign_in: SignIn
    connections: ListsConnections
    connectors: FindsConnectors
    receipts: ListsReceipts
    profiles: Callable[[str], Awaitable[Sequence[Profile]]]
    policy: Policy
    consents: Consents
    levels: Levels
    calls: CallRecords
    whole: Whole
    alerts: Alerts
    holds: Holds
    day_keys: FindsDayKeys
    trail: Trail
    checkpoints: Checkpoints
    proofs: Proofs


class Exporting:
    """Reads a person's archive. Who asks, the door has made sure of: the person, and nobody else."""

    def __init__(self, sources: Sources, *, clock: Clock) -> None:
        self._from = sources
        self._clock = clock
        self._files: dict[str, Callable[[Person, str], Awaitable[tuple[list[Line], str]]]] = {
            "person": self._person,
            "sign-in": self._sign_in,
            "connections": self._connections,
            "receipts": self._receipts,
            "approvals": self._approvals,
            "consents": self._consents,
            "settings": self._settings,
            "calls": self._calls,
            "results": self._results,
            "alerts": self._alerts,
            "holds": self._holds,
            "events": self._events,
            "trail": self._trail,
        }

    async def part(self, person: Person, after: str = "", *, actor: str) -> Part:
        """The part after that one, the first for an empty `after`. Raises `BadInput` for what is no such part."""
        files = list(self._files)
        if after:
            begun, _, place = after.partition(_BETWEEN)
            file, _, rest = place.partition(_BETWEEN)
            if file not in self._files or not await self._was_told(person, begun):
                raise BadInput("There is no such part of an archive.", field="after", hint="Begin anew, without it.")
        else:
            begun, file, rest = await self._tell(person, actor), files[0], ""
        found, further = await self._files[file](person, rest)
        following = files[files.index(file) + 1 :]
        then = f"{file}{_BETWEEN}{further}" if further else following[0] if following else ""
        return Part(file, found, f"{begun}{_BETWEEN}{then}" if then else "")

    async def _tell(self, person: Person, actor: str) -> str:
        """Writes down that an archive is taken; the number of that event, which each later part names."""
        await self._from.trail.write(
            "data.exported", actor=actor, organization_id=person.organization_id, person_id=person.id,
            object=person.id, detail={"format": FORMAT},
        )  # fmt: skip
        newest = await self._from.trail.list(OfPerson(person.id), limit=_EVENTS)
        return str(next(one.seq for one in newest if one.event == "data.exported"))

    async def _was_told(self, person: Person, begun: str) -> bool:
        """Else somebody would begin in the middle, and nothing of it would be written down."""
        if not begun.isdecimal() or len(begun) > _LONGEST_NUMBER:
            return False
        told = await self._from.trail.list(OfPerson(person.id), before=int(begun) + 1, limit=1)
        return bool(told) and told[0].seq == int(begun) and told[0].event == "data.exported"

    async def _person(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        organization = await self._from.organizations.get(person.organization_id)
        made = {"kind": "archive", "format": FORMAT, "made_at": self._clock.now().isoformat()}
        return [made, lines.of_person(person, organization)], ""

    async def _sign_in(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        found = self._from.sign_in
        return [
            *map(lines.of_session, await found.sessions(person.id)),
            *map(lines.of_passkey, await found.passkeys(person.id)),
            *map(lines.of_token, await found.tokens(person.id)),
            *map(lines.of_assistant, await found.assistants(person.id)),
        ], ""

    async def _connections(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        found: list[Line] = []
        for one in await self._from.connections.list(person.id):
            connector = None
            with contextlib.suppress(NotFound):  # taken out of the directory meanwhile
                connector = await self._from.connectors.by_id(one.connector_id)
            found.append(lines.of_connection(one, connector, await self._from.policy.permissions.given(one.id)))
        return found, ""

    async def _receipts(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        return [lines.of_receipt(one) for one in await self._from.receipts.receipts(person.id)], ""

    async def _approvals(self, person: Person, rest: str) -> tuple[list[Line], str]:
        now, policy = self._clock.now(), self._from.policy
        page = await policy.approvals.page(person.id, before=rest, limit=_EVENTS)
        found: list[Line] = []
        for one in page:
            try:
                call = await policy.approvals.call_of(one)
            except VaultFailed:  # erased, or of a day whose key is gone
                call = None
            found.append(lines.of_approval(one, call, now))
        if len(page) == _EVENTS:
            return found, page[-1].id
        standing = await policy.standing.list(person.id, limit=10_000)
        return found + [lines.of_standing(one, now) for one in standing], ""

    async def _consents(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        return [lines.of_consent(one) for one in await self._from.consents.history(person.id)], ""

    async def _settings(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        said = await self._from.levels.choices(person.organization_id, person.id)
        levels = [{"kind": "log_level", "connector": one.connector, "level": str(one.level)} for one in said]
        return [*levels, *map(lines.of_profile, await self._from.profiles(person.id))], ""

    async def _calls(self, person: Person, rest: str) -> tuple[list[Line], str]:
        mine = OfPerson(person.id)
        listed = await self._from.calls.list(mine, before=rest, limit=_CALLS)
        found = []
        for one in listed:
            try:
                found.append(await self._call(await self._from.calls.find(one.id, mine)))
            except NotFound:  # retention was faster
                continue
        return found, listed[-1].id if len(listed) == _CALLS else ""

    async def _call(self, call: CallRecord) -> Line:
        if call.request is None and call.response is None:
            return lines.of_call(call, "none", None, None)
        try:
            key = await self._from.day_keys.existing(call.person_id, call.organization_id, call.day)
            request, response = (
                None if sealed is None else key.open(sealed, about=f"{call.id}:{half}")
                for half, sealed in (("request", call.request), ("response", call.response))
            )
        except VaultFailed:
            return lines.of_call(call, "erased", None, None)
        return lines.of_call(call, "shown", request, response)

    async def _results(self, person: Person, rest: str) -> tuple[list[Line], str]:
        """What was too large to pass on, one at a time (CON-20)."""
        found = await self._from.whole.after(person.id, rest)
        if found is None:
            return [], ""
        call_id, result = found
        return [lines.of_result(call_id, result)], call_id

    async def _alerts(self, person: Person, rest: str) -> tuple[list[Line], str]:
        found = await self._from.alerts.page(person.id, dismissed=True, before=rest, limit=_EVENTS)
        return [lines.of_alert(one) for one in found], found[-1].id if len(found) == _EVENTS else ""

    async def _holds(self, person: Person, _rest: str) -> tuple[list[Line], str]:
        return [lines.of_hold(one) for one in await self._from.holds.on(person)], ""

    async def _events(self, person: Person, rest: str) -> tuple[list[Line], str]:
        found = await self._from.trail.list(OfPerson(person.id), before=_number(rest), limit=_EVENTS)
        return [lines.of_event(one) for one in found], str(found[-1].seq) if len(found) == _EVENTS else ""

    async def _trail(self, person: Person, rest: str) -> tuple[list[Line], str]:
        """Their records of the log with proofs, all under one checkpoint: what `docs/verify_export.py` checks."""
        start, _, number = rest.partition(_BETWEEN)
        if not rest:
            try:
                await self._from.checkpoints.make()  # so that it covers what happened until now
            except ValetkeyError:  # another replica is at it, or the log is broken: then the last one has to do
                if await self._from.checkpoints.last() is None:
                    return [], ""
        page = await self._from.proofs.export(OfPerson(person.id), start=_number(start), checkpoint=_number(number))
        under = page.checkpoint
        head = [] if rest else [{"checkpoint": under.note, "key": under.verifier_key}]
        further = f"{page.next_from}{_BETWEEN}{under.number}" if page.next_from >= 0 else ""
        return [*head, *map(lines.of_record, page.records)], further


def _number(text: str) -> int:
    """Of a cursor of ours; raises `BadInput` for one that is not."""
    if text and not (text.isdecimal() and len(text) <= _LONGEST_NUMBER):
        raise BadInput("There is no such part of an archive.", field="after", hint="Begin anew, without it.")
    return int(text or 0)

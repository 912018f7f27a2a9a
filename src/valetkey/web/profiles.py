"""Profiles as pages show and send them: each of the person's connections, with its tools and whether they are in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from valetkey.directory.model import Choice, Connector, Profile
from valetkey.kernel.errors import NotFound
from valetkey.web.accounts import Account, read_accounts
from valetkey.web.form import Form
from valetkey.web.tools import read_tools
from valetkey.web.visit import Visit

ACCESS = (
    ("auto", "All of them, or by search when there are many"),
    ("all", "Always all of them"),
    ("search", "Always by search"),
)
_MOST_SHOWN = 1200
"""Tools with a check box of their own on one page, which a form can still carry."""


@dataclass(frozen=True, slots=True)
class ShownTool:
    """A tool and whether it is ticked. `is_on`: the person has switched it on, without which no profile runs it."""

    name: str
    title: str
    description: str
    value: str
    ticked: bool
    is_on: bool


@dataclass(frozen=True, slots=True)
class ShownConnection:
    """A connection as a profile's form has it. With `too_many` its tools are not listed, and stay as chosen."""

    account: Account
    whole: bool
    tools: Sequence[ShownTool]
    too_many: bool

    @property
    def id(self) -> str:
        return self.account.connection.id

    @property
    def connector(self) -> Connector:
        return self.account.connector

    @property
    def count(self) -> int:
        return sum(tool.ticked for tool in self.tools)


async def find_profile(visit: Visit) -> Profile:
    """The profile named in the path. Raises `NotFound`, for somebody else's too."""
    return await visit.services.profiles.get(visit.person.id, visit.path("profile"))


async def describe(visit: Visit, name: str) -> Sequence[tuple[str, str]]:
    """What is in the person's profile of this name, in words: connector and how much of it; nothing if it is empty."""
    try:
        profile = await visit.services.profiles.get(visit.person.id, name)
    except NotFound:
        return ()
    return summary(profile, await read_accounts(visit))


def summary(profile: Profile, accounts: Sequence[Account]) -> Sequence[tuple[str, str]]:
    """Each connection in the profile by its connector's name, and how much of it is in."""
    described = []
    for one in accounts:
        if (choice := profile.choices.get(one.connection.id)) is not None:
            name = one.connector.name if one.connection.is_default else f"{one.connector.name} ({one.name})"
            count = len(choice.tools)
            described.append((name, "all tools" if choice.whole else f"{count} tool" + ("s" if count != 1 else "")))
    return described


async def read_choices(visit: Visit, choices: Mapping[str, Choice]) -> Sequence[ShownConnection]:
    """All the person's connections as the form shows them, with `choices` ticked."""
    shown: list[ShownConnection] = []
    room = _MOST_SHOWN
    for account in await read_accounts(visit):
        if not account.is_live:
            continue
        choice = choices.get(account.connection.id) or Choice(account.connection.id, whole=False)
        tools = await _tools(visit, choice)
        too_many = len(tools) > room
        room -= 0 if too_many else len(tools)
        shown.append(ShownConnection(account, choice.whole, () if too_many else tools, too_many))
    return shown


async def _tools(visit: Visit, choice: Choice) -> Sequence[ShownTool]:
    seen = {tool.name: tool for tool in await read_tools(visit, choice.connection_id)}
    listed = [
        ShownTool(
            tool.name, tool.title, tool.description, _value(choice.connection_id, tool.name), choice.has(tool.name),
            tool.is_on,
        )
        for tool in seen.values()
    ]  # fmt: skip
    gone = [
        ShownTool(name, "", "The service does not list it now.", _value(choice.connection_id, name), True, False)
        for name in sorted(choice.tools - seen.keys())
    ]
    return listed + gone


async def read_form(visit: Visit, before: Mapping[str, Choice]) -> Sequence[Choice]:
    """What the form chooses. What is ticked is in; a connection whose tools were not listed keeps what it had."""
    form: Form = visit.form
    whole, ticked, listed = set(form.many("whole")), set(form.many("tool")), set(form.many("listed"))
    choices = []
    for one in await read_choices(visit, before):
        if one.id in whole:
            choices.append(Choice(one.id, whole=True))
        elif one.id in listed:
            names = frozenset(tool.name for tool in one.tools if tool.value in ticked)
            choices.append(Choice(one.id, whole=False, tools=names))
        elif (kept := before.get(one.id)) is not None and not kept.whole:
            choices.append(kept)
    return choices


def _value(connection_id: str, tool: str) -> str:
    """What a tool's check box sends: of fixed size, whatever the tool is called."""
    return hashlib.sha256(f"{connection_id}\0{tool}".encode(errors="surrogatepass")).hexdigest()[:32]

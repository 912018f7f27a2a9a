"""T08 against the vault's own process: whatever a worker asks for, in whatever order, a credential leaves only for the
recorded call of its own person, to its own service, once, in time, and while its connection lives.

A worker that was taken over asks at random here, with everything it knows: records and bindings of others, tickets that
it kept, copied, changed or aimed elsewhere. A model says what may come of it; the services tell what did.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from tests.connections.conftest import PARSE
from tests.connections.outside import AuthServer, Service
from tests.split.conftest import HEADERS, INITIALIZE, SplitHub
from tests.split.test_split import NOTE, TOOL, seen
from valetkey.audit.calls import OpenCall
from valetkey.audit.model import Outcome
from valetkey.connections.methods import oauth
from valetkey.connections.model import Connection
from valetkey.kernel.errors import BadInput, OutboundFailed, Refused, VaultFailed
from valetkey.net.beside.said import NAME_SIZE
from valetkey.policy.model import Setting
from valetkey.policy.permissions import Permissions
from valetkey.policy.tool_class import ToolClass
from valetkey.split.releasing import TicketMade
from valetkey.split.tickets_beside import SealedTicket
from valetkey.vault.model import BEARER, Binding

REFUSED = (Refused, VaultFailed, BadInput)


@dataclass
class Account:
    """Somebody's connection, and what it should send to whom."""

    connection: Connection
    binding: Binding
    url: str
    token: str
    is_on: bool = False


@dataclass
class Call:
    """A record that a worker wrote, of whomever's call it says."""

    recording: OpenCall
    account: Account
    person: str
    tool: str
    is_open: bool = True


@dataclass
class Out:
    """A ticket that is out."""

    made: TicketMade
    account: Account
    until: float
    is_dead: bool = False


class Worker:
    """Asks at random, and knows what may be given."""

    def __init__(self, hub: SplitHub, accounts: Sequence[Account], seed: int) -> None:
        self.hub = hub
        self.accounts = accounts
        self.random = random.Random(seed)
        self.permissions = Permissions(hub.main, hub.notifications, clock=hub.clock)
        self.calls: list[Call] = []
        self.out: list[Out] = []
        self.given: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.refused = 0
        self.why = ""
        self.missed: list[str] = []

    async def step(self) -> None:
        await self.random.choices(
            [self.begin, self.end, self.switch, self.ask, self.use, self.misuse, self.hand, self.cancel],
            [4, 1, 1, 8, 4, 4, 4, 1],
        )[0]()

    async def begin(self) -> None:
        account, other = self.random.choice(self.accounts), self.random.choice(self.accounts)
        person = self.random.choice([account, account, other]).connection.person_id
        tool = self.random.choice(["", TOOL.name])
        recording = self.hub.call_log.begin(self.hub.intent(account.connection, person_id=person, tool=tool))
        self.calls.append(Call(recording, account, person, tool))
        if sum(call.is_open for call in self.calls) > 15:
            await self.end()

    async def end(self) -> None:
        if open_ones := [call for call in self.calls if call.is_open]:
            call = self.random.choice(open_ones)
            call.recording.finish(Outcome.OK)
            call.is_open = False
        over = [call for call in self.calls if not call.is_open]
        self.calls = over[-5:] + [call for call in self.calls if call.is_open]

    async def switch(self) -> None:
        account = self.random.choice(self.accounts)
        account.is_on = not account.is_on
        setting = Setting.ALLOW if account.is_on else Setting.BLOCK
        await self.permissions.set(account.connection.id, [(TOOL, setting, ToolClass.READ)])

    async def ask(self) -> None:
        call = self.random.choice(self.calls) if self.calls and self.random.random() < 0.9 else None
        account, other = self.random.choice(self.accounts), self.random.choice(self.accounts)
        binding, ttl = account.binding, 60.0
        if call is not None and self.random.random() < 0.6:  # as it should be, but for what is the matter with the call
            account, binding = call.account, call.account.binding
            origin = binding.origin
        else:
            binding = self.random.choice([binding, *self.forged(binding, other.binding)])
            origin = self.random.choice([binding.origin, other.binding.origin])
            ttl = self.random.choice([60.0, 5.0, 61.0, 0.0])
        may = (
            binding == account.binding
            and origin == binding.origin
            and call is not None
            and call.is_open
            and call.account is account
            and call.person == binding.person
            and (not call.tool or account.is_on)
            and 0 < ttl <= 60
        )
        asked_at = time.monotonic()
        try:
            made: TicketMade = await self.hub.kept.processes[-1].ask(
                "ticket", TicketMade, parts=((BEARER, binding),), origin=origin, ttl=ttl,
                call_id=call.recording.intent.id if call is not None else "call_unheard_of",
            )  # fmt: skip
        except REFUSED:
            assert not may
            self.refused += 1
            return
        assert may
        assert account.token.encode() not in made.content
        self.given[account.token] += 1
        self.out.append(Out(made, account, asked_at + ttl))

    def forged(self, binding: Binding, other: Binding) -> list[Binding]:
        return [
            replace(binding, person=other.person), replace(binding, subject=other.subject),
            replace(binding, origin=other.origin), replace(binding, tenant="org_9"),
            replace(binding, purpose="refresh_token"), replace(binding, connector_version=9),
        ]  # fmt: skip

    async def use(self) -> None:
        if not self.out:
            return
        out = self.random.choice(self.out)
        late = time.monotonic() - out.until
        if not out.is_dead and -1 < late < 1:
            return  # which of the two it is is a matter of the moment
        out.is_dead |= late >= 1
        went = await self.post(out.account.url, out.account.binding.origin, out.made.content)
        assert not (went and out.is_dead)
        if not went and not out.is_dead:  # the connection broke under it, as a forged ticket before it may make it do
            self.missed.append(self.why)
        out.is_dead = True
        self.sent[out.account.token] += went
        self.out = [one for one in self.out if not one.is_dead][-15:] + [one for one in self.out if one.is_dead][-5:]

    async def misuse(self) -> None:
        """Somebody's ticket to another service, changed, cut, or made of two."""
        if not self.out:
            return
        out, other = self.random.choice(self.out), self.random.choice(self.accounts)
        content = out.made.content
        at = self.random.randrange(len(content))
        changed = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        url, origin = out.account.url, out.account.binding.origin
        kinds = [(url, origin, changed), (url, origin, content[:at]), (url, origin, content + content)]
        if other.url != url:
            kinds.append((other.url, other.binding.origin, content))
        url, origin, forged = self.random.choice(kinds)
        assert not await self.post(url, origin, forged)

    async def hand(self) -> None:
        """A ticket like one that was had, for whatever call, under a name that was made up: the dialer gets it itself.

        What comes of it is what comes of asking; a name that stands for nothing is asked about, and then ends the call.
        """
        if not self.out or not self.calls:
            return
        out, call = self.random.choice(self.out), self.random.choice(self.calls)
        account, name = out.account, self.random.randbytes(NAME_SIZE)
        like = self.random.choice([out.made.like] * 9 + [self.random.randbytes(NAME_SIZE)])
        may = (
            like == out.made.like
            and call.is_open
            and call.account is account
            and call.person == account.binding.person
            and (not call.tool or account.is_on)
        )
        self.hub.kept.processes[-1].tell("hand", like=like, name=name, call_id=call.recording.intent.id)
        went = await self.post(account.url, account.binding.origin, name)
        assert not (went and not may)
        if may and not went:
            self.missed.append(self.why)
        self.given[account.token] += went
        self.sent[account.token] += went
        assert not await self.post(account.url, account.binding.origin, name[:-1])

    async def post(self, url: str, origin: str, content: bytes) -> bool:
        """Whether the dialer let it out."""
        ticket = SealedTicket(TicketMade(content, 1, ()), origin=origin, call_id="", echoes=(), heard=())
        try:
            await self.hub.outbound.calls.post(PARSE(url), HEADERS, INITIALIZE, credential=ticket, pool=url)
        except (OutboundFailed, VaultFailed) as no:
            self.why = str(no)
            return False
        return True

    async def cancel(self) -> None:
        account = self.random.choice(self.accounts)
        await self.hub.kept.vault.cancel(account.connection.id)
        for out in self.out:
            out.is_dead |= out.account is account


async def account_of(hub: SplitHub, login: str, organization: str, service: Service, server: AuthServer) -> Account:
    browser = hub.browser(await hub.person(login, organization_id=organization))
    connector = await hub.connector(browser.person, service.url)
    connection = await hub.connect(browser, connector, server)
    await seen(hub, connection, NOTE)
    binding = oauth.access_binding(connection, connector)
    return Account(connection, binding, service.url, list(server.access)[-1])


@pytest.mark.parametrize(
    "steps", [400, pytest.param(50_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])], ids=["some", "all"]
)
async def test_whatever_a_worker_asks_for_only_what_it_should_have_leaves(
    hub: SplitHub, service: Service, server: AuthServer, steps: int
) -> None:
    async with Service(server) as another:
        accounts = [
            await account_of(hub, "ada", "org_1", service, server),
            await account_of(hub, "bob", "org_2", service, server),
            await account_of(hub, "grace", "org_1", another, server),
        ]
        service.asked.clear()
        another.asked.clear()
        worker = Worker(hub, accounts, seed=steps)
        for _ in range(steps):
            await worker.step()
        arrived = [Counter(asked.bearer for asked in one.asked) for one in (service, another)]

    given = sum(worker.given.values())
    assert len(worker.missed) <= steps / 100, worker.missed
    print(f"{steps} steps: {given} tickets, {worker.refused} refused, {worker.sent.total()} sent; {worker.missed}")
    assert arrived == [
        Counter({one.token: worker.sent[one.token] for one in accounts if one.url == at.url and worker.sent[one.token]})
        for at in (service, another)
    ]
    assert min(worker.refused, given, worker.sent.total()) > steps / 50

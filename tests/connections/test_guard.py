"""Whose accounts are connected and how far they reach: an organization's domains (ORG-08), roles' scopes (ORG-06)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.connections.conftest import Hub
from tests.connections.outside import Answer, AuthServer, Service
from valetkey.audit.feed.names import name_of
from valetkey.connections.guard import ScopeNotGranted
from valetkey.connections.model import Connection, State
from valetkey.directory.access.model import Rules, ScopeRule
from valetkey.directory.access.saying import Access
from valetkey.directory.model import Connector
from valetkey.identity.model import BrowserSession, Role
from valetkey.kernel.errors import BadInput, Conflict, NotConnected
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url
from valetkey.oauth.model import TokenSet
from valetkey.oauth.token import read_token_response

OURS = "engines.example"
Claims = Callable[[AuthServer, str], dict[str, Any]]


def claims(email: str = f"ada@{OURS}", verified: object = True, **other: object) -> Claims:
    """What an ID token says, with this address in it."""

    def of(server: AuthServer, client_id: str) -> dict[str, Any]:
        said = {"iss": server.issuer, "aud": client_id, "exp": 4_000_000_000, "email": email}
        return said | ({} if verified is None else {"email_verified": verified}) | other

    return of


class SaysWhose(AuthServer):
    """An authorization server that also says whose account it is, by OpenID Connect."""

    def __init__(self, says: Claims | None) -> None:
        super().__init__()
        self.says = says
        self.scopes = ["notes:read", "notes:write", "openid", "email"]

    def _tokens(self, grant: Any, scope: str, *, rotated: bool = True) -> Answer:
        answer = super()._tokens(grant, scope, rotated=rotated)
        if self.says is not None and "openid" in scope.split():
            assert isinstance(answer.body, dict)
            answer.body["id_token"] = id_token(self.says(self, grant.client_id))
        return answer


def id_token(said: dict[str, Any]) -> str:
    parts = ({"alg": "RS256"}, said)
    return ".".join([*(base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode() for one in parts), "x"])


async def ruled(hub: Hub, connector: Connector, rules: Rules) -> Connector:
    access = Access(hub.main, hub.notifications, parse_url=parse_url, clock=hub.clock, trail=hub.trail)
    await access.set_rules(connector.organization_id, rules, by="person:olga")
    return await hub.connectors.by_id(connector.id)


async def connect(hub: Hub, ada: BrowserSession, server: SaysWhose, rules: Rules) -> tuple[Connection, Connector]:
    async with server, Service(server) as service:
        connector = await ruled(hub, await hub.connector(ada.person, service.url), rules)
        return await hub.connect(ada, connector, server), connector


GUARDED = Rules(only_domains=True)


async def test_ORG_08_an_account_on_a_verified_domain_is_connected(hub: Hub, ada: BrowserSession) -> None:
    server = SaysWhose(claims())

    connection, _ = await connect(hub, ada, server, GUARDED)

    assert connection.state is State.CONNECTED
    assert server.revoked == []


@pytest.mark.parametrize(
    "says",
    [
        claims("ada@private.example"),
        claims(verified=False),  # spoofed: anybody can write an address into a profile
        claims(verified=None),
        claims(verified="false"),
        claims(f"ada@private.example@{OURS}"),
        claims(f"ada@sub.{OURS}"),
        claims(f"@{OURS}"),
        claims(""),
        claims(iss="https://another.example"),
        claims(aud="another-client"),
        claims(exp=1),
        claims(exp="soon"),
        None,
    ],
    ids=[
        "private", "unverified", "verified not said", "no", "two ats", "below ours", "no name", "no address",
        "another issuer", "another client", "too old", "no time", "no ID token",
    ],
)  # fmt: skip
async def test_ORG_08_another_account_is_refused_and_its_token_given_back_and_destroyed(
    hub: Hub, ada: BrowserSession, says: Claims | None
) -> None:
    server = SaysWhose(says)

    connection, _ = await connect(hub, ada, server, GUARDED)

    assert connection.state is State.RECONNECT
    assert "own domains only" in connection.state_reason
    assert {hint for hint, _ in server.revoked} == {"refresh_token", "access_token"}
    assert connection.id not in await hub.vault.subjects("access_token")
    assert [name_of(event) for event in await hub.events()][-1] == "domain_guard"


async def test_ORG_08_who_leaves_out_by_what_they_would_be_known_is_not_even_sent_there(
    hub: Hub, ada: BrowserSession
) -> None:
    async with SaysWhose(claims()) as server, Service(server) as service:
        connector = await ruled(hub, await hub.connector(ada.person, service.url), GUARDED)
        attempt = await hub.room.connecting.begin(ada, connector)

        assert {"openid", "email"} <= set(attempt.facts.scopes)
        with pytest.raises(BadInput, match="whose account"):
            await hub.room.connecting.accept(attempt.id, ada, attempt.facts.hash, ["notes:read"])


async def test_ORG_08_what_cannot_say_whose_account_it_is_is_not_connected(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service
) -> None:
    silent = await ruled(hub, await hub.connector(ada.person, service.url), GUARDED)
    keyed = await hub.connectors.add_custom(
        ada.person, name="Keyed", url=f"{service.url}/keyed", auth_kind="header", auth={"headers": ["X-Api-Key"]}
    )

    with pytest.raises(Conflict, match="own domains only"):
        await hub.room.connecting.begin(ada, silent)
    with pytest.raises(Conflict, match="does not say whose it is"):
        await hub.room.connecting.set_header(
            ada, keyed, values={"X-Api-Key": Secret("k")}, acknowledged=hub.seen(keyed)
        )
    assert server.posts("/token") == []


def only(*scopes: str, role: str = "member") -> Rules:
    return Rules(scopes=(ScopeRule("*", role, frozenset(scopes)),))


async def test_ORG_06_what_a_role_may_not_have_is_not_asked_for(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service
) -> None:
    connector = await ruled(hub, await hub.connector(ada.person, service.url), only("notes:read"))

    attempt, url = await hub.go(ada, connector)
    connection = await hub.come_back(ada, attempt, server.consent(url))

    assert "notes:write" not in attempt.facts.scopes
    assert "write" not in url
    assert (connection.state, connection.granted_scope) == (State.CONNECTED, "notes:read")


@pytest.mark.parametrize("says_so", [True, False])
async def test_ORG_06_what_is_granted_all_the_same_is_given_back(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service, says_so: bool
) -> None:
    """Also where the person once accepted that the service gives more."""
    server.grants = lambda scope: f"{scope} notes:write"
    connector = await hub.connector(ada.person, service.url)
    connector = await ruled(hub, connector, only("notes:read") if says_so else only("notes:read", role="admin"))

    connection = await hub.connect(ada, connector, server)

    assert (connection.state is State.CONNECTED) is not says_so
    if says_so:
        assert "your role may not have there: notes:write" in connection.state_reason
        assert {hint for hint, _ in server.revoked} == {"refresh_token", "access_token"}
        assert [name_of(event) for event in await hub.events()][-1] == "connector_scope_not_granted"


async def test_ORG_06_where_nothing_is_left_to_ask_for_nobody_is_sent_there(
    hub: Hub, ada: BrowserSession, service: Service
) -> None:
    connector = await ruled(hub, await hub.connector(ada.person, service.url), only("calendar"))

    with pytest.raises(ScopeNotGranted) as caught:
        await hub.room.connecting.begin(ada, connector)

    assert caught.value.code == "connector_scope_not_granted"


# --- what was connected before ----------------------------------------------------------------------------------------


async def unused(hub: Hub, connection: Connection, words: str) -> None:
    """It is not called with any more, its person is told why, and its credential stays sealed."""
    with pytest.raises(NotConnected, match=words):
        await hub.bearer(connection)
    now = await hub.now(connection)
    assert (now.state, words in now.state_reason) == (State.RECONNECT, True)
    assert connection.id in await hub.vault.subjects("access_token")


async def test_ORG_08_an_account_whose_domain_is_given_up_is_not_used_any_more(hub: Hub, ada: BrowserSession) -> None:
    async with SaysWhose(claims()) as server, Service(server) as service:
        connector = await ruled(hub, await hub.connector(ada.person, service.url), GUARDED)
        connection = await hub.connect(ada, connector, server)
        assert server.lets_in(await hub.bearer(connection))

        hub.domains.clear()
        hub.clock.advance(31)

        await unused(hub, connection, "nobody has looked whose")


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (GUARDED, "nobody has looked whose"),
        (Rules(scopes=(ScopeRule("*", "member", frozenset({"notes:read"})),)), "more than your organization lets"),
    ],
    ids=["ORG-08", "ORG-06"],
)
async def test_a_rule_holds_for_what_was_connected_before_it_also_where_the_hub_died_while_it_was_set(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service, rules: Rules, words: str
) -> None:
    """ORG-06, ORG-08: the rule alone is written here, and nobody went through the accounts that there are."""
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    assert server.lets_in(await hub.bearer(connection))

    await ruled(hub, connector, rules)

    assert hub.room.credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_2") is None
    await unused(hub, connection, words)


async def test_ORG_06_who_loses_a_role_loses_with_the_next_use_what_only_it_was_granted(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service
) -> None:
    hub.roles[ada.person.id] = Role.ADMIN
    connector = await ruled(hub, await hub.connector(ada.person, service.url), only("notes:read"))
    admin = replace(ada, person=replace(ada.person, role=Role.ADMIN))
    connection = await hub.connect(admin, connector, server)
    assert "notes:write" in connection.granted_scope
    assert server.lets_in(await hub.bearer(connection))

    hub.roles[ada.person.id] = Role.MEMBER
    await hub.notifications.publish("people", ada.person.id)

    assert hub.room.credentials.ticket_now(connection.id, person_id=ada.person.id, call_id="call_2") is None
    await unused(hub, connection, "more than your organization lets")


async def test_ORG_11_what_was_connected_before_an_exclusive_set_is_not_used_any_more(
    hub: Hub, ada: BrowserSession, server: AuthServer, service: Service
) -> None:
    connector = await hub.connector(ada.person, service.url)
    connection = await hub.connect(ada, connector, server)
    assert server.lets_in(await hub.bearer(connection))

    await ruled(hub, connector, Rules(is_exclusive=True))

    with pytest.raises(NotConnected, match="leave no room"):
        await hub.bearer(connection)


def test_ORG_06_several_rules_only_narrow() -> None:
    rules = Rules(
        scopes=(
            ScopeRule("*", "*", frozenset({"read", "write"})),
            ScopeRule("notes", "*", frozenset({"read", "admin"})),
            ScopeRule("notes", "member", frozenset({"read"})),
        )
    )

    assert rules.scope_limit("notes", "member").beyond(["read", "write", "admin"]) == ("write", "admin")
    assert rules.scope_limit("notes", "owner").beyond(["read", "admin"]) == ("admin",)
    assert rules.scope_limit("mail", "member").beyond(["write"]) == ()
    assert Rules().scope_limit("notes", "member").beyond(["anything"]) == ()


@pytest.mark.parametrize("broken", ["", "a.b", "a.!.c", "a.e30.c", "x" * 20_000, "a.W10.c", 7, None])
def test_what_is_no_ID_token_says_nobodys_name_and_breaks_no_exchange(broken: object) -> None:
    body = json.dumps({"access_token": "t", "id_token": broken}).encode()

    read = read_token_response(200, body)

    assert isinstance(read, TokenSet)
    assert read.holder is None

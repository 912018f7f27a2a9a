"""URIs on `/mcp`: each leads back to its account and to the service's own URI, whatever that is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from valetkey.connections.model import Connection, State
from valetkey.directory.model import Connector, ReviewState
from valetkey.gateway import addresses
from valetkey.gateway.model import Account
from valetkey.net.url import parse_url
from valetkey.upstream.model import Target

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def account(slug: str, label: str, *, is_default: bool) -> Account:
    connector = Connector(
        f"ctr_{slug}", slug, "", "", slug, "https://a.example/mcp", "https://a.example", ReviewState.CUSTOM, "none", {},
        "enabled", 1, NOW,
    )  # fmt: skip
    connection = Connection(
        f"cn_{slug}_{label}", "", "", connector.id, 1, label, "", is_default, State.CONNECTED, "", "oauth", "", "", "",
        "", False, None, 1, NOW, NOW, None,
    )  # fmt: skip
    return Account(connection, connector, Target(parse_url(connector.url), connection.id, slug), "/connections/x")


ACCOUNTS = [
    account("github", "main", is_default=True),
    account("github", "work", is_default=False),
    account("git", "hub", is_default=False),
]
ANY_URI = st.one_of(
    st.text(max_size=20), st.sampled_from(["ui://", "ui://github/x", "vk+github+a", "vk+", "note:///+/.", "ui://a+b"]),
    st.builds("ui://{}".format, st.text(max_size=10)), st.builds("vk+{}".format, st.text(max_size=10)),
).filter(lambda uri: not addresses.is_public(uri))  # fmt: skip


@given(st.sampled_from(ACCOUNTS), ANY_URI)
def test_what_goes_out_comes_back_to_the_same_account(whose: Account, uri: str) -> None:
    assert addresses.inward(ACCOUNTS, addresses.outward(whose)(uri)) == (whose, uri)
    assert addresses.task_inward(ACCOUNTS, addresses.task_outward(whose, uri)) == (whose, uri)


@given(st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), ANY_URI, ANY_URI)
def test_no_two_resources_share_an_address(one: Account, other: Account, a: str, b: str) -> None:
    same = addresses.outward(one)(a) == addresses.outward(other)(b)

    assert same == (one is other and a == b)


@given(ANY_URI)
def test_an_address_without_an_account_of_ones_own_is_nobodys(uri: str) -> None:
    assert addresses.inward([], uri) is None
    assert addresses.inward([], addresses.outward(ACCOUNTS[0])(uri)) is None


def test_web_addresses_stay_as_they_are_and_apps_stay_apps() -> None:
    change = addresses.outward(ACCOUNTS[1])

    assert change("https://x.example/a") == "https://x.example/a"
    assert change("ui://board/main.html") == "ui://github.work/board/main.html"
    assert addresses.key_of(replace_default(ACCOUNTS[1])) == "github"


def replace_default(given_account: Account) -> Account:
    return Account(
        replace(given_account.connection, is_default=True), given_account.connector, given_account.target, ""
    )

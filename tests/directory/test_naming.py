"""Names on `/mcp` fit every client, are never ambiguous, and stay when an account is added."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from valetkey.directory.naming import NAME_LIMIT, Account, exposed_names

FIT = re.compile(r"[A-Za-z0-9_-]{1,50}\Z")

# Few and alike, so that they collide often.
SLUGS = st.sampled_from(["git", "github", "notion-a1b2c3", "a-connector-name-a1b2c3d"])
LABELS = st.sampled_from(["work", "list", "a", "twelveletter"])
TOOLS = st.sampled_from(
    ["list", "work_list", "list_work_a", "a", "a.b", "a-b", "a_b", "A.B", "ä", "x" * 48, "x" * 49, "x" * 200, "a/b"]
) | st.text(min_size=1, max_size=60)


@st.composite
def account_lists(draw: st.DrawFn) -> list[Account]:
    """Accounts in the order in which they were added: one default for each connector at most, labels used once."""
    accounts: list[Account] = []
    for index in range(draw(st.integers(1, 5))):
        slug, label = draw(SLUGS), draw(LABELS)
        if any(account.connector == slug and account.label == label for account in accounts):
            continue
        first = not any(account.connector == slug for account in accounts)
        tools = tuple(draw(st.lists(TOOLS, max_size=6, unique=True)))
        accounts.append(Account(f"cn_{index:04}", slug, label, first, tools))
    return accounts


@given(account_lists())
def test_every_tool_has_exactly_one_name_and_every_name_fits(accounts: list[Account]) -> None:
    names = exposed_names(accounts)

    owners = [(account.connection_id, tool) for account in accounts for tool in account.tools]
    assert sorted(names.values()) == sorted(owners)
    assert all(FIT.match(name) for name in names)


@given(account_lists())
def test_adding_an_account_renames_nothing(accounts: list[Account]) -> None:
    before = exposed_names(accounts[:-1])

    after = exposed_names(accounts)

    assert {name: after.get(name) for name in before} == dict(before)


@given(account_lists(), st.randoms(use_true_random=False))
def test_names_do_not_depend_on_the_order_in_which_accounts_are_given(
    accounts: list[Account], random: st.DataObject
) -> None:
    shuffled = list(accounts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis types its Random as DataObject here

    assert dict(exposed_names(shuffled)) == dict(exposed_names(accounts))


def test_the_default_account_is_named_after_the_connector_and_the_others_after_their_label_too() -> None:
    mine = Account("cn_1", "github", "main", True, ("list_repos",))
    work = Account("cn_2", "github", "work", False, ("list_repos",))

    assert dict(exposed_names([mine, work])) == {
        "github_list_repos": ("cn_1", "list_repos"),
        "github_work_list_repos": ("cn_2", "list_repos"),
    }


def test_when_a_tool_and_an_account_would_share_a_name_whoever_came_first_keeps_it() -> None:
    default = Account("cn_1", "github", "zz", True, ("work_list",))
    labeled = Account("cn_2", "github", "work", False, ("list",))

    names = exposed_names([labeled, default])

    assert names["github_work_list"] == ("cn_1", "work_list")
    other = next(name for name, owner in names.items() if owner == ("cn_2", "list"))
    assert re.fullmatch(r"github_work_list_[0-9a-f]{8}", other)


def test_a_long_name_is_shortened_the_same_way_every_time() -> None:
    account = Account("cn_1", "github", "main", True, ("x" * 80, "x" * 81))

    names = list(exposed_names([account]))

    assert names == list(exposed_names([account]))
    assert all(len(name) == NAME_LIMIT for name in names)
    assert names[0] != names[1]


def test_a_tool_named_like_a_shortened_one_does_not_take_its_place() -> None:
    long = Account("cn_1", "github", "main", True, ("a.b",))
    shortened = next(iter(exposed_names([long]))).removeprefix("github_")

    names = exposed_names([replace(long, tools=("a.b", shortened))])

    assert len(names) == 2
    assert names[f"github_{shortened}"] == ("cn_1", shortened)

"""The corpus as servers that are started: each is visited over TLS, and breaks its rule and blocks by no other.

A few in every run, all of them in the long one; what a server cannot choose is not among them, and named.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from ssl import SSLContext
from typing import Final

import pytest
import trustme

from tests.net.conftest import authority as authority  # fixtures, re-exported
from tests.net.conftest import ca_file as ca_file
from tests.net.conftest import server_context
from tests.review.bad import BAD
from tests.review.corpus import GOOD, interactive
from tests.review.played import NAMES, visited
from valetkey.net.address_policy import AddressPolicy
from valetkey.review.model import Report, Severity

NOT_PLAYED: Final = {
    ("L-301", 6): "a page without TLS, where everything else has it",
    ("L-501", 5): "a list that fails is an empty account, too",
    ("L-501", 6): "a list that fails is an empty account, too",
    ("L-501", 7): "the only tool that lists is an empty account, too",
    ("L-505", 0): "nothing else is reached then",
    ("L-505", 1): "when a certificate ends is for its authority to say",
    ("L-510", 2): "a definition that cannot be read cannot be made of one that was",
    ("L-604", 0): "tests have IPv4",
    ("L-604", 1): "tests have IPv4",
    ("L-604", 2): "tests have IPv4",
}
ALL: Final = [(rule, n) for rule, changes in BAD.items() for n in range(len(changes)) if (rule, n) not in NOT_PLAYED]
FEW: Final = [one for one in ALL if one[1] == 0][::8]


@pytest.fixture
def tls(authority: trustme.CA) -> SSLContext:
    return server_context(authority, *NAMES)


def found(report: Report) -> dict[str, set[Severity]]:
    return {one.rule: {finding.severity for finding in one.findings} for one in report.outcomes if one.findings}


async def look(rule: str, number: int, tls: SSLContext, ca: Path) -> dict[str, set[Severity]]:
    crawl = BAD[rule][number](GOOD)
    return found(await visited(crawl, tls, ca, AddressPolicy((ipaddress.ip_network("127.0.0.1/32"),))))


async def test_the_good_one_passes_when_it_is_visited_and_twice_the_same(tls: SSLContext, ca_file: Path) -> None:
    policy = AddressPolicy((ipaddress.ip_network("127.0.0.1/32"),))

    one, other = [await visited(interactive()(GOOD), tls, ca_file, policy) for _ in range(2)]

    assert found(one) == {}
    assert [outcome.unrun for outcome in one.outcomes] == [outcome.unrun for outcome in other.outcomes]
    assert {outcome.rule for outcome in one.outcomes if outcome.not_run} == {"L-202", "L-203", "L-511"}


@pytest.mark.parametrize("cases", [pytest.param(FEW, id="few"), pytest.param(ALL, id="all", marks=pytest.mark.long)])
async def test_a_bad_one_breaks_its_rule_when_it_is_visited_and_blocks_by_no_other(
    tls: SSLContext, ca_file: Path, cases: list[tuple[str, int]]
) -> None:
    wrong = {}
    for rule, number in cases:
        seen = await look(rule, number, tls, ca_file)
        blocking = {name for name, severities in seen.items() if Severity.BLOCK in severities}
        if rule not in seen or not blocking <= {rule}:
            wrong[rule, number] = seen

    assert wrong == {}
    assert len(cases) >= 6


def test_every_rule_but_that_of_addresses_has_servers_that_are_played() -> None:
    assert BAD.keys() - {rule for rule, _ in ALL} == {"L-604"}
    assert len(ALL) >= 200

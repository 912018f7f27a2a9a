"""A collector's header, sealed (ORG-14): it leaves for the feed it was entered for, there and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.vault.anything import AnythingLeaves
from tests.vault.conftest import House, binding, secret
from valetkey.audit.feed import repository
from valetkey.audit.feed.model import Feed
from valetkey.audit.feed.there import FeedsThere
from valetkey.identity.organizations import Organizations
from valetkey.kernel.errors import BadInput, VaultFailed
from valetkey.kernel.secret import Secret
from valetkey.net.url import parse_url
from valetkey.vault.broker import Vault
from valetkey.vault.feed_keys import FeedKeys
from valetkey.vault.model import BEARER, Binding, HeaderTemplate
from valetkey.vault.release import AlsoForFeeds, NothingLeaves, NotReleased

HERE = parse_url("https://collector.example/v1/logs")
LINE = b"authorization: Bearer CANARY-collector\r\n"


async def opened(house: House, *, header: str = "authorization", value: str = "Bearer CANARY-collector") -> tuple[
    Vault, FeedKeys, Feed
]:  # fmt: skip
    """A vault by the rule for feeds alone, with one feed that is there."""
    vault = house.vault()
    vault.release_by(AlsoForFeeds(FeedsThere(house.main), NothingLeaves()))
    ours = (await Organizations(house.main, clock=house.clock).create("Ours", "organization")).id
    feed = Feed(
        id="feed_1", organization_id=ours, kind="otlp", address="otlp+https://collector.example",
        created_at=house.clock.now(), delivered=0, header=header,
    )  # fmt: skip
    keys = FeedKeys(vault)
    await keys.keep_header(feed, HERE, Secret(value))
    async with house.main.write() as tx:
        await repository.add(tx, feed)
    return vault, keys, feed


async def test_it_leaves_for_its_feed_once_for_each_request_until_the_feed_is_removed(house: House) -> None:
    _, keys, feed = await opened(house)

    for _ in range(2):
        ticket = await keys.ticket(feed, HERE)
        buffer = bytearray(ticket.size)
        ticket.write_into(memoryview(buffer))
        assert (bytes(buffer), ticket.origin) == (LINE, "https://collector.example")

    async with house.main.write() as tx:
        await repository.remove(tx, feed.id)
    with pytest.raises(NotReleased):
        await keys.ticket(feed, HERE)
    await keys.forget(feed)
    async with house.main.write() as tx:
        await repository.add(tx, feed)
    with pytest.raises(VaultFailed):
        await keys.ticket(feed, HERE)


async def test_no_other_feed_call_organization_or_place_gets_it(house: House) -> None:
    vault, keys, feed = await opened(house)
    theirs = (await Organizations(house.main, clock=house.clock).create("Theirs", "organization")).id
    its = Binding(
        tenant=feed.organization_id, person="", subject="feed:feed_1", purpose="header:authorization",
        origin="https://collector.example",
    )  # fmt: skip
    template = HeaderTemplate(b"authorization")

    for wrong in (
        replace(feed, id="feed_2"), replace(feed, organization_id=theirs), replace(feed, header="x-api-key"),
    ):  # fmt: skip
        with pytest.raises(NotReleased):
            await keys.ticket(wrong, HERE)
    for elsewhere in ("https://elsewhere.example/v1/logs", "https://collector.example:4318/v1/logs"):
        with pytest.raises(VaultFailed):
            await keys.ticket(feed, parse_url(elsewhere))
    for call_id in ("call_1", "feed:feed_2", "feed_1", ""):
        with pytest.raises(NotReleased):
            await vault.ticket([(template, its)], origin=its.origin, call_id=call_id)


async def test_by_a_feed_nothing_else_leaves(house: House) -> None:
    """The rule lets out what is a feed's, and asks the other rule for all the rest, whatever the request is called."""
    vault, _, feed = await opened(house)
    token = replace(binding(), tenant=feed.organization_id)
    await vault.seal(secret("a token"), bound_to=token)

    with pytest.raises(NotReleased):
        await vault.ticket([(BEARER, token)], origin=token.origin, call_id="feed:feed_1")


async def test_a_feed_s_header_never_leaves_from_memory_whatever_the_other_rule_says(house: House) -> None:
    rule = AlsoForFeeds(FeedsThere(house.main), AnythingLeaves())

    assert not rule.holds_now("feed:feed_1", binding(subject="feed:feed_1", purpose="header:x-api-key"))
    assert rule.holds_now("call_1", binding())


@pytest.mark.parametrize(("header", "value"), [
    ("host", "x"), ("content-length", "1"), ("content-type", "text/plain"), ("cookie", "a=b"), ("a b", "x"),
    ("x-key", "a\r\nb: c"), ("x-key", " a"), ("x-key", "x" * 20_000), ("transfer-encoding", "chunked"),
])  # fmt: skip
async def test_a_header_that_is_ours_or_would_break_the_request_is_refused(
    house: House, header: str, value: str
) -> None:
    with pytest.raises(BadInput):
        await opened(house, header=header, value=value)

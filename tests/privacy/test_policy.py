"""The privacy policy: until there is one nothing is connected; each version stays, and a new one is told (S-04)."""

from __future__ import annotations

import pytest

from tests.api.hub import Hub, open_hub
from tests.conftest import FakeClock
from valetkey.audit.model import Everyone
from valetkey.kernel.errors import BadInput, NotFound
from valetkey.privacy.consent import TEXT_HASH
from valetkey.privacy.policy import LONGEST, NOT_SET, TEMPLATE, NoPolicy, Section
from valetkey.store.database import Database

OURS = "# What we keep\r\n\r\nLittle,\r\nand briefly.\r\n\r\nAsk us."


@pytest.fixture
async def hub(database: Database, clock: FakeClock) -> Hub:
    return await open_hub(database, clock)


async def test_until_there_is_a_policy_nothing_can_be_connected(hub: Hub) -> None:
    policies = hub.services.privacy.policies
    assert await policies.current() == NOT_SET

    with pytest.raises(NoPolicy, match="no privacy policy"):
        await policies.demand()

    await policies.accept(actor="operator")
    await policies.demand()


async def test_each_version_stays_as_it_was_and_the_trail_says_who_published_it(hub: Hub) -> None:
    policies = hub.services.privacy.policies
    await policies.accept(actor="operator")
    hub.clock.advance(86400.0)
    await policies.publish(OURS, actor="operator")

    assert [(one.number, one.is_template, one.text) for one in await policies.list()] == [
        (2, False, OURS),
        (1, True, TEMPLATE),
    ]
    assert (await policies.get(1)).text == TEMPLATE
    assert (await policies.current()).number == 2
    published = [one for one in await hub.services.trail.list(Everyone()) if one.event == "privacy_policy.published"]
    assert [(one.object, one.actor) for one in published] == [("2", "operator"), ("1", "operator")]
    with pytest.raises(NotFound):
        await policies.get(3)


async def test_the_same_words_again_are_no_new_version(hub: Hub) -> None:
    policies = hub.services.privacy.policies

    first, again = await policies.publish(OURS, actor="operator"), await policies.publish(OURS, actor="operator")

    assert first == again
    assert len(await policies.list()) == 1


async def test_who_was_here_before_is_told_of_a_change_until_they_have_read_it(hub: Hub) -> None:
    policies, ada = hub.services.privacy.policies, hub.people["ada"]
    await policies.accept(actor="operator")
    assert not await policies.is_news_to(ada)

    hub.clock.advance(60.0)
    await policies.publish(OURS, actor="operator")
    new = await hub.add("new", ada.organization_id, ada.role)

    assert await policies.is_news_to(ada)
    assert not await policies.is_news_to(new)
    await policies.saw(ada, 2)
    assert not await policies.is_news_to(ada)


async def test_a_yes_to_training_is_written_down_with_the_version_that_held(hub: Hub) -> None:
    await hub.services.privacy.policies.publish(OURS, actor="operator")
    eve = hub.people["eve"]

    given = await hub.services.privacy.consents.give(eve, text_hash=TEXT_HASH, actor=f"person:{eve.id}")

    assert given.policy_version == "1"


async def test_a_text_is_read_as_headings_and_paragraphs(hub: Hub) -> None:
    published = await hub.services.privacy.policies.publish(OURS, actor="operator")

    assert published.sections == [Section("What we keep", ("Little, and briefly.", "Ask us."))]
    assert [one.title for one in NOT_SET.sections] == [
        "What is kept", "What it is used for", "Who receives it", "When it is gone",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "  \n", "x" * (LONGEST + 1), "a\x00b", "a\u202eb"])
async def test_what_cannot_be_a_policy_is_refused(hub: Hub, text: str) -> None:
    with pytest.raises(BadInput, match="printable"):
        await hub.services.privacy.policies.publish(text, actor="operator")

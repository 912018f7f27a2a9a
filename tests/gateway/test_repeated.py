"""PERM-14: a read that is repeated is one question; a write never is. T36 at the door, with a thousand at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.gateway.client import Got
from tests.gateway.conftest import Hub
from tests.gateway.service import Service
from tests.gateway.test_bridge import front as front  # either front is the same here
from tests.gateway.test_confirm import question, say_yes, was_asked
from valetkey.policy.model import Setting


def were_asked(answers: list[Got]) -> int:
    return sum(was_asked(got, "/approvals/") for got in answers)


async def test_thirty_reads_are_one_question_and_one_yes_is_for_all_of_them(hub: Hub, modern: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    await hub.policy.ceilings.set(hub.organization_id, Setting.ASK, actor="person:o", tool="echo")
    client = await hub.client(ada, modern)

    first = await asyncio.gather(*(client.call("echo", {"text": "hi"}) for _ in range(30)))
    waiting = await question(hub, ada)  # there is one
    await say_yes(hub, ada)
    second = await asyncio.gather(*(client.call("echo", {"text": "hi"}) for _ in range(31)))

    assert were_asked(first) == 30
    assert waiting.times == 30
    assert were_asked(second) == 1
    assert len(modern.calls) == 30


async def test_two_writes_are_two_questions(hub: Hub, modern: Service) -> None:
    """PERM-14, S-27 (e)."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)

    answers = await asyncio.gather(*(client.call("delete_all", {"id": 1}) for _ in range(2)))
    first = await say_yes(hub, ada)
    again = await asyncio.gather(*(client.call("delete_all", {"id": 1}) for _ in range(2)))
    second = await question(hub, ada)

    assert were_asked(answers) == 2
    assert were_asked(again) == 1
    assert len(modern.calls) == 1
    assert second.id != first.id


@pytest.mark.long
async def test_of_a_thousand_that_repeat_the_approved_call_at_once_one_is_made(hub: Hub, modern: Service) -> None:
    """T36, at the door: replayed, at the edge of its time, and after it was sent."""
    ada = await hub.person("ada")
    await hub.connect(ada, modern, "adas-token")
    client = await hub.client(ada, modern)
    await client.call("delete_all")
    await say_yes(hub, ada)

    answers = await asyncio.gather(*(client.call("delete_all") for _ in range(1000)))

    assert len(modern.calls) == 1
    assert were_asked(answers) == 999
    assert were_asked([await client.call("delete_all")]) == 1
    await say_yes(hub, ada)
    hub.clock.advance(300)
    assert were_asked([await client.call("delete_all")]) == 1
    assert len(modern.calls) == 1

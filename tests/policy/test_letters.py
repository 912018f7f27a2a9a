"""A letter says that something waits, and where; not what, and not again for each thing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import FakeClock
from valetkey.kernel.errors import OutboundFailed
from valetkey.policy.letters import QUIET, Letters, letter

HUB = "https://hub.example"


class Waiting:
    """An approval, as far as letters look at it. What they must not tell is not even here."""

    def __init__(self, number: int, person_id: str = "ada") -> None:
        self.id, self.person_id = f"approval_{number}", person_id
        self.path = f"/approvals/{self.id}"


class Sent:
    def __init__(self, clock: FakeClock, *, fails: bool = False) -> None:
        self.letters: list[tuple[str, str]] = []
        self._fails = fails
        self.room = Letters(self.send, self.address_of, clock=clock, public_url=HUB)

    async def send(self, address: str, _subject: str, text: str, _letter_id: str) -> None:
        self.letters.append((address, text))
        if self._fails:
            error = OutboundFailed("The mail server refused it.")
            error.is_for_good = True  # type: ignore[attr-defined]  # as `MailRefused` has it
            raise error

    async def address_of(self, person_id: str) -> str:
        return "" if person_id == "no-mail" else f"{person_id}@home.example"

    async def asked(self, *waiting: Any) -> None:
        for one in waiting:
            await self.room.asked(one)
        await self.room.settle()


async def test_it_has_the_link_and_names_neither_tool_nor_service(clock: FakeClock) -> None:
    sent = Sent(clock)

    await sent.asked(Waiting(1))

    assert sent.letters == [("ada@home.example", letter(f"{HUB}/approvals/approval_1")[1])]


async def test_one_letter_stands_for_what_comes_in_the_next_two_minutes(clock: FakeClock) -> None:
    sent = Sent(clock)

    await sent.asked(Waiting(1), Waiting(2), Waiting(3, "ben"))
    clock.advance(QUIET + 1)
    await sent.asked(Waiting(4))

    assert [to for to, _ in sent.letters] == ["ada@home.example", "ben@home.example", "ada@home.example"]
    assert "approval_4" in sent.letters[2][1]


@pytest.mark.parametrize(("fails", "person"), [(True, "ada"), (False, "no-mail")])
async def test_that_none_can_be_sent_changes_nothing(clock: FakeClock, fails: bool, person: str) -> None:
    sent = Sent(clock, fails=fails)

    await sent.asked(Waiting(1, person))

    assert len(sent.letters) == fails

"""Programs as servers: one for each connection, bounded in everything they can do to the hub, gone when it is."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from tests.conftest import FakeClock
from valetkey.kernel.errors import OutboundFailed
from valetkey.net.model import Answer, BadAnswer, TimedOut, TooLarge, Unreachable, Url
from valetkey.protocol.messages import ToolCall
from valetkey.store.database import Database
from valetkey.upstream.client import Upstreams
from valetkey.upstream.model import LocalServer, Target
from valetkey.upstream.stdio import STARTS_PER_MINUTE
from valetkey.upstream.streamable_http import CALL_LIMITS

PROGRAM = str(Path(__file__).with_name("odd_program.py"))
HOW = (
    *("well", "stubborn", "parent", "dies", "dies later", "garbage", "one line", "talks", "floods", "asks", "silent"),
    *("modern", "shy", "strict"),
)


async def no_network(*_: Any, **__: Any) -> Answer:
    raise AssertionError("a local server is never looked for in the network")


class NoNetwork:
    post = staticmethod(no_network)

    def issuer(self, _pool: str) -> str:
        return ""


async def no_ticket() -> None:
    return None


async def unheard(_message: bytes) -> None:
    return None


Start = Callable[..., Upstreams]


@pytest.fixture
async def start(sqlite_database: Database, clock: FakeClock) -> AsyncIterator[Start]:
    """Gives a client of local servers: one for each way to (mis)behave."""
    made: list[Upstreams] = []

    def make(**environment: str) -> Upstreams:
        servers = {
            how: LocalServer(how, (sys.executable, PROGRAM, how), environment) for how in (*HOW, "deaf")
        }  # fmt: skip
        servers["missing"] = LocalServer("missing", ("/nowhere/program",), {})
        limits = replace(CALL_LIMITS, total=3.0, idle=3.0)
        made.append(Upstreams(NoNetwork(), sqlite_database, clock, limits=limits, local=servers, program_patience=0.3))
        return made[-1]

    yield make
    for upstreams in made:
        await upstreams.stop()


def target(how: str, connection: str = "cn_ada") -> Target:
    return Target(Url(f"stdio://{how}", "stdio", how, 0, "", ""), connection, how)


async def call(upstreams: Upstreams, how: str, text: str = "hi", *, connection: str = "cn_ada", **more: Any) -> str:
    asked = ToolCall("echo", json.dumps({"say": text}).encode(), {}, {}, **more)
    relay = more.pop("relay", unheard)
    carried = await upstreams.call(
        target(how, connection), asked, params=(), ticket=None, further_tickets=no_ticket, relay=relay
    )
    assert carried.result, carried.error
    return str(json.loads(carried.result)["content"][0]["text"])


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")


async def gone(pid: int) -> None:
    while is_running(pid):
        await asyncio.sleep(0.01)


async def test_a_program_is_started_when_it_is_needed_and_kept(start: Start) -> None:
    upstreams = start()

    listing = await upstreams.list_tools(target("well"), ticket=None, further_tickets=no_ticket)
    first, second = await call(upstreams, "well", "pid"), await call(upstreams, "well", "pid")

    assert [json.loads(tool)["name"] for tool in listing.tools] == ["echo"]
    assert first == second
    assert is_running(int(first))


async def test_each_connection_has_a_program_of_its_own(start: Start) -> None:
    upstreams = start()

    pids = {await call(upstreams, "well", "pid", connection=who) for who in ("cn_ada", "cn_ben", "cn_ada")}

    assert len(pids) == 2


async def test_a_program_finds_what_it_was_granted_and_nothing_else_of_the_hubs(start: Start) -> None:
    os.environ["VALETKEY_TEST_SECRET"] = "canary"
    try:
        found = json.loads(await call(start(SHOWN="yes"), "well", "environment"))
    finally:
        del os.environ["VALETKEY_TEST_SECRET"]

    found.pop("LC_CTYPE", None)  # set by Python itself
    assert found == {"SHOWN": "yes"}


async def test_a_disconnected_account_stops_its_program_and_no_other(start: Start) -> None:
    upstreams = start()
    adas, bens = [int(await call(upstreams, "well", "pid", connection=who)) for who in ("cn_ada", "cn_ben")]

    await upstreams.close("cn_ada")

    await asyncio.wait_for(gone(adas), 5)
    assert is_running(bens)


@pytest.mark.parametrize("how", ["well", "stubborn", "parent"])
async def test_no_program_outlives_the_hub_however_it_clings(start: Start, how: str) -> None:
    upstreams = start()
    with capture_logs() as logs:
        pid = int(await call(upstreams, how, "pid"))
        await upstreams.stop()

    assert not is_running(pid)
    for entry in logs:
        if entry.get("line", "").startswith("child "):
            await asyncio.wait_for(gone(int(entry["line"].split()[1])), 5)


async def test_a_program_that_died_is_started_anew_at_the_next_call(start: Start) -> None:
    upstreams = start()
    before = int(await call(upstreams, "well", "pid"))
    os.kill(before, 9)
    await gone(before)

    try:
        after = await call(upstreams, "well", "pid")
    except Unreachable:  # said into the dead one's pipe before the hub had noticed, and so not said twice
        after = await call(upstreams, "well", "pid")

    assert int(after) != before


async def test_a_program_that_dies_within_a_call_is_told_and_the_call_is_not_made_twice(start: Start) -> None:
    with pytest.raises(OutboundFailed):
        await call(start(), "dies later")


async def test_a_program_that_keeps_ending_is_not_started_for_ever(start: Start, clock: FakeClock) -> None:
    upstreams = start()
    for _ in range(STARTS_PER_MINUTE + 2):
        with pytest.raises(OutboundFailed) as failed:
            await call(upstreams, "dies")

    assert "keeps ending" in failed.value.message
    clock.advance(61)
    with pytest.raises(OutboundFailed) as failed:
        await call(upstreams, "dies")
    assert "keeps ending" not in failed.value.message


@pytest.mark.parametrize(
    ("how", "error"), [("garbage", BadAnswer), ("one line", TooLarge), ("floods", TooLarge), ("silent", TimedOut)]
)
async def test_a_program_that_talks_nonsense_too_much_or_not_at_all_is_ended(
    start: Start, how: str, error: type[OutboundFailed], monkeypatch: pytest.MonkeyPatch
) -> None:
    upstreams = start()
    with pytest.raises((error, Unreachable)):
        await asyncio.wait_for(call(upstreams, how), 20)

    assert await call(upstreams, "well", connection="cn_ben") == "hi"  # others go on


async def test_a_program_that_does_not_exist_or_is_not_offered_cannot_be_started(start: Start) -> None:
    upstreams = start()
    with pytest.raises(Unreachable, match="could not be started"):
        await call(upstreams, "missing")
    with pytest.raises(Unreachable, match="not offered"):
        await call(upstreams, "another")


async def test_what_it_asks_gets_an_answer_and_its_progress_arrives(start: Start) -> None:
    heard: list[bytes] = []

    async def hear(message: bytes) -> None:
        heard.append(message)

    upstreams = start()
    asked = ToolCall("echo", b'{"say":\n"hi"}', {}, {}, progress_token=b'"p1"')
    carried = await upstreams.call(target("asks"), asked, params=(), ticket=None, further_tickets=no_ticket, relay=hear)

    assert json.loads(carried.result)["content"][0]["text"] == "hi"
    assert [json.loads(message)["params"]["progressToken"] for message in heard] == ["p1"]


async def test_what_it_says_on_the_side_is_logged_without_secrets(start: Start) -> None:
    structlog.reset_defaults()
    upstreams = start(SHOWN="a-granted-secret")
    with capture_logs() as logs:
        await call(upstreams, "talks")
        while not (said := [entry["line"] for entry in logs if entry["event"] == "a local server said"]):
            await asyncio.sleep(0.01)

    assert "token is [redacted] and [redacted]" in said[0]
    assert "\x1b" not in said[0]


async def test_a_line_is_nobodys_but_the_connections_that_opened_it(start: Start) -> None:
    """Even who knew the line's id could not put a request on it, nor hear what is said there."""
    upstreams = start()
    await call(upstreams, "well")
    lines = upstreams._lines
    [session] = lines._lines
    body = b'{"jsonrpc":"2.0","id":7,"method":"tools/list","params":{}}'

    async def ask(connection: str) -> int:
        headers = [(b"mcp-session-id", session)]
        to = target("well", connection)
        answer = await lines.post(to.url, headers, body, credential=None, pool=connection, limits=CALL_LIMITS)
        await answer.aclose()
        return answer.status

    assert (await ask("cn_ben"), await ask("cn_ada")) == (404, 200)


# --- which era a program is of ---------------------------------------------------------------------------------------


async def test_a_program_of_the_modern_revision_only_is_served_without_a_handshake(start: Start) -> None:
    upstreams = start()

    listing = await upstreams.list_tools(target("modern"), ticket=None, further_tickets=no_ticket)
    said = [await call(upstreams, "modern", "pid") for _ in range(3)]

    assert [json.loads(tool)["name"] for tool in listing.tools] == ["echo"]
    assert upstreams.speaks_modern(target("modern"))
    assert len(set(said)) == 1


async def test_people_who_ask_at_once_share_no_program_and_one_person_needs_one(start: Start) -> None:
    upstreams = start()

    asking = [call(upstreams, "modern", "pid", connection=who) for who in ("cn_ada", "cn_ben") * 4]
    pids = await asyncio.gather(*asking)

    assert len(set(pids)) == 2
    assert len({*pids[::2]}) == 1


@pytest.mark.parametrize("how", ["shy", "strict", "well"])
async def test_a_program_that_does_not_know_the_question_is_of_the_handshake_eras(start: Start, how: str) -> None:
    """Whether it says that there is no such method, says nothing, or ends."""
    upstreams = start()

    assert await call(upstreams, how) == "hi"

    assert not upstreams.speaks_modern(target(how))


async def test_a_call_given_up_is_cancelled_at_a_modern_program_by_a_message(start: Start) -> None:
    upstreams = start()
    await call(upstreams, "modern")
    given_up = asyncio.ensure_future(call(upstreams, "modern", "wait"))
    while await call(upstreams, "modern", "waiting") == "[]":
        await asyncio.sleep(0)

    given_up.cancel()

    async with asyncio.timeout(5):
        while await call(upstreams, "modern", "waiting") != "[]":
            await asyncio.sleep(0)


async def test_a_modern_program_tells_of_changes_and_is_told_when_nobody_listens(start: Start) -> None:
    upstreams = start()
    heard: asyncio.Queue[str] = asyncio.Queue()
    upstreams.news.append(lambda connection, message: heard.put_nowait(f"{connection} {message.method}"))
    listening = asyncio.ensure_future(
        upstreams.listen(target("modern"), b'{"toolsListChanged":true}', (), ticket=None, further_tickets=no_ticket)
    )
    async with asyncio.timeout(5):
        while not (await heard.get()).endswith("list_changed"):
            pass
    assert await call(upstreams, "modern", "waiting") != "[]"

    listening.cancel()

    async with asyncio.timeout(5):
        while await call(upstreams, "modern", "waiting") != "[]":
            await asyncio.sleep(0)


async def test_a_modern_program_that_died_is_started_anew_at_the_next_call(start: Start) -> None:
    upstreams = start()
    before = int(await call(upstreams, "modern", "pid"))
    os.kill(before, 9)
    await gone(before)

    try:
        after = await call(upstreams, "modern", "pid")
    except Unreachable:  # said into the dead one's pipe before the hub had noticed, and so not said twice
        after = await call(upstreams, "modern", "pid")

    assert int(after) != before
    assert upstreams.speaks_modern(target("modern"))

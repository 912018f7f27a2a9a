"""The command line and the API against a real hub and a real service: a key goes in, a call goes out, it is gone."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2
import pytest

from tests.cli.conftest import environment, first_words, start
from tests.cli.transcript import play
from tests.gateway.service import Service
from valetkey.cli.hub_client import open_hub
from valetkey.demo.story.browser import Browser
from valetkey.directory.connectors import FEWEST

HERE = Path(__file__).parent
PASSWORD = "four unrelated words here"
KEY = "CANARY-open-sesame"
SCOPES = ["connectors:read", "connections:read", "connections:write", "permissions:write", "calls:read", "calls:run"]


@dataclass(frozen=True)
class Shell:
    """Commands on the hub's host; `token` makes them the owner's."""

    home: Path
    url: str
    token: str
    browser: Browser

    async def run(self, *arguments: str, own: bool = False, stdin: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "valetkey",
            *arguments,
            env=environment(self.home) | ({"VALETKEY_TOKEN": self.token} if own else {}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def ask(self, *arguments: str, own: bool = False, stdin: str = "") -> Any:
        code, out, err = await self.run(*arguments, "--json", own=own, stdin=stdin)
        assert code == 0, err
        return json.loads(out)

    async def ask_result(self, *arguments: str) -> dict[str, Any]:
        """What a tool answered, errors included, to the person."""
        _code, out, err = await self.run(*arguments, "--json", own=True)
        assert out, err
        result: dict[str, Any] = json.loads(out)["result"]
        return result

    async def tools(self, connection_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._api("get", f"/connections/{connection_id}/tools"))["items"]
        return found

    async def switch_on(self, connection_id: str, tool: dict[str, Any]) -> None:
        chosen = {"name": tool["name"], "fingerprint": tool["fingerprint"]}
        await self._api("post", f"/connections/{connection_id}/tools", {"on": [chosen]})

    async def _api(self, method: str, path: str, *body: dict[str, Any]) -> Any:
        with mock.patch.dict("os.environ", {"VALETKEY_TOKEN": self.token}):
            hub = open_hub(url="", data=str(self.home / "data"))
        return await asyncio.to_thread(getattr(hub, method), path, *body)

    def organize(self, number: int, listing: str) -> None:
        """An organization of one owner, who switched the listing on."""
        hub = open_hub(url="", data=str(self.home / "data"))
        made = hub.post("/organizations", {"name": f"Organization {number}"})
        hub.post("/people", {"login": f"owner{number}", "organization_id": made["id"], "role": "owner"})
        hub.post(f"/directory/{listing}", {}, person=f"owner{number}")

    def found_on_page(self, words: str, category: str) -> list[str]:
        """The entries behind the tiles of the directory's page."""
        self.browser.open(f"{self.url}/directory")
        page = self.browser.press("Find", {"q": words, "category": category})
        return [href.rpartition("/")[2] for _, href in page.links if href.startswith("/connections/new/")]


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    running = Service("modern")
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def shell() -> AsyncIterator[Shell]:
    with tempfile.TemporaryDirectory(prefix="vk-story-", dir="/tmp") as directory:
        home = Path(directory)
        process = start(home, "--allow-network", "127.0.0.1/32", "--privacy-policy", "template")
        try:
            said = await asyncio.to_thread(first_words, process)
            browser = Browser()
            token = await asyncio.to_thread(sign_in, browser, said["sign in"], said["ready"])
            yield Shell(home, said["ready"], token, browser)
            browser.close()
        finally:
            process.terminate()
            await asyncio.to_thread(process.communicate, timeout=60)


def sign_in(browser: Browser, link: str, url: str) -> str:
    """As a person would: the link, a password, and a token for programs from the settings page."""
    browser.open(link)
    browser.press("Continue")
    browser.press("Set password", {"password": PASSWORD, "repeat": PASSWORD})
    browser.open(f"{url}/settings/tokens/new")
    if browser.page.has("Is it you?"):
        browser.press("Confirm", {"password": PASSWORD})
    page = browser.press("Create", {"name": "shell", "audience": "/api/v1", "days": "1", "scope": SCOPES})
    return next(code for code in page.codes if code.startswith("vkt_"))


async def test_nobody_connects_who_did_not_read_what_is_said_of_the_service_today(
    shell: Shell, service: Service
) -> None:
    """S-24: without the version, with another, and after a fact has changed; then with the one of today."""
    given = {"url": service.url, "token": shell.token}
    await asyncio.to_thread(play, HERE / "apart/acknowledge.txt", environment(shell.home), **given)

    assert service.seen
    assert service.calls == []


async def test_a_search_finds_the_same_in_the_same_order_on_pages_over_the_api_and_by_command(shell: Shell) -> None:
    """DIR-01: first what is there already, then what most organizations have, then the rest by name."""
    custom = await shell.ask("connector", "add", "https://mcp.example.org/mcp", "--name", "Own mcp", "--user", "owner")
    await shell.ask("connector", "add", "stripe", "--user", "owner")
    for number in range(FEWEST):
        await asyncio.to_thread(shell.organize, number, "sentry")

    for words, category in (("", ""), ("  MCP  notion ", ""), ("", "documents")):
        on_page = await asyncio.to_thread(shell.found_on_page, words, category)
        with_token = {"authorization": f"Bearer {shell.token}"}
        async with httpx2.AsyncClient(base_url=shell.url, headers=with_token, trust_env=False) as http:
            over_api: list[dict[str, str]] = []
            asked = {"q": words, "category": category, "limit": "7"}
            while asked.get("cursor", "") is not None:
                answer = (await http.get("/api/v1/directory", params=asked)).json()
                over_api += answer["items"]
                asked["cursor"] = answer["next"]
        by_command = (await shell.ask("connector", "list", words, "--category", category, own=True))["items"]

        assert on_page == [one["slug"] for one in over_api] == [one["slug"] for one in by_command]
        assert len(set(on_page)) == len(on_page)
        if not words and not category:
            assert on_page[:3] == [custom["slug"], "stripe", "sentry"]
            names = [one["name"].lower() for one in over_api[3:]]
            assert names == sorted(names)
            assert len(names) > 40


@pytest.mark.parametrize("by_url", [False, True], ids=["by socket", "by url"])
async def test_a_key_goes_in_a_call_goes_out_and_it_is_gone(shell: Shell, service: Service, by_url: bool) -> None:
    there = ["--url", shell.url] if by_url else []

    # 1. The operator adds the connector; the key goes in by standard input, with the person's own token.
    added = await shell.ask(
        "connector", "add", service.url, "--auth", "header", "--header", "X-API-Key", "--user", "owner"
    )
    slug = added["slug"]
    told = (await shell.ask("connector", "show", slug, own=True))["disclosure"]["version"]
    connected = await shell.ask(
        "connection", "connect", slug, "--header", "X-API-Key", "--acknowledge", told, *there, own=True,
        stdin=f"{KEY}\n",
    )  # fmt: skip
    assert (connected["state"], connected["review_label"]) == ("connected", "Custom – unverified")

    # 2. Nobody said yes to it: a call is not made, the page to say it is named, and the service sees nothing of it.
    refused = await shell.ask_result("call", "run", slug, "echo", '{"text": "hi"}', *there)
    assert refused["isError"]
    assert f"{shell.url}/approvals/" in json.dumps(refused)
    assert service.calls == []

    # 3. Switched on in the definition that was looked at, it runs with the person's own key.
    tools = await shell.tools(connected["id"])
    assert {tool["name"]: tool["switched_on"] for tool in tools} == {"echo": False, "delete_all": False}
    await shell.switch_on(connected["id"], tools[0])
    code, out, err = await shell.run("call", "run", slug, "echo", '{"text": "hi"}', *there, own=True)
    assert code == 0, err
    assert "hi" in out
    assert [seen.header("x-api-key") for seen in service.calls] == [KEY]
    code, out, err = await shell.run("connector", "show", slug, *there, own=True)
    assert "echo" in out.partition("account main")[2]

    # … and back, and blocked, and all at once; what is hard to take back is not always allowed, whoever asks.
    shown = (await shell.ask("connection", "permit", slug, "ask", "echo", *there, own=True))["items"]
    assert [(one["name"], one["setting"]) for one in shown] == [("echo", "ask"), ("delete_all", "class")]
    _, table, level = await shell.run("connection", "level", slug, "before_changes", *there, own=True)
    assert (re.findall("echo .*", table)[0].split()[2:], level) == (
        ["allow", "allow", "person_allow"], "Level: before_changes\n",
    )  # fmt: skip
    code, _, err = await shell.run("connection", "permit", slug, "allow", "delete_all", *there, own=True)
    assert (code, "cannot be always allowed" in err) == (1, True)
    code, _, err = await shell.run("connection", "permit", slug, "allow", "nothing", *there, own=True)
    assert (code, "There is no tool nothing there." in err) == (1, True)
    assert (await shell.ask("connection", "tools", slug, *there, own=True))["level"] == "before_changes"

    # What the service changed is shown, and accepted by name; here it changed nothing.
    raised = await shell.ask("connector", "raise", slug, "W", "--tool", "echo", *there, own=True)
    assert raised["raised"] == {"echo": "W"}
    assert (await shell.ask("connection", "changes", slug, *there, own=True))["items"] == []
    code, _, err = await shell.run("connection", "accept", slug, "echo", *there, own=True)
    assert (code, "Nothing of echo is held back there." in err) == (1, True)

    # 4. A profile names what of it an assistant may find; what is not said again stays.
    made = await shell.ask("profile", "add", "work", "--take", f"{slug}:echo", *there, own=True)
    assert (made["path"], made["connections"][0]["tools"]) == ("/p/work/mcp", ["echo"])
    changed = await shell.ask("profile", "set", "work", "--title", "At work", *there, own=True)
    assert (changed["title"], changed["connections"]) == ("At work", made["connections"])
    code, _, err = await shell.run("profile", "set", "work", "--take", "nothing", *there, own=True)
    assert (code, "no account nothing" in err) == (1, True)
    await shell.ask("profile", "add", "short", "--take", slug, *there, own=True)
    for resource in ("/p/short/mcp", "/p/work/mcp"):
        await shell.ask("token", "create", "--resource", resource, "--user", "owner")
    await shell.run("profile", "remove", "short", *there, own=True)
    tokens = (await shell.ask("token", "list", "--user", "owner"))["items"]
    assert [one["resource"] for one in tokens if one["resource"].startswith("/p/")] == ["/p/work/mcp"]

    # 5. The log: the person reads what was in it, the operator that it was.
    calls = (await shell.ask("call", "list", "--tool", "echo"))["items"]
    assert [call["outcome"] for call in calls] == ["ok", "input_required"]
    mine = await shell.ask("call", "show", calls[0]["id"], *there, own=True)
    theirs = await shell.ask("call", "show", calls[0]["id"])
    assert (mine["contents"], theirs["contents"]) == ("shown", "not_yours")
    assert mine["request"]["arguments"] == {"text": "hi"}
    assert theirs["request"] is None

    # 6. Disconnected, there is nothing left to call with; and at no time did anything print the key.
    receipt = await shell.ask("connection", "disconnect", slug, *there, own=True)
    assert receipt["keys_destroyed"] >= 1
    after = await shell.ask_result("call", "run", slug, "echo", '{"text": "hi"}', *there)
    assert after["isError"]
    assert len(service.calls) == 1
    assert (await shell.ask("profile", "show", "work", *there, own=True))["connections"] == []
    for path in (shell.home / "data").rglob("*"):
        assert path.is_dir() or not path.is_file() or KEY.encode() not in path.read_bytes()
    trail = await shell.ask("trail", "list")
    assert KEY not in json.dumps([trail, mine, theirs, connected])

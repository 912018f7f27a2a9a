"""Every no is a problem (RFC 9457) that names the culprit and never repeats what was sent."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from tests.api.hub import Hub
from tests.api.things import give_things
from valetkey.api.problems import answer_to
from valetkey.kernel.errors import (
    ConnectFailed,
    NotConnected,
    NotRecorded,
    Refused,
    TooMany,
    ValetkeyError,
    VaultFailed,
)
from valetkey.net.model import TimedOut, Unreachable

CANARY = "CANARY-7f3a"


def check_is_problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    problem: dict[str, Any] = answer.json()
    assert (problem["status"], problem["code"], problem["type"]) == (status, code, "about:blank")
    assert problem["title"]
    assert problem["detail"].endswith(".")
    return problem


async def test_an_unknown_path_is_a_problem(hub: Hub) -> None:
    check_is_problem(await hub.operator.get("/nope"), 404, "not_found")
    check_is_problem(await hub.operator.get("/people/"), 404, "not_found")


async def test_a_stranger_learns_nothing_about_which_paths_there_are(hub: Hub) -> None:
    unknown, known = await hub.nobody.get("/nope"), await hub.nobody.get("/people")

    assert check_is_problem(unknown, 401, "not_signed_in") == check_is_problem(known, 401, "not_signed_in")


@pytest.mark.parametrize(("path", "allowed"), [("/people", "GET, POST"), ("/tokens/x", "DELETE"), ("/health", "GET")])
async def test_a_wrong_method_is_told_which_are_right(hub: Hub, path: str, allowed: str) -> None:
    answer = await hub.operator.request("PATCH", path)

    check_is_problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize(
    "authorization",
    ["Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "vkt_x", f"Bearer {CANARY}", "Bearer vkt_" + "x" * 5000, "Bearer \xff"],
)
async def test_a_token_that_is_none_is_refused_without_being_repeated(hub: Hub, authorization: str) -> None:
    answer = await hub.nobody.get("/me", headers=[(b"authorization", authorization.encode("latin-1"))])

    check_is_problem(answer, 401, "not_signed_in")
    assert answer.headers["www-authenticate"] == 'Bearer realm="valetkey", error="invalid_token"'
    assert CANARY not in answer.text


async def test_two_tokens_are_none_and_one_in_the_url_is_none_either(hub: Hub) -> None:
    token = await hub.token("ada", "people:read")

    twice = await hub.nobody.get("/me", headers=[(b"authorization", f"Bearer {token}".encode())] * 2)
    in_url = await hub.nobody.get("/me", params={"access_token": token, "token": token})

    assert (twice.status_code, in_url.status_code) == (401, 401)


async def test_a_bad_token_on_the_control_socket_does_not_fall_back_to_the_operator(hub: Hub) -> None:
    answer = await hub.operator.get("/people", headers={"authorization": "Bearer vkt_nonsense"})

    check_is_problem(answer, 401, "not_signed_in")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "n"}, "url"),
        ({"name": 7, "url": "https://h.example/mcp"}, "name"),
        ({"name": "n" * 101, "url": "https://h.example/mcp"}, "name"),
        ({"name": "a\u202eb", "url": "https://h.example/mcp"}, "name"),
        ({"name": "n", "url": "https://h.example/mcp", "auth_kind": "basic"}, "auth_kind"),
        ({"name": "n", "url": "https://h.example/mcp", "auth": []}, "auth"),
        ({"name": "n", "url": "https://h.example/mcp", "auth": {"x": 1}}, "auth"),
        ({"name": "n", "url": "https://h.example/mcp", "review_state": "verified"}, "review_state"),
        ({"name": "n", "url": "nonsense"}, "url"),
        ([], "body"),
        ("text", "body"),
    ],
)
async def test_a_body_that_cannot_be_used_names_the_field(hub: Hub, body: Any, field: str) -> None:
    answer = await (await hub.with_scopes("ada")).post("/connectors", json=body)

    assert check_is_problem(answer, 400, "bad_input")["field"] == field


@pytest.mark.parametrize(
    "url",
    [
        f"https://h.example/mcp?api_key={CANARY}", f"https://h.example/mcp?token={CANARY}",
        f"https://h.example/mcp#access_token={CANARY}", f"https://u:{CANARY}@h.example/mcp",
        f"https://h.example/mcp;key={CANARY}", f"https://h.example/mcp?API-Key={CANARY}",
        f"https://h.example/mcp?%74oken={CANARY}", f"https://h.example/mcp?a=b;Token={CANARY}",
    ],
)  # fmt: skip
async def test_a_key_in_a_url_is_refused_and_neither_repeated_nor_kept(hub: Hub, url: str) -> None:
    """CON-03: adding, and changing where one is."""
    ada = await hub.with_scopes("ada")
    body = {"name": "n", "url": "https://h.example/there"}
    there = (await ada.post("/connectors", json=body)).json()["slug"]

    with capture_logs() as logs:
        answers = [
            await ada.post("/connectors", json={**body, "url": url}),
            await ada.patch(f"/connectors/{there}", json={"url": url}),
        ]
    await ada.delete(f"/connectors/{there}")

    for answer in answers:
        assert check_is_problem(answer, 400, "bad_input")["field"] == "url"
        assert CANARY not in answer.text
    assert CANARY not in repr(logs)
    assert CANARY not in (await ada.get("/trail")).text
    assert (await ada.get("/connectors")).json()["items"] == []


@pytest.mark.parametrize(
    "value", [CANARY, [CANARY], {"x": CANARY}, {"X-API-Key": [CANARY]}, {"X-API-Key": {"a": CANARY}}, {CANARY: 5}]
)
async def test_a_secret_in_a_body_that_cannot_be_used_is_not_repeated(hub: Hub, value: Any) -> None:
    things = await give_things(hub)
    body = {"connector": things.connector.slug, "values": value, "label": "x" * 13}

    answer = await (await hub.with_scopes("ada")).post("/connections/headers", json=body)

    check_is_problem(answer, 400, "bad_input")
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"\xff\xfe", b"[" * 100_000, b'{"login": NaN}', b"null", b'"' + b"x" * 100 + b'"'],
    ids=lambda content: repr(content[:8]),
)
async def test_a_body_that_is_no_json_object_is_a_problem(hub: Hub, content: bytes) -> None:
    answer = await hub.operator.post("/people", content=content, headers={"content-type": "application/json"})

    check_is_problem(answer, 400, "bad_input")


async def test_a_body_of_another_kind_is_a_problem(hub: Hub) -> None:
    answer = await hub.operator.post("/people", data={"login": "x"})

    check_is_problem(answer, 400, "bad_input")


async def test_a_body_without_end_is_cut_off(hub: Hub) -> None:
    async def endless() -> Any:
        while True:
            yield b" " * 65536

    answer = await hub.operator.post("/people", content=endless(), headers={"content-type": "application/json"})

    check_is_problem(answer, 413, "too_large")


@pytest.mark.parametrize(
    "query",
    [{"limit": "0"}, {"limit": "201"}, {"limit": "x"}, {"outcome": "good"}, {"cursor": "x" * 2001}, {"cursor": "~"}],
)
async def test_a_query_that_cannot_be_used_names_the_parameter(hub: Hub, query: dict[str, str]) -> None:
    answer = await hub.operator.get("/calls", params=query)

    assert check_is_problem(answer, 400, "bad_input")["field"] == next(iter(query))


async def test_what_nobody_foresaw_says_nothing_to_the_asker_and_only_where_to_the_log(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        async def list(self) -> None:
            raise RuntimeError(f"password is {CANARY}")

    hub.replaced(organizations=Broken())

    answer = await hub.operator.get("/organizations")

    check_is_problem(answer, 500, "internal")
    logged = capsys.readouterr().out
    assert CANARY not in answer.text + logged
    assert "RuntimeError" in logged
    assert "test_problems.py" in logged


@pytest.mark.parametrize(
    ("error", "status", "more"),
    [
        (Refused("No.", rule="not_switched_on", path="/connections/1"), 403, ("rule", "not_switched_on")),
        (NotConnected("No.", path="/connections/1"), 409, ("page", "/connections/1")),
        (TooMany("No.", retry_after=1.2), 429, ("code", "too_many")),
        (Unreachable("No."), 502, ("code", "unreachable")),
        (TimedOut("No."), 504, ("code", "timeout")),
        (ConnectFailed("No.", kind="unreachable", stage="discovery"), 502, ("code", "connect_failed")),
        (NotRecorded("No."), 503, ("code", "not_recorded")),
        (VaultFailed("No."), 500, ("code", "vault_failed")),
    ],
)
def test_each_error_of_ours_has_its_status(error: ValetkeyError, status: int, more: tuple[str, str]) -> None:
    answer = answer_to(error)

    assert answer.status_code == status
    assert f'"{more[0]}":"{more[1]}"'.encode() in answer.body
    assert answer.headers.get("retry-after") == ("2" if status == 429 else None)


@pytest.mark.parametrize("path", ["/calls/a%0Ab", "/calls/%0A", "/a%0A", "/%0Ahealth"])
async def test_a_line_break_in_a_path_is_answered_by_the_api(hub: Hub, path: str) -> None:
    """Not by the pages, which stand behind it in the site map."""
    answer = await hub.operator.get(path)

    check_is_problem(answer, 404, "not_found")

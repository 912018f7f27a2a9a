"""A service asks before it answers: the person behind the assistant is asked, in both eras, and nobody else is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from msgspec import structs

from tests.gateway.asking import ALL, FORM, NAMED, PAGE, PROMPT, ROOTS, Asking, Json, Stream, accept, answering
from tests.gateway.client import Client
from tests.gateway.conftest import FRONTS, Front, Hub
from tests.gateway.service import Service
from valetkey.audit.model import Outcome
from valetkey.connections.model import Connection
from valetkey.gateway.asked import TOPIC as ANSWERED
from valetkey.gateway.asked import Asked
from valetkey.protocol.jsonrpc import Response

MODERN = "2026-07-28"
VERSIONS = [MODERN, "2025-11-25"]


@pytest.fixture
def front(request: pytest.FixtureRequest) -> Front:
    """The fast one; what is about streams is asked of both."""
    chosen: Front = getattr(request, "param", "fast")
    return chosen


async def assistant(hub: Hub, service: Service, version: str, capabilities: Json | None = None) -> Client:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    return await hub.client(ada, service, version=version, capabilities=ALL if capabilities is None else capabilities)


def declared(service: Service) -> Json:
    """The capabilities that came with the call: in its envelope, or in its session's handshake."""
    call = service.calls[-1]
    if service.era == "modern":
        return dict(call.message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"])
    session = call.header("mcp-session-id")
    opened = list(service.sessions).index(session)
    handshakes = [seen for seen in service.seen if b'"initialize"' in seen.body]
    return dict(handshakes[opened].message["params"]["capabilities"])


@pytest.mark.parametrize("front", FRONTS, indirect=True)
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("question", [FORM, PAGE], ids=["form", "page"])
async def test_what_a_service_asks_is_answered_by_the_client_and_the_call_goes_on(
    hub: Hub, service: Service, version: str, question: Json
) -> None:
    client = await assistant(hub, service, version)
    asking = Asking(service, {"q": question})

    got, asked = await answering(client, "echo", {"text": "x"}, accept)

    assert json.loads(got.text) == {"q": accept(question)}
    assert [one["method"] for one in asked] == [question["method"]]
    assert declared(service) == ALL
    assert {seen.token for seen in service.seen} == {"adas-token-0001"}
    if service.era == "modern":
        assert asking.states == [None, asking.state]


@pytest.mark.parametrize("version", VERSIONS)
async def test_several_questions_are_asked_and_answered_each_by_its_own(
    hub: Hub, service: Service, version: str
) -> None:
    client = await assistant(hub, service, version)
    Asking(service, {"a": FORM, "b": ROOTS, "c": PROMPT})

    got, asked = await answering(client, "echo", {}, accept)

    assert json.loads(got.text) == {"a": accept(FORM), "b": accept(ROOTS), "c": accept(PROMPT)}
    assert len(asked) == 3


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_question_says_who_asks_and_is_otherwise_untouched(hub: Hub, service: Service, version: str) -> None:
    client = await assistant(hub, service, version)
    Asking(service, {"q": FORM})

    _, [asked] = await answering(client, "echo", {}, accept)

    assert asked["params"].pop("message") == "Fake asks: What is your name?"
    assert asked["params"] == {key: value for key, value in FORM["params"].items() if key != "message"}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_page_is_shown_with_its_whole_address(hub: Hub, service: Service, version: str) -> None:
    client = await assistant(hub, service, version)
    Asking(service, {"q": PAGE})

    _, [asked] = await answering(client, "echo", {}, accept)

    assert asked["params"]["url"] == "https://pay.example.com/1"
    assert asked["params"]["message"] == "Fake asks you to open https://pay.example.com/1: Pay first."
    assert ("elicitationId" in asked["params"]) == (version != MODERN)


async def test_a_service_without_a_state_gets_none_and_one_with_a_state_gets_the_very_same(
    hub: Hub, modern: Service
) -> None:
    client = await assistant(hub, modern, MODERN)
    asking = Asking(modern, {"q": FORM}, state="")

    await answering(client, "echo", {}, accept)

    assert asking.states == [None, None]
    assert b"requestState" not in modern.calls[-1].body
    assert modern.calls[0].message["id"] != modern.calls[1].message["id"]


# --- what was not declared --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_service_is_told_of_nothing_that_the_client_did_not_declare(
    hub: Hub, service: Service, version: str
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    capabilities: list[Json] = [{}, {"elicitation": {}}, {"elicitation": {"url": {}}}, {"sampling": {}}, {"roots": {}}]
    seen = []

    for one in capabilities:
        client = await hub.client(ada, service, version=version, capabilities=one)
        await client.call("echo", {"text": "x"})
        seen.append(declared(service))

    assert seen == capabilities


@pytest.mark.parametrize("version", VERSIONS)
async def test_sessions_at_a_service_are_one_for_each_set_of_capabilities_and_used_again(
    hub: Hub, legacy: Service, version: str
) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, legacy, "adas-token-0001")
    several: list[Json] = [{}, ALL, {}, ALL, {"roots": {}}]
    for capabilities in several:
        client = await hub.client(ada, legacy, version=version, capabilities=capabilities)
        await client.call("echo", {"text": "x"})

    assert len(legacy.sessions) == 3
    assert len({call.header("mcp-session-id") for call in legacy.calls}) == 3


@pytest.mark.parametrize("fails", [True, False])
async def test_a_service_that_asks_a_modern_client_for_what_it_does_not_offer_hears_so(
    hub: Hub, legacy: Service, fails: bool
) -> None:
    """A call that fails for want of a capability is -32021; one that gets by without is its result."""
    client = await assistant(hub, legacy, MODERN, {"roots": {}})
    asking = Asking(legacy, {"q": PROMPT}, fails=fails)

    got = await client.call("echo", {})

    assert asking.heard["q"]["code"] == -32601
    if fails:
        assert got.status == 400
        assert got.error["code"] == -32021
        assert got.error["data"] == {"requiredCapabilities": {"sampling": {}}}
    else:
        assert got.result["resultType"] == "complete"


async def test_a_service_that_asks_a_legacy_client_for_what_it_does_not_offer_hears_so(
    hub: Hub, legacy: Service
) -> None:
    client = await assistant(hub, legacy, "2025-11-25", {"elicitation": {}})
    asking = Asking(legacy, {"q": PAGE}, fails=True)

    got = await client.call("echo", {})

    assert asking.heard["q"]["code"] == -32601
    assert got.result["isError"] is True


async def test_a_modern_service_that_asks_for_what_was_not_declared_is_not_passed_on(hub: Hub, modern: Service) -> None:
    Asking(modern, {"q": PROMPT})
    client = await assistant(hub, modern, MODERN, {"elicitation": {}})

    got = await client.call("echo", {})

    assert got.error["code"] == -32021
    assert got.error["data"] == {"requiredCapabilities": {"sampling": {}}}


async def test_a_client_that_takes_no_stream_or_has_no_session_is_not_asked(hub: Hub, legacy: Service) -> None:
    client = await assistant(hub, legacy, "2025-11-25")
    message = client.request("tools/call", {"name": "echo", "arguments": {}})
    headers = [pair for pair in client.headers(message) if pair[0] != "Accept"]

    await client.send("POST", json.dumps(message).encode(), [*headers, ("Accept", "application/json")])
    without_stream = declared(legacy)
    client.session = ""
    await client.call("echo", {"text": "x"})

    assert [without_stream, declared(legacy)] == [{}, {}]


# --- what is not passed on --------------------------------------------------------------------------------------------


def form(**properties: Any) -> Json:
    schema = {"type": "object", "properties": properties}
    return {"method": "elicitation/create", "params": {"message": "Please.", "requestedSchema": schema}}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_question_that_nobody_should_be_asked_does_not_reach_the_client(
    hub: Hub, service: Service, version: str
) -> None:
    client = await assistant(hub, service, version)
    for question in (
        form(apiKey={"type": "string"}),
        {**PAGE, "params": {**PAGE["params"], "url": f"http://localhost:{hub.port}/approvals/1"}},
        {**PAGE, "params": {**PAGE["params"], "url": "http://pay.example.com/1"}},
    ):
        asking = Asking(service, {"q": question}, fails=True)

        got, asked = await answering(client, "echo", {}, accept)

        assert asked == []
        assert got.result["isError"] is True
        if service.era == "legacy":
            assert asking.heard["q"]["code"] == -32602


async def test_what_is_answered_to_a_service_approves_nothing(hub: Hub, service: Service) -> None:
    """A tool that wants the person's yes goes on wanting it, whatever a service asks and a client accepts."""
    client = await assistant(hub, service, MODERN)
    Asking(service, {"approve": FORM})

    got, asked = await answering(client, "delete_all", {}, accept)

    assert got.result["resultType"] == "input_required"
    assert {one["params"]["mode"] for one in asked} == {"url"}
    assert len({one["params"]["url"] for one in asked}) == 1
    assert service.calls == []


# --- the state --------------------------------------------------------------------------------------------------------


async def asked_once(client: Client, **arguments: Any) -> tuple[str, Json]:
    """The state that came with the question, and fitting answers."""
    got = await client.call("echo", arguments)
    assert got.result["resultType"] == "input_required"
    return got.result["requestState"], {key: accept(one) for key, one in got.result["inputRequests"].items()}


async def test_a_state_that_was_changed_is_refused(hub: Hub, service: Service) -> None:
    client = await assistant(hub, service, MODERN)
    Asking(service, {"q": FORM})
    state, answers = await asked_once(client)

    for changed in (state[:-9] + "AAAAAAAAA", state[:-1], state + "-TAMPERED", "x", "é" * 300):
        got = await client.call("echo", {}, inputResponses=answers, requestState=changed)
        assert got.status == 400
        assert got.error["code"] == -32602

    assert not any(b"Ada" in seen.body for seen in service.seen)


async def test_a_state_is_good_for_one_person_client_and_call_only(hub: Hub, service: Service) -> None:
    ada, eve = await hub.person("ada"), await hub.person("eve")
    await hub.connect(ada, service, "adas-token-0001", on=("echo", "delete_all"))
    await hub.connect(eve, service, "eves-token-0002")
    await hub.connect(ada, service, "adas-token-0003", label="second")
    client = await hub.client(ada, service, capabilities=ALL)
    Asking(service, {"q": FORM})
    state, answers = await asked_once(client, text="pay 1")
    second = f"/c/{hub.connector(service).slug}/second/mcp"
    told = {"inputResponses": answers, "requestState": state}

    refused = [
        await (await hub.client(eve, service, capabilities=ALL)).call("echo", {"text": "pay 1"}, **told),
        await (await hub.client(ada, service, capabilities=ALL)).call("echo", {"text": "pay 1"}, **told),
        await (await hub.client(ada, path=second, capabilities=ALL)).call("echo", {"text": "pay 1"}, **told),
        await client.call("echo", {"text": "pay 1000"}, **told),
        await client.call("echo", {"text": "pay 1", "more": 1}, **told),
        await client.call("delete_all", {"text": "pay 1"}, **told),
    ]

    assert [got.error["code"] for got in refused] == [-32602] * len(refused)
    assert not any(b"Ada" in seen.body for seen in service.seen)
    got = await client.call("echo", {"text": "pay 1"}, **told)
    assert json.loads(got.text) == {"q": NAMED}


async def test_a_state_of_one_account_is_refused_at_another(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    await hub.connect(ada, service, "adas-token-0002", label="second")
    client = await hub.client(ada, capabilities=ALL)
    one, other = (name for name in await client.names() if name.endswith("_echo"))
    Asking(service, {"q": FORM})
    asked = (await client.call(one, {})).result
    told = {"inputResponses": dict.fromkeys(asked["inputRequests"], NAMED), "requestState": asked["requestState"]}

    refused = await client.call(other, {}, **told)
    got = await client.call(one, {}, **told)

    assert refused.error["code"] == -32602
    assert json.loads(got.text) == {"q": NAMED}


async def test_a_state_is_good_once(hub: Hub, service: Service) -> None:
    client = await assistant(hub, service, MODERN)
    Asking(service, {"q": FORM})
    state, answers = await asked_once(client)

    first = await client.call("echo", {}, inputResponses=answers, requestState=state)
    again = await client.call("echo", {}, inputResponses=answers, requestState=state)

    assert json.loads(first.text) == {"q": NAMED}
    assert again.error["code"] == -32602


async def test_a_state_that_comes_late_is_refused_and_the_client_told_to_call_again(hub: Hub, service: Service) -> None:
    client = await assistant(hub, service, MODERN)
    Asking(service, {"q": FORM})
    state, answers = await asked_once(client)
    hub.clock.advance(901)

    got = await client.call("echo", {}, inputResponses=answers, requestState=state)

    assert got.result["isError"] is True
    assert "Call again" in got.text
    assert not any(b"Ada" in seen.body for seen in service.seen)


async def test_the_arguments_of_a_retried_call_may_be_written_down_anew(hub: Hub, service: Service) -> None:
    client = await assistant(hub, service, MODERN)
    Asking(service, {"q": FORM})
    state, answers = await asked_once(client, a=1, b={"x": [1, 2], "y": "é"})

    got = await client.call(
        "echo", {"b": {"y": "\u00e9", "x": [1, 2]}, "a": 1}, inputResponses=answers, requestState=state
    )

    assert json.loads(got.text) == {"q": NAMED}


async def test_what_was_not_answered_is_asked_again(hub: Hub, service: Service) -> None:
    client = await assistant(hub, service, MODERN)
    Asking(service, {"a": FORM, "b": ROOTS})
    state, answers = await asked_once(client)
    key = next(iter(answers))

    again = await client.call("echo", {}, inputResponses={key: answers.pop(key), "unknown": {}}, requestState=state)

    assert again.result["resultType"] == "input_required"
    assert again.result["requestState"] != state
    assert list(again.result["inputRequests"]) == list(answers)
    got = await client.call("echo", {}, inputResponses=answers, requestState=again.result["requestState"])
    assert json.loads(got.text) == {"a": accept(FORM), "b": accept(ROOTS)}


async def test_each_request_has_its_record_and_a_retried_one_names_the_one_before(hub: Hub, service: Service) -> None:
    ada = await hub.person("ada")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service, capabilities=ALL)
    Asking(service, {"q": FORM})

    await answering(client, "echo", {}, accept)

    first, second = await hub.records(ada)
    assert [first.outcome, second.outcome] == [Outcome.INPUT_REQUIRED, Outcome.OK]
    assert second.detail == f"continues {first.id}"
    assert b"What is your name?" in await hub.payload(first, "response")
    assert json.dumps(NAMED).encode() in await hub.payload(second, "request")


# --- parked calls -----------------------------------------------------------------------------------------------------


async def parked(hub: Hub, legacy: Service) -> tuple[Client, Connection, str, Json]:
    ada = await hub.person("ada")
    connection = await hub.connect(ada, legacy, "adas-token-0001")
    client = await hub.client(ada, legacy, capabilities=ALL)
    Asking(legacy, {"q": FORM})
    state, answers = await asked_once(client)
    return client, connection, state, answers


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_parked_call_ends_with_its_connection(hub: Hub, legacy: Service) -> None:
    client, connection, state, answers = await parked(hub, legacy)
    assert len(hub.gateway.continuations.parked) == 1

    await hub.gateway.connection_ended(connection.id)

    assert len(hub.gateway.continuations.parked) == 0
    got = await client.call("echo", {}, inputResponses=answers, requestState=state)
    assert "Call again" in got.text


async def test_a_parked_call_that_nobody_comes_back_to_is_given_up_and_the_service_told(
    hub: Hub, legacy: Service
) -> None:
    hub.gateway.continuations.parked.seconds = 0.02
    client, _, state, answers = await parked(hub, legacy)

    await until(lambda: any(b"notifications/cancelled" in seen.body for seen in legacy.seen))

    assert len(hub.gateway.continuations.parked) == 0
    got = await client.call("echo", {}, inputResponses=answers, requestState=state)
    assert "Call again" in got.text


async def test_a_retry_that_lands_elsewhere_is_told_to_call_again(hub: Hub, legacy: Service) -> None:
    client, _, state, answers = await parked(hub, legacy)
    await hub.gateway.continuations.parked.stop()  # as after a restart, or in another process

    got = await client.call("echo", {}, inputResponses=answers, requestState=state)

    assert got.result["isError"] is True
    assert "Call again" in got.text


async def test_a_modern_client_that_hangs_up_on_a_call_that_goes_on_cancels_it(hub: Hub, legacy: Service) -> None:
    client, _, state, _ = await parked(hub, legacy)
    Asking(legacy, {"q": FORM})  # from now on nobody hears the answers
    legacy.on_anything = Service("legacy").on_anything
    told = {"inputResponses": {"question_1": NAMED}, "requestState": state}
    message = client.request("tools/call", {"name": "echo", "arguments": {}, **told})

    _, writer = await client.begin("POST", json.dumps(message).encode(), client.headers(message))
    await until(lambda: any(b"Ada" in seen.body for seen in legacy.seen))
    writer.close()

    await until(lambda: any(b"notifications/cancelled" in seen.body for seen in legacy.seen))


# --- legacy clients ---------------------------------------------------------------------------------------------------


async def test_only_the_session_that_was_asked_can_answer(hub: Hub, service: Service) -> None:
    ada, eve = await hub.person("ada"), await hub.person("eve")
    await hub.connect(ada, service, "adas-token-0001")
    await hub.connect(eve, service, "eves-token-0002")
    asked = await hub.client(ada, service, version="2025-11-25", capabilities=ALL)
    others = [
        await hub.client(ada, service, version="2025-11-25", capabilities=ALL),
        await hub.client(eve, service, version="2025-11-25", capabilities=ALL),
    ]
    Asking(service, {"q": FORM})

    async with Stream(asked, "echo", {}) as stream:
        question = await anext(stream)
        wrong = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
        for other in others:
            await other.post(wrong)
        await asked.post({**wrong, "id": "vkq_other"})
        await asked.post({"jsonrpc": "2.0", "id": question["id"], "result": NAMED})
        await anext(stream)

    assert json.loads(stream.got.text) == {"q": NAMED}


async def test_a_client_that_answers_with_an_error_or_not_at_all_is_taken_for_a_no(hub: Hub, service: Service) -> None:
    client = await assistant(hub, service, "2025-11-25")
    asking = Asking(service, {"q": FORM})
    error = {"code": -1, "message": "no"}
    async with Stream(client, "echo", {}) as stream:
        question = await anext(stream)
        await client.post({"jsonrpc": "2.0", "id": question["id"], "error": error})
        await anext(stream)
    assert asking.heard["q"] == (error if service.era == "legacy" else {"action": "cancel"})

    asking.heard.clear()
    hub.gateway.continuations.asked.patience = 0.02
    async with Stream(client, "echo", {}) as stream:
        question = await anext(stream)
        withdrawn = await anext(stream)
        await anext(stream)
    assert withdrawn["method"] == "notifications/cancelled"
    assert withdrawn["params"]["requestId"] == question["id"]
    assert asking.heard["q"] == {"action": "cancel"}


async def test_an_answer_that_lands_at_another_replica_ends_the_call_at_once_and_says_so(
    hub: Hub, service: Service
) -> None:
    """What the person wrote does not cross over; that they did, does."""
    ada, eve = await hub.person("ada"), await hub.person("eve")
    await hub.connect(ada, service, "adas-token-0001")
    client = await hub.client(ada, service, version="2025-11-25", capabilities=ALL)
    asking = Asking(service, {"q": FORM})
    replica = Asked(hub.notifications)
    crossing: list[str] = []
    hub.notifications.subscribe(ANSWERED, crossing.append)

    async with Stream(client, "echo", {}) as stream:
        question = await anext(stream)
        answer = Response(json.dumps(question["id"]).encode(), b'{"action":"accept","content":{"name":"Ada"}}', b"")
        for person, session, response in (
            (eve, client.session, answer),
            (ada, "vks_other", answer),
            (ada, client.session, structs.replace(answer, id=b'"vkq_0123456789012345678901"')),
            (ada, client.session, structs.replace(answer, id=b"7")),
            (ada, client.session, structs.replace(answer, id=b'"vkq_012345 7890 23456789 1"')),
            (ada, client.session, answer),
        ):
            await replica.hear(person.id, session.encode(), response)
        await anext(stream)

    if service.era == "legacy":
        assert asking.heard["q"]["message"].endswith("Call again.")
    else:
        assert stream.got.result["isError"] is True
        assert stream.got.text.endswith("came to another replica of this hub. Call again.")
    assert len(crossing) == 4
    assert not any("accept" in each for each in crossing)
    assert hub.gateway.continuations.asked._open == {}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_question_on_the_standing_stream_belongs_to_the_call_under_way(
    hub: Hub, legacy: Service, version: str
) -> None:
    client = await assistant(hub, legacy, version)
    Asking(legacy, {"q": FORM}, on_standing_stream=True)

    got, asked = await answering(client, "echo", {}, accept)

    assert json.loads(got.text) == {"q": NAMED}
    assert len(asked) == 1
    [listening] = [seen for seen in legacy.seen if seen.method == "GET"]
    assert listening.header("accept") == "text/event-stream"
    assert listening.token == "adas-token-0001"
    again, _ = await answering(client, "echo", {}, accept)
    assert json.loads(again.text) == {"q": NAMED}

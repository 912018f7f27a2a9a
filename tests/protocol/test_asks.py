"""What clients declare and services ask: read strictly, declared onward as it was, and never more than that."""

from __future__ import annotations

import json

import mcp_types
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.protocol import asks
from valetkey.protocol.asks import EVERYTHING, Asks, Question
from valetkey.protocol.errors import INVALID_PARAMS, Rejected
from valetkey.protocol.messages import read_params
from valetkey.protocol.versions import LEGACY, MODERN


@pytest.mark.parametrize(
    ("declared", "version", "expected"),
    [
        ({"elicitation": {"url": {}}}, MODERN, Asks.URLS),
        ({"elicitation": {"form": {}, "url": {}}}, "2025-11-25", Asks.URLS | Asks.FORMS),
        ({"elicitation": {"form": {}, "url": {}}}, "2025-06-18", Asks.FORMS),
        ({"elicitation": {}}, MODERN, Asks.FORMS),
        ({"elicitation": {"form": {}}}, "2025-03-26", Asks.NOTHING),
        ({"elicitation": {"url": None}}, MODERN, Asks.FORMS),
        ({"elicitation": 7}, MODERN, Asks.NOTHING),
        ({"elicitation": None, "sampling": None, "roots": []}, MODERN, Asks.NOTHING),
        ({"sampling": {"tools": {}}, "roots": {"listChanged": True}}, "2024-11-05", EVERYTHING & 0b101100),
        ({"sampling": {"context": {}}}, MODERN, Asks.SAMPLING | Asks.SAMPLING_CONTEXT),
        ({}, MODERN, Asks.NOTHING),
        (7, MODERN, Asks.NOTHING),
    ],
)
def test_only_a_client_that_says_so_can_be_asked(declared: object, version: str, expected: Asks) -> None:
    assert asks.declared(json.dumps(declared).encode(), version=version) == expected


@pytest.mark.parametrize("version", [MODERN, LEGACY[0]])
def test_what_we_declare_onward_reads_back_as_what_was_declared(version: str) -> None:
    for number in range(EVERYTHING + 1):
        said = Asks(number)
        if not said & Asks.SAMPLING:
            said &= ~(Asks.SAMPLING_TOOLS | Asks.SAMPLING_CONTEXT)
        if version != MODERN:
            said &= ~Asks.TASKS  # those of 2025-11-25 are another protocol

        assert asks.declared(asks.declaration(said), version=version) == said
        mcp_types.ClientCapabilities.model_validate_json(asks.declaration(said))


@pytest.mark.parametrize(
    ("method", "params", "expected"),
    [
        ("elicitation/create", b'{"message":"?"}', Asks.FORMS),
        ("elicitation/create", b'{"mode":"form"}', Asks.FORMS),
        ("elicitation/create", b'{"mode":"url"}', Asks.URLS),
        ("elicitation/create", b'{"mode":"telepathy"}', Asks.NOTHING),
        ("elicitation/create", b'{"mode":7}', Asks.NOTHING),
        ("sampling/createMessage", b"{}", Asks.SAMPLING),
        ("sampling/createMessage", b'{"tools":[]}', Asks.SAMPLING | Asks.SAMPLING_TOOLS),
        ("roots/list", b"", Asks.ROOTS),
        ("tools/call", b"{}", Asks.NOTHING),
        ("ping", b"", Asks.NOTHING),
    ],
)
def test_a_question_needs_what_the_protocol_says(method: str, params: bytes, expected: Asks) -> None:
    assert asks.needed(Question(method, params)) == expected


def test_an_input_required_is_read_with_its_questions_and_its_state_as_they_are() -> None:
    raw = (
        b'{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},'
        b'"b":{"method":"elicitation/create","params":{"x": 1.50}}},"requestState":"{\\"n\\": 1}"}'
    )

    read = asks.read_required(raw)

    assert read is not None
    assert dict(read.questions) == {
        "a": Question("roots/list", b""),
        "b": Question("elicitation/create", b'{"x": 1.50}'),
    }
    assert read.state == b'"{\\"n\\": 1}"'


@pytest.mark.parametrize(
    "raw",
    [
        b'{"resultType":"input_required"}',
        b'{"resultType":"input_required","inputRequests":{}}',
        b'{"resultType":"input_required","inputRequests":[]}',
        b'{"resultType":"input_required","inputRequests":{"a":7}}',
        b'{"resultType":"input_required","requestState":7}',
        b'{"resultType":"input_required","requestState":"%b"}' % (b"x" * asks.MAX_STATE),
        b'{"resultType":"task","requestState":"s"}',
        b"[]",
        b'{"resultType":"input_required","inputRequests":{%b}}'
        % b",".join(b'"%d":{"method":"roots/list"}' % number for number in range(asks.MAX_QUESTIONS + 1)),
    ],
)
def test_what_is_no_input_required_is_none(raw: bytes) -> None:
    assert asks.read_required(raw) is None


@given(st.dictionaries(st.text(), st.sampled_from(["roots/list", "elicitation/create"])), st.text())
def test_our_own_input_required_reads_back(methods: dict[str, str], state: str) -> None:
    questions = {key: Question(method, b'{"message":"m"}') for key, method in list(methods.items())[:16]}

    read = asks.read_required(asks.required_result(questions, state))

    assert read is not None
    assert dict(read.questions) == questions
    assert json.loads(read.state) == state


@pytest.mark.parametrize(
    "params",
    [
        b'{"inputResponses":7}',
        b'{"inputResponses":null}',
        b'{"inputResponses":[]}',
        b'{"inputResponses":{"a":7}}',
        b'{"inputResponses":{"a":null}}',
        b'{"requestState":7}',
        b'{"requestState":""}',
        b'{"requestState":null}',
        b'{"requestState":"%b"}' % (b"x" * (2 * asks.MAX_STATE + 1)),
    ],
)
def test_what_is_no_answer_is_refused(params: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        asks.answered(read_params(params).members)

    assert caught.value.rpc_code == INVALID_PARAMS


def test_answers_are_read_raw() -> None:
    read = asks.answered(read_params(b'{"name":"t","inputResponses":{"a":{"x": 1.50}},"requestState":"s"}').members)

    assert read.by_key() == {"a": b'{"x": 1.50}'}
    assert read.state == "s"
    assert read
    assert not asks.answered(read_params(b'{"name":"t"}').members)

"""Envelopes taken apart and put together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.test_scan import JSON
from valetkey.protocol.errors import INVALID_REQUEST, PARSE_ERROR, Rejected
from valetkey.protocol.jsonrpc import (
    Notification,
    Request,
    Response,
    error_message,
    notification_message,
    parse,
    raw_error_message,
    read_error,
    request_message,
    result_message,
)

OBJECTS = st.dictionaries(st.text(max_size=8), JSON, max_size=5)


@given(st.text(max_size=20) | st.integers(), st.text(min_size=1, max_size=20), OBJECTS)
def test_a_request_keeps_its_id_and_its_params_byte_for_byte(id: str | int, method: str, params: object) -> None:
    raw_id, raw_params = json.dumps(id).encode(), json.dumps(params).encode()
    body = b'{ "params" : %b , "id":%b,"method":%b,"jsonrpc":"2.0"}' % (raw_params, raw_id, json.dumps(method).encode())

    message = parse(body)

    assert isinstance(message, Request)
    assert (message.id, message.params) == (raw_id, raw_params)
    assert message.method == method or any("\ud800" <= char <= "\udfff" for char in method)


@given(st.integers(min_value=0), JSON)
def test_what_is_written_is_read_back(id: int, value: object) -> None:
    raw = json.dumps(value).encode()

    assert parse(result_message(b"%d" % id, raw)) == Response(b"%d" % id, raw, b"")
    assert parse(request_message(id, "tools/call", b"{}")) == Request(b"%d" % id, "tools/call", b"{}")
    assert parse(notification_message("notifications/x", b'{"a":1}')) == Notification("notifications/x", b'{"a":1}')
    assert parse(notification_message("notifications/x")) == Notification("notifications/x", b"")


@given(st.integers(-40000, -32000), st.text())
def test_an_error_says_what_it_was_made_to_say(code: int, message: str) -> None:
    read = parse(error_message(b"7", code, message.encode("utf-8", "replace").decode(), b'{"a":1}'))

    assert isinstance(read, Response)
    found = read_error(read.error)
    assert (found.code, bytes(found.data)) == (code, b'{"a":1}')
    assert parse(raw_error_message(b"7", read.error)) == read


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"nonsense", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","id":2}', PARSE_ERROR),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', INVALID_REQUEST),
        (b'"text"', INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (b'{"id":1,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"1.0","id":1,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":""}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":null,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":{},"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":true,"method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 300 + b'","method":"m"}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","result":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"method":"","result":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","id":1}', INVALID_REQUEST),
        (b'{"jsonrpc":"2.0","result":{}}', INVALID_REQUEST),
    ],
)
def test_what_is_not_one_message_is_rejected(body: bytes, code: int) -> None:
    with pytest.raises(Rejected) as caught:
        parse(body)

    assert caught.value.rpc_code == code


def test_a_lone_surrogate_does_not_lose_the_whole_answer() -> None:
    message = parse(rb'{"jsonrpc":"2.0","id":1,"result":{"text":"cut \ud83d","n":12345678901234567890}}')

    assert isinstance(message, Response)
    assert message.result == rb'{"text":"cut \ufffd","n":12345678901234567890}'


# --- against a reference ----------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["jsonrpc", "id", "method", "params", "result", "error", "Result", "id ", "x", r"r\u0065sult", r"\u006dethod"]
)  # fmt: skip
VALUES = st.sampled_from(
    ["1", "1.0", '"1"', '"a"', "null", "true", '""', "{}", "[1]", "-7", '"2.0"', '{"result":{}}', '{"a":1,"a":2}']
)
FRAMES = st.builds(
    lambda head, members: b"{" + b",".join(b'"%b":%b' % (k.encode(), v.encode()) for k, v in [*head, *members]) + b"}",
    st.sampled_from([[], [("jsonrpc", '"2.0"')], [("jsonrpc", '"2.0"'), ("id", "1")]]),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
)


def reference(frame: bytes) -> tuple[str, Any] | None:
    """What a reader by the letter of JSON-RPC takes the frame for, and its id; nothing for what could be two things."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        found = json.loads(frame, object_pairs_hook=once)
    except ValueError:
        return None
    asks, answers = "method" in found, ("result" in found) + ("error" in found)
    id, is_id = found.get("id"), isinstance(found.get("id"), str | int | float) and found.get("id") is not True
    if found.get("jsonrpc") != "2.0" or asks + answers != 1:
        return None
    if asks:
        if not (isinstance(found["method"], str) and found["method"] and isinstance(found.get("params", {}), dict)):
            return None
        if "id" not in found:
            return "notification", None
        return ("request", id) if is_id else None
    return ("response", id) if is_id or ("error" in found and id is None) else None


def is_taken_for_what_it_is(frame: bytes) -> None:
    try:
        message = parse(frame)
    except Rejected:
        assert reference(frame) is None
        return
    found = reference(frame)
    assert found is not None
    assert found[0] == type(message).__name__.lower()
    if not isinstance(message, Notification):
        assert json.loads(message.id) == found[1]


@settings(max_examples=300, deadline=None)
@given(FRAMES)
def test_a_frame_is_what_a_reader_by_the_letter_takes_it_for(frame: bytes) -> None:
    is_taken_for_what_it_is(frame)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=20_000, deadline=None)
@given(FRAMES)
def test_twenty_thousand_frames_are_what_a_reader_by_the_letter_takes_them_for(frame: bytes) -> None:
    """T29: nothing is smuggled in a frame that could be two things."""
    is_taken_for_what_it_is(frame)

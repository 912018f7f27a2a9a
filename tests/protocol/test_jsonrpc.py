"""Envelopes taken apart and put together."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
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

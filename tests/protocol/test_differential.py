"""One reader's message is every reader's message: streams of JSON-RPC, well and badly made, against a reference."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import Message, Notification, Request, Response, parse
from valetkey.protocol.sse import SseReader, StreamLimits, event

KEYS = st.sampled_from(
    ["jsonrpc", "jsonrpc", "id", "id", "method", "method", "params", "result", "error", r"re\u0073ult", "Result", "x"]
)
VALUES = st.sampled_from(
    ['"2.0"', '"2.0"', '"1.0"', "1", "1.5", '"a"', "null", "true", "{}", '{"a":{"b":[1]}}', "[]", '"tools/call"', '""']
)


def braced(members: Sequence[str]) -> str:
    return f"{{{','.join(members)}}}"


OBJECTS = st.lists(st.builds('"{}":{}'.format, KEYS, VALUES), min_size=1, max_size=6).map(braced)
SHAPES = (
    ('"id":1', '"method":"m"'),
    ('"method":"m"', '"params":{}'),
    ('"id":1', '"result":{}'),
    ('"id":1', '"error":{"code":1}'),
    ('"id":1', '"method":"m"', '"result":{}'),
    ('"result":{}', '"method":"m"'),
)
WELL_MADE = st.sampled_from(SHAPES).flatmap(lambda parts: st.permutations(('"jsonrpc":"2.0"', *parts))).map(braced)
OTHERS = st.sampled_from(
    ["[]", "1", "null", '[{"jsonrpc":"2.0","id":1,"method":"m"}]', "{", '{"jsonrpc":"2.0"}}', "NaN"]
)
STREAMS = st.lists(st.one_of(WELL_MADE, OBJECTS, OTHERS), min_size=1, max_size=8)


def reference(text: str) -> tuple[Any, ...] | None:
    """What a message is, by the words of JSON-RPC 2.0 and of MCP; nothing for what is none, or could be two things."""
    try:
        pairs = json.loads(text, object_pairs_hook=list, parse_constant=lambda _: None)
        value = json.loads(text)
    except ValueError:
        return None
    if not isinstance(value, dict) or len(dict(pairs)) != len(pairs) or value.get("jsonrpc") != "2.0":
        return None
    method, params = value.get("method", ""), value.get("params", {})
    if not isinstance(method, str):
        return None
    answers = [key for key in ("result", "error") if key in value]
    if method and not answers:
        is_id = isinstance(value.get("id"), (str, int, float)) and not isinstance(value["id"], bool)
        if not isinstance(params, dict) or ("id" in value and not is_id):
            return None
        return ("request", value["id"], method) if "id" in value else ("notification", method)
    if method or len(answers) != 1 or ("id" not in value and answers == ["result"]):
        return None
    return (answers[0], value.get("id"))


def seen(message: Message) -> tuple[Any, ...]:
    match message:
        case Request():
            return ("request", json.loads(message.id), message.method)
        case Notification():
            return ("notification", message.method)
        case Response():
            return ("result" if message.result else "error", json.loads(message.id))


def is_read_as_the_reference_reads_it(texts: list[str], draw: st.DataObject) -> None:
    stream = b"".join(event(text.encode()) for text in texts)
    cuts = sorted({0, len(stream), *draw.draw(st.lists(st.integers(0, len(stream)), max_size=6))})
    reader = SseReader(StreamLimits())
    found: list[tuple[Any, ...] | None] = []

    for start, end in itertools.pairwise(cuts):
        for data in reader.feed(stream[start:end]):
            try:
                found.append(seen(parse(data)))
            except Rejected:
                found.append(None)

    assert found == [reference(text) for text in texts]


@settings(max_examples=150, deadline=None)
@given(STREAMS, st.data())
def test_any_stream_of_messages_is_read_as_the_reference_reads_it(texts: list[str], draw: st.DataObject) -> None:
    is_read_as_the_reference_reads_it(texts, draw)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=20_000, deadline=None)
@given(STREAMS, st.data())
def test_twenty_thousand_streams_of_messages_are_read_as_the_reference_reads_them(
    texts: list[str], draw: st.DataObject
) -> None:
    """T29: no result is smuggled in a request or a notification."""
    is_read_as_the_reference_reads_it(texts, draw)

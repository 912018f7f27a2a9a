"""Event streams, however they are cut."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.protocol.sse import COMMENT, SseReader, StreamLimits, StreamRefused, event

SMALL = StreamLimits(event=100, total=1000, events=5)

STREAM = (
    "\ufeff: hello\r\n\r\nid: 1\ndata:\n\n"
    'event: message\ndata: {"a":1}\n\n'
    'data: {"b":\rdata: 2}\r\rretry: 10\nevent: ping\ndata: nothing\n\ndata:{"c":"é"}\r\nid\r\n\r\n'
    'data: {"cut":'
).encode()
EVENTS = [b'{"a":1}', b'{"b":\n2}', '{"c":"é"}'.encode()]


def read(reader: SseReader, chunks: list[bytes]) -> list[bytes]:
    return [data for chunk in chunks for data in reader.feed(chunk)]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_do_not_depend_on_how_the_stream_is_cut(cuts: list[int]) -> None:
    at = sorted({0, len(STREAM), *cuts})
    chunks = [STREAM[start:end] for start, end in itertools.pairwise(at)]

    assert read(SseReader(StreamLimits()), chunks) == EVENTS
    assert read(SseReader(StreamLimits()), [b"", *chunks, b""]) == EVENTS


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)), st.integers(1, 7))
def test_what_is_written_is_read_back(messages: list[str], size: int) -> None:
    written = b"".join(event(message.encode()) + COMMENT for message in messages)
    chunks = [written[at : at + size] for at in range(0, len(written), size)]

    got = read(SseReader(StreamLimits()), chunks)

    normal = [message.replace("\r\n", "\n").replace("\r", "\n") for message in messages]
    assert [data.decode() for data in got] == normal


@pytest.mark.parametrize(
    "chunks",
    [
        [b"data: " + b"x" * 200],
        [b"x" * 101],
        [b"data: x\n"] * 60,
        [b"data:\n"] * 101,
        [b": comment\n"] * 200,
        [b"data: x\n\n"] * 6,
    ],
)
def test_a_stream_beyond_its_limits_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(StreamRefused):
        read(SseReader(SMALL), chunks)


def test_a_stream_of_single_bytes_is_read_in_one_pass() -> None:
    """Joining what was there with each new byte would take minutes."""
    reader = SseReader(StreamLimits())
    began = time.perf_counter()

    got = [data for byte in b"data: " + b"x" * 500_000 + b"\n\n" for data in reader.feed(bytes([byte]))]

    assert got == [b"x" * 500_000]
    assert time.perf_counter() - began < 5

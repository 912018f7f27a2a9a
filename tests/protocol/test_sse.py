"""Event streams, however they are cut."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given, settings
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
        [b":\n"] * 26,
        [b"event: ping\ndata: {}\n\n"] * 13,
    ],
)
def test_a_stream_beyond_its_limits_is_refused(chunks: list[bytes]) -> None:
    with pytest.raises(StreamRefused):
        read(SseReader(SMALL), chunks)


def test_comments_up_to_five_for_each_event_are_passed_over() -> None:
    assert read(SseReader(SMALL), [b":\n"] * 24 + [b"data: x\n\n"]) == [b"x"]


def test_a_stream_of_single_bytes_is_read_in_one_pass() -> None:
    """Joining what was there with each new byte would take minutes."""
    reader = SseReader(StreamLimits())
    began = time.thread_time()  # our own: the machine may be busy

    got = [data for byte in b"data: " + b"x" * 500_000 + b"\n\n" for data in reader.feed(bytes([byte]))]

    assert got == [b"x" * 500_000]
    assert time.thread_time() - began < 5


# --- against a reference ----------------------------------------------------------------------------------------------


def reference(stream: bytes) -> tuple[list[bytes], bytes, int]:
    """The algorithm of the HTML standard, line by line, over the whole stream: messages, last event id, retry."""
    messages: list[bytes] = []
    data: list[bytes] = []
    kind, seen_id, last_id, retry = b"", b"", b"", -1
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for line in text.split(b"\n")[:-1]:
        if not line:
            last_id = seen_id
            joined = b"\n".join(data)
            if joined and kind in (b"", b"message"):
                messages.append(joined)
            data, kind = [], b""
            continue
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value
        elif name == b"id" and b"\0" not in value:
            seen_id = value
        elif name == b"retry" and value.isdigit() and len(value) < 10:
            retry = int(value)
    return messages, last_id, retry


FIELDS = st.sampled_from([b"data", b"event", b"id", b"retry", b"", b"datax", b" data", b"id\0"])
VALUES = st.sampled_from([b"", b" ", b"message", b"ping", b"17", b"-1", b"{}", b" x", b"a:b", b"a\0b", "é".encode()])
LINES = st.builds(lambda name, colon, value: name + colon + value, FIELDS, st.sampled_from([b":", b": ", b""]), VALUES)
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n", b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r"])
STREAMS = st.builds(
    lambda bom, parts: bom + b"".join(parts),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(st.builds(lambda line, end: line + end, LINES, ENDS), max_size=30),
)


@settings(max_examples=200, deadline=None)
@given(STREAMS, st.data())
def test_any_stream_in_any_chunks_is_read_as_the_standard_reads_it(stream: bytes, draw: st.DataObject) -> None:
    is_read_as_the_standard_reads_it(stream, draw)


@pytest.mark.long
@pytest.mark.timeout(900)
@settings(max_examples=20_000, deadline=None)
@given(STREAMS, st.data())
def test_twenty_thousand_streams_are_read_as_the_standard_reads_them(stream: bytes, draw: st.DataObject) -> None:
    """T29."""
    is_read_as_the_standard_reads_it(stream, draw)


def is_read_as_the_standard_reads_it(stream: bytes, draw: st.DataObject) -> None:
    messages, last_id, retry = reference(stream)
    cuts = draw.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    at = sorted({0, len(stream), *cuts})

    for chunks in (
        [stream],
        [bytes([byte]) for byte in stream],
        [stream[start:end] for start, end in itertools.pairwise(at)],
    ):
        reader = SseReader(StreamLimits())
        assert read(reader, chunks) == messages
        assert (reader.last_id, reader.retry) == (last_id, retry)


def test_a_stream_that_is_taken_up_again_begins_afresh_after_the_last_whole_event() -> None:
    reader = SseReader(StreamLimits(event=100, total=1000, events=3))
    read(reader, [b'id: 1\nretry: 250\ndata:\n\nid: 2\ndata: {"a":1}\n\nid: 3\ndata: {"cut'])

    reader.again()

    assert (reader.last_id, reader.retry) == (b"2", 250)
    assert read(reader, [b'\xef\xbb\xbfdata: {"b":2}\n\n']) == [b'{"b":2}']
    assert reader.last_id == b"2"
    with pytest.raises(StreamRefused):
        read(reader, [b"data: x\n\n"] * 2)

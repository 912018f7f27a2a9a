"""What a line does where no credential and no reader of ours bounds it already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from valetkey.kernel.secret import Credential
from valetkey.net.limits import Limits
from valetkey.net.model import AddressRefused, Answer, TooLarge, Url
from valetkey.net.url import parse_url
from valetkey.protocol.jsonrpc import parse
from valetkey.upstream import sse
from valetkey.upstream.line import Line
from valetkey.upstream.model import Target

URL = parse_url("http://127.0.0.1:8000/events", private_names=True)


class Said:
    """A body in these pieces, which then stays open until it is closed."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = list(pieces)
        self.is_closed = False

    def __aiter__(self) -> Said:
        return self

    async def __anext__(self) -> bytes:
        if not self._pieces:
            raise StopAsyncIteration
        return self._pieces.pop(0)

    async def aclose(self) -> None:
        self.is_closed = True


class OneStream:
    """A network in which there is one stream to listen to; it remembers who was asked."""

    def __init__(self, stream: Said) -> None:
        self.stream = stream
        self.asked: list[str] = []

    def issuer(self, pool: str) -> str:
        return ""

    async def post(self, url: Url, headers: Sequence[tuple[bytes, bytes]], body: bytes, **_: Any) -> Answer:
        self.asked.append(url.text)
        return Answer(200, {}, b"text/event-stream", b"", self.stream)


async def no_ticket() -> None:
    return None


@pytest.mark.parametrize("place", ["http://127.0.0.1:8001/m", "https://127.0.0.1:8000/m", "//evil.example/m"])
async def test_an_open_service_cannot_name_another_place_either(place: str) -> None:
    """Without a credential, no ticket's origin stands in the way: arguments of calls would go there."""
    network = OneStream(Said(b"event: endpoint\ndata: %b\n\n" % place.encode()))

    with pytest.raises(AddressRefused):
        await sse.listen(network, Target(URL, "cn_1", "x"), no_ticket, take=lambda _: True, over=lambda _: None)

    assert network.asked == [URL.text]
    assert network.stream.is_closed


@pytest.mark.parametrize("cut", range(1, 40, 3))
async def test_where_to_post_is_understood_however_the_stream_is_cut(cut: int) -> None:
    first = b"event: endpoint\r\ndata: /m?session_id=1\r\n\r\n"
    whole = first + b'event: message\r\ndata: {"jsonrpc":"2.0","method":"x"}\r\n\r\n'
    network = OneStream(Said(whole[:cut], whole[cut:]))
    heard: list[bytes] = []

    def take(message: bytes) -> bool:
        heard.append(message)
        return True

    listening = await sse.listen(network, Target(URL, "cn_1", "x"), no_ticket, take=take, over=lambda _: None)
    assert listening is not None
    assert listening.task is not None
    await listening.task
    await listening.send(b"{}", None, Limits())

    assert network.asked == [URL.text, "http://127.0.0.1:8000/m?session_id=1"]
    assert heard == [b'{"jsonrpc":"2.0","method":"x"}']


class Quiet:
    """A wire that takes everything."""

    async def send(self, _body: bytes, _credential: Credential | None, _limits: Limits) -> Answer | None:
        return None

    def close(self) -> None:
        pass

    async def ended(self) -> None:
        pass


async def test_what_nobody_reads_is_not_kept_without_end() -> None:
    line = Line("cn_1", host="x")
    line.wire = Quiet()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}'
    answer = await line.exchange(parse(body), body, None, Limits(max_stream=1 << 30))
    note = json.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": "x"}}).encode()

    for _ in range(5000):
        line.take(note)

    assert answer.stream is not None
    with pytest.raises(TooLarge):
        async for _ in answer.stream:
            pass
    assert not line.is_busy

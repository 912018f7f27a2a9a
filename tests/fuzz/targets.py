"""The ten readers that are fuzzed, each with what must hold for whatever it is fed, and a few seeds.

A target raises for a finding only: refusing is what readers are for. What a fuzzer found goes into `corpus/<target>/`,
one file each, and is played in the ordinary tests ever after.
"""

from __future__ import annotations

import ipaddress
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit
from zlib import crc32

import msgspec

from valetkey.audit import merkle
from valetkey.audit.journal import MAGIC, is_damaged, read_frames
from valetkey.audit.note import read_note
from valetkey.directory.fingerprint import read_tool
from valetkey.identity.client_documents import read_document, read_registration
from valetkey.identity.redirects import read_redirect
from valetkey.kernel.errors import BadInput
from valetkey.net.url import parse_url
from valetkey.oauth.challenge import bearer, parse_www_authenticate
from valetkey.protocol import headers
from valetkey.protocol.errors import Rejected
from valetkey.protocol.jsonrpc import Request, Response, parse
from valetkey.protocol.scan import MAX_DEPTH, BadJson, mend_surrogates, scan
from valetkey.protocol.sse import SseReader, StreamLimits, StreamRefused
from valetkey.vault.envelope import seal, take_apart
from valetkey.vault.model import Tampered, with_lengths

CORPUS: Final = Path(__file__).with_name("corpus")
_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_CLIENT: Final = "https://client.example/id.json"


@dataclass(frozen=True)
class Target:
    """One reader. `read` takes any bytes; `dictionary` are words it knows."""

    read: Callable[[bytes], None]
    seeds: Sequence[bytes]
    dictionary: Sequence[bytes] = ()


# --- event streams --------------------------------------------------------------------------------------------------


def sse(data: bytes) -> None:
    """However it is cut, the same events come, or the same refusal."""
    size, stream = data[0] % 9 + 1 if data else 1, data[1:]
    whole = _events([stream])
    cut = _events([stream[at : at + size] for at in range(0, len(stream), size)])
    assert whole == cut, (whole, cut)


def _events(chunks: Sequence[bytes]) -> tuple[list[bytes], bytes, int] | None:
    reader = SseReader(StreamLimits(event=400, total=5000, events=20))
    try:
        events = [event for chunk in chunks for event in reader.feed(chunk)]
    except StreamRefused:
        return None
    return events, reader.last_id, reader.retry


# --- JSON and JSON-RPC ------------------------------------------------------------------------------------------------


def json_text(data: bytes) -> None:
    """What is let through, a strict reader reads, without duplicate keys and within the depth; as the same message."""
    try:
        scan(data)
    except BadJson:
        return
    value = json.loads(
        data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=len, parse_float=len
    )
    assert _depth(value) <= MAX_DEPTH
    try:
        message = parse(data)
    except Rejected:
        return
    value = json.loads(mend_surrogates(data).decode(), parse_int=str, parse_float=str)
    assert value["jsonrpc"] == "2.0"
    if isinstance(message, Response):
        assert not value.get("method")
        assert ("result" in value) != ("error" in value)
    else:
        assert message.method == value["method"]
        assert isinstance(message, Request) == ("id" in value)
        assert "result" not in value
        assert "error" not in value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), "a duplicate key came through"
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise AssertionError(f"{name} came through")


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, (dict, list))]:
        depth += 1
        level = [inner for each in level for inner in (each.values() if isinstance(each, dict) else each)]
    return depth


# --- challenges and addresses -----------------------------------------------------------------------------------------


def www_authenticate(data: bytes) -> None:
    """It never fails, and what it finds was there."""
    text = data.decode("latin-1")
    challenges = parse_www_authenticate(text)
    assert bearer(challenges).scheme in ("bearer", "")
    for challenge in challenges:
        assert challenge.scheme in text.lower()
        assert all(name in text.lower() for name in challenge.parameters)


def url(data: bytes) -> None:
    """What is taken for a URL is written one way only, and the standard library sees the same host and port."""
    try:
        found = parse_url(data.decode("utf-8", "surrogateescape"), private_names=True)
    except BadInput:
        return
    again = parse_url(found.text, private_names=True)
    assert again == found
    theirs = urlsplit(found.text)
    assert theirs.username is None
    assert found.host.isascii()
    if found.text.isascii():  # else ours has the host's other spelling
        assert _address(theirs.hostname or "") == _address(found.host)
    assert found.port == (theirs.port or {"https": 443, "http": 80}[theirs.scheme])


def _address(host: str) -> object:
    return ipaddress.ip_address(host) if ":" in host else host


# --- what is sealed and what is written down ------------------------------------------------------------------------


def binding(data: bytes) -> None:
    """Two different lists of parts never have one encoding, and only a sealed value is taken for one."""
    half = data[0] % (len(data) or 1) if data else 0
    one, other = data[1 : 1 + half].split(b"\0"), data[1 + half :].split(b"\0")
    assert (with_lengths(*one) == with_lengths(*other)) == (one == other)
    assert _parts(with_lengths(*one)) == one
    for value in (data, seal(bytes(32), data, with_lengths(*one))):
        try:
            sealed = take_apart(value)
        except Tampered:
            assert value is data
            continue
        assert sealed.length >= 0


def _parts(encoded: bytes) -> list[bytes]:
    parts = []
    while encoded:
        (length,) = struct.unpack_from(">I", encoded)
        parts.append(encoded[4 : 4 + length])
        encoded = encoded[4 + length :]
    return parts


def frames(data: bytes) -> None:
    """What is read of a journal is in it, in order and whole, and the rest is the rest, whatever a crash made of it."""
    found, rest = read_frames(data)
    assert data.endswith(rest)
    assert all(frame in data for frame in found)
    assert is_damaged(rest) in (True, False)
    payloads = [payload for payload in data[1:].split(b"\0") if payload]
    written = MAGIC + b"".join(struct.pack("<II", len(one), crc32(one)) + one for one in payloads)
    assert read_frames(written) == (payloads, b"")
    torn = written[: len(written) - (data[0] if data else 0)]
    found, rest = read_frames(torn)
    assert found == payloads[: len(found)]
    assert torn.endswith(rest)


def merkle_proof(data: bytes) -> None:
    """A proof is true or not, and never fails; a true one that was touched anywhere is not true any more."""
    _as_it_comes(data)
    size, index, at, bit = (*data[:4], 1, 0, 0, 0)[:4]
    leaves = [merkle.leaf_hash(b"%d" % number) for number in range(size % 40 + 1)]
    index %= len(leaves)
    root, proof = merkle.root_of(leaves), merkle.prove_inclusion(leaves, index)
    assert merkle.verify_inclusion(leaf=leaves[index], index=index, size=len(leaves), proof=proof, root=root)
    if proof:
        touched = [*proof]
        touched[at % len(proof)] = _flipped(proof[at % len(proof)], bit)
        assert not merkle.verify_inclusion(leaf=leaves[index], index=index, size=len(leaves), proof=touched, root=root)
    before = merkle.root_of(leaves[: index + 1])
    proof = merkle.prove_consistency(leaves, index + 1)
    known: dict[str, Any] = {"before": index + 1, "size": len(leaves), "root": root}
    assert merkle.verify_consistency(root_before=before, proof=proof, **known)
    assert not merkle.verify_consistency(root_before=_flipped(before, bit), proof=proof, **known)


def _as_it_comes(data: bytes) -> None:
    hashes = [data[at : at + 32] for at in range(8, len(data), 32)]
    index, size = struct.unpack(">II", data[:8].ljust(8, b"\0"))
    root = hashes[0] if hashes else b""
    assert not (merkle.verify_inclusion(leaf=root, index=index, size=size, proof=hashes[1:], root=root) and hashes[1:])
    assert merkle.verify_consistency(before=index, root_before=root, size=size, root=root, proof=hashes) in (
        True,
        False,
    )
    try:
        note = read_note(data.decode("utf-8", "replace"))
    except BadInput:
        return
    assert data.startswith(note.checkpoint.text().encode())


def _flipped(value: bytes, bit: int) -> bytes:
    at = bit % (8 * len(value))
    return value[: at // 8] + bytes([value[at // 8] ^ 1 << at % 8]) + value[at // 8 + 1 :]


# --- documents of clients and tools -----------------------------------------------------------------------------------


def client_document(data: bytes) -> None:
    """A client that is taken has its own id and addresses that are all taken by themselves."""
    for read in (_document, read_registration):
        try:
            client = read(data)
        except BadInput:
            continue
        assert client.redirect_uris
        assert all(read_redirect(uri) for uri in client.redirect_uris)
        assert client.name.isprintable()
        assert 0 < len(client.name) <= 60


def _document(data: bytes) -> Any:
    client = read_document(data, client_id=_CLIENT, now=_NOW, kind="cimd")
    assert (client.id, client.auth_method, client.secret_hash) == (_CLIENT, "none", None)
    return client


def x_mcp_header(data: bytes) -> None:
    """What stands in a header can stand there, and says what the argument says: our own are never refused by us."""
    schema, _, rest = data.partition(b"\0")
    try:
        scan(schema)
        scan(rest)
        tool, arguments = msgspec.json.decode(mend_surrogates(schema)), json.loads(rest)
    except (BadJson, msgspec.MsgspecError, ValueError):
        return
    if isinstance(tool, dict) and isinstance(arguments, dict):
        declared = headers.declared_params(mend_surrogates(schema)) or {}
        made = headers.param_headers(declared, arguments)
        for name, value in made:
            assert all(0x21 <= byte <= 0x7E for byte in name), name
            assert all(0x20 <= byte <= 0x7E for byte in value), value
        assert headers.mismatched_param(declared, arguments, dict(made)) == ""
    text = rest.decode("latin-1")
    assert headers.decode_value(headers.encode_value(text)) == text
    headers.decode_value(rest)


def tool_definition(data: bytes) -> None:
    """A tool is pinned by what it says: the same definition, spelled otherwise, has the same fingerprint."""
    try:
        tool = read_tool(data)
    except BadInput:
        return
    assert tool.raw == data
    assert read_tool(b" " + data + b"\n").fingerprint == tool.fingerprint
    assert not (tool.says_read_only and tool.says_destructive)


_TOOL: Final = (
    b'{"name":"t","title":"T","inputSchema":{"type":"object","properties":{"a":{"type":"string","x-mcp-header":"A"},'
    b'"b":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}}}},"annotations":{"readOnlyHint":true}}'
)
_DOCUMENT: Final = (
    b'{"client_id":"https://client.example/id.json","client_name":"C","redirect_uris":["https://client.example/cb",'
    b'"http://127.0.0.1/cb"],"grant_types":["authorization_code"],"response_types":["code"],'
    b'"token_endpoint_auth_method":"none"}'
)
_JSON_WORDS: Final = (b'":', b'{"', b'"}', b"\\u", b"\\ud800", b"null", b"1e9", b"-0", b"[[", b"]]")

TARGETS: Final[Mapping[str, Target]] = {
    "sse": Target(
        sse,
        (b"\x01event: message\r\nid: 1\r\ndata: {}\r\n\r\n", b"\x03\xef\xbb\xbf: c\n\nretry: 10\ndata:a\rdata: b\r\r"),
        (b"data:", b"event: message", b"event: ping", b"id:", b"retry:", b"\r\n\r\n", b"\xef\xbb\xbf"),
    ),
    "json": Target(
        json_text,
        (
            b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":{"n":-0.0}}}',
            b'{"jsonrpc":"2.0","id":"a","result":{"a":[1e400,12345678901234567890123]}}',
            b'{"jsonrpc":"2.0","method":"x","result":{}}',
            b'{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"\\ud83d"}}',
        ),
        (b'"jsonrpc":"2.0"', b'"method":', b'"result":', b'"error":', b'"params":', b'"id":', *_JSON_WORDS),
    ),
    "www-authenticate": Target(
        www_authenticate,
        (
            b'Bearer realm="x", error="insufficient_scope", scope="a b", resource_metadata="https://x.example/p"',
            b'Basic dGVzdA==, Bearer error="invalid_token" , Digest a=b,,c="d\\"e"',
        ),
        (b"Bearer ", b"scope=", b'error="', b"Basic ", b'\\"', b", "),
    ),
    "url": Target(
        url,
        (
            b"https://mcp.example.com/mcp",
            b"http://[::1]:8080/a?b=c",
            b"https://xn--bcher-kva.example/%41",
            b"https://A.B:443",
        ),
        (b"https://", b"http://", b"[::", b"]:", b"%2e", b"@", b"xn--", "ｅ。".encode(), b"0x7f", b"//"),
    ),
    "binding": Target(binding, (b"\x04a\0b\0c\0d", b"CV1\x01" + bytes(44), b"\x02ab\0"), (b"CV1\x01", b"\0\0\0\x01")),
    "journal-frames": Target(
        frames,
        (MAGIC + bytes(20), b"\x03one\0two\0three", MAGIC + struct.pack("<II", 1, crc32(b"x")) + b"x\0\0"),
        (MAGIC, b"\x01\0\0\0"),
    ),
    "merkle-proof": Target(
        merkle_proof, (bytes(8) + bytes(96), b"\x07\x03\x01\x20", b"origin\n3\nAAAA\n\n"), ("— ".encode(),)
    ),
    "client-document": Target(
        client_document, (_DOCUMENT,), (b'"redirect_uris":', b'"client_name":', b"http://localhost", *_JSON_WORDS)
    ),
    "x-mcp-header": Target(
        x_mcp_header,
        (_TOOL + b'\0{"a":"=?base64?eA==?=","b":{"n":42.0}}', _TOOL + '\0{"a":"é\\n","b":null}'.encode()),
        (b'"x-mcp-header":', b'"properties":', b'"type":"integer"', b"=?base64?", b"?=", *_JSON_WORDS),
    ),
    "tool-definition": Target(
        tool_definition, (_TOOL,), (b'"annotations":', b'"destructiveHint":', b'"name":', *_JSON_WORDS)
    ),
}

"""T27: documents by which a hostile authorization server would be believed, or sent to. None is, and none crashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.oauth.urls import ISSUER, METADATA, url
from valetkey.kernel.errors import BadInput
from valetkey.net.model import Url
from valetkey.net.url import parse_url
from valetkey.oauth.discovery import read_as_metadata, read_prm
from valetkey.oauth.model import AuthorizationServer, BadMetadata

ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint")
NOWHERE: Final[tuple[Any, ...]] = (
    "javascript:alert(1)", "data:text/html,<script>", "file:///etc/passwd", "http://as.example.com/x", "ftp://a.example",
    "//as.example.com/x", "/authorize", "", " ", "https://", "https:///x", "https://user:pass@as.example.com/x",
    "https://as.example.com/x#code=1", "https://as.example.com:0/x", "https://as.example.com:99999/x",
    "https://as.example.com\\@evil.example/x", "https://as.example.com/\r\nHost: evil", "https://as.example.com/\x00",
    "https://0x7f.1/x", "https://2130706433/x", "https://127.1/x", "https://[::ffff:10.0.0.1%25eth0]/x",
    "https://as.example.com/" + "a" * 5000, "`id`://x", "https://$(id).example/x; rm -rf /",
    ["https://as.example.com/x"], {"url": "https://as.example.com/x"}, 7, True,
)  # fmt: skip
OTHERS: Final[tuple[Any, ...]] = (
    {"issuer": "https://accounts.example.com"}, {"issuer": f"{ISSUER}.evil.example"}, {"issuer": f"{ISSUER}/t2"},
    {"issuer": "http://as.example.com"}, {"issuer": "https://аs.example.com"}, {"issuer": [ISSUER]}, {"issuer": None},
    {"issuer": f"{ISSUER}?x=1"}, {"issuer": f"{ISSUER}#x"}, {"issuer": ISSUER.upper()},
    {"code_challenge_methods_supported": None}, {"code_challenge_methods_supported": ["plain"]},
    {"code_challenge_methods_supported": []}, {"code_challenge_methods_supported": "S256"},
    {"response_types_supported": ["token"]}, {"grant_types_supported": ["client_credentials"]},
    {"scopes_supported": "admin"}, {"scopes_supported": {"admin": True}},
    {"authorization_endpoint": None}, {"token_endpoint": None},
)  # fmt: skip
NOT_JSON: Final = (
    b"", b"null", b"[]", b'"x"', b"{", b"\xff\xfe{}", b"<html>", b'{"issuer":1e999}', b'{"issuer":NaN}',
    b'{"issuer":"a","issuer":"b"}', b"[" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000,
)  # fmt: skip


def documents() -> Iterator[bytes]:
    for name in ENDPOINTS:
        for value in NOWHERE:
            yield json.dumps({**METADATA, name: value}).encode()
    for changed in OTHERS:
        yield json.dumps({name: value for name, value in {**METADATA, **changed}.items() if value is not None}).encode()
    yield from NOT_JSON


CORPUS: Final = tuple(documents())


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 80
    assert read_as_metadata(json.dumps(METADATA).encode(), issuer=ISSUER, parse=parse_url, allow_http=False)


def read(body: bytes) -> AuthorizationServer | BadMetadata:
    try:
        return read_as_metadata(body, issuer=ISSUER, parse=parse_url, allow_http=False)
    except BadMetadata as refused:
        return refused


def test_no_hostile_document_is_accepted_and_none_crashes_its_reader() -> None:
    """What is passed over instead of refused is not in what was read: nobody is sent there."""
    for body in CORPUS:
        found = read(body)
        if isinstance(found, BadMetadata):
            assert len(found.message) < 1000
            assert found.message.isprintable()
            continue
        for name in ENDPOINTS:
            place = getattr(found, name)
            assert place is None or place.text == METADATA.get(name), body[:200]


@pytest.mark.parametrize("servers", [[], ["javascript:alert(1)"], "https://as.example.com", [1], None, [""]])
def test_resource_metadata_that_names_nobody_leads_to_nobody(servers: Any) -> None:
    resource = "https://mcp.example.com/mcp"
    body = json.dumps({"resource": resource, "authorization_servers": servers}).encode()

    with pytest.raises((BadMetadata, BadInput)):
        named(body, resource)


def named(body: bytes, resource: str) -> list[Url]:
    """The servers that are named, as far as one could go there."""
    found = read_prm(body, connector=url(resource), parse=parse_url, allow_http=False)
    return [parse_url(issuer) for issuer in found.authorization_servers]

"""Redirect URIs: what may be registered, and what is the same as what was registered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.identity.redirects import RedirectKind, UnknownScheme, match_redirect, read_redirect
from valetkey.kernel.errors import BadInput


@pytest.mark.parametrize(
    ("uri", "kind", "host", "origin"),
    [
        ("https://claude.ai/api/mcp/auth_callback", "web", "claude.ai", "https://claude.ai"),
        ("https://vscode.dev/redirect", "web", "vscode.dev", "https://vscode.dev"),
        ("https://a.example:8443/cb?tenant=1", "web", "a.example", "https://a.example:8443"),
        ("http://127.0.0.1:33418/", "loopback", "127.0.0.1", "http://127.0.0.1:33418"),
        ("http://localhost/callback", "loopback", "localhost", "http://localhost"),
        ("http://[::1]:5000/cb", "loopback", "[::1]", "http://[::1]:5000"),
        ("cursor://anysphere.cursor-mcp/oauth/callback", "private", "anysphere.cursor-mcp", "cursor:"),
        ("com.example.app:/oauth", "private", "com.example.app", "com.example.app:"),
        ("com.example.app://oauth/cb", "private", "com.example.app", "com.example.app:"),
    ],
)
def test_a_redirect_uri_of_the_field_is_taken(uri: str, kind: str, host: str, origin: str) -> None:
    redirect = read_redirect(uri)

    assert (redirect.kind, redirect.host, redirect.origin) == (RedirectKind(kind), host, origin)


@pytest.mark.parametrize(
    "uri",
    [
        "", "https://", "https:///cb", "https:/a.example/cb", "//a.example/cb", "/cb", "cb", "https:a.example",
        "http://a.example/cb", "http://127.0.0.2/cb", "http://0.0.0.0/cb", "http://127.1/cb", "http://[::2]/cb",
        "http://localhost.evil.example/cb", "http://127.0.0.1.evil.example/cb", "http://localhost:0/cb",
        "http://localhost:65536/cb", "http://localhost:080/cb", "http://localhost:/cb", "http://LOCALHOST/cb",
        "http://user@localhost/cb", "http://localhost@evil.example/cb", "http://127.0.0.1\\@evil.example/cb",
        "https://user:pw@a.example/cb", "https://a.example/cb#fragment", "https://a.example/cb#", "https://*/cb",
        "https://*.example.com/cb", "https://a.example/*", "https://a.example/a/../cb", "https://a.example/%2e%2e/cb",
        "http://localhost/a/../cb", "http://localhost/a/%2E%2e/cb", "http://localhost/a%2f..%2fcb",
        "https://a.example/c b", "https://a.example/cb\n", "\thttps://a.example/cb", "https://a.example\\cb",
        "https://a.example:443/cb", "https://A.example/cb", "HTTPS://a.example/cb", "https://a.example:0/cb",
        "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x",
        "blob:https://a.example/1", "about:blank", "ws://a.example/", "wss://a.example/", "ftp://a.example/",
        "https://" + "a" * 2000 + ".example/cb", "https://a.example/<script>", 'https://a.example/"',
        "https://münchen.example/cb", "https://a.example/cb?x=|", "com.example.app:/a/../b", "com.example.app://u@h/",
        "https://0x7f.1/cb", "https://2130706433/cb", "view-source:https://a.example/",
    ],
)  # fmt: skip
def test_a_redirect_uri_that_could_mean_two_things_is_refused(uri: str) -> None:
    with pytest.raises(BadInput):
        read_redirect(uri)


@pytest.mark.parametrize("uri", ["myapp:/cb", "cursor://anysphere.cursor-mcp/oauth/callback2", "vscode://x/cb", "x:y"])
def test_a_private_scheme_without_a_dot_is_told_from_a_dangerous_one(uri: str) -> None:
    with pytest.raises(UnknownScheme):
        read_redirect(uri)


@pytest.mark.parametrize("port", [1, 80, 1024, 33418, 53123, 65535])
@pytest.mark.parametrize("registered", ["http://127.0.0.1/callback", "http://127.0.0.1:9/callback"])
def test_on_loopback_any_port_will_do(registered: str, port: int) -> None:
    assert match_redirect((registered,), f"http://127.0.0.1:{port}/callback") is not None
    assert match_redirect((registered,), "http://127.0.0.1/callback") is not None


@given(st.one_of(st.text(max_size=60), st.from_regex(r"http://127\.0\.0\.1.{0,3}/cb.{0,2}", fullmatch=True)))
def test_no_text_matches_unless_it_was_registered_or_differs_by_a_port(text: str) -> None:
    found = match_redirect(("https://a.example/cb", "http://127.0.0.1/cb"), text)

    port = text.removeprefix("http://127.0.0.1:").removesuffix("/cb")
    is_registered = text in ("https://a.example/cb", "http://127.0.0.1/cb")
    assert (found is not None) is (
        is_registered or (port.isascii() and port.isdigit() and str(int(port)) == port != "0")
    )


@given(st.sampled_from(["https://a.example/cb", "com.example.app:/cb"]), st.text(min_size=1, max_size=5), st.data())
def test_a_registered_uri_with_anything_inserted_is_another(uri: str, inserted: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(uri)))

    assert match_redirect((uri,), uri[:at] + inserted + uri[at:]) is None

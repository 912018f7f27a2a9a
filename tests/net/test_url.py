"""The one URL parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valetkey.kernel.errors import BadInput
from valetkey.net.url import is_same_origin, parse_url

NUMERIC_TRICKS = [
    "https://2130706433/", "https://0x7f000001/", "https://0x7f.0.0.1/", "https://127.1/", "https://127.0.1/",
    "https://0/", "https://0x/", "https://017700000001/", "https://0177.0.0.1/", "https://127.0.0.01/", "https://127.0.0.1./",
    "https://256.1.1.1/", "https://1.2.3.4.5/", "https://1.2.3/", "https://①②⑦.⓪.⓪.①/", "https://127。0。0。1/",
    "https://127．0．0．1/", "https://127｡0｡0｡1/", "https://example.0x7f/", "https://example.1/", "https://4294967295/",
    "https://0x7f.1/", "https://00000.0.0.0/", "https://١٢٧.0.0.1/",
]  # fmt: skip

HOST_TRICKS = [
    "https:///path", "https://", "https://.example.com/", "https://example..com/", "https://example.com./",
    "https://-a.example.com/", "https://a-.example.com/", "https://exa_mple.com/", "https://exa mple.com/",
    "https://exam\tple.com/", "https://example.com\\@evil.example/", "https://user@example.com/",
    "https://user:CANARY@example.com/", "https://@example.com/", "https://%65xample.com/", "https://example.com%00.evil.example/",
    "https://[::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1/", "https://[::1]x/", "https://[::g]/", "https://[1.2.3.4]/",
    "https://::1/", f"https://{'a' * 64}.example.com/", f"https://{'.'.join(['a' * 60] * 5)}.com/", "https://xn--a.example/",
    "https://xn--\u00fc.example/", "https://ｅｘａｍｐｌｅ.com/", "https://exam\u00adple.com/", "https://a\u200db.example/",
    "https://\u202eexample.com/", "https://example.com:0/", "https://example.com:65536/", "https://example.com:/",
    "https://example.com:+443/", "https://example.com:0443/", "https://example.com:44three/", "https://example.com:443:443/",
]  # fmt: skip

PRIVATE_NAMES = [
    "https://printer/", "https://printer.local/", "https://db.internal/", "https://metadata.google.internal/",
    "https://app.localhost/", "https://abc.onion/", "https://nas.home.arpa/", "https://box.lan/", "https://INTRANET/",
]  # fmt: skip

OTHER_TRICKS = [
    "", "example.com", "//example.com/", "/path", "ftp://example.com/", "file:///etc/passwd", "javascript:alert(1)",
    "gopher://example.com/", "https:example.com", "https:/example.com", "https//example.com", "https://example.com/#frag",
    "https://example.com/#access_token=CANARY", "https://example.com#", "https://example.com/a b", "https://example.com/a\nb",
    "https://example.com/a\r\nHost: evil", "https://example.com/\x00", "https://example.com/\x7f", "https://example.com/\u0085",
    " https://example.com/", "https://example.com/ ", "https://example.com/../admin", "https://example.com/a/./b",
    "https://example.com/%2e%2e/admin", "https://example.com/..%2fadmin", "https://example.com/%zz", "https://example.com/%",
    "https://example.com/%0d%0aHost:evil", "https://example.com/?q=%00", "https://example.com/ü", "https://example.com/<script>",
    "https://example.com/a|b", "https://example.com/`", "https://example.com/" + "a" * 4096, "https://example.com\\path",
    "https://example.com/a\\b", "hTtPs ://example.com/",
]  # fmt: skip


@pytest.mark.parametrize("text", NUMERIC_TRICKS + HOST_TRICKS + PRIVATE_NAMES + OTHER_TRICKS)
def test_a_url_that_two_readers_could_read_differently_is_refused_and_not_echoed(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_url(text, what="server URL")

    assert caught.value.field == "server URL"
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "https://h.example/mcp?api_key=CANARY", "https://h.example/mcp?token=CANARY", "https://h.example/?access_token=CANARY",
        "https://h.example/?x=1&key=CANARY", "https://h.example/?X-Api-Key=CANARY", "https://h.example/?ApiKey=CANARY",
        "https://h.example/?api%5Fkey=CANARY", "https://h.example/?%74oken=CANARY", "https://h.example/?a=1;token=CANARY",
        "https://h.example/mcp;key=CANARY", "https://h.example/mcp;key=CANARY/x", "https://h.example/?client_secret=CANARY",
        "https://h.example/?password=CANARY", "https://h.example/?jwt=CANARY", "https://h.example/?auth=CANARY",
        "https://h.example/?q=ghp_CANARYCANARYCANARY", "https://h.example/?sk-CANARYCANARYCANARY",
        "https://h.example/?a=eyJhbGciOiJIUzI1NiJ9.eyJDQU5BUlkiOjF9.CANARY", "https://h.example/?token",
    ],
)  # fmt: skip
def test_a_credential_in_the_query_is_refused_and_its_value_not_echoed(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_url(text)

    assert "credential" in str(caught.value)
    assert "CANARY" not in str(caught.value)
    assert parse_url(text, credentials_in_query=True).text == text


def test_harmless_queries_are_left_alone() -> None:
    for query in ("q=token", "tenant=acme&region=eu", "monkey=1", "sort_key=name", "keys=2", "page_token_size=1"):
        assert parse_url(f"https://h.example/mcp?{query}").query == query


@pytest.mark.parametrize(
    ("text", "host", "port", "origin"),
    [
        ("https://example.com", "example.com", 443, "https://example.com"),
        ("HTTPS://EXAMPLE.com:8443/A", "example.com", 8443, "https://example.com:8443"),
        ("http://127.0.0.1:9000/mcp", "127.0.0.1", 9000, "http://127.0.0.1:9000"),
        ("http://localhost/", "localhost", 80, "http://localhost"),
        ("https://[2001:DB8:0::1]:444/", "2001:db8::1", 444, "https://[2001:db8::1]:444"),
        ("https://bücher.example/", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "https://xn--bcher-kva.example"),
        ("https://例え.テスト/", "xn--r8jz45g.xn--zckzah", 443, "https://xn--r8jz45g.xn--zckzah"),
        ("https://1.example.com/", "1.example.com", 443, "https://1.example.com"),
    ],
)
def test_host_and_origin_are_normalized_and_the_rest_is_kept(text: str, host: str, port: int, origin: str) -> None:
    url = parse_url(text)

    assert (url.host, url.port, url.origin, url.text) == (host, port, origin, text)


def test_an_operator_with_a_private_network_may_use_private_names() -> None:
    assert parse_url("http://gitea:3000/mcp", private_names=True).host == "gitea"
    assert parse_url("https://nas.home.arpa/", private_names=True).host == "nas.home.arpa"


def test_the_path_and_query_go_out_as_they_came() -> None:
    assert parse_url("https://h.example/a%20b/c;v=1?x=%C3%BC&y=[1]").target == "/a%20b/c;v=1?x=%C3%BC&y=[1]"
    assert parse_url("https://h.example").target == "/"


def test_origins_are_equal_in_all_three_parts() -> None:
    url = parse_url("https://h.example/a")

    assert is_same_origin(url, parse_url("https://h.example:443/b"))
    assert not is_same_origin(url, parse_url("http://h.example/a"))
    assert not is_same_origin(url, parse_url("https://h.example:444/a"))
    assert not is_same_origin(url, parse_url("https://h2.example/a"))


@given(st.text(max_size=60))
def test_whatever_is_given_is_parsed_or_refused_and_never_breaks(text: str) -> None:
    for candidate in (text, f"https://{text}", f"https://h.example/{text}", f"https://h.example?{text}"):
        try:
            url = parse_url(candidate)
        except BadInput:
            continue
        assert url.host.isascii()
        assert url.target.isascii()
        assert not set(url.host) & set("@/\\?#% ")
        assert parse_url(f"{url.origin}{url.target}") == parse_url(f"{url.origin}{url.target}")


@given(st.integers(min_value=0, max_value=2**32 - 1), st.sampled_from(["{}", "0x{:x}", "0{:o}"]))
def test_no_number_passes_for_a_host(number: int, form: str) -> None:
    with pytest.raises(BadInput):
        parse_url(f"https://{form.format(number)}/")


@pytest.mark.parametrize(
    "text", [" https://example.com/", "https://example.com/ ", "https://example.com/\n", "\thttps://x.example/\r\n"]
)
def test_white_space_around_an_address_is_told_of(text: str) -> None:
    """CUS-13: nothing is trimmed in silence, and the address itself, which may hold a secret, is not repeated."""
    with pytest.raises(BadInput) as caught:
        parse_url(text)

    assert caught.value.message == "The URL begins or ends with white space."
    assert "example" not in f"{caught.value.message} {caught.value.hint}"
